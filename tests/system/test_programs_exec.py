"""A program that cannot be run is reported at the start; later
failures are survived."""

import contextlib
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness import PRONGD, environment, eventually
from logline import reasons
from proc import cpu_seconds, name_of, settled, sleeps
from sockets import echoes

MODES = [(), ("--kill-descendants",)]


def refused(*words, **options):
    """Run prongd, which must not start; return its exit status and message."""
    options.setdefault("env", environment())
    result = subprocess.run([PRONGD, "-l", "127.0.0.1:0", *words], timeout=20,
                            stdin=subprocess.DEVNULL, capture_output=True,
                            **options)  # fmt: skip
    text = result.stderr.decode()
    assert text.startswith("prongd: ") and result.stdout == b"", text
    return result.returncode, text


def script(path, text, mode=0o755):
    path.write_text(text)
    path.chmod(mode)
    return path


# At the start.


def test_a_program_that_is_not_there_is_refused_at_the_start(tmp_path):
    status, text = refused("--", tmp_path / "absent")
    assert status == 1
    assert f"cannot run {tmp_path}/absent"[:150] in text and "No such file" in text


def test_a_program_that_is_not_in_path_is_refused_at_the_start():
    status, text = refused("--", "no-such-program-anywhere")
    assert status == 1
    assert "no-such-program-anywhere" in text and "PATH" in text


def test_a_file_that_is_not_executable_is_refused_at_the_start(tmp_path):
    status, text = refused("--", script(tmp_path / "plain", "#!/bin/sh\n", 0o644))
    assert status == 1
    assert "permission" in text.lower()


def test_a_directory_is_refused_at_the_start(tmp_path):
    status, text = refused("--", tmp_path)
    assert status == 1
    assert "not a regular file" in text


@pytest.mark.parametrize("content", ["echo hello\n", "", "\0\1\2garbage"])
def test_a_file_that_is_no_program_is_refused_at_the_start(tmp_path, content):
    status, text = refused("--", script(tmp_path / "text", content))
    assert status == 1
    assert "#!" in text


def test_a_script_without_its_interpreter_is_refused_at_the_start(tmp_path):
    path = script(tmp_path / "script", "#!/no/such/interpreter -x\n")
    status, text = refused("--", path)
    assert status == 1
    assert "/no/such/interpreter" in text and "No such file" in text


@pytest.mark.parametrize("line", ["#!/bin/bash\r\n", "#! /usr/bin/env sh\r\n",
                                  "#!/usr/bin/env -S sh -e\r\n"])  # fmt: skip
def test_a_script_with_the_line_ends_of_windows_is_told_what_to_do(tmp_path, line):
    path = tmp_path / "script"
    path.write_bytes(line.encode() + b"echo hi\r\n")
    path.chmod(0o755)
    status, text = refused("--", path)
    assert status == 1
    assert "CR LF" in text and "sed" in text


def test_a_script_whose_interpreter_env_will_not_find_is_refused(tmp_path):
    status, text = refused("--", script(tmp_path / "script", "#!/usr/bin/env no-such-x 1\n"))
    assert status == 1
    assert "no-such-x" in text and "PATH" in text


def test_the_interpreter_of_an_interpreter_is_looked_at_too(tmp_path):
    inner = script(tmp_path / "inner", "#!/no/such/interpreter\n")
    status, text = refused("--", script(tmp_path / "outer", f"#!{inner}\n"))
    assert status == 1
    assert "inner" in text and "/no/such/interpreter" in text


def test_a_script_that_is_its_own_interpreter_is_refused(tmp_path):
    path = tmp_path / "self"
    status, text = refused("--", script(path, f"#!{path}\n"))
    assert status == 1
    assert "so on without end" in text


# Offsets of elf(5), the same for 32 and 64 bits: byte order, type, machine.
@pytest.mark.parametrize(("at", "value", "said"), [
    (18, b"\x16\x00", "another kind of machine"), (18, b"\xf7\x00", "another kind of machine"),
    (5, b"\x02", "another kind of machine"), (16, b"\x01\x00", "not an executable program"),
])  # fmt: skip
def test_a_binary_that_this_machine_cannot_run_is_refused(tmp_path, at, value, said):
    binary = bytearray(Path("/bin/true").read_bytes())
    binary[at : at + len(value)] = value
    path = tmp_path / "binary"
    path.write_bytes(binary)
    path.chmod(0o755)
    status, text = refused("--", path)
    assert status == 1
    assert said in text


