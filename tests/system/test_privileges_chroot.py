"""--chroot: what is served has that root directory, and prong itself loses nothing."""

import contextlib
import os
import shutil
import socket

import pytest

from harness import BUILD, PRONGD, SANITIZED, environment, eventually
from proc import children, descriptors, name_of
from privileges import begun, expect_identity, furnish, public_directory, user
from sockets import echoes, exchange
from test_programs_descendants import LEAVE, gone, left_behind

pytestmark = pytest.mark.usefixtures("root")

DAEMON = ("--user", "daemon")
SUPERVISOR = (*DAEMON, "--drop-privileges", "supervisor")
WHO = [(), DAEMON, SUPERVISOR, ("--drop-privileges", "supervisor")]
each_who = pytest.mark.parametrize("who", WHO, ids=" ".join)


@pytest.fixture(scope="module")
def furnished():
    with public_directory() as root:
        furnish(root, "sh", "cat", "sleep", "setsid", "ls")
        (root / "dev").mkdir()
        (root / "dev" / "null").touch()  # a shell opens this
        os.chmod(root / "dev" / "null", 0o666)
        yield root


@pytest.fixture
def inside(furnished):
    """A root directory with a few programs, and with a tmp
    where all users may write."""
    (furnished / "tmp").mkdir(mode=0o777)
    os.chmod(furnished / "tmp", 0o777)
    yield furnished
    shutil.rmtree(furnished / "tmp")


@pytest.fixture
def counterpart(inside):
    """The same path inside, in a directory that exists."""
    with contextlib.ExitStack() as stack:

        def place(path):
            top = inside / path.parts[1]
            if not top.exists():
                stack.callback(shutil.rmtree, top)
            inner = inside / str(path)[1:]
            inner.parent.mkdir(parents=True, exist_ok=True)
            return inner

        yield place


@pytest.fixture
def jail(inside, prongd):
    """jail("-v", "--", "program") starts a server with that root directory."""

    def start(*arguments, **options):
        # LeakSanitizer looks for itself in /proc, and does so for ever if there is
        # none.
        options.setdefault("env", environment(traced="supervisor" in arguments))
        return prongd("--chroot", inside, *arguments, **options)

    return start


@each_who
def test_a_program_is_looked_up_inside(jail, inside, who):
    program = inside / "bin" / "only-inside"
    program.write_text("#!/bin/sh\necho inside\n")
    program.chmod(0o755)
    assert jail(*who, "--", "only-inside").ask() == b"inside\n"
    assert jail(*who, "--", "/bin/only-inside").ask() == b"inside\n"
    assert jail(*who, "--", "./bin/only-inside").ask() == b"inside\n"


@pytest.mark.skipif(SANITIZED, reason="there prongd is not static")
def test_a_static_program_needs_nothing_but_itself(prongd, public):
    shutil.copy(PRONGD, public / "prongd")
    server = prongd("--chroot", public, "--", "/prongd", "--version")
    assert server.ask().startswith(b"prongd ")


@each_who
@pytest.mark.parametrize("how", [(), ("--resolve",)], ids=" ".join)
def test_a_program_starts_in_the_new_root_and_sees_nothing_else(
    jail, tmp_path, who, how
):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    look = f"pwd; cd ../../..; echo *; cat {secret}"
    server = jail(*who, *how, "--stderr", "connection", "--", "sh", "-c", look)
    cwd, names, error = server.ask().decode().splitlines()
    assert cwd == "/"
    most = {"bin", "dev", "tmp", "lib", "lib64", "usr"}
    assert {"bin", "tmp"} <= set(names.split()) <= most
    assert "No such file" in error


@each_who
def test_a_program_has_no_way_out_by_a_descriptor(jail, inside, who):
    server = jail(*who, "--", "cat")
    server.hold()
    [pid] = server.workers()
    assert descriptors(pid).keys() == {0, 1, 2}
    for name in ("root", "cwd"):
        assert os.readlink(f"/proc/{pid}/{name}") == str(inside)


def test_a_directory_to_start_in_is_meant_inside(jail):
    assert jail("--chdir", "/bin", "--", "sh", "-c", "pwd").ask() == b"/bin\n"
    assert jail("--chdir", "tmp", "--", "sh", "-c", "pwd").ask() == b"/tmp\n"


@each_who
@pytest.mark.parametrize("spare", [0, 2])
def test_workers_have_that_root(jail, inside, who, spare):
    server = jail(*who, "-s", spare, "echo")
    [client] = server.hold()
    for pid in server.expect_workers(1 + spare):
        found = begun(pid)
        for name in ("root", "cwd"):
            assert os.readlink(f"/proc/{pid}/{name}") == str(inside)
        if "--user" in who:
            expect_identity(found, user("daemon"))
    assert echoes(client)


