"""prong connect: whatever its three streams are, it handles them correctly."""

import os
import signal
import socket
import time

import pytest

from connecting import (  # noqa: F401 (fixtures)
    connect, flood, greet_and_close, greet_and_collect, serve, terminal)  # fmt: skip
from harness import PATIENCE, eventually
from peers import collect, echo
from proc import cpu_seconds, state
from sockets import MEBI, receive_all, waiting_bytes


def closing(*streams):
    """A command under which these streams are closed; "<&-" closes stdin."""
    return ["sh", "-c", 'exec "$0" "$@" ' + " ".join(streams)]


def test_a_closed_stdin_is_an_input_that_has_ended(serve, connect):
    server = serve(greet_and_collect)
    client = connect("127.0.0.1", server.port, under=closing("<&-"))
    assert client.finish() == (b"welcome\n", "")
    assert server.got() == b""


def test_a_closed_stdout_is_an_error_as_soon_as_there_is_data(serve, connect):
    server = serve(greet_and_collect)
    client = connect("127.0.0.1", server.port, under=closing(">&-"))
    _, errors = client.finish(status=1)
    assert errors == (
        "prong connect: cannot write to standard output: Bad file descriptor\n")
    assert server.got() == b""  # nothing of ours arrived in the socket
    client = connect("127.0.0.1", serve(collect).port, under=closing(">&-"))
    assert client.finish(b"data") == (b"", "")


def test_without_any_stream_the_status_still_tells(serve, connect):
    under = closing("<&-", ">&-", "2>&-")
    assert connect("127.0.0.1", serve(collect).port, under=under).wait(PATIENCE) == 0
    server = serve(greet_and_collect)
    assert connect("-v", "127.0.0.1", server.port, under=under).wait(PATIENCE) == 1
    assert server.got() == b""


def test_a_full_disk_is_told(serve, connect):
    server = serve(greet_and_collect)
    with open("/dev/full", "w") as full:
        client = connect("127.0.0.1", server.port, stdout=full)
        _, errors = client.finish(status=1)
    assert errors == (
        "prong connect: cannot write to standard output: No space left on device\n")


@pytest.mark.parametrize("server_does", [flood, greet_and_collect])
@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_it_ends_quietly_when_stdout_is_read_no_more(
    serve, connect, server_does, kind
):
    server = serve(server_does)
    if kind == "pipe":
        client = connect("127.0.0.1", server.port)
        client.stdout.read(1)
        client.stdout.close()  # as head -1 does
    else:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            client = connect("127.0.0.1", server.port, stdout=theirs)
            ours.recv(1)
    assert client.wait(PATIENCE) == 1  # with stdin still open
    assert client.stderr.read() == b""


def test_a_stdout_that_goes_when_all_is_printed_does_not_change_the_status(
    serve, connect
):
    server = serve(greet_and_close)
    client = connect("127.0.0.1", server.port)
    client.welcomed()
    os.kill(client.pid, signal.SIGSTOP)
    eventually(lambda: state(client.pid) == "T", "a stopped reader")
    client.stdout.close()
    server.may_go_on.set()
    assert server.got() is None  # the end is in transit
    os.kill(client.pid, signal.SIGCONT)
    assert client.wait(PATIENCE) == 0
    assert client.stderr.read() == b""


def test_verbose_tells_that_stdout_is_gone(serve, connect):
    client = connect("-v", "127.0.0.1", serve(flood).port)
    client.stdout.read(1)
    client.stdout.close()
    assert client.wait(PATIENCE) == 1
    assert b": standard output was closed\n" in client.stderr.read()


def test_an_input_that_cannot_be_read_is_told(serve, connect, tmp_path):
    stdin = os.open(tmp_path, os.O_RDONLY)
    try:
        client = connect("127.0.0.1", serve(collect).port, stdin=stdin)
    finally:
        os.close(stdin)
    _, errors = client.finish(status=1)
    assert errors == "prong connect: cannot read standard input: Is a directory\n"


def at_rest(pids, moment=0.3):
    """Whether they run for at most a tenth of this moment."""
    before = sum(map(cpu_seconds, pids))
    time.sleep(moment)  # the time for which it is watched
    return sum(map(cpu_seconds, pids)) - before < moment / 10


def test_streams_that_do_not_block_are_waited_for_without_spinning(serve, connect):
    def flood_then_echo(peer, conn):
        conn.sendall(bytes(MEBI))
        conn.sendall(receive_all(conn))

    stdin, to_client = os.pipe()
    from_client, stdout = os.pipe()
    for fd in (stdin, stdout):
        os.set_blocking(fd, False)
    client = connect("127.0.0.1", serve(flood_then_echo).port, stdin=stdin,
                     stdout=stdout)  # fmt: skip
    os.close(stdin)
    os.close(stdout)
    both = [client.pid, client.writer()]
    eventually(lambda: waiting_bytes(from_client) == 65536, "a full pipe")
    assert at_rest(both)
    with open(to_client, "wb") as pipe:
        pipe.write(b"end")
    with open(from_client, "rb") as pipe:
        assert pipe.read() == bytes(MEBI) + b"end"
    assert client.finish() == (b"", "")


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_a_socket_will_do_for_a_stream(serve, connect, stream):
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            client = connect("127.0.0.1", serve(echo).port, **{stream: theirs})
        if stream == "stdin":
            ours.sendall(b"hello")
            ours.close()
            assert client.finish() == (b"hello", "")
        else:
            assert client.finish(b"hello") == (b"", "")
            assert ours.recv(5) == b"hello"


def test_a_terminal_that_takes_no_more_does_not_keep_it_from_ending(
    serve, connect, terminal
):
    """No process reads the terminal's other end."""
    server = serve(flood)
    client = connect("127.0.0.1", server.port, stdout=terminal.slave,
                     **terminal.options)  # fmt: skip
    both = [client.pid, client.writer()]
    eventually(lambda: waiting_bytes(terminal.master) > 0, "output")
    eventually(lambda: at_rest(both), "a full terminal")
    client.terminate()
    assert client.wait(PATIENCE) == 1
    assert client.stderr.read() == b"prong connect: interrupted by SIGTERM\n"
