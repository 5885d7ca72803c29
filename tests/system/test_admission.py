"""Admission: each check refuses the right clients, and the first
one gives the reason."""

import contextlib
import os
import signal
import socket
import tempfile
import time

import pytest

from harness import eventually
from sockets import receive_all, reset
from sources import (
    FOREVER, connect_from, hold_from, is_let_in, is_served, refusals,
    refused,
)  # fmt: skip

ACCESS = [
    # the options; which client is admitted; which one is denied
    ("--deny 127.0.0.2", "127.0.0.1 127.0.0.3", "127.0.0.2"),
    ("--deny 127.0.0.0/8 --allow 127.0.0.2", "127.0.0.2", "127.0.0.1 127.9.0.2"),
    ("--allow 127.0.0.0/8 --deny 127.0.0.2", "127.0.0.1 127.9.0.2", "127.0.0.2"),
    ("--deny 127.0.0.0/16 --allow 127.0.1.0/24 --deny 127.0.1.8/29",
     "127.0.1.7 127.0.1.16 127.1.0.1", "127.0.0.1 127.0.2.1 127.0.1.8 127.0.1.15"),
    ("--deny 127.0.1.8/29 --allow 127.0.1.0/24 --deny 127.0.0.0/16",
     "127.0.1.7 127.0.1.16 127.1.0.1", "127.0.0.1 127.0.2.1 127.0.1.8 127.0.1.15"),
    ("--deny all", "", "127.0.0.1 127.0.0.2"),
    ("--deny all --allow 127.0.0.2", "127.0.0.2", "127.0.0.1"),
    ("--allow all --deny 127.0.0.2", "127.0.0.1", "127.0.0.2"),
    ("--allow all --deny 0.0.0.0/0 --allow 127.0.0.0/31", "127.0.0.1", "127.0.0.2"),
    ("--allow 127.0.0.2", "127.0.0.2", "127.0.0.1 127.0.0.3"),
    ("--allow ::ffff:127.0.0.2", "127.0.0.2", "127.0.0.1"),
    ("--allow ::/0", "", "127.0.0.1"),
    ("--allow 10.0.0.0/8 --allow 127.0.0.4/30", "127.0.0.7", "127.0.0.3 127.0.0.8"),
    ("--deny ::/0 --deny 10.0.0.0/8", "127.0.0.1", ""),
]  # fmt: skip


@pytest.mark.parametrize("options, let_in, denied", ACCESS)
def test_the_longest_prefix_that_holds_a_client_decides(
    prongd, options, let_in, denied
):
    server = prongd(*options.split(), "echo")
    for source in let_in.split():
        assert is_let_in(server, source), source
    for source in denied.split():
        assert not is_let_in(server, source), source
    if denied:
        assert set(refusals(server, len(denied.split()))) == {"refused-denied"}


def test_ipv6_clients_have_prefixes_of_their_own(prongd):
    for options, welcome in [("--deny ::1", False), ("--allow ::/16", True),
                             ("--deny ::/127 --allow ::1", True),
                             ("--deny 0.0.0.0/0", True), ("--deny all", False),
                             ("--allow 0.0.0.0/0", False)]:  # fmt: skip
        server = prongd(*options.split(), "echo", listen=["[::1]:0"])
        assert is_served(server.connect()) == welcome, options


@contextlib.contextmanager
def over_ipv4(server, source):
    """A client that comes over IPv4 to a listener for both families."""
    with socket.socket() as client:
        client.settimeout(15)
        client.bind((source, 0))
        client.connect(("127.0.0.1", server.addresses[0][1][1]))
        yield client


def test_an_ipv4_client_of_a_listener_for_both_families_counts_as_ipv4(prongd):
    options = ["--deny", "127.0.0.2", "--deny", "::/0", "--max-per-source", 1]
    server = prongd(*options, "echo", listen=[":0"])
    with over_ipv4(server, "127.0.0.2") as client:
        assert not is_served(client)
    with over_ipv4(server, "127.0.0.1") as first:
        assert is_served(first)
        with over_ipv4(server, "127.0.0.3") as other, \
             over_ipv4(server, "127.0.0.1") as second:  # fmt: skip
            assert is_served(other) and not is_served(second)
            assert server.totals()["sources"] == "2"
    assert refusals(server, 2) == ["refused-denied", "refused-max-per-source"]


def test_a_refused_client_meets_the_end_of_its_connection(prongd):
    server = prongd("--deny", "all", "--refusal", "close", "echo")
    assert server.connect().recv(1) == b""


def test_a_refused_client_meets_a_reset_where_that_is_asked_for(prongd):
    server = prongd("--deny", "all", "--refusal", "reset", "echo")
    with pytest.raises(ConnectionResetError):
        server.connect().recv(1)


def test_a_refused_client_is_told_why_whatever_it_has_sent(prongd):
    text = "550 not from there\r\n"
    server = prongd("--deny", "all", "--refusal-text", text, "echo")
    for sent in (b"", b"x" * 20_000):
        with server.connect() as client:
            client.sendall(sent)
            assert receive_all(client) == text.encode()


