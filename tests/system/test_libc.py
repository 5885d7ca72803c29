"""For libc a worker is a process as fork(2) makes it, in the sandbox and outside.

tests/programs/libc.c explains the calls in the table below. Each row is tried without a
sandbox and in it; with workers made for a client and before it came; and in a host
process that had one thread, had several, or has functions of pthread_atfork(3).
"""

import errno
import functools

import pytest

from harness import BUILD, SANITIZED
from sockets import receive_all

PROGRAMS = BUILD / "tests" / "programs"
# The program and what it did before. Only with the first are workers made the short
# way.
HOSTS = {
    "plain": (PROGRAMS / "libc", ["--host", "plain"]),
    "threads": (PROGRAMS / "libc", ["--host", "threads"]),
    "atfork": (PROGRAMS / "libc-atfork", ["--host", "plain"]),
}
SANDBOXES = ["off"] if SANITIZED else ["off", "auto"]
TYPES = ["normal", "recursive", "errorcheck", "adaptive"]
BUSY, PERM, DEADLK = errno.EBUSY, errno.EPERM, errno.EDEADLK
DEAD, INVAL, LATE = errno.EOWNERDEAD, errno.EINVAL, errno.ETIMEDOUT
LOST = errno.ENOTRECOVERABLE

# The result for the owner of a mutex that locks it again: by trying, and with a
# timeout.
AGAIN = {"normal": (BUSY, LATE), "adaptive": (BUSY, LATE), "recursive": (0, 0),
         "errorcheck": (BUSY, DEADLK), "errorcheck-robust": (DEADLK, DEADLK)}  # fmt: skip


class Worker:
    """A connection, and its process, which does what it is told."""

    def __init__(self, server):
        self.server = server
        self.socket = server.connect()
        self.lines = self.socket.makefile("rb")
        self.number = None

    def send(self, call):
        self.socket.sendall(call.encode() + b"\n")

    def answer(self):
        return int(self.lines.readline())

    def do(self, call):
        self.send(call)
        return self.answer()

    def end(self, call):
        """The log line of the end to which the call leads."""
        told = {"event": "close", "peer": "{}:{}".format(*self.socket.getsockname())}
        before = len(self.server.log_lines(**told))  # a port may be used again
        self.send(call)
        assert receive_all(self.socket) == b""
        return self.server.wait_log(before + 1, **told)[-1]


def every_mutex(play):
    """A row for each type and robustness."""
    return {
        f"{play.__name__} {type_}{robust}": lambda workers, t=type_, r=robust: play(
            workers, t, r
        )
        for type_ in TYPES
        for robust in ("", "-robust")
    }


def a_mutex_lets_one_in(workers, type_, robust):
    one, other = workers(2)
    name = type_ + robust
    assert one.do(f"lock {name}") == 0
    assert other.do(f"try-lock {name}") == BUSY
    assert other.do(f"lock-for-a-while {name}") == LATE
    other.send(f"lock {name}")
    assert one.do(f"unlock {name}") == 0
    assert other.answer() == 0
    assert one.do(f"try-lock {name}") == BUSY
    assert other.do(f"unlock {name}") == 0
    assert one.do(f"try-lock {name}") == 0


def a_mutex_knows_its_owner(workers, type_, robust):
    one, other = workers(2)
    name = type_ + robust
    tried, waited = AGAIN.get(name, AGAIN[type_])
    assert one.do(f"lock {name}") == 0
    assert one.do(f"try-lock {name}") == tried
    assert one.do(f"lock-for-a-while {name}") == waited
    if robust or type_ in ("recursive", "errorcheck"):
        assert other.do(f"unlock {name}") == PERM
    assert other.do(f"try-lock {name}") == BUSY
    if type_ == "recursive":
        assert [one.do(f"unlock {name}") for _ in range(2)] == [0, 0]
        assert other.do(f"try-lock {name}") == BUSY
    assert one.do(f"unlock {name}") == 0
    assert other.do(f"lock {name}") == 0


def an_owner_that_crashes_is_noticed(workers, type_, robust):
    one, other, third = workers(3)
    name = type_ + robust
    assert one.do(f"lock {name}") == 0
    if robust:
        other.send(f"lock {name}")
    assert one.end("crash")["reason"] == "crash-signal"
    if not robust:
        assert other.do(f"lock-for-a-while {name}") == LATE
        return
    assert other.answer() == DEAD
    assert third.do(f"try-lock {name}") == BUSY
    assert other.do(f"make-consistent {name}") == 0
    assert other.do(f"unlock {name}") == 0
    assert third.do(f"lock {name}") == 0
    assert third.end("crash")["signal"] in ("ILL", "TRAP")
    assert other.do(f"lock {name}") == DEAD
    assert other.do(f"unlock {name}") == 0
    assert other.do(f"lock {name}") == LOST


