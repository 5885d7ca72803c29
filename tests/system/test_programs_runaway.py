"""--kill-descendants leaves none, even of programs whose
descendants are hard to end."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from harness import BUILD, PRONGD, environment, eventually
from proc import is_zombie, read_bytes
from sockets import receive_exactly, reset

RUNAWAY = BUILD / "tests" / "programs" / "runaway"
SHAPES = [("chain", 10), ("runner", 0), ("runner", 1000), ("runner", 20_000), ("pair", 500)]
SOON = 3  # seconds; about one on an idle machine
USERS = [(), ("--user", "nobody")]

each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: "-".join(map(str, s)))
each_user = pytest.mark.parametrize("user", USERS, ids=["root", "nobody"])


@pytest.fixture
def mark():
    """A mark in the environment of each process of this test; none may be left."""
    text = f"MARK={os.getpid()}-{time.monotonic_ns()}"
    yield text
    deadline = time.monotonic() + SOON
    while (left := marked(text)) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert not left


def marked(mark):
    """Living processes with that mark in their environment."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [pid for pid in pids
            if mark.encode() in read_bytes(pid, "environ") and not is_zombie(pid)]  # fmt: skip


def none_left(mark):
    """A runner may be missed by one look, between two of its
    lives, but not by three."""
    return not any(marked(mark) for _ in range(3))


@pytest.fixture
def start(prongd, mark, public):
    """Start a server of the program, which every user can reach, with
    one kind of descendants."""
    program = shutil.copy(RUNAWAY, public)

    def start_it(shape, user, *options):
        if user and os.geteuid() != 0:
            pytest.skip("needs root")
        return prongd("--kill-descendants", "--env", mark, *user, *options, "--",
                      program, *shape)  # fmt: skip

    return start_it


def begin(server):
    client = server.connect()
    assert receive_exactly(client, 6) == b"ready\n"
    return client


def finish(server, client):
    client.shutdown(socket.SHUT_WR)


def go_away(server, client):
    reset(client)


def be_late(server, client):
    pass


def kill_monitor(server, client):
    [monitor] = server.workers()
    os.kill(monitor, signal.SIGKILL)


# How the session ends, the options for that, and the reasons in the log. A program that
# has read the reset before the supervisor looked may have ended by itself.
ENDS = {
    "eof": (finish, (), {"eof"}),
    "reset": (go_away, ("--on-hangup", "end:200ms"), {"reset", "done", "eof"}),
    "session-timeout": (be_late, ("--session-timeout", "500ms"), {"deadline"}),
    "idle-timeout": (be_late, ("--idle-timeout", "500ms"), {"idle"}),
    "monitor-killed": (kill_monitor, (), {"crash-signal"}),
}


@each_user
@each_shape
@pytest.mark.parametrize("end", ENDS)
def test_all_are_gone_soon_after_the_session(mark, start, shape, user, end):
    act, options, reasons = ENDS[end]
    server = start(shape, user, *options)
    act(server, begin(server))
    [closed] = server.wait_log(event="close")
    assert closed["reason"] in reasons
    eventually(lambda: none_left(mark), "none left", SOON)
    server.expect_workers(0)
    assert server.log_lines(event="unkillable") == []


def quit_at_once(server):
    server.signal(signal.SIGQUIT)


def ask_and_wait(server):
    server.signal(signal.SIGTERM)


def ask_twice(server):
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    server.signal(signal.SIGTERM)


@each_user
@each_shape
@pytest.mark.parametrize("how", [quit_at_once, ask_and_wait, ask_twice])
def test_none_is_left_when_the_server_has_stopped(mark, start, shape, user, how):
    server = start(shape, user, "--grace", "1s")
    for _ in range(3):
        begin(server)
    how(server)
    server.expect_exit(timeout=2 + SOON)
    assert none_left(mark)
    assert server.log_lines(event="unkillable") == []


@each_user
@each_shape
def test_none_outlives_a_supervisor_that_is_killed(mark, start, shape, user):
    server = start(shape, user)
    for _ in range(3):
        begin(server)
    server.kill()
    eventually(lambda: none_left(mark), "none left", SOON)


@each_shape
def test_others_are_served_meanwhile(mark, start, shape):
    server = start(shape, (), "--session-timeout", "5s")
    clients = [begin(server) for _ in range(5)]
    for monitor in server.workers()[:3]:
        os.kill(monitor, signal.SIGKILL)
    server.wait_log(event="close", count=3)
    living = 0
    for client in clients:
        client.sendall(b"x")
        with contextlib.suppress(ConnectionError):
            living += client.recv(1) == b"x"
    assert living == 2


def test_without_proc_the_option_is_refused_at_the_start():
    under = ["unshare", "-m", "sh", "-c", 'umount -l /proc && exec "$@"', "sh"]
    if subprocess.run([*under, "true"], capture_output=True).returncode != 0:
        pytest.skip("a mount namespace cannot be made")
    words = [*under, PRONGD, "-l", "127.0.0.1:0", "--kill-descendants", "--", "/bin/cat"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=20,
                           env=environment())  # fmt: skip
    assert ended.returncode == 1
    assert "--kill-descendants needs /proc/thread-self/children" in ended.stderr
    assert "mount /proc" in ended.stderr
