"""A prong connect under test, the servers it talks to and the terminal it runs on.

A test file imports the fixtures that its tests ask for: serve, connect, terminal.
"""

import contextlib
import fcntl
import itertools
import os
import pty
import socket
import struct
import subprocess
import termios
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRONG = Path(os.environ.get("PRONG_BUILD", ROOT / "build")).resolve() / "prong"
PATIENCE = 20  # seconds, before a fact that must come is missed
MEBI = 1 << 20


def eventually(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.002)
    return result


def gone(pid):
    return not os.path.exists(f"/proc/{pid}")


def read_proc(pid, name):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return b""


def waiting_bytes(fd):
    return struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]


def receive_all(conn):
    parts = []
    while part := conn.recv(MEBI):
        parts.append(part)
    return b"".join(parts)


def bound(family, address):
    """A socket with an address that nobody else is given, and that refuses clients."""
    sock = socket.socket(family)
    try:
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


def bound_pair():
    """Sockets with one port on ::1 and on 127.0.0.1."""
    while True:
        first = bound(socket.AF_INET6, ("::1", 0))
        try:
            return first, bound(socket.AF_INET, ("127.0.0.1", first.getsockname()[1]))
        except OSError:
            first.close()


class Server(threading.Thread):
    """Serves one connection with a function; what that returns is self.got."""

    def __init__(self, serve, listener=None):
        super().__init__(daemon=True)
        self.serve, self.got, self.failure = serve, None, None
        self.go = threading.Event()  # set by a test when the server may go on
        self.listener = listener or bound(socket.AF_INET, ("127.0.0.1", 0))
        self.listener.settimeout(PATIENCE)
        self.listener.listen()
        name = self.listener.getsockname()
        self.port = name if isinstance(name, str) else name[1]

    def run(self):
        try:
            conn, _ = self.listener.accept()
            with conn:
                conn.settimeout(PATIENCE)
                self.got = self.serve(self, conn)
        except Exception as failure:
            self.failure = failure

    def wait_go(self):
        assert self.go.wait(PATIENCE)


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def echo(server, conn):
    while part := conn.recv(MEBI):
        conn.sendall(part)


def collect(server, conn):
    return receive_all(conn)


def flood(server, conn):
    with contextlib.suppress(OSError):
        while True:
            conn.sendall(b"x" * MEBI)


def greet_and_collect(server, conn):
    """After the greeting has been printed, both processes are at their work."""
    conn.sendall(b"welcome\n")
    return receive_all(conn)


def greet_and_close(server, conn):
    conn.sendall(b"welcome\n")
    server.wait_go()


class Client(subprocess.Popen):
    """One running prong connect; both its processes carry a mark."""

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
        """Which of its processes, the first or any other, there still are."""
        pids = [name for name in os.listdir("/proc") if name.isdigit()]
        mark = self.mark.encode()
        return [int(pid) for pid in pids if mark in read_proc(pid, "environ")]

    def writer(self):
        """The process that sends, once it is there."""

        def child():
            return read_proc(self.pid, f"task/{self.pid}/children").split()

        return int(eventually(child, "a writing process")[0])

    def welcomed(self):
        assert self.stdout.read(8) == b"welcome\n"
        return self.writer()

    def finish(self, data=None, status=0):
        """Lets it end; what it printed on stdout and, as text, on stderr."""
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
    """serve(function) starts a Server; its failures are the test's."""
    servers = []

    def start(*arguments):
        servers.append(Server(*arguments))
        servers[-1].start()
        return servers[-1]

    yield start
    for server in servers:
        server.go.set()
        server.join(PATIENCE)
        server.listener.close()
        assert not server.is_alive()
        assert server.failure is None, repr(server.failure)


@pytest.fixture
def connect():
    """connect(words...) starts a Client; at the end all of it must have gone."""
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


@pytest.fixture
def two_addresses(tmp_path):
    """A command under which two.test is ::1 and, next, 127.0.0.1."""
    hosts = tmp_path / "hosts"
    hosts.write_text("::1 two.test\n127.0.0.1 two.test\n")
    script = 'mount --bind "$0" /etc/hosts && exec "$@"'
    under = ["unshare", "-rm", "sh", "-c", script, str(hosts)]
    if subprocess.run([*under, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no mount namespace to be had")
    return under