@pytest.mark.parametrize("loader", [b"/lib/no-musl", b"/no"])
def test_a_binary_without_its_loader_is_refused(tmp_path, loader):
    binary = Path("/bin/true").read_bytes()
    old = re.search(rb"/lib[^\0]*/ld-linux[^\0]*", binary).group()
    path = tmp_path / "binary"
    path.write_bytes(binary.replace(old, loader.ljust(len(old), b"\0"), 1))
    path.chmod(0o755)
    status, text = refused("--", path)
    assert status == 1
    assert "its loader" in text and loader.decode() in text


def test_a_directory_in_path_hides_no_program_behind_it(prongd, tmp_path):
    (tmp_path / "first" / "served").mkdir(parents=True)
    (tmp_path / "second").mkdir()
    script(tmp_path / "second" / "served", "#!/bin/sh\necho found\n")
    path = f"{tmp_path}/first:{tmp_path}/second:{os.environ['PATH']}"
    server = prongd("--", "served", env=environment(PATH=path))
    assert server.ask() == b"found\n"


def test_a_path_of_any_length_is_searched_and_handed_down(prongd):
    path = os.environ["PATH"] + ":/opt/nowhere" * 2000
    server = prongd("--", "sh", "-c", 'echo "${#PATH}"', env=environment(PATH=path))
    assert server.ask() == b"%d\n" % len(path)


def test_of_two_variables_with_one_name_the_program_has_the_last(prongd):
    words = ["--env", "A=1", "--env", "PATH=/x:/bin", "--env", "A=2", "--env", "AB=3"]
    server = prongd(*words, "--", "/usr/bin/env")
    lines = server.ask().split(b"\n")
    names = [line.split(b"=")[0] for line in lines if line]
    assert sorted(names) == sorted(set(names))
    assert {b"A=2", b"AB=3", b"PATH=/x:/bin"} <= set(lines)


def test_a_directory_to_start_in_that_is_not_there_is_a_clean_error(prongd, tmp_path):
    """It is reported in words, at the start or for each client."""
    place = tmp_path / "place"
    place.mkdir()
    server = prongd("--chdir", place, "--", "echo", "here")
    place.rmdir()
    assert server.ask() == b""
    [failed] = server.wait_log(event="exec-failed")
    assert failed["error"] == "ENOENT"
    place.mkdir()
    assert server.ask() == b"here\n"


BAD_USAGE = [
    # words before the program; what the message says
    (["--env", "=value", "--", "cat"], "NAME=VALUE"),
    (["--env", "", "--", "cat"], "NAME=VALUE"),
    (["--umask", "8", "--", "cat"], "mask"),
    (["--umask", "", "--", "cat"], "mask"),
    (["--umask", "-1", "--", "cat"], "mask"),
    (["--umask", "0x1f", "--", "cat"], "mask"),
    (["--umask", "1000", "--", "cat"], "mask"),
    (["--umask", "00777", "--", "cat"], "mask"),
    (["--umask", "u=rwx", "--", "cat"], "mask"),
    (["--stderr", "keep", "--", "cat"], "log, inherit, connection, null"),
    (["--stderr", "", "--", "cat"], "log, inherit, connection, null"),
    (["--stderr", "NULL", "--", "cat"], "log, inherit, connection, null"),
    (["--on-hangup", "kill", "--", "cat"], "end, end:DURATION, ignore"),
    (["--on-hangup", "end:", "--", "cat"], "end, end:DURATION, ignore"),
    (["--on-hangup", "end:0", "--", "cat"], "end, end:DURATION, ignore"),
    (["--linger", "0", "echo"], "not a duration over 0"),
    (["--linger", "2s:", "echo"], "not a duration over 0"),
    (["--linger", "2s:2G", "echo"], "a size of at most 1G"),
    (["--on-hangup", "", "--", "cat"], "end, end:DURATION, ignore"),
    (["--resolve=yes", "--", "cat"], "takes no argument"),
    (["--kill-descendants=1", "--", "cat"], "takes no argument"),
    (["--chdir"], "needs an argument"),
    (["--"], "no program is given"),
    (["--", ""], "no program is given"),
    (["cat"], "a program goes after --"),
]


