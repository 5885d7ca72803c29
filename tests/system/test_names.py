"""--resolve accepts a name only if the name's addresses confirm it.

Our own resolver answers whatever a test wants, as the owner of an address can.
"""

import ipaddress
import os
import socket
import struct
import threading

import pytest

from harness import PATIENCE
from sockets import receive_all

A, PTR, AAAA = 1, 12, 28
RESOLVER = (f"127.53.{os.getpid() >> 8 & 255}.{os.getpid() & 255}", 53)
NO_SUCH_NAME = 3
UNDER = """mount --bind "$0/resolv.conf" /etc/resolv.conf
mount --bind "$0/hosts" /etc/hosts
exec "$@"
"""

pytestmark = pytest.mark.usefixtures("root")


def encode(name):
    labels = name.encode().split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def decode(message):
    """The name and the type of a question, and the offset of its
    end; RFC 1035, 4.1.2."""
    labels, at = [], 12
    while message[at] != 0:
        labels.append(message[at + 1 : at + 1 + message[at]].decode().lower())
        at += 1 + message[at]
    return ".".join(labels), int.from_bytes(message[at + 1 : at + 3], "big"), at + 5


class Resolver:
    """Answers with names[address] and addresses[name]; everything else is unknown."""

    def __init__(self):
        self.names, self.addresses, self.asked = {}, {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(RESOLVER)
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _find(self, name, kind):
        if kind == PTR:
            pointers = {ipaddress.ip_address(address).reverse_pointer: host
                        for address, host in self.names.items()}  # fmt: skip
            return [encode(pointers[name])] if name in pointers else []
        family = {A: socket.AF_INET, AAAA: socket.AF_INET6}.get(kind)
        return [socket.inet_pton(family, address)
                for address in self.addresses.get(name, ())
                if (":" in address) == (kind == AAAA)]  # fmt: skip

    def _serve(self):
        while len(message := self.socket.recvfrom(4096)[0:2]) and message[0]:
            question, client = message
            name, kind, end = decode(question)
            self.asked.append(name)
            found = self._find(name, kind)
            flags = 0x8180 | (0 if found else NO_SUCH_NAME)
            header = question[:2] + struct.pack("!5H", flags, 1, len(found), 0, 0)
            answers = b"".join(struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
                               for data in found)  # fmt: skip
            self.socket.sendto(header + question[12:end] + answers, client)

    def close(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", RESOLVER)
        self.thread.join()
        self.socket.close()


@pytest.fixture
def resolver():
    try:
        resolver = Resolver()
    except OSError as error:
        pytest.skip(f"no resolver at {RESOLVER}: {error}")
    yield resolver
    resolver.close()


@pytest.fixture
def told(prongd, resolver, tmp_path):
    """told(source) returns the environment of a program whose
    client has that address."""
    servers = {}

    def start(host):
        (tmp_path / "resolv.conf").write_text(
            f"nameserver {RESOLVER[0]}\nsearch inside.example\noptions timeout:1\n")  # fmt: skip
        (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
        under = ["unshare", "--mount", "sh", "-ec", UNDER, tmp_path]
        return prongd("--resolve", "--", "env", "-0", under=under, listen=[host])

    def tell(source):
        host = "[::1]:0" if ":" in source else "127.0.0.1:0"
        if host not in servers:
            servers[host] = start(host)
        with servers[host].socket() as client:
            client.settimeout(2 * PATIENCE)
            client.bind((source, 0))
            client.connect(servers[host].addresses[0][1])
            text = receive_all(client).decode()
        return dict(line.split("=", 1) for line in text.split("\0")[:-1])

    return tell


def expect_name(environment, name):
    assert environment.get("TCPREMOTEHOST") == environment["REMOTE_HOST"] == name


def expect_no_name(environment, source):
    assert "TCPREMOTEHOST" not in environment
    assert environment["REMOTE_HOST"] == environment["REMOTE_ADDR"] == source


@pytest.mark.parametrize("source, others", [
    ("127.0.0.9", []),
    ("127.0.0.9", ["192.0.2.1", "127.0.0.8"]),
    ("::1", []),
    ("::1", ["127.0.0.9", "2001:db8::1"]),
])  # fmt: skip
def test_a_name_with_that_address_is_the_clients(told, resolver, source, others):
    resolver.names[source] = "client.example"
    resolver.addresses["client.example"] = [*others, source]
    expect_name(told(source), "client.example")


@pytest.mark.parametrize("addresses", [[], ["127.0.0.10"], ["192.0.2.1", "::1"]])
def test_a_name_with_other_addresses_is_not_the_clients(told, resolver, addresses):
    resolver.names["127.0.0.9"] = "trusted.example"
    resolver.addresses["trusted.example"] = addresses
    expect_no_name(told("127.0.0.9"), "127.0.0.9")
    assert "trusted.example" in resolver.asked


@pytest.mark.parametrize("name", ["10.0.0.1", "127.0.0.9", "0x7f000001", "2130706433",
                                  "unknown", "PARANOID", "-rf", "host.-example"])  # fmt: skip
def test_an_address_or_a_reserved_word_is_no_name(told, resolver, name):
    """This holds even if the name is confirmed."""
    resolver.names["127.0.0.9"] = name
    resolver.addresses[name.lower()] = ["127.0.0.9"]
    expect_no_name(told("127.0.0.9"), "127.0.0.9")


def test_localhost_is_a_name_of_loopback_addresses(told):
    expect_name(told("127.0.0.1"), "localhost")


def test_no_search_domain_makes_a_name_true(told, resolver):
    resolver.names["127.0.0.9"] = "printer"
    resolver.addresses["printer.inside.example"] = ["127.0.0.9"]
    expect_no_name(told("127.0.0.9"), "127.0.0.9")
    assert "printer" in resolver.asked


def test_the_servers_own_name_is_confirmed_too(told, resolver):
    """The client has the address of the server here."""
    resolver.names["::1"] = "server.example"
    assert "TCPLOCALHOST" not in told("::1")
    resolver.addresses["server.example"] = ["::1"]
    assert told("::1")["TCPLOCALHOST"] == "server.example"
