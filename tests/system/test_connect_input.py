"""prong connect: what --no-half-close, --crlf and --no-quit do to the input."""

import socket

import pytest

from connecting import (  # noqa: F401 (fixtures)
    connect, greet_and_collect, serve, terminal)  # fmt: skip
from harness import PATIENCE, eventually
from peers import collect
from proc import gone
from sockets import receive_all, receive_exactly


def is_half_closed(conn):
    conn.setblocking(False)
    try:
        return conn.recv(1) == b""
    except BlockingIOError:
        return False
    finally:
        conn.setblocking(True)


def answer_unless_half_closed(peer, conn):
    """Like redis, treat a client that has half-closed as gone. Closes by itself."""
    got = receive_exactly(conn, 6)
    peer.await_go()
    if not is_half_closed(conn):
        conn.sendall(got * 100000)


@pytest.mark.parametrize("options, output, told", [
    (["--no-half-close"], b"PING\r\n" * 100000, "the input ended: reading on"),
    ([], b"", "the input ended: half-closed, reading on"),
], ids=["with it", "without"])  # fmt: skip
def test_no_half_close_keeps_our_half_open(serve, connect, options, output, told):
    server = serve(answer_unless_half_closed)
    client = connect("-v", *options, "127.0.0.1", server.port)
    writer = client.writer()
    client.stdin.write(b"PING\r\n")
    client.stdin.close()
    client.stdin = None
    eventually(lambda: gone(writer), "the writer's end")
    server.may_go_on.set()
    printed, errors = client.finish()
    assert printed == output
    assert f"prong connect: {told}\n" in errors


def test_a_quit_line_does_not_half_close_either(serve, connect, terminal):
    def probe(peer, conn):
        conn.sendall(b"welcome\n")
        got = receive_exactly(conn, 4)
        peer.await_go()
        return got, is_half_closed(conn)

    server = serve(probe)
    client = connect("--no-half-close", "127.0.0.1", server.port, **terminal.options)
    writer = client.welcomed()
    terminal.type(b"one\nq\n")
    eventually(lambda: gone(writer), "the writer's end")
    server.may_go_on.set()
    assert client.finish() == (b"", "")
    assert server.got() == (b"one\n", False)


@pytest.mark.parametrize("data, sent", [
    (b"EHLO me\nQUIT\r\nlast", b"EHLO me\r\nQUIT\r\nlast"),
    (b"\n" * 300000, b"\r\n" * 300000),
], ids=["few", "many"])  # fmt: skip
def test_crlf_sends_each_line_end_as_cr_lf(serve, connect, data, sent):
    server = serve(collect)
    client = connect("-v", "--crlf", "127.0.0.1", server.port)
    _, errors = client.finish(data)
    assert server.got() == sent
    assert f": sent {len(sent)} bytes, received 0, " in errors


def test_crlf_joins_a_cr_and_an_lf_that_come_apart(serve, connect):
    def collect_in_two(peer, conn):
        first = receive_exactly(conn, 4)
        peer.may_go_on.set()
        return first + receive_all(conn)

    server = serve(collect_in_two)
    client = connect("--crlf", "127.0.0.1", server.port)
    client.stdin.write(b"one\r")
    assert server.may_go_on.wait(PATIENCE)
    assert client.finish(b"\ntwo\n") == (b"", "")
    assert server.got() == b"one\r\ntwo\r\n"


def test_crlf_leaves_what_the_server_sends_as_it_is(serve, connect):
    def lines(peer, conn):
        conn.sendall(b"lf\ncr lf\r\n")
        conn.shutdown(socket.SHUT_WR)
        return receive_all(conn)

    client = connect("--crlf", "127.0.0.1", serve(lines).port)
    assert client.finish() == (b"lf\ncr lf\r\n", "")


@pytest.mark.parametrize("options, typed, sent", [
    (["--no-quit"], b"q\nQ\none\n\x04", b"q\nQ\none\n"),
    (["--no-quit"], b"q\x04\x04", b"q"),
    (["--no-quit", "--crlf"], b"q\nQ\n\x04", b"q\r\nQ\r\n"),
    (["--crlf"], b"one\nqq\nq\nnever\n", b"one\r\nqq\r\n"),
    (["--crlf"], b"one\nq\x04\x04", b"one\r\nq"),
])  # fmt: skip
def test_on_a_terminal_a_quit_line_is_data_with_no_quit(
    serve, connect, terminal, options, typed, sent
):
    server = serve(greet_and_collect)
    client = connect(*options, "127.0.0.1", server.port, **terminal.options)
    client.welcomed()
    terminal.type(typed)
    assert client.finish() == (b"", "")
    assert server.got() == sent
