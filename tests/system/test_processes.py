"""Every connection has a process: which one, what the process has,
and that none is left."""

import contextlib
import ctypes
import os
import platform
import random
import signal
import socket
import time
from collections import Counter

import pytest

from harness import PRONGD, SANITIZED, eventually, failures, finish_load, start_load
from proc import descriptors, is_zombie, read, settled, status
from sockets import echoes, receive_all, reset


RT_SIGACTION = {"x86_64": 13, "aarch64": 134}.get(platform.machine())
libc = ctypes.CDLL(None, use_errno=True)


def serve_one_by_one(server, count):
    """The pids that served count connections, each begun after the
    previous one was over."""
    for number in range(1, count + 1):
        assert server.ask(b"one") == b"one"
        server.wait_log(event="close", conn=number)
    return [int(line["pid"]) for line in server.log_lines(event="serve")]


@pytest.mark.parametrize("spare", [0, 1, 8])
def test_every_connection_has_a_fresh_process(prongd, spare):
    pids = serve_one_by_one(prongd("-r", 1, "-s", spare, "echo"), 20)
    assert len(set(pids)) == 20


@pytest.mark.parametrize("spare", [0, 1])
def test_a_process_is_kept_when_it_is_reused_without_limit(prongd, spare):
    server = prongd("-r", "always", "-s", spare, "echo")
    pids = serve_one_by_one(server, 20)
    assert len(set(pids)) == 1
    assert pids[0] in server.workers()


@pytest.mark.parametrize("spare", [0, 1])
def test_a_process_is_replaced_after_as_many_connections_as_asked(prongd, spare):
    server = prongd("-r", 3, "-s", spare, "echo")
    pids = serve_one_by_one(server, 15)
    served = Counter(pids)
    assert max(served.values()) == 3
    assert len(served) <= 6, "hardly reused at all"
    for pid, count in served.items():
        if count == 3:
            server.wait_log(event="reap", pid=pid, status=100)


def test_spares_stand_ready_and_are_made_up_for(prongd):
    server = prongd("-s", 4, "echo")
    before = set(server.expect_workers(4))
    clients = server.hold(6)
    assert before & {int(l["pid"]) for l in server.wait_log(event="serve", count=6)}
    server.expect_workers(4 + 6)
    for client in clients:
        client.close()
    server.expect_workers(4)


def test_without_spares_there_is_no_process_without_a_client(prongd):
    server = prongd("-s", 0, "echo")
    assert server.workers() == []
    clients = server.hold(3)
    server.expect_workers(3)
    for client in clients:
        client.close()
    server.expect_workers(0)


def test_a_spare_that_died_is_replaced_and_nobody_notices(prongd):
    server = prongd("-s", 3, "echo")
    victim = server.expect_workers(3)[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: victim not in server.children(), "collected")
    server.expect_workers(3, timeout=2)
    assert server.wait_log(event="spare-died")[0]["signal"] == "KILL"
    assert server.ask(b"fine") == b"fine"


def expect_bare(pid, sockets, confined, session):
    """Check for standard descriptors, this number of sockets, and no trace of our
    signals.

    A worker in the sandbox has no standard descriptors, and has a handler of SIGSYS.
    """
    found = descriptors(pid)
    assert confined or set(found) > {0, 1, 2}
    others = [what for number, what in found.items() if confined or number > 2]
    assert len(others) == sockets and all(o.startswith("socket:") for o in others)
    facts = status(pid)
    caught = 1 << (signal.SIGSYS - 1) if confined else 0
    assert int(facts["SigCgt"], 16) == caught, facts["SigCgt"]
    for mask in ("SigBlk", "SigIgn", "SigPnd", "ShdPnd"):
        assert int(facts[mask], 16) == 0, f"{mask} is {facts[mask]}"
    assert os.getpgid(pid) == pid
    assert not session or os.getsid(pid) == pid


def ignore_internal_signals():
    """Ignore 32 and 33, as GNU make does; libc's functions do not accept them."""
    ignored = (ctypes.c_ulong * 4)(1, 0, 0, 0)
    for number in (32, 33) if RT_SIGACTION else ():
        libc.syscall(RT_SIGACTION, number, ctypes.byref(ignored), None, 8)


