"""A worker's memory contains nothing that other clients have sent, and no secret."""

import os
import re

import pytest

from harness import SANITIZED, environment, eventually
from proc import children
from sockets import receive_all
from sources import connect_from

pytestmark = [
    pytest.mark.usefixtures("root"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what a program has freed"),
]

# Bytes that occur nowhere else, so that even a part of them is a proof.
MARKER = b"7e3f-marker-of-another-client-91ab"
PART = MARKER[5:27]


def holds(pid, part):
    """Whether the text is anywhere in the readable memory of the process."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
        areas = [re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line) for line in maps]
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for area in filter(None, areas):
            start, end = (int(number, 16) for number in area.groups())
            try:
                memory.seek(start)
                if part in memory.read(end - start):
                    return True
            except (OSError, ValueError, OverflowError):
                continue  # [vvar], [vsyscall]
    return False


def workers(server):
    return eventually(lambda: children(server.pid), "workers")


def listen_on(family, tmp_path):
    return [f"unix:{tmp_path}/s"] if family == "unix" else ["127.0.0.1:0"]


def test_a_search_finds_what_a_client_has_just_sent(prongd):
    """Otherwise the other tests would prove nothing."""
    server = prongd("-s", 0, "echo")
    client = server.connect()
    client.sendall(MARKER)
    assert client.recv(100) == MARKER
    assert any(holds(pid, PART) for pid in workers(server))


@pytest.mark.parametrize("serve", [("echo",), ("-r", "always", "-s", "1", "echo"),
                                   ("--", "cat")])  # fmt: skip
def test_what_a_refused_client_sent_is_nowhere(prongd, serve):
    server = prongd("-s", 0, "--deny", "127.0.0.9", "--refusal-text", "no", *serve)
    for _ in range(3):
        with connect_from(server, "127.0.0.9") as refused:
            refused.sendall(MARKER * 200)
            assert receive_all(refused) == b"no"
    server.wait_log(event="refused", count=3)
    server.hold(2)
    assert not any(holds(pid, PART) for pid in workers(server))


def test_what_was_refused_at_a_unix_socket_is_in_no_worker(prongd, tmp_path):
    server = prongd("-s", 0, "-n", 1, "--at-limit", "refuse:no", "echo",
                    listen=listen_on("unix", tmp_path))  # fmt: skip
    [first] = server.hold()
    for _ in range(3):
        refused = server.connect()
        refused.sendall(MARKER * 200)
        assert refused.recv(2) == b"no"
        refused.close()
    server.wait_log(event="refused")
    first.close()
    server.wait_log(event="close")
    server.hold()
    assert not any(holds(pid, PART) for pid in workers(server))


@pytest.mark.parametrize("family", ["tcp", "unix"])
@pytest.mark.parametrize("size", [1, 30, 5000])
@pytest.mark.parametrize("service", ["echo", "discard", "daytime", "time"])
def test_what_a_client_of_a_pool_sent_is_gone_with_it(prongd, tmp_path, service, size,
                                                      family):  # fmt: skip
    """daytime and time read nothing; their input is left over at the end."""
    server = prongd("-r", "always", "-s", 1, "-n", 1, service,
                    listen=listen_on(family, tmp_path))  # fmt: skip
    for _ in range(2):
        server.ask(MARKER * size)
    server.wait_log(event="close", count=2)
    assert not any(holds(pid, PART) for pid in workers(server))


@pytest.mark.parametrize("size", [30, 5000])
def test_what_a_client_that_resets_has_sent_is_gone_with_it(prongd, size):
    server = prongd("-r", "always", "-s", 1, "-n", 1, "echo")
    client = server.connect()
    client.sendall(MARKER * size)
    assert client.recv(100)
    client.close()  # the rest is unread: a reset
    server.wait_log(event="close")
    assert not any(holds(pid, PART) for pid in workers(server))


@pytest.mark.parametrize("serve", [("echo",), ("-r", "always", "-s", "2", "echo"),
                                   ("-r", "always", "-s", "2", "--accept", "workers", "echo"),
                                   ("--sandbox", "off", "daytime"), ("--", "cat"),
                                   ("--resolve", "--", "cat")])  # fmt: skip
def test_the_environment_of_prongd_is_in_no_process_of_it(prongd, serve):
    server = prongd(*serve, env=environment(SECRET="s-" + MARKER.decode(), LAST="x"))
    server.connect()
    assert not any(holds(pid, PART) for pid in [server.pid, *workers(server)])


def test_what_programs_are_to_have_of_it_stays(prongd):
    server = prongd("--env", "GIVEN", "--env", "OTHER=1", "--", "env",
                    env=environment(SECRET=MARKER.decode(), GIVEN="given", OTHER="2"))  # fmt: skip
    lines = server.ask().decode().split("\n")
    assert {"GIVEN=given", "OTHER=1", "PATH=" + os.environ["PATH"]} <= set(lines)
    assert not [line for line in lines if "SECRET" in line]


def test_the_time_zone_stays(prongd):
    server = prongd("--sandbox", "off", "daytime", env=environment(TZ="XYZ-3"))
    assert server.ask().strip().endswith(b"-XYZ")
