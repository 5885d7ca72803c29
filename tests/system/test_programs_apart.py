"""Programs of one user are kept apart: they cannot look into each other or the
supervisor.

A program of the same user tries what must fail, on each kind of process: another
program, a warm one that waits, a monitor, the supervisor. What must still work it tries
on a child of its own.
"""

import contextlib
import os
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from harness import PRONGD, eventually
from privileges import needs_landlock
from proc import name_of, parent, status
from sockets import exchange, receive_all

CALLS = ["pidfd_getfd", "ptrace", "process_vm_readv", "process_vm_writev", "mem", "fd"]
LOOKS = ["link", "kcmp"]
READS = ["environ", "maps"]  # CAP_PERFMON is enough, so root always may
SOURCE = Path(__file__).with_name("intruder.py").read_text()
INTRUDER = ("--", "/usr/bin/python3", "-S", "-c", SOURCE)
USERS = {
    "ours": (),
    "nobody": ("--user", "nobody"),
    "dropped": ("--user", "nobody", "--drop-privileges", "supervisor"),
    "gaining": ("--user", "nobody", "--allow-new-privs"),
}
MODES = {
    "cold": (),
    "warm": ("--warm", "-s", "2"),
    "monitored": ("--kill-descendants",),
    "resolved": ("--resolve",),
}
REFUSED = {"EPERM", "EACCES"}


def tracing_is_free():
    """Yama (the kernel's admin-guide) may forbid what prongd allows."""
    with contextlib.suppress(FileNotFoundError):
        return Path("/proc/sys/kernel/yama/ptrace_scope").read_text().strip() == "0"
    return True


needs_tracing = pytest.mark.skipif(not tracing_is_free(), reason="Yama forbids it all")


class Program(NamedTuple):
    """A program that obeys commands over its connection."""

    client: socket.socket
    lines: object
    pid: int
    secret: int
    address: int

    def tries(self, verb, other=None, fd=None, address=None):
        """The result of an attempt on a process; by default on a child of its own."""
        words = [verb]
        if other is not None:
            words += [other, fd or self.secret, address or self.address]
        self.client.sendall(" ".join(map(str, words)).encode() + b"\n")
        return self.lines.readline().strip()

    def tries_on(self, verb, other):
        return self.tries(verb, other.pid, other.secret, other.address)


def start(server):
    client = server.connect(timeout=60)
    lines = client.makefile()
    server.clients.append(lines)
    return Program(client, lines, *map(int, lines.readline().split()))


@pytest.fixture(params=USERS)
def user(request):
    if request.param != "ours":
        request.getfixturevalue("root")
    return USERS[request.param]


@pytest.fixture(params=MODES)
def mode(request):
    return MODES[request.param]


@pytest.fixture
def serve(prongd):
    def serve(*options):
        return prongd(*options, *INTRUDER, cwd="/")

    return serve


def refused_to(user):
    is_root = user == USERS["ours"] and os.geteuid() == 0
    return CALLS + LOOKS + ([] if is_root else READS)


def attendant_of(server, program):
    pid = parent(program.pid)
    return [] if pid == server.pid else [pid]


def same_user(one, other):
    return status(one)["Uid"] == status(other)["Uid"]


@needs_landlock
def test_a_program_cannot_look_into_another(serve, mode, user):
    server = serve(*mode, *user)
    assert server.settings["separated"] == "yes"
    victim, thief = start(server), start(server)
    assert same_user(victim.pid, thief.pid)
    for verb in refused_to(user):
        assert thief.tries_on(verb, victim) in REFUSED, verb
    assert thief.tries_on("steal", victim) == "EPERM"
    assert victim.tries("kcmp") == "ok", "its connection is its own"


@needs_landlock
def test_a_program_can_look_into_its_own_children(serve, mode, user):
    program = start(serve(*mode, *user))
    for verb in (*CALLS, *LOOKS, *READS):
        assert program.tries(verb) == "ok", verb


@needs_landlock
def test_a_program_cannot_look_into_the_supervisor(serve, mode, user):
    server = serve(*mode, *user)
    thief = start(server)
    for verb in refused_to(user):
        assert thief.tries(verb, server.pid) in REFUSED, verb


