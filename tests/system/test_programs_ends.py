"""How programs are ended: at deadlines and at the stop, and never wrongly."""

import contextlib
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import PATIENCE, eventually
from logline import reasons
from proc import children, is_zombie, memory, state
from sockets import echoes, receive_all, receive_exactly, reset

MODES = [(), ("--kill-descendants",)]
DEAF = 'trap "" TERM; echo ready; while :; do sleep 5; done'


def lasted(line):
    return int(line["duration_ms"]) / 1000


def keeps_moving(client, seconds):
    """Echo a byte every 0.3 s."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert echoes(client, b"x")
        time.sleep(0.3)  # the pace of the bytes


# What a program does to its socket.

LINGERS = """
import socket, struct, sys
client = socket.socket(fileno=1)
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 1000))
client.setblocking(False)
try:
    while True:
        client.send(bytes(1 << 16))
except BlockingIOError:
    pass
"""


def test_a_program_that_sets_linger_does_not_stop_the_supervisor(prongd):
    """Closing the last descriptor would wait for a client that does not read."""
    server = prongd("--", "sh", "-c", 'read what; [ "$what" = echo ] && exec cat; '
                    'exec python3 -c "$0"', LINGERS)  # fmt: skip
    stuck = server.connect()
    stuck.sendall(b"linger\n")
    server.wait_log(event="close")
    with server.connect() as client:
        client.sendall(b"echo\n")
        assert echoes(client)


def test_a_reset_that_the_program_has_read_is_no_byte(prongd):
    server = prongd("--on-hangup", "ignore", "--", "sh", "-c",
                    "cat >/dev/null 2>&1; sleep 0.2")  # fmt: skip
    reset(server.connect())
    assert server.wait_log(event="close")[0]["bytes_in"] == "0"


# Deadlines.


@pytest.mark.parametrize("options", MODES)
def test_a_session_ends_at_its_deadline_whatever_it_does(prongd, options):
    """FAULT 18: one that sleeps, one that sends, one that its client keeps busy."""
    server = prongd(*options, "--session-timeout", "2s", "--", "sh", "-c",
                    "read what; case $what in sleep) sleep 1000;; talk) yes;;"
                    " cat) exec cat;; esac")  # fmt: skip
    clients = [server.connect() for _ in range(3)]
    for client, what in zip(clients, (b"sleep\n", b"talk\n", b"cat\n")):
        client.sendall(what)

    def busy(client):
        with contextlib.suppress(OSError, AssertionError):
            keeps_moving(client, 5)

    with ThreadPoolExecutor() as threads:
        drained = threads.submit(drain, clients[1])
        threads.submit(busy, clients[2])
        closed = server.wait_log(event="close", count=3)
        drained.result()
    assert {line["reason"] for line in closed} == {"deadline"}
    assert all(1.9 <= lasted(line) < 6 for line in closed), closed


def drain(client):
    """Read and discard everything until the end, whatever kind of end it is."""
    with contextlib.suppress(ConnectionError):
        while client.recv(1 << 20):
            pass


# After these, a signal to the group alone might reach an ended process, or none.
DODGES = {
    "a zombie stays in its group": "os.fork() or os._exit(0)",
    "it asks for the group of its parent": "try_to(os.setpgid, 0, os.getpgid(os.getppid()))",
    "it asks for the group of init": "try_to(os.setpgid, 0, os.getpgid(1))",
    "its child has a group of its own": "child = os.fork() or signal.pause(); "
                                        "try_to(os.setpgid, child, child)",
    "a zombie stays, and it asks for a session": "os.fork() or os._exit(0); "
                                                 "try_to(os.setsid)",
}  # fmt: skip

DODGING = """
import os, signal
def try_to(call, *arguments):
    try:
        call(*arguments)
    except OSError:
        pass
{dodge}
print("dodged", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.parametrize("options", [*MODES, ("--warm", "-s", "1")], ids=str)
@pytest.mark.parametrize("dodge", DODGES)
def test_a_program_that_dodges_signals_to_its_group_is_ended(prongd, options, dodge):
    script = DODGING.format(dodge=DODGES[dodge])
    server = prongd(*options, "--session-timeout", "4s", "--", "python3", "-I", "-S", "-c", script)
    with server.connect() as client:
        assert receive_all(client) == b"dodged\n"
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("deadline", "TERM")
    for child in children(server.pid):  # what it has left to the supervisor
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


@pytest.mark.parametrize("options", MODES)
def test_a_deaf_program_is_killed_after_its_deadline(prongd, options):
    server = prongd(*options, "--session-timeout", "1s", "--", "sh", "-c", DEAF)
    assert receive_exactly(server.connect(), 6) == b"ready\n"
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("deadline", "KILL")
    assert 1.4 <= lasted(closed) < 5


def test_a_program_is_idle_when_no_byte_has_moved(prongd):
    server = prongd("--idle-timeout", "1s", "--", "cat")
    silent, moved = server.connect(), server.connect()
    assert echoes(moved)
    closed = server.wait_log(event="close", count=2)
    assert {line["reason"] for line in closed} == {"idle"}
    assert all(0.9 <= lasted(line) < 5 for line in closed), closed
    assert receive_all(silent) == b"" and receive_all(moved) == b""


def test_a_program_whose_client_never_reads_is_idle(prongd):
    server = prongd("--idle-timeout", "1s", "--", "yes")
    server.connect()
    [closed] = server.wait_log(event="close")
    assert closed["reason"] == "idle"
    assert 0.9 <= lasted(closed) < 5


@pytest.mark.parametrize("options", MODES)
def test_a_program_that_keeps_moving_bytes_is_not_idle(prongd, options):
    """In either direction, or both; the same program is idle once it stops."""
    server = prongd(*options, "--idle-timeout", "1s", "--", "sh", "-c",
                    "read what; case $what in cat) exec cat;; eat) exec cat >/dev/null;;"
                    " talk) while sleep 0.3; do echo x; done;; esac")  # fmt: skip
    clients = [server.connect() for _ in range(3)]
    for client, what in zip(clients, (b"cat\n", b"eat\n", b"talk\n")):
        client.sendall(what)
    for _ in range(8):
        assert echoes(clients[0], b"x")
        clients[1].sendall(b"x")
        time.sleep(0.3)  # the pace of the bytes
    assert server.log_lines(event="close") == []
    closed = server.wait_log(event="close", count=2, timeout=3)
    assert {line["reason"] for line in closed} == {"idle"}
    assert receive_exactly(clients[2], 16) == b"x\n" * 8


def test_a_program_that_was_stopped_for_a_while_is_not_killed(prongd):
    """FAULT 12, SIGSTOP for the program: it goes on where it was."""
    server = prongd("--session-timeout", "20s", "--", "cat")
    [client] = server.hold()
    [pid] = server.workers()
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state(pid) == "T", "stopped")
    client.sendall(b"meanwhile")
    time.sleep(1)  # how long it is stopped
    os.kill(pid, signal.SIGCONT)
    assert receive_exactly(client, 9) == b"meanwhile"
    client.shutdown(socket.SHUT_WR)
    assert receive_all(client) == b""
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["status"]) == ("eof", "0")


