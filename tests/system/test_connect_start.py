"""prong connect: which addresses it accepts, and how it connects to one."""

import contextlib
import re
import signal
import socket
import subprocess

import pytest

from connecting import connect, serve, two_addresses  # noqa: F401 (fixtures)
from harness import PRONG
from peers import echo
from sockets import bound, bound_pair


def test_a_refused_connection_is_told_in_one_line(connect):
    with bound(socket.AF_INET, ("127.0.0.1", 0)) as refusing:
        port = refusing.getsockname()[1]
        _, errors = connect("127.0.0.1", port).finish(status=1)
    assert errors == f"prong connect: 127.0.0.1:{port}: Connection refused\n"


def test_the_next_address_is_tried_when_one_refuses(serve, connect, two_addresses):
    refusing, answering = bound_pair()
    with refusing:
        server = serve(echo, listener=answering)
        client = connect("-v", "two.test", server.port, under=two_addresses)
        output, errors = client.finish(b"hello")
    assert output == b"hello"
    assert f"[::1]:{server.port}: Connection refused" in errors
    assert f" to 127.0.0.1:{server.port}" in errors


def test_when_all_addresses_fail_one_line_names_each(connect, two_addresses):
    refusing, other = bound_pair()
    with refusing, other:
        port = other.getsockname()[1]
        client = connect("two.test", port, under=two_addresses)
        _, errors = client.finish(status=1)
    refused = "Connection refused"
    names = f"[::1]:{port}: {refused}; 127.0.0.1:{port}: {refused}"
    assert errors == f"prong connect: {names}\n"


def fill_queue(listener, clients):
    """Connect until a connection is not established at once any more."""
    for _ in range(10):
        client = clients.enter_context(socket.socket(listener.family))
        client.settimeout(0.2)
        try:
            client.connect(listener.getsockname())
        except OSError:
            return
    raise AssertionError("the queue is never full")


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_timeout_and_ctrl_c_end_the_waiting_for_a_full_queue(
    connect, tmp_path, family
):
    with contextlib.ExitStack() as clients:
        listener = clients.enter_context(socket.socket(family))
        unix = family == socket.AF_UNIX
        listener.bind(str(tmp_path / "s") if unix else ("127.0.0.1", 0))
        listener.listen(0)
        fill_queue(listener, clients)
        name = listener.getsockname()
        address = f"unix:{name}" if unix else f"127.0.0.1:{name[1]}"
        _, errors = connect("-t", "100ms", address).finish(status=1)
        assert errors == f"prong connect: {address}: Connection timed out\n"
        client = connect("-v", address)
        while b"trying" not in client.stderr.readline():
            pass
        client.send_signal(signal.SIGINT)
        _, errors = client.finish(status=1)
        assert errors == f"prong connect: {address}: interrupted by SIGINT\n"


def test_an_unknown_host_is_a_failure_and_no_bad_usage(connect):
    _, errors = connect("x" * 64, "7").finish(status=1)  # too long a label to look up
    assert errors.startswith("prong connect: cannot find the host ")
    assert errors.count("\n") == 1


LONG_PATH = "unix:/tmp/" + "x" * 103  # 108 bytes, one more than a UNIX socket's

