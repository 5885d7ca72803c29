"""A supervisor with nothing to do sleeps: no wake-up, no processor time.

This holds whatever happened before. All servers are watched during the same seconds.
"""

import contextlib
import os
import signal
import time

import pytest

from harness import load
from proc import cpu_seconds, settled, sleeps
from sockets import receive_all, reset

SECONDS = 5


def nothing(server):
    pass


def a_session_is_open(server):
    server.hold(3)


def connections_were_served(server):
    load(server, "--churn", "-n", 200, "-c", 8)


def a_busy_worker_died(server):
    [client] = server.hold()
    os.kill(int(server.wait_log(event="serve")[0]["pid"]), signal.SIGKILL)
    with contextlib.suppress(ConnectionError):
        receive_all(client)
    server.wait_log(event="close", reason="crash-signal")


def a_spare_died(server):
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    server.wait_log(event="reap", pid=victim)
    server.expect_workers(server.spares())


def a_session_was_reset(server):
    for client in server.hold(3):
        reset(client)
    server.wait_log(event="close", count=3)


def the_limit_was_reached_and_left(server):
    server.hold(3)
    server.wait_log(event="limit-reached")
    waiting = server.connect()
    server.close_clients()
    waiting.close()
    server.wait_log(event="limit-cleared")


def it_is_full_and_clients_wait(server):
    server.hold(3)
    server.wait_log(event="limit-reached")
    for _ in range(3):
        server.connect().sendall(b"waiting")


def a_client_was_refused(server):
    server.hold(3)
    with server.connect() as client:
        assert receive_all(client) == b"full"
    server.wait_log(event="refused")


def a_refused_client_stayed(server):
    server.hold(3)
    server.connect()
    server.wait_log(event="refused")
    time.sleep(1.2)  # longer than it is waited for


def it_was_signalled(server):
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD):
        server.signal(number)
    server.wait_log(event="totals")


def it_is_stopping(server):
    server.hold(3)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")


REFUSE = ["-n", 3, "-s", 1, "--at-limit", "refuse:full"]
CASES = [
    (nothing, []),
    (nothing, ["-s", 0]),
    (nothing, ["-r", "always"]),
    (a_session_is_open, []),
    (a_session_is_open, ["-s", 0, "--session-timeout", "1h", "--idle-timeout", "1h"]),
    (connections_were_served, []),
    (connections_were_served, ["-s", 0]),
    (connections_were_served, ["-r", "always", "-n", 4, "-s", 4]),
    (a_busy_worker_died, []),
    (a_busy_worker_died, ["-r", "always"]),
    (a_spare_died, []),
    (a_spare_died, ["-r", "always"]),
    (a_session_was_reset, ["-r", 3, "-n", 8]),  # as many as spare, so none leaves later
    (the_limit_was_reached_and_left, ["-n", 3, "-s", 1]),
    (it_is_full_and_clients_wait, ["-n", 3, "-s", 1]),
    (a_client_was_refused, REFUSE),
    (a_refused_client_stayed, REFUSE),
    (it_was_signalled, []),
    (it_is_stopping, ["--grace", "1h"]),
]
NAMES = [" ".join([case.__name__, *map(str, words)]) for case, words in CASES]


@pytest.fixture(scope="module")
def measured(module_prongd):
    """For each case: wake-ups and processor time of its idle supervisor."""
    watched = {}
    for name, (case, words) in zip(NAMES, CASES):
        server = module_prongd(*words, "echo")
        case(server)
        watched[name] = server
    for server in watched.values():
        for pid in (*server.workers(), server.pid):  # a worker may wake the supervisor
            settled(pid)

    def look():
        return {n: (sleeps(s.pid), cpu_seconds(s.pid)) for n, s in watched.items()}

    before = look()
    time.sleep(SECONDS)  # the time for which they are watched
    after = look()
    for server in watched.values():
        server.close_clients()
    return {name: [b - a for a, b in zip(before[name], after[name])] for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_the_supervisor_sleeps_when(measured, name):
    wake_ups, seconds = measured[name]
    assert wake_ups == 0
    assert seconds == 0
