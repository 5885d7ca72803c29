"""prong connect: --timeout for the whole, --connect-timeout and --idle-timeout."""

import contextlib
import os
import signal
import subprocess
import time

import pytest

from connecting import (  # noqa: F401 (fixtures)
    connect, flood, greet_and_close, greet_and_collect, serve)  # fmt: skip
from harness import PATIENCE, eventually
from proc import state
from sockets import MEBI, receive_all, waiting_bytes


def trickle(peer, conn):
    """Send a byte at a time, as long as the client stays."""
    with contextlib.suppress(OSError):
        while not peer.may_go_on.wait(0.05):
            conn.sendall(b".")


def late(port, name, ms):
    what = {"--timeout": f"not finished within {ms} ms",
            "--idle-timeout": f"no byte received or sent for {ms} ms"}  # fmt: skip
    return f"prong connect: 127.0.0.1:{port}: {what[name]} ({name})\n"


@pytest.mark.parametrize("function", [greet_and_close, trickle])
def test_the_timeout_ends_a_conversation_busy_or_not(serve, connect, function):
    server = serve(function)
    client = connect("--timeout", "700ms", "127.0.0.1", server.port)
    assert client.wait(PATIENCE) == 1  # with stdin still open
    assert client.stdout.read() != b""
    assert client.stderr.read().decode() == late(server.port, "--timeout", 700)


def test_the_timeout_ends_it_even_if_stdout_is_stuck(serve, connect):
    server = serve(flood)
    client = connect("-t", "1s", "127.0.0.1", server.port)
    assert client.wait(PATIENCE) == 1
    assert waiting_bytes(client.stdout) >= 65536
    assert client.stderr.read().decode() == late(server.port, "--timeout", 1000)


def test_the_idle_timeout_ends_a_conversation_in_which_no_byte_moves(serve, connect):
    server = serve(greet_and_close)
    client = connect("--idle-timeout", "300ms", "127.0.0.1", server.port)
    assert client.wait(PATIENCE) == 1
    assert client.stdout.read() == b"welcome\n"
    assert client.stderr.read().decode() == late(server.port, "--idle-timeout", 300)


def test_a_server_that_takes_no_more_is_idle(serve, connect):
    server = serve(greet_and_close)  # it never reads
    with open("/dev/zero", "rb") as stdin:
        client = connect("--idle-timeout", "300ms", "127.0.0.1", server.port,
                         stdin=stdin)  # fmt: skip
        assert client.wait(PATIENCE) == 1
    assert client.stderr.read().decode() == late(server.port, "--idle-timeout", 300)


def test_bytes_of_the_server_keep_the_idle_timeout_away(serve, connect):
    server = serve(trickle)
    client = connect("--idle-timeout", "2s", "127.0.0.1", server.port)
    assert len(client.stdout.read(1) + client.stdout.read(1)) == 2
    began = time.monotonic()
    while time.monotonic() - began < 3:
        client.stdout.read(1)
    assert client.poll() is None
    server.may_go_on.set()
    assert client.wait(PATIENCE) == 0


def test_bytes_that_are_sent_keep_the_idle_timeout_away(serve, connect):
    server = serve(lambda peer, conn: receive_all(conn))
    client = connect("--idle-timeout", "2s", "127.0.0.1", server.port)
    for _ in range(30):
        client.stdin.write(b".")
        time.sleep(0.1)  # three seconds in all: longer than the timeout
    assert client.finish() == (b"", "")
    assert server.got() == b"." * 30


def test_a_stdout_that_takes_nothing_is_no_idleness_of_the_server(serve, connect):
    def send_and_close(peer, conn):
        conn.sendall(bytes(MEBI))

    server = serve(send_and_close)
    client = connect("--idle-timeout", "300ms", "127.0.0.1", server.port)
    eventually(lambda: waiting_bytes(client.stdout) >= 65536, "a full pipe")
    time.sleep(1)  # longer than the timeout
    output, errors = client.finish()
    assert (len(output), errors) == (MEBI, "")


def test_a_reader_that_was_stopped_first_takes_what_has_come(serve, connect):
    def greet_twice(peer, conn):
        conn.sendall(b"welcome\n")
        peer.await_go()
        conn.sendall(b"bye\n")
        conn.close()

    server = serve(greet_twice)
    client = connect("--idle-timeout", "1s", "127.0.0.1", server.port)
    client.welcomed()
    os.kill(client.pid, signal.SIGSTOP)
    eventually(lambda: state(client.pid) == "T", "a stopped reader")
    server.may_go_on.set()
    assert server.got() is None
    time.sleep(1.2)  # longer than the timeout
    os.kill(client.pid, signal.SIGCONT)
    assert client.wait(PATIENCE) == 0
    assert client.stdout.read() == b"bye\n"


def test_without_a_timeout_in_force_nothing_is_said(serve, connect):
    server = serve(greet_and_collect)
    client = connect("-t", "1h", "--connect-timeout", "1h", "--idle-timeout", "1h",
                     "127.0.0.1", server.port)  # fmt: skip
    assert client.finish(b"hello") == (b"welcome\n", "")


SILENT_RESOLVER = """
import fcntl, os, socket, struct, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
up = struct.pack("16sh22x", b"lo", 1 | 64)  # IFF_UP, IFF_RUNNING
fcntl.ioctl(sock, 0x8914, up)  # SIOCSIFFLAGS
sock.bind(("127.0.0.1", 53))
sock.set_inheritable(True)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.parametrize("option", ["--timeout", "--connect-timeout"])
def test_a_resolver_that_does_not_answer_is_given_up_in_time(connect, tmp_path, option):
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\noptions timeout:30\n")
    script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
    under = ["unshare", "-rmn", "sh", "-c", script, str(conf)]
    if subprocess.run([*under, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("a network namespace cannot be made")
    under += ["/usr/bin/python3", "-c", SILENT_RESOLVER]
    client = connect(option, "1s", "silent.test", "7", under=under)
    _, errors = client.finish(status=1)
    assert errors == 'prong connect: cannot find the host "silent.test" in time\n'