BAD_USAGE = [
    # words of the command line; what the message says
    ([], "no server is given"),
    (["127.0.0.1"], "the port is missing"),
    (["127.0.0.1", "99999"], 'port "99999" is not a number'),
    (["127.0.0.1:99999"], 'port "99999" is not a number'),
    (["127.0.0.1", "0"], "port 0 is for listening"),
    (["[::1]:0"], "port 0 is for listening"),
    (["127.0.0.1:"], 'port "" is not a number'),
    (["localhost", "no-service"], 'port "no-service" is not a number .*, and no TCP'),
    (["localhost:no-service"], 'port "no-service" is not a number .*, and no TCP'),
    (["[::1]", "-1"], 'port "-1" is not a number .*, and no TCP'),
    (["-4", "-6", "localhost", "7"], "-4 and -6 cannot be combined"),
    (["-4", "--source", "::1", "localhost", "7"], "an IPv6 address, but -4 is given"),
    (["-6", "--source", "127.0.0.1", "::1", "7"], "an IPv4 address, but -6 is given"),
    (["-4", "unix:/x"], "-4 is for TCP"),
    (["--source", "::1", "unix:/x"], "--source is for TCP"),
    (["--source", "localhost", "::1", "7"], '"localhost" is not an IP address'),
    (["--source", "127.0.0.1:7", "::1", "7"], '"127.0.0.1:7" is not an IP address'),
    (["--source", "127.1", "::1", "7"], '"127.1" is not an IP address'),
    (["", "7"], "the host is missing"),
    ([":7"], "the host is missing"),
    (["no host", "7"], "neither an address nor a host name"),
    (["no host:7"], "neither an address nor a host name"),
    (["::1:7"], r"IPv6 address is written \[address\]:port"),
    (["[::1]"], r"IPv6 address is written \[address\]:port"),
    (["unix:"], "a path is missing"),
    ([LONG_PATH], "108 bytes.* 107 at most"),
    (["127.0.0.1", "7", "8"], 'unexpected "8"'),
    (["127.0.0.1", "7", "-v"], 'unexpected "-v"'),
    (["--nonsense", "127.0.0.1", "7"], "unknown .*option --nonsense"),
    (["-Z", "127.0.0.1", "7"], "unknown option -Z"),
    (["-t", "5", "127.0.0.1", "7"], '-t: "5" is not a duration'),
    (["-t", "-1s", "127.0.0.1", "7"], '"-1s" is not a duration'),
    (["--timeout"], "--timeout needs an argument"),
    (["--idle-timeout", "1", "::1", "7"], '--idle-timeout: "1" is not a duration'),
]


@pytest.mark.parametrize("words, message", BAD_USAGE)
def test_bad_usage_is_explained_with_status_2(connect, words, message):
    output, errors = connect(*words).finish(status=2)
    assert output == b""
    assert errors.startswith("prong connect: ")
    assert re.search(message, errors), errors


def tool(*words, **options):
    return subprocess.run([PRONG, *words], capture_output=True, timeout=20, **options)


@pytest.mark.parametrize("words, message", [
    ([], "no command is given"),
    (["nonsense"], 'unknown command "nonsense"'),
    (["help", "nonsense"], 'unknown command "nonsense"'),
    (["help", "connect", "more"], 'unexpected "more"'),
    (["-Z"], "unknown option -Z"),
])  # fmt: skip
def test_a_command_that_is_none_is_explained_with_status_2(words, message):
    result = tool(*words)
    assert (result.returncode, result.stdout) == (2, b"")
    assert message in result.stderr.decode()


def test_help_tells_the_commands_and_their_options():
    general, connect = tool("--help"), tool("connect", "--help")
    for result in (general, connect):
        assert (result.returncode, result.stderr) == (0, b"")
        assert all(len(line) < 80 for line in result.stdout.splitlines())
    assert re.search(rb"^  connect  ", general.stdout, re.MULTILINE)
    for name in (b"--timeout", b"--verbose", b"--version", b"--help"):
        assert name in connect.stdout
    assert tool("help").stdout == tool("-h").stdout == general.stdout
    assert tool("help", "connect").stdout == connect.stdout


def test_version_is_one_line():
    for words in (["-V"], ["--version"], ["connect", "-V"]):
        result = tool(*words)
        assert result.returncode == 0
        assert re.fullmatch(rb"prong \d+\.\d+\.\d+\n", result.stdout)


def test_a_text_that_cannot_be_written_is_an_error():
    for words in (["--help"], ["connect", "--help"]):
        with open("/dev/full", "w") as full:
            result = subprocess.run([PRONG, *words], stdout=full, stderr=-1)
        assert result.returncode == 1
        assert b"cannot write" in result.stderr
