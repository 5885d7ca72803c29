"""What a reader pastes from a document: its blocks, and how to run them.

A block between ```sh and ``` is run by bash; a block ```text after it is its expected
output. Ports from 7000 to 7099 in the text are replaced by free ones. On a busy machine
programs may start later than a block's pauses allow, so a block with other output is
run again with longer pauses.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess

from harness import PATIENCE, no_strays
from proc import children

BLOCK = re.compile(r"```sh\n(.*?)```\n\n```text\n(.*?)```\n", re.DOTALL)
PORT = re.compile(r"\b70\d\d\b")
SLEEP = 'sleep() {{ command sleep "$(awk "BEGIN {{ print $1 * {factor} }}")"; }}\n'
FACTORS = (1, 4, 16)


def sections(text, level):
    """The headings of one level, each with the text below it."""
    parts = re.split(rf"(?m)^{'#' * level} (.+)\n", text)
    return dict(zip(parts[1::2], parts[2::2]))


def blocks(text):
    """Pairs of commands and their output."""
    return BLOCK.findall(text)


def free_ports(count):
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(sock.getsockname()[1]) for sock in found]
    for sock in found:
        sock.close()
    return ports


def output_of(commands, directory, factor):
    """Run a block with its pauses multiplied; return its output,
    with the text's ports."""
    written = sorted(set(PORT.findall(commands)))
    ports = dict(zip(written, free_ports(len(written))))
    script = SLEEP.format(factor=factor) + PORT.sub(lambda match: ports[match[0]], commands)
    before = set(children(os.getpid()))
    bash = subprocess.Popen(
        ["bash", "-c", script], cwd=directory, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    try:
        output = bash.communicate(timeout=60 + 20 * factor)[0].decode()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(bash.pid, signal.SIGKILL)
        bash.wait()
        no_strays(before, PATIENCE)
    for number, port in ports.items():
        output = re.sub(rf"\b{port}\b", number, output)
    return output


def expect(commands, output, directory):
    """Run a block, which must print this."""
    for factor in FACTORS:
        printed = output_of(commands, directory, factor)
        if printed == output:
            return
    assert printed == output
