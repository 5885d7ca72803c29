"""However connections end or are refused, and however many, all counts return to 0.

A sanitized build does a tenth of them.
"""

import contextlib
import random
import time
from concurrent.futures import ThreadPoolExecutor

from harness import eventually, failures, finish_load, start_load
from logline import reasons
from sockets import receive_all, reset
from sources import addresses, connect_from, expect_nobody, is_let_in

SOURCES = list(addresses("127.0.1.1", 100))
ALL = f"{SOURCES[0]}/{len(SOURCES)}"
DENIED = "127.0.2.1"

# In milliseconds, where prongd has units: see tests/programs/handlers.c.
LIMITS = ["-n", 64, "--at-limit", "refuse", "--max-per-source", 4,
          "--deny", f"{DENIED}/32", "--rate-per-source", "100/1000:30",
          "--session-timeout", 300]  # fmt: skip

CLIENTS = (
    # how many of a thousand; what the client sends; what it does then
    (500, b"?", receive_all),
    (100, b"e", receive_all),  # exits
    (100, b"f", receive_all),  # fails
    (100, b"k", receive_all),  # is killed
    (90, b"r", reset),
    (50, b"", reset),
    (50, b"", None),  # closes
    (5, b"n", "stay"),  # never returns: killed at its timeout
    (5, b"", "stay"),
)

ENDS = {"eof", "done", "reset", "deadline", "failed", "crash-exit", "crash-signal",
        "refused-denied", "refused-rate-per-source", "refused-rate", "refused-max-per-source",
        "refused-full"}  # fmt: skip


def plan(count):
    """For each client its source, what it sends, and what it does then."""
    chance = random.Random(8)
    weights = [weight for weight, _, _ in CLIENTS]
    for _, order, act in chance.choices(CLIENTS, weights, k=count):
        source = SOURCES[int(chance.random() ** 2 * len(SOURCES))]
        if act == "stay":
            source = SOURCES[-1 - chance.randrange(20)]
        yield chance.choices((source, DENIED), (20, 1))[0], order, act


def come(server, source, order, act):
    client = connect_from(server, source)
    if act == "stay":
        client.send(order)
        return
    with client, contextlib.suppress(ConnectionError):
        client.send(order)
        if act is not None:
            act(client)


def crowd(server, count, source):
    return start_load(server, "--churn", "-n", count, "-c", 32, "--sources", source)


def size(crowd):
    """Wait for the end of a crowd; return how many came, however they fared."""
    result = finish_load(crowd)
    return result["ok"] + failures(result)


def overrun_rate(server, source, reason):
    """Crowds from this source until one was too fast. Returns how many clients came."""
    came = []

    def refused():
        came.append(size(crowd(server, 2000, source)))
        return server.log_lines(event="refused", reason=reason)

    eventually(refused, reason)
    return sum(came)


def overrun_each_limit(server):
    """What the mixture exceeds is chance; this exceeds each limit.
    Returns how many came."""
    for source in SOURCES:
        come(server, source, b"n", "stay")
    server.wait_log(event="refused", reason="refused-full")
    expect_nobody(server)
    for _ in range(5):
        come(server, SOURCES[0], b"n", "stay")
    server.wait_log(event="refused", reason="refused-max-per-source")
    came = overrun_rate(server, SOURCES[1], "refused-rate-per-source")
    came += overrun_rate(server, ALL, "refused-rate")
    return len(SOURCES) + 5 + came


def come_mixed(server, count):
    """As planned, together with two crowds that want to be echoed.
    Returns how many came."""
    crowds = [crowd(server, count // 3, source) for source in (SOURCES[0], ALL)]
    with ThreadPoolExecutor(16) as pool:
        came = list(pool.map(lambda client: come(server, *client), plan(count)))
    return len(came) + sum(map(size, crowds))


def test_no_end_and_no_refusal_leaves_a_count_behind(handlers, scale):
    most = ["--rate", f"{int(2000 * scale)}/1000:300"]
    server = handlers(*LIMITS, *most, "obeys", listen=["127.0.0.5:0"], verbose=False)
    came = overrun_each_limit(server)
    came += come_mixed(server, int(30_000 * scale))
    totals = expect_nobody(server)
    assert int(totals["accepted"]) == sum(reasons(totals).values()) == came
    assert set(reasons(totals)) == ENDS
    server.close_clients()
    server.expect_workers(server.spares())
    time.sleep(1)  # the promise: the rates have recovered
    for source in SOURCES:
        assert is_let_in(server, source), source
    assert not is_let_in(server, DENIED)
