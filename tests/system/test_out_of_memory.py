"""When a memory cgroup is full, the kernel kills one connection's process, or all."""

import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import SANITIZED, eventually
from proc import children, is_zombie
from sockets import echoes, receive_all, receive_exactly

pytestmark = [
    pytest.mark.usefixtures("root"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer's shadow memory fills the cgroup"),
]

LIMIT = 48 << 20
CGROUPS = Path("/sys/fs/cgroup")
# tail(1) keeps input that has no line end.
EATS = 'read word; [ "$word" != eat ] || exec tail /dev/zero; echo "$word"; exec cat'


class Full:
    """A memory cgroup, of either version, with a limit."""

    def __init__(self):
        first = CGROUPS / "memory"
        parent = first if first.is_dir() else CGROUPS
        limit = "memory.limit_in_bytes" if parent == first else "memory.max"
        self.directory = parent / f"prong-test-{os.getpid()}"
        try:
            self.directory.mkdir()
            (self.directory / limit).write_text(str(LIMIT))
        except OSError as error:
            with contextlib.suppress(OSError):
                self.directory.rmdir()
            pytest.skip(f"a memory cgroup cannot be made: {error}")

    def enter(self):
        (self.directory / "cgroup.procs").write_text(str(os.getpid()))


@pytest.fixture
def full():
    cgroup = Full()
    yield cgroup
    procs = cgroup.directory / "cgroup.procs"
    eventually(lambda: procs.read_text() == "", "an empty cgroup")
    cgroup.directory.rmdir()


def begin(server, word=b"first"):
    client = server.connect()
    client.sendall(word + b"\n")
    assert receive_exactly(client, len(word) + 1) == word + b"\n"
    return client


@pytest.mark.parametrize("how", [(), ("--user", "nobody"), ("--kill-descendants",),
                                 ("--warm", "-s", "2")], ids=str)  # fmt: skip
def test_a_program_that_takes_all_is_the_only_one_to_go(full, prongd, how):
    server = prongd(*how, "--", "sh", "-c", EATS, preexec_fn=full.enter)
    others = [begin(server) for _ in range(3)]
    with server.connect() as eater:
        eater.sendall(b"eat\n")
        assert receive_all(eater) == b""
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["signal"]) == ("crash-signal", "KILL")
    for client in (*others, begin(server, b"later")):
        assert echoes(client)
        client.close()


def fill(full):
    """Use memory that belongs to no process: a file in a tmpfs,
    charged to the cgroup."""
    descriptor, path = tempfile.mkstemp(dir="/dev/shm")
    os.close(descriptor)
    try:
        subprocess.run(["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={LIMIT >> 20}"],
                       stderr=subprocess.DEVNULL, preexec_fn=full.enter)  # fmt: skip
    finally:
        os.unlink(path)


@pytest.mark.parametrize("words", [("-s", 0, "echo"), ("-r", "always", "echo"),
                                   ("-r", "always", "--accept", "workers", "echo"),
                                   ("--", "cat"), ("--kill-descendants", "--", "cat")],
                         ids=str)  # fmt: skip
def test_nobody_outlives_a_supervisor_that_is_killed_for_memory(full, prongd, words):
    """The supervisor is the smallest of all, and is chosen only because
    the test asks for it."""
    server = prongd(*words, preexec_fn=full.enter)
    clients = server.hold(3)
    family = [pid for child in server.workers() for pid in (child, *children(child))]
    Path(f"/proc/{server.pid}/oom_score_adj").write_text("1000")
    server.killed = True
    fill(full)
    assert server.process.wait(15) == -signal.SIGKILL
    eventually(lambda: all(map(is_zombie, family)), "all gone", 1)
    for client in clients:
        with contextlib.suppress(ConnectionError):
            assert receive_all(client) == b""
