"""FAULT 24: a worker that overwrites all memory that it can write harms only itself.

The supervisor lives, keeps its limits, signals no unrelated process, serves other
clients and keeps its counts numeric. What is written is chosen to be misunderstood: -1,
a pid, the largest number, noise.
"""

import contextlib
import random
import re
import signal
import struct
import subprocess
import threading

import pytest

from harness import SANITIZED
from logline import reasons
from proc import read, status
from sockets import echoes, receive_all, receive_exactly, reset

PATTERN = 4096  # bytes that the handler expects
MOST = 8  # processes
LARGEST = (1 << 63) - 1


def block_all_signals():
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


@pytest.fixture
def bystander():
    """A process with a group of its own, which must receive no signal."""
    words = ["sleep", "infinity"]
    process = subprocess.Popen(
        words, start_new_session=True, preexec_fn=block_all_signals)  # fmt: skip
    try:
        yield process
        assert process.poll() is None, "a stranger was killed"
        facts = status(process.pid)
        assert int(facts["SigPnd"], 16) == int(facts["ShdPnd"], 16) == 0
    finally:
        process.kill()
        process.wait()


def repeated(number, letter):
    packed = struct.pack(letter, number)
    return packed * (PATTERN // len(packed))


def patterns(bystander):
    generator = random.Random(24)
    return [
        repeated(-1, "q"),
        repeated(LARGEST, "q"),
        repeated(-LARGEST - 1, "q"),
        repeated(1, "q"),
        repeated(bystander.pid, "q"),
        repeated(-bystander.pid, "q"),
        repeated(bystander.pid, "i"),
        repeated(-bystander.pid, "i"),
        *(generator.randbytes(PATTERN) for _ in range(10)),
    ]


def scribbling(server, pattern):
    """A client whose worker keeps writing over the memory that
    it shares with others."""
    client = server.connect()
    client.sendall(b"s" + pattern)
    assert receive_exactly(client, 4) == b"done"
    return client


def destroy_a_worker(server, pattern):
    """Its worker writes over everything, and dies of it."""
    client = server.connect()
    client.sendall(b"a" + pattern)
    with contextlib.suppress(ConnectionError):
        assert receive_all(client) == b""


@contextlib.contextmanager
def never_more_processes_than(server, most):
    counts = []
    over = threading.Event()

    def watch():
        while not over.wait(0.001):
            counts.append(len(server.children()))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        over.set()
        watching.join()
    assert 0 < max(counts) <= most


def expect_numbers(server, totals):
    """Every number in the log is a number, from 0 to the largest."""
    for line in [*server.log_lines(event="close"), totals]:
        for key in {"bytes_in", "bytes_out", "closed"} & line.keys():
            assert 0 <= int(line[key]) <= LARGEST, line


POOLS = [["-r", 1, "-s", 2], ["-r", 1, "-s", 0], ["-r", "always", "-s", 2], ["-r", 3, "-s", 0]]


@pytest.mark.parametrize("pool", POOLS, ids=lambda words: " ".join(map(str, words)))
def test_scribbling_harms_nobody_else(bystander, handlers, pool):
    server = handlers("-n", MOST, *pool, "scribble")
    held = server.connect()
    held.sendall(b"e")
    done = {"eof": 1, "done": 0, "crash-signal": 0}
    with never_more_processes_than(server, MOST):
        for pattern in patterns(bystander):
            writers = [scribbling(server, pattern) for _ in range(2)]
            if not SANITIZED:  # it would overwrite the sanitizer's own memory too
                destroy_a_worker(server, pattern)
                done["crash-signal"] += 1
            for _ in range(3):
                assert server.ask(b"eothers") == b"others"
            assert echoes(held)
            for writer in writers:
                writer.close()
            done["done"] += len(writers)
            done["eof"] += 3
    held.close()
    server.wait_log(event="close", count=sum(done.values()))
    totals = server.stop()
    expect_numbers(server, totals)
    assert reasons(totals) == {name: n for name, n in done.items() if n > 0}


def test_counts_that_are_scribbled_over_stay_numbers(bystander, handlers):
    """If workers accept for themselves, only they know what they have counted."""
    server = handlers("-n", MOST, "-r", 2**32 - 1, "-s", 4, "--accept", "workers",
                      "scribble")  # fmt: skip
    with never_more_processes_than(server, MOST):
        for pattern in patterns(bystander):
            writer = scribbling(server, pattern)
            if not SANITIZED:
                destroy_a_worker(server, pattern)
            assert server.ask(b"eothers") == b"others"
            writer.close()
    totals = server.totals()
    expect_numbers(server, totals)
    assert all(0 <= int(totals[key]) <= LARGEST for key in ("accepted", "active"))
    server.signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    server.checked = True  # except the balance, which may be anything now


def test_a_crowd_that_scribbles_does_not_get_beyond_the_limit(bystander, handlers):
    """All processes do it, and more clients wait."""
    server = handlers("-n", MOST, "-s", 2, "scribble")
    noise = random.Random(24)
    with never_more_processes_than(server, MOST):
        writers = [scribbling(server, noise.randbytes(PATTERN)) for _ in range(MOST)]
        server.wait_log(event="limit-reached")
        waiting = [server.connect() for _ in range(3 * MOST)]
        for client in waiting:
            client.sendall(b"ewaiting")
        for writer in writers:
            writer.close()
        for client in waiting:
            assert receive_exactly(client, 7) == b"waiting"
            client.close()
    server.wait_log(event="close", count=4 * MOST)
    expect_numbers(server, server.stop())


def overwrite_shared_memory(pid, pattern):
    """Do from outside what a broken-into process could do; return
    how many bytes it was."""
    count = 0
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for match in re.finditer(r"^(\w+)-(\w+) rw-s", read(pid, "maps"), re.M):
            start, end = int(match[1], 16), int(match[2], 16)
            for at in range(start, end, PATTERN):
                memory.seek(at)
                count += memory.write(pattern)
    return count


@pytest.mark.parametrize("leave", [lambda client: client.close(), reset],
                         ids=["closed", "reset"])  # fmt: skip
def test_an_attendant_that_scribbles_harms_nobody_else(bystander, prongd, root, leave):
    """Monitors share memory with the supervisor as workers do."""
    server = prongd("-n", MOST, "--kill-descendants", "--stderr", "null", "--", "cat")
    count = 0
    with never_more_processes_than(server, MOST):
        for pattern in patterns(bystander):
            [client] = server.hold()
            [attendant] = server.workers()
            assert overwrite_shared_memory(attendant, pattern) >= PATTERN
            leave(client)
            assert server.ask(b"others") == b"others"
            count += 2
            server.wait_log(event="close", count=count)
            server.expect_workers(0)
    totals = server.stop()
    expect_numbers(server, totals)
    assert totals["accepted"] == str(count)
