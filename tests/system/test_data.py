"""What a service has sent arrives, and each connection ends with the right reason."""

import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from harness import UNWARNED, eventually
from logline import reasons
from proc import state
from sockets import echoes, receive_all, receive_exactly, reset

UNREAD = b"x" * 20_000
BIG_REPLY = bytes(ord("a") + i % 26 for i in range(400 * 1024))


def all_at_once(action, count):
    """Run action(number) in threads; return their results."""
    results = [None] * count

    def run(number):
        try:
            results[number] = action(number)
        except Exception as failure:
            results[number] = failure

    threads = [threading.Thread(target=run, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_a_client_that_has_ended_its_sending_still_gets_everything(prongd, handlers):
    """FAULT 15: half-closed at once or late, answered at once or late."""
    echo, late = prongd("echo"), handlers("late-reply")
    data = os.urandom(1 << 20)

    def half_closes_at_once(_):
        with echo.connect() as client:
            client.sendall(b"at once")
            client.shutdown(socket.SHUT_WR)
            return receive_all(client)

    def half_closes_late(_):
        with echo.connect() as client:
            client.sendall(data[: 64 << 10])
            time.sleep(2)  # late: the service has read everything long ago
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.5)  # the answer is read late too
            return receive_all(client)

    def is_answered_late(_):
        return late.ask(b"question")

    ways = [half_closes_at_once, half_closes_late, is_answered_late]
    answers = [b"at once", data[: 64 << 10], b"late\n"]
    results = all_at_once(lambda number: ways[number % 3](number), 9)
    assert results == answers * 3


@pytest.mark.parametrize("service, length", [("daytime", None), ("time", 4)])
@pytest.mark.parametrize("reuse", [1, "always"])
def test_a_short_reply_arrives_although_input_is_unread(prongd, service, length, reuse):
    """FAULT 16: 10 of 10, followed by the end of file and no reset."""
    server = prongd("-r", reuse, service)

    def ask(_):
        with server.connect() as client:
            client.sendall(UNREAD)
            time.sleep(0.05)  # read late: a reset would have destroyed the reply
            reply = receive_all(client)
            return len(reply) == length if length else reply.endswith(b"\r\n")

    assert all_at_once(ask, 10) == [True] * 10
    ends = server.wait_log(event="close", count=10)
    assert {line["reason"] for line in ends} == {"done"}


@pytest.mark.parametrize("unix", [False, True])
def test_a_big_reply_arrives_although_input_is_unread(handlers, tmp_path, unix):
    """FAULT 16: 400 KB, read late, while 20 KB that the client
    sent are not read at all."""
    listen = f"unix:{tmp_path}/socket" if unix else "127.0.0.1:0"
    server = handlers("-s", "4", "big-reply", listen=[listen])

    def ask(_):
        with server.connect() as client:
            client.sendall(UNREAD)
            time.sleep(0.3)  # read late: a reset would have destroyed the reply
            return receive_all(client) == BIG_REPLY

    assert all_at_once(ask, 10) == [True] * 10


def test_reading_on_after_the_reply_is_bounded(prongd):
    """Its worker is not kept by a client that stays, sends slowly, or floods."""
    server = prongd("daytime")
    over = threading.Event()

    def stays(client):
        over.wait(6)

    def drips(client):
        while not over.wait(0.1):
            client.send(b"x")

    def floods(client):
        while not over.is_set():
            client.send(b"x" * 65536)

    def run(number):
        with server.connect() as client, contextlib.suppress(OSError):
            [stays, drips, floods][number](client)

    crowd = threading.Thread(target=all_at_once, args=(run, 3))
    crowd.start()
    try:
        closed = server.wait_log(event="close", count=3, timeout=5)
    finally:
        over.set()
        crowd.join()
    assert {line["reason"] for line in closed} == {"done"}
    assert all(int(line["duration_ms"]) < 4000 for line in closed)


def count_reasons(server, count):
    """The reasons of the first count connections, once all of them are over."""
    ends = server.wait_log(event="close", count=count)
    found = [line["reason"] for line in ends]
    return {reason: found.count(reason) for reason in found}


def test_a_reset_before_accept_is_a_reset(prongd):
    """FAULT 17. The supervisor is stopped meanwhile, so no client is accepted."""
    server = prongd("echo")
    server.signal(signal.SIGSTOP)
    eventually(lambda: state(server.pid) == "T", "stopped")
    for _ in range(200):
        client = server.connect()
        client.sendall(b"gone before anybody looked")
        reset(client)
    server.signal(signal.SIGCONT)
    assert count_reasons(server, 200) == {"reset": 200}


def test_a_reset_while_the_service_reads_is_a_reset(prongd):
    server = prongd("echo")
    for client in server.hold(200):
        reset(client)
    assert count_reasons(server, 200) == {"reset": 200}


def test_a_reset_while_the_service_writes_is_a_reset(prongd):
    server = prongd(*UNWARNED, "chargen")
    clients = [server.connect() for _ in range(100)]
    for client in clients:
        receive_exactly(client, 10_000)
    for client in clients:
        reset(client)
    assert count_reasons(server, 100) == {"reset": 100}
    assert not server.log_lines(level="warning")


def test_a_client_that_leaves_without_reading_is_a_reset(prongd):
    """A plain close with the echo unread, as when most clients crash."""
    server = prongd("echo")
    for _ in range(20):
        client = server.connect()
        client.sendall(b"x" * 100_000)
        client.recv(10)
        client.close()
    assert set(count_reasons(server, 20)) <= {"reset", "eof"}


def cut_after(client):
    """Seconds until the server ends the connection."""
    begin = time.monotonic()
    with contextlib.suppress(ConnectionError):
        while client.recv(1 << 16):
            pass
    return time.monotonic() - begin


def test_a_quiet_client_is_cut_at_the_idle_timeout(prongd):
    server = prongd("--idle-timeout", "1s", "echo")
    quiet, busy = server.connect(), server.connect()
    cut = []
    waiter = threading.Thread(target=lambda: cut.append(cut_after(quiet)))
    waiter.start()
    for _ in range(6):
        assert echoes(busy)
        time.sleep(0.4)  # the pace of a busy client
    waiter.join()
    assert 0.9 <= cut[0] <= 2
    [close] = server.wait_log(event="close")
    assert close["reason"] == "idle"
    server.wait_log(event="reap", pid=close["pid"], status=103)
    assert echoes(busy)


@pytest.mark.parametrize("reuse", [1, "always"])
def test_a_busy_client_is_cut_at_the_session_timeout(prongd, reuse):
    """FAULT 18: neither a byte now and then nor a stream prolongs the session."""
    echo = prongd("--session-timeout", "1s", "-r", reuse, "echo")
    chargen = prongd("--session-timeout", "1s", "-r", reuse, "chargen")

    def drips(_):
        begin = time.monotonic()
        with echo.connect() as client, contextlib.suppress(OSError):
            while time.monotonic() < begin + 5:
                client.send(b"x")
                if not client.recv(1):
                    break
                time.sleep(0.1)  # the pace of the slow sender
        return time.monotonic() - begin

    def is_quiet(_):
        return cut_after(echo.connect())

    def reads(_):
        return cut_after(chargen.connect())

    def never_reads(_):
        chargen.connect()
        begin = time.monotonic()
        chargen.wait_log(event="close", count=2)
        return time.monotonic() - begin

    ways = [drips, is_quiet, reads, never_reads]
    times = all_at_once(lambda number: ways[number](number), 4)
    assert all(0.9 <= seconds <= 2.2 for seconds in times), times
    for server in (echo, chargen):
        assert count_reasons(server, 2) == {"deadline": 2}
        if reuse == 1:
            server.wait_log(event="reap", status=104, count=2)


@pytest.mark.parametrize("handler", ["never-returns", "never-listens"])
def test_a_handler_that_does_not_return_is_ended_at_the_deadline(handlers, handler):
    server = handlers("--session-timeout", "1000", handler)
    client = server.connect()
    assert 0.9 <= cut_after(client) <= 3
    assert count_reasons(server, 1) == {"deadline": 1}
    assert reasons(server.totals()) == {"deadline": 1}


def test_bytes_that_a_handler_moved_itself_are_counted(handlers):
    server = handlers("borrower")
    data = os.urandom(300_000)
    assert server.ask(data) == data
    [close] = server.wait_log(event="close")
    assert (close["bytes_in"], close["bytes_out"]) == ("300000", "300000")


def test_a_reply_is_not_cut_by_the_sessions_deadline(prongd):
    """The handler finishes in time; its client has input unread, and stays."""
    server = prongd("--session-timeout", "1s", "daytime")
    client = server.connect()
    client.sendall(b"x" * 100)
    assert receive_all(client).endswith(b"\r\n")
    assert server.wait_log(event="close")[0]["reason"] == "done"


@pytest.mark.parametrize("service, pause", [("chargen", 0.1), ("echo", 0.02)])
def test_a_client_that_reads_slowly_is_not_idle(prongd, service, pause):
    """Its bytes move, although the server's buffer never has
    enough room for poll(2)."""
    server = prongd("--idle-timeout", "1s", service)
    client = server.connect()
    if service == "echo":
        threading.Thread(target=send_quietly, args=(client, 20_000_000)).start()
    begin = time.monotonic()
    while time.monotonic() - begin < 3:
        assert client.recv(20_000)
        time.sleep(pause)  # the pace of a slow reader
    assert not server.log_lines(event="close")
    client.shutdown(socket.SHUT_RDWR)  # this also ends a send of the other thread


def send_quietly(client, size):
    with contextlib.suppress(OSError):
        client.sendall(b"x" * size)
