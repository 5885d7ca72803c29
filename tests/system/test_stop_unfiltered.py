"""Even if the kernel refuses SO_ATTACH_FILTER, a stop loses no client."""

import ctypes
import errno
import os
import select
import signal
import socket
import struct
import threading
from pathlib import Path

import pytest

from harness import PATIENCE, eventually
from logline import reasons
from sockets import echoes, receive_all

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_EPERM = 0x7FFF0000, 0x00050001
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
SO_DETACH_FILTER = 27
SETSOCKOPT = {"x86_64": 54, "aarch64": 208}
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, NLMSG_ERROR = 4, 20, 2
NLM_F_REQUEST, NLM_F_DUMP, TCP_SYN_RECV = 0x1, 0x300, 3
SO_ATTACH_FILTER = (socket.SOL_SOCKET, 26)
SO_BINDTOIFINDEX = (socket.SOL_SOCKET, 62)


def program_of(code):
    """A struct sock_fprog, and the buffer that it points to, which must stay alive."""
    instructions = b"".join(struct.pack("HBBI", *each) for each in code)
    buffer = ctypes.create_string_buffer(instructions, len(instructions))
    return struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer)), buffer


def refuse(*options):
    """For preexec_fn: EPERM for setsockopt(2) with these options."""
    code = [(LOAD, 0, 0, 0), (EQUAL, 1, 0, SETSOCKOPT[os.uname().machine]),
            (RETURN, 0, 0, RET_ALLOW)]  # fmt: skip
    for level, option in options:
        code += [(LOAD, 0, 0, 24), (EQUAL, 0, 3, level)]
        code += [(LOAD, 0, 0, 32), (EQUAL, 0, 1, option), (RETURN, 0, 0, RET_EPERM)]
    code.append((RETURN, 0, 0, RET_ALLOW))
    filters, _buffer = program_of(code)
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0) == 0


MODELS = [["-n", 4, "echo"], ["-r", "always", "-n", 4, "echo"],
          ["-r", "always", "-n", 4, "--accept", "workers", "echo"],
          ["-n", 4, "--", "cat"]]  # fmt: skip


@pytest.fixture(params=["filter", "filter and interface"])
def unfiltered(prongd, request):
    """unfiltered(...) starts a server to which the kernel refuses these options."""
    options = [SO_ATTACH_FILTER]
    if "interface" in request.param:
        options.append(SO_BINDTOIFINDEX)

    def start(*words, **more):
        return prongd(*words, preexec_fn=lambda: refuse(*options), **more)

    return start


def address_of(server):
    host, _, port = server.texts[0].rpartition(":")
    return host, int(port)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0", ":0"])
@pytest.mark.parametrize("words", [["echo"], ["-r", "always", "echo"], ["--", "cat"]])
def test_clients_that_are_queued_at_the_stop_are_served(unfiltered, words, address):
    server = unfiltered("-n", 1, *words, listen=[address])
    [held] = server.hold()
    queued = [server.connect() for _ in range(5)]
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    held.close()
    for client in queued:
        assert echoes(client, b"queued" * 1000)
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
    totals = server.expect_exit()
    assert totals["accepted"] == "6"
    assert set(reasons(totals)) <= {"eof", "done"}


def test_while_some_wait_no_others_are_taken(unfiltered):
    server = unfiltered("-n", 1, "echo")
    [held] = server.hold()
    queued = server.connect()
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    with pytest.raises((ConnectionRefusedError, socket.timeout)):
        server.connect(timeout=0.5)
    held.close()
    assert echoes(queued)
    queued.close()
    assert server.expect_exit()["accepted"] == "2"


def half_connected(address):
    """A client that has sent its SYN and does not receive the answer."""
    client = socket.socket()
    client.setblocking(False)
    nothing, _buffer = program_of([(RETURN, 0, 0, 0)])
    try:
        client.setsockopt(*SO_ATTACH_FILTER, nothing)
    except PermissionError:
        pytest.skip("only with a right, this kernel takes filters of sockets")
    assert client.connect_ex(address) == errno.EINPROGRESS
    return client


