"""The chapter's programs do what docs/chapter.md says, including the faulty ones.

Owns every process that it starts: the fixture makes this process the parent of orphans,
so that a test which leaves anything behind fails, and nothing stays.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

from harness import BUILD, PATIENCE, ROOT, eventually
from proc import children, gone, parent, state
from sockets import echoes, exchange, receive_all, reset

SOURCES = ROOT / "examples" / "chapter"
PROGRAMS = BUILD / "examples" / "chapter"
COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)

needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler at hand")


# Processes -----------------------------------------------------------------------


class Processes:
    """Starts programs; notices when a descendant of theirs is left."""

    def __init__(self):
        self.before = set(children(os.getpid()))
        self.started = []

    def start(self, *command, **options):
        options = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        if not os.path.isabs(command[0]):
            command = (str(PROGRAMS / command[0]), *command[1:])
        process = subprocess.Popen(command, **options)
        self.started.append(process)
        return process

    def output(self, *command, **options):
        """Run it to its end, which must be a success; return the
        lines that it printed."""
        process = self.start(*command, **options)
        text, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{command} ended with {process.returncode}"
        return text.decode().splitlines()

    def client(self, program, port, **options):
        """A client whose input is a pipe that stays open."""
        options["stdin"] = subprocess.PIPE
        return self.start(program, "127.0.0.1", str(port), **options)

    def server(self, program):
        process = self.start(program, "0")
        line = process.stdout.readline().decode()
        match = re.fullmatch(r"listening on \d+\.\d+\.\d+\.\d+:(\d+)\n", line)
        assert match, f"{program} printed {line!r}"
        threading.Thread(target=process.stdout.read, daemon=True).start()
        return process, int(match[1])

    def left(self):
        """Children of ours that only the fixture will reap."""
        known = self.before | {process.pid for process in self.started}
        return [pid for pid in children(os.getpid()) if pid not in known]

    def ended(self):
        """Those that have ended, orphans included; reaps them."""
        for pid in self.left():
            os.waitpid(pid, os.WNOHANG)
        return all(p.poll() is not None for p in self.started) and not self.left()

    def kill_all(self):
        """Kill all that live, and then what these leave to us."""
        for process in self.started:
            process.kill()
            process.wait()
        while pids := self.left():
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        for process in self.started:
            for stream in (process.stdin, process.stdout, process.stderr):
                with contextlib.suppress(AttributeError, OSError):
                    stream.close()


@pytest.fixture
def processes():
    ours = Processes()
    try:
        yield ours
        eventually(ours.ended, "every process that the test started is gone")
    finally:
        ours.kill_all()


def stop(server):
    """Stop a server whose clients are gone; its children end by themselves."""
    server.terminate()
    server.wait(PATIENCE)


@pytest.fixture
def compiled(tmp_path):
    """A program of the chapter, compiled separately from the
    build and its sanitizers."""

    def compile_one(name, *flags):
        target = tmp_path / name
        source = SOURCES / f"{name}.c"
        command = [COMPILER, "-std=gnu17", "-g", *flags, "-o", target, source]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 and flags:
            pytest.skip(f"{COMPILER} {' '.join(flags)}: {done.stderr}")
        assert done.returncode == 0, done.stderr
        return str(target)

    return compile_one


def zombies(pid):
    return [child for child in children(pid) if state(child) == "Z"]


# Clients and servers -------------------------------------------------------------


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)


def come_and_go(port, times, together):
    """Clients that connect, have one byte echoed, and leave together."""
    for _ in range(times):
        with contextlib.ExitStack() as stack:
            for _ in range(together):
                assert echoes(stack.enter_context(connect(port)), b"x")


def end_together(server, port, clients):
    """Clients whose processes all end while the server is stopped: one SIGCHLD."""
    with contextlib.ExitStack() as stack:
        for _ in range(clients):
            assert echoes(stack.enter_context(connect(port)), b"x")
        server.send_signal(signal.SIGSTOP)
        eventually(lambda: state(server.pid) == "T", "the server is stopped")
    eventually(lambda: len(zombies(server.pid)) == clients, "all have ended")
    server.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)
        yield listener, str(listener.getsockname()[1])


# fork, wait, waitpid -------------------------------------------------------------


def test_parent_and_child_each_have_their_own_values(processes):
    assert processes.output("fork_memory") == [
        "child:  gval 12, lval 25",
        "parent: gval 11, lval 26",
    ]


def test_zombie_is_seen_as_z_and_gone_after_wait(processes):
    zombie = processes.start("zombie", "1")
    first, command, shown = (zombie.stdout.readline().decode() for _ in range(3))
    pid = int(re.match(r"child (\d+) has ended", first)[1])
    assert command.split() == ["ps", "-o", "pid,ppid,stat,comm", "-p", str(pid)]
    assert shown == f"{pid}: State:\tZ (zombie)\n"
    assert (state(pid), parent(pid)) == ("Z", zombie.pid)
    rest, _ = zombie.communicate(timeout=PATIENCE)
    assert rest.decode() == f"after waitpid:\n{pid}: no such process\n"
    assert gone(pid)


def test_wait_tells_exit_statuses_and_signals_apart(processes):
    lines = processes.output("wait_status")
    assert [line.partition(", ")[2] for line in lines] == [
        "status 0x0300: normal termination, passed 3",
        "status 0x0700: normal termination, passed 7",
        "status 0x000f: killed by signal 15 (Terminated)",
    ]


def test_waitpid_with_wnohang_says_not_yet_until_the_child_has_ended(processes):
    *before, last = processes.output("waitpid_nohang", "1")
    assert before
    assert set(before) == {"waitpid returned 0: not yet, so the parent does other work"}
    assert last == "waitpid returned the child's pid; the child passed 24"


# Signals -------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["signal_alarm", "sigaction_alarm"])
def test_alarm_rings_and_ctrl_c_is_handled(processes, program):
    started = time.monotonic()
    process = processes.start(program, "1")
    assert process.stdout.readline() == b"wait...\n"
    eventually(lambda: state(process.pid) == "S", f"{program} sleeps")
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"CTRL+C pressed\n"
    rest, _ = process.communicate(timeout=PATIENCE)
    assert rest.count(b"Time out!\n") >= 2
    assert process.returncode == 0
    assert time.monotonic() - started < 100, "sleep(100) was not cut short"


def test_nine_children_ended_and_one_sigchld_reaps_all_nine(processes):
    assert processes.output("sigchld_reap") == [
        "9 children ended, the handler ran 1 time(s), 9 reaped"
    ]


# The server and the client made right --------------------------------------------


def test_echo_server_serves_several_clients_at_once_each_in_its_process(processes):
    server, port = processes.server("echo_server")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(port)) for _ in range(20)]
        for number, client in reversed(list(enumerate(clients))):
            text = f"client {number}\n".encode()
            client.sendall(text)
            assert client.recv(100) == text
        assert len(children(server.pid)) == 20
    eventually(lambda: not children(server.pid), "the processes are gone, too")
    stop(server)


def test_echo_server_leaves_no_zombie_after_200_short_connections(processes):
    server, port = processes.server("echo_server")
    come_and_go(port, times=20, together=10)
    eventually(lambda: not children(server.pid), "no child, living or dead, is left")
    assert server.poll() is None
    stop(server)


def test_echo_server_reaps_five_that_ended_under_one_sigchld(processes):
    server, port = processes.server("echo_server")
    end_together(server, port, clients=5)
    eventually(lambda: not children(server.pid), "all five are reaped")
    stop(server)


def test_echo_server_returns_every_byte_of_a_large_stream(processes):
    server, port = processes.server("echo_server")
    data = bytes(range(256)) * 16384
    with connect(port) as client:
        echoed = exchange(client, data)
    assert echoed == data
    stop(server)


def test_echo_server_starts_again_while_an_old_client_is_connected(processes):
    server, port = processes.server("echo_server")
    with connect(port) as client:
        assert echoes(client, b"x")
        stop(server)
        again = processes.start("echo_server", str(port))
        line = again.stdout.readline().decode()
        assert line == f"listening on 127.0.0.1:{port}\n"
        stop(again)
        assert echoes(client, b"x")


@pytest.mark.parametrize("port", ["70000", "-1", "70l0", "http"])
def test_echo_server_refuses_a_port_that_is_none(processes, port):
    process = processes.start("echo_server", port, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (2, b"")
    assert b"usage: echo_server PORT" in err


def test_echo_client_half_closes_at_the_end_of_input_and_gets_everything(processes):
    server, port = processes.server("echo_server")
    text = b"one\ntwo \0 zeros \0\n" + b"a long line " * 50_000 + b"\nno newline"
    client = processes.client("echo_client", port)
    echoed, _ = client.communicate(text, timeout=PATIENCE)
    assert echoed == text
    assert client.returncode == 0
    eventually(lambda: not children(server.pid), "the server's child is gone")
    stop(server)


@pytest.mark.parametrize("quit_line", [b"q\n", b"Q\n"])
def test_echo_client_half_closes_at_a_line_q(processes, quit_line):
    with listening() as (listener, port):
        client = processes.client("echo_client", port)
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(PATIENCE)
            client.stdin.write(b"quit\n" + quit_line)
            client.stdin.flush()
            assert receive_all(conn) == b"quit\n"
            conn.sendall(b"late answer\n")
        assert client.stdout.read() == b"late answer\n"
        assert client.wait(PATIENCE) == 0


def test_echo_client_leaves_no_writer_when_the_server_closes_first(processes):
    with listening() as (listener, port):
        client = processes.client("echo_client", port)
        conn, _ = listener.accept()
        conn.sendall(b"bye\n")
        eventually(lambda: children(client.pid), "the writer runs")
        conn.close()
        assert client.stdout.read() == b"bye\n"
        assert client.wait(PATIENCE) == 0
    eventually(lambda: not processes.left(), "no writer is left")


def test_echo_client_takes_a_reset_for_a_failure_and_not_for_data(processes):
    with listening() as (listener, port):
        client = processes.client("echo_client", port, stderr=subprocess.PIPE)
        conn, _ = listener.accept()
        conn.sendall(b"hello\n")
        assert client.stdout.read(6) == b"hello\n"
        reset(conn)
        rest, err = client.communicate(timeout=PATIENCE)
    assert rest == b""
    assert b"Connection reset by peer" in err
    assert client.returncode == 1


# The chapter's own, faults included ----------------------------------------------
# Compiled separately: in a build with sanitizers these would die of what is shown here.


@needs_compiler
def test_chapter_server_leaves_zombies_that_stay(processes, compiled):
    server, port = processes.server(compiled("chapter_server"))
    end_together(server, port, clients=5)
    eventually(lambda: len(children(server.pid)) == 4, "one of the five is removed")
    come_and_go(port, times=1, together=1)
    eventually(lambda: len(children(server.pid)) == 4, "one came, one was removed")
    assert len(zombies(server.pid)) == 4
    stop(server)


@needs_compiler
def test_chapter_server_repeats_its_log_in_every_child(processes, compiled, tmp_path):
    log = tmp_path / "log"
    with log.open("wb") as stdout:
        server = processes.start(compiled("chapter_server"), "0", stdout=stdout)
    found = eventually(lambda: re.search(r":(\d+)\n", log.read_text()), "the port")
    port = int(found[1])
    for _ in range(5):
        come_and_go(port, times=1, together=1)
        eventually(lambda: not children(server.pid), "the child has written its copy")
    stop(server)
    assert log.read_text().count("new client connected...") == 1 + 2 + 3 + 4 + 5


@needs_compiler
def test_chapter_server_cannot_start_again_while_a_client_is_connected(
    processes, compiled
):
    program = compiled("chapter_server")
    server, port = processes.server(program)
    with connect(port) as client:
        assert echoes(client, b"x")
        stop(server)
        again = processes.start(program, str(port), stderr=subprocess.PIPE)
        _, err = again.communicate(timeout=PATIENCE)
        assert (again.returncode, err) == (1, b"bind() error\n")


@needs_compiler
def test_chapter_client_sends_the_last_line_for_ever(processes, compiled):
    with listening() as (listener, port):
        client = processes.client(compiled("chapter_client"), port)
        conn, _ = listener.accept()
        with conn, conn.makefile("rb") as lines:
            conn.settimeout(PATIENCE)
            client.stdin.write(b"hello\n")
            client.stdin.close()
            for _ in range(10_000):
                assert lines.readline() == b"hello\n"
        client.stdout.read()  # until SIGPIPE has ended the writer
        client.wait(PATIENCE)


@needs_compiler
def test_chapter_client_writes_past_its_buffer_and_asan_finds_it(processes, compiled):
    program = compiled("chapter_client", "-fsanitize=address")  # a report is wanted
    options = {"stderr": subprocess.PIPE, "env": {**os.environ, "ASAN_OPTIONS": ""}}
    with listening() as (listener, port):
        client = processes.client(program, port, **options)
        conn, _ = listener.accept()
        with conn:
            conn.sendall(b"A" * 30)
            _, report = client.communicate(b"q\n", timeout=PATIENCE)
    assert client.returncode != 0
    assert b"AddressSanitizer: stack-buffer-overflow" in report
    assert re.search(rb"WRITE of size 1.*\n.* in read_routine", report)


@needs_compiler
@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        (b"one\0two\nq\n", b"one"),
        (b"0" * 29 + b"q\nnever sent\nq\n", b"0" * 29),
    ],
    ids=["cut_at_a_zero_byte", "quit_by_the_end_of_a_long_line"],
)
def test_chapter_client_does_not_send_what_was_typed(processes, compiled, typed, sent):
    with listening() as (listener, port):
        client = processes.client(compiled("chapter_client"), port)
        conn, _ = listener.accept()
        with conn:
            conn.settimeout(PATIENCE)
            client.stdin.write(typed)
            client.stdin.flush()
            assert receive_all(conn) == sent
        assert client.wait(PATIENCE) == 0


@needs_compiler
def test_chapter_client_leaves_its_writer_when_the_server_closes(processes, compiled):
    with listening() as (listener, port):
        client = processes.client(compiled("chapter_client"), port)
        conn, _ = listener.accept()
        (writer,) = eventually(lambda: children(client.pid), "the writer runs")
        conn.close()
        assert client.wait(PATIENCE) == 0
    eventually(
        lambda: (state(writer), parent(writer)) == ("S", os.getpid()),
        "the writer sleeps, an orphan")  # fmt: skip
    os.kill(writer, signal.SIGKILL)
