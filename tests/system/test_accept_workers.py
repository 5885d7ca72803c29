"""With --accept workers each worker of a pool accepts connections itself."""

import contextlib
import os
import signal
import shutil
import socket
import time

import activation
import pytest

from harness import SANITIZED, eventually, load
from logline import reasons
from proc import children, descriptors, is_zombie, settled, sleeps, state
from sockets import echoes, receive_all, receive_exactly
from test_command_line import expect_refusal, run
from test_privileges_failures import failing

POOL = ("--accept", "workers", "-r", "always")
ALWAYS = 2**32 - 1


@pytest.fixture(params=["tcp", "unix"])
def listen(request, tmp_path):
    return f"unix:{tmp_path}/socket" if request.param == "unix" else "127.0.0.1:0"


def test_all_are_served_and_counted(prongd, scale):
    count = int(5000 * scale)
    server = prongd(*POOL, "-s", 4, "-n", 4, "echo")
    load(server, "-c", "16", "-n", str(count))
    eventually(lambda: server.totals()["active"] == "0", "all ended")
    totals = server.totals()
    assert totals["accepted"] == totals["eof"] == str(count)
    assert totals["processes"] == "4"
    assert totals["bytes_in"] == totals["bytes_out"] == str(64 * count)


def test_who_is_served_now_is_active(prongd):
    server = prongd(*POOL, "-s", 4, "echo")
    server.hold(3)
    totals = server.totals()
    assert (totals["accepted"], totals["active"], totals["closed"]) == ("3", "3", "0")
    server.close_clients()
    eventually(lambda: server.totals()["active"] == "0", "none active")


def test_who_comes_when_all_are_at_work_waits(prongd):
    server = prongd(*POOL, "-s", 2, "-n", 2, "echo")
    busy = server.hold(2)
    waiting = server.connect(timeout=0.2)
    waiting.sendall(b"here")
    with pytest.raises(TimeoutError):
        waiting.recv(4)
    [line] = server.wait_log(event="limit-reached")
    assert (line["max_processes"], line["clients"]) == ("2", "wait")
    busy[0].close()
    waiting.settimeout(10)
    assert receive_exactly(waiting, 4) == b"here"
    server.wait_log(event="limit-cleared", times=1)


def test_while_all_are_held_more_are_made(prongd, listen):
    server = prongd(*POOL, "-s", 2, "-n", 40, "echo", listen=[listen])
    server.hold(40)
    assert len(server.workers()) == 40


def test_there_are_no_more_than_max_processes_from_the_start(prongd):
    server = prongd(*POOL, "-s", 8, "-n", 2, "echo")
    assert len(server.workers()) == 2
    assert server.ask(b"here") == b"here"


def test_a_worker_that_takes_nobody_does_not_keep_others_out(prongd):
    server = prongd(*POOL, "-s", 3, "echo")
    idle = server.workers()[0]
    os.kill(idle, signal.SIGSTOP)
    try:
        eventually(lambda: state(idle) == "T", "it has stopped, and waits for nobody")
        server.hold(20)
    finally:
        os.kill(idle, signal.SIGCONT)


def test_a_worker_is_replaced_after_so_many_connections(prongd):
    server = prongd("--accept", "workers", "-r", 3, "-s", 1, "echo")
    before = server.expect_workers(1)
    for number in range(9):
        assert server.ask(b"%d" % number) == b"%d" % number
    eventually(lambda: server.totals()["processes"] == "4", "replaced three times")
    assert server.expect_workers(1) != before
    assert server.log_lines(event="spare-died") == []


def test_a_session_ends_at_its_deadlines(prongd):
    server = prongd(*POOL, "-s", 2, "--idle-timeout", "100ms", "echo")
    assert receive_all(server.connect()) == b""
    eventually(lambda: reasons(server.totals()) == {"idle": 1}, "counted")


def test_a_session_that_talks_all_the_time_ends_at_its_deadline(prongd):
    server = prongd(*POOL, "-s", 2, "--session-timeout", "300ms", "echo")
    client = server.connect()
    with contextlib.suppress(ConnectionError, AssertionError):
        while echoes(client):
            pass
    eventually(lambda: reasons(server.totals()) == {"deadline": 1}, "counted")


def queue_up(server):
    """Clients that have sent something, while the workers have no time for them."""
    queued = [server.connect() for _ in range(20)]
    for number, client in enumerate(queued):
        client.sendall(b"%d" % number)
    return queued


def expect_service(queued):
    for number, client in enumerate(queued):
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b"%d" % number


