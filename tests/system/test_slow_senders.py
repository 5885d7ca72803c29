"""FAULT 18: a client that sends a byte now and then is cut at the deadline.

Bytes move, so only the session timeout can end it. Other clients are served.
"""

import contextlib
import itertools
import selectors
import socket
import time

import pytest

from logline import reasons
from sockets import receive_all

MOST = 10  # processes
DEADLINE = 2  # seconds a session may last
TOLERANCE = 1  # seconds
INTERVAL = 0.1  # seconds between two bytes; an idle connection ends after 1


def has_ended(client):
    """Read what there is; a connection that is cut may be reset."""
    with contextlib.suppress(BlockingIOError):
        try:
            return client.recv(4096) == b""
        except ConnectionError:
            return True
    return False


def send_slowly(clients):
    """Send a byte on each now and then until it ends; return when each ended."""
    ended = {}
    with selectors.DefaultSelector() as selector:
        for client in clients:
            client.setblocking(False)
            selector.register(client, selectors.EVENT_READ)
        next_byte = time.monotonic()
        while len(ended) < len(clients):
            for key, _ in selector.select(max(next_byte - time.monotonic(), 0)):
                if has_ended(key.fileobj):
                    ended[key.fileobj] = time.monotonic()
                    selector.unregister(key.fileobj)
            if time.monotonic() < next_byte:
                continue
            next_byte += INTERVAL
            for client in clients - ended.keys():
                with contextlib.suppress(ConnectionError):
                    client.send(b"x")
    return ended


CASES = [
    ["echo"],
    ["-s", 0, "echo"],
    ["-r", "always", "echo"],
    ["--", "/bin/cat"],
    ["--warm", "--", "/bin/cat"],
    ["--kill-descendants", "--", "/bin/cat"],
]
NAMES = [" ".join(map(str, words)) for words in CASES]
TIMEOUTS = ["--session-timeout", f"{DEADLINE}s", "--idle-timeout", "1s"]


@pytest.fixture(scope="module")
def seen(module_prongd):
    """For each case: its server, when the slow clients were cut, which ones wait behind
    them.

    All are served during the same seconds.
    """
    servers = [module_prongd("-n", MOST, *TIMEOUTS, *words) for words in CASES]
    begin = time.monotonic()
    slow = [[server.connect() for _ in range(2 * MOST)] for server in servers]
    waiting = [[server.connect() for _ in range(2 * MOST)] for server in servers]
    for client in itertools.chain(*waiting):
        client.sendall(b"my turn")
        client.shutdown(socket.SHUT_WR)
    ended = send_slowly(set(itertools.chain(*slow)))
    times = [sorted(ended[client] - begin for client in clients) for clients in slow]
    return dict(zip(NAMES, zip(servers, times, waiting)))


@pytest.mark.parametrize("name", NAMES)
def test_slow_senders_are_cut_at_the_deadline(seen, name):
    server, times, _ = seen[name]
    for turn in (1, 2):  # half of them waited until the others were cut
        for cut in times[(turn - 1) * MOST : turn * MOST]:
            assert abs(cut - turn * DEADLINE) <= TOLERANCE, times
    for line in server.wait_log(event="close", reason="deadline", count=2 * MOST):
        assert abs(int(line["duration_ms"]) / 1000 - DEADLINE) <= TOLERANCE, line


@pytest.mark.parametrize("name", NAMES)
def test_who_waits_behind_slow_senders_is_served(seen, name):
    server, _, waiting = seen[name]
    for client in waiting:
        assert receive_all(client) == b"my turn"
    server.wait_log(event="close", count=4 * MOST)
    assert reasons(server.totals()) == {"deadline": 2 * MOST, "eof": 2 * MOST}
