"""The five services do what their RFCs say, on every kind of address."""

import os
import shutil
import socket
import subprocess
import threading
import time
from datetime import datetime

import pytest

from harness import PRONGD, eventually
from sockets import echoes, exchange, receive_all, receive_exactly

FROM_1900_TO_1970 = 2208988800  # RFC 868

needs_ipv6 = pytest.mark.skipif(
    not os.path.exists("/proc/net/if_inet6"), reason="no IPv6 here")  # fmt: skip


def test_echo_sends_back_what_it_receives(prongd):
    server = prongd("echo")
    with server.connect() as client:
        assert echoes(client, b"first\n")
        assert echoes(client, bytes(range(256)))
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["bytes_in"], closed["bytes_out"]) == ("eof", "262", "262")


def test_echo_sends_back_megabytes_unchanged(prongd):
    data = os.urandom(16 << 20)
    assert prongd("echo").ask(data) == data


def test_discard_says_nothing(prongd):
    server = prongd("discard")
    assert server.ask(b"x" * 1_000_000) == b""
    [closed] = server.wait_log(event="close")
    assert (closed["reason"], closed["bytes_in"], closed["bytes_out"]) == ("eof", "1000000", "0")


def chargen_line(number):
    """RFC 864: 72 of the 95 printing characters, each line starting one further."""
    characters = [chr(ord(" ") + (number + column) % 95) for column in range(72)]
    return "".join(characters).encode() + b"\r\n"


def test_chargen_sends_the_pattern_of_rfc_864(prongd):
    server = prongd("chargen")
    expected = b"".join(chargen_line(number) for number in range(300))
    with server.connect() as client:
        assert receive_exactly(client, len(expected)) == expected
    assert server.wait_log(event="close")[0]["reason"] == "reset"


def test_daytime_sends_one_line_with_the_time(prongd):
    text = prongd("daytime").ask().decode("ascii")
    assert text.endswith("-UTC\r\n")
    told = datetime.strptime(text, "%A, %B %d, %Y %H:%M:%S-%Z\r\n")
    assert abs((datetime.utcnow() - told).total_seconds()) < 5


def test_time_sends_the_seconds_since_1900(prongd):
    reply = prongd("time").ask()
    assert len(reply) == 4
    assert abs(int.from_bytes(reply, "big") - FROM_1900_TO_1970 - time.time()) < 5


@needs_ipv6
def test_ipv6_clients_are_served(prongd):
    server = prongd("echo", listen=["[::1]:0"])
    assert server.ask(b"six") == b"six"
    assert server.wait_log(event="connect")[0]["peer"].startswith("[::1]:")


@needs_ipv6
def test_a_port_alone_serves_both_families_and_logs_ipv4_as_ipv4(prongd):
    server = prongd("echo", listen=[":0"])
    port = server.addresses[0][1][1]
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as client:
            client.settimeout(10)
            client.connect((host, port))
            assert exchange(client, host.encode()) == host.encode()
    four, six = server.wait_log(event="connect", count=2)
    assert four["peer"].startswith("127.0.0.1:")
    assert six["peer"].startswith("[::1]:")


def test_several_addresses_are_served_at_once(prongd, tmp_path):
    listen = ["127.0.0.1:0", "127.0.0.2:0", f"unix:{tmp_path}/socket", "localhost:0"]
    server = prongd("echo", listen=listen)
    assert server.texts[0].startswith("127.0.0.1:")
    assert server.texts[1].startswith("127.0.0.2:")
    assert server.texts[2] == listen[2]
    logged = [line["address"] for line in server.log_lines(event="listen")]
    assert logged[: len(server.texts)] == server.texts
    for index in range(len(server.texts)):
        assert server.ask(b"hello", index) == b"hello"


def test_a_unix_socket_is_served_and_removed_at_the_end(prongd, tmp_path):
    path = tmp_path / "socket"
    server = prongd("echo", listen=[f"unix:{path}"])
    data = os.urandom(1 << 20)
    assert server.ask(data) == data
    assert path.is_socket()
    server.stop()
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced(prongd, tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.is_socket()
    assert prongd("echo", listen=[f"unix:{path}"]).ask(b"new") == b"new"


def test_a_unix_socket_that_another_server_took_over_is_not_removed(prongd, tmp_path):
    path = tmp_path / "socket"
    first = prongd("echo", listen=[f"unix:{path}"])
    path.unlink()
    second = prongd("echo", listen=[f"unix:{path}"])
    first.stop()
    assert path.is_socket()
    assert second.ask(b"still here") == b"still here"


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_of_two_servers_starting_on_one_path_one_gets_it(prongd, tmp_path):
    """The first one is delayed between bind(2) and listen(2), when it looks stale."""
    address = f"unix:{tmp_path}/socket"
    slow = ["strace", "-D", "-qq", "-o", "/dev/null",
            "-e", "inject=listen:delay_enter=600000"]  # fmt: skip
    second = []

    def start_second():
        eventually(lambda: os.path.exists(f"{tmp_path}/socket"), "bound")
        words = [PRONGD, "-l", address, "echo"]
        second.append(subprocess.run(words, capture_output=True, text=True, timeout=10))

    thread = threading.Thread(target=start_second)
    thread.start()
    first = prongd("echo", listen=[address], under=slow)
    thread.join()
    assert second[0].returncode == 1
    assert "another server listens on this address already" in second[0].stderr
    assert first.ask(b"mine") == b"mine"
