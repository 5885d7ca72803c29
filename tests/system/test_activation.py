"""Sockets that a service manager hands over are served, and stay the manager's."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading

import pytest

import activation
import harness
import logline
from harness import PRONGD, eventually
from logline import reasons
from proc import children, descriptors
from sockets import exchange, family_and_address, receive_all

SANITIZERS = ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")


@pytest.fixture
def listener():
    """The manager's socket, which stays open after prongd has ended."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as manager:
        yield manager


@pytest.fixture
def no_process_left():
    before = set(children(os.getpid()))
    yield
    harness.no_strays(before)


def free_address(family=socket.AF_INET):
    """An address for systemd-socket-activate, which does not accept port 0.

    The address in 127/8 is ours alone, so no other process is given its port meanwhile.
    """
    pid = os.getpid()
    ipv4 = family == socket.AF_INET
    host = f"127.{1 + pid % 250}.{pid // 250 % 250}.1" if ipv4 else "::1"
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    return f"{host}:{port}" if ipv4 else f"[{host}]:{port}"


class SocketActivate:
    """systemd-socket-activate, which becomes prongd when the first client comes."""

    def __init__(self, directory, addresses, arguments, *options):
        self.log_path = directory / "log"
        words = ["systemd-socket-activate", *options]
        for name in SANITIZERS:
            words += ["-E", name] if name in os.environ else []
        for address in addresses:
            words += ["-l", address.removeprefix("unix:")]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [*words, PRONGD, "-v", *arguments], stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=log,
                env=harness.environment(SYSTEMD_LOG_LEVEL="info"))  # fmt: skip
        listening = rf"(?s)(Listening on .*){{{len(addresses)}}}"
        eventually(lambda: re.search(listening, self.log_path.read_text()), "listening")

    def log_lines(self, event):
        text = self.log_path.read_text()
        lines = [line for line in text.splitlines(True) if line.startswith("time=")]
        lines = [logline.parse_logfmt(l[:-1]) for l in lines if l.endswith("\n")]
        return [line for line in lines if line["event"] == event]

    def ask(self, text, data):
        family, address = family_and_address(text)
        with socket.socket(family) as client:
            client.settimeout(harness.PATIENCE)
            client.connect(address)
            return exchange(client, data)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(harness.PATIENCE) == 0
        [last] = self.log_lines("stop")
        logline.expect_balance(last)
        return last


@pytest.fixture
def activate(tmp_path, no_process_left):
    started = []

    def start(*arguments):
        started.append(SocketActivate(tmp_path, *arguments))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def test_a_client_is_served_by_a_service_that_its_coming_has_started(activate):
    address = free_address()
    server = activate([address], ["echo"])
    assert server.ask(address, b"first") == b"first"
    assert server.ask(address, b"second") == b"second"
    [listen] = server.log_lines("listen")
    assert listen["address"] == address
    assert "name" not in listen
    assert server.stop()["accepted"] == "2"


