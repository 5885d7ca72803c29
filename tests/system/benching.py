"""A prong bench under test, and servers for it that do not do what they should."""

import contextlib
import json
import os
import socket
import struct
import subprocess
import threading

import pytest

from harness import FAILURES, PATIENCE, PRONG, eventually
from proc import children, name_of

SIZE = 64


def run_bench(*words, status=0, timeout=60, **options):
    """Runs it to its end; what it printed, as bytes."""
    for name in ("stdout", "stderr"):
        options.setdefault(name, subprocess.PIPE)
    options.setdefault("stdin", subprocess.DEVNULL)
    command = [PRONG, "bench", *map(str, words)]
    result = subprocess.run(command, timeout=timeout, **options)
    assert result.returncode == status, (result.stdout, result.stderr)
    return result


def bench(*words, status=0, **options):
    """Its result."""
    output = run_bench("--json", *words, status=status, **options).stdout
    return json.loads(output.splitlines()[-1])


def failed(result):
    """The kinds of failure there were, with their counts."""
    return {name: result[name] for name in FAILURES if result[name] > 0}


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


# What a server does with a connection. Whatever comes is read in pieces of SIZE.


def echo(server, conn):
    while part := conn.recv(1 << 16):
        conn.sendall(part)


def reset_at_once(server, conn):
    reset(conn)


def never_answer(server, conn):
    server.over.wait(PATIENCE)


def close_early(server, conn):
    """All that came is read, else the end is a reset."""
    conn.recv(SIZE, socket.MSG_WAITALL)


def send_wrong_bytes(server, conn):
    while part := conn.recv(1 << 16):
        conn.sendall(part[:-1] + bytes([part[-1] ^ 0x20]))


def send_too_much(server, conn):
    while part := conn.recv(1 << 16):
        conn.sendall(part + b"x")


def swap_halves(server, conn):
    """The right bytes in the wrong order."""
    while part := conn.recv(SIZE, socket.MSG_WAITALL):
        conn.sendall(part[SIZE // 2 :] + part[: SIZE // 2])


class Server(threading.Thread):
    """Serves each connection with the next of some functions, in a thread each."""

    def __init__(self, *serve):
        super().__init__(daemon=True)
        self.serve = serve
        self.peers = []
        self.received = 0  # bytes, of those that count() serves
        self.over = threading.Event()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.threads = []

    def run(self):
        with contextlib.suppress(OSError):  # the listener is shut down at the end
            while True:
                conn, peer = self.listener.accept()
                self.peers.append(peer[0])
                thread = threading.Thread(target=self.handle, args=(conn, len(self.peers) - 1))
                thread.start()
                self.threads.append(thread)

    def handle(self, conn, number):
        with conn, contextlib.suppress(OSError):
            conn.settimeout(PATIENCE)
            self.serve[number % len(self.serve)](self, conn)

    def stop(self):
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join(PATIENCE)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE)


@pytest.fixture
def serve():
    """serve(function, ...) starts a Server."""
    servers = []

    def start(*functions):
        servers.append(Server(*functions))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def orphans():
    """Living workers whose first process has gone: they are ours now, as conftest asks."""
    found = []
    for pid in children(os.getpid()):
        if name_of(pid) == "prong" and os.waitpid(pid, os.WNOHANG)[0] == 0:
            found.append(pid)
    return found


@pytest.fixture
def start_bench():
    """start_bench(words...) starts one; at the end nothing of it may be left."""
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