TOLD_AT_THE_LIMIT = [
    ["--at-limit", "refuse:full"],
    ["--at-limit", "refuse", "--refusal-text", "full"],
]


@pytest.mark.parametrize("options", TOLD_AT_THE_LIMIT)
def test_a_client_refused_at_the_limit_is_told_so_beside_other_limits(prongd, options):
    server = prongd("-n", 1, "--max-per-source", 1, *options, "echo")
    [busy] = server.hold()
    for source in ("127.0.0.1", "127.0.0.2"):
        assert receive_all(connect_from(server, source)) == b"full"
    assert refusals(server, 2) == ["refused-max-per-source", "refused-full"]
    busy.close()
    server.wait_log(event="close", reason="eof")
    assert server.ask(b"room") == b"room"


ONE_AT_ONCE = ["--max-per-source", 1]
FULL = ["-n", 1, "--at-limit", "refuse"]
ORDER = [
    # the options; the second client fails two checks: the one that refuses it
    (["--deny", "127.0.0.2", "--rate-per-source", FOREVER], "refused-denied"),
    (["--deny", "127.0.0.2", "--rate", FOREVER], "refused-denied"),
    (["--deny", "127.0.0.2", *ONE_AT_ONCE], "refused-denied"),
    (["--deny", "127.0.0.2", *FULL], "refused-denied"),
    (["--rate-per-source", FOREVER, "--rate", FOREVER], "refused-rate-per-source"),
    (["--rate-per-source", FOREVER, *ONE_AT_ONCE], "refused-rate-per-source"),
    (["--rate-per-source", FOREVER, *FULL], "refused-rate-per-source"),
    (["--rate", FOREVER, *ONE_AT_ONCE], "refused-rate"),
    (["--rate", FOREVER, *FULL], "refused-rate"),
    ([*ONE_AT_ONCE, *FULL], "refused-max-per-source"),
]


@pytest.mark.parametrize("options, reason", ORDER)
def test_a_client_that_fails_two_checks_is_refused_by_the_first(
    prongd, options, reason
):
    if {"--max-per-source", "--rate-per-source"} & {*options}:
        options = [*options, "--source-prefix", "24:64"]
    server = prongd(*options, "echo")
    hold_from(server, "127.0.0.1")
    assert not is_let_in(server, "127.0.0.2")
    assert refusals(server, 1) == [reason]


def test_a_limit_for_each_source_is_about_connections_at_once(prongd):
    server = prongd("--max-per-source", 2, "echo")
    for number in range(1, 21):
        assert is_let_in(server, "127.0.0.1")
        server.wait_log(event="close", count=number)
    held = [hold_from(server, "127.0.0.1") for _ in range(2)]
    assert not is_let_in(server, "127.0.0.1")
    assert all(is_let_in(server, f"127.0.0.{n}") for n in range(2, 12))
    assert all(is_served(client) for client in held)
    assert refusals(server, 1) == ["refused-max-per-source"]


def end_by_eof(server, client):
    client.close()


def end_by_reset(server, client):
    reset(client)


def end_by_crash(server, client):
    os.kill(int(server.wait_log(event="serve")[0]["pid"]), signal.SIGKILL)


def wait_for_the_deadline(server, client):
    assert receive_all(client) == b""


ENDS = [
    (end_by_eof, [], "eof"),
    (end_by_reset, [], "reset"),
    (end_by_crash, [], "crash-signal"),
    (wait_for_the_deadline, ["--session-timeout", "300ms"], "deadline"),
    (wait_for_the_deadline, ["--idle-timeout", "300ms"], "idle"),
]


@pytest.mark.parametrize("reuse", ["always", 1])
@pytest.mark.parametrize("end, options, reason", ENDS, ids=[e[2] for e in ENDS])
def test_a_connection_counts_until_it_has_ended_in_whatever_way(
    prongd, end, options, reason, reuse
):
    server = prongd("--max-per-source", 1, "-r", reuse, *options, "echo")
    client = hold_from(server, "127.0.0.1")
    if not options:  # otherwise it may be over already
        assert not is_let_in(server, "127.0.0.1")
    end(server, client)
    server.wait_log(event="close", reason=reason)
    assert is_let_in(server, "127.0.0.1")


@pytest.mark.parametrize("prefix, same, others", [
    ("32:64", "127.0.0.1", "127.0.0.0 127.0.0.2 127.0.1.1"),
    ("25:64", "127.0.0.127", "127.0.0.128 127.0.1.1"),
    ("24:64", "127.0.0.2", "127.0.1.1"),
    ("8:64", "127.255.0.9", ""),
    ("1:1", "127.255.0.9", ""),
])  # fmt: skip
def test_a_source_is_as_many_addresses_as_its_prefix_says(
    prongd, prefix, same, others
):
    server = prongd("--source-prefix", prefix, "--max-per-source", 1, "echo")
    hold_from(server, "127.0.0.1")
    assert not is_let_in(server, same)
    for source in others.split():
        hold_from(server, source)
    assert server.totals()["sources"] == str(1 + len(others.split()))


