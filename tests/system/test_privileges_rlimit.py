"""--rlimit: each process that serves has these limits, and the supervisor does not."""

import re
import resource

import pytest

from proc import read
from privileges import begun

K, M, G = 1024, 1024**2, 1024**3
NONE = resource.RLIM_INFINITY

LIMITS = [
    # as it is written; its name in /proc/PID/limits; soft and hard. The memory limits
    # are high, since a sanitizer maps much.
    ("as=100000G:200000G", "Max address space", 100000 * G, 200000 * G),
    ("core=0", "Max core file size", 0, 0),
    ("cpu=50:60", "Max cpu time", 50, 60),
    ("data=100000G", "Max data size", 100000 * G, 100000 * G),
    ("fsize=1M:unlimited", "Max file size", M, NONE),
    ("locks=7:unlimited", "Max file locks", 7, NONE),
    ("memlock=16K", "Max locked memory", 16 * K, 16 * K),
    ("msgqueue=1K:2K", "Max msgqueue size", K, 2 * K),
    ("nice=0", "Max nice priority", 0, 0),
    ("nofile=64:128", "Max open files", 64, 128),
    ("nproc=300:400", "Max processes", 300, 400),
    ("rss=unlimited", "Max resident set", NONE, NONE),
    ("rtprio=0", "Max realtime priority", 0, 0),
    ("rttime=1000000", "Max realtime timeout", 1000000, 1000000),
    ("sigpending=5:10", "Max pending signals", 5, 10),
    ("stack=4M:64M", "Max stack size", 4 * M, 64 * M),
]
WORDS = [word for text, *_ in LIMITS for word in ("--rlimit", text)]
PROGRAMS = [(), ("--warm", "-s", "2"), ("--kill-descendants",), ("--resolve",)]
SERVICES = [("-s", "0"), ("-s", "1", "-r", "always"), ("-s", "1", "--sandbox", "off")]
EXPECTED = {name: (soft, hard) for _, name, soft, hard in LIMITS}


def parse(text):
    """/proc/PID/limits as {name: (soft, hard)}."""
    rows = [re.split(r"\s{2,}", line) for line in text.splitlines()[1:]]
    value = {"unlimited": NONE}
    return {row[0]: tuple(value[word] if word in value else int(word)
                          for word in row[1:3]) for row in rows}  # fmt: skip


def hard_limits_allow():
    """Whether nothing above exceeds our own hard limits."""
    own = parse(read("self", "limits"))
    return all(own[name][1] in (NONE, -1) or hard != NONE and hard <= own[name][1]
               for name, (_, hard) in EXPECTED.items())  # fmt: skip


needs_room = pytest.mark.skipif(not hard_limits_allow(), reason="our limits are lower")


@needs_room
@pytest.mark.parametrize("options", PROGRAMS, ids=" ".join)
def test_each_limit_arrives_at_a_program_soft_and_hard(prongd, options):
    server = prongd(*WORDS, *options, "--", "cat", "/proc/self/limits")
    assert parse(server.ask().decode()) == EXPECTED


@needs_room
@pytest.mark.parametrize("options", SERVICES, ids=" ".join)
def test_each_limit_arrives_at_a_worker_soft_and_hard(prongd, options):
    server = prongd(*WORDS, *options, "echo")
    server.hold()
    for pid in server.workers():
        begun(pid)
        assert parse(read(pid, "limits")) == EXPECTED


@needs_room
@pytest.mark.parametrize("drop", ["child", "supervisor"])
def test_limits_arrive_together_with_a_user(prongd, root, drop):
    words = (*WORDS, "--user", "daemon", "--drop-privileges", drop)
    server = prongd(*words, "--", "cat", "/proc/self/limits")
    assert parse(server.ask().decode()) == EXPECTED


@needs_room
def test_the_supervisor_keeps_its_own_limits(prongd):
    without = prongd("echo")
    server = prongd(*WORDS, "echo")
    assert parse(read(server.pid, "limits")) == parse(read(without.pid, "limits"))


def test_of_one_resource_the_last_limit_counts(prongd):
    words = ["--rlimit", "nofile=99:100", "--rlimit", "nofile=50"]
    server = prongd(*words, "--", "cat", "/proc/self/limits")
    assert parse(server.ask().decode())["Max open files"] == (50, 50)


def test_a_limit_that_is_not_given_stays_as_it_is(prongd):
    words = ["--rlimit", "core=0", "--", "cat", "/proc/self/limits"]
    expected = parse(read("self", "limits")) | {"Max core file size": (0, 0)}
    found = parse(prongd(*words).ask().decode())
    assert found == expected


@pytest.mark.parametrize("spare", [0, 1])
def test_a_limit_that_leaves_no_descriptor_for_the_connection_is_told(prongd, spare):
    """A spare must receive the descriptor; without spares it is
    inherited, and nofile=0 works."""
    server = prongd("-s", spare, "--rlimit", "nofile=0", "echo")
    if spare == 0:
        assert server.ask(b"served") == b"served"
        return
    server.refused()
    [line] = server.wait_log(event="privileges-failed")
    assert (line["call"], line["error"]) == ("recvmsg", "EMFILE")
    assert server.totals()["refused-privileges"] == "1"
