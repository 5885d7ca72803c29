"""Programs kept warm: executed and linked, they wait before main() for a connection."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from harness import BUILD, PATIENCE, PRONGD, SANITIZED, eventually
from proc import children, descriptors, is_zombie, name_of, settled, state
from sockets import echoes, receive_all, reset

SHIM = BUILD / "prong-warm.so"

SLOW = """
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void wait_for_gate(void)
{
	while (access(getenv("GATE"), F_OK) < 0)
		usleep(1000);
}
"""

# How the runtimes of several languages read the environment, each on its own lines.
READS = """
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static char **noted;
static void show(const char *how, char **at)
{
	for (; *at != NULL; at++)
		printf("%s %s\\n", how, *at);
}
__attribute__((constructor)) static void note(int argc, char **argv, char **envp)
{
	noted = envp;
}
int main(int argc, char **argv, char **envp)
{
	static char text[65536];
	FILE *file = fopen("/proc/self/environ", "r");
	size_t n = fread(text, 1, sizeof(text), file);
	show("argument", envp);
	show("environ", environ);
	show("stack", argv + argc + 1);
	show("noted", noted);
	for (char *at = text; at < text + n; at += strlen(at) + 1)
		if (*at != 0)
			printf("proc %s\\n", at);
	return 0;
}
"""

SETS = """
#include <stdlib.h>
__attribute__((constructor)) static void set(void)
{
	setenv("SET", "before main", 1);
}
"""

STARTS_ITSELF = """
#include <stdlib.h>
#include <unistd.h>
void _start(void)
{
	write(1, "own\\n", 4);
	_Exit(0);
}
"""

PASCAL = """
program e;
{$linklib c}
uses sysutils;
begin
	writeln('TCPREMOTEIP=', GetEnvironmentVariable('TCPREMOTEIP'));
	writeln('LD_PRELOAD=', GetEnvironmentVariable('LD_PRELOAD'));