def test_at_a_stop_the_queue_is_served_beside_those_who_stay(prongd, listen):
    server = prongd(*POOL, "-s", 2, "-n", 3, "echo", listen=[listen])
    busy = server.hold(2)
    queued = queue_up(server)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    expect_service(queued)
    for client in busy:
        assert echoes(client)
        client.close()
    assert reasons(server.expect_exit(timeout=5)) == {"eof": 22}


def test_at_a_stop_the_queue_is_served_after_those_who_leave(prongd, listen):
    server = prongd(*POOL, "-s", 2, "-n", 2, "echo", listen=[listen])
    busy = server.hold(2)
    queued = queue_up(server)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping", sessions=2)
    for client in busy:
        assert echoes(client)
        client.close()
    expect_service(queued)
    assert reasons(server.expect_exit(timeout=5)) == {"eof": 22}


@pytest.mark.parametrize("most", [8, 9])
def test_idle_workers_leave_at_once_at_a_stop(prongd, most):
    server = prongd(*POOL, "-s", 8, "-n", most, "echo")
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_that_idle_workers_end_at_a_stop_is_no_news(prongd, number):
    server = prongd(*POOL, "-s", 4, "echo")
    server.signal(number)
    server.expect_exit(timeout=5)
    assert server.log_lines(event="spare-died") == []


def test_at_the_end_of_the_grace_sessions_are_cut(prongd):
    server = prongd(*POOL, "-s", 2, "--grace", "300ms", "echo")
    client = server.hold(1)[0]
    server.signal(signal.SIGTERM)
    assert receive_all(client) == b""
    assert reasons(server.expect_exit(timeout=5)) == {"stopped": 1}


def test_a_second_signal_stops_at_once(prongd):
    server = prongd(*POOL, "-s", 2, "echo")
    server.hold(2)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    server.signal(signal.SIGTERM)
    assert reasons(server.expect_exit(timeout=5)) == {"stopped": 2}


def test_a_killed_worker_costs_one_connection_and_is_replaced(prongd):
    server = prongd(*POOL, "-s", 2, "echo")
    held = server.hold(2)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    [line] = server.wait_log(event="close", reason="crash-signal")
    assert (line["pid"], line["signal"]) == (str(victim), "KILL")
    assert server.ask(b"the next") == b"the next"
    assert sorted(client_lives(client) for client in held) == [False, True]
    wanted = {"crash-signal": 1, "eof": 1}
    eventually(lambda: reasons(server.totals()) == wanted, "counted")


def client_lives(client):
    try:
        return echoes(client)
    except (AssertionError, ConnectionError):
        return False


def test_an_idle_worker_that_is_killed_is_replaced(prongd):
    server = prongd(*POOL, "-s", 2, "echo")
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    server.wait_log(event="spare-died", pid=victim)
    eventually(lambda: len(server.workers()) == 2 and victim not in server.workers(),
               "two again")  # fmt: skip
    assert server.ask(b"here") == b"here"


def test_a_handler_that_crashes_again_and_again_serves_the_next(handlers):
    server = handlers("--accept", "workers", "-r", ALWAYS, "-s", 2, "killed")
    for _ in range(50):
        assert receive_all(server.connect()) == b""
    eventually(lambda: reasons(server.totals()) == {"crash-signal": 50}, "all counted")


def test_a_handler_that_exits_as_if_rights_had_been_refused_has_crashed(handlers):
    server = handlers("--accept", "workers", "-r", ALWAYS, "-s", 1, "exits-as-refused")
    assert receive_all(server.connect()) == b""
    eventually(lambda: reasons(server.totals()) == {"crash-exit": 1}, "counted")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"),
                    reason="needs root and strace")
@pytest.mark.parametrize("error", ["ENFILE", "EPERM"])
def test_where_accepting_fails_workers_are_made_without_haste(prongd, tmp_path, error):
    """ENFILE means that the server is at fault. EPERM means that one client is, or the
    server if it comes with every client."""
    server = prongd(*POOL, "-s", 1, "echo")
    with failing(server, "accept4", f"error={error}", tmp_path / "trace"):
        os.kill(server.workers()[0], signal.SIGKILL)
        [line] = server.wait_log(event="accept-failed", error=error)
        begun = time.monotonic()
        before = int(server.totals()["processes"])
        eventually(lambda: int(server.totals()["processes"]) > before, "tried again")
        made = int(server.totals()["processes"]) - before
        assert made <= (time.monotonic() - begun) / 0.1 + 5  # the longest pause
    assert server.ask(b"served again") == b"served again"


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("strace"),
                    reason="needs root and strace")
