"""FAULT 21: refused and served clients leave neither memory nor descriptors behind.

PRONG_FULL=1 runs the full numbers: a minute.
"""

import os

import pytest

from harness import load
from logline import reasons
from proc import descriptors, read, settled

FULL = os.environ.get("PRONG_FULL") == "1"
REFUSED = 1_000_000 if FULL else 60_000
SERVED = 200_000 if FULL else 25_000
PARTS = 10  # the first one is for warming up
ALLOWANCE = 256 * 1024  # bytes

DENIED = "127.64.0.0/16"
STRANGERS = "127.64.0.1/100"  # a hundred addresses, so that there are enough ports
FRIENDS = "127.0.1.1/100"


def memory(pid):
    """Bytes that the kernel counts as resident, as private, and as allocated.

    Not the Private ones of smaps, which also grow when another process unmaps a page.
    """
    found = {}
    for line in (read(pid, "smaps_rollup") + read(pid, "status")).splitlines():
        key, _, value = line.partition(":")
        if value.endswith(" kB"):
            found[key] = int(value.split()[0]) * 1024
    return {key: found[key] for key in ("Rss", "Anonymous", "VmData")}


def at_rest(server):
    """Its memory and its descriptors once all clients are gone."""
    server.expect_workers(server.spares())
    settled(server.pid)
    return memory(server.pid), sorted(descriptors(server.pid).values())


def pass_by(server, refused, served):
    """One part of the clients; half of the strangers come before
    those that are served."""
    for count in (refused // 2, refused - refused // 2):
        words = ["-n", count, "-c", 32, "--sources", STRANGERS]
        result = load(server, *words, check=False)
        assert result["reset"] + result["closed_early"] == count, result
        load(server, "--churn", "-n", served // 2, "-c", 16, "--sources", FRIENDS)


@pytest.mark.parametrize("words", [
    [],
    ["-r", "always", "-s", 16, "-n", 16, "--refusal", "reset", "--rate-per-source", "1000000/1s"],
], ids=["fresh processes", "reused processes"])  # fmt: skip
def test_memory_and_descriptors_stay_the_same(prongd, scale, words):
    refused = int(REFUSED * scale) // PARTS
    served = int(SERVED * scale) // PARTS
    server = prongd("--deny", DENIED, *words, "echo", verbose=False)
    pass_by(server, refused, served)
    before, opened = at_rest(server)
    for part in range(1, PARTS):
        pass_by(server, refused, served)
        after, still_open = at_rest(server)
        print(f"part {part}: {after}, {len(still_open)} descriptors")
        grown = {key: after[key] - before[key] for key in before}
        assert max(grown.values()) <= ALLOWANCE, grown
        assert len(still_open) == len(opened), (opened, still_open)
    totals = server.stop()
    assert reasons(totals) == {"refused-denied": PARTS * refused, "eof": PARTS * served}
    assert totals["bytes_in"] == totals["bytes_out"] == str(64 * PARTS * served)