def tells_handshakes():
    """Whether the kernel answers a request of sock_diag(7) for TCP with other than an error."""
    header = struct.pack("=IHHII", 72, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0)
    words = struct.pack("=BBxxI48x", socket.AF_INET, socket.IPPROTO_TCP, 1 << TCP_SYN_RECV)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
            kernel.send(header + words)
            return struct.unpack_from("=H", kernel.recv(10000), 4)[0] != NLMSG_ERROR
    except OSError:
        return False


def handshakes_of(address):
    """The handshakes that the kernel lists for a port: proc_net(5), state SYN_RECV."""
    port = f":{address[1]:04X} "
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines if port in line.split(":", 1)[1][:15] and " 03 " in line]


@pytest.mark.parametrize("options", [[], [SO_ATTACH_FILTER]],
                         ids=["filter", "interface"])  # fmt: skip
@pytest.mark.parametrize("words", MODELS, ids=str)
def test_a_handshake_that_has_begun_comes_to_its_end(prongd, words, options):
    """It completes when the answer comes again, after a second."""
    server = prongd(*words, preexec_fn=lambda: refuse(*options))
    held = server.hold(4)
    queued = server.connect()
    begun = half_connected(address_of(server))
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    begun.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
    begun.settimeout(PATIENCE)
    assert select.select([], [begun], [], PATIENCE)[1] == [begun]
    assert begun.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    for client in held:
        client.close()
    for client in (queued, begun):
        assert echoes(client)
        client.close()
    assert server.expect_exit()["accepted"] == "6"


@pytest.mark.parametrize("words, options", [*((words, []) for words in MODELS),
                                            (MODELS[0], [SO_ATTACH_FILTER])], ids=str)  # fmt: skip
def test_the_stop_waits_for_a_handshake_that_takes_a_second(prongd, words, options):
    """Nothing else keeps the server up. The client's SYN-ACK is sent again after a second."""
    server = prongd(*words, preexec_fn=lambda: refuse(*options))
    if not tells_handshakes():
        pytest.skip("this kernel has no sock_diag(7) of TCP")
    begun = half_connected(address_of(server))
    eventually(lambda: handshakes_of(address_of(server)), "the SYN has come")
    server.signal(signal.SIGTERM)
    server.wait_log(event="stopping")
    begun.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
    begun.settimeout(PATIENCE)
    assert echoes(begun)
    begun.close()
    assert server.expect_exit()["accepted"] == "1"


@pytest.mark.parametrize("words", [MODELS[0], MODELS[2]], ids=str)
def test_a_handshake_that_never_ends_does_not_hold_up_the_stop(prongd, words):
    server = prongd(*words)
    with half_connected(address_of(server)):
        server.signal(signal.SIGTERM)
        assert server.expect_exit()["accepted"] == "0"


@pytest.mark.parametrize("options", [[], [SO_ATTACH_FILTER]],
                         ids=["filter", "interface"])  # fmt: skip
@pytest.mark.parametrize("words", MODELS, ids=str)
def test_under_load_no_client_that_connected_is_cut(prongd, words, options):
    """Clients come all the time, so that some are in a handshake when it stops."""
    counts = {"served": 0, "lost": 0}
    server = prongd(*words, verbose=False, preexec_fn=lambda: refuse(*options))
    address = address_of(server)

    def come():
        while True:
            with socket.socket() as client:
                client.settimeout(10)
                try:
                    client.connect(address)
                except OSError:
                    return
                try:
                    client.sendall(b"hello")
                    what = "served" if client.recv(5) == b"hello" else "lost"
                except OSError:
                    what = "lost"
                counts[what] += 1

    comers = [threading.Thread(target=come) for _ in range(16)]
    for comer in comers:
        comer.start()
    eventually(lambda: counts["served"] >= 500, "the load has begun")
    server.signal(signal.SIGTERM)
    for comer in comers:
        comer.join()
    server.expect_exit()
    assert counts["lost"] == 0
