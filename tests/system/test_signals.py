"""Signals, at any rate and in any state, change neither a byte nor a session."""

import contextlib
import itertools
import os
import signal
import threading
import time

from harness import SANITIZED, eventually, load
from logline import reasons
from proc import state
from sockets import echoes, exchange, receive_all

TO_SUPERVISOR = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD,
                 signal.SIGWINCH, signal.SIGALRM, signal.SIGPIPE]  # fmt: skip
TO_WORKERS = [signal.SIGCHLD, signal.SIGWINCH, signal.SIGCONT, signal.SIGURG]
SECONDS = 6


def send_signals(server, end, sent):
    """About a thousand a second, alternately to the supervisor and to a worker."""
    numbers = itertools.cycle(zip(itertools.cycle(TO_SUPERVISOR), TO_WORKERS))
    workers = itertools.cycle(server.workers())
    refresh = 0.0
    while (now := time.monotonic()) < end:
        if now >= refresh:
            refresh = now + 0.1
            workers = itertools.cycle(server.workers() or [server.pid])
        first, second = next(numbers)
        server.signal(first)
        with contextlib.suppress(ProcessLookupError):
            os.kill(next(workers), second)
        sent.append(second)
        time.sleep(0.001)  # the pace of the signals


def repeat(action, end, failures):
    try:
        while time.monotonic() < end:
            action()
    except BaseException as failure:
        failures.append(failure)


def test_a_thousand_signals_a_second_spoil_no_byte(prongd):
    """FAULT 13: to the supervisor and to the workers, under three kinds of load."""
    server = prongd("-s", 4, "echo", verbose=False)
    end = time.monotonic() + SECONDS
    size = "4M" if SANITIZED else "64M"
    actions = [
        lambda: load(server, "--stream", "-c", 2, "-s", size),
        lambda: load(server, "--keep", "-c", 4, "-n", 4000),
        lambda: load(server, "--churn", "-c", 4, "-n", 500),
    ]
    sent, failures = [], []
    threads = [
        threading.Thread(target=repeat, args=(action, end, failures))
        for action in actions
    ]
    for thread in threads:
        thread.start()
    send_signals(server, end, sent)
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(sent) > 100 * SECONDS
    totals = server.totals()
    assert set(reasons(totals)) == {"eof"}
    assert totals["bytes_in"] == totals["bytes_out"]
    for event in ("totals", "signal-ignored"):  # logged at most once a second
        assert len(server.log_lines(event=event)) <= 2 * SECONDS + 10


def test_signals_to_a_reused_worker_spoil_no_byte(prongd):
    server = prongd("-s", 2, "-r", "always", "echo", verbose=False)
    data = os.urandom(4 << 20)
    sent = []
    end = time.monotonic() + 1
    sender = threading.Thread(target=send_signals, args=(server, end, sent))
    sender.start()
    while time.monotonic() < end:
        assert server.ask(data) == data
    sender.join()


def stop_process(pid):
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: state(pid) == "T", "stopped")


def test_a_worker_stopped_for_a_while_loses_nothing(prongd):
    """FAULT 12: its client sent in time, so the idle timeout has not passed."""
    server = prongd("--idle-timeout", "1s", "--session-timeout", "60s", "echo")
    [client] = server.hold()
    pid = int(server.wait_log(event="serve")[0]["pid"])
    stop_process(pid)
    client.sendall(b"are you there?")
    time.sleep(2)  # longer than the idle timeout
    assert server.ask(b"others are served") == b"others are served"
    os.kill(pid, signal.SIGCONT)
    assert client.recv(100) == b"are you there?"
    assert echoes(client)


def test_a_worker_stopped_for_good_is_ended_at_the_deadline(prongd):
    server = prongd("--session-timeout", "1s", "echo")
    [client] = server.hold()
    pid = int(server.wait_log(event="serve")[0]["pid"])
    stop_process(pid)
    [close] = server.wait_log(event="close", timeout=5)
    assert close["reason"] == "deadline"
    assert 1000 <= int(close["duration_ms"]) <= 3000
    with contextlib.suppress(ConnectionError):
        assert receive_all(client) == b""


def test_a_supervisor_stopped_for_a_while_ends_no_session_wrongly(prongd):
    """FAULT 12: sessions that ended meanwhile keep their own reason; others go on."""
    short = prongd("--session-timeout", "1s", "--idle-timeout", "60s", "echo")
    long = prongd("--session-timeout", "60s", "-s", 2, "echo")
    short.hold(3)
    clients = long.hold(5)
    for server in (short, long):
        stop_process(server.pid)
    queued = [long.connect() for _ in range(5)]
    time.sleep(2.5)  # longer than the session timeout
    assert all(echoes(client) for client in clients)
    for server in (short, long):
        os.kill(server.pid, signal.SIGCONT)
    ends = short.wait_log(event="close", count=3)
    assert {line["reason"] for line in ends} == {"deadline"}
    assert all(echoes(client) for client in clients)
    for client in queued:
        assert exchange(client, b"queued") == b"queued"
    long.close_clients()
    long.wait_log(event="close", count=10)
    assert reasons(long.totals()) == {"eof": 10}
