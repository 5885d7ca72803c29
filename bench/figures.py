"""Measure what noise affects, in rounds taken in turn: rates, times, throughput,
memory.

A sample is a number, or a string that says how it failed; every sample is kept. Samples
of the same round have the same index in each list, so that ratios compare one round.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, NamedTuple

from servers import SOURCES, Server, failed, load_command

ECHOES = ["fork_echo", "prefork_echo", "epoll_echo", "spawn_echo"]
POOLS = ["prongd -r always -s 16", "prongd --accept workers"]
OURS = ["prongd", *POOLS, "prongd cat", "prongd --warm cat"]
PEERS = ["socat PIPE", "socat EXEC cat", "tcpserver cat", "tcpsvd cat", "xinetd cat",
         "ncat cat", "ForkingTCPServer", "Net::Server Fork",
         "Net::Server PreFork"]  # fmt: skip
# One loading process keeps a processor busy and has no time left: the fastest servers
# could not be told apart, and those that wake a process for each request would pay for
# its time.
TWO = ["--processes", "2"]
HELD_CHURN = ["--churn", "-c", "16", "-d", "700ms", *TWO, "-t", "10s", *SOURCES]
MEMORY_HELD = 6000
FEWER_HELD = {"ForkingTCPServer": 1000, "Net::Server Fork": 1000}  # over a MiB each


class Figure(NamedTuple):
    key: str
    title: str
    words: list[str]
    value: Callable[[dict], float]
    servers: list[str]
    reference: str  # the ratios in the tables refer to this one
    unit: str


def per_second(report):
    return report["per_second"]


def megabytes(report):
    return report["bytes_in"] / report["seconds"] / 1e6


def first(report):
    return report["first_us"]["p50"]


LOADS = [
    Figure("churn", "Connections per second, 16 at a time",
           ["--churn", "-c", "16", "-d", "800ms", *TWO, "-t", "10s", *SOURCES], per_second,
           [*ECHOES, *OURS, *PEERS], "fork_echo", "1/s"),
    Figure("churn_one", "The same with one loading process, which is then the bottleneck",
           ["--churn", "-c", "16", "-d", "800ms", "-t", "10s", *SOURCES], per_second,
           ["epoll_echo", "fork_echo", "prefork_echo", "prongd", *POOLS,
            "Net::Server PreFork"], "epoll_echo", "1/s"),
    Figure("first", "First echo at 100 connections per second, p50",
           ["--rate", "100/s", "-d", "1s", "-t", "10s", *SOURCES], first,
           [*ECHOES, *OURS, "prongd -s 16", *PEERS], "epoll_echo", "µs"),
    Figure("keep", "64-byte round trips per second on 16 kept connections",
           ["--keep", "-c", "16", "-d", "1s", *TWO, "-t", "10s"], per_second,
           ["epoll_echo", "fork_echo", "prongd", "prongd -r always -s 16", "socat PIPE",
            "ForkingTCPServer", "Net::Server PreFork"], "epoll_echo", "1/s"),
    Figure("keep_one", "The same with one loading process, which is then the bottleneck",
           ["--keep", "-c", "16", "-d", "1s", "-t", "10s"], per_second,
           ["epoll_echo", "fork_echo", "prongd", "prongd -r always -s 16"], "epoll_echo", "1/s"),
    Figure("stream", "Bulk echo on 2 connections, each way",
           ["--stream", "-c", "2", "-d", "1s", "-t", "5s"], megabytes,
           ["fork_echo", "epoll_echo", "prongd", "socat PIPE", "tcpserver cat",
            "ForkingTCPServer", "Net::Server Fork"], "fork_echo", "MB/s"),
]  # fmt: skip

HELD = ["prongd", "fork_echo", "epoll_echo"]
MEMORY = ["prongd", "fork_echo", "epoll_echo", "socat PIPE", "tcpserver cat",
          "ForkingTCPServer", "Net::Server Fork"]  # fmt: skip


def held_key(level):
    return f"held_{level}"


def held_levels(most):
    return [0, most // 5, most // 2, most]


def checked(report, value):
    """Return the value, or the reason why it must not be used."""
    return f"failed: {failed(report)}" if failed(report) else value(report)


class Hold:
    """Connections that have been echoed once and stay open until the block ends."""

    def __init__(self, server, count):
        words = ["--hold", str(count), "--wait", *SOURCES]
        self.process = subprocess.Popen(
            load_command(words, server.address), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)  # fmt: skip
        self.complete = self.process.stdout.readline().split() == ["held", str(count)]

    def end(self):
        """Return what failed, in words."""
        output, _ = self.process.communicate("\n", timeout=120)
        report = json.loads(output.splitlines()[-1])
        return failed(report) or ("" if self.complete else "not all were held")


def on_processor_lists():
    """KiB that are free but kept for one processor. After many processes have ended
    this may be a gigabyte, which MemAvailable leaves out."""
    lines = Path("/proc/zoneinfo").read_text().splitlines()
    pages = sum(int(line.split()[1]) for line in lines if line.split()[0] == "count:")
    return pages * (os.sysconf("SC_PAGE_SIZE") // 1024)


def memory_available():
    """KiB that are free, or can be made free at once."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) + on_processor_lists()
    raise RuntimeError("no MemAvailable")


