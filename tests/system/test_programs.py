"""What a program is started with: its environment, its descriptors, its signals."""

import os
import signal
import socket
import time

import pytest

from harness import environment, eventually
from proc import children, descriptors, name_of, read, status
from sockets import receive_all, receive_exactly

PLAIN = ()
ATTENDED = ("--kill-descendants",)
TCP_NAMES = {
    "PATH", "PROTO", "TCPLOCALIP", "TCPLOCALPORT", "TCPREMOTEIP", "TCPREMOTEPORT",
    "REMOTE_ADDR", "REMOTE_PORT", "REMOTE_HOST", "TCPCONNNUM",
}  # fmt: skip


def told(server, family=None, host="127.0.0.1"):
    """The environment that env printed, and the socket name of its client."""
    address = server.addresses[0][1]
    with socket.socket(family or server.addresses[0][0]) as client:
        client.settimeout(10)
        client.connect((host, address[1]) if family else address)
        lines = receive_all(client).decode().split("\0")
        assert lines.pop() == ""
        pairs = [line.split("=", 1) for line in lines]
        assert len(dict(pairs)) == len(pairs), "a variable comes twice"
        return dict(pairs), client.getsockname()


def tcp_set(host, remote_port, local_port, number="1"):
    return {
        "PATH": os.environ["PATH"], "PROTO": "TCP",
        "TCPLOCALIP": host, "TCPLOCALPORT": str(local_port),
        "TCPREMOTEIP": host, "TCPREMOTEPORT": str(remote_port),
        "REMOTE_ADDR": host, "REMOTE_PORT": str(remote_port), "REMOTE_HOST": host,
        "TCPCONNNUM": number,
    }  # fmt: skip


def program_of(server):
    """The pid of the one running program: the monitor's child,
    if there is a monitor."""
    pid = int(server.wait_log(event="serve")[-1]["pid"])

    def exec_done():
        if name_of(pid) != "prongd":
            return pid
        below = [child for child in children(pid) if name_of(child) != "prongd"]
        return below and below[0]

    return eventually(exec_done, "a program")


@pytest.mark.parametrize("options", [PLAIN, ATTENDED])
def test_the_environment_over_ipv4_is_the_documented_one(prongd, options):
    server = prongd(*options, "--", "env", "-0")
    found, (host, port) = told(server)
    assert found == tcp_set(host, port, server.addresses[0][1][1])


def test_the_environment_over_ipv6_is_the_documented_one(prongd):
    try:
        server = prongd("--", "env", "-0", listen=["[::1]:0"])
    except AssertionError:
        pytest.skip("no IPv6 here")
    found, (host, port, *_) = told(server)
    assert host == "::1"
    assert found == tcp_set("::1", port, server.addresses[0][1][1])


def test_an_ipv4_client_of_every_address_is_shown_as_ipv4(prongd):
    server = prongd("--", "env", "-0", listen=[":0"])
    found, (host, port) = told(server, socket.AF_INET)
    assert found == tcp_set(host, port, server.addresses[0][1][1])
    assert host == "127.0.0.1"


@pytest.mark.parametrize("options", [PLAIN, ATTENDED])
def test_the_environment_over_a_unix_socket_is_the_documented_one(
    prongd, tmp_path, options
):
    server = prongd(*options, "--", "env", "-0", listen=[f"unix:{tmp_path}/socket"])
    found, _ = told(server)
    assert found == {
        "PATH": os.environ["PATH"],
        "PROTO": "UNIX",
        "UNIXREMOTEPID": str(os.getpid()),
        "UNIXREMOTEEUID": str(os.geteuid()),
        "UNIXREMOTEEGID": str(os.getegid()),
    }


