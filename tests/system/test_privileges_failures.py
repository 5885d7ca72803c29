"""If a step of giving up privileges fails, no connection is served without it."""

import contextlib
import re
import shutil
import signal
import subprocess

import pytest

from harness import PRONGD, SANITIZED, environment, eventually
from logline import reasons
from privileges import needs_landlock
from proc import name_of, status
from test_command_line import expect_refusal

pytestmark = [
    pytest.mark.usefixtures("root"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace"),
]

RIGHTS = ("--user", "daemon", "--chroot", "/", "--rlimit", "nofile=64")
EPERM = "error=EPERM"
ORDINARY = [
    # the call; its injected result; the step that the log names
    ("prlimit64", EPERM, "setrlimit"),
    ("chroot", EPERM, "chroot"),
    ("chdir", EPERM, "chdir"),
    ("setgroups", EPERM, "setgroups"),
    ("setresgid", EPERM, "setresgid"),
    ("setresuid", EPERM, "setresuid"),
    ("capset", EPERM, "capset"),
    ("setresuid", "retval=0", "setuid"),  # it "succeeds" without effect
]
STEPS = ORDINARY + [
    ("prctl", f"{EPERM}:when=2", "prctl(PR_SET_PDEATHSIG)"),
    ("prctl", f"{EPERM}:when=3", "prctl(PR_SET_NO_NEW_PRIVS)"),
    ("prctl", EPERM, "prctl(PR_SET_PDEATHSIG)"),
]

# Programs are separated first; a monitor first makes itself a subreaper.
DOMAIN = ("landlock_restrict_self", EPERM, "landlock_restrict_self")
PROGRAM_STEPS = ORDINARY + [
    DOMAIN,
    ("prctl", f"{EPERM}:when=2", "prctl(PR_SET_NO_NEW_PRIVS)"),
    ("prctl", f"{EPERM}:when=3", "prctl(PR_SET_PDEATHSIG)"),
    ("prctl", EPERM, "prctl(PR_SET_PDEATHSIG)"),
]

def each_of(steps):
    names = [f"{call}:{fate}" for call, fate, _ in steps]
    return pytest.mark.parametrize("call, fate, name", steps, ids=names)


each_step = each_of(STEPS)


@contextlib.contextmanager
def failing(server, call, fate, path):
    """Makes the call fail in whatever the supervisor forks from now on."""
    words = ["strace", "-f", "-qq", "-p", str(server.pid), "-o", path,
             "-e", f"trace={call}", "-e", f"inject={call}:{fate}"]  # fmt: skip
    tracer = subprocess.Popen(words)
    try:
        eventually(lambda: status(server.pid)["TracerPid"] == str(tracer.pid), "traced")
        yield
    finally:
        tracer.send_signal(signal.SIGTERM)
        tracer.wait()
    assert "(INJECTED)" in path.read_text(), "the call was never made"


@pytest.fixture
def program(public):
    """Words that start a program, and the file that it makes."""
    ran = public / "ran"
    return ("--", "sh", "-c", ': >"$0"; cat', ran), ran


def use_up(server, spares):
    """Use the spares that were made before; no more processes are
    allowed, so none is replaced."""
    server.hold(spares)
    server.close_clients()
    server.wait_log(event="close", count=spares)


def expect_told(server, name, refused):
    """The log reports it at most once a second, and the totals count it."""
    lines = server.wait_log(event="privileges-failed", level="error")
    for line in lines:
        error = ("EPERM", "Operation not permitted")
        assert (line["call"], line["error"], line["why"]) == (name, *error)
    ended = server.wait_log(event="close", reason="refused-privileges", count=refused)
    assert len(ended) == refused
    assert all((line["bytes_in"], line["bytes_out"]) == ("0", "0") for line in ended)
    assert reasons(server.totals())["refused-privileges"] == refused


def expect_served_again(server):
    """Soon: each process forked while the call still failed may
    refuse one more client."""
    words = b"served again"

    def served():
        with contextlib.suppress(ConnectionError):
            return server.ask(words) == words

    eventually(served, "served again")


@each_step
def test_a_worker_that_keeps_a_right_serves_nobody(prongd, tmp_path, call, fate, name):
    server = prongd(*RIGHTS, "-s", "0", "echo")
    with failing(server, call, fate, tmp_path / "trace"):
        for _ in range(3):
            server.refused()
        expect_told(server, name, 3)
    expect_served_again(server)


@each_step
def test_a_spare_that_keeps_a_right_serves_nobody(prongd, tmp_path, call, fate, name):
    """Spares made before serve: they have given up their privileges."""
    server = prongd(*RIGHTS, "-n", "2", "-s", "2", "echo")
    with failing(server, call, fate, tmp_path / "trace"):
        use_up(server, 2)
        for _ in range(3):
            server.refused()
        expect_told(server, name, 3)
    expect_served_again(server)
    server.expect_workers(2)


def expect_no_program(server, ran, step, path):
    call, fate, name = step
    with failing(server, call, fate, path):
        for _ in range(3):
            server.refused()
        expect_told(server, name, 3)
    assert not ran.exists()
    expect_served_again(server)
    assert ran.exists()


@needs_landlock
@each_of(PROGRAM_STEPS)
def test_a_program_that_would_keep_a_right_is_not_run(
    prongd, program, tmp_path, call, fate, name
):
    words, ran = program
    server = prongd(*RIGHTS, *words)
    expect_no_program(server, ran, (call, fate, name), tmp_path / "trace")


@needs_landlock
@each_of(PROGRAM_STEPS)
def test_a_program_with_a_monitor_that_would_keep_a_right_is_not_run(
    prongd, program, tmp_path, call, fate, name
):
    words, ran = program
    server = prongd(*RIGHTS, "--kill-descendants", *words)
    expect_no_program(server, ran, (call, fate, name), tmp_path / "trace")


@needs_landlock
@each_of(PROGRAM_STEPS)
def test_a_warm_program_that_would_keep_a_right_is_not_run(
    prongd, program, tmp_path, call, fate, name
):
    """Programs started before serve: they have given up their privileges."""
    words, ran = program
    server = prongd(*RIGHTS, "--warm", "-n", "2", "-s", "2", *words)
    for pid in server.workers():
        eventually(lambda: name_of(pid) == "sh", "exec")
    with failing(server, call, fate, tmp_path / "trace"):
        use_up(server, 2)
        ran.unlink()
        for _ in range(3):
            server.refused()
        expect_told(server, name, 3)
    assert not ran.exists()
    expect_served_again(server)
    assert ran.exists()
    server.expect_workers(2)


def test_many_failures_are_few_lines(prongd, tmp_path):
    server = prongd(*RIGHTS, "-s", "0", "echo")
    with failing(server, "setresuid", EPERM, tmp_path / "trace"):
        for _ in range(30):
            server.refused()
        lines = server.log_lines(event="privileges-failed")
        ended = server.wait_log(event="close", reason="refused-privileges", count=30)
    seconds = sum(int(line["duration_ms"]) for line in ended) / 1000
    assert len(lines) <= seconds + 2


AT_THE_START = ORDINARY + [
    ("prctl", f"{EPERM}:when=1", "prctl(PR_SET_PDEATHSIG)"),
    ("prctl", f"{EPERM}:when=2", "prctl(PR_SET_NO_NEW_PRIVS)"),
]


@pytest.mark.parametrize("call, fate, name", AT_THE_START)
def test_what_fails_in_the_trial_is_told_and_nothing_is_bound(public, call, fate, name):
    if SANITIZED and call == "prlimit64":
        pytest.skip("a sanitizer does not start without it")
    words = [*strace("-f", call, fate, public / "trace"), PRONGD, *RIGHTS]
    expect_no_start(words, f"cannot change privileges: {name}", public)


def test_a_trial_that_dies_is_told_and_nothing_is_bound(public):
    words = [*strace("-f", "capset", "signal=KILL", public / "trace"), PRONGD, *RIGHTS]
    message = "a test process with these privileges and limits was killed"
    expect_no_start(words, message, public)


def test_a_trial_takes_limits_when_its_supervisor_will_have_dropped_the_right_to(
    prongd, tmp_path
):
    """Otherwise the first client would find out that only root may set a limit."""
    under = ["strace", "-f", "-D", "-qq", "-o", tmp_path / "trace",
             "-e", "trace=setresuid,prlimit64"]  # fmt: skip
    server = prongd(*RIGHTS, "--drop-privileges", "supervisor", "-s", "0", "echo", under=under)
    lines = (tmp_path / "trace").read_text().splitlines()
    trial = [line for line in lines if int(line.split()[0]) != server.pid]
    [changed] = [n for n, line in enumerate(trial) if " setresuid(1, " in line]
    [limited] = [n for n, line in enumerate(trial) if "rlim_cur=64, " in line]
    assert changed < limited


# The supervisor's own calls after a successful trial; each is made once.
SUPERVISORS_OWN = [step for step in ORDINARY if step[0] != "prlimit64"]


@pytest.mark.parametrize("call, fate, name", SUPERVISORS_OWN)
def test_a_supervisor_that_keeps_a_right_ends(public, call, fate, name):
    words = [*strace("-q", call, fate, public / "trace"), PRONGD, *RIGHTS]
    words += ["--drop-privileges", "supervisor"]
    expect_no_start(words, f"cannot change privileges: {name}", public)


def strace(how, call, fate, path):
    return ["strace", how, "-qq", "-o", path, "-e", f"trace={call}",
            "-e", f"inject={call}:{fate}"]  # fmt: skip


def expect_no_start(words, message, public):
    path = public / "socket"
    words = [*words, "--sandbox", "off", "-l", f"unix:{path}", "echo"]
    result = subprocess.run(words, capture_output=True, timeout=20,
                            env=environment(traced=True))  # fmt: skip
    expect_refusal(result, 1, re.escape(message))
    assert result.stderr.count(b"\n") == 1
    assert not path.exists()
