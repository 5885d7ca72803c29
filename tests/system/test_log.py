"""The log: its contents; no client can forge it; it never blocks."""

import fcntl
import os
import resource
import select
import signal
import socket
import time

import pytest

import logline
from harness import UNWARNED, eventually, load
from sockets import exchange, reset
from sources import connect_from

EACH_CONNECTION = {"connect", "serve", "close", "reap"}


def events(server):
    return {line["event"] for line in server.log_lines()}


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_verbose_tells_the_whole_life_of_a_connection(prongd, log_format):
    server = prongd("--log-format", log_format, "echo")
    assert server.ask(b"twelve bytes") == b"twelve bytes"
    [reap] = server.wait_log(event="reap")
    [connect] = server.log_lines(event="connect", conn=1)
    [serve] = server.log_lines(event="serve", conn=1)
    [close] = server.log_lines(event="close", conn=1)
    assert connect["peer"] == close["peer"] and connect["peer"].startswith("127.0.0.1:")
    assert serve["pid"] == close["pid"] == reap["pid"]
    assert (close["reason"], close["bytes_in"], close["bytes_out"]) == ("eof", "12", "12")
    assert 0 <= int(close["duration_ms"]) < 10_000
    assert reap["status"] == "100"


def test_start_and_stop_are_told_without_being_asked(prongd):
    words = ["-n", 12, "-s", 3, "-r", 2, *UNWARNED, "echo"]
    server = prongd(*words, verbose=False)
    [start] = server.log_lines(event="start")
    assert start["pid"] == str(server.pid)
    assert (start["max_processes"], start["spare"], start["reuse"]) == ("12", "3", "2")
    assert server.log_lines(event="listen")[0]["address"] == server.texts[0]
    server.stop()
    assert events(server) == {"listen", "start", "stopping", "stop"}


def test_connections_are_told_only_when_asked(prongd):
    server = prongd("echo", verbose=False)
    reset(server.hold()[0])
    assert server.ask(b"x") == b"x"
    server.stop()
    assert not events(server) & EACH_CONNECTION


def test_quiet_says_nothing_of_a_healthy_life(prongd):
    server = prongd("-q", "-s", 1, "-n", 1, "echo", verbose=False)
    assert server.ask(b"x") == b"x"
    server.signal(signal.SIGUSR1)
    server.signal(signal.SIGHUP)
    server.signal(signal.SIGTERM)
    server.expect_exit()
    assert server.log_text() == ""


def test_a_crash_is_told_without_being_asked(handlers):
    server = handlers("exits", verbose=False)
    server.ask()
    [close] = server.wait_log(event="close")
    assert (close["level"], close["reason"]) == ("warning", "crash-exit")
    assert close["status"] == "77"


@pytest.mark.parametrize(("handler", "told"), [
    ("exit 3", {"reason": "failed", "status": "3"}),
    ("kill -11 $$", {"reason": "crash-signal", "signal": "SEGV"}),
])  # fmt: skip
def test_a_program_that_fails_is_told_without_being_asked(prongd, handler, told):
    server = prongd("--", "sh", "-c", handler, verbose=False)
    client = server.connect()
    client.recv(1)
    [close] = server.wait_log(event="close")
    assert told.items() <= close.items()
    assert (close["level"], close["conn"]) == ("warning", "1")
    assert close["peer"] == "%s:%d" % client.getsockname()


def test_failures_that_come_often_are_told_at_a_bounded_rate(prongd):
    server = prongd("--", "false", verbose=False)
    for _ in range(200):
        server.ask()
    server.stop()
    lines = server.log_lines(event="close")
    told = sum(1 + int(line.get("suppressed", 0)) for line in lines)
    assert 1 <= len(lines) < 200
    assert told <= int(server.log_lines(event="stop")[0]["failed"]) == 200


@pytest.mark.parametrize("serve", [("echo",), ("-r", "9", "echo"), ("--", "cat"),
                                   ("--", "false"), ("--warm", "-s", "1", "--", "cat")])
