"""Connections are served with the requested user, without a way back."""

import os
import pwd
import shutil
import signal
import struct
import subprocess
import sys

import pytest

from harness import PRONGD, environment, eventually
from proc import children, state, status
from privileges import (NUMBER, Identity, begun, expect_identity, expect_ids,
                    expect_no_rights, may_be_set_user_id, parse_status,
                    user)  # fmt: skip
from sockets import echoes, receive_exactly, reset

pytestmark = pytest.mark.usefixtures("root")

SUPERVISOR = ("--drop-privileges", "supervisor")
SERVICES = [
    ("-s", "0"),
    ("-s", "2"),
    ("-s", "2", "-r", "always"),
    ("-s", "2", "--sandbox", "off"),
    ("-s", "2", *SUPERVISOR),
    ("-s", "0", "-r", "3", "--sandbox", "off", *SUPERVISOR),
]
PROGRAMS = [
    (),
    ("--warm", "-s", "2"),
    ("--kill-descendants",),
    ("--resolve",),
    SUPERVISOR,
    ("--warm", "-s", "2", *SUPERVISOR),
    ("--kill-descendants", *SUPERVISOR),
]
USERS = [
    # options; the resulting user
    (("--user", "daemon"), user("daemon")),
    (("--user", str(user("www-data").uid)), user("www-data")),
    (("--user", "nobody", "--group", "daemon"),
     Identity(user("nobody").uid, 1, frozenset([1]))),
    (("--user", "daemon", "--group", str(NUMBER)),
     Identity(1, NUMBER, frozenset([NUMBER]))),
    (("--user", str(NUMBER), "--group", str(NUMBER + 1)),
     Identity(NUMBER, NUMBER + 1)),
]  # fmt: skip
DAEMON = ("--user", "daemon")
STRANGER = ("--user", str(NUMBER), "--group", str(NUMBER))

each_service = pytest.mark.parametrize("options", SERVICES, ids=" ".join)
each_program = pytest.mark.parametrize("options", PROGRAMS, ids=" ".join)
each_user = pytest.mark.parametrize(
    "words, who", USERS, ids=[" ".join(words) for words, _ in USERS])  # fmt: skip


@each_service
def test_workers_spare_and_busy_are_that_user_and_nothing_more(prongd, options):
    server = prongd(*DAEMON, *options, "echo")
    [client] = server.hold()
    pids = server.expect_workers(1 + server.spares())
    for pid in pids:
        expect_identity(begun(pid), user("daemon"))
    assert echoes(client)


@each_user
def test_users_and_groups_are_named_or_numbered(prongd, words, who):
    server = prongd(*words, "-s", "1", "echo")
    server.hold()
    for pid in server.expect_workers(2):
        expect_identity(begun(pid), who)


@each_user
@each_program
def test_programs_are_that_user_and_nothing_more(prongd, options, words, who):
    server = prongd(*words, *options, "--", "cat", "/proc/self/status")
    expect_identity(parse_status(server.ask()), who)


def test_a_process_that_serves_again_stays_that_user(prongd):
    server = prongd(*DAEMON, "-s", "1", "-r", "always", "echo")
    for _ in range(20):
        assert server.ask(b"again") == b"again"
    served = {line["pid"] for line in server.wait_log(event="serve", count=20)}
    assert len(served) < 20
    for pid in served:
        expect_identity(status(pid), user("daemon"))


def test_a_program_that_waits_is_that_user_already(prongd):
    server = prongd(*DAEMON, "--warm", "-s", "2", "--", "cat")
    for pid in server.expect_workers(2):
        eventually(lambda: status(pid)["Name"] == "cat", "exec")
        expect_identity(status(pid), user("daemon"))


def test_a_program_with_a_monitor_is_that_user_and_cannot_signal_the_monitor(prongd):
    server = prongd(*DAEMON, "--kill-descendants", "--", "sh", "-c",
                    "kill -0 $PPID 2>/dev/null; echo $?; exec cat")  # fmt: skip
    client = server.connect()
    assert receive_exactly(client, 2) == b"1\n"
    [monitor] = server.workers()
    [program] = children(monitor)
    expect_identity(status(program), user("daemon"))
    expect_ids(status(monitor), Identity(0, 0, frozenset(os.getgroups())))


