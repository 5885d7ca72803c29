"""What programs write to standard error goes to the log, within its limits."""

import os
import signal
import socket
import time

import pytest

from harness import SANITIZED, eventually
from proc import children, descriptors

KINDS = {
    "cold": (),
    "monitored": ("--kill-descendants",),
    "resolved": ("--resolve",),
    "as-user": ("--user", "nobody"),
    "warm": ("--warm", "-s", "1"),
}


@pytest.fixture(params=KINDS)
def kind(request):
    if request.param == "as-user" and os.geteuid() != 0:
        pytest.skip("needs root")
    if request.param == "warm" and SANITIZED:
        pytest.skip("the shim does not go with sanitizers")
    return KINDS[request.param]


def shell(script):
    return ("--", "/bin/sh", "-c", script)


def texts(server, **fields):
    return [line["text"] for line in server.log_lines(event="said", **fields)]


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_each_line_tells_its_connection_and_its_process(prongd, kind, log_format):
    server = prongd("--log-format", log_format, *kind,
                    *shell("echo one >&2; echo $$; echo 'two words' >&2; printf half >&2"))  # fmt: skip
    pids = [server.ask().decode().strip() for _ in range(3)]
    server.wait_log(event="close", count=3)
    for number, pid in enumerate(pids, 1):
        said = server.log_lines(event="said", conn=number)
        assert [line["text"] for line in said] == ["one", "two words", "half"]
        [close] = server.log_lines(event="close", conn=number)
        assert {line["pid"] for line in said} == {close["pid"]}
        if "--kill-descendants" not in kind and "--resolve" not in kind:
            assert close["pid"] == pid
        assert server.log_lines().index(close) > server.log_lines().index(said[-1])


def test_lines_come_while_the_program_runs(prongd, kind):
    server = prongd(*kind, *shell("echo ready >&2; read x; echo $x >&2; read y"))
    client = server.connect()
    server.wait_log(event="said", text="ready")
    client.sendall(b"heard\n")
    server.wait_log(event="said", text="heard")
    assert not server.log_lines(event="close")


HOSTILE = {
    "truncate": "os.ftruncate(2, 0)",
    "seek": "os.lseek(2, 0, 0)",
    "shut": "socket.socket(fileno=os.dup(2)).shutdown(socket.SHUT_RDWR)",
    "unblock": "os.set_blocking(2, False)",
    "reopen": "os.ftruncate(os.open('/proc/self/fd/2', os.O_RDWR), 0)",
    "forge": "os.write(2, b'time=0 event=stop\\nlevel=error event=stop\\n')",
    "flood": "[os.write(2, b'x' * 65536 + b'\\n' * 9999) for _ in range(50)]",
}


# A stream that is read only at the end cannot hold a flood.
@pytest.mark.parametrize(("act", "log"), [
    (act, log) for act in HOSTILE for log in ("file", "stream")
    if (act, log) != ("flood", "stream")])  # fmt: skip
def test_the_log_is_out_of_a_programs_reach(prongd, act, log):
    script = ("import contextlib, os, socket\n"
              f"with contextlib.suppress(OSError): {HOSTILE[act]}\nprint('did')")  # fmt: skip
    if log == "file":
        server = prongd("--", "/usr/bin/python3", "-c", script)
        assert server.ask() == b"did\n"
        server.wait_log(event="close")
        assert server.log_lines(event="start") and not server.log_lines(event="stop")
        return
    reader, writer = socket.socketpair()
    with reader:
        server = prongd("--", "/usr/bin/python3", "-c", script, stderr=writer.fileno())
        writer.close()
        assert [server.ask() for _ in range(3)] == [b"did\n"] * 3
        server.signal(signal.SIGTERM)
        server.expect_exit()
        text = b""
        while part := reader.recv(65536):
            text += part
    assert text.count(b"level=info event=stop accepted=3") == 1
    assert text.count(b"event=close") == 3


def test_standard_error_is_a_pipe_of_its_own(prongd, kind):
    server = prongd(*kind, "--", "cat")
    server.hold(2)
    programs = [pid for pid in eventually(
        lambda: [p for p in everything_below(server.pid) if name(p) == "cat"],
        "programs") if descriptors(pid)[2].startswith("pipe:")]  # fmt: skip
    pipes = [descriptors(pid)[2] for pid in programs]
    assert len(set(pipes)) == len(pipes) >= 2


def name(pid):
    try:
        return open(f"/proc/{pid}/comm", encoding="ascii").read().strip()
    except OSError:
        return ""


def everything_below(pid):
    found = []
    for child in children(pid):
        found += [child, *everything_below(child)]
    return found


def test_a_flood_of_lines_is_counted_line_by_line(prongd):
    server = prongd(*shell("yes again | head -n 20000 >&2; echo done"))
    assert server.ask() == b"done\n"
    server.wait_log(event="close")
    said = server.log_lines(event="said")
    logged = sum("text" in line for line in said)
    missing = sum(int(line.get("suppressed", 0)) for line in said)
    assert 100 <= logged < 20000
    assert logged + missing == 20000


def test_one_that_never_stops_holds_up_no_other_client_and_no_stop(prongd):
    server = prongd("--grace", "1s", *shell(
        "read x; if [ $x = spam ]; then exec cat /dev/zero >&2; fi; echo $x"))  # fmt: skip
    for _ in range(4):
        server.connect().sendall(b"spam\n")
    for _ in range(20):
        assert server.ask(b"hello\n") == b"hello\n"
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=6)


def test_descendants_that_keep_the_pipe_hold_up_nothing(prongd):
    """One descendant has closed the connection, the other holds
    it and is still heard."""
    server = prongd("--grace", "1s", *shell(
        "(setsid sleep 3 >/dev/null </dev/null &)\n"
        "(trap '' PIPE; read x; echo $x >&2; read y) &\n"
        "exit 0"))  # fmt: skip
    client = server.connect()
    eventually(lambda: not [p for p in children(server.pid) if name(p) == "sh"
                            and ppid_is_program(p)], "ended")  # fmt: skip
    client.close()
    assert server.wait_log(event="close")
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=6)


def ppid_is_program(pid):
    return bool(children(pid))


def test_what_a_program_left_with_its_connection_is_heard(prongd):
    server = prongd(*shell("exec 3<&0; (read x <&3; echo $x >&2; echo bye) & exit 0"))
    client = server.connect()
    time.sleep(0.2)  # until the program, whose end is not logged, is gone
    client.sendall(b"later\n")
    assert client.recv(10) == b"bye\n"
    server.wait_log(event="said", text="later")
    client.close()
    server.wait_log(event="close")
    [said] = server.log_lines(event="said")
    assert said["conn"] == "1"


@pytest.mark.parametrize("words", [("-q",), ("--stderr", "null")])
def test_where_no_line_would_be_logged_it_goes_nowhere(prongd, words):
    server = prongd(*words, "--", "cat", verbose=False)
    server.hold()
    eventually(lambda: descriptors(children(server.pid)[0])[2] == "/dev/null", "null")


def test_no_pipe_is_left_open(prongd):
    server = prongd(*shell("echo x >&2"))
    for _ in range(50):
        server.ask()
    server.wait_log(event="close", count=50)
    assert not [name for name in descriptors(server.pid).values()
                if name.startswith("pipe:")]  # fmt: skip
