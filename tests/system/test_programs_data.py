"""What a program writes arrives completely; a client that is gone ends its program."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import eventually
from proc import cpu_seconds, is_zombie, settled, sleeps
from sockets import echoes, receive_all, receive_exactly, reset

UNREAD = b"x" * 20_000
BIG_REPLY = bytes(ord("a") + i % 26 for i in range(400 * 1024))
TRANSPORTS = ["tcp", "unix"]
ATTENDED = "--kill-descendants"


def listener(transport, tmp_path):
    return [f"unix:{tmp_path}/socket" if transport == "unix" else "127.0.0.1:0"]


def all_at_once(action, count):
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(action, range(count)))


def gone(pid, within):
    eventually(lambda: is_zombie(pid), f"program {pid} gone", within)


def only_program(server):
    """The pid of the program, once it has started."""
    return int(server.wait_log(event="serve")[-1]["pid"])


# What is sent arrives.


@pytest.mark.parametrize("options", [(), (ATTENDED,)])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_cat_echoes_five_megabytes(prongd, tmp_path, transport, options):
    server = prongd(*options, "--", "cat", listen=listener(transport, tmp_path))
    data = os.urandom(5_000_000)
    assert server.ask(data) == data
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["status"]) == ("eof", "0")
    if transport == "tcp":
        assert (closed["bytes_in"], closed["bytes_out"]) == (str(len(data)),) * 2


@pytest.mark.parametrize("options", [(), (ATTENDED,)])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_big_reply_arrives_although_input_is_unread(
    prongd, tmp_path, transport, options
):
    """FAULT 16: 400 KB, read late, while 20 KB that the client
    sent are not read at all."""
    reply = tmp_path / "reply"
    reply.write_bytes(BIG_REPLY)
    server = prongd(*options, "--", "cat", reply, listen=listener(transport, tmp_path))

    def ask(_):
        with server.connect() as client:
            client.sendall(UNREAD)
            time.sleep(0.3)  # read late: a reset would have destroyed the reply
            return receive_all(client) == BIG_REPLY

    assert all_at_once(ask, 10) == [True] * 10


def test_a_short_reply_arrives_although_the_client_goes_on_sending(prongd):
    """A program that ends early: its reply arrives, then the end
    of file, and no reset."""
    # It waits for input: a program that ended without reading any would meet a closed
    # connection.
    server = prongd("--", "sh", "-c", "head -c 1 >/dev/null; echo no, thanks")

    def ask(_):
        with server.connect() as client:
            client.sendall(UNREAD)
            reply = receive_exactly(client, len(b"no, thanks\n"))
            client.sendall(UNREAD)
            return reply + receive_all(client)

    assert all_at_once(ask, 10) == [b"no, thanks\n"] * 10
    ends = server.wait_log(event="close", count=10)
    assert {line["reason"] for line in ends} == {"done"}


@pytest.mark.parametrize("options", [(), (ATTENDED,)])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_a_reply_long_after_the_clients_end_of_file_is_whole(
    prongd, tmp_path, transport, options
):
    """FAULT 15: only one direction is closed, so the client is not gone."""
    reply = tmp_path / "reply"
    reply.write_bytes(BIG_REPLY)
    server = prongd(*options, "--", "sh", "-c", 'cat >/dev/null; sleep 2; cat "$0"',
                    reply, listen=listener(transport, tmp_path))  # fmt: skip
    assert all_at_once(lambda _: server.ask(b"question"), 3) == [BIG_REPLY] * 3
    ends = server.wait_log(event="close", count=3)
    assert {line["reason"] for line in ends} == {"eof"}


def test_a_background_child_that_goes_on_talking_keeps_the_connection(prongd):
    server = prongd("--", "sh", "-c", "(sleep 1; echo later) & echo now")
    with server.connect() as client:
        assert receive_exactly(client, 4) == b"now\n"
        [closed] = server.wait_log(event="close")
        assert (closed["reason"], closed["status"]) == ("done", "0")
        assert receive_all(client) == b"later\n"


def test_a_client_that_drips_after_the_reply_is_let_go(prongd):
    server = prongd("--", "true")
    with server.connect() as client:
        begin = time.monotonic()
        with pytest.raises(OSError):
            while time.monotonic() < begin + 6:
                client.send(b"x")
                time.sleep(0.05)  # the pace of the slow sender
    assert time.monotonic() - begin < 4


def test_many_clients_are_served_at_once(prongd):
    server = prongd("--", "cat")
    clients = server.hold(100)
    assert all(echoes(client) for client in clients)
    assert len(server.workers()) == 100


# The client is gone.


def deaf_words():
    """A program that, like its children, ignores SIGTERM."""
    return "--", "sh", "-c", 'trap "" TERM; echo ready; while :; do sleep 5; done'


def test_a_program_ends_when_its_client_resets(prongd):
    server = prongd("--", "sleep", "1000")
    client = server.connect()
    pid = only_program(server)
    reset(client)
    gone(pid, 1)
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("reset", "TERM")


def test_the_whole_group_of_a_program_ends_when_its_client_resets(prongd):
    server = prongd("--on-hangup", "end:200ms", "--",
                    "sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait; wait")  # fmt: skip
    client = server.connect()
    child = int(client.recv(20))
    reset(client)
    gone(child, 3)
    gone(only_program(server), 1)


def test_an_attended_program_ends_when_its_client_resets(prongd):
    server = prongd(ATTENDED, "--", "sh", "-c", "echo $$; exec sleep 1000")
    client = server.connect()
    program = int(client.recv(20))
    reset(client)
    gone(program, 1)
    [closed] = server.wait_log(event="close", timeout=1)
    assert closed["reason"] == "reset"


def test_a_program_ends_when_a_unix_client_has_reset(prongd, tmp_path):
    """The client closes while it has not read what the program wrote."""
    server = prongd("--", "sh", "-c", "echo hello; exec sleep 1000",
                    listen=listener("unix", tmp_path))  # fmt: skip
    client = server.connect()
    pid = only_program(server)
    assert client.recv(5, socket.MSG_PEEK) == b"hello"
    client.close()
    gone(pid, 1)
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("reset", "TERM")


def test_a_program_that_talks_to_a_client_who_has_left_ends(prongd):
    """A closed socket answers the first byte with a reset; SIGPIPE in
    the program also counts."""
    server = prongd("--", "sh", "-c", "trap '' PIPE; while sleep 0.1; do echo x; done")
    client = server.connect()
    pid = only_program(server)
    client.close()
    gone(pid, 1.5)
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("reset", "TERM")


def test_a_program_that_sigpipe_ends_counts_as_reset(prongd):
    """This is how a program learns that its output is not read."""
    server = prongd("--", "sh", "-c", "kill -PIPE $$")
    server.connect()
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("reset", "PIPE")


@pytest.mark.parametrize("options", [(), (ATTENDED,)])
def test_a_program_may_outlive_its_client_if_that_is_asked_for(
    prongd, tmp_path, options
):
    done = tmp_path / "done"
    server = prongd(*options, "--on-hangup", "ignore", "--",
                    "sh", "-c", 'sleep 1.5; : >"$0"', done)  # fmt: skip
    client = server.connect()
    server.wait_log(event="serve")
    reset(client)
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["status"]) == ("reset", "0")
    assert int(closed["duration_ms"]) >= 1500
    assert done.exists()


@pytest.mark.parametrize("options", [(), (ATTENDED,)])
def test_a_program_deaf_to_term_is_killed(prongd, options):
    server = prongd(*options, "--on-hangup", "end:500ms", *deaf_words())
    client = server.connect()
    assert receive_exactly(client, 6) == b"ready\n"
    begin = time.monotonic()
    reset(client)
    [closed] = server.wait_log(event="close", timeout=5)
    assert 0.9 <= time.monotonic() - begin < 3
    assert (closed["reason"], closed["signal"]) == ("reset", "KILL")


def test_a_half_closed_client_is_not_gone(prongd):
    server = prongd("--", "sh", "-c", "cat >/dev/null; sleep 0.5; echo still here")
    with server.connect() as client:
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"still here\n"


def test_a_client_that_is_gone_costs_no_processor_time_while_its_program_stays(prongd):
    server = prongd("--on-hangup", "ignore", "--", "sleep", "1.2")
    for _ in range(5):
        client = server.connect()
        client.sendall(b"unread")
        reset(client)
    server.wait_log(event="serve", count=5)
    settled(server.pid)
    before = cpu_seconds(server.pid), sleeps(server.pid)
    time.sleep(0.4)  # the time for which it is watched
    assert cpu_seconds(server.pid) - before[0] < 0.02
    assert sleeps(server.pid) - before[1] < 5
    server.wait_log(event="close", count=5)
