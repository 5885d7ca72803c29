"""prong connect: which of a name's addresses it uses, which source, which port."""

import contextlib
import re
import socket

import pytest

from connecting import (  # noqa: F401 (fixtures)
    connect, greet_and_collect, serve, two_addresses, with_file)  # fmt: skip
from peers import echo
from sockets import bound, bound_pair, receive_all

# In parallel.


@contextlib.contextmanager
def silent(listener):
    """A server whose queue is full: it neither accepts nor refuses."""
    with contextlib.ExitStack() as clients:
        listener.listen(0)
        for _ in range(10):
            client = clients.enter_context(socket.socket(listener.family))
            client.settimeout(0.2)
            try:
                client.connect(listener.getsockname())
            except OSError:
                yield
                return
        raise AssertionError("the queue is never full")


def test_an_address_that_does_not_answer_holds_up_no_other(
    serve, connect, two_addresses
):
    first, answering = bound_pair()
    with first, silent(first):
        server = serve(echo, listener=answering)
        client = connect("-v", "two.test", server.port, under=two_addresses)
        output, errors = client.finish(b"hello")
    assert output == b"hello"
    trying = re.findall(r"trying (\S+)", errors)
    assert trying == [f"[::1]:{server.port}", f"127.0.0.1:{server.port}"]
    assert f" to 127.0.0.1:{server.port}" in errors


def test_the_timeout_is_for_all_addresses_together(connect, two_addresses):
    first, second = bound_pair()
    with first, second, silent(first), silent(second):
        port = second.getsockname()[1]
        client = connect("-t", "1s", "two.test", port, under=two_addresses)
        _, errors = client.finish(status=1)
    late = "Connection timed out"
    assert errors == f"prong connect: [::1]:{port}: {late}; 127.0.0.1:{port}: {late}\n"


def test_an_address_that_cannot_be_reached_is_passed_over(serve, connect, with_file):
    """2001:db8::/32 is for documentation (RFC 3849): there is
    no route, or no answer."""
    hosts = with_file("/etc/hosts", "2001:db8::1 far.test\n127.0.0.1 far.test\n")
    server = serve(echo)
    output, _ = connect("far.test", server.port, under=hosts).finish(b"hello")
    assert output == b"hello"


# Families and the source address.


@pytest.mark.parametrize("option, address", [("-4", "127.0.0.1"), ("-6", "::1")])
def test_one_family_can_be_asked_for(serve, connect, two_addresses, option, address):
    listeners = bound_pair()
    ours = {listener.getsockname()[0]: listener for listener in listeners}
    server = serve(greet_and_collect, listener=ours.pop(address))
    with next(iter(ours.values())) as other:
        other.listen(5)
        client = connect(option, "two.test", server.port, under=two_addresses)
        assert client.finish(b"hello")[0] == b"welcome\n"
    assert server.got() == b"hello"


@pytest.mark.parametrize("options, host, text", [
    (["-4"], "::1", '"::1" has no IPv4 address, but -4 asks for one'),
    (["-6"], "127.0.0.1", '"127.0.0.1" has no IPv6 address, but -6 asks for one'),
    (["--source", "127.0.0.2"], "::1",
     '"::1" has no IPv4 address, but --source asks for one'),
])  # fmt: skip
def test_a_family_that_the_host_lacks_is_told(connect, options, host, text):
    _, errors = connect(*options, host, "7").finish(status=1)
    assert errors == f"prong connect: {text}\n"


def test_the_source_is_what_the_server_sees(serve, connect, two_addresses):
    first, answering = bound_pair()
    with first:
        first.listen(5)  # would accept, but is of the other family
        server = serve(greet_and_collect, listener=answering)
        client = connect("--source", "127.0.0.7", "two.test", server.port,
                         under=two_addresses)  # fmt: skip
        client.finish(b"hello")
    assert server.sources == ["127.0.0.7"]


def test_a_source_that_is_not_this_machine_s_is_told_once(connect, two_addresses):
    words = ["--source", "192.0.2.1", "two.test", "7"]
    _, errors = connect(*words, under=two_addresses).finish(status=1)
    assert errors == (
        "prong connect: cannot connect from --source 192.0.2.1: "
        "Cannot assign requested address\n")


# Ports by name.


@pytest.mark.parametrize("words", [
    ["127.0.0.1", "tine"], ["127.0.0.1:tine"], ["localhost", "tine-alias"],
    ["127.0.0.1", "4tine"]])  # fmt: skip
def test_a_port_can_be_the_name_of_a_service(serve, connect, with_file, words):
    server = serve(echo)
    services = (
        f"tine 9/udp\ntine {server.port}/tcp tine-alias\n4tine {server.port}/tcp\n")
    under = with_file("/etc/services", services)
    assert connect(*words, under=under).finish(b"hello") == (b"hello", "")


def test_a_service_of_udp_alone_is_no_port(connect, with_file):
    under = with_file("/etc/services", "tine 9/udp\n")
    _, errors = connect("127.0.0.1", "tine", under=under).finish(status=2)
    assert 'port "tine" is not a number from 1 to 65535, and no TCP service' in errors


# Urgent bytes.


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX])
def test_urgent_bytes_are_printed_in_their_place(serve, connect, tmp_path, family):
    def urge(peer, conn):
        for part, flags in ((b"I", socket.MSG_OOB), (b"ab", 0), (b"U", socket.MSG_OOB),
                            (b"V", socket.MSG_OOB), (b"cd", 0), (b"Z", socket.MSG_OOB)):
            conn.send(part, flags)
        return receive_all(conn)

    unix = family == socket.AF_UNIX
    names = {socket.AF_INET: ("127.0.0.1", 0), socket.AF_INET6: ("::1", 0)}
    listener = bound(family, str(tmp_path / "s") if unix else names[family])
    server = serve(urge, listener=listener)
    words = [f"unix:{tmp_path}/s"] if unix else [names[family][0], server.port]
    assert connect(*words).finish() == (b"IabUVcdZ", "")
