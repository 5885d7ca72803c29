"""Clients that come from a chosen address, and what became of them.

The kernel may answer a refused client that has sent something with a reset instead of
an end. So either counts as a refusal, unless a test is about the difference.
"""

from harness import eventually
from logline import reasons

FOREVER = "1/1d"  # a rate: one client, and no other before the tests are over


def connect_from(server, source, index=0):
    """A client with this address; it has sent nothing yet."""
    client = server.socket(index)
    client.bind((source, 0))
    client.connect(server.addresses[index][1])
    return client


def addresses(first, count):
    """count IPv4 addresses from this one on, as text."""
    start = int.from_bytes(map(int, first.split(".")), "big")
    for number in range(start, start + count):
        yield ".".join(map(str, number.to_bytes(4, "big")))


def is_served(client):
    """Whether it is echoed."""
    try:
        client.sendall(b"?")
        return client.recv(1) == b"?"
    except (BrokenPipeError, ConnectionResetError):
        return False


def is_let_in(server, source, index=0):
    """Whether a client of this address is served; it then leaves."""
    with connect_from(server, source, index) as client:
        return is_served(client)


def hold_from(server, source, index=0):
    """A client that is served and stays."""
    client = connect_from(server, source, index)
    assert is_served(client), f"{source} is not let in"
    return client


def refusals(server, count):
    """The reasons of the first count refusals in a verbose log."""
    lines = server.wait_log(event="refused", count=count)
    assert len(lines) == count
    return [line["reason"] for line in lines]


def refused(totals):
    """The refusals in a line of totals, by reason."""
    found = reasons(totals).items()
    return {reason: n for reason, n in found if reason.startswith("refused-")}


def expect_nobody(server):
    """Wait until all connections are over and no source has one; return the totals."""

    def none_left():
        totals = server.totals()
        if totals["active"] == totals.get("sources", "0") == "0":
            return totals
        return None

    return eventually(none_left, "nobody connected and no source counted")
