"""When a resource runs out, clients wait or are told so; nothing spins, and no client
is lost."""

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from harness import PRONGD, eventually, load
from logline import reasons
from proc import cpu_seconds, descriptors, settled, sleeps
from sockets import echoes, receive_all, receive_exactly

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")


def fill(server, count=2):
    clients = server.hold(count)
    server.wait_log(event="limit-reached")
    return clients


def is_silent(client, seconds=0.2):
    """Whether neither data nor an end comes for this many seconds."""
    client.settimeout(seconds)
    with contextlib.suppress(socket.timeout):
        return client.recv(1) is None
    client.settimeout(15)
    return True


def test_at_the_limit_clients_wait_and_are_served_in_turn(prongd):
    server = prongd("-n", 2, "echo")
    busy = fill(server)
    waiting = [server.connect() for _ in range(10)]
    for number, client in enumerate(waiting):
        client.sendall(b"%d" % number)
        client.shutdown(socket.SHUT_WR)
    assert all(is_silent(client, 0.02) for client in waiting)
    assert all(echoes(client) for client in busy)
    busy[0].close()
    for number, client in enumerate(waiting):
        assert receive_all(client) == b"%d" % number
    served = [int(line["conn"]) for line in server.wait_log(event="serve", count=12)]
    assert served == sorted(served)


def test_the_limit_is_logged_once_when_reached_and_once_when_left(prongd):
    server = prongd("-n", 2, "echo")
    fill(server)
    server.close_clients()
    load(server, "--churn", "-n", 200, "-c", 8)
    server.wait_log(event="limit-cleared")
    assert len(server.log_lines(event="limit-reached")) == 1
    assert len(server.log_lines(event="limit-cleared")) == 1


@pytest.mark.parametrize("how", [(), ("-r", "always", "--accept", "workers")])
def test_a_stop_just_after_the_limit_was_left_sleeps(prongd, how):
    server = prongd("-n", 2, *how, "echo")
    busy = server.hold(2)
    waiting = server.connect()
    server.wait_log(event="limit-reached")
    busy[0].close()
    waiting.sendall(b"here")
    assert receive_exactly(waiting, 4) == b"here"
    waiting.close()
    time.sleep(0.3)  # the limit is left, but this is logged only after a second
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    time.sleep(1)  # by then the line would have been logged
    before = sleeps(server.pid), cpu_seconds(server.pid)
    time.sleep(1)  # the time for which it is watched
    assert (sleeps(server.pid), cpu_seconds(server.pid)) == before
    busy[1].close()
    assert reasons(server.expect_exit(timeout=5)) == {"eof": 3}


def test_there_are_never_more_processes_than_the_limit(prongd):
    server = prongd("-n", 3, "-s", 8, "echo")
    assert len(server.expect_workers(3)) == 3
    server.hold(3)
    assert len(server.children()) == 3


def test_a_full_server_sleeps(prongd):
    server = prongd("-n", 2, "echo")
    fill(server)
    for _ in range(5):
        server.connect().sendall(b"waiting")
    settled(server.pid)
    before = sleeps(server.pid), cpu_seconds(server.pid)
    time.sleep(1)  # the time for which it is watched
    assert (sleeps(server.pid), cpu_seconds(server.pid)) == before


def test_refused_clients_are_closed_and_the_next_is_served_when_there_is_room(prongd):
    server = prongd("-n", 2, "--at-limit", "refuse", "echo")
    busy = fill(server)
    for _ in range(5):
        with server.connect() as client:
            assert receive_all(client) == b""
    refused = server.wait_log(event="refused", count=5)
    assert {line["reason"] for line in refused} == {"refused-full"}
    busy[0].close()
    server.wait_log(event="close")
    assert server.ask(b"room") == b"room"


def test_the_refusal_text_arrives_whatever_the_client_has_sent(prongd):
    text = "421 too many connections, come back later\r\n"
    server = prongd("-n", 2, "--at-limit", f"refuse:{text}", "echo")
    fill(server)
    clients = [server.connect() for _ in range(10)]
    for client in clients:
        client.sendall(b"x" * 20_000)
    for client in clients:
        assert receive_all(client) == text.encode()
    server.wait_log(event="refused", count=10)


def test_more_refused_clients_than_can_be_looked_after_all_end(prongd):
    server = prongd("-n", 2, "--at-limit", "refuse:full", "echo")
    fill(server)
    clients = [server.connect() for _ in range(300)]
    for client in clients:
        assert receive_all(client) == b"full"
    for client in clients:
        client.close()
    server.wait_log(event="refused", count=300)


