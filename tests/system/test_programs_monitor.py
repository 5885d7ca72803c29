"""A program does not notice its monitor, and no monitor lives longer than it should."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

from harness import eventually
from logline import reasons
from privileges import may_be_set_user_id, user
from proc import children, is_zombie, state
from sockets import receive_all, receive_exactly

WAYS = {"cold": (), "resolved": ("--resolve",), "monitored": ("--kill-descendants",),
        "both": ("--resolve", "--kill-descendants")}  # fmt: skip
USERS = {"root": (), "nobody": ("--user", "nobody")}

each_way = pytest.mark.parametrize("way", WAYS)
each_user = pytest.mark.parametrize("who", USERS)


def start(prongd, way, who, *words, options=()):
    if USERS[who] and os.geteuid() != 0:
        pytest.skip("needs root")
    return prongd(*WAYS[way], *USERS[who], *options, "--", *words)


# What a program does to its own group, what it prints before, and how it ends.
SIGNALS = [
    ("kill -TERM 0", "crash-signal", "TERM"),
    ("kill -INT 0", "crash-signal", "INT"),
    ("kill -HUP -$$", "crash-signal", "HUP"),
    ("kill -KILL 0", "crash-signal", "KILL"),
    ("kill -KILL -$$", "crash-signal", "KILL"),
    ("kill -USR1 0", "crash-signal", "USR1"),
    ("trap 'exit 7' TERM; kill -TERM 0; sleep 5", "failed", "7"),
    ("trap '' TERM INT HUP; kill -TERM 0; kill -INT 0; kill -HUP 0", "done", "0"),
]


@each_user
@each_way
@pytest.mark.parametrize("script, reason, fate", SIGNALS)
def test_a_signal_to_its_own_group_ends_a_program_as_it_does_without(
        prongd, way, who, script, reason, fate):  # fmt: skip
    server = start(prongd, way, who, "sh", "-c", f"echo ready; {script}")
    client = server.connect()
    assert receive_all(client) == b"ready\n"
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed.get("signal", closed.get("status"))) == (reason, fate)


@each_user
@each_way
def test_a_program_that_stops_its_group_goes_on_when_that_is_continued(prongd, way, who):
    server = start(prongd, way, who, "sh", "-c",
                   "echo $$; kill -STOP 0; echo on; exit 3")  # fmt: skip
    client = server.connect()
    pid = int(client.makefile().readline())
    eventually(lambda: state(pid) == "T", "stopped")
    os.killpg(pid, signal.SIGCONT)
    assert receive_all(client) == b"on\n"
    [closed] = server.wait_log(event="close")
    assert closed["status"] == "3"


@each_user
@each_way
def test_a_program_that_has_stopped_its_group_does_not_escape(prongd, way, who):
    server = start(prongd, way, who, "sh", "-c", "echo $$; kill -STOP 0; sleep 1000",
                   options=["--session-timeout", "500ms"])  # fmt: skip
    pid = int(server.connect().makefile().readline())
    server.wait_log(event="close", reason="deadline")
    eventually(lambda: is_zombie(pid), "gone")


def test_a_program_of_another_user_cannot_end_its_monitor(prongd):
    server = start(prongd, "monitored", "nobody", "sh", "-c",
                   "kill -TERM $PPID 2>/dev/null; kill -KILL $PPID 2>/dev/null; "
                   "echo ready; cat")  # fmt: skip
    client = server.connect()
    assert receive_exactly(client, 6) == b"ready\n"
    [monitor] = server.workers()
    assert children(monitor) and not is_zombie(monitor)


# What the supervisor sends.


@each_user
@each_way
def test_sigterm_reaches_a_program_and_its_group_once(prongd, way, who):
    script = ("trap 'echo main; sleep 0.2; exit 0' TERM; (trap 'echo part; exit' TERM; "
              "echo ready; while :; do sleep 0.05; done) & while :; do sleep 0.05; done")  # fmt: skip
    server = start(prongd, way, who, "sh", "-c", script,
                   options=["--stderr", "null", "--session-timeout", "500ms"])  # fmt: skip
    client = server.connect()
    assert sorted(receive_all(client).split()) == [b"main", b"part", b"ready"]


@each_user
@each_way
def test_programs_are_gone_within_a_second_of_a_stop_that_kills(prongd, way, who):
    server = start(prongd, way, who, "sh", "-c",
                   'trap "" TERM; echo $$; while :; do sleep 1; done',
                   options=["--grace", "500ms"])  # fmt: skip
    pids = [int(server.connect().makefile().readline()) for _ in range(3)]
    server.signal(signal.SIGTERM)
    assert reasons(server.expect_exit(timeout=3)) == {"stopped": 3}
    assert all(map(is_zombie, pids))


@each_user
@each_way
def test_a_program_dies_with_its_supervisor_at_any_moment_of_its_start(prongd, way, who):
    """At the end it is checked that none is alive."""
    for step in range(12):
        server = start(prongd, way, who, "sleep", "1000", options=["-q"])
        server.connect()
        time.sleep(step * 0.0005)  # any moment of the start
        server.kill()


# A name server that never answers; only for lookups of this test.
def silent_resolver(directory):
    """Words under which names are looked up at an address that does not answer."""
    (directory / "resolv.conf").write_text(
        "nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")  # fmt: skip
    (directory / "hosts").write_text("")
    mounts = " && ".join(f"mount --bind {directory}/{name} /etc/{name}"
                         for name in ("resolv.conf", "hosts"))  # fmt: skip
    under = ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"]
    if subprocess.run([*under, "true"], capture_output=True).returncode != 0:
        pytest.skip("a mount namespace cannot be made")
    return under


@pytest.fixture
def silence(public):
    """A bound port 53 that never answers, and the words under which prongd runs."""
    under = silent_resolver(public)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as name_server:
        try:
            name_server.bind(("127.0.0.1", 53))
        except OSError:
            pytest.skip("port 53 cannot be bound")
        yield under


@each_user
@pytest.mark.parametrize("way", ["resolved", "both"])
@pytest.mark.parametrize("end", ["killed", "QUIT", "TERM", "session-timeout"])
def test_a_lookup_that_takes_long_holds_nothing_up(prongd, silence, way, who, end):
    options = {"TERM": ["--grace", "500ms"],
               "session-timeout": ["--session-timeout", "500ms"]}.get(end, [])  # fmt: skip
    if USERS[who] and os.geteuid() != 0:
        pytest.skip("needs root")
    server = prongd(*WAYS[way], *USERS[who], *options, "--", "cat", under=silence)
    server.connect()
    server.wait_log(event="serve")
    [pid] = server.workers()
    below = [pid, *children(pid)]
    if end == "killed":
        server.kill()
        eventually(lambda: all(map(is_zombie, below)), "gone", 3)
    elif end == "session-timeout":
        server.wait_log(event="close", reason="deadline", timeout=5)
        eventually(lambda: all(map(is_zombie, below)), "gone", 3)
    else:
        server.signal(getattr(signal, f"SIG{end}"))
        server.expect_exit(timeout=4)
        assert all(map(is_zombie, below))


# At a limit of processes.


def limited(most):
    def limit():
        os.setgroups([])
        os.setresgid(54323, 54323, 54323)
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
        os.setresuid(54323, 54323, 54323)

    return limit


@pytest.mark.parametrize("way", ["resolved", "monitored", "both"])
@pytest.mark.parametrize("most", [3, 4, 6])
def test_clients_wait_where_no_process_can_be_made(prongd, root, way, most):
    server = prongd(*WAYS[way], "--", "/bin/cat", preexec_fn=limited(most))
    clients = [server.connect() for _ in range(8)]
    for client in clients:
        client.sendall(b"x")
    server.wait_log(event="fork-failed", error="EAGAIN")
    for client in clients:  # each is served when the one before is gone
        assert receive_exactly(client, 1) == b"x"
        client.close()
    closed = server.wait_log(event="close", count=8)
    assert {line["reason"] for line in closed} <= {"eof", "done", "reset"}


@pytest.mark.parametrize("way", ["monitored", "both"])
def test_clients_are_refused_there_where_that_is_the_policy(prongd, root, way):
    server = prongd(*WAYS[way], "--at-limit", "refuse", "--", "/bin/cat",
                    preexec_fn=limited(4))  # fmt: skip
    [client] = server.hold()
    server.refused()
    server.wait_log(event="refused", reason="refused-fork")
    assert reasons(server.totals())["refused-fork"] >= 1
    client.close()


# What cannot be killed.


@pytest.fixture
def set_user_id(root, public):
    """A Python that becomes root completely, whichever user runs it."""
    if not may_be_set_user_id(public):
        pytest.skip("no set-user-ID programs here")
    path = public / "python"
    shutil.copy(os.path.realpath("/usr/bin/python3"), path)
    os.chown(path, 0, 0)
    os.chmod(path, os.stat(path).st_mode | stat.S_ISUID | 0o755)
    return path


@pytest.mark.parametrize("way", ["cold", "monitored"])
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGQUIT, None])
def test_what_may_not_be_killed_is_named_and_does_not_stop_the_stop(
        prongd, set_user_id, way, how):  # fmt: skip
    """Both at a stop and at its deadline before."""
    script = ("import os, signal, sys; os.setresuid(0, 0, 0); "
              "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
              "print(os.getpid(), flush=True); sys.stdin.read(); signal.pause()")  # fmt: skip
    options = ["--session-timeout", "2s"] if how is None else ["--grace", "500ms"]
    nobody = user("nobody")
    server = prongd(*WAYS[way], "--allow-new-privs", *options, "--", set_user_id, "-c",
                    script, user=nobody.uid, group=nobody.gid, extra_groups=[])  # fmt: skip
    pid = int(server.connect().makefile().readline())
    try:
        if how is None and way == "cold":
            line = server.wait_log(event="unkillable")[0]
            assert (line["pid"], line["error"]) == (str(pid), "EPERM")
        begin = time.monotonic()
        server.signal(how or signal.SIGQUIT)
        server.expect_exit(timeout=4)
        assert time.monotonic() - begin < 2 + 0.5
        assert {line["pid"] for line in server.log_lines(event="unkillable")} == {str(pid)}
        assert not is_zombie(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