@pytest.mark.parametrize("service", ["daytime", "time"])
def test_a_service_works_in_an_empty_directory(prongd, public, service):
    assert prongd("--chroot", public, *DAEMON, service).ask() != b""


def test_only_a_supervisor_that_was_told_to_has_that_root(jail, inside):
    keeps, drops = jail(*DAEMON, "echo"), jail(*SUPERVISOR, "echo")
    assert os.readlink(f"/proc/{keeps.pid}/root") == "/"
    assert os.readlink(f"/proc/{drops.pid}/root") == str(inside)
    assert os.readlink(f"/proc/{drops.pid}/cwd") == str(inside)


@each_who
def test_the_log_and_dev_null_still_work(jail, who):
    program = ("--", "sh", "-c", "echo lost >&2; cat")
    server = jail(*who, "--stderr", "null", *program)
    server.hold()
    [pid] = server.workers()
    assert descriptors(pid)[2] == "/dev/null"
    server.close_clients()
    server.wait_log(event="close", reason="eof")
    assert server.totals()["accepted"] == "1"


@each_who
def test_out_of_descriptors_it_goes_on_in_its_root(jail, who):
    """What the supervisor keeps in reserve was opened before the chroot."""
    server = jail(*who, "-n", "2", "--at-limit", "refuse:full", "--", "cat")
    clients = server.hold(2)
    assert server.ask() == b"full"
    assert all(echoes(client) for client in clients)


@pytest.mark.parametrize("who", [(), DAEMON], ids=" ".join)
def test_descendants_are_ended_although_there_is_no_proc(jail, inside, who):
    path = inside / "tmp" / "pids"
    server = jail(*who, "--kill-descendants", "--", "sh", "-c", LEAVE + "cat",
                  "/tmp/pids")  # fmt: skip
    client = server.connect()
    pids = left_behind(path)
    for pid in pids:
        assert os.readlink(f"/proc/{pid}/root") == str(inside)
    assert exchange(client, b"") == b""
    gone(pids, 1.5)
    server.wait_log(event="close", reason="eof")


@pytest.mark.parametrize("who", [(), DAEMON], ids=" ".join)
def test_descendants_are_ended_although_their_attendant_was_killed(jail, inside, who):
    """The monitor has the program's user, so the program can kill it."""
    path = inside / "tmp" / "pids"
    server = jail(*who, "--kill-descendants", "--", "sh", "-c",
                  LEAVE + "cat", "/tmp/pids")  # fmt: skip
    server.hold()
    pids = left_behind(path)
    [attendant] = server.workers()
    pids += children(attendant)
    os.kill(attendant, 9)
    gone(pids, 1.5)
    server.wait_log(event="close", reason="crash-signal")


def test_where_the_shim_is_not_inside_programs_are_started_cold(jail):
    server = jail("--warm", "-s", "2", "--", "cat")
    assert server.ask(b"cold") == b"cold"
    [line] = server.log_lines(event="cold")
    assert line["program"] == "/bin/cat"
    assert server.workers() == []


@each_who
def test_where_the_shim_is_inside_programs_are_kept_warm(counterpart, jail, who):
    shim = BUILD / "prong-warm.so"
    shutil.copy(shim, counterpart(shim))
    server = jail(*who, "--warm", "-s", "2", "--", "cat")
    assert server.log_lines(event="cold") == []
    assert server.ask(b"warm") == b"warm"
    for pid in server.expect_workers(2):
        eventually(lambda: name_of(pid) == "cat", "exec")


@each_who
def test_a_unix_socket_outside_is_served(jail, tmp_path, who):
    server = jail(*who, "echo", listen=[f"unix:{tmp_path}/socket"])
    assert server.ask(b"outside") == b"outside"


def test_what_has_the_same_path_inside_is_left_alone_at_the_end(
    counterpart, jail, tmp_path
):
    """A supervisor that dropped its privileges cannot see its socket any more."""
    path = tmp_path / "socket"
    other = counterpart(path)
    server = jail("--drop-privileges", "supervisor", "echo", listen=[f"unix:{path}"])
    with socket.socket(socket.AF_UNIX) as elsewhere:
        bind_in(elsewhere, other.parent, other.name)
        server.stop()
        assert other.is_socket()


def bind_in(unix, directory, name):
    """The whole path may be too long for a socket address."""
    at = os.open(directory, os.O_PATH)
    unix.bind(f"/proc/self/fd/{at}/{name}")
    os.close(at)
