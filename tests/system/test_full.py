"""FAULT 4: even with the kernel's queue full, every connected client is answered.

The server has its own network (network_namespaces(7)), where that queue is short. SYN
cookies (tcp(7)) are off: a kernel that resorts to them takes the first packet that
finds room in the queue for the first one of the connection, and loses the data before
it.
"""

import contextlib
import ctypes
import errno
import json
import select
import signal
import socket
import subprocess

import pytest

from harness import PATIENCE, PRONG, eventually, failures
from sockets import receive_all

CLONE_NEWNET = 0x40000000
BACKLOG = 32
CLIENTS = 3 * BACKLOG
SCRIPT = f"""ip link set lo up
sysctl -qw net.core.somaxconn={BACKLOG} net.ipv4.tcp_syncookies=0
exec "$0" "$@"
"""
libc = ctypes.CDLL(None, use_errno=True)

pytestmark = pytest.mark.usefixtures("root")


@contextlib.contextmanager
def network_of(server):
    """Sockets made in this block, by this thread, are in the server's network."""
    with open("/proc/thread-self/ns/net") as ours:
        with open(f"/proc/{server.pid}/ns/net") as servers:
            assert libc.setns(servers.fileno(), CLONE_NEWNET) == 0
        try:
            yield
        finally:
            assert libc.setns(ours.fileno(), CLONE_NEWNET) == 0


@pytest.fixture
def secluded(prongd):
    """Start servers with a network, and thus a queue, of their own."""

    def start(*arguments):
        under = ["unshare", "--net", "sh", "-ec", SCRIPT]
        return prongd(*arguments, under=under)

    return start


def connected(clients):
    """Those whose connection is established."""
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLOUT)
    writable = {fd for fd, event in poll.poll(0) if event == select.POLLOUT}
    return [client for client in clients if client.fileno() in writable]


def begin_connecting(server):
    """Start more clients than the queue holds; return all of them, and those in it."""
    with network_of(server):
        clients = [server.socket() for _ in range(CLIENTS)]
    for client in clients:
        client.setblocking(False)
        assert client.connect_ex(server.addresses[0][1]) in (0, errno.EINPROGRESS)
    eventually(lambda: len(connected(clients)) >= BACKLOG, "a full queue")
    queued = connected(clients)
    assert len(queued) < CLIENTS
    return clients, queued


def fill(server):
    with network_of(server):
        busy = server.hold(2)
    server.wait_log(event="limit-reached")
    return busy


def send_number(client, number):
    client.settimeout(PATIENCE)
    client.sendall(b"%d" % number)
    client.shutdown(socket.SHUT_WR)


def send_numbers_when_connected(clients):
    """At once, since each holds a place that others wait for until it is served."""
    left = dict(zip(clients, range(len(clients))))

    def all_sent():
        for client in connected(left):
            send_number(client, left.pop(client))
        return not left

    eventually(all_sent, "a place in the queue")


@pytest.mark.parametrize("words", [
    ["echo"], ["-r", "always", "echo"], ["--", "cat"],
], ids=lambda words: " ".join(map(str, words)))  # fmt: skip
def test_all_clients_are_answered_in_the_end(secluded, words):
    """Clients in the queue, and clients that try again because it was full."""
    server = secluded("-n", 2, "--at-limit", "wait", *words)
    busy = fill(server)
    clients, queued = begin_connecting(server)
    for number, client in enumerate(queued):
        send_number(client, number)
    for client in busy:
        client.close()
    for number, client in enumerate(queued):
        assert receive_all(client) == b"%d" % number
    late = [client for client in clients if client not in queued]
    send_numbers_when_connected(late)
    for number, client in enumerate(late):
        assert receive_all(client) == b"%d" % number
    assert server.stop()["eof"] == str(CLIENTS + 2)


def test_at_the_stop_the_whole_queue_is_answered(secluded):
    server = secluded("-n", 2, "echo")
    busy = fill(server)
    _, queued = begin_connecting(server)
    for number, client in enumerate(queued):
        send_number(client, number)
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    for client in busy:
        client.close()
    for number, client in enumerate(queued):
        assert receive_all(client) == b"%d" % number
    assert int(server.expect_exit()["eof"]) >= len(queued) + 2


def test_a_crowd_that_comes_again_and_again_is_served(secluded, scale):
    """With a full queue most of the time."""
    count = int(10_000 * scale)
    server = secluded("-n", 4, "echo")
    words = ["nsenter", f"--net=/proc/{server.pid}/ns/net", PRONG, "bench", "--json",
             "-n", str(count), "-c", str(CLIENTS), server.texts[0]]  # fmt: skip
    output = subprocess.run(words, stdout=subprocess.PIPE, timeout=120).stdout
    result = json.loads(output.splitlines()[-1])
    assert failures(result) == 0, result
    assert result["ok"] == count
    assert server.stop()["eof"] == str(count)