@pytest.mark.parametrize("words, message", BAD_USAGE)
def test_bad_usage_is_explained_with_status_2(words, message):
    status, text = refused(*words)
    assert status == 2, text
    assert re.search(message, text), text


def test_programs_are_not_reused():
    status, text = refused("-r", "5", "--", "cat")
    assert status == 2
    assert "reuse" in text


# After the start. Each server logs exec-failed once a second, so each fault has its own
# server.


def delete(program):
    program.unlink()


def forbid(program):
    program.chmod(0o644)


def replace_by_garbage(program):
    program.unlink()
    script(program, "no program at all\n")


def replace_by_orphaned_script(program):
    program.unlink()
    script(program, "#!/no/such/interpreter\n")


def open_for_writing(program):
    return open(program, "ab")


FAULTS = [
    (delete, "ENOENT"),
    (forbid, "EACCES"),
    (replace_by_garbage, "ENOEXEC"),
    (replace_by_orphaned_script, "ENOENT"),
    (open_for_writing, "ETXTBSY"),
]


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("spoil, error", FAULTS)
def test_a_program_that_is_spoilt_later_is_logged_and_survived(
    prongd, tmp_path, spoil, error, options
):
    """FAULT 6: the client is closed at once, no child is left;
    then all is well again."""
    program = tmp_path / "program"
    shutil.copy(shutil.which("cat"), program)
    server = prongd(*options, "--", program)
    assert server.ask(b"before") == b"before"
    held = spoil(program)
    begin = time.monotonic()
    assert server.ask(b"") == b""
    assert time.monotonic() - begin < 1
    [failed] = server.wait_log(event="exec-failed")
    assert failed["error"] == error
    assert failed["program"] == str(program)
    assert failed["level"] == "error" and failed["why"]
    eventually(lambda: server.children() == [], "no child left", 1)
    if held:
        held.close()
    program.unlink(missing_ok=True)
    shutil.copy(shutil.which("cat"), program)
    assert server.ask(b"after") == b"after"
    assert reasons(server.stop()) == {"eof": 2, "exec-failed": 1}


def test_the_client_of_a_spoilt_program_is_not_reset_by_what_it_has_sent(
    prongd, tmp_path
):
    program = script(tmp_path / "program", "#!/bin/sh\n")
    server = prongd("--", program)
    program.unlink()
    for _ in range(20):
        assert server.ask(b"x" * 20_000) == b""
    totals = server.stop()
    assert reasons(totals) == {"exec-failed": 20}
    assert len(server.log_lines(event="exec-failed")) <= 3, "paced"


@pytest.mark.parametrize("options", MODES)
def test_arguments_that_have_become_too_long_are_logged_and_survived(prongd, options):
    """FAULT 6, E2BIG: the stack's limit, of which arguments may use
    a quarter, is lowered."""
    server = prongd(*options, "--", "echo", *["x" * 100_000] * 6)
    before = server.set_limit(resource.RLIMIT_STACK, 1 << 20)
    assert server.ask() == b""
    [failed] = server.wait_log(event="exec-failed")
    assert failed["error"] == "E2BIG"
    server.set_limit(resource.RLIMIT_STACK, before)
    assert len(server.ask()) == 600_006


@contextlib.contextmanager
def execve_takes(seconds, pid):
    """Delay execve(2) for the children of pid, like a slow file system."""
    words = ["strace", "-qq", "-f", "-p", str(pid), "-o", "/dev/null", "-e",
             "trace=execve", "-e", f"inject=execve:delay_enter={seconds}s"]  # fmt: skip
    tracer = subprocess.Popen(words)
    try:
        eventually(lambda: tracer_of(pid) == tracer.pid, "traced")
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(20)


