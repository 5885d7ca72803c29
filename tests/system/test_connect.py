"""prong connect: a conversation in which no byte is lost and no process is left."""

import os
import re
import signal
import socket

import pytest

from connecting import (  # noqa: F401 (fixtures)
    connect, flood, greet_and_close, greet_and_collect, serve, terminal)  # fmt: skip
from harness import PATIENCE, eventually
from peers import echo
from proc import gone, state
from sockets import MEBI, bound, receive_all, reset, waiting_bytes

# An orderly conversation.


def test_a_late_reply_after_the_input_s_end_is_printed(serve, connect):
    def reply_late(peer, conn):
        got = receive_all(conn)
        peer.await_go()
        conn.sendall(b"late")
        return got

    server = serve(reply_late)
    client = connect("127.0.0.1", server.port)
    writer = client.writer()
    client.stdin.write(b"question")
    client.stdin.close()
    eventually(lambda: gone(writer), "the writer's end")
    server.may_go_on.set()
    client.stdin = None
    assert client.finish() == (b"late", "")
    assert server.got() == b"question"


@pytest.mark.parametrize("source", ["file", "pipe"])
def test_binary_data_goes_both_ways_unchanged(serve, connect, tmp_path, source):
    data = os.urandom(4 * MEBI) + b"\nq\nQ\n\0" + os.urandom(4 * MEBI) + b"\nq\n"
    path = tmp_path / "data"
    path.write_bytes(data)
    server = serve(echo)
    if source == "file":
        with path.open("rb") as stdin:
            output, errors = connect("localhost", server.port, stdin=stdin).finish()
    else:
        output, errors = connect(f"127.0.0.1:{server.port}").finish(data)
    assert (output == data, errors) == (True, "")


def test_a_unix_socket_and_an_ipv6_address_can_be_called(serve, connect, tmp_path):
    path = str(tmp_path / "socket")
    serve(echo, listener=bound(socket.AF_UNIX, path))
    assert connect(f"unix:{path}").finish(b"hello") == (b"hello", "")
    for words in (["::1", "{}"], ["[::1]:{}"]):
        server = serve(echo, listener=bound(socket.AF_INET6, ("::1", 0)))
        words = [word.format(server.port) for word in words]
        assert connect(*words).finish(b"hello") == (b"hello", "")


def test_verbose_tells_what_happens_and_counts_every_byte(serve, connect):
    server = serve(echo)
    output, errors = connect("-v", "localhost", server.port).finish(b"x" * 300001)
    assert len(output) == 300001
    expected = [
        "resolving localhost",
        rf"trying 127.0.0.1:{server.port}",
        rf"connected from 127.0.0.1:\d+ to 127.0.0.1:{server.port}",
        "the input ended: half-closed, reading on",
        "the server closed",
        r"sent 300001 bytes, received 300001, in \d+\.\d\d\d s",
    ]
    lines = [line for line in errors.splitlines() if "[::1]" not in line]
    assert len(lines) == len(expected), errors
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(f"prong connect: {pattern}", line)


@pytest.mark.parametrize("source", ["terminal", "pipe"])
def test_a_server_that_closes_first_ends_both(serve, connect, terminal, source):
    server = serve(greet_and_close)
    options = terminal.options if source == "terminal" else {}
    client = connect("127.0.0.1", server.port, **options)
    client.welcomed()
    server.may_go_on.set()
    assert client.wait(PATIENCE) == 0  # with stdin still open
    assert client.finish() == (b"", "")


def test_a_stopped_writer_does_not_hold_up_the_end(serve, connect):
    server = serve(greet_and_close)
    client = connect("127.0.0.1", server.port)
    os.kill(client.welcomed(), signal.SIGSTOP)
    server.may_go_on.set()
    assert client.wait(PATIENCE) == 0
    client.finish()


@pytest.mark.parametrize("parts, sent", [
    (b"one\nq\n", b"one\n"),
    (b"Q\n", b""),
    (b"qq\naq\nq q\n\nq\n", b"qq\naq\nq q\n\n"),
    (b"q\x04\n", b""),  # Ctrl-D ends a read, and hands over what was typed so far
    (b"a\x04q\nQ\n", b"aq\n"),
    (b"q\x04x\n\x04", b"qx\n"),
    (b"q\x04\x04", b"q"),
    (b"one\n\x04", b"one\n"),
])  # fmt: skip
def test_on_a_terminal_q_alone_on_a_line_ends_the_input(
    serve, connect, terminal, parts, sent
):
    server = serve(greet_and_collect)
    client = connect("127.0.0.1", server.port, **terminal.options)
    client.welcomed()
    terminal.type(parts)
    assert client.finish() == (b"", "")
    assert server.got() == sent