def test_the_default_source_is_one_ipv4_address(prongd):
    server = prongd("--max-per-source", 1, "echo")
    hold_from(server, "127.0.0.1")
    hold_from(server, "127.0.0.2")
    assert not is_let_in(server, "127.0.0.1")


@pytest.mark.parametrize("limit", [ONE_AT_ONCE, ["--rate-per-source", FOREVER],
                                   ["--rate", FOREVER]])  # fmt: skip
def test_exempt_clients_are_not_limited_and_leave_others_their_share(prongd, limit):
    server = prongd(*limit, "--exempt", "127.0.0.8/29", "echo")
    for source in ("127.0.0.8", "127.0.0.15", "127.0.0.8"):
        hold_from(server, source)
    hold_from(server, "127.0.0.7")
    assert not is_let_in(server, "127.0.0.7")
    assert is_let_in(server, "127.0.0.8")


def test_exempt_clients_are_still_denied_and_still_find_the_server_full(prongd):
    server = prongd(*FULL, *ONE_AT_ONCE, "--exempt", "all", "--deny", "127.0.0.2", "echo")
    hold_from(server, "127.0.0.1")
    assert not is_let_in(server, "127.0.0.2")
    assert not is_let_in(server, "127.0.0.1")
    assert refusals(server, 2) == ["refused-denied", "refused-full"]


def test_a_refused_client_uses_up_nothing(prongd):
    """A client refused for one limit does not count for another."""
    options = [*ONE_AT_ONCE, "--rate-per-source", "2/1d", "--rate", "2/1d"]
    server = prongd(*options, "--deny", "127.0.0.2", "echo")
    hold_from(server, "127.0.0.1")
    for _ in range(10):
        assert not is_let_in(server, "127.0.0.1")
        assert not is_let_in(server, "127.0.0.2")
    assert is_let_in(server, "127.0.0.3")
    expected = {"refused-denied": 10, "refused-max-per-source": 10}
    assert refused(server.totals()) == expected


@pytest.fixture
def unix_address():
    """A path where every user may connect, outside tmp_path."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield f"unix:{directory}/socket"


def test_no_prefix_is_about_clients_of_a_unix_socket(prongd, unix_address):
    listen = [unix_address, "127.0.0.1:0"]
    for options in (["--deny", "all"], ["--allow", "10.0.0.0/8"]):
        server = prongd(*options, "echo", listen=listen)
        assert is_served(server.connect(0))
        assert not is_served(server.connect(1))
        server.stop()


@pytest.mark.parametrize("limit, reason", [
    (ONE_AT_ONCE, "refused-max-per-source"),
    (["--rate-per-source", FOREVER], "refused-rate-per-source"),
])  # fmt: skip
def test_a_user_is_the_source_of_clients_of_a_unix_socket(
    prongd, unix_address, limit, reason
):
    listen = [unix_address, "127.0.0.1:0"]
    options = [*limit, "--source-prefix", "1:1", "--exempt", "all"]
    server = prongd(*options, "echo", listen=listen)
    assert is_served(server.connect(0))
    assert not is_served(server.connect(0))
    assert refusals(server, 1) == [reason]
    assert is_served(server.connect(1))


def test_each_user_of_a_unix_socket_is_a_source(prongd, unix_address, root):
    server = prongd(*ONE_AT_ONCE, "echo", listen=[unix_address])
    os.chmod(unix_address.removeprefix("unix:"), 0o666)
    assert is_served(server.connect())
    for user in (65534, 65533):
        os.seteuid(user)
        try:
            clients = [server.connect() for _ in range(2)]
        finally:
            os.seteuid(0)
        assert [is_served(client) for client in clients] == [True, False]
    assert server.totals()["sources"] == "3"


def test_refusals_are_logged_once_a_second_for_each_reason(prongd):
    """The next line says how many refusals were not logged."""
    options = ["--deny", "127.0.0.2", "--max-per-source", 1]
    server = prongd(*options, "echo", verbose=False)
    hold_from(server, "127.0.0.1")
    begin = time.monotonic()

    def logged_twice(source, reason):
        assert not is_let_in(server, source)
        return len(server.log_lines(event="refused", reason=reason)) >= 2

    for source, reason in (("127.0.0.2", "refused-denied"),
                           ("127.0.0.1", "refused-max-per-source")):  # fmt: skip
        eventually(lambda: logged_twice(source, reason), "a second line")
        lines = server.log_lines(event="refused", reason=reason)
        assert len(lines) <= time.monotonic() - begin + 1
        first, second = (int(line["conn"]) for line in lines)
        assert "suppressed" not in lines[0]
        assert int(lines[1]["suppressed"]) == second - first - 1 > 0


def test_a_verbose_log_has_every_refusal(prongd):
    server = prongd("--deny", "all", "echo")
    for _ in range(50):
        assert not is_let_in(server, "127.0.0.1")
    assert refusals(server, 50) == ["refused-denied"] * 50
    assert {line["level"] for line in server.log_lines(event="refused")} == {"warning"}