@pytest.mark.parametrize("options", MODES)
def test_a_stopped_program_does_not_escape_its_deadline(prongd, options):
    server = prongd(*options, "--session-timeout", "1s", "--", "cat")
    server.hold()
    [pid] = children(server.pid)
    program = children(pid)[0] if options else pid
    os.kill(program, signal.SIGSTOP)
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("deadline", "KILL")
    assert lasted(closed) < 5  # KILL comes a second after TERM, if there is a processor
    eventually(lambda: is_zombie(program), "program gone", 1)


def test_a_supervisor_that_was_stopped_kills_no_program_wrongly(prongd):
    """FAULT 12: it first learns which programs have ended, or
    moved bytes, meanwhile."""
    server = prongd("--session-timeout", "1s", "--", "sh", "-c", "sleep 0.5; echo done")
    idler = prongd("--idle-timeout", "1s", "--", "cat")
    [mover] = idler.hold()
    client = server.connect()
    server.wait_log(event="serve")
    for stopped in (server, idler):
        stopped.signal(signal.SIGSTOP)
        eventually(lambda: state(stopped.pid) == "T", "stopped")
    keeps_moving(mover, 2)
    for stopped in (server, idler):
        stopped.signal(signal.SIGCONT)
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["status"]) == ("done", "0")
    assert receive_all(client) == b"done\n"
    keeps_moving(mover, 0.9)
    assert idler.log_lines(event="close") == []


