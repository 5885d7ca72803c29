"""Repeated signals while prongd ends, even by the ten thousand, change nothing."""

import contextlib
import os
import resource
import signal
import time

import pytest

from harness import eventually
from proc import state

KINDS = {"fresh": ("-s", 2, "echo"), "pool": ("-r", "always", "-s", 2, "echo"),
         "accepting": ("-r", "always", "-s", 2, "--accept", "workers", "echo"),
         "program": ("--", "cat"), "warm": ("--warm", "-s", 1, "--", "cat"),
         "monitored": ("--kill-descendants", "--", "cat")}  # fmt: skip
QUEUED = 90_000


def send(server, number):
    """Return whether the process was still there."""
    try:
        os.kill(server.pid, number)
    except ProcessLookupError:
        return False
    return server.process.poll() is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("first, again", [
    (signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGQUIT),
    (signal.SIGQUIT, signal.SIGINT), (signal.SIGTERM, signal.SIGHUP),
    (signal.SIGTERM, signal.SIGALRM), (signal.SIGINT, signal.SIGUSR1)],
    ids=lambda number: number.name)  # fmt: skip
def test_a_signal_that_comes_again_and_again_is_no_other_end(prongd, kind, first, again):
    """At any time: it is sent until the process is gone."""
    for _ in range(3):
        server = prongd("-q", *KINDS[kind], verbose=False)
        os.kill(server.pid, first)
        while send(server, again):
            pass
        server.expect_exit()


def queue_up(pid, count):
    """Queue real-time signals of all numbers in turn; return how
    many the kernel took."""
    numbers = range(signal.SIGRTMIN, signal.SIGRTMAX + 1)
    done = 0
    with contextlib.suppress(BlockingIOError):
        while done < count:
            os.kill(pid, numbers[done % len(numbers)])
            done += 1
    return done


@pytest.fixture
def many():
    """As many signals as may be queued here."""
    limit, _ = resource.getrlimit(resource.RLIMIT_SIGPENDING)
    count = QUEUED if limit < 0 else min(QUEUED, limit * 3 // 4)
    if count < 1000:
        pytest.skip("a thousand signals cannot be queued here")
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_queued_signals_do_not_delay_a_stop(prongd, kind, many):
    server = prongd(*KINDS[kind])
    server.signal(signal.SIGSTOP)
    eventually(lambda: state(server.pid) == "T", "stopped")
    queue_up(server.pid, many)
    server.signal(signal.SIGTERM)
    server.signal(signal.SIGCONT)
    server.expect_exit(timeout=10)


def test_queued_signals_keep_nobody_waiting(prongd, many):
    server = prongd("echo")
    server.signal(signal.SIGSTOP)
    eventually(lambda: state(server.pid) == "T", "stopped")
    queue_up(server.pid, many)
    server.signal(signal.SIGCONT)
    begin = time.monotonic()
    assert server.ask(b"all the same") == b"all the same"
    assert time.monotonic() - begin < 5
