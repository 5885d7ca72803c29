"""However it is told to stop, it stops in order, in time, and with exit status 0."""

import contextlib
import fcntl
import os
import pty
import resource
import signal
import socket
import termios
import time

import pytest

from harness import eventually
from logline import reasons
from proc import descriptors, settled
from sockets import echoes, receive_all, receive_exactly


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sessions_finish_after_a_request_to_stop(prongd, number):
    server = prongd("echo")
    clients = server.hold(5)
    server.signal(number)
    [asked] = server.wait_log(event="stopping")
    assert (asked["signal"], asked["sessions"]) == (number.name[3:], "5")
    for client in clients:
        assert echoes(client, b"x" * 10_000)
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
    totals = server.expect_exit(timeout=3)
    assert reasons(totals) == {"eof": 5}


def test_no_client_is_taken_after_a_request_to_stop(prongd):
    server = prongd("echo")
    [client] = server.hold()
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    for _ in range(3):
        with pytest.raises((ConnectionRefusedError, socket.timeout)):
            server.connect(timeout=0.5)
    assert echoes(client)
    client.close()
    assert server.expect_exit(timeout=3)["accepted"] == "1"


def test_a_server_with_nobody_served_stops_at_once(prongd):
    """With or without spares, and whether or not it has served clients."""
    for spare in (0, 4):
        for clients in (0, 3):
            server = prongd("-s", spare, "echo")
            for number in range(clients):
                assert server.ask(b"x") == b"x"
                server.wait_log(event="reap", count=number + 1)
            server.signal(signal.SIGTERM)
            server.expect_exit(timeout=2)


def test_sessions_are_ended_when_the_grace_is_over(prongd):
    server = prongd("--grace", "1s", "echo")
    clients = server.hold(5)
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    totals = server.expect_exit(timeout=5)
    assert 0.8 <= time.monotonic() - begin
    assert reasons(totals) == {"stopped": 5}
    server.wait_log(event="grace-expired", sessions=5)
    for client in clients:
        with contextlib.suppress(ConnectionError):
            assert receive_all(client) == b""


def test_a_worker_that_is_deaf_is_killed_when_the_grace_is_over(handlers):
    """And not before: the grace lasts until SIGKILL, whenever SIGTERM was sent."""
    server = handlers("--grace", "2000", "never-listens")
    server.connect()
    server.wait_log(event="serve")
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    assert reasons(server.expect_exit(timeout=5)) == {"stopped": 1}
    assert time.monotonic() - begin >= 2


def test_a_stop_without_descriptors_does_not_wait_for_the_grace(prongd):
    server = prongd("-s", 0, "echo")
    settled(server.pid)
    server.set_limit(resource.RLIMIT_NOFILE, max(descriptors(server.pid)) + 1)
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=2)


@pytest.mark.parametrize("first, second", [
    (signal.SIGTERM, signal.SIGTERM), (signal.SIGTERM, signal.SIGINT),
    (signal.SIGTERM, signal.SIGQUIT), (None, signal.SIGQUIT)])  # fmt: skip
def test_a_second_request_or_quit_ends_everything_now(prongd, first, second):
    server = prongd("--grace", "60s", "-s", 2, "echo")
    server.hold(5)
    if first:
        server.signal(first)
        server.wait_log(event="stopping")
    server.signal(second)
    assert reasons(server.expect_exit(timeout=2)) == {"stopped": 5}


def test_no_grace_means_now(prongd):
    server = prongd("--grace", "0", "echo")
    server.hold(5)
    server.signal(signal.SIGTERM)
    assert reasons(server.expect_exit(timeout=2)) == {"stopped": 5}


@pytest.mark.parametrize("unix", [False, True])
def test_clients_queued_at_a_stop_are_served_not_reset(prongd, tmp_path, unix):
    listen = f"unix:{tmp_path}/socket" if unix else "127.0.0.1:0"
    server = prongd("-n", 2, "echo", listen=[listen])
    busy = server.hold(2)
    queued = [server.connect() for _ in range(20)]
    for number, client in enumerate(queued):
        client.sendall(b"%d" % number)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    for client in busy:
        client.close()
    for number, client in enumerate(queued):
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"%d" % number
    totals = server.expect_exit(timeout=5)
    assert reasons(totals) == {"eof": 22}


def test_queued_clients_of_every_listener_are_served_at_a_stop(prongd):
    listen = ["127.0.0.1:0", "127.0.0.2:0", "[::1]:0"]
    server = prongd("-n", 1, "-s", 0, "echo", listen=listen)
    [busy] = server.hold(1)
    queued = [server.connect(index % 3) for index in range(9)]
    for client in queued:
        client.sendall(b"queued")
        client.shutdown(socket.SHUT_WR)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    busy.close()
    assert [receive_all(client) for client in queued] == [b"queued"] * 9
    server.expect_exit(timeout=5)


def test_the_port_can_be_used_again_at_once(prongd):
    """This holds even if the server closed first, so that its side is in TIME_WAIT."""
    listen = ["127.0.0.4:0"]
    for _ in range(5):
        server = prongd("daytime", listen=listen)
        for _ in range(5):
            assert server.ask().endswith(b"\r\n")
        with server.connect() as client:  # also in the middle of a session
            server.signal(signal.SIGTERM)
            receive_all(client)
        server.expect_exit(timeout=5)
        listen = server.texts


@pytest.mark.parametrize("spare", [0, 8])
def test_a_stop_right_after_readiness_is_obeyed(prongd, spare):
    for _ in range(10):
        server = prongd("-q", "-s", spare, "echo", verbose=False)
        server.signal(signal.SIGTERM)
        server.expect_exit(timeout=5)


def foreground_of(terminal):
    """For preexec_fn: make the terminal ours, so that its Ctrl-C
    reaches us and our group."""

    def take():
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    return take


def test_control_c_on_a_terminal_does_not_cut_sessions(prongd):
    master, terminal = pty.openpty()
    try:
        server = prongd("-s", 2, "echo", stdin=terminal, stdout=terminal,
                        preexec_fn=foreground_of(terminal))  # fmt: skip
        clients = server.hold(4)
        os.write(master, b"\x03")
        assert server.wait_log(event="stopping")[0]["signal"] == "INT"
        assert all(echoes(client) for client in clients)
        server.close_clients()
        assert reasons(server.expect_exit(timeout=3)) == {"eof": 4}
    finally:
        os.close(master)
        os.close(terminal)


def test_a_stop_is_obeyed_while_clients_keep_coming(prongd):
    """Even if clients do not stop: they are refused, not served for ever."""
    server = prongd("-s", 4, "echo")
    first = time.monotonic()
    asked = False
    while server.process.poll() is None:
        assert time.monotonic() - first < 15
        if not asked and time.monotonic() - first > 0.3:
            server.signal(signal.SIGTERM)
            asked = True
        with contextlib.suppress(OSError):
            client = server.connect(timeout=0.2)
            client.sendall(b"more")
            receive_exactly(client, 4)
            client.close()
    server.expect_exit()


def test_a_stopped_server_frees_its_unix_path_while_sessions_finish(prongd, tmp_path):
    path = tmp_path / "socket"
    server = prongd("echo", listen=[f"unix:{path}"])
    [client] = server.hold()
    server.signal(signal.SIGTERM)
    eventually(lambda: not path.exists(), "path removed")
    successor = prongd("echo", listen=[f"unix:{path}"])
    assert successor.ask(b"new") == b"new"
    assert echoes(client, b"old")
    client.close()
    server.expect_exit(timeout=3)
    assert successor.ask(b"still") == b"still"
