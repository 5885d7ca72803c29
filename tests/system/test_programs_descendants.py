"""What a program leaves behind: ended with the session where that is asked for."""

import os
import signal
import socket

import pytest

from harness import eventually
from proc import state

# Two processes in a session and group of their own, deaf to polite requests; the
# pid of each is told in a file.
LEAVE = ("trap '' TERM HUP; n=0; while [ $n -lt 2 ]; do n=$((n + 1)); "
         "(setsid sh -c 'echo $$ >>\"$0\"; while :; do sleep 1; done' \"$0\" "
         "</dev/null >/dev/null 2>&1 &); done; ")  # fmt: skip


def left_behind(path, count=2):
    """The pids, once all have been told."""

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