def test_a_level_has_exactly_one_line_for_each_connection(prongd, serve):
    server = prongd("--log-level", "connections", "--deny", "127.0.0.9", *serve,
                    verbose=False)  # fmt: skip
    for _ in range(30):
        server.ask(b"")
    with connect_from(server, "127.0.0.9") as refused:
        assert refused.recv(1) == b""
    server.wait_log(event="refused")
    server.wait_log(event="close", count=30)
    server.stop()
    told = [line for line in server.log_lines() if "conn" in line]
    assert sorted(int(line["conn"]) for line in told) == list(range(1, 32))
    assert not events(server) & (EACH_CONNECTION - {"close"})


@pytest.mark.parametrize(("words", "told"), [
    (("-q", "-v"), True), (("-v", "-q"), False), (("-q", "--log-level", "normal"), True),
    (("--log-level", "verbose", "-q"), False),
])  # fmt: skip
def test_the_last_level_counts(prongd, words, told):
    server = prongd(*words, "--", "cat", verbose=False)
    assert server.ask(b"x") == b"x"
    server.stop()
    assert (server.log_text() != "") == told


def test_usr1_logs_the_totals(prongd):
    server = prongd("echo")
    server.ask(b"x" * 1000)
    reset(server.hold()[0])
    server.wait_log(event="close", count=2)
    server.hold()
    totals = server.totals()
    assert (totals["accepted"], totals["active"], totals["closed"]) == ("3", "1", "2")
    assert logline.reasons(totals) == {"eof": 1, "reset": 1}
    assert (totals["bytes_in"], totals["bytes_out"]) == ("1004", "1004")


def test_hangup_and_usr2_are_told_and_change_nothing(prongd):
    server = prongd("echo")
    for number in (signal.SIGHUP, signal.SIGUSR2):
        server.signal(number)
    server.wait_log(event="signal-ignored")
    assert server.ask(b"x") == b"x"


EVIL = (
    b'\nlevel=error event=stop accepted=0\r\n\t"quoted" \\ \\x41 {"a":"b"}, a=b'
    b"\x1b[31m\x07\x7f\x80\xff\xc3\xa4 %s%n"
)


def evil_names(tmp_path):
    """Names to which a client may bind its end, and how they are logged."""
    directory = str(tmp_path).encode()
    yield b"\0" + EVIL, b"@" + EVIL
    yield b"\0" + b"\0\x01\x02" * 5 + b" end", b"@" + b"\0\x01\x02" * 5 + b" end"
    yield b"\0" + b"\n" * 107, b"@" + b"\n" * 107
    yield directory + b"/a\nb \"c\" =\x1b[1m\\", directory + b"/a\nb \"c\" =\x1b[1m\\"
    yield directory + b"/" + b"\xfe" * 20, directory + b"/" + b"\xfe" * 20


def as_logged(name):
    """The bytes that the escapes of a line stand for, with @ in place of NUL."""
    return "unix:" + name.replace(b"\0", b"@").decode("latin-1")


@pytest.mark.parametrize("log_format", ["logfmt", "json"])
def test_a_clients_name_cannot_forge_a_line(prongd, tmp_path, log_format):
    """FAULT 23. At the end of each test it is also checked that every line parses."""
    server = prongd(
        "--log-format", log_format, "echo", listen=[f"unix:{tmp_path}/s"])  # fmt: skip
    expected = []
    for name, shown in evil_names(tmp_path):
        with server.socket() as client:
            client.bind(name)
            client.connect(server.addresses[0][1])
            assert exchange(client, EVIL * 10) == EVIL * 10
        expected.append(as_logged(shown))
    server.wait_log(event="reap", count=len(expected))
    for event in ("connect", "close"):
        lines = server.log_lines(event=event)
        assert len(lines) == len(expected)
        found = [line["peer"] for line in sorted(lines, key=lambda l: int(l["conn"]))]
        for peer, whole in zip(found, expected):
            assert peer == whole
    assert not server.log_lines(event="stop")
    assert server.log_path.read_bytes().isascii()
    server.stop()
    assert len(server.log_lines(event="stop")) == 1


