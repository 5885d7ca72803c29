"""What a client is sent first, and how a client that vanished is detected."""

import socket
import struct
import subprocess

import pytest

from harness import PRONGD, environment
from sockets import exchange, receive_exactly
from sources import connect_from

BANNER = "220 here\\r\\n\\t\\\\ %s\\n"
SENT = b"220 here\r\n\t\\ %s\n"
MODELS = [("-s", "0", "echo"), ("-s", "2", "echo"), ("-s", "2", "-r", "always", "echo"),
          ("--", "cat"), ("--warm", "-s", "2", "--", "cat"),
          ("--kill-descendants", "--", "cat")]  # fmt: skip

each_model = pytest.mark.parametrize("serve", MODELS, ids=" ".join)


@each_model
@pytest.mark.parametrize("listen", ["127.0.0.1:0", "unix:{}/socket"])
def test_a_banner_comes_before_anything_else(prongd, tmp_path, serve, listen):
    server = prongd("--banner", BANNER, *serve, listen=[listen.format(tmp_path)])
    for _ in range(5):
        assert server.ask(b"and then") == SENT + b"and then"


def test_a_banner_does_not_wait_for_the_program(prongd):
    server = prongd("--banner", "hello", "--grace", "0", "--stderr", "null", "--",
                    "sleep", "100")  # fmt: skip
    with server.connect() as client:
        assert receive_exactly(client, 5) == b"hello"


def test_a_refused_client_gets_its_text_and_no_banner(prongd):
    words = ["--banner", "welcome", "--deny", "127.0.0.9", "--refusal-text", "no"]
    server = prongd(*words, "echo")
    with connect_from(server, "127.0.0.9") as client:
        assert exchange(client, b"") == b"no"
    assert server.ask(b"") == b"welcome"


def test_a_client_that_has_gone_before_its_banner_harms_no_other(prongd):
    server = prongd("--banner", "x" * 4000, "--stderr", "null", "--", "cat")
    for _ in range(50):
        with server.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert server.ask(b"y") == b"x" * 4000 + b"y"


# TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT and TCP_USER_TIMEOUT, as a program sees them.
READ_OPTIONS = ["/usr/bin/python3", "-c", """
import socket
connection = socket.socket(fileno=0)
print(connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
for name in 4, 5, 6, 18:
    print(connection.getsockopt(socket.IPPROTO_TCP, name))
"""]  # fmt: skip


@pytest.mark.parametrize(("words", "found"), [
    (("--keepalive", "5m:30s:4"), [1, 300, 30, 4, 0]),
    (("--user-timeout", "1500ms"), [1, None, None, None, 1500]),
    (("--keepalive", "off"), [0, None, None, None, 0]),
    (("--keepalive", "off", "--keepalive", "1s:9h:127", "--user-timeout", "1m"),
     [1, 1, 32400, 127, 60000]),
])  # fmt: skip
def test_the_times_of_keepalive_are_those_of_each_connection(prongd, words, found):
    server = prongd(*words, "--", *READ_OPTIONS, listen=["127.0.0.1:0", "127.0.0.2:0"])
    for index in 0, 1:
        values = [int(value) for value in server.ask(b"", index).split()]
        assert len(values) == 5
        for value, wanted in zip(values, found):
            assert wanted in (value, None)


@pytest.mark.parametrize(("words", "said"), [
    (["--banner", "a\\x"], "a backslash must be followed by r"),
    (["--banner", "a\\"], "a backslash must be followed by r"),
    (["--banner", "x" * 4097], "banner is over 4096 bytes"),
    (["--keepalive", "on"], 'neither "off" nor IDLE'),
    (["--keepalive", "5m"], 'neither "off" nor IDLE'),
    (["--keepalive", "5m:30s"], 'neither "off" nor IDLE'),
    (["--keepalive", "0:30s:4"], 'neither "off" nor IDLE'),
    (["--keepalive", "1500ms:30s:4"], 'neither "off" nor IDLE'),
    (["--keepalive", "5m:30s:128"], 'neither "off" nor IDLE'),
    (["--keepalive", "10h:30s:4"], 'neither "off" nor IDLE'),
    (["--user-timeout", "25d"], "user-timeout is negative or over 24 days"),
    (["-l", "unix:@prong-test-banner", "--keepalive", "5m:30s:4"], "has no effect on UNIX sockets"),
    (["-l", "unix:@prong-test-banner", "--user-timeout", "1s"], "has no effect on UNIX sockets"),
])  # fmt: skip
def test_what_cannot_be_done_is_refused(words, said):
    result = subprocess.run([PRONGD, *words, "echo"], capture_output=True, timeout=20,
                            stdin=subprocess.DEVNULL, env=environment())  # fmt: skip
    assert (result.returncode, result.stdout) == (2, b"")
    assert said in result.stderr.decode()