@pytest.mark.parametrize("error", ["ENOMEM", "EMFILE", "ENOBUFS"])
def test_a_worker_that_cannot_accept_for_a_moment_stays(prongd, tmp_path, error):
    server = prongd(*POOL, "-s", 1, "echo")
    with failing(server, "accept4", f"error={error}:when=1..3", tmp_path / "trace"):
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait_log(event="spare-died")
        [worker] = server.expect_workers(1)
        assert server.ask(b"served") == b"served"
        assert server.workers() == [worker]
    assert server.totals()["processes"] == "2"


def test_it_needs_no_descriptor_for_each_process_there_might_be(prongd):
    """No descriptors are handed over; the limit is below what -n
    would need otherwise."""
    under = ["prlimit", "--nofile=300:300"]
    server = prongd(*POOL, "-s", 4, "-n", 100_000, "echo", under=under)
    assert server.ask(b"here") == b"here"


def test_a_listener_that_others_have_too_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        status, line = activation.refused([listener], *map(str, POOL), "echo")
    assert status == 2
    assert "needs exactly one address, which the server opens itself" in line


def test_no_worker_outlives_the_supervisor(prongd):
    server = prongd(*POOL, "-s", 4, "echo")
    server.hold(2)
    workers = server.workers()
    server.kill()
    for pid in workers:
        eventually(lambda: not os.path.exists(f"/proc/{pid}") or is_zombie(pid), "gone")


def test_an_idle_pool_sleeps(prongd):
    server = prongd(*POOL, "-s", 4, "echo")
    assert server.ask(b"here") == b"here"
    assert_sleeping(server)


def assert_sleeping(server):
    settled(server.pid, calm=0.5)  # it looks at the queue for a while first
    pids = [server.pid, *server.workers()]
    for pid in pids:
        settled(pid)
    before = [sleeps(pid) for pid in pids]
    time.sleep(0.5)  # the time for which it is watched
    assert [sleeps(pid) for pid in pids] == before


@pytest.mark.skipif(SANITIZED, reason="there is no sandbox then")
def test_no_worker_shuts_the_listener_for_all(handlers):
    server = handlers("--sandbox", "auto", "--accept", "workers", "-r", ALWAYS, "-s", 2,
                      "escapes")  # fmt: skip
    if server.settings["sandbox"] == "off":
        pytest.skip("no seccomp here")
    [worker, _] = children(server.pid)
    eventually(lambda: len(descriptors(worker)) == 1, "only the listener is left")
    [listener] = descriptors(worker)
    for how in (socket.SHUT_RD, socket.SHUT_RDWR):
        with server.connect() as client:
            client.sendall(f"shutdown {listener} {how}\n".encode())
            assert b"done" not in receive_all(client)
    wanted = {"crash-sandbox": 2}
    eventually(lambda: reasons(server.totals()) == wanted, "counted")
    with server.connect() as client:  # this does nothing to the listener
        client.sendall(f"shutdown {listener} {socket.SHUT_WR}\n".encode())
        assert b"done" in receive_all(client)
    with server.connect() as client:
        client.sendall(b"getppid\n")
        assert f"done {server.pid} 0\n".encode() in receive_all(client)


@pytest.mark.parametrize("words, message", [
    (["--accept", "nobody", "echo"], "not one of supervisor, workers"),
    (["--accept", "workers", "echo"], "--accept workers needs --reuse other than 1"),
    ([*POOL, "-s", "0", "echo"], "--accept workers needs --spare to be at least 1"),
    ([*POOL, "--deny", "all", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--allow", "127.0.0.1", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--rate-per-source", "1/1s", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--rate", "1/1s", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--max-per-source", "1", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--at-limit", "refuse", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--banner", "hi", "echo"], "cannot send a banner"),
    ([*POOL, "--log-level", "connections", "echo"], "line for each connection"),
    ([*POOL, "--exempt", "127.0.0.1", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--source-prefix", "24:64", "echo"], "workers accept clients unchecked"),
    ([*POOL, "--refusal-text", "later", "echo"], "workers accept clients unchecked"),
    ([*POOL, "-l", "127.0.0.1:0", "-l", "127.0.0.1:0", "echo"],
     "--accept workers needs exactly one address"),
    (["--accept", "workers", "--", "cat"], "a program cannot accept"),
])  # fmt: skip
def test_what_it_cannot_do_is_said_at_the_start(words, message):
    expect_refusal(run(*map(str, words)), 2, message)
