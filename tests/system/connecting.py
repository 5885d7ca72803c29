"""A prong connect under test, the servers that it talks to and its terminal.

A test file imports the fixtures that its tests use: serve, connect, terminal.
"""

import contextlib
import functools
import itertools
import os
import pty
import subprocess

import pytest

from harness import PATIENCE, PRONG, eventually
from peers import peers
from proc import children, read_bytes
from sockets import MEBI, receive_all


def flood(peer, conn):
    with contextlib.suppress(OSError):
        while True:
            conn.sendall(b"x" * MEBI)


def greet_and_collect(peer, conn):
    """After the greeting has been printed, both processes are running."""
    conn.sendall(b"welcome\n")
    return receive_all(conn)


def greet_and_close(peer, conn):
    """The connection is closed when this returns."""
    conn.sendall(b"welcome\n")
    peer.await_go()
    conn.close()


class Client(subprocess.Popen):
    """One running prong connect; both of its processes carry a mark."""

    numbers = itertools.count(1)

    def __init__(self, *words, under=(), **options):
        self.mark = f"CONNECT_TEST={os.getpid()}.{next(self.numbers)}."
        for name in ("stdin", "stdout", "stderr"):
            options.setdefault(name, subprocess.PIPE)
        words = [*under, PRONG, "connect", *map(str, words)]
        name, _, value = self.mark.partition("=")
        environment = {**os.environ, "LC_ALL": "C", name: value}
        super().__init__(words, env=environment, bufsize=0, **options)

    def living(self):
        """Which of its processes still live: the first one, or any other."""
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
        mark = self.mark.encode()
        return [int(pid) for pid in pids if mark in read_bytes(pid, "environ")]

    def writer(self):
        """The process that sends, once it exists."""
        return eventually(lambda: children(self.pid), "a writing process")[0]

    def welcomed(self):
        assert self.stdout.read(8) == b"welcome\n"
        return self.writer()

    def finish(self, data=None, status=0):
        """Let it end; return what it printed on stdout and, as text, on stderr."""
        output, errors = self.communicate(data, timeout=PATIENCE)
        assert self.returncode == status, errors
        return output or b"", (errors or b"").decode()


class Terminal:
    """A pty, of which the client gets the slave as stdin and controlling terminal."""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.options = {"stdin": self.slave, "under": ("setsid", "-c")}

    def type(self, data):
        os.write(self.master, data)

    def close(self):
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def serve():
    """serve(function) starts a Peer."""
    with peers() as start:
        yield start


@pytest.fixture
def connect():
    """connect(words...) starts a Client; all of it must be gone at the end."""
    clients = []

    def start(*words, **options):
        clients.append(Client(*words, **options))
        return clients[-1]

    yield start
    try:
        for client in clients:
            assert client.poll() is not None, "it still runs"
            eventually(lambda: not client.living(), "no process left")
    finally:
        for client in clients:
            client.kill()
            client.wait()


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    terminal.close()


def file_replaced(directory, path, text):
    file = directory / os.path.basename(path)
    file.write_text(text)
    script = f'mount --bind "$0" {path} && exec "$@"'
    words = ["unshare", "-rm", "sh", "-c", script, str(file)]
    if subprocess.run([*words, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("a mount namespace cannot be made")
    return words


@pytest.fixture
def with_file(tmp_path):
    """with_file(path, text): a command under which that file of /etc has this text."""

    return functools.partial(file_replaced, tmp_path)


@pytest.fixture
def two_addresses(tmp_path):
    """A command under which two.test is ::1 and, next, 127.0.0.1."""
    return file_replaced(tmp_path, "/etc/hosts", "::1 two.test\n127.0.0.1 two.test\n")