@needs_landlock
def test_a_program_cannot_look_into_one_that_waits(serve, user):
    server = serve("--warm", "-s", "2", *user)
    thief = start(server)
    waiting = [pid for pid in server.expect_workers(3) if pid != thief.pid]
    for pid in waiting:
        eventually(lambda: name_of(pid) == "python3", "exec")
        assert same_user(pid, thief.pid)
        for verb in refused_to(user):
            assert thief.tries(verb, pid) in REFUSED, verb


@needs_landlock
@pytest.mark.parametrize("attended", ["--kill-descendants", "--resolve"])
def test_a_program_cannot_look_into_an_attendant(serve, user, attended):
    server = serve(attended, *user)
    victim, thief = start(server), start(server)
    others = attendant_of(server, victim)
    if "--allow-new-privs" not in user:
        others += attendant_of(server, thief)
    for pid in others:
        for verb in refused_to(user):
            assert thief.tries(verb, pid) in REFUSED, verb


@needs_tracing
def test_debugging_can_be_allowed(serve, mode, user):
    server = serve("--allow-debugging", *mode, *user)
    assert server.settings["separated"] == "no"
    assert server.log_lines(event="not-separated") == []
    victim, debugger = start(server), start(server)
    for verb in (*CALLS, *LOOKS, *READS, "steal"):
        assert debugger.tries_on(verb, victim) == "ok", verb
    assert victim.lines.readline() == "stolen\n"


@needs_tracing
def test_debugging_of_a_supervisor_of_the_same_user_can_be_allowed(serve):
    server = serve("--allow-debugging")
    assert start(server).tries("pidfd_getfd", server.pid, 0) == "ok"


@needs_landlock
def test_abstract_sockets_of_others_are_out_of_reach(serve, mode):
    name = str(os.getpid() * 1000)  # one number, as intruder.py expects it
    with socket.create_server(f"\0{name}", family=socket.AF_UNIX):
        assert start(serve(*mode)).tries("connect", name) == "EPERM"
        debugger = start(serve("--allow-debugging", *mode))
        assert debugger.tries("connect", name) == "ok"


@needs_landlock
def test_root_without_its_capability_is_told_and_served(prongd, root):
    """landlock_restrict_self(2) needs CAP_SYS_ADMIN or no_new_privs."""
    less = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"]
    server = prongd("--", "cat", under=less)
    assert server.settings["separated"] == "no"
    [line] = server.log_lines(event="not-separated")
    assert line["level"] == "warning" and line["error"] == "EPERM"
    assert "CAP_SYS_ADMIN" in line["why"]
    assert server.ask(b"served") == b"served"
    server = prongd("--user", "nobody", "--", "cat", under=less)
    assert server.settings["separated"] == "yes"


@needs_landlock
@pytest.mark.parametrize("options", [(), ("--kill-descendants",)])
def test_programs_of_root_can_mount(prongd, root, options):
    mount = "unshare -m sh -c 'mount -t tmpfs none /mnt && echo mounted'"
    server = prongd(*options, "--", "sh", "-c", f"{mount} 2>&1")
    assert server.ask() == b"mounted\n"


@needs_landlock
def test_programs_move_and_link_files_between_directories(prongd, public):
    for name in "new", "cur":
        (public / name).mkdir(mode=0o777)
    deliver = "echo mail >new/1 && ln new/1 cur/1 && mv new/1 cur/2 && cat cur/1"
    server = prongd("--chdir", public, "--", "sh", "-c", deliver)
    assert server.ask() == b"mail\n"


@needs_landlock
def test_prongd_as_a_program_serves_programs(prongd):
    """Domains nest, at most 16 of them (landlock(7))."""
    inner = f"{PRONGD} -q -l unix:@$$ --ready-fd 1 -- sh -c 'echo inner'"
    server = prongd("--", "sh", "-c", f"{inner} & read line; kill $!; wait")
    with server.connect() as client:
        name = client.recv(100).decode().strip()
        assert name.startswith("unix:@")
        with socket.socket(socket.AF_UNIX) as other:
            other.connect("\0" + name[6:])
            assert receive_all(other) == b"inner\n"
        assert exchange(client, b"enough\n") == b""
