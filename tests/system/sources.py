"""Clients that come from an address of their choice, and what became of them.

Refused clients that have sent something may meet a reset instead of an end, as the
kernel does it; so a refusal is either, unless a test is about which.
"""

from harness import eventually
from logline import reasons

FOREVER = "1/1d"  # a rate: one client, and the next when no test runs any more


def connect_from(server, source, index=0):
    """A client with this address; it has sent nothing yet."""
    client = server.socket(index)
    client.bind((source, 0))
    client.connect(server.addresses[index][1])
    return client


def addresses(first, count):
    """So many IPv4 addresses from this one on, as text."""
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
    """Whether a client of this address is served; it is gone afterwards."""
    with connect_from(server, source, index) as client:
        return is_served(client)


def hold_from(server, source, index=0):
    """A client that is served and stays."""
    client = connect_from(server, source, index)
    assert is_served(client), f"{source} is not let in"
    return client


def refusals(server, count):
    """The reasons of the first refusals in a verbose log, of which there are count."""
    lines = server.wait_log(event="refused", count=count)
    assert len(lines) == count
    return [line["reason"] for line in lines]


def refused(totals):
    """From a line of totals: the refusals, by reason."""
    found = reasons(totals).items()
    return {reason: n for reason, n in found if reason.startswith("refused-")}


def expect_nobody(server):
    """Waits until every connection is over and no source has one; the totals."""

    def none_left():
        totals = server.totals()
        if totals["active"] == totals.get("sources", "0") == "0":
            return totals
        return None

    return eventually(none_left, "nobody connected and no source counted")
