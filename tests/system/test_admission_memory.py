"""However many sources there are, the supervisor's memory stays within its bound.

A sanitized build does a tenth of the refusals; PRONG_SCALE=5 in the environment makes
five times as many.
"""

import os

import pytest

from harness import failures, load
from proc import descriptors, resident, settled
from sources import (
    FOREVER, connect_from, expect_nobody, is_let_in, is_served, refused,
)  # fmt: skip
from test_limits import needs_strace

ALLOWANCE = 256 * 1024  # bytes by which the supervisor's memory may vary
REMEMBERED = 65536  # sources without a connection; see options.rate in prong.h
PLACE = 48  # bytes per source
BUCKET = 4  # bytes; there are at least as many buckets as places, a power of two
PROCESSES = 500
MORE = float(os.environ.get("PRONG_SCALE", 1))


def table(places):
    """The most memory that the table may take for this number of sources."""
    buckets = 1 << (places - 1).bit_length()
    return places * PLACE + buckets * BUCKET


def come_from(server, first, count):
    """One client from each of count addresses, all of them served."""
    load(server, "--churn", "-n", count, "-c", 32, "--sources", f"{first}/{count}")
    expect_nobody(server)


def refuse(server, count, source="127.0.1.1"):
    words = ["-n", count, "-c", 32, "--sources", source]
    result = load(server, *words, check=False)
    assert failures(result) == count


def test_sources_without_number_take_a_bounded_memory(prongd):
    """The same number in every build, since nothing is forked. The
    oldest are forgotten."""
    options = ["--max-per-source", 2, "--rate-per-source", FOREVER, "-n", PROCESSES, "-r", "always"]
    server = prongd(*options, "echo", verbose=False, listen=["127.0.0.5:0"])
    come_from(server, "127.1.0.1", 500)
    before = resident(server.pid)
    come_from(server, "127.2.0.1", 70_000)
    full = resident(server.pid)
    assert full - before <= table(REMEMBERED + PROCESSES + 1) + ALLOWANCE
    come_from(server, "127.4.0.1", 70_000)
    assert resident(server.pid) <= full + ALLOWANCE
    assert not is_let_in(server, "127.5.17.112")  # the last of the 70,000
    assert is_let_in(server, "127.1.0.1")  # forgotten, so admitted again


def test_sources_without_a_connection_take_no_memory_where_no_rate_is_set(prongd):
    options = ["--max-per-source", 2, "-n", PROCESSES, "-r", "always"]
    server = prongd(*options, "echo", verbose=False, listen=["127.0.0.5:0"])
    come_from(server, "127.1.0.1", 500)
    before = resident(server.pid)
    come_from(server, "127.2.0.1", 20_000)
    assert resident(server.pid) <= before + ALLOWANCE


REFUSALS = [
    # how many; the reason; options
    (50_000, "refused-denied", ["--deny", "127.0.1.1"]),
    (50_000, "refused-rate-per-source", ["--rate-per-source", FOREVER, "--refusal", "reset"]),
    (50_000, "refused-rate", ["--rate", FOREVER, "--refusal-text", "later"]),
    (50_000, "refused-max-per-source", ["--max-per-source", 1]),
]


def spend(server):
    """What refusals must not use up: memory, descriptors, processes."""
    settled(server.pid)
    processes = int(server.totals()["processes"])
    return resident(server.pid), len(descriptors(server.pid)), processes


@pytest.mark.parametrize(
    "count, reason, options", REFUSALS, ids=[row[1] for row in REFUSALS]
)
def test_refusals_use_up_nothing(prongd, scale, count, reason, options):
    server = prongd(*options, "echo", verbose=False, listen=["127.0.0.5:0"])
    held = is_served(connect_from(server, "127.0.1.1"))  # uses up what is allowed
    first, count = int(10_000 * scale), int(count * scale * MORE)
    refuse(server, first)
    server.expect_workers(server.spares() + held)
    memory, opened, processes = spend(server)
    refuse(server, count)
    now_memory, now_opened, now_processes = spend(server)
    assert now_memory <= memory + ALLOWANCE
    assert (now_opened, now_processes) == (opened, processes)
    assert refused(server.stop()) == {reason: first + count + (not held)}


@needs_strace
def test_no_process_is_made_for_a_refused_client(prongd, tmp_path):
    calls = "trace=fork,vfork,clone,clone3"
    under = ["strace", "-D", "-f", "-qq", "-o", tmp_path / "trace", "-e", calls]
    words = ["-s", 0, "--sandbox", "off", "--rate-per-source", FOREVER, "--deny", "127.0.1.2"]
    where = ["127.0.0.5:0"]
    server = prongd(*words, "echo", under=under, verbose=False, listen=where)
    assert is_let_in(server, "127.0.1.1")
    for source in ("127.0.1.1", "127.0.1.2"):
        refuse(server, 2000, source)
    expected = {"refused-denied": 2000, "refused-rate-per-source": 2000}
    assert refused(server.stop()) == expected
    assert (tmp_path / "trace").read_text().count("clone") == 1