@pytest.fixture
def three_groups(public):
    """Words under which prongd runs with daemon in three more groups."""
    numbers = [NUMBER, NUMBER + 1, 4294967294]
    lines = [f"more{number}:x:{number}:nobody,daemon\n" for number in numbers]
    (public / "group").write_text("".join(["daemon:x:1:\n", *lines]))
    mount = f'mount --bind {public}/group /etc/group && exec "$@"'
    under = ["unshare", "-m", "sh", "-c", mount, "sh"]
    if subprocess.run([*under, "true"], capture_output=True).returncode != 0:
        pytest.skip("a mount namespace cannot be made")
    return under, Identity(1, 1, frozenset([1, *numbers]))


def test_all_groups_of_the_user_are_taken_and_those_of_root_are_not(
    prongd, three_groups
):
    under, who = three_groups
    own = {"under": under, "extra_groups": [0, 6, 42]}
    service = prongd(*DAEMON, "-s", "1", "echo", **own)
    for pid in service.expect_workers(1):
        expect_identity(begun(pid), who)
    server = prongd(*DAEMON, "--", "cat", "/proc/self/status", **own)
    expect_identity(parse_status(server.ask()), who)
    words = (*DAEMON, "--group", "77")
    server = prongd(*words, "--", "cat", "/proc/self/status", **own)
    groups = who.groups - {who.gid} | {77}
    expect_identity(parse_status(server.ask()), Identity(who.uid, 77, groups))


def test_a_supervisor_keeps_its_rights_unless_told_to_drop_them(prongd):
    keeps = prongd(*DAEMON, "echo")
    before = status(os.getpid())
    for name in ("Uid", "Gid", "Groups", "CapEff"):
        assert status(keeps.pid)[name] == before[name]
    drops = prongd(*DAEMON, "--sandbox", "off", *SUPERVISOR, "echo")
    expect_ids(status(drops.pid), user("daemon"))
    expect_no_rights(status(drops.pid), new_privs=True)
    assert drops.ask(b"served") == b"served"


def test_a_supervisor_that_drops_its_rights_has_bound_its_port_before(prongd):
    listen = ["127.0.0.1:0", "127.0.0.77:80"]
    server = prongd(*DAEMON, *SUPERVISOR, "echo", listen=listen)
    assert server.ask(b"privileged", index=1) == b"privileged"


TRY_ALL = """
import os
calls = [lambda: os.setuid(0), lambda: os.seteuid(0), lambda: os.setresuid(0, 0, 0),
         lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.chroot("/")]
for call in calls:
    try:
        call()
        print("done", call)
    except PermissionError:
        print("refused")
"""


@each_program
def test_there_is_no_way_back(prongd, options):
    server = prongd(*DAEMON, *options, "--", sys.executable, "-c", TRY_ALL)
    assert server.ask().split() == [b"refused"] * 6


NEW_PRIVS = [DAEMON, (*DAEMON, *SUPERVISOR), (*DAEMON, "--kill-descendants")]


@pytest.mark.parametrize("options", NEW_PRIVS, ids=" ".join)
def test_set_user_id_programs_gain_nothing_unless_that_is_allowed(
    prongd, public, options
):
    program = public / "id"
    shutil.copy(shutil.which("id"), program)
    program.chmod(0o4755)
    if not may_be_set_user_id(public):
        pytest.skip("set-user-ID has no effect here")
    server = prongd(*options, "--", program, "-u")
    assert server.ask() == b"1\n"
    server = prongd(*options, "--allow-new-privs", "--", program, "-u")
    assert server.ask() == b"0\n"


