"""Many connections: one after the other, at once, and large ones.

A sanitized build does a tenth.
"""

import resource
import subprocess
import threading

import pytest

from harness import PRONG, SANITIZED, eventually, load
from logline import reasons
from proc import cpu_seconds, memory

ALLOWANCE = 256 * 1024  # bytes by which the supervisor's memory may vary


def needs_descriptors(count):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if most < count + 100:
        pytest.skip(f"needs {count} descriptors, and {most} are allowed (ulimit -Hn)")


def test_fifty_thousand_connections_are_all_served_and_counted(prongd, scale):
    """FAULT 3."""
    count = int(50_000 * scale)
    server = prongd("echo", verbose=False, listen=["127.0.0.5:0"])
    load(server, "--churn", "-n", count // 10, "-c", 16, "--sources", "127.0.1.1/100")
    before = memory(server.pid)
    load(server, "--churn", "-n", count, "-c", 16, "--sources", "127.0.1.1/100")
    eventually(lambda: not server.zombies(), "no zombie", timeout=1)
    assert memory(server.pid) <= before + ALLOWANCE
    count += count // 10
    totals = server.stop()
    assert totals["accepted"] == str(count)
    assert reasons(totals) == {"eof": count}
    assert totals["bytes_in"] == totals["bytes_out"] == str(64 * count)
    again = prongd("echo", listen=server.texts)
    assert again.ask(b"bound at once") == b"bound at once"


def test_reused_processes_serve_as_exactly(prongd, scale):
    count = int(20_000 * scale)
    server = prongd("-r", 100, "echo", verbose=False)
    load(server, "--churn", "-n", count, "-c", 16)
    totals = eventually(
        lambda: (t := server.totals())["active"] == "0" and t,
        "all closed")  # fmt: skip
    assert reasons(totals) == {"eof": count}
    assert int(totals["processes"]) < count / 10


def test_three_hundred_clients_at_once_are_all_served(prongd):
    server = prongd("echo", verbose=False)
    result = load(server, "--hold", 300, "-d", 0)
    assert result["ok"] == 300
    load(server, "--churn", "-n", 900, "-c", 300)


def test_many_more_clients_than_processes_are_all_served(prongd):
    """FAULT 4, reduced: at the limit, every established connection is answered."""
    server = prongd("-n", 8, "echo", verbose=False)
    assert load(server, "--churn", "-n", 3000, "-c", 1000)["ok"] == 3000
    server.wait_log(event="limit-cleared")


def test_thousands_of_clients_held_at_once_are_all_served_twice(prongd, scale):
    """Each in a process of its own, twice over."""
    count = int(5000 * scale)
    needs_descriptors(count)
    server = prongd("-n", count + 1000, "echo", verbose=False)
    for number in (1, 2):
        assert load(server, "--hold", count, "-d", 0, "--timeout", "60s")["ok"] == count
        server.expect_workers(server.spares())
        totals = server.totals()
        assert reasons(totals) == {"eof": number * count}


def test_gigabytes_pass_without_the_supervisor_noticing(prongd, scale):
    """512 MiB each way through each of 4 connections."""
    size = int((1 << 29) * scale)
    server = prongd("echo", verbose=False)
    load(server, "--stream", "-c", 4, "-s", 1 << 20)
    before = memory(server.pid)
    peak = []
    watcher = threading.Event()

    def watch():
        while not watcher.wait(0.1):
            peak.append(memory(server.pid))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        result = load(server, "--stream", "-c", 4, "-s", size)
    finally:
        watcher.set()
        watching.join()
    assert result["bytes_in"] == result["bytes_out"] == 4 * size
    assert max(peak) <= before + ALLOWANCE


@pytest.mark.skipif(SANITIZED, reason="forking is much slower then, and hides it")
def test_clients_who_stay_do_not_make_it_dearer_to_serve_others(prongd):
    """Looking for ended children must not walk over the living ones."""
    held = 5000
    needs_descriptors(held)
    server = prongd("-n", held + 500, "echo", verbose=False)

    def supervisors_time():
        before = cpu_seconds(server.pid)
        load(server, "--churn", "-c", 16, "-n", 2000, "--sources", "127.0.1.1/100")
        return cpu_seconds(server.pid) - before

    def least_time():  # not counting what other tests do to the caches
        return min(supervisors_time() for _ in range(3))

    alone = least_time()
    words = [PRONG, "bench", "--hold", str(held), "--wait", server.texts[0]]
    holding = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # fmt: skip
    try:
        assert holding.stdout.readline() == f"held {held}\n"
        beside = least_time()
    finally:
        holding.communicate("\n")
    print(f"{beside / alone:.2f} of the processor time alone")
    assert beside < 2.5 * alone  # with such a walk it was nearly five times as much