def a_condition_wakes_others(workers, type_, robust):
    one, other = workers(2)
    name = type_ + robust
    assert one.do(f"lock {name}") == 0
    assert one.do(f"wait-for-a-while {name}") == LATE
    one.send(f"wait {name}")
    assert other.do(f"change {name}") == 0
    assert one.answer() == 0
    assert other.do(f"try-lock {name}") == BUSY
    assert one.do(f"unlock {name}") == 0


def a_semaphore_counts(workers):
    one, other = workers(2)
    assert one.do("take-for-a-while") == LATE
    one.send("take")
    assert [other.do("post") for _ in range(2)] == [0, 0]
    assert one.answer() == 0
    assert other.do("take-for-a-while") == 0
    assert other.do("take-for-a-while") == LATE


def a_rwlock_lets_readers_in(workers):
    one, other = workers(2)
    assert (one.do("read-lock"), other.do("read-lock")) == (0, 0)
    assert one.do("try-write-lock") == BUSY
    assert other.do("unlock-rwlock") == 0
    assert one.do("unlock-rwlock") == 0
    assert one.do("write-lock") == 0
    assert one.do("write-lock") == DEADLK
    other.send("write-lock")
    assert one.do("unlock-rwlock") == 0
    assert other.answer() == 0


def two_meet_at_a_barrier(workers):
    one, other = workers(2)
    for _ in range(3):
        one.send("meet")
        other.send("meet")
        assert sorted((one.answer(), other.answer())) == [0, 1]


def the_ids_are_the_kernels(workers):
    for worker in workers(2):
        assert worker.do("check-ids") == 0


def stdio_and_malloc_are_free(workers):
    for worker in workers(2):
        assert worker.do("print") == 0
        assert worker.do("allocate") == 0


def raise_ends_the_worker_alone(workers):
    one, other = workers(2)
    close = one.end("raise")
    if one.server.settings["sandbox"] == "off":
        assert (close["reason"], close["signal"]) == ("crash-signal", "TERM")
    else:  # it may not send signals: prong.h, enum prong_sandbox
        assert close["reason"] == "crash-sandbox"
    assert other.do("check-ids") == 0


def abort_ends_the_worker_alone(workers):
    one, other = workers(2)
    close = one.end("abort")
    if one.server.settings["sandbox"] == "off":
        assert (close["reason"], close["signal"]) == ("crash-signal", "ABRT")
    else:
        assert close["reason"] == "crash-sandbox"
    assert other.do("check-ids") == 0


TABLE = {
    **every_mutex(a_mutex_lets_one_in),
    **every_mutex(a_mutex_knows_its_owner),
    **every_mutex(an_owner_that_crashes_is_noticed),
    **every_mutex(a_condition_wakes_others),
    **{play.__name__: play for play in (
        a_semaphore_counts, a_rwlock_lets_readers_in, two_meet_at_a_barrier,
        the_ids_are_the_kernels, stdio_and_malloc_are_free,
        raise_ends_the_worker_alone, abort_ends_the_worker_alone)},
}  # fmt: skip


@pytest.fixture(scope="module")
def server_of(module_prongd):
    """One server for all rows with the same sandbox, host and number of spares."""

    @functools.cache
    def start(sandbox, host, spare):
        program, arguments = HOSTS[host]
        words = ["--sandbox", sandbox, "-s", spare, *arguments]
        return module_prongd(*words, program=program)

    def started(sandbox, host, spare):
        server = start(sandbox, host, spare)
        if (server.settings["sandbox"] == "off") != (sandbox == "off"):
            pytest.skip("no seccomp here")
        return server

    return started


@pytest.mark.parametrize("row", TABLE)
@pytest.mark.parametrize("spare", [0, 2], ids=["fresh", "spare"])
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_a_worker_is_a_fork_for_libc(server_of, sandbox, host, spare, row):
    server = server_of(sandbox, host, spare)

    def workers(count):
        return [Worker(server) for _ in range(count)]

    assert workers(1)[0].do("make-anew") == 0
    TABLE[row](workers)
    server.close_clients()


@pytest.mark.parametrize("sandbox", SANDBOXES)
def test_functions_of_pthread_atfork_are_called(server_of, sandbox):
    """They run in the parent too, and the child's may do what no worker may."""
    server = server_of(sandbox, "atfork", 0)
    for _ in range(3):
        worker = Worker(server)
        assert worker.do("count-calls") == 11
        assert worker.do("count-parents-calls") == 1
    server.close_clients()