def test_clients_that_never_read_are_cut_and_cost_no_memory(prongd):
    """FAULT 19, reduced: what they do not take stays in the kernel and the program."""
    server = prongd("--session-timeout", "2s", "--", "yes")
    before = memory(server.pid)
    for _ in range(20):
        server.connect()
    closed = server.wait_log(event="close", count=20)
    assert {line["reason"] for line in closed} == {"deadline"}
    assert all(1.9 <= lasted(line) < 6 for line in closed), closed
    assert memory(server.pid) - before < 256 << 10
    assert reasons(server.stop()) == {"deadline": 20}


# Stop.


@pytest.mark.parametrize("options", MODES)
def test_programs_finish_after_a_request_to_stop(prongd, options):
    server = prongd(*options, "--", "cat")
    clients = server.hold(3)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    for client in clients:
        assert echoes(client, b"x" * 10_000)
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
    assert reasons(server.expect_exit(timeout=3)) == {"eof": 3}


def test_what_a_program_said_last_arrives_although_the_server_stops(prongd):
    server = prongd("--", "sh", "-c", "sleep 0.5; head -c 400000 /dev/zero")
    with server.connect() as client:
        client.sendall(b"unread")
        server.wait_log(event="serve")
        server.signal(signal.SIGTERM)
        assert receive_all(client) == bytes(400_000)
    server.expect_exit(timeout=3)


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("program, grace, signal_name",
                         [("echo ready; exec sleep 1000", 5, "TERM"),  # KILL after 0.5 s
                          (DEAF, 1, "KILL")])  # fmt: skip
def test_programs_are_ended_when_the_grace_is_over(prongd, program, grace, signal_name,
                                                   options):  # fmt: skip
    server = prongd(*options, "--grace", f"{grace}s", "--", "sh", "-c", program)
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        assert receive_exactly(client, 6) == b"ready\n"
    programs = server.workers()
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    totals = server.expect_exit(timeout=grace + 2)
    assert time.monotonic() - begin >= 0.8 * grace
    assert reasons(totals) == {"stopped": 3}
    assert all(is_zombie(pid) for pid in programs)
    closed = server.log_lines(event="close")
    assert {line["signal"] for line in closed} == {signal_name}


@pytest.mark.parametrize("options", MODES)
def test_a_second_request_to_stop_is_immediate(prongd, options):
    server = prongd(*options, "--", "sh", "-c", DEAF)
    assert receive_exactly(server.connect(), 6) == b"ready\n"
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    server.signal(signal.SIGTERM)
    assert reasons(server.expect_exit(timeout=1.5)) == {"stopped": 1}


@pytest.mark.parametrize("options", MODES)
def test_programs_die_with_their_supervisor(prongd, options):
    """FAULT 11: the port is free within a second, too."""
    server = prongd(*options, "--", "sh", "-c", DEAF)
    for _ in range(10):
        assert receive_exactly(server.connect(), 6) == b"ready\n"
    below = server.workers()
    below += [pid for attendant in below if options for pid in children(attendant)]
    server.kill()
    eventually(lambda: all(map(is_zombie, below)), "all gone", 1)
    again = prongd("--", "cat", listen=server.texts)
    assert again.ask(b"x") == b"x"


@pytest.mark.parametrize("options", MODES)
def test_the_line_of_a_close_tells_how_the_program_ended(prongd, options):
    # Reads to the end, so that it does not end before the client.
    server = prongd(*options, "--", "sh", "-c", "read how; read end; eval $how")
    ways = {b"exit 0\n": "0", b"exit 7\n": "7", b"kill -HUP $$\n": "HUP"}
    for count, way in enumerate(ways, 1):
        with contextlib.suppress(ConnectionError):
            server.ask(way)
        closed = server.wait_log(event="close", count=count)
    assert [line.get("status", line.get("signal")) for line in closed] == [*ways.values()]
    wanted = ["eof", "failed", "crash-signal"]
    assert [line["reason"] for line in closed] == wanted
    for line in closed:
        assert "peer" in line and "pid" in line


def test_waiting_clients_are_served_when_a_program_ends(prongd):
    server = prongd("-n", "1", "--", "cat")
    [first] = server.hold()
    with ThreadPoolExecutor() as threads:
        answers = [threads.submit(server.ask, b"waited") for _ in range(3)]
        server.wait_log(event="limit-reached")
        first.close()
        got = [answer.result(PATIENCE) for answer in answers]
    assert got == [b"waited"] * 3
