"""As many clients are served at once as was asked for, whatever the soft limit was."""

import resource
import subprocess

import pytest

from harness import PRONGD, eventually
from proc import read
from sockets import receive_all

FILES = resource.RLIMIT_NOFILE


def limited(soft, hard=None):
    """For preexec_fn: set a soft limit, and a hard one if that is to be low too."""
    most = resource.getrlimit(FILES)[1] if hard is None else hard
    return {"preexec_fn": lambda: resource.setrlimit(FILES, (soft, most))}


def limits(pid):
    """The soft and the hard limit of a process."""
    [line] = [l for l in read(pid, "limits").splitlines() if l.startswith("Max open")]
    return tuple(int(word) for word in line.split()[3:5])


KINDS = [
    ("-n", "150", "--", "cat"),
    ("-n", "150", "--warm", "-s", "3", "--", "cat"),
    ("-n", "150", "--kill-descendants", "--", "cat"),
    ("-n", "150", "-s", "5", "-r", "always", "echo"),
    ("-n", "150", "-s", "140", "echo"),
]  # fmt: skip


@pytest.mark.parametrize("words", KINDS, ids=" ".join)
def test_as_many_are_held_as_asked_for_over_a_low_soft_limit(prongd, words):
    server = prongd(*words, **limited(70))
    held = server.hold(130)
    assert len(held) == 130
    assert not server.log_lines(event="accept-failed")
    assert not server.log_lines(event="fork-failed")
    assert not server.log_lines(event="descriptors-short")


WAYS = [
    (),
    ("--warm", "-s", "2"),
    ("--kill-descendants",),
    ("--resolve",),
]  # fmt: skip
ASK = ("--", "sh", "-c", "ulimit -Sn; ulimit -Hn")


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
def test_a_program_has_the_limits_that_prongd_was_started_with(prongd, words):
    hard = resource.getrlimit(FILES)[1]
    server = prongd("-n", "500", *words, *ASK, **limited(90))
    assert server.ask().split() == [b"90", b"%d" % hard]
    assert limits(server.pid)[0] > 500


def test_a_program_of_another_user_has_them_too(prongd, root):
    server = prongd("--user", "daemon", "-n", "500", *ASK, **limited(90))
    assert server.ask().split()[0] == b"90"


def test_a_limit_that_is_asked_for_outweighs_it(prongd):
    server = prongd("--rlimit", "nofile=33:44", "-n", "500", *ASK, **limited(90))
    assert server.ask().split() == [b"33", b"44"]


def test_a_worker_without_a_sandbox_has_them_too(prongd):
    words = ("--sandbox", "off", "-s", "100", "-n", "120", "echo")
    server = prongd(*words, **limited(60))
    for pid in server.workers():
        eventually(lambda: limits(pid)[0] == 60, "its limit")


def test_a_limit_that_is_high_enough_is_left_alone(prongd):
    server = prongd("-n", "20", "--", "sh", "-c", "ulimit -Sn", **limited(4000))
    assert limits(server.pid)[0] == 4000
    assert server.ask() == b"4000\n"


def test_a_hard_limit_that_is_too_low_is_told_at_the_start(prongd):
    server = prongd("-q", "-n", "700", "--", "cat", verbose=False, **limited(60, 100))
    [line] = server.wait_log(event="descriptors-short")
    assert line["level"] == "error"
    assert (line["limit"], line["max_processes"]) == ("100", "700")
    assert int(line["missing"]) == int(line["needed"]) - 100
    assert int(line["needed"]) > 700
    for word in ("ulimit -Hn", "LimitNOFILE=", "max-processes"):
        assert word in line["why"]
    server.process.terminate()
    server.process.wait()
    server.killed = True


def test_with_what_a_low_hard_limit_allows_all_are_served_in_the_end(prongd):
    server = prongd("-n", "200", "--", "cat", **limited(60, 100))
    clients = [server.connect() for _ in range(120)]
    for number, client in enumerate(clients):
        client.sendall(b"%d" % number)
    for number, client in enumerate(clients):
        client.shutdown(1)
        assert receive_all(client) == b"%d" % number


def test_spares_that_the_hard_limit_has_no_room_for_are_an_error():
    result = subprocess.run(
        [PRONGD, "-l", "127.0.0.1:0", "-s", "80", "echo"], capture_output=True,
        timeout=10, text=True, **limited(60, 100))  # fmt: skip
    assert result.returncode == 1
    for words in ("80 for the processes that it keeps", "(RLIMIT_NOFILE), 100, is",
                  "by 20", "ulimit -Hn", "LimitNOFILE=", "lower spare"):  # fmt: skip
        assert words in result.stderr
