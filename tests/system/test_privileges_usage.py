"""Privileges that cannot be given up are reported at the start,
before anything runs."""

import os
import re
import shutil
import signal
import subprocess

import pytest

from harness import PRONGD, environment, no_strays
from proc import children
from privileges import NUMBER, furnish

BAD_USAGE = [
    # words; what the message says
    (["--group", "daemon"], "--group needs --user"),
    (["--user", "daemon", "--rlimit"], '"echo" names no resource limit'),
    (["--rlimit", ""], '"" names no resource limit; choose from as core cpu'),
    (["--rlimit", "="], '"=" names no resource limit'),
    (["--rlimit", "=5"], '"=5" names no resource limit'),
    (["--rlimit", "nonsense=5"], '"nonsense=5" names no resource limit.* nofile .* stack$'),
    (["--rlimit", "NOFILE=5"], '"NOFILE=5" names no resource limit'),
    (["--rlimit", "nofil=5"], "names no resource limit"),
    (["--rlimit", "nofile5=5"], "names no resource limit"),
    (["--rlimit", "nofile"], r'"nofile" is not NAME=SOFT\[:HARD\]'),
    (["--rlimit", "nofile="], '"nofile=" is not NAME=SOFT'),
    (["--rlimit", "nofile:5"], "names no resource limit"),
    (["--rlimit", "nofile=:5"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=5:"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=5:6:7"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=-1"], "is not NAME=SOFT"),
    (["--rlimit", "nofile= 5"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=5k"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=K"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=5KK"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=0x10"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=Unlimited"], "is not NAME=SOFT"),
    (["--rlimit", "nofile=unlimitedK"], "is not NAME=SOFT"),
    (["--rlimit", "as=18446744073709551615"], "is not NAME=SOFT"),
    (["--rlimit", "as=18446744073709551616"], "is not NAME=SOFT"),
    (["--rlimit", "as=17179869184G"], "is not NAME=SOFT"),
    (["--rlimit", "as=" + "9" * 200], "is not NAME=SOFT"),
    (["--rlimit", "nofile=6:5"], "the soft limit is over the hard limit"),
    (["--rlimit", "core=unlimited:5"], "the soft limit is over the hard limit"),
    (["--rlimit", "as=1G:1023M"], "the soft limit is over the hard limit"),
    (["--drop-privileges", "nobody"], '"nobody" is not one of child, supervisor'),
    (["--drop-privileges", ""], '"" is not one of child, supervisor'),
    (["--allow-new-privs=yes"], "takes no argument"),
    (["--allow-new-privs"], "in a sandbox no service gains privileges"),
    (["--allow-new-privs", "--sandbox", "strict"], "in a sandbox no service gains"),
]
BAD_RIGHTS = [
    (["--user", "no-such-user"], 'unknown user "no-such-user"'),
    (["--user", ""], 'unknown user ""'),
    (["--user", "-1"], 'unknown user "-1"'),
    (["--user", "4294967295"], 'unknown user "4294967295"'),
    (["--user", "x" * 300], 'unknown user "x{60}"'),
    (["--user", str(NUMBER)], f"no user .* has the number {NUMBER}: give --group"),
    (["--user", "daemon", "--group", "no-such-group"], 'unknown group "no-such-group"'),
    (["--user", "daemon", "--group", "4294967295"], 'unknown group "4294967295"'),
    (["--chroot", "/no/such/directory"], "chroot /no/such/directory: No such file"),
    (["--chroot", ""], "chroot: No such file"),
    (["--chroot", "/etc/passwd"], "chroot /etc/passwd: Not a directory"),
]


@pytest.fixture
def refused(public):
    """refused(status, message, words...) runs prongd, which must refuse to start."""
    before = set(children(os.getpid()))
    socket = public / "socket"

    def run(status, message, *words, program=PRONGD, under=(), **options):
        words = [*under, program, "-l", f"unix:{socket}", *words]
        result = subprocess.run(words, capture_output=True, timeout=20,
                                stdin=subprocess.DEVNULL,
                                env=environment(), **options)  # fmt: skip
        text = result.stderr.decode()
        assert result.returncode == status, text
        assert result.stdout == b""
        first, *more = text.splitlines()
        assert first.startswith("prongd: ") and re.search(message, first), text
        assert more in ([], ["Try 'prongd --help'."]), text
        assert not socket.exists()

    yield run
    no_strays(before)


@pytest.mark.parametrize("words, message", BAD_USAGE)
def test_bad_usage_is_explained_with_status_2(refused, words, message):
    refused(2, message, *words, "echo")


@pytest.mark.parametrize("words, message", BAD_RIGHTS)
def test_rights_that_are_not_to_be_had_are_explained_with_status_1(
    refused, root, words, message
):
    refused(1, message, *words, "echo")
    refused(1, message, *words, "--drop-privileges", "supervisor", "echo")
    refused(1, message, *words, "--", "cat")


def test_more_limits_than_can_be_kept_are_refused(refused):
    refused(2, "given more than [0-9]+ times", *["--rlimit", "core=0"] * 1000, "echo")


@pytest.fixture
def as_nobody(public):
    """Options of refused() that run prongd as a user without privileges."""
    program = shutil.copy(PRONGD, public)  # other users may have no access to the build
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    return {"program": program, **(nobody if os.geteuid() == 0 else {})}


NEEDS_ROOT = r"cannot change privileges: {}: Operation not permitted \(this needs root"


@pytest.mark.parametrize("words, call", [
    (["--user", "daemon"], "setgroups"),
    (["--user", "nobody"], "setgroups"),
    (["--user", "daemon", "--drop-privileges", "supervisor"], "setgroups"),
    (["--chroot", "/"], "chroot /"),
    (["--chroot", "/", "--drop-privileges", "supervisor"], "chroot /"),
])  # fmt: skip
def test_who_has_no_right_to_give_up_rights_is_told_so(refused, as_nobody, words, call):
    for what in (["echo"], ["--sandbox", "off", "echo"], ["--", "cat"]):
        refused(1, NEEDS_ROOT.format(call), *words, *what, **as_nobody)


@pytest.mark.parametrize("limit", ["60:101", "101", "60:unlimited", "1G"])
def test_a_hard_limit_above_what_is_allowed_is_refused(refused, as_nobody, limit):
    refused(1, NEEDS_ROOT.format("setrlimit"), "--rlimit", f"msgqueue={limit}", "echo",
            under=["prlimit", "--msgqueue=100:100"], **as_nobody)  # fmt: skip


@pytest.fixture
def without_kill(root):
    """Words under which prongd runs as root without CAP_KILL."""
    under = ["setpriv", "--bounding-set", "-kill", "--inh-caps", "-kill"]
    if subprocess.run([*under, "true"], capture_output=True).returncode != 0:
        pytest.skip("setpriv cannot do that here")
    return under


def test_who_could_not_end_processes_of_that_user_is_told_so(refused, without_kill):
    words = ("--user", "daemon")
    for what in (["echo"], ["--", "cat"]):
        refused(1, "cannot signal processes of the user .* needs CAP_KILL",
                *words, *what, under=without_kill)  # fmt: skip


def test_who_becomes_that_user_needs_no_right_to_end_its_processes(
    prongd, without_kill
):
    server = prongd("--user", "daemon", "--drop-privileges", "supervisor", "--grace", "100ms",
                    "echo", under=without_kill)  # fmt: skip
    server.hold()
    server.signal(signal.SIGTERM)
    assert server.expect_exit()["stopped"] == "1"


def test_a_program_that_is_not_inside_is_told_before_anything_is_bound(
    refused, root, public
):
    inside = public / "root"
    furnish(inside, "sh")
    for drop in ("child", "supervisor"):
        words = ["--chroot", inside, "--drop-privileges", drop, "--"]
        refused(1, "cannot run cat: it is not in any directory of PATH", *words, "cat")
        refused(1, f"cannot run {PRONGD}: No such file", *words, PRONGD)
        refused(1, "cannot run /bin: not a regular file", *words, "/bin")
    (inside / "bin" / "script").write_text("#!/bin/cat\n")
    (inside / "bin" / "script").chmod(0o755)
    refused(1, "cannot run /bin/script: its interpreter /bin/cat: No such file",
            "--chroot", inside, "--", "/bin/script")  # fmt: skip


def test_a_program_that_the_user_may_not_run_is_told(refused, root, public):
    program = public / "program"
    shutil.copy(shutil.which("cat"), program)
    program.chmod(0o700)
    refused(1, "no permission to execute", "--user", "daemon", "--", program)
    program.chmod(0o755)
    (public / "closed").mkdir(mode=0o700)
    hidden = public / "closed" / "program"
    shutil.copy(program, hidden)
    refused(1, f"cannot run {hidden}: Permission denied",
            "--user", "daemon", "--", hidden)  # fmt: skip


def test_descendants_cannot_be_found_without_proc(refused, root):
    words = ["--drop-privileges", "supervisor", "--chroot", "/", "--kill-descendants"]
    refused(2, "kill-descendants needs /proc, which the supervisor cannot reach",
            *words, "--", "cat")  # fmt: skip


def test_after_a_refusal_the_port_is_free(prongd, root):
    server = prongd("echo")
    address = server.texts[0]
    server.stop()
    words = [PRONGD, "-l", address, "--chroot", "/etc/passwd", "echo"]
    assert subprocess.run(words, capture_output=True).returncode == 1
    assert prongd("echo", listen=[address]).ask(b"mine") == b"mine"
