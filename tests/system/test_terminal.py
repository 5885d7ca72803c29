"""What prongd serves cannot reach the terminal on which prongd was started."""

import os
import pty

import pytest

from harness import SANITIZED, eventually
from proc import read
from test_stop import foreground_of

# Answers with what it could do to the terminal; an empty answer is the right one.
TRIES = r"""
import fcntl, os, sys, termios
done = []
def tries(what, call):
    try:
        call()
        done.append(what)
    except OSError:
        pass
tries("opens", lambda: os.open("/dev/tty", os.O_RDWR))
tries("reads", lambda: os.read(2, 1))
if os.geteuid() != 0:  # root may whatever stands in between
    tries("types", lambda: fcntl.ioctl(2, termios.TIOCSTI, b"x"))
tries("controls", lambda: fcntl.ioctl(2, termios.TIOCSCTTY, 0))
tries("foreground", lambda: os.tcgetpgrp(2))
os.write(2, b"seen\n")
print(os.getsid(0) == os.getpgid(0), *done)
"""
KINDS = {"cold": [], "warm": ["--warm"], "resolved": ["--resolve"],
         "with-descendants": ["--kill-descendants"],
         "as-user": ["--user", "nobody"]}  # fmt: skip


@pytest.fixture
def terminal():
    master, slave = pty.openpty()
    yield master, slave
    os.close(slave)
    os.close(master)


def on_terminal(start, terminal, *words, **options):
    """Its standard descriptors are the terminal, and it is in the foreground."""
    _, slave = terminal
    return start(*words, stdin=slave, stdout=slave, stderr=slave,
                 preexec_fn=foreground_of(slave), **options)  # fmt: skip


def written(master):
    os.set_blocking(master, False)
    try:
        return os.read(master, 65536)
    except BlockingIOError:
        return b""


def terminal_of(pid):
    """tty_nr of proc(5); 0: no terminal."""
    return int(read(pid, "stat").rpartition(")")[2].split()[4])


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_cannot_reach_the_terminal(prongd, terminal, kind, public):
    if kind == "as-user" and os.geteuid() != 0:
        pytest.skip("needs root")
    if kind == "warm" and SANITIZED:
        pytest.skip("the shim does not go with sanitizers")
    os.write(terminal[0], b"a secret\n")
    script = public / "tries.py"
    script.write_text(TRIES)
    script.chmod(0o644)
    server = on_terminal(prongd, terminal, "-q", "--stderr", "inherit", *KINDS[kind],
                         "--", "/usr/bin/python3", script, verbose=False)  # fmt: skip
    assert server.ask() == b"True\n"
    # The terminal delivers with a delay what was written to its other end.
    eventually(lambda: b"seen" in written(terminal[0]), "standard error arrives")


@pytest.mark.parametrize("spare", [0, 1])
def test_a_handler_without_sandbox_cannot_either(handlers, terminal, spare):
    """ENXIO, ENOTTY, EBADF; what it writes to standard error arrives."""
    os.write(terminal[0], b"a secret\n")
    server = on_terminal(handlers, terminal, "--sandbox", "off", "-s", spare, "escapes",
                         verbose=False)  # fmt: skip
    for line, error in [("openat -100 /dev/tty 2", 6), ("ioctl 0 0x5401 buffer", 25),
                        ("readv 1 buffer 0", 9), ("readv 2 buffer 0", 9),
                        ("ioctl 2 0x540e 0", 1)]:  # fmt: skip
        assert server.ask(line.encode() + b"\n").endswith(b"done -1 %d\n" % error), line
    assert server.ask(b"ioctl 2 0x5401 buffer\n").endswith(b"done 0 0\n")


def test_a_handler_keeps_standard_descriptors_that_are_no_terminal(handlers):
    reader, writer = os.pipe()
    server = handlers("--sandbox", "off", "escapes", stdin=reader)
    assert server.ask(b"readv 0 buffer 0\n").endswith(b"done 0 0\n")
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("spare, reuse", [(0, 1), (1, 1), (1, "always")])
@pytest.mark.parametrize("sandbox", ["off", "auto"])
def test_a_worker_has_no_controlling_terminal(handlers, terminal, sandbox, spare, reuse):
    """This holds also in the sandbox, where it could not open one."""
    server = on_terminal(handlers, terminal, "--sandbox", sandbox, "-s", spare, "-r", reuse,
                         "obeys", verbose=False)  # fmt: skip
    assert terminal_of(server.pid) != 0
    with server.connect():
        pid = eventually(lambda: len(server.workers()) > spare and server.workers(),
                         "a worker")[0]  # fmt: skip
        eventually(lambda: os.getsid(pid) == pid, "a session of its own")
        assert terminal_of(pid) == 0