def test_file_capabilities_give_nothing_unless_that_is_allowed(prongd, public):
    program = public / "cat"
    shutil.copy(shutil.which("cat"), program)
    program.chmod(0o755)
    net_raw = 1 << 13
    try:  # capabilities(7), struct vfs_cap_data of version 2, effective
        os.setxattr(program, "security.capability",
                    struct.pack("<5I", 0x02000001, net_raw, 0, 0, 0))  # fmt: skip
    except OSError:
        pytest.skip("no file capabilities here")
    for more, expected in ((), 0), (("--allow-new-privs",), net_raw):
        server = prongd(*DAEMON, *more, "--", program, "/proc/self/status")
        assert int(parse_status(server.ask())["CapEff"], 16) == expected


@pytest.mark.parametrize(("options", "may"), [
    ((), True), (("--user", "root"), True), (("--warm", "-s", "1"), True),
    (("--kill-descendants",), True), (("--chroot", "/"), True), (DAEMON, False),
    ((*DAEMON, "--warm", "-s", "1"), False), ((*DAEMON, *SUPERVISOR), False),
    ((*DAEMON, "--allow-new-privs"), True),
])  # fmt: skip
def test_only_a_program_of_root_may_gain_rights_unasked_and_the_log_tells(
    prongd, options, may
):
    server = prongd(*options, "--", "cat", "/proc/self/status")
    assert parse_status(server.ask())["NoNewPrivs"] == ("0" if may else "1")
    assert server.settings["new_privs"] == ("yes" if may else "no")
    assert server.log_lines(event="no-new-privs") == []


def test_rights_that_the_service_manager_forbids_are_not_promised(prongd):
    without = ["setpriv", "--no-new-privs"]
    server = prongd("--", "cat", "/proc/self/status", under=without)
    assert parse_status(server.ask())["NoNewPrivs"] == "1"
    assert server.settings["new_privs"] == "no"
    words = [*without, PRONGD, "-l", "127.0.0.1:0", "--allow-new-privs", "--", "cat"]
    result = subprocess.run(words, capture_output=True, timeout=20)
    assert result.returncode == 1
    assert b"NoNewPrivileges=no" in result.stderr


@pytest.mark.parametrize(("mode", "script", "what"), [
    (0o4755, False, "set-user-ID"), (0o2755, False, "set-group-ID"),
    (0o4711, False, "set-user-ID"), (0o4755, True, "set-user-ID"),
])  # fmt: skip
def test_a_program_that_would_gain_rights_in_vain_is_told_with_the_cure(
    prongd, public, mode, script, what
):
    program = public / "cat"
    shutil.copy(shutil.which("cat"), program)
    program.chmod(mode)
    if not may_be_set_user_id(public):
        pytest.skip("set-user-ID has no effect here")
    if script:
        program, interpreter = public / "script", program
        program.write_text(f"#!{interpreter}\n")
        program.chmod(0o755)
    server = prongd(*DAEMON, "--", program)
    [line] = server.log_lines(event="no-new-privs")
    assert (line["level"], line["program"]) == ("warning", str(program))
    assert what in line["why"] and "--allow-new-privs" in line["why"]
    for cured in (*DAEMON, "--allow-new-privs"), ():
        server = prongd(*cured, "--", program)
        assert server.log_lines(event="no-new-privs") == []


OF_A_USER = ["HOME", "LOGNAME", "SHELL", "USER"]


def variables(server):
    pairs = [line.split("=", 1) for line in server.ask().decode().splitlines()]
    assert len(dict(pairs)) == len(pairs)
    return {name: value for name, value in pairs if name in OF_A_USER}


@pytest.mark.parametrize("options", PROGRAMS, ids=" ".join)
def test_a_program_has_the_variables_of_its_user(prongd, options):
    entry = pwd.getpwnam("daemon")
    server = prongd(*DAEMON, *options, "--", "/usr/bin/env")
    assert variables(server) == {"HOME": entry.pw_dir, "SHELL": entry.pw_shell,
                                 "USER": "daemon", "LOGNAME": "daemon"}  # fmt: skip


def test_the_user_of_a_number_is_named_and_what_is_given_wins(prongd):
    words = ["--user", str(user("nobody").uid), "--env", "HOME=/srv", "--env", "SHELL"]
    server = prongd(*words, "--", "env", env=environment(SHELL="/bin/x"))
    assert variables(server) == {"HOME": "/srv", "SHELL": "/bin/x", "USER": "nobody",
                                 "LOGNAME": "nobody"}  # fmt: skip