def spoil_signals():
    """For preexec_fn: signal settings of a careless parent."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    ignore_internal_signals()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1])


@pytest.mark.parametrize("sandbox", ["off", "auto"])
@pytest.mark.parametrize("reuse, sockets", [(1, 1), ("always", 2)])
def test_a_worker_has_its_connection_and_nothing_else(prongd, reuse, sockets, sandbox):
    confined = sandbox == "auto" and not SANITIZED
    session = not confined  # or if there is a terminal to leave
    with open("/dev/null") as leaked, open("/etc/passwd") as secret:
        server = prongd(
            "-s", 2, "-r", reuse, "--sandbox", sandbox, "echo",
            preexec_fn=spoil_signals,
            pass_fds=[leaked.fileno(), secret.fileno()])  # fmt: skip
    spares = server.expect_workers(2)
    for pid in spares:
        settled(pid)
        expect_bare(pid, 1, confined, session)  # the channel
    server.hold(5)
    for line in server.wait_log(event="serve", count=5):
        pid = int(line["pid"])
        expect_bare(pid, sockets, confined, session)
        assert status(pid)["PPid"] == str(server.pid)


def test_the_exit_status_tells_the_reason(prongd, handlers):
    def last_reap(server):
        [close] = server.wait_log(event="close")
        return close["reason"], server.wait_log(event="reap", pid=close["pid"])[0]

    server = prongd("-s", 0, "echo")
    server.ask(b"x")
    reason, reap = last_reap(server)
    assert (reason, reap["status"]) == ("eof", "100")

    server = prongd("-s", 0, "daytime")
    server.ask()
    reason, reap = last_reap(server)
    assert (reason, reap["status"]) == ("done", "101")

    server = prongd("-s", 0, "echo")
    reset(server.hold()[0])
    reason, reap = last_reap(server)
    assert (reason, reap["status"]) == ("reset", "102")

    server = handlers("fails")
    server.ask()
    reason, reap = last_reap(server)
    assert (reason, reap["status"]) == ("failed", "105")

    server = handlers("exits")
    server.ask()
    reason, reap = last_reap(server)
    assert (reason, reap["status"]) == ("crash-exit", "77")

    server = handlers("killed")
    with contextlib.suppress(ConnectionError):
        server.ask()
    reason, reap = last_reap(server)
    assert (reason, reap["signal"]) == ("crash-signal", "KILL")


def test_a_crash_is_seen_by_nobody_else(handlers):
    """FAULT 8: the server lives, and its counts stay correct."""
    server = handlers("-s", 2, "killed")
    for _ in range(100):
        with contextlib.suppress(ConnectionError):
            assert server.ask() == b""
    assert eventually(
        lambda: (t := server.totals())["closed"] == "100" and t, "all closed")[
        "crash-signal"] == "100"  # fmt: skip


def test_a_handler_that_exits_as_if_rights_had_been_refused_has_crashed(handlers):
    """Whatever a worker reports, the supervisor goes on."""
    server = handlers("exits-as-refused")
    for _ in range(3):
        assert server.ask() == b""
    closed = server.wait_log(event="close", count=3)
    ends = {(line["reason"], line["status"]) for line in closed}
    assert ends == {("crash-exit", "106")}
    assert server.log_lines(event="privileges-failed") == []


def test_thousands_of_exits_at_once_leave_no_zombie(prongd, scale):
    """FAULT 9. The kernel merges their SIGCHLDs into a few."""
    count = int(2000 * scale)
    server = prongd("-n", count + 10, "-s", 0, "echo", verbose=False)
    server.hold(count)
    workers = server.expect_workers(count)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    eventually(
        lambda: all(is_zombie(pid) for pid in workers), "all dead", interval=0.001)
    eventually(lambda: not server.children(), "no zombie", timeout=0.5)
    print(f"{count} exits collected within {time.monotonic() - killed:.3f} s")
    totals = server.totals()
    assert totals["crash-signal"] == totals["closed"] == str(count)


@pytest.mark.skipif(not PRONGD.exists() or b"ld-linux" in PRONGD.read_bytes(),
                    reason="of the static prongd")
def test_a_fork_copies_no_heap_and_no_relocations(prongd):
    """Each mapping, and each distant part of the address space, costs every child."""
    server = prongd("-s", 1, "echo")
    assert "[heap]" not in read(server.pid, "maps")
    [worker] = server.workers()

    def pieces(pid):
        """Where each mapping of the program begins."""
        lines = read(pid, "maps").splitlines()
        return [line.split("-")[0] for line in lines if line.endswith(f" {PRONGD}")]

    assert pieces(server.pid)[0] not in pieces(worker)
    assert pieces(server.pid)[-1] in pieces(worker)


def test_killed_workers_cost_only_their_own_connections(prongd, scale):
    """FAULT 10: one every 50 ms, busy or spare, under load."""
    server = prongd("-s", 4, "echo", verbose=False)
    rate = int(300 * max(scale, 0.3))
    loading = start_load(server, "-r", f"{rate}/s", "-d", "10s")
    kills = 0
    while loading.poll() is None:
        if workers := server.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)
                kills += 1
        time.sleep(0.05)  # the pace of the kills
    result = finish_load(loading)
    assert kills > 50
    assert result["ok"] > 5 * rate
    assert failures(result) <= kills, result
    server.expect_workers(4, timeout=1)
    assert server.ask(b"fine") == b"fine"


def is_free(family, address):
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen()
        except OSError:
            return False
        return True


@pytest.mark.parametrize("reuse", [1, "always"])
def test_nothing_outlives_a_supervisor_that_was_killed(prongd, reuse):
    """FAULT 11: within a second all sessions are gone and the port is free."""
    server = prongd("-s", 4, "-r", reuse, "echo", listen=["127.0.0.3:0"])
    clients = server.hold(100)
    workers = server.expect_workers(104)
    server.kill()
    address = server.addresses[0]
    eventually(
        lambda: all(map(is_zombie, workers)) and is_free(*address),
        "all gone and the port free", timeout=1)  # fmt: skip
    for client in clients:
        with contextlib.suppress(ConnectionError):
            assert receive_all(client) == b""


def test_a_supervisor_killed_while_it_forks_leaves_no_process(prongd):
    """FAULT 11, races: at the end it is checked that none is alive."""
    for _ in range(50):
        server = prongd("-s", 16, "-q", "echo", verbose=False)
        time.sleep(random.uniform(0, 0.005))  # any moment of its start
        server.kill()


def test_reused_workers_that_died_idle_lose_nobody(prongd):
    server = prongd("-s", 1, "-r", "always", "-n", 2, "echo")
    for _ in range(10):
        idle = eventually(server.workers, "a spare")
        for pid in idle:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: all(map(is_zombie, idle)), "dead", interval=0)
        assert server.ask(b"fine") == b"fine"


def test_the_last_connection_of_a_process_lasts_like_any_other(prongd):
    """Its worker has closed the channel by then, which does not mean that it died."""
    server = prongd("-r", 3, "-s", 1, "echo")
    serve_one_by_one(server, 2)
    [client] = server.hold()
    time.sleep(1)  # a worker that is considered dead would get SIGKILL
    assert echoes(client)
    client.close()
    assert server.wait_log(event="close", conn=3)[0]["reason"] == "eof"
    assert server.log_lines(event="serve")[2]["pid"] == server.log_lines(
        event="serve")[0]["pid"]  # fmt: skip


@pytest.mark.parametrize("reuse", ["always", 1])
def test_spares_that_die_at_once_are_replaced_with_pauses(prongd, reuse):
    server = prongd("-r", reuse, "-s", 2, "echo")
    begin = time.monotonic()
    killed = set()
    while time.monotonic() - begin < 1.5:
        for pid in server.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    eventually(lambda: all(map(is_zombie, killed)), "dead")
    assert int(server.totals()["processes"]) < 150
    assert server.log_lines(event="spare-died")
    assert server.ask(b"still") == b"still"


@pytest.mark.parametrize("reuse, before, then", [
    (1, os.SCHED_OTHER, os.SCHED_OTHER),
    ("always", os.SCHED_OTHER, os.SCHED_BATCH),
    (5, os.SCHED_OTHER, os.SCHED_BATCH),
    ("always", os.SCHED_IDLE, os.SCHED_IDLE),
])  # fmt: skip
def test_a_pool_is_scheduled_as_a_batch_unless_somebody_chose(
        prongd, reuse, before, then):  # fmt: skip
    def choose():
        os.sched_setscheduler(0, before, os.sched_param(0))

    server = prongd("-r", reuse, "-s", 2, "echo", preexec_fn=choose)
    for pid in [server.pid, *server.expect_workers(2)]:
        assert os.sched_getscheduler(pid) == then
