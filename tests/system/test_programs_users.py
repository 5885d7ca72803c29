"""--user-range: each program has a user of its own.

FIRST is a number that no account has, and no other run of these tests, which would end
the processes of this one. Programs get every second number from it on.
"""

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from harness import SANITIZED, eventually, servers
from privileges import Identity, expect_ids, expect_identity, user
from proc import gone, is_zombie, status
from sockets import exchange
from test_privileges_usage import as_nobody, refused  # noqa: F401, fixtures

ROOM = 100  # ids, including FIRST - 1 and some after the range
FIRST = 2100000000 + os.getpid() % 400000 * ROOM + 2
SOURCE = Path(__file__).with_name("tenant.py").read_text()
TENANT = ("--", "/usr/bin/python3", "-S", "-c", SOURCE)
MODES = {
    "cold": (),
    "warm": ("--warm", "-s", "1"),
    "monitored": ("--kill-descendants",),
    "resolved": ("--resolve",),
    "gaining": ("--allow-new-privs",),
    "debugged": ("--allow-debugging",),
}
LEAVING = {name: mode for name, mode in MODES.items() if name != "monitored"}
ROUNDS = 8 if SANITIZED else 20

pytestmark = pytest.mark.usefixtures("root")


def living():
    """Processes whose real user is in the range, with that user."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    found = {pid: int(status(pid).get("Uid", "0").split()[0]) for pid in pids}
    return {pid: uid for pid, uid in found.items()
            if uid in range(FIRST, FIRST + ROOM // 2) and not is_zombie(pid)}  # fmt: skip


def end_all_left():
    for pid in living():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not living()


class Tenant(NamedTuple):
    """A program that obeys commands over its connection."""

    client: socket.socket
    lines: object
    pid: int

    def tries(self, *words):
        self.client.sendall(" ".join(map(str, words)).encode() + b"\n")
        return self.lines.readline().strip()

    def uid(self):
        return int(status(self.pid)["Uid"].split()[0])

    def end(self):
        """It ends by itself, and its descendants stay."""
        self.client.sendall(b"end\n")
        eventually(lambda: gone(self.pid), "end")
        self.lines.close()
        self.client.close()


def start(server):
    client = server.connect(timeout=60)
    lines = client.makefile()
    server.clients.append(lines)
    return Tenant(client, lines, int(lines.readline()))


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


@pytest.fixture(params=LEAVING)
def leaving(request):
    return LEAVING[request.param]


@pytest.fixture
def serve(tmp_path):
    """What programs leave behind lives until its user is used again."""
    folder = tmp_path / "users"  # separate from those of prongd()
    folder.mkdir()
    with servers(folder) as prongd, contextlib.ExitStack() as stack:
        stack.callback(eventually, end_all_left, "no process of the range")

        def serve(*options, users=8, most=4, **others):
            ids = f"{FIRST}:{2 * users}"
            words = ("-n", most, "--user-range", ids, *options, *TENANT)
            return prongd(*words, **{"cwd": "/", **others})

        yield serve


def test_each_program_has_a_user_and_a_group_of_its_own(serve, mode):
    server = serve(*mode)
    programs = [start(server) for _ in range(3)]
    uids = [program.uid() for program in programs]
    assert len(set(uids)) == 3
    for program, uid in zip(programs, uids):
        assert uid in range(FIRST, FIRST + 16, 2)
        found = status(program.pid)
        if "--allow-new-privs" in mode:
            expect_ids(found, Identity(uid, uid))
        else:
            expect_identity(found, Identity(uid, uid))


def test_a_program_cannot_reach_another(serve, mode):
    server = serve(*mode)
    thief, victim = start(server), start(server)
    for number in (0, signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL):
        assert thief.tries("signal", victim.pid, int(number)) == "EPERM"
    for verb in ("limit", "priority"):
        assert thief.tries(verb, victim.pid) == "EPERM"
    assert thief.tries("read", victim.pid) == "EACCES"
    assert thief.tries("signal", -1, int(signal.SIGKILL)) == "ok", "it has none to reach"
    assert victim.tries("signal", victim.pid, 0) == "ok", "it lives"


@pytest.mark.parametrize("words", [(), ("--kill-descendants",)])
def test_programs_of_one_user_reach_each_other(prongd, words):
    """Shows what the range is for."""
    server = prongd("--user", "nobody", *words, *TENANT, cwd="/")
    thief, victim = start(server), start(server)
    assert thief.tries("priority", victim.pid) == "ok"
    assert thief.tries("limit", victim.pid) == "ok"
    assert thief.tries("signal", victim.pid, int(signal.SIGTERM)) == "ok"
    eventually(lambda: gone(victim.pid), "end by a signal of its sibling")


def test_users_come_in_turn(serve):
    server = serve(users=4, most=2)
    found = []
    for _ in range(6):
        program = start(server)
        found.append(program.uid())
        program.end()
    assert found == [FIRST + 2 * i for i in (0, 1, 2, 3, 0, 1)]


def test_one_that_is_in_use_is_left_out_in_its_turn(serve):
    server = serve(users=3, most=2)
    stays = start(server)
    for i in (1, 2, 1, 2):
        program = start(server)
        assert program.uid() == FIRST + 2 * i
        program.end()
    assert stays.tries("signal", stays.pid, 0) == "ok"


def test_warm_programs_have_theirs_from_the_start(serve):
    server = serve("--warm", "-s", "2")
    waiting = server.expect_workers(2)
    uids = {pid: status(pid)["Uid"].split()[0] for pid in waiting}
    assert set(uids.values()) == {str(FIRST), str(FIRST + 2)}
    program = start(server)
    assert str(program.uid()) == uids[program.pid]


def test_what_a_program_has_left_goes_on_until_its_user_comes_again(serve, leaving):
    server = serve(*leaving, users=2, most=1)
    program = start(server)
    uid, left = program.uid(), int(program.tries("leave", "idle"))
    program.end()
    program = start(server)
    if "--warm" not in leaving:
        assert program.uid() != uid and not is_zombie(left)
        program.end()
        program = start(server)
    assert program.uid() == uid or "--warm" in leaving
    eventually(lambda: is_zombie(left) or program.uid() != uid, "end of what was left")


@pytest.mark.parametrize("work", ["kill", "stop", "fork"])
def test_what_a_program_has_left_cannot_hold_up_the_next_of_its_user(
    serve, leaving, work
):
    """It signals all processes of its user, or forks continuously."""
    server = serve(*leaving, users=1, most=1)
    left = []
    for _ in range(ROUNDS):
        program = start(server)
        assert program.uid() == FIRST
        assert all(map(is_zombie, left)), "ended before the program begins"
        assert program.tries("leave", "idle").isdigit()
        left = [int(program.tries("leave", work))]
        program.end()
    last = start(server)
    assert living() == {last.pid: FIRST}, "nothing runs beside it"
    last.end()


def test_what_another_server_has_left_does_not_hold_up_the_start(serve):
    for _ in range(2):
        server = serve(users=1, most=1)
        program = start(server)
        assert program.tries("leave", "kill").isdigit()
        program.end()
        server.signal(signal.SIGTERM)
        server.expect_exit()


def test_who_holds_a_connection_keeps_its_user(serve):
    server = serve(users=2, most=1)
    program = start(server)
    assert program.tries("leave", "hold").isdigit()
    program.client.sendall(b"end\n")
    eventually(lambda: gone(program.pid) or program.client.sendall(b"end\n"), "end")
    for _ in range(4):
        other = start(server)
        assert other.uid() == FIRST + 2
        other.end()
    program.client.sendall(b"it is still there\n")
    while program.lines.readline() != "it is still there\n":
        pass
    program.lines.close()
    program.client.close()
    server.wait_log(event="close", conn=1)
    found = start(server)
    assert found.uid() == FIRST
    found.end()


def test_where_no_other_user_is_left_a_client_comes_before_what_was_left(serve):
    server = serve(users=1, most=1)
    program = start(server)
    left = int(program.tries("leave", "hold"))
    eventually(lambda: gone(program.pid) or program.client.sendall(b"end\n"), "end")
    other = start(server)
    assert other.uid() == FIRST and is_zombie(left)
    other.end()


@pytest.mark.parametrize("how", ["cold", "warm", "monitored", "resolved"])
def test_the_environment_is_that_of_a_user_without_a_name(serve, how):
    server = serve(*MODES[how])
    program = start(server)
    uid = str(program.uid())
    expected = {"HOME": "/", "SHELL": "/bin/sh", "USER": uid, "LOGNAME": uid}
    assert {name: program.tries("variable", name) for name in expected} == expected
    server = serve(*MODES[how], "--env", "USER=me", "--env", "HOME=/srv")
    program = start(server)
    expected |= {"HOME": "/srv", "USER": "me", "LOGNAME": str(program.uid())}
    assert {name: program.tries("variable", name) for name in expected} == expected


@pytest.mark.parametrize("words", [(), ("--log-format", "json")])
def test_the_log_tells_each_programs_user(serve, words):
    server = serve(*words)
    uids = []
    for _ in range(2):
        program = start(server)
        uids.append(str(program.uid()))
        program.end()
    for event in ("serve", "close"):
        assert [line["uid"] for line in server.wait_log(2, event=event)] == uids


def test_the_log_tells_no_user_where_all_have_the_same(prongd):
    server = prongd("--user", "nobody", "--", "cat")
    assert server.ask(b"here") == b"here"
    for event in ("serve", "close"):
        [line] = server.wait_log(event=event)
        assert "uid" not in line


def test_limits_of_a_user_are_limits_of_a_program(prongd):
    """Two processes: more than one program of the same user could not have them."""
    words = ("--rlimit", "nproc=2", "--", "sh", "-c", "cat & read line; kill $!; echo $line")
    server = prongd("-n", 4, "--user-range", f"{FIRST}:8", *words)
    clients = [server.connect() for _ in range(3)]
    assert [exchange(client, b"here\n") for client in clients] == [b"here\n"] * 3


BAD_RANGES = [
    *["", ":", "5", "5:", ":5", "0:5", "-1:5", "5:0", "5:-5", "5:5:5", "5 :5", "5: 5"],
    *["a:b", "0x10:20", "5.0:5", "nobody:5", "4294967295:1", "4294967294:2"],
    *["4294967290:6", "1:4294967295", "18446744073709551616:1", "1:18446744073709551617"],
    "9" * 100 + ":1",
]


@pytest.mark.parametrize("value", BAD_RANGES)
def test_what_is_no_range_is_refused(refused, value):  # noqa: F811
    message = "--user-range: \".*\" is not FIRST:COUNT, ids from 1 to 4294967294: write"
    refused(2, message, "--user-range", value, "--", "cat")


CONTRADICTIONS = [
    (["--user", "nobody"], "--user-range cannot be combined with --user"),
    (["--group", "nogroup"], "--group needs --user"),
    (["--drop-privileges", "supervisor"], "--user-range needs --drop-privileges child"),
    (["-n", "5"], "--user-range has 8 ids but needs 10, .* lower max-processes"),
    (["-n", "1000"], "--user-range has 8 ids but needs 2000"),
    (["-n", "1000000"], "--user-range has 8 ids but needs 2000000"),
]


@pytest.mark.parametrize("words, message", CONTRADICTIONS)
def test_what_cannot_go_with_it_is_told(refused, words, message):  # noqa: F811
    words = ["-n", "4", "--user-range", f"{FIRST}:8", *words]
    refused(2, message, *words, "--", "cat")


def test_it_is_for_programs(refused):  # noqa: F811
    words = ["--user-range", f"{FIRST}:2000"]
    refused(2, "--user-range has no effect on a service", *words, "echo")
    refused(2, "--user-range must have 2 to 16777216 ids", "--user-range", "70000:16777217",
            "--", "cat")  # fmt: skip


def test_a_range_with_an_account_in_it_is_refused(refused):  # noqa: F811
    nobody = user("nobody")
    for first in (nobody.uid, nobody.uid - 7):
        message = f'--user-range contains {nobody.uid}, which is the user "nobody"'
        refused(1, message, "-n", "4", "--user-range", f"{first}:8", "--", "cat")
    message = "--user-range contains [0-9]+, which is the (user|group) \"[a-z_-]+\""
    refused(1, message, "-n", "4", "--user-range", "1:20", "--", "cat")


def test_who_has_no_right_to_give_users_is_told_so(refused, as_nobody):  # noqa: F811
    message = "cannot change privileges: setgroups: Operation not permitted .this needs"
    refused(1, message, "--user-range", f"{FIRST}:2000", "--", "cat", **as_nobody)


@pytest.mark.parametrize("right, call", [("setuid", "setresuid"), ("setgid", "setgroups")])
def test_a_right_that_is_missing_is_named(refused, right, call):  # noqa: F811
    less = ["setpriv", f"--bounding-set=-{right}", f"--inh-caps=-{right}"]
    message = f"cannot change privileges: {call}: Operation not permitted"
    refused(1, message, "--user-range", f"{FIRST}:2000", "--", "cat", under=less)


SMALL_NAMESPACE = """
import ctypes, os, sys
out, into = os.pipe()
if os.fork() == 0:
    os.close(into)
    os.read(out, 1)
    for kind in "uid", "gid":
        with open(f"/proc/{os.getppid()}/{kind}_map", "w") as file:
            file.write("0 0 70000")
    os._exit(0)