@pytest.mark.parametrize("words", [STRANGER, ()], ids=" ".join)
def test_without_an_entry_or_a_user_nothing_is_made_up(prongd, words):
    assert variables(prongd(*words, "--", "env")) == {}


def test_a_program_starts_where_the_server_did_or_was_told(prongd, public):
    where = str(public)
    assert prongd(*DAEMON, "--", "pwd", cwd=where).ask() == f"{where}\n".encode()
    assert prongd(*DAEMON, "--chdir", "/usr", "--", "pwd", cwd=where).ask() == b"/usr\n"
    assert prongd(*DAEMON, "--chroot", "/", "--", "pwd", cwd=where).ask() == b"/\n"


def gone(pids):
    eventually(lambda: all(state(pid) in ("Z", None) for pid in pids), "gone", 2)


@each_service
def test_workers_die_with_the_supervisor(prongd, options):
    """Changing the user clears the signal of the parent's death:
    prctl(2), PR_SET_PDEATHSIG."""
    server = prongd(*DAEMON, *options, "echo")
    server.hold()
    pids = server.expect_workers(1 + server.spares())
    for pid in pids:
        begun(pid)
    server.kill()
    gone(pids)


@each_program
def test_programs_die_with_the_supervisor(prongd, options):
    server = prongd(*DAEMON, *options, "--", "sh", "-c", "echo here; exec sleep 1000")
    assert receive_exactly(server.connect(), 5) == b"here\n"
    pids = server.expect_workers(1 + server.spares())
    pids += [below for pid in pids for below in children(pid)]
    server.kill()
    gone(pids)


@each_service
def test_a_stop_ends_workers_when_the_grace_is_over(prongd, options):
    server = prongd(*DAEMON, *options, "--grace", "100ms", "echo")
    server.hold(2)
    server.signal(signal.SIGTERM)
    assert server.expect_exit()["stopped"] == "2"


DEAF = "trap '' TERM; echo deaf; while :; do sleep 1; done"


@each_program
def test_a_stop_ends_programs_when_the_grace_is_over(prongd, options):
    server = prongd(*DAEMON, *options, "--grace", "100ms", "--", "sh", "-c", DEAF)
    assert receive_exactly(server.connect(), 5) == b"deaf\n"
    server.signal(signal.SIGTERM)
    assert server.expect_exit()["stopped"] == "1"


@each_program
def test_the_end_of_its_client_or_its_time_ends_a_program(prongd, options):
    words = (*DAEMON, *options, "--session-timeout", "1s")
    server = prongd(*words, "--", "sh", "-c", DEAF)
    stays, leaves = server.connect(), server.connect()
    assert receive_exactly(stays, 5) == receive_exactly(leaves, 5) == b"deaf\n"
    reset(leaves)
    closed = server.wait_log(event="close", count=2)
    assert {line["reason"] for line in closed} == {"reset", "deadline"}
    assert {line["signal"] for line in closed} == {"KILL"}


# Stops all processes that it may signal, except itself, again and again: kill(2).
ATTACK = """read x
[ "$x" = attack ] || { echo "$x"; exit; }
echo begun
while :; do kill -s STOP -- -1; done"""


@pytest.mark.parametrize("options", [
    (), ("--warm", "-s", "2"), ("--kill-descendants",)], ids=" ".join)  # fmt: skip
def test_a_program_that_stops_all_it_may_does_not_stop_the_supervisor(prongd, options):
    """If the supervisor waited for the program's exec, it would wait for ever."""
    server = prongd(*STRANGER, *options, "--stderr", "null", "--", "sh", "-c", ATTACK)
    attacker = server.connect()
    attacker.sendall(b"attack\n")
    assert receive_exactly(attacker, 6) == b"begun\n"
    for _ in range(50):
        server.connect().sendall(b"hello\n")
    server.wait_log(event="serve", count=51)
    assert int(server.totals()["accepted"]) == 51
    server.signal(signal.SIGQUIT)
    server.expect_exit()