def test_variables_are_added_by_value_and_handed_down_by_name(prongd):
    words = ["--env", "FIXED=a value=with = signs", "--env", "EMPTY=", "--env", "OURS"]
    words += ["--env", "NOT_SET_ANYWHERE"]
    own = environment(OURS="handed down", SECRET="not to be seen")
    server = prongd(*words, "--", "env", "-0", env=own)
    found, _ = told(server)
    assert found.keys() == TCP_NAMES | {"FIXED", "EMPTY", "OURS"}
    assert found["FIXED"] == "a value=with = signs"
    assert (found["EMPTY"], found["OURS"]) == ("", "handed down")


def test_what_is_known_of_the_connection_cannot_be_replaced(prongd):
    forged = {"TCPREMOTEIP": "192.0.2.1", "PROTO": "UNIX", "REMOTE_HOST": "trusted"}
    words = [word for pair in forged.items() for word in ("--env", "=".join(pair))]
    server = prongd(*words, "--env", "TCPREMOTEIP", "--", "env", "-0",
                    env=environment(TCPREMOTEIP="192.0.2.2"))  # fmt: skip
    found, (host, port) = told(server)
    assert found == tcp_set(host, port, server.addresses[0][1][1])


def test_path_is_the_default_where_prongd_has_none(prongd):
    own = environment()
    del own["PATH"]
    server = prongd("--", "env", "-0", env=own)
    found, _ = told(server)
    assert found.keys() == TCP_NAMES
    assert "/usr/bin" in found["PATH"].split(":")


def test_names_are_looked_up_when_asked_for(prongd):
    try:
        name, _ = socket.getnameinfo(("127.0.0.1", 0), socket.NI_NAMEREQD)
    except OSError:
        pytest.skip("127.0.0.1 has no name here")
    server = prongd("--resolve", "--", "env", "-0")
    found, (host, port) = told(server)
    names = {"TCPREMOTEHOST": name, "TCPLOCALHOST": name, "REMOTE_HOST": name}
    assert found == tcp_set(host, port, server.addresses[0][1][1]) | names


@pytest.mark.parametrize("options", [PLAIN, ATTENDED])
def test_the_open_connections_of_an_address_are_counted(prongd, options):
    server = prongd(*options, "--", "sh", "-c", "echo $TCPCONNNUM; exec cat")

    def number_of(client, host):
        client.bind((host, 0))
        client.connect(server.addresses[0][1])
        return receive_exactly(client, 2)

    clients = [server.socket() for _ in range(3)]
    assert [number_of(client, "127.0.0.1") for client in clients] == [
        b"1\n", b"2\n", b"3\n"]  # fmt: skip
    assert number_of(server.socket(), "127.0.0.2") == b"1\n"
    clients[1].close()
    server.wait_log(event="close")
    again = server.socket()
    assert number_of(again, "127.0.0.1") == b"3\n"
    for client in (clients[0], clients[2], again):
        client.close()
    server.wait_log(event="close", count=4)
    assert number_of(server.socket(), "127.0.0.1") == b"1\n"


@pytest.mark.parametrize("options", [PLAIN, ATTENDED])
def test_a_program_has_three_descriptors_and_no_other(prongd, tmp_path, options):
    """FAULT 20. prongd itself was started with other descriptors open;
    two clients are served."""
    with open(tmp_path / "leak", "w") as leak:
        high = os.dup2(leak.fileno(), 300, inheritable=True)
        server = prongd(*options, "--", "cat", pass_fds=(leak.fileno(), high))
        os.close(high)
    assert any(to.endswith("/leak") for to in descriptors(server.pid).values())
    server.hold(2)
    for line in server.wait_log(event="serve", count=2):
        pid = int(line["pid"])
        pid = children(pid)[0] if options else pid
        found = descriptors(pid)
        assert found.keys() == {0, 1, 2}
        assert found[0] == found[1] and found[0].startswith("socket:")
        for number in (0, 1):
            [flags] = [line for line in read(pid, f"fdinfo/{number}").splitlines()
                       if line.startswith("flags:")]  # fmt: skip
            assert int(flags.split()[1], 8) & os.O_NONBLOCK == 0