def settled_memory(patience=8):
    """Memory once the kernel has freed what the last server used, which takes a while.
    Otherwise connections would seem to need less."""
    deadline = time.monotonic() + patience
    last, quiet = memory_available(), 0
    while quiet < 3 and time.monotonic() < deadline:
        time.sleep(0.2)
        now = memory_available()
        quiet = quiet + 1 if abs(now - last) < 512 else 0
        last = now
    return last


def memory_per_connection(name):
    """KiB, including both ends' sockets, processes, page tables and the load."""
    count = FEWER_HELD.get(name, MEMORY_HELD)
    with Server(name) as server:
        before = settled_memory()
        hold = Hold(server, count)
        used = before - memory_available()
        wrong = hold.end()
    return {"memory": f"failed: {wrong}" if wrong else used / count}


def rate_while_held(name, most):
    """Connections per second while the same server holds more and more others."""
    found, holds = {}, []
    with Server(name) as server:
        for level in held_levels(most):
            more = level - sum(count for count, _ in holds)
            if more:
                holds.append((more, Hold(server, more)))
            found[held_key(level)] = checked(server.load(*HELD_CHURN), per_second)
        wrong = [words for _, hold in holds if (words := hold.end())]
    if wrong:
        found[held_key(most)] = f"failed: {', '.join(wrong)}"
    return found


def one_load(figure, name):
    with Server(name) as server:
        return {figure.key: checked(server.load(*figure.words), figure.value)}


def measurements(most_held):
    """The parts of a round: the keys that each one gives, the server, the call."""
    for figure in LOADS:
        for name in figure.servers:
            yield [figure.key], name, lambda f=figure, n=name: one_load(f, n)
    held = [held_key(level) for level in held_levels(most_held)]
    for name in HELD:
        yield held, name, lambda n=name: rate_while_held(n, most_held)
    for name in MEMORY:
        yield ["memory"], name, lambda n=name: memory_per_connection(n)


def attempt(keys, measure):
    """A server that cannot do it has failed; the others go on."""
    try:
        return measure()
    except (RuntimeError, OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {key: f"failed: {str(error)[:80]}" for key in keys}


def measure_all(rounds, most_held):
    """{key: {server: [sample of each round]}}"""
    samples = {}
    for number in range(1, rounds + 1):
        begun = time.monotonic()
        for keys, name, measure in measurements(most_held):
            for key, value in attempt(keys, measure).items():
                samples.setdefault(key, {}).setdefault(name, []).append(value)
        seconds = time.monotonic() - begun
        print(f"round {number} of {rounds}: {seconds:.0f} s", file=sys.stderr)
    return samples
