"""Rates admit what they say, recover by themselves, and protect other clients."""

import contextlib
import resource
import statistics
import time

import pytest

from harness import SANITIZED, eventually, failures, load, start_load
from sources import addresses, connect_from, is_let_in, refused

INTERVAL = 1  # seconds; some rates of the tests admit one client in it


def test_a_source_is_let_in_as_often_as_its_burst_at_once(prongd):
    server = prongd("--rate-per-source", "3/1d:7", "echo")
    expected = [True] * 7 + [False] * 3
    for source in ("127.0.0.1", "127.0.0.2"):
        assert [is_let_in(server, source) for _ in expected] == expected
    assert refused(server.totals()) == {"refused-rate-per-source": 6}


def test_without_a_burst_the_count_may_come_at_once(prongd):
    server = prongd("--rate-per-source", "3/1d", "echo")
    assert [is_let_in(server, "127.0.0.1") for _ in range(4)] == [True] * 3 + [False]


def test_all_sources_together_share_the_whole_rate(prongd):
    server = prongd("--rate", "5/1d:15", "echo", listen=["127.0.0.5:0"])
    result = load(server, "--churn", "-n", 40, "--sources", "127.0.1.1/40", check=False)
    assert result["ok"] == 15 and failures(result) == 25
    assert refused(server.totals()) == {"refused-rate": 25}


@pytest.mark.parametrize("option", ["--rate-per-source", "--rate"])
def test_a_source_over_its_rate_is_served_again_by_and_by(prongd, option):
    server = prongd(option, f"1/{INTERVAL}s", "echo")
    eventually(lambda: not is_let_in(server, "127.0.0.1"), "refused", interval=0)
    eventually(lambda: is_let_in(server, "127.0.0.1"), "served again")
    eventually(lambda: not is_let_in(server, "127.0.0.1"), "refused", interval=0)


@pytest.mark.parametrize("option", ["--rate-per-source", "--rate"])
def test_ten_thousand_refusals_do_not_put_off_the_next_client(prongd, option, scale):
    """If refused clients counted, the limit would lock out clients for hours."""
    server = prongd(option, f"1/{INTERVAL}s", "echo", verbose=False)
    count = int(10_000 * scale)
    result = load(server, "--churn", "-n", count, check=False)
    assert failures(result) >= 0.9 * count
    time.sleep(INTERVAL)  # the promise: after that there is a token
    assert is_let_in(server, "127.0.0.1")


@pytest.mark.parametrize("option, sources", [("--rate-per-source", 1), ("--rate", 50)])
def test_over_seconds_the_burst_and_the_rate_are_let_in(prongd, option, sources):
    """Compared with the time that passes here. A tenth may be missing."""
    burst, rate = 20, 60
    server = prongd(option, f"{rate}/s:{burst}", "echo", listen=["127.0.0.5:0"])
    begin = time.monotonic()
    result = load(server, "-r", "600/s", "-d", "2s", "--sources", f"127.0.1.1/{sources}",
                  check=False)  # fmt: skip
    end = time.monotonic()
    assert failures(result) > 0
    assert result["ok"] <= burst + rate * (end - begin) + 1
    assert result["ok"] >= 0.9 * (burst + rate * result["seconds"])


@contextlib.contextmanager
def flood(server, source):
    """5000 clients a second from this source, beginning with the first refusal."""
    before = len(server.log_lines(event="refused"))
    process = start_load(server, "-r", "5000/s", "-d", "60s", "--sources", source)
    try:
        server.wait_log(event="refused", count=before + 1)
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.communicate()


def p99_of_a_calm_client(server):
    """In microseconds, of a client that comes 20 times a second
    and must not be refused."""
    result = load(server, "-r", "20/s", "-d", "1s", "--sources", "127.0.2.1")
    assert result["ok"] == 20
    return result["whole_us"]["p99"]


def slowdown(server):
    """The factor by which a flood slows the client down, measured in alternating
    rounds; the 99th percentile of 20 times is the slowest."""
    alone, flooded = [], []
    for _ in range(3):
        alone.append(p99_of_a_calm_client(server))
        with flood(server, "127.0.1.1"):
            flooded.append(p99_of_a_calm_client(server))
    return statistics.median(flooded) / statistics.median(alone)


@pytest.mark.skipif(SANITIZED, reason="the sanitizer's time is measured, and is long")
@pytest.mark.alone  # measures the time in which a client is served
def test_a_flood_from_one_source_is_not_felt_by_another(prongd):
    """Tried up to three times, since other programs use the processors too."""
    server = prongd("--rate-per-source", "50/s", "echo", verbose=False, listen=["127.0.0.5:0"])
    assert any(slowdown(server) <= 3 for _ in range(3))
    assert set(refused(server.totals())) == {"refused-rate-per-source"}


def allow_few_descriptors():
    """For preexec_fn: fewer than there may be clients that are refused and stay."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, most))


def test_refused_clients_that_never_leave_keep_nobody_out(prongd):
    """They are read on for a second, unless that takes the last descriptor."""
    options = ["--rate-per-source", "10/1d", "--refusal-text", "later"]
    server = prongd(*options, "echo", verbose=False, listen=["127.0.0.5:0"],
                    preexec_fn=allow_few_descriptors)  # fmt: skip
    for source in addresses("127.0.2.1", 5):
        for _ in range(400):
            connect_from(server, "127.0.1.1")
        assert is_let_in(server, source)
    assert server.log_lines(event="accept-failed") == []