@pytest.mark.parametrize("service", ["echo", "discard", "daytime"])
def test_what_a_client_sends_is_not_in_the_log(prongd, service):
    server = prongd(*UNWARNED, service)
    server.ask(EVIL + b"forged" * 10_000)
    server.wait_log(event="reap")
    assert len(server.log_lines()) == 2 + 4
    assert "forged" not in server.log_text()


def read_while(fd, condition):
    """Read a pipe until condition(the text so far) is true; return the text."""
    text = b""
    deadline = time.monotonic() + 10
    while not condition(text):
        left = deadline - time.monotonic()
        assert select.select([fd], [], [], max(left, 0))[0], text[-300:]
        part = os.read(fd, 1 << 16)
        if not part:
            break
        text += part
    return text


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_reader_that_stops_costs_lines_which_are_counted(prongd, kind):
    """FAULT 22: each of the four lines of each connection is there or counted."""
    if kind == "pipe":
        reader, writer = os.pipe()
        fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    else:
        reader, writer = (end.detach() for end in socket.socketpair())
    try:
        server = prongd("-s", 0, "echo", stderr=writer)
        os.close(writer)
        load(server, "--churn", "-n", 800, "-c", 8)
        eventually(lambda: not server.children(), "all served")
        text = read_while(reader, lambda text: b"event=log-dropped" in text)
        server.signal(signal.SIGTERM)
        text += read_while(reader, lambda text: False)
        server.expect_exit()  # the log ends a little before the process
    finally:
        os.close(reader)
    lines = [logline.parse_logfmt(line) for line in text.decode().splitlines()]
    marks = [line for line in lines if line["event"] == "log-dropped"]
    dropped = sum(int(line["lines"]) for line in marks)
    assert dropped > 100
    about_connections = [line for line in lines if line["event"] in EACH_CONNECTION]
    start_and_stop = {"listen", "start", "stopping", "stop"}
    assert {line["event"] for line in lines} >= start_and_stop
    assert len(about_connections) + dropped == 4 * 800
    assert lines[-1]["accepted"] == lines[-1]["closed"] == "800"


def test_a_reader_that_has_gone_does_not_end_the_server(prongd):
    reader, writer = os.pipe()
    server = prongd("-s", 2, "echo", stderr=writer)
    os.close(writer)
    os.close(reader)
    load(server, "--churn", "-n", 100, "-c", 4)


def test_a_reader_that_never_reads_does_not_hold_up_the_end(prongd):
    reader, writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    server = prongd("-s", 2, "echo", stderr=writer)
    load(server, "--churn", "-n", 800, "-c", 4)
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=5)
    os.close(writer)
    os.close(reader)


def test_a_full_disk_costs_lines_which_are_counted(prongd):
    """FAULT 22. A limit on the file's size replaces the full disk: EFBIG for ENOSPC."""
    server = prongd("echo")
    before = server.set_limit(
        resource.RLIMIT_FSIZE, server.log_path.stat().st_size + 1000)  # fmt: skip
    load(server, "--churn", "-n", 800, "-c", 8)
    server.set_limit(resource.RLIMIT_FSIZE, before)
    server.wait_log(event="log-dropped")
    assert server.ask(b"goes on") == b"goes on"
    server.wait_log(event="close", conn=801)
    server.wait_log(event="reap")
    server.stop()
    dropped = sum(int(line["lines"]) for line in server.log_lines(event="log-dropped"))
    found = [l for l in server.log_lines() if l["event"] in EACH_CONNECTION]
    spares = 8  # each logs a line when it ends at the stop
    assert len(found) + dropped - spares == 4 * 801


def test_a_device_that_takes_nothing_does_not_hold_up_service(prongd):
    with open("/dev/full", "wb") as full:
        server = prongd("-s", 2, "echo", stderr=full)
        load(server, "--churn", "-n", 400, "-c", 4)
        server.signal(signal.SIGTERM)
        server.expect_exit(timeout=5)