# Interrupted.


def test_ctrl_c_ends_both_processes_with_the_summary(serve, connect, terminal):
    server = serve(echo)
    client = connect("-v", "127.0.0.1", server.port, **terminal.options)
    terminal.type(b"line\n")
    assert client.stdout.read(5) == b"line\n"
    terminal.type(b"\x03")
    _, errors = client.finish(status=1)
    last = errors.splitlines()[-2:]
    assert last[0] == "prong connect: interrupted by SIGINT"
    assert last[1].startswith("prong connect: sent 5 bytes, received 5, in ")


def test_sigterm_to_the_reader_ends_both_even_if_stdout_is_stuck(serve, connect):
    client = connect("127.0.0.1", serve(flood).port)
    eventually(lambda: waiting_bytes(client.stdout) >= 65536, "a full pipe")
    client.terminate()
    assert client.wait(PATIENCE) == 1
    assert client.stderr.read() == b"prong connect: interrupted by SIGTERM\n"


def test_a_killed_reader_takes_the_writer_with_it(serve, connect):
    server = serve(greet_and_collect)
    client = connect("127.0.0.1", server.port)
    client.welcomed()
    client.kill()
    assert client.wait(PATIENCE) == -signal.SIGKILL
    eventually(lambda: not client.living(), "the writer's end")


@pytest.mark.parametrize("name", ["SIGKILL", "SIGTERM", "SIGUSR1"])
def test_a_killed_writer_is_noticed(serve, connect, name):
    client = connect("127.0.0.1", serve(greet_and_collect).port)
    os.kill(client.welcomed(), signal.Signals[name])
    assert client.wait(PATIENCE) == 1
    expected = f"prong connect: the writing process was killed by {name}\n"
    assert client.stderr.read().decode() == expected


def test_a_hangup_that_was_to_be_ignored_is_ignored(serve, connect):
    server = serve(greet_and_collect)
    client = connect("127.0.0.1", server.port, under=["nohup"])
    os.kill(client.welcomed(), signal.SIGHUP)
    client.send_signal(signal.SIGHUP)
    _, errors = client.finish(b"still here")
    assert "interrupted" not in errors
    assert server.got() == b"still here"


def test_a_reset_is_told_after_what_came_before_it(serve, connect):
    def reset_midway(peer, conn):
        conn.sendall(b"half a rep")
        peer.await_go()
        reset(conn)

    server = serve(reset_midway)
    client = connect("127.0.0.1", server.port)
    assert client.stdout.read(10) == b"half a rep"
    server.may_go_on.set()
    assert client.wait(PATIENCE) == 1
    expected = f"prong connect: 127.0.0.1:{server.port}: Connection reset by peer\n"
    assert client.stderr.read().decode() == expected


def test_input_that_the_server_did_not_take_is_told(serve, connect, tmp_path):
    def half_close_unread(peer, conn):
        conn.shutdown(socket.SHUT_WR)
        peer.await_go()

    path = tmp_path / "data"
    path.write_bytes(b"x" * 32 * MEBI)
    server = serve(half_close_unread)
    with path.open("rb") as stdin:
        client = connect("127.0.0.1", server.port, stdin=stdin)
        _, errors = client.finish(status=1)
    assert errors.endswith(": the server closed before it took all input\n")


def test_a_writer_blocked_on_a_send_ends_with_the_server(serve, connect):
    server = serve(greet_and_close)  # it never reads
    with open("/dev/zero", "rb") as stdin:
        client = connect("127.0.0.1", server.port, stdin=stdin)
        writer = client.welcomed()
        eventually(lambda: state(writer) == "S", "a blocked writer")
        server.may_go_on.set()
        _, errors = client.finish(status=1)
    assert errors.count("\n") == 1


def test_a_server_that_never_accepts_is_waited_for_until_it_dies(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        client = connect("127.0.0.1", port)
        client.writer()
        assert client.poll() is None
    _, errors = client.finish(status=1)
    assert "Connection reset" in errors