def test_a_program_is_not_told_how_it_came_to_be_started(activate, tmp_path):
    """It sees neither LISTEN_* nor NOTIFY_SOCKET, which it could take for its own."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        address = free_address()
        server = activate(
            [address], ["--env", "LISTEN_FDS", "--", "env"],
            "-E", f"NOTIFY_SOCKET={tmp_path}/notify", "--fdname", "web")  # fmt: skip
        lines = server.ask(address, b"").decode().splitlines()
        assert manager.recv(1000).startswith(b"READY=1\n")
        server.stop()
    names = [line.split("=")[0] for line in lines]
    assert "TCPREMOTEIP" in names
    assert not [name for name in names if name.startswith(("LISTEN", "NOTIFY"))]


def test_sockets_of_every_family_are_served_by_their_names(activate, tmp_path):
    """And so are the addresses of --listen."""
    given, own = f"unix:{tmp_path}/given", f"unix:{tmp_path}/own"
    addresses = [free_address(), free_address(socket.AF_INET6), given]
    server = activate(addresses, ["-l", own, "echo"], "--fdname", "four:six:local")
    for address in [*addresses, own]:
        assert server.ask(address, b"here") == b"here"
    lines = server.log_lines("listen")
    assert [line["address"] for line in lines] == [*addresses, own]
    assert [line.get("name") for line in lines] == ["four", "six", "local", None]
    server.stop()
    assert os.path.exists(f"{tmp_path}/given"), "the path is the manager's"
    assert not os.path.exists(f"{tmp_path}/own")


@pytest.mark.parametrize("pid", ["1", "", "x", "-1", "0", "99999999999"])
def test_sockets_meant_for_another_process_are_none_of_its_business(
        prongd, listener, pid):  # fmt: skip
    with activation.handing_over([listener], pid=pid) as options:
        server = prongd("echo", **options)
    assert len(server.log_lines(event="listen")) == 1
    assert server.addresses[0][1] != listener.getsockname()
    assert server.ask(b"served") == b"served"


@pytest.mark.parametrize("count", ["", "-1", "x", "1x", " 1", "65", "9" * 30])
def test_a_count_that_is_none_is_an_error(no_process_left, listener, count):
    status, line = activation.refused([listener], LISTEN_FDS=count)
    assert status == 2
    assert f'LISTEN_FDS is "{count[:20]}", not a number of sockets' in line


@pytest.mark.parametrize("names", ["", "one", "one:two:three", ":::"])
def test_names_that_are_not_as_many_as_the_sockets_are_an_error(
        no_process_left, listener, names):  # fmt: skip
    status, line = activation.refused([listener] * 2, LISTEN_FDNAMES=names)
    assert status == 2
    count = names.count(":") + 1
    assert line == f"LISTEN_FDNAMES has {count} names, but LISTEN_FDS says 2 sockets"


def test_a_name_cannot_forge_a_line_of_the_log(prongd, listener):
    name = 'x" event=stop\ntime=\x1b[2J'
    server = activation.start(prongd, [listener], "echo", names=name)
    assert server.log_lines(event="listen")[0]["name"] == name


def test_a_descriptor_that_is_not_open_is_an_error(no_process_left, listener):
    status, line = activation.refused([listener], LISTEN_FDS="2")
    assert status == 2
    assert line == "LISTEN_FDS says 2 sockets, but descriptor 4 is not open"


def bound(family, kind, address):
    result = socket.socket(family, kind)
    result.bind(address)
    return result


def connected():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()):
            return server.accept()[0]


def sequenced():
    result = bound(socket.AF_UNIX, socket.SOCK_SEQPACKET, "")
    result.listen()
    return result


NOT_LISTENING = r"it does not listen \(a systemd socket unit needs Accept=no\)"
MISFITS = {
    "a connection": (connected, NOT_LISTENING),
    "bound only": (lambda: bound(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
                   NOT_LISTENING),
    "datagrams": (lambda: bound(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
                  "it is not a stream socket"),
    "UNIX datagrams": (lambda: bound(socket.AF_UNIX, socket.SOCK_DGRAM, ""),
                       "it is not a stream socket"),
    "packets in sequence": (sequenced, "it is not a stream socket"),
    "a file": (lambda: open("/dev/null", "r+b", buffering=0), "it is not a socket"),
}  # fmt: skip


@pytest.mark.parametrize("misfit", MISFITS)
def test_what_cannot_be_served_is_refused_in_words(no_process_left, listener, misfit):
    """Sockets before it, which could be served, are left as they were."""
    make, why = MISFITS[misfit]
    with make() as other:
        status, line = activation.refused([listener, other])
    assert status == 2
    assert re.fullmatch(f"cannot serve descriptor 4: {why}", line), line
    with socket.create_connection(listener.getsockname()) as client:
        listener.accept()[0].close()
        assert receive_all(client) == b""


def test_a_listener_is_not_written_to_for_readiness(no_process_left, listener):
    status, line = activation.refused([listener], "--ready-fd", "3", "echo")
    assert status == 2
    assert "descriptor 3 is a listening socket" in line


def test_the_path_of_a_socket_stays_when_it_has_been_served(prongd, tmp_path):
    path = str(tmp_path / "socket")
    with bound(socket.AF_UNIX, socket.SOCK_STREAM, path) as manager:
        manager.listen()
        for data in (b"one", b"two"):  # one activation after the other
            server = activation.start(prongd, [manager], "echo")
            assert server.texts == [f"unix:{path}"]
            assert server.ask(data) == data
            server.stop()
            assert os.path.exists(path)


def answer_those_who_wait(listener):
    """What the next activation does: accept all waiting clients, and echo."""
    listener.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            with listener.accept()[0] as connection:
                connection.settimeout(harness.PATIENCE)
                connection.sendall(receive_all(connection))
            count += 1
    return count


def send_whole(address, data):
    client = socket.create_connection(address, timeout=harness.PATIENCE)
    client.sendall(data)
    client.shutdown(socket.SHUT_WR)
    return client


def test_clients_after_a_stop_wait_for_the_next_activation(prongd, listener):
    """Clients in the queue are served, and no client is reset."""
    server = activation.start(prongd, [listener], "-n", 1, "-s", 0, "echo")
    [busy] = server.hold(1)
    early = [send_whole(server.addresses[0][1], b"early") for _ in range(5)]
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    late = [send_whole(server.addresses[0][1], b"late") for _ in range(5)]
    busy.close()
    assert [receive_all(client) for client in early] == [b"early"] * 5
    assert reasons(server.expect_exit()) == {"eof": 6}
    assert answer_those_who_wait(listener) == 5
    assert [receive_all(client) for client in late] == [b"late"] * 5
    for client in early + late:
        client.close()


def test_a_stop_under_load_ends_and_loses_nobody(prongd, listener):
    """Clients keep coming, and prongd does not accept for ever."""
    server = activation.start(prongd, [listener], "-s", 4, "echo", verbose=False)
    address = server.addresses[0][1]
    clients, enough = [], threading.Event()

    def keep_coming():
        while not enough.is_set() and len(clients) < 4000:
            clients.append(send_whole(address, b"load"))

    thread = threading.Thread(target=keep_coming)
    thread.start()
    try:
        eventually(lambda: len(clients) > 100, "100 clients")
        server.signal(signal.SIGTERM)
        totals = server.expect_exit()
        came = len(clients)
        eventually(lambda: len(clients) > came or not thread.is_alive(), "more clients")
    finally:
        enough.set()
        thread.join()
    waiting = answer_those_who_wait(listener)
    assert int(totals["accepted"]) + waiting == len(clients)
    for client in clients:
        assert receive_all(client) == b"load"
        client.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_a_stop_ends_while_clients_come_without_a_pause(prongd, tmp_path, family):
    """The clients leave at once. The length of a UNIX queue cannot be found out."""
    address = ("127.0.0.1", 0) if family == socket.AF_INET else f"{tmp_path}/socket"
    with bound(family, socket.SOCK_STREAM, address) as manager:
        manager.listen(100)
        server = activation.start(prongd, [manager], "-r", "always", "discard", verbose=False)

        def one_more():
            with socket.socket(family) as client:
                client.setblocking(False)
                client.connect_ex(server.addresses[0][1])

        for _ in range(100):
            one_more()
        server.signal(signal.SIGTERM)
        eventually(lambda: one_more() or server.process.poll() is not None,
                   "the end", interval=0)  # fmt: skip
        server.expect_exit()


def sockets_of(pid):
    return {name for name in descriptors(pid).values() if name.startswith("socket:")}


@pytest.mark.parametrize("arguments", [
    ("-s", 2, "echo"), ("-r", "always", "-s", 2, "echo"),
    ("-s", 2, "--sandbox", "off", "echo"), ("--", "cat")])  # fmt: skip
def test_workers_do_not_have_the_listeners(prongd, listener, tmp_path, arguments):
    with bound(socket.AF_UNIX, socket.SOCK_STREAM, str(tmp_path / "socket")) as second:
        second.listen()
        server = activation.start(prongd, [listener, second], *arguments)
        server.hold(2)
        given = {f"socket:[{os.fstat(s.fileno()).st_ino}]" for s in (listener, second)}
        assert given <= sockets_of(server.pid)
        workers = server.workers()
        assert len(workers) >= 2
        eventually(lambda: not any(given & sockets_of(pid) for pid in workers),
                   "workers without listeners")  # fmt: skip