if ctypes.CDLL(None).unshare(0x10000000) < 0: # CLONE_NEWUSER
    os._exit(1)
os.close(into)
os.wait()
os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_ids_that_a_user_namespace_lacks_are_told(refused):  # noqa: F811
    apart = ["/usr/bin/python3", "-c", SMALL_NAMESPACE]
    if subprocess.run([*apart, "true"], capture_output=True).returncode != 0:
        pytest.skip("no user namespaces here")
    message = "cannot change privileges: setresgid: .* .this user namespace has no"
    refused(1, message, "--user-range", f"{FIRST}:2000", "--", "cat", under=apart)


def test_the_supervisors_own_user_is_refused(refused):  # noqa: F811
    caps = "+setuid,+setgid,+kill"
    under = ["setpriv", "--reuid", FIRST + 3, "--regid", 0, "--clear-groups",
             f"--inh-caps={caps}", f"--ambient-caps={caps}"]  # fmt: skip
    message = "--user-range contains the supervisor's own user"
    refused(2, message, "-n", "4", "--user-range", f"{FIRST}:8", "--", "cat",
            under=list(map(str, under)))  # fmt: skip


def test_a_supervisor_that_is_not_root_needs_three_capabilities(serve):
    """No capability is left when an earlier program's processes end; ours live."""
    caps = "+setuid,+setgid,+kill"
    under = ["setpriv", "--reuid", FIRST + 90, "--regid", FIRST + 90, "--clear-groups",
             f"--inh-caps={caps}", f"--ambient-caps={caps}"]  # fmt: skip
    witness = subprocess.Popen(["sleep", "1000"], user=FIRST + 91, group=FIRST + 91)
    try:
        server = serve(users=1, most=1, under=list(map(str, under)))
        for _ in range(3):
            program = start(server)
            assert program.uid() == FIRST
            assert program.tries("leave", "kill").isdigit()
            program.end()
        assert witness.poll() is None
    finally:
        witness.kill()
        witness.wait()


def test_other_users_are_not_touched(serve):
    """Users beside the range, root, and ids with which programs start are untouched."""
    others = [subprocess.Popen(["sleep", "1000"], user=uid, group=uid)
              for uid in (FIRST - 1, FIRST + 4, FIRST + 5, 65534)]  # fmt: skip
    try:
        server = serve(users=2, most=2)
        for _ in range(4):
            program = start(server)
            assert program.tries("leave", "idle").isdigit()
            program.end()
        assert [other.poll() for other in others] == [None] * 4
    finally:
        for other in others:
            other.kill()
            other.wait()
