"""Listeners take turns while slots are scarce: a crowd at one starves no other."""

import contextlib
import socket
import threading
from collections import Counter

import pytest

from harness import PATIENCE, eventually
from sockets import echoes, receive_all, receive_exactly

MODELS = [["echo"], ["-s", 0, "echo"], ["-r", "always", "echo"], ["--", "cat"]]


@pytest.fixture(params=["TCP beside TCP", "UNIX beside TCP", "TCP beside UNIX", "three"])
def listen(request, tmp_path):
    tcp, unix = "127.0.0.1:0", f"unix:{tmp_path}/socket"
    return {"TCP beside TCP": [tcp, tcp], "UNIX beside TCP": [unix, tcp],
            "TCP beside UNIX": [tcp, unix], "three": [tcp, unix, "[::1]:0"]}[request.param]  # fmt: skip


def served_in_order(clients):
    """The listeners of the clients, by number, in the order in
    which these were served."""
    order = []
    lock = threading.Lock()

    def wait(number, client):
        receive_exactly(client, 1)
        with lock:
            order.append(number)
            client.close()

    waiters = [threading.Thread(target=wait, args=each) for each in clients]
    for waiter in waiters:
        waiter.start()
    for waiter in waiters:
        waiter.join()
    return order


@pytest.mark.parametrize("words", MODELS, ids=str)
def test_full_queues_give_one_client_each(prongd, listen, words):
    """With one slot a client is served before the next one is accepted."""
    server = prongd("-n", 1, *words, listen=listen)
    [held] = server.hold()
    numbers = range(len(listen))
    crowd = [(number, server.connect(number)) for number in numbers for _ in range(8)]
    for _, client in crowd:
        client.sendall(b"x")
    held.close()
    order = served_in_order(crowd)
    for i in range(0, len(order), len(listen)):
        assert sorted(order[i : i + len(listen)]) == list(numbers), order


class Flood:
    """Clients that connect to one listener again and again, each for a moment."""

    def __init__(self, server, number, count=24):
        self.server, self.number = server, number
        self.over = threading.Event()
        self.results = Counter()
        self.comers = [threading.Thread(target=self._come) for _ in range(count)]

    def _come(self):
        family, address = self.server.addresses[self.number]
        while not self.over.is_set():
            with contextlib.suppress(OSError), socket.socket(family) as client:
                client.settimeout(PATIENCE)
                client.connect(address)
                client.sendall(b"x")
                receive_exactly(client, 1)
                self.over.wait(0.02)  # the session for which others wait
                self.results["served"] += 1

    def __enter__(self):
        for comer in self.comers:
            comer.start()
        eventually(lambda: self.results["served"] > 50, "a flood")
        return self

    def __exit__(self, *_):
        self.over.set()
        for comer in self.comers:
            comer.join()


@pytest.mark.parametrize("flooded", [0, 1])
def test_beside_a_flood_every_client_is_served_in_its_turn(prongd, listen, flooded):
    """While one client waits, the flood gets as many sessions as there
    are slots and listeners."""
    server = prongd("-n", 2, "-s", 0, "echo", listen=listen, verbose=False)
    quiet = 1 - flooded
    with Flood(server, flooded) as flood:
        ahead = []
        for _ in range(20):
            before = flood.results["served"]
            client = server.connect(quiet)
            assert echoes(client)
            ahead.append(flood.results["served"] - before)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b""
    # Sessions that end at the same time also count, and this thread may be late.
    assert sorted(ahead)[len(ahead) // 2] <= 8, ahead