def test_a_refused_client_that_never_leaves_is_closed(prongd):
    server = prongd("-n", 2, "--at-limit", "refuse:full", "echo")
    fill(server)
    before = len(descriptors(server.pid))
    server.connect()
    server.wait_log(event="refused")
    eventually(lambda: len(descriptors(server.pid)) == before, "closed", timeout=3)


def run_out_of_descriptors(server):
    """Use up all descriptors; return the previous soft limit."""
    return server.set_limit(resource.RLIMIT_NOFILE, max(descriptors(server.pid)) + 1)


@contextlib.contextmanager
def counting_accepts(server, path):
    """Count accept4() calls of the supervisor, in a list of one."""
    words = ["strace", "-e", "trace=accept4", "-o", path, "-p", str(server.pid)]
    tracer = subprocess.Popen(words, stderr=subprocess.PIPE)
    count = []
    try:
        assert b"attached" in tracer.stderr.readline()
        yield count
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
        count.append(path.read_text().count("accept4("))


@needs_strace
def test_out_of_descriptors_nothing_spins_and_nobody_is_lost(prongd, tmp_path):
    """FAULT 1: at most 20 accepts, 1 line, 2 % of a processor a second."""
    server = prongd("-s", 0, "echo")
    settled(server.pid)
    soft = run_out_of_descriptors(server)
    ran = cpu_seconds(server.pid)
    begin = time.monotonic()
    with counting_accepts(server, tmp_path / "accepts") as accepts:
        clients = [server.connect() for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(b"%d" % number)
            client.shutdown(socket.SHUT_WR)
        server.wait_log(event="accept-failed", error="EMFILE", timeout=1)
        time.sleep(3)  # the time for which it is watched
    seconds = time.monotonic() - begin
    assert accepts[0] <= 20 * seconds
    assert len(server.log_lines(event="accept-failed")) <= seconds + 1
    assert cpu_seconds(server.pid) - ran <= 0.02 * seconds + 0.05
    server.set_limit(resource.RLIMIT_NOFILE, soft)
    end = time.monotonic() + 1
    for number, client in enumerate(clients):
        client.settimeout(max(end - time.monotonic(), 0.001))
        assert receive_all(client) == b"%d" % number


def test_out_of_descriptors_clients_are_refused_where_that_is_the_policy(prongd):
    server = prongd("-s", 0, "--at-limit", "refuse", "echo")
    settled(server.pid)
    soft = run_out_of_descriptors(server)
    for _ in range(5):
        with server.connect(timeout=2) as client:
            assert receive_all(client) == b""
    server.set_limit(resource.RLIMIT_NOFILE, soft)
    assert eventually(lambda: server.ask(b"back") == b"back", "served again")
    assert reasons(server.totals())["refused-descriptors"] == 5


def test_at_the_limit_out_of_descriptors_clients_go_on_being_refused(prongd):
    server = prongd("-n", 1, "-s", 0, "--at-limit", "refuse", "echo")
    [busy] = server.hold()
    settled(server.pid)
    soft = run_out_of_descriptors(server)
    for _ in range(3):
        with server.connect(timeout=2) as client:
            assert receive_all(client) == b""
    server.set_limit(resource.RLIMIT_NOFILE, soft)
    assert echoes(busy)


TRANSIENT = """EAGAIN EINTR ECONNABORTED EPERM EPROTO ENETDOWN ENOPROTOOPT EHOSTDOWN
    ENONET EHOSTUNREACH EOPNOTSUPP ENETUNREACH ETIMEDOUT ECONNRESET EMFILE ENFILE
    ENOBUFS ENOMEM""".split()


@needs_strace
@pytest.mark.parametrize("name", TRANSIENT)
def test_a_transient_error_of_accept_costs_nobody_anything(prongd, tmp_path, name):
    """FAULT 2: three times in a row, and the client is served."""
    under = ["strace", "-D", "-o", tmp_path / "trace", "-e", "trace=accept4",
             "-e", f"inject=accept4:error={name}:when=1..3"]  # fmt: skip
    server = prongd("-s", 0, "echo", under=under)
    begin = time.monotonic()
    assert server.ask(b"served") == b"served"
    assert time.monotonic() - begin < 1
    assert server.ask(b"and the next") == b"and the next"
    injected = (tmp_path / "trace").read_text().count("(INJECTED)")
    assert injected == 3


@pytest.fixture
def limited(prongd):
    """Start servers for limit_processes(): not as root, to whom the limit does not
    apply."""
    with contextlib.ExitStack() as stack:

        def start(*arguments):
            if os.geteuid() != 0:
                return prongd(*arguments)
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            os.chmod(directory, 0o755)  # other users may have no access to the build
            program = shutil.copy(PRONGD, directory)
            return prongd(*arguments, program=program, user=65534, group=65534,
                          extra_groups=[])  # fmt: skip

        yield start


@needs_strace
def test_accepting_that_always_fails_does_not_spin(prongd):
    """This holds even for an error that concerns one client at a time."""
    words = ["strace", "-D", "-qq", "-o", "/dev/null", "-e", "inject=accept4:error=EPERM"]
    server = prongd("-s", 0, "echo", under=words)
    server.connect()
    server.wait_log(event="accept-failed", error="EPERM")
    ran = cpu_seconds(server.pid)
    time.sleep(1)  # the time for which it is watched
    assert cpu_seconds(server.pid) - ran <= 0.1
    server.signal(signal.SIGQUIT)
    server.expect_exit()


def limit_processes(server, soft):
    """Call it as the server's user: even root may lack the
    privilege (CAP_SYS_RESOURCE)."""
    owner = os.stat(f"/proc/{server.pid}").st_uid
    words = ["prlimit", "--pid", str(server.pid), f"--nproc={soft}:"]
    other = {"user": owner, "group": owner, "extra_groups": []}
    subprocess.run(words, check=True, **(other if os.geteuid() == 0 else {}))


@contextlib.contextmanager
def no_more_processes(server):
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    limit_processes(server, 0)
    try:
        yield
    finally:
        limit_processes(server, "unlimited" if soft < 0 else soft)


@pytest.mark.parametrize("spare", [0, 2])
def test_a_client_waits_while_no_process_can_be_made(limited, spare):
    """FAULT 5: logged within a second; served within a second afterwards."""
    server = limited("-s", spare, "echo")
    with no_more_processes(server):
        served = server.hold(spare)
        waiting = server.connect()
        waiting.sendall(b"patience")
        server.wait_log(event="fork-failed", error="EAGAIN", timeout=1)
        assert is_silent(waiting, 0.5)
        ran = cpu_seconds(server.pid)
        time.sleep(1)  # the time for which it is watched
        assert cpu_seconds(server.pid) - ran < 0.05
    waiting.settimeout(1)
    assert receive_exactly(waiting, 8) == b"patience"
    assert all(echoes(client) for client in served)
    assert len(server.log_lines(event="fork-failed")) <= 4


def test_a_client_is_told_when_no_process_can_be_made(limited):
    server = limited("-s", 0, "--at-limit", "refuse:no process\n", "echo")
    with no_more_processes(server):
        for _ in range(5):
            with server.connect() as client:
                client.sendall(b"hello")
                assert receive_all(client) == b"no process\n"
        server.wait_log(event="fork-failed", timeout=1)
        server.wait_log(event="refused", reason="refused-fork", count=5)
    deadline = time.monotonic() + 1
    while (reply := server.ask(b"back")) != b"back":
        assert time.monotonic() < deadline, reply


@needs_strace
def test_a_spare_serves_although_no_other_can_be_made(prongd, tmp_path):
    """No client is refused for lack of a process while one is waiting."""
    under = ["strace", "-D", "-o", tmp_path / "trace", "-e", "trace=clone,clone3,fork",
             "-e", "inject=clone,clone3,fork:error=EAGAIN:when=4+"]  # fmt: skip
    server = prongd("-s", 3, "--at-limit", "refuse", "--sandbox", "off", "echo",
                    under=under)  # fmt: skip
    server.expect_workers(3)
    for _ in range(3):
        assert server.hold()
        server.wait_log(event="fork-failed", error="EAGAIN")
    server.refused()
    server.wait_log(event="refused", reason="refused-fork")


@needs_strace
@pytest.mark.parametrize("name", ["EAGAIN", "ENOMEM"])
def test_a_fork_that_fails_once_is_tried_again(prongd, tmp_path, name):
    under = ["strace", "-D", "-o", tmp_path / "trace", "-e", "trace=clone,clone3,fork",
             "-e", f"inject=clone,clone3,fork:error={name}:when=1..3"]  # fmt: skip
    server = prongd("-s", 0, "--sandbox", "off", "echo", under=under)  # no trial's fork
    assert server.ask(b"served") == b"served"
    server.wait_log(event="fork-failed", error=name)
