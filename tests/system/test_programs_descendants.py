"""Descendants of a program are ended with its session if that is asked for."""

import contextlib
import os
import signal
import socket

import pytest

from harness import eventually
from proc import children, state

# Two processes in a session and group of their own that ignore SIGTERM; each writes its
# pid to a file.
LEAVE = ("trap '' TERM HUP; n=0; while [ $n -lt 2 ]; do n=$((n + 1)); "
         "(setsid sh -c 'echo $$ >>\"$0\"; while :; do sleep 1; done' \"$0\" "
         "</dev/null >/dev/null 2>&1 &); done; ")  # fmt: skip


def left_behind(path, count=2):
    """The pids, once all have been written."""

    def told():
        lines = path.read_text().split() if path.exists() else []
        return len(lines) == count and [int(line) for line in lines]

    return eventually(told, f"{count} left behind")


def gone(pids, timeout):
    eventually(lambda: all(state(pid) in (None, "Z") for pid in pids), "gone", timeout)


def start(prongd, path, then, *options):
    return prongd(*options, "--", "sh", "-c", LEAVE + then, path)


def test_they_are_ended_with_the_session(prongd, tmp_path):
    path = tmp_path / "pids"
    server = start(prongd, path, "cat", "--kill-descendants")
    with server.connect() as client:
        pids = left_behind(path)
        client.shutdown(socket.SHUT_WR)  # a full TIME_WAIT table would make it a reset
        gone(pids, 1.5)
    server.wait_log(event="close", reason="eof")


def test_they_are_ended_although_the_session_had_to_be_killed(prongd, tmp_path):
    path = tmp_path / "pids"
    server = start(prongd, path, "while :; do sleep 1; done", "--kill-descendants",
                   "--session-timeout", "500ms")  # fmt: skip
    server.connect()
    pids = left_behind(path)
    server.wait_log(event="close", reason="deadline")
    gone(pids, 1.5)


def test_they_are_ended_when_the_supervisor_is_killed(prongd, tmp_path):
    path = tmp_path / "pids"
    server = start(prongd, path, "cat", "--kill-descendants")
    server.connect()
    pids = left_behind(path)
    server.kill()
    gone(pids, 1.5)


def test_they_live_on_where_nobody_asked(prongd, tmp_path):
    path = tmp_path / "pids"
    server = start(prongd, path, "exit 0")
    assert server.ask(b"") == b""
    pids = left_behind(path)
    server.wait_log(event="reap")
    try:
        assert all(state(pid) not in (None, "Z") for pid in pids)
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("status", [0, 3])
def test_the_program_is_reported_as_it_ended(prongd, status):
    server = prongd("--kill-descendants", "--", "sh", "-c", f"exit {status}")
    server.ask(b"")
    assert server.wait_log(event="close")[0]["status"] == str(status)


@pytest.fixture
def helpers(tmp_path):
    """The pids of two processes from before the server: its
    child, and a child of that."""
    note = tmp_path / "helpers"
    yield note
    for pid in map(int, note.read_text().split()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_what_was_there_before_the_server_is_not_ended(prongd, helpers):
    """Neither a helper of the shell that became prongd, nor what that
    helper leaves behind."""
    shell = (f"sh -c 'echo $$ >> {helpers}; sleep 100 & echo $! >> {helpers}; wait' & "
             f'while [ "$(wc -l < {helpers})" != 2 ]; do sleep 0.01; done; exec "$@"')  # fmt: skip
    helpers.touch()
    server = prongd("-q", "--kill-descendants", "--", "sh", "-c", "kill -9 $$",
                    under=["sh", "-c", shell, "sh"])  # fmt: skip
    server.baseline += 1  # the helper was counted as a worker, which has a channel
    helper, its_child = map(int, helpers.read_text().split())
    for _ in range(3):
        server.ask()
    eventually(lambda: children(server.pid) == [helper], "no monitor")
    os.kill(helper, signal.SIGKILL)
    eventually(lambda: children(server.pid) == [its_child], "only what the helper left")
    server.ask()
    eventually(lambda: children(server.pid) == [its_child], "no monitor again")
    assert state(its_child) == "S"
