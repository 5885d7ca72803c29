"""What a reader pastes from a document: its blocks, and how to run them.

A block between ```sh and ``` is run by bash; a block ```text after it is its expected
output. After ```text varies, figures differ from run to run and a line may be repeated;
only the words are compared. A block ```console has both: what follows "$ " is typed, and
the rest is printed.

Ports from 7000 to 7099 in the text are replaced by free ones. On a busy machine programs
may start later than a block's pauses allow, so a block with other output is run again
with longer pauses.
"""

import contextlib
import os
import re
import signal
import socket
import subprocess
from itertools import groupby
from typing import Callable, NamedTuple

BLOCK = re.compile(
    r"(?ms)^#+ (?P<title>[^\n]+)\n|^```sh\n(?P<commands>.*?)^```\n"
    r"(?:\n```text(?P<varies> varies)?\n(?P<output>.*?)^```\n)?"
)
CONSOLE = re.compile(r"(?ms)^```console\n(.*?)^```\n")
PORT = re.compile(r"\b70\d\d\b")
PAUSE = re.compile(r"\b((?:sleep|timeout)[ (])([\d.]+)")
FIGURE = re.compile(r"-?(0x[0-9a-f]+|\d[\d,]*(\.\d+)?)( ?[mun]?s\b)?")
SANDBOX = re.compile(r"\bsandbox=\S+")  # as much of it as the kernel has
FACTORS = (1, 1, 3, 10)
MARK = "\x1e"  # is printed where a command of a session ends


class Block(NamedTuple):
    title: str
    commands: str
    output: str | None
    varies: bool


def sections(text, level):
    """The headings of one level, each with the text below it."""
    parts = re.split(rf"(?m)^{'#' * level} (.+)\n", text)
    return dict(zip(parts[1::2], parts[2::2]))


def blocks(text):
    """Return the blocks of a text. A second one under a heading is called "heading, 2"."""
    found, heading, count = [], "", 0
    for match in BLOCK.finditer(text):
        if match["title"]:
            heading, count = match["title"].replace("`", ""), 0
            continue
        count += 1
        title = heading if count == 1 else f"{heading}, {count}"
        found.append(Block(title, match["commands"], match["output"], bool(match["varies"])))
    return found


def session(text, prompt="$ "):
    """Return what is typed at a prompt in the ```console blocks of a text, and the output
    of each command."""
    typed, printed, ours = [], [], False
    for line in "".join(CONSOLE.findall(text)).splitlines(keepends=True):
        if line[:2] in ("$ ", "# "):
            ours = line.startswith(prompt)
            if ours:
                typed.append(line[2:])
                printed.append("")
        elif ours and typed[-1].endswith("\\\n"):
            typed[-1] += line
        elif ours:
            printed[-1] += line
    return typed, printed


def pauses(commands):
    return sum(float(seconds) for _, seconds in PAUSE.findall(commands))


def figures(text):
    found = [match[1].replace(",", "") for match in FIGURE.finditer(text)]
    return [float(figure) for figure in found if not figure.startswith("0x")]


def masked(text):
    """Return the words of an output's lines, without figures, widths of columns and
    repetitions."""
    lines = SANDBOX.sub("sandbox=", FIGURE.sub("N", text)).splitlines()
    return [line for line, _ in groupby(" ".join(line.split()) for line in lines)]


def free_ports(count):
    found = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(sock.getsockname()[1]) for sock in found]
    for sock in found:
        sock.close()
    return ports


def output_of(commands, directory, factor=1):
    """Run commands with their pauses multiplied; return their output,
    with the text's ports."""
    written = sorted(set(PORT.findall(commands)))
    ports = dict(zip(written, free_ports(len(written))))
    script = PORT.sub(lambda match: ports[match[0]], commands)
    script = PAUSE.sub(lambda match: f"{match[1]}{float(match[2]) * factor:g}", script)
    bash = subprocess.Popen(
        ["bash", "-c", script], cwd=directory, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, "PATH": f"/usr/bin:{os.environ['PATH']}"},
    )  # fmt: skip
    try:
        output = bash.communicate(timeout=30 + 2 * factor * pauses(commands))[0]
    except subprocess.TimeoutExpired as late:
        output = (late.output or b"") + b"and no end\n"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(bash.pid, signal.SIGKILL)
        bash.wait()
    output = output.decode(errors="replace")
    for number, port in ports.items():
        output = re.sub(rf"\b{port}\b", number, output)
    return output


def session_output(typed, directory, factor=1):
    """Return what each command prints. A person pauses between two commands."""
    script = "".join(f"{line}sleep 0.3; printf '{MARK}'\n" for line in typed)
    return output_of(script, directory, factor).split(MARK)[:-1]


def attempts(run: Callable, right: Callable):
    """Run it until the output is right, with longer and longer pauses;
    return the last output."""
    for factor in FACTORS:
        printed = run(factor)
        if right(printed):
            break
    return printed


def checkout(directory, root, build):
    """Make a tree that looks like a built checkout: links, and folders to write into."""
    here = directory / "build" / "examples" / "chapter"
    here.mkdir(parents=True)
    (directory / "examples").symlink_to(root / "examples")
    for folder in directory / "build", here.parent, here:
        for path in (build / folder.relative_to(directory / "build")).iterdir():
            if not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
    return directory