def tracer_of(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"TracerPid:\s*(\d+)", file.read())[1])


needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None, reason="strace delays execve"
)


@needs_strace
@pytest.mark.parametrize("options", [(), ("--warm", "-s", 1)])
def test_while_one_program_is_being_executed_another_one_is_started(prongd, options):
    server = prongd(*options, "--", "cat")
    eventually(lambda: len(server.children()) == len(options) // 3, "the spares")
    waiting = server.children()

    def being_executed():
        names = {pid: name_of(pid) for pid in server.children() if pid not in waiting}
        return [pid for pid, name in names.items() if name == "prongd"]

    with execve_takes(2, server.pid), contextlib.ExitStack() as stack:
        clients = [stack.enter_context(server.connect()) for _ in range(4)]
        eventually(lambda: len(being_executed()) >= 3, "at the same time")
        server.signal(signal.SIGUSR1)
        server.wait_log(event="totals")
        assert being_executed(), "the signal did not wait for them"
        assert all(echoes(client) for client in clients)


@needs_strace
def test_a_stop_does_not_wait_for_a_program_that_is_being_executed(prongd):
    server = prongd("--", "cat")
    with execve_takes(2, server.pid), server.connect():
        [pid] = eventually(server.children, "started")
        server.signal(signal.SIGTERM)
        server.wait_log(event="stopping")
        assert name_of(pid) == "prongd"
    server.expect_exit()


CRASHES = [
    (("sh", "-c", "kill -9 $$"), "crash-signal", {"signal": "KILL"}),
    (("false",), "failed", {"status": "1"}),
]


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("words, reason, end", CRASHES)
def test_a_program_that_crashes_at_its_start_costs_one_process_a_client(
    prongd, words, reason, end, options
):
    """FAULT 7: nothing is started again by itself."""
    server = prongd(*options, "--", *words)
    for _ in range(20):
        with contextlib.suppress(ConnectionError):
            assert server.ask(b"hello") == b""
    closed = server.wait_log(event="close", count=20)
    assert all(line.items() >= {"reason": reason, **end}.items() for line in closed)
    settled(server.pid)
    before = cpu_seconds(server.pid), sleeps(server.pid)
    time.sleep(0.3)  # the time for which it is watched
    assert cpu_seconds(server.pid) - before[0] < 0.01
    assert sleeps(server.pid) - before[1] <= 2
    totals = server.stop()
    assert reasons(totals) == {reason: 20}
    assert totals["processes"] == "20"


def test_one_client_that_crashes_its_program_harms_nobody_else(prongd):
    """FAULT 8, two hundred times, with ordinary clients in between."""
    server = prongd("--", "sh", "-c",
                    'read x; [ "$x" != crash ] || kill -9 $$; echo "$x"')  # fmt: skip
    for number in range(200):
        with contextlib.suppress(ConnectionError), server.connect() as attacker:
            attacker.sendall(b"crash\n")
            other = f"other {number}\n".encode()
            assert server.ask(other) == other
    totals = server.stop()
    assert reasons(totals)["crash-signal"] == 200
    assert totals["accepted"] == "400"


def test_a_program_that_is_executable_but_unreadable_is_run(prongd, tmp_path):
    """Checking its first bytes requires more permission than running it."""
    program = tmp_path / "program"
    shutil.copy(shutil.which("cat"), program)
    program.chmod(0o111)
    server = prongd("--", program)
    assert server.ask(b"x") == b"x"


def test_a_script_is_run_by_its_interpreter_with_its_argument(prongd, tmp_path):
    path = script(tmp_path / "script", "#! /bin/sh -e\nfalse\necho unreachable\n")
    server = prongd("--", path)
    assert server.ask() == b""
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["status"]) == ("failed", "1")


def test_a_relative_path_is_found_from_where_prongd_was_started(prongd, tmp_path):
    script(tmp_path / "here", "#!/bin/sh\necho found\n")
    server = prongd("--", "./here", cwd=tmp_path)
    assert server.ask() == b"found\n"
    os.unlink(tmp_path / "here")
