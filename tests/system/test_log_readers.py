"""The supervisor is never held up by a slow reader, whatever
kind of descriptor it is."""

import fcntl
import multiprocessing
import os
import pty
import signal
import socket
import termios
import threading
import time
import tty

import pytest

from harness import load

FORK = multiprocessing.get_context("fork")


def make_pipe(_):
    return os.pipe()


def make_fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    return reader, os.open(path, os.O_WRONLY)


def make_socket(kind):
    def make(_):
        return tuple(end.detach() for end in socket.socketpair(socket.AF_UNIX, kind))

    return make


def make_terminal(_):
    reader, writer = pty.openpty()
    tty.setraw(writer)
    return reader, writer


KINDS = {
    "pipe": make_pipe,
    "foreign-pipe": make_pipe,
    "fifo": make_fifo,
    "foreign-fifo": make_fifo,
    "stream": make_socket(socket.SOCK_STREAM),
    "datagram": make_socket(socket.SOCK_DGRAM),
    "seqpacket": make_socket(socket.SOCK_SEQPACKET),
    "terminal": make_terminal,
}


@pytest.fixture(params=KINDS)
def ends(request, tmp_path):
    """Where the log is read, and what prongd gets. A process
    beside it fills the pipe."""
    foreign = request.param.startswith("foreign")
    if foreign and os.geteuid() != 0:
        pytest.skip("needs root")
    reader, writer = KINDS[request.param](tmp_path)
    # A user who did not make the pipe may write to it but not open it again.
    yield reader, writer, {"user": 65534} if foreign else {}
    os.close(reader)
    os.close(writer)


def fill(writer, reader):
    os.close(reader)
    try:
        while True:
            os.write(writer, b"x" * 1023 + b"\n")
    except OSError:
        os._exit(0)


@pytest.fixture
def rival(ends):
    reader, writer, _ = ends
    process = FORK.Process(target=fill, args=(writer, reader))
    process.start()
    yield process
    process.kill()
    process.join()


def read_some(reader, count):
    for _ in range(count):
        os.read(reader, 4096)


def test_a_frozen_log_holds_up_no_client_and_no_stop(prongd, ends, rival):
    reader, writer, options = ends
    server = prongd("-s", 0, "--grace", "1s", "echo", stderr=writer, **options)
    read_some(reader, 50)  # from here on it reads nothing
    load(server, "--churn", "-n", 400, "-c", 4)
    assert rival.is_alive()
    assert fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK == 0
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=5)


def test_a_reader_that_stops_and_goes_on_beside_another_writer(prongd, ends, rival):
    """At each stop the log fills up at a different byte."""
    reader, writer, options = ends
    server = prongd("-s", 0, "--grace", "1s", "echo", stderr=writer, **options)
    for round_ in range(10):
        read_some(reader, 3 + round_)
        load(server, "--churn", "-n", 20, "-c", 4)
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=5)


def test_output_stopped_at_a_terminal_holds_up_nothing(prongd):
    reader, writer = make_terminal(None)
    try:
        server = prongd("-s", 0, "--grace", "1s", "echo", stderr=writer)
        termios.tcflow(writer, termios.TCOOFF)  # as ^S does
        load(server, "--churn", "-n", 200, "-c", 4)
        server.signal(signal.SIGTERM)
        server.expect_exit(timeout=5)
    finally:
        os.close(writer)
        os.close(reader)


def fill_up(writer):
    os.set_blocking(writer, False)
    try:
        while True:
            os.write(writer, b"x")
    except BlockingIOError:
        os.set_blocking(writer, True)


@pytest.mark.parametrize("kind", ["pipe", "fifo", "stream", "terminal"])
def test_a_ready_fd_that_takes_nothing_does_not_hold_up_the_start(prongd, tmp_path, kind):
    reader, writer = KINDS[kind](tmp_path)
    try:
        fill_up(writer)
        server = prongd("-v", "-l", "127.0.0.1:0", "--ready-fd", writer, "echo",
                        plain=True, pass_fds=[writer])  # fmt: skip
        [failed] = server.wait_log(event="ready-failed")
        assert failed["error"] == "ETIMEDOUT"
        assert fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK == 0
        assert server.ask(b"x") == b"x"
    finally:
        os.close(reader)
        os.close(writer)


def read_late(reader, text):
    time.sleep(0.2)  # meanwhile the start waits for the reader
    while part := os.read(reader, 65536):
        text.append(part)


def test_a_ready_fd_that_is_read_late_gets_every_address(prongd):
    reader, writer = os.pipe()
    text = []
    late = threading.Thread(target=read_late, args=(reader, text))
    try:
        fill_up(writer)
        late.start()
        server = prongd("-v", "-l", "127.0.0.1:0", "-l", "127.0.0.1:0", "--ready-fd",
                        writer, "echo", plain=True, pass_fds=[writer])  # fmt: skip
        os.close(writer)
        late.join()
        server.wait_log(event="listen", count=2)
        told = [line["address"] for line in server.log_lines(event="listen")]
        if not server.log_lines(event="ready-failed"):  # a busy machine may be late
            assert b"".join(text).lstrip(b"x").decode().split() == told
    finally:
        os.close(reader)