@pytest.mark.parametrize("options", [PLAIN, ATTENDED])
def test_a_program_has_default_signals_and_a_group_of_its_own(prongd, options):
    """FAULT 20. The parent of prongd ignored or blocked every signal that it can."""
    numbers = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}

    def disturb():
        for number in numbers:
            if number not in (signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE):
                signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)

    server = prongd(*options, "--", "cat", restore_signals=False, preexec_fn=disturb)
    server.hold()
    pid = program_of(server)
    found = status(pid)
    for key in ("SigBlk", "SigIgn", "SigCgt", "SigPnd", "ShdPnd"):
        assert int(found[key], 16) == 0, f"{key} is {found[key]}"
    assert os.getpgid(pid) == os.getsid(pid) == pid
    parent = int(found["PPid"])
    assert (int(status(parent)["PPid"]) if options else parent) == server.pid


def test_the_program_itself_is_the_child_and_is_not_copied_from_prongd(prongd):
    server = prongd("--", "cat")
    server.hold()
    [pid] = server.workers()
    assert name_of(pid) == "cat"
    assert int(server.wait_log(event="serve")[0]["pid"]) == pid


@pytest.mark.parametrize("options", [PLAIN, ATTENDED])
def test_a_program_starts_in_the_directory_and_with_the_mask_given(
    prongd, tmp_path, options
):
    place = tmp_path / "place"
    place.mkdir()
    server = prongd(*options, "--chdir", place, "--umask", "027", "--",
                    "sh", "-c", "pwd; umask; : >made")  # fmt: skip
    assert server.ask().decode().split() == [str(place), "0027"]
    assert (place / "made").stat().st_mode & 0o777 == 0o640


def test_directory_and_mask_are_otherwise_those_of_prongd(prongd, tmp_path):
    server = prongd("--", "sh", "-c", "pwd; umask",
                    cwd=tmp_path, preexec_fn=lambda: os.umask(0o35))  # fmt: skip
    assert server.ask().decode().split() == [str(tmp_path), "0035"]


COMPLAIN = ("--", "sh", "-c", "echo complaint >&2; echo reply")


def test_standard_error_can_be_prongds_own(prongd, tmp_path):
    with open(tmp_path / "errors", "w+b") as errors:
        server = prongd("--stderr", "inherit", *COMPLAIN, stderr=errors)
        assert server.ask() == b"reply\n"
        assert b"complaint\n" in (tmp_path / "errors").read_bytes()


@pytest.mark.parametrize("options", [PLAIN, ATTENDED])
def test_standard_error_can_go_to_the_client_or_nowhere(prongd, options):
    """It does not come into the log, whose every line is parsed."""
    to_client = prongd(*options, "--stderr", "connection", *COMPLAIN)
    assert to_client.ask() == b"complaint\nreply\n"
    nowhere = prongd(*options, "--stderr=null", *COMPLAIN)
    assert nowhere.ask() == b"reply\n"
    assert to_client.wait_log(event="close") and nowhere.wait_log(event="close")


def test_standard_error_that_goes_nowhere_is_dev_null(prongd):
    server = prongd("--stderr", "null", "--", "cat")
    server.hold()
    assert descriptors(program_of(server))[2] == "/dev/null"


def test_a_program_gets_its_arguments_as_they_are(prongd):
    words = ["a b", "", "$HOME", "*", "--listen", "-v", "--", "\u00e9\n"]
    server = prongd("--", "printf", "%s\\0", *words)
    assert server.ask().decode().split("\0") == [*words, ""]


def test_a_program_starts_soon_enough(prongd):
    """A connection without a waiting program is answered within 100 ms."""
    server = prongd("--", "echo", "here")
    took = []
    for _ in range(20):
        begin = time.monotonic()
        assert server.ask() == b"here\n"
        took.append(time.monotonic() - begin)
    assert sorted(took)[10] < 0.1, took