end.
"""

CLOSES = """
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void close_all(void)
{
	close_range(3, ~0U, 0);
}
"""

LOOK = "env | sort; ls -l /proc/self/fd | grep -c socket; umask; pwd"


def compiled(folder, name, text, *options):
    """Compile text with cc; return the path."""
    source = folder / f"{name}.c"
    source.write_text(text)
    words = ["cc", "-D_GNU_SOURCE", *options, "-o", folder / name, source]
    subprocess.run(words, check=True, timeout=60)
    return folder / name


def children_named(server, name):
    return [pid for pid in server.children() if name_of(pid) == name]


def warm_pids(server, count):
    """The programs that the supervisor knows to be ready."""
    found = sorted(server.expect_workers(count))
    for pid in (*found, server.pid):
        settled(pid)
    return found


def test_a_client_gets_a_program_that_had_been_started_before(prongd):
    server = prongd("--warm", "-s", 2, "--", "cat")
    waiting = warm_pids(server, 2)
    assert [name_of(pid) for pid in waiting] == ["cat", "cat"]
    with server.connect() as client:
        assert echoes(client)
        [served] = server.wait_log(event="serve")
        assert int(served["pid"]) in waiting
        warm_pids(server, 3)


def test_a_warm_program_finds_what_a_cold_one_finds(prongd, tmp_path):
    options = ["--env", "MINE=1", "--chdir", tmp_path, "--umask", "027"]
    program = ["--", "sh", "-c", LOOK]
    found = []
    for how in ([], ["--warm", "-s", 1]):
        server = prongd(*how, *options, *program)
        text = server.ask(b"").decode()
        port = str(server.addresses[0][1][1])
        lines = [line for line in text.splitlines() if "REMOTE" not in line]
        found.append([line.replace(port, "PORT") for line in lines])
        assert "TCPREMOTEIP=127.0.0.1\n" in text
    assert found[0] == found[1]
    assert "MINE=1" in found[1] and "0027" in found[1]
    assert not [line for line in found[1] if "PRONG" in line or "LD_PRELOAD" in line]


def test_what_the_administrator_preloads_is_preloaded_too(prongd):
    server = prongd(
        "--warm", "-s", 1, "--env", "LD_PRELOAD=libdl.so.2", "--", "env")  # fmt: skip
    assert b"\nLD_PRELOAD=libdl.so.2\n" in b"\n" + server.ask(b"")


def test_a_warm_program_has_nothing_but_its_channel(prongd):
    server = prongd("--warm", "-s", 1, "--", "cat")
    [pid] = warm_pids(server, 1)
    settled(pid)
    assert sorted(descriptors(pid)) == [0, 1, 2, 3]
    assert descriptors(pid)[0] == "/dev/null"


def test_standard_error_can_be_the_connection(prongd):
    server = prongd("--warm", "-s", 1, "--stderr", "connection", "--",
                    "sh", "-c", "echo out; echo err >&2")  # fmt: skip
    assert server.ask(b"") == b"out\nerr\n"


def test_a_script_can_be_warm(prongd, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\necho $TCPREMOTEIP $0\n")
    script.chmod(0o755)
    server = prongd("--warm", "-s", 1, "--", script)
    warm_pids(server, 1)
    assert server.ask(b"") == b"127.0.0.1 %s\n" % str(script).encode()


@pytest.mark.skipif(SANITIZED, reason="there prongd is not static")
def test_a_program_that_cannot_be_warm_is_told_once_and_started_cold(prongd):
    server = prongd("--warm", "-s", 2, "--", PRONGD, "--version")
    for _ in range(3):
        assert server.ask(b"").startswith(b"prongd ")
    [line] = server.log_lines(event="cold")
    assert line["why"] == "it is statically linked"
    assert server.workers() == []


class Unwarmed:
    """A prongd whose spares soon end, for which the checks of a
    Server would not wait."""

    def __init__(self, tmp_path, *words, program=PRONGD, under=()):
        self.log = tmp_path / "unwarmed.log"
        words = [*under, program, "-l", "127.0.0.1:0", "--warm", *words]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(words, stderr=log, stdin=subprocess.DEVNULL)

    def lines(self, event):
        return [line for line in self.log.read_text().splitlines()
                if f" event={event} " in line]  # fmt: skip

    def ask(self, sent):
        [line] = eventually(lambda: self.lines("listen"), "a listener")
        with socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2]))) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            return receive_all(client)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(PATIENCE) == 0


def prongd_beside(shim, directory):
    """A prongd that finds this shim in its own directory."""
    directory.mkdir()
    shutil.copy(PRONGD, directory)
    shutil.copy(shim, directory / "prong-warm.so")
    return directory / "prongd"


def runs_for_clients_alone(tmp_path, most, **options):
    """Check that the program has run at most this often without a client;
    return why it is cold."""
    runs = tmp_path / "runs"
    script = f"echo >>{runs}; read x; echo $x"
    with Unwarmed(tmp_path, "-s", "2", "--", "sh", "-c", script, **options) as server:
        [line] = eventually(lambda: server.lines("cold"), "cold")
        eventually(lambda: children(server.process.pid) == [], "no spare")
        before = len(runs.read_text()) if runs.exists() else 0
        assert before <= most
        for _ in range(3):
            assert server.ask(b"served\n") == b"served\n"
        assert len(runs.read_text()) == before + 3
    return line.partition(" why=")[2]


beside = pytest.mark.skipif(SANITIZED, reason="there it finds libraries beside itself")


@beside
@pytest.mark.parametrize("name", ["with a space", "with:colon", "$ORIGIN", "a b:$LIB"])
def test_a_shim_whose_path_cannot_be_preloaded_is_not_tried(tmp_path, name):
    program = prongd_beside(SHIM, tmp_path / name)
    why = runs_for_clients_alone(tmp_path, 0, program=program)
    assert why.startswith('"the shim\'s path has')


@beside
def test_a_shim_that_may_not_be_executed_is_not_tried(tmp_path, root):
    program = prongd_beside(SHIM, tmp_path / "bin")
    shim = program.parent / "prong-warm.so"
    mount = (f"mount -t tmpfs -o noexec none /mnt && cp {shim} /mnt && "
             f'mount --bind /mnt/prong-warm.so {shim} && exec "$@"')  # fmt: skip
    under = ["unshare", "-m", "sh", "-c", mount, "sh"]
    if subprocess.run([*under, "true"], capture_output=True).returncode != 0:
        pytest.skip("a mount namespace cannot be made")
    why = runs_for_clients_alone(tmp_path, 0, program=program, under=under)
    assert why == '"the shim cannot be executed"'


@beside
@pytest.mark.parametrize("content", ["nothing", "a part", "text"])
def test_a_shim_that_is_no_library_is_not_tried_again(tmp_path, content):
    """This shows only when programs that should wait load the shim."""
    other = tmp_path / "other"
    other.write_bytes({"nothing": b"", "a part": SHIM.read_bytes()[:100],
                       "text": b"text\n" * 1000}[content])  # fmt: skip
    program = prongd_beside(other, tmp_path / "bin")
    why = runs_for_clients_alone(tmp_path, 2, program=program)
    assert why == '"it ended before it was ready"'


def test_warm_programs_that_die_are_replaced_with_pauses(prongd):
    server = prongd("--warm", "-s", 2, "--", "cat")
    begin = time.monotonic()
    killed = set()
    while time.monotonic() - begin < 1:
        for pid in children(server.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
    eventually(lambda: all(map(is_zombie, killed)), "dead")
    assert int(server.totals()["processes"]) < 100
    assert server.ask(b"still") == b"still"
    warm_pids(server, 2)


def test_a_warm_program_ends_with_its_client(prongd):
    server = prongd("--warm", "-s", 1, "--", "sleep", "1000")
    client = server.connect()
    server.wait_log(event="serve")
    reset(client)
    [closed] = server.wait_log(event="close", timeout=2)
    assert (closed["reason"], closed["signal"]) == ("reset", "TERM")


def test_a_stop_ends_those_that_wait(prongd):
    server = prongd("--warm", "-s", 4, "--grace", "60s", "--", "cat")
    waiting = warm_pids(server, 4)
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=2)
    assert not [pid for pid in waiting if os.path.exists(f"/proc/{pid}")]


def test_they_die_with_the_supervisor(prongd):
    server = prongd("--warm", "-s", 2, "--", "cat")
    waiting = warm_pids(server, 2)
    server.kill()
    eventually(lambda: all(state(p) in (None, "Z") for p in waiting), "gone", 1)


@pytest.mark.parametrize("other", ["--resolve", "--kill-descendants"])
def test_warm_does_not_go_with_an_attendant(other):
    words = [PRONGD, "-l", "127.0.0.1:0", "--warm", other, "--", "cat"]
    run = subprocess.run(words, capture_output=True, text=True, timeout=10)
    assert run.returncode == 2
    assert "cannot be combined with --resolve or --kill-descendants" in run.stderr


# The environment is complete when main() begins, wherever a runtime reads it.


def lines_of(server):
    """Sorted, since the order is not promised; without the ports, which differ."""
    lines = server.ask(b"").decode().splitlines()
    assert not [line for line in lines if "PRONG" in line], "nothing of ours is left"
    return sorted(re.sub(r"(PORT|PID)=\d+", r"\1=N", line) for line in lines)


GIVEN = [
    (),
    ("--env", "MINE=1", "--env", "PROTO=mine", "--env", "REMOTE_PORT=1"),
    ("--env", "LD_PRELOAD=libdl.so.2"),
]


@pytest.mark.parametrize("listen", [(), ("-l", "unix:{}/socket")])
@pytest.mark.parametrize("given", GIVEN)
def test_every_way_to_read_the_environment_shows_what_a_cold_program_sees(
    prongd, tmp_path, given, listen
):
    program = compiled(tmp_path, "reads", READS)
    found = []
    for how in ([], ["--warm", "-s", 1]):
        words = [word.format(tmp_path) for word in listen]
        server = prongd(*how, *given, *words, "--", program)
        if how:
            warm_pids(server, 1)
        found.append(lines_of(server))
        server.stop()
    assert found[0] == found[1]
    assert any("proc PROTO=" in line for line in found[1])


def test_an_environment_that_was_changed_before_main_is_completed_too(prongd, tmp_path):
    library = compiled(tmp_path, "sets.so", SETS, "-shared", "-fPIC")
    program = compiled(tmp_path, "reads", READS)
    server = prongd("--warm", "-s", 1, "--env", f"LD_PRELOAD={library}", "--", program)
    warm_pids(server, 1)
    lines = lines_of(server)
    for how in ("environ", "argument", "stack", "noted", "proc"):
        assert f"{how} TCPREMOTEIP=127.0.0.1" in lines
        assert f"{how} LD_PRELOAD={library}" in lines
    assert "environ SET=before main" in lines


def test_a_program_that_does_not_begin_in_libc_is_started_cold(prongd, tmp_path):
    program = compiled(tmp_path, "itself", STARTS_ITSELF, "-nostartfiles")
    server = prongd("--warm", "-s", 2, "--", program)
    assert server.ask(b"") == b"own\n"
    [line] = server.log_lines(event="cold")
    assert line["why"] == "its entry point is not that of a program linked with libc"
    assert server.workers() == []


@pytest.mark.skipif(shutil.which("fpc") is None, reason="needs Free Pascal")
def test_a_pascal_program_sees_its_connection(prongd, tmp_path):
    (tmp_path / "e.pas").write_text(PASCAL)
    subprocess.run(["fpc", "-v0", "e.pas"], cwd=tmp_path, check=True, timeout=60)
    server = prongd("--warm", "-s", 1, "--", tmp_path / "e")
    assert server.ask(b"") == b"TCPREMOTEIP=127.0.0.1\nLD_PRELOAD=\n"


# Nothing is assumed about a spare that has not reported yet.


def test_a_spare_that_is_stopped_is_never_given_a_client(prongd):
    server = prongd("--warm", "-s", 2, "--", "cat")
    stopped = warm_pids(server, 2)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    eventually(lambda: {state(pid) for pid in stopped} == {"T"}, "stopped")
    for _ in range(3):
        assert server.ask(b"served") == b"served"
    served = {int(line["pid"]) for line in server.wait_log(event="serve", count=3)}
    assert not served & set(stopped)
    eventually(lambda: all(state(pid) in (None, "Z") for pid in stopped), "killed")


@pytest.mark.parametrize("options", [(), ("-n", 2), ("-n", 2, "--at-limit", "refuse")])
def test_a_spare_that_has_not_come_to_wait_is_never_given_a_client(
    prongd, tmp_path, options
):
    """A library that the administrator preloads runs before main(), and is slow."""
    library = compiled(tmp_path, "slow.so", SLOW, "-shared", "-fPIC")
    gate = tmp_path / "gate"
    server = prongd("--warm", "-s", 2, *options, "--env", f"LD_PRELOAD={library}",
                    "--env", f"GATE={gate}", "--", "cat")  # fmt: skip
    held = eventually(lambda: [*children_named(server, "cat")][1:], "begun")
    with server.connect() as client:
        if not options:
            [served] = server.wait_log(event="serve")
            assert int(served["pid"]) not in held
        gate.touch()
        assert echoes(client)
    assert server.log_lines(event="refused") == []


def test_a_program_that_takes_no_notice_of_the_shim_gets_no_client_as_a_spare(tmp_path):
    """It closes all descriptors before main(), including the channel."""
    library = compiled(tmp_path, "closes.so", CLOSES, "-shared", "-fPIC")
    with Unwarmed(tmp_path, "-s", "1", "--env", f"LD_PRELOAD={library}", "--", "cat") as server:
        eventually(lambda: server.lines("spare-died"), "dead")
        for _ in range(5):
            assert server.ask(b"cold") == b"cold"


# The files from which a spare was started.


def test_a_program_that_is_replaced_is_served_anew_from_the_next_client_on(
    prongd, tmp_path
):
    program = tmp_path / "program"
    shutil.copy(shutil.which("cat"), program)
    server = prongd("--warm", "-s", 3, "--", program)
    old = warm_pids(server, 3)
    assert server.ask(b"cat") == b"cat"
    new = tmp_path / "new"
    shutil.copy(shutil.which("env"), new)
    new.rename(program)
    for _ in range(5):
        assert b"\nTCPREMOTEIP=127.0.0.1\n" in server.ask(b"cat")
    eventually(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in old), "left")
    warm_pids(server, 3)


def test_the_spares_of_a_script_go_when_its_interpreter_is_replaced(prongd, tmp_path):
    interpreter, script = tmp_path / "interpreter", tmp_path / "script"
    shutil.copy(shutil.which("cat"), interpreter)
    script.write_text(f"#!{interpreter}\ntext\n")
    script.chmod(0o755)
    server = prongd("--warm", "-s", 2, "--", script)
    old = warm_pids(server, 2)
    new = tmp_path / "new"
    shutil.copy(shutil.which("head"), new)
    new.rename(interpreter)
    assert server.ask(b"") == script.read_bytes()
    [served] = server.wait_log(event="serve")
    assert int(served["pid"]) not in old


def test_a_file_that_was_only_read_changes_nothing(prongd, tmp_path):
    program = tmp_path / "program"
    shutil.copy(shutil.which("cat"), program)
    server = prongd("--warm", "-s", 2, "--", program)
    waiting = warm_pids(server, 2)
    program.read_bytes()
    assert server.ask(b"x") == b"x"
    [served] = server.wait_log(event="serve")
    assert int(served["pid"]) in waiting
