"""A service manager is told when prongd is ready, full or stopping, without waiting."""

import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest

import harness
from harness import PRONGD, eventually
from logline import reasons
from proc import descriptors
from sockets import echoes, family_and_address

NOBODY = 65534


class Manager:
    """A manager's end of NOTIFY_SOCKET. A name that begins with @
    is abstract (unix(7))."""

    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind(self.address())
        self.socket.settimeout(harness.PATIENCE)

    def address(self):
        return "\0" + self.name[1:] if self.name[0] == "@" else self.name

    def hear(self):
        """Receive the next message, as a dict, and the pid of its sender."""
        data, ancillary, _, _ = self.socket.recvmsg(4096, 1024)
        [(_, _, credentials)] = ancillary
        lines = data.decode("ascii").split("\n")
        pid, _, _ = struct.unpack("3i", credentials)
        return dict(line.split("=", 1) for line in lines), pid

    def fill(self):
        """Fill the queue until the next message would have to wait."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    other.sendto(b"X=1", self.address())


@pytest.fixture
def manager(tmp_path):
    result = Manager(tmp_path / "notify")
    yield result
    result.socket.close()


def notifying(name, traced=False):
    """For Server or Popen."""
    return {"env": harness.environment(traced, NOTIFY_SOCKET=str(name))}


@pytest.mark.parametrize("abstract", [False, True])
def test_readiness_is_told_when_clients_can_connect(prongd, tmp_path, abstract):
    """The supervisor itself sends it: systemd's
    NotifyAccess=main ignores all others."""
    name = f"@prong-test-{os.getpid()}" if abstract else tmp_path / "notify"
    manager = Manager(name)
    with contextlib.closing(manager.socket):
        server = prongd("echo", listen=["127.0.0.1:0", f"unix:{tmp_path}/s"],
                        **notifying(name))  # fmt: skip
        message, sender = manager.hear()
        assert sender == server.pid
        assert message["READY"] == "1"
        served = re.fullmatch(r"Serving on (\S+), (\S+)", message["STATUS"])
        assert list(served.groups()) == server.texts
        for text in served.groups():
            family, address = family_and_address(text)
            with socket.socket(family) as client:
                client.settimeout(harness.PATIENCE)
                client.connect(address)
                assert echoes(client)


def test_readiness_is_not_told_by_who_cannot_start(manager):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = subprocess.run(
            [PRONGD, "-l", f"127.0.0.1:{port}", "echo"], capture_output=True,
            timeout=harness.PATIENCE, **notifying(manager.name))  # fmt: skip
    assert result.returncode == 1
    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.hear()


@pytest.mark.parametrize("policy, what", [("wait", "wait"), ("refuse", "are refused")])
def test_the_status_tells_of_the_limit_and_that_it_is_left(
        prongd, manager, policy, what):  # fmt: skip
    server = prongd("-n", 2, "--at-limit", policy, "echo", **notifying(manager.name))
    serving = manager.hear()[0]["STATUS"]
    server.hold(2)
    full, _ = manager.hear()
    assert full == {"STATUS": f"All 2 processes are serving: new clients {what}"}
    server.close_clients()
    assert manager.hear()[0]["STATUS"] == serving


def test_a_stop_is_told_before_it_is_done(prongd, manager):
    server = prongd("echo", **notifying(manager.name))
    manager.hear()
    clients = server.hold(2)
    server.signal(signal.SIGTERM)
    message, sender = manager.hear()
    assert sender == server.pid
    assert int(message.pop("EXTEND_TIMEOUT_USEC")) > 30_000_000  # the grace
    status = "Stopping, sessions still open: 2"
    assert message == {"STOPPING": "1", "STATUS": status}
    assert server.process.poll() is None
    assert all(echoes(client) for client in clients)
    server.close_clients()
    assert reasons(server.expect_exit()) == {"eof": 2}


def test_a_manager_that_never_reads_is_not_waited_for(prongd, manager):
    manager.fill()
    server = prongd("-n", 1, "echo", **notifying(manager.name))
    for _ in range(3):
        assert server.ask(b"served") == b"served"
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=5)


def test_a_manager_that_goes_away_is_not_missed(prongd, manager):
    server = prongd("-n", 1, "echo", **notifying(manager.name))
    manager.socket.close()
    for _ in range(3):
        assert server.ask(b"served") == b"served"
    server.signal(signal.SIGTERM)
    server.expect_exit(timeout=5)


@pytest.mark.parametrize("what, error", [
    ("nothing", "ENOENT"), ("file", "ECONNREFUSED"), ("left", "ECONNREFUSED"),
    ("stream", "EPROTOTYPE"), ("@nobody-is-here", "ECONNREFUSED")])  # fmt: skip
def test_a_manager_that_is_gone_is_a_line_of_the_log(prongd, tmp_path, what, error):
    name = what if what[0] == "@" else str(tmp_path / "notify")
    with contextlib.ExitStack() as stack:
        if what == "file":
            Path(name).touch()
        if what == "left":
            Manager(name).socket.close()
        if what == "stream":
            stream = stack.enter_context(socket.socket(socket.AF_UNIX))
            stream.bind(name)
            stream.listen()
        server = prongd("echo", **notifying(name))
    [failed] = server.wait_log(event="notify-failed")
    assert (failed["level"], failed["error"]) == ("warning", error)
    assert server.ask(b"served") == b"served"


@pytest.mark.parametrize("name, error", [
    ("/", "EAFNOSUPPORT"), ("@", "EAFNOSUPPORT"), ("relative", "EAFNOSUPPORT"),
    ("vsock:2:1234", "EAFNOSUPPORT"), ("/" + "x" * 107, "ENAMETOOLONG")])  # fmt: skip
def test_a_name_that_is_none_is_told_and_costs_no_service(prongd, name, error):
    server = prongd("echo", **notifying(name))
    [failed] = server.wait_log(event="notify-failed")
    assert (failed["level"], failed["error"]) == ("warning", error)
    assert server.ask(b"served") == b"served"


def test_many_addresses_are_cut_short_and_nothing_else_is(prongd, manager, tmp_path):
    """Tries lengths around the room that is available."""
    for length in range(60, 80):
        path = f"{tmp_path}/".ljust(length, "x")
        listen = ["127.0.0.1:0", *(f"unix:{path}{i}" for i in range(4))]
        server = prongd("echo", listen=listen, **notifying(manager.name))
        status = manager.hear()[0]["STATUS"]
        texts = ", ".join(server.texts)
        assert status == f"Serving on {texts}" or (
            status.endswith(", ...") and texts.startswith(status[11:-5]))  # fmt: skip
        server.stop()
        manager.hear()


def test_an_empty_name_is_none(prongd):
    server = prongd("echo", **notifying(""))
    assert server.ask(b"served") == b"served"
    assert server.log_lines(event="notify-failed") == []


def test_the_longest_path_is_reached(prongd):
    with tempfile.TemporaryDirectory() as directory:
        manager = Manager(f"{directory}/".ljust(107, "x"))
        with contextlib.closing(manager.socket):
            prongd("echo", **notifying(manager.name))
            assert manager.hear()[0]["READY"] == "1"


@pytest.fixture
def others_directory():
    """A directory of a user that is not root; pytest's own ones
    belong to root alone."""
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.parametrize("who", ["child", "supervisor"])
def test_who_has_given_up_rights_and_root_still_tells(
        root, prongd, others_directory, who):  # fmt: skip
    """The socket cannot be reached by its name any more, nor may that user write to it.
    Leaks cannot be checked for then, as in a traced process."""
    (others_directory / "root").mkdir(mode=0o755)
    manager = Manager(others_directory / "notify")
    os.chmod(manager.name, 0o600)
    with contextlib.closing(manager.socket):
        server = prongd("--chroot", others_directory / "root", "--user", NOBODY,
                        "--group", NOBODY, "--drop-privileges", who, "echo",
                        **notifying(manager.name, traced=True))  # fmt: skip
        assert manager.hear()[0]["READY"] == "1"
        assert server.ask(b"served") == b"served"
        server.signal(signal.SIGTERM)
        message, sender = manager.hear()
        assert (message["STOPPING"], sender) == ("1", server.pid)
        server.expect_exit()


@pytest.mark.parametrize("how", ["auto", "off"])
def test_a_sandbox_is_no_hindrance(prongd, manager, how):
    server = prongd("-n", 1, "--sandbox", how, "echo", **notifying(manager.name))
    assert manager.hear()[0]["READY"] == "1"
    server.hold(1)
    assert manager.hear()[0]["STATUS"].startswith("All 1 processes")
    server.close_clients()
    assert manager.hear()[0]["READY"] == "1"
    server.signal(signal.SIGTERM)
    assert manager.hear()[0]["STOPPING"] == "1"
    server.expect_exit()


def datagram_sockets(pid):
    """From /proc/net/unix: the type is the fifth column, the inode the seventh."""
    rows = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()]
    every = {f"socket:[{row[6]}]" for row in rows if row[4] == "0002"}
    return every & set(descriptors(pid).values())


def test_workers_cannot_speak_to_the_manager(prongd, manager):
    """Programs cannot either: they do not have the socket, and do not know its name."""
    server = prongd("-s", 2, "echo", **notifying(manager.name))
    server.hold(1)
    assert len(datagram_sockets(server.pid)) == 1
    workers = server.expect_workers(3)
    eventually(lambda: not any(map(datagram_sockets, workers)), "only the supervisor's")
    server = prongd("--", "env", **notifying(manager.name))
    assert b"NOTIFY" not in server.ask()
