"""prong connect: its exit status depends on what the server did, never on timing.

It is 0 if all that the server sent has been printed and all that the server took has
been sent. A server that closes in order decides how much it takes.
"""

import os
import shutil
import signal
import socket

import pytest

from connecting import (  # noqa: F401 (fixtures)
    connect, greet_and_close, greet_and_collect, serve, terminal)  # fmt: skip
from harness import PATIENCE, SANITIZED, eventually, servers
from proc import gone, state
from sockets import MEBI, bound, receive_all, reset


def held(pid):
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state(pid) == "T", "a stopped process")


def write(client, writer, data):
    """Write data to the pipe; wait until the writing process has taken it."""
    client.stdin.write(data)
    eventually(lambda: gone(writer) or state(writer) in "SZ", "a writer that waits")


def closed_before(*parts, ends):
    """The server closes; then these parts are sent, before the
    reader sees the close."""

    def course(client, server, writer):
        held(client.pid)
        server.may_go_on.set()
        assert server.got() is None
        for part in parts:
            write(client, writer, part)
        if ends:
            client.stdin.close()
            client.stdin = None
            eventually(lambda: state(writer) in ("Z", None), "the writer's end")
        os.kill(client.pid, signal.SIGCONT)

    return course


def nothing_read(client, server, writer):
    held(writer)
    client.stdin.write(b"not even read\n")
    server.may_go_on.set()
    assert server.got() is None


COURSES = {
    "one part into the closed connection": closed_before(b"hello\n", ends=False),
    "one part and the end": closed_before(b"hello\n", ends=True),
    "the end alone": closed_before(ends=True),
    "parts until one fails": closed_before(*[b"more\n"] * 5, ends=False),
    "nothing read": nothing_read,
}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
@pytest.mark.parametrize("course", COURSES.values(), ids=COURSES)
def test_input_that_comes_around_the_server_s_close_does_not_change_the_status(
    serve, connect, tmp_path, family, course
):
    unix = family == socket.AF_UNIX
    path = str(tmp_path / "socket") if unix else ("127.0.0.1", 0)
    server = serve(greet_and_close, listener=bound(family, path))
    address = f"unix:{path}" if unix else f"127.0.0.1:{server.port}"
    client = connect(address)
    writer = client.welcomed()
    course(client, server, writer)
    assert client.wait(PATIENCE) == 0
    assert client.stderr.read() == b""


@pytest.mark.parametrize("size", [6, MEBI // 2, 8 * MEBI])
def test_a_service_that_takes_no_input_always_gives_0(connect, tmp_path, size):
    path = tmp_path / "input"
    path.write_bytes(bytes(size))
    with servers(tmp_path) as start:
        server = start("daytime", listen=(f"unix:{tmp_path}/s", "127.0.0.1:0"))
        for address in server.texts * 10:
            with path.open("rb") as stdin:
                output, errors = connect(address, stdin=stdin).finish()
            assert output.endswith(b"\r\n")
            assert errors == ""


def test_a_unix_server_that_closes_with_input_unread_has_closed_in_order(
    serve, connect, tmp_path
):
    path = str(tmp_path / "socket")

    def answer_unread(peer, conn):
        eventually(lambda: conn.recv(9, socket.MSG_PEEK) == b"question\n", "input")
        conn.sendall(b"answer\n")

    serve(answer_unread, listener=bound(socket.AF_UNIX, path))
    assert connect(f"unix:{path}").finish(b"question\n") == (b"answer\n", "")


def test_a_server_that_half_closes_early_gets_the_input_that_is_there(
    serve, connect, tmp_path
):
    def collect_after_the_end(peer, conn):
        conn.sendall(b"go ahead\n")
        conn.shutdown(socket.SHUT_WR)
        return len(receive_all(conn))

    path = tmp_path / "upload"
    path.write_bytes(bytes(32 * MEBI))
    server = serve(collect_after_the_end)
    with path.open("rb") as stdin:
        client = connect("127.0.0.1", server.port, stdin=stdin)
        assert client.finish() == (b"go ahead\n", "")
    assert server.got() == 32 * MEBI


def test_what_is_typed_when_the_server_has_closed_is_left_for_the_shell(
    serve, connect, terminal
):
    server = serve(greet_and_close)
    client = connect("127.0.0.1", server.port, **terminal.options)
    writer = client.welcomed()
    held(writer)
    held(client.pid)
    server.may_go_on.set()
    assert server.got() is None
    os.kill(client.pid, signal.SIGCONT)
    eventually(lambda: state(writer) != "T", "a writer that is told")
    terminal.type(b"ls\n")
    assert client.wait(PATIENCE) == 0
    assert os.read(terminal.slave, 10) == b"ls\n"


@pytest.mark.parametrize("unread", [b"", b"question\n"])
def test_a_reset_without_an_end_is_a_failure_whichever_process_meets_it(
    serve, connect, unread
):
    def reset_when_told(peer, conn):
        conn.sendall(b"welcome\n")
        peer.await_go()
        reset(conn)

    server = serve(reset_when_told)
    client = connect("127.0.0.1", server.port)
    writer = client.welcomed()
    held(client.pid)
    server.may_go_on.set()
    assert server.got() is None
    if unread:
        client.stdin.write(unread)
        eventually(lambda: state(writer) == "Z", "a writer that has met it")
    os.kill(client.pid, signal.SIGCONT)
    _, errors = client.finish(status=1)
    assert errors.endswith(": Connection reset by peer\n")


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
@pytest.mark.skipif(SANITIZED, reason="a sanitizer makes calls of its own")
@pytest.mark.parametrize("error, told", [("EPIPE", "Broken pipe"), ("ENOBUFS", "No buffer"),
                                         ("ECONNRESET", "Connection reset")])  # fmt: skip
@pytest.mark.parametrize("when", [1, 2])
def test_input_that_a_server_which_goes_on_never_got_is_a_failure(
    serve, connect, error, told, when
):
    """Input may stay unsent only if the server has closed."""
    server = serve(greet_and_collect)
    under = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=sendto",
             "-e", f"inject=sendto:error={error}:when={when}"]  # fmt: skip
    client = connect("127.0.0.1", server.port, under=under)
    writer = client.welcomed()
    for _ in range(when):
        write(client, writer, b"a part\n")
    output, errors = client.finish(status=1)
    assert told in errors
    assert server.got() == b"a part\n" * (when - 1)
