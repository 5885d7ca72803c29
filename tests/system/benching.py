"""A prong bench under test, and servers that misbehave towards it."""

import json
import os
import socket
import subprocess

import pytest

from harness import FAILURES, PRONG, eventually
from peers import peers
from proc import children, name_of
from sockets import reset

SIZE = 64


def run_bench(*words, status=0, timeout=60, **options):
    """Run it to its end; return what it printed, as bytes."""
    for name in ("stdout", "stderr"):
        options.setdefault(name, subprocess.PIPE)
    options.setdefault("stdin", subprocess.DEVNULL)
    command = [PRONG, "bench", *map(str, words)]
    result = subprocess.run(command, timeout=timeout, **options)
    assert result.returncode == status, (result.stdout, result.stderr)
    return result


def bench(*words, status=0, **options):
    """Run it with --json; return its result."""
    output = run_bench("--json", *words, status=status, **options).stdout
    return json.loads(output.splitlines()[-1])


def failed(result):
    """The kinds of failures in a result, with their counts."""
    return {name: result[name] for name in FAILURES if result[name] > 0}


# What a server does with a connection. Input is read in pieces of SIZE.


def reset_at_once(peer, conn):
    reset(conn)


def close_early(peer, conn):
    """Reads everything first; otherwise the client would see a reset."""
    conn.recv(SIZE, socket.MSG_WAITALL)


def send_wrong_bytes(peer, conn):
    while part := conn.recv(1 << 16):
        conn.sendall(part[:-1] + bytes([part[-1] ^ 0x20]))


def send_too_much(peer, conn):
    while part := conn.recv(1 << 16):
        conn.sendall(part + b"x")


def swap_halves(peer, conn):
    """The right bytes in the wrong order."""
    while part := conn.recv(SIZE, socket.MSG_WAITALL):
        conn.sendall(part[SIZE // 2 :] + part[: SIZE // 2])


@pytest.fixture
def serve():
    """serve(function, ...) starts a Peer; a load that is
    interrupted is not its failure."""
    with peers(tolerates=[OSError]) as start:
        yield start


def orphans():
    """Living workers whose first process is gone: conftest makes them our children."""
    found = []
    for pid in children(os.getpid()):
        if name_of(pid) == "prong" and os.waitpid(pid, os.WNOHANG)[0] == 0:
            found.append(pid)
    return found


@pytest.fixture
def start_bench():
    """start_bench(words...) starts one; nothing of it may be left at the end."""
    started = []

    def start(*words, **options):
        for name in ("stdin", "stdout", "stderr"):
            options.setdefault(name, subprocess.PIPE)
        command = [PRONG, "bench", *map(str, words)]
        started.append(subprocess.Popen(command, **options))
        return started[-1]

    yield start
    try:
        for process in started:
            assert process.poll() is not None, "it still runs"
        eventually(lambda: not orphans(), "no worker left")
    finally:
        for process in started:
            process.kill()
            process.communicate()
