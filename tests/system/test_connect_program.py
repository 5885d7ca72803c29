"""prong connect HOST PORT -- PROGRAM: a UCSPI client, with descriptors 6 and 7."""

import os
import re
import signal
import socket
import sys

import pytest

from connecting import (  # noqa: F401 (fixtures)
    connect, greet_and_close, serve, terminal, two_addresses)  # fmt: skip
from harness import eventually
from peers import echo
from proc import children, status
from sockets import bound, bound_pair, receive_all

ENVIRONMENT = ["sh", "-c", "env | sort; cat >&2 <&6"]
SHOWN = re.compile(r"^((?:PROTO|TCP\w+|UNIX\w+|IPC\w+)=.*)$", re.MULTILINE)


def python(*lines):
    return [sys.executable, "-c", "\n".join(lines)]


def test_the_program_reads_6_and_writes_7(serve, connect):
    server = serve(echo)
    program = ["sh", "-c", "printf hello >&7; head -c5 <&6; cat"]
    client = connect("127.0.0.1", server.port, "--", *program)
    assert client.finish(b" and standard input") == (b"hello and standard input", "")


def test_both_descriptors_are_the_connection_blocking_and_nothing_else_is_open(
    serve, connect
):
    server = serve(greet_and_close)
    lines = ["import os, socket", "def is_open(fd):",
             "    try: return os.fstat(fd)", "    except OSError: return None",
             "fds = [fd for fd in range(200) if is_open(fd)]",
             "print(fds, os.get_blocking(6), os.get_blocking(7), os.read(6, 8))",
             "socket.socket(fileno=7).shutdown(socket.SHUT_WR)",
             "print(os.read(6, 1))"]  # fmt: skip
    client = connect("127.0.0.1", server.port, "--", *python(*lines))
    expected = b"[0, 1, 2, 6, 7] True True b'welcome\\n'\n"
    server.may_go_on.set()
    assert client.finish() == (expected + b"b''\n", "")


def test_descriptors_6_and_7_may_be_taken_and_others_are_passed_on(serve, connect):
    server = serve(greet_and_close)
    server.may_go_on.set()
    under = ["sh", "-c", 'exec 3</dev/null 4<&3 5<&3 6<&3 7<&3 9<&3; exec "$0" "$@"']
    program = ["sh", "-c", "cat <&6; test -e /dev/fd/9"]
    client = connect("127.0.0.1", server.port, "--", *program, under=under)
    assert client.finish() == (b"welcome\n", "")


@pytest.mark.parametrize("words, named", [
    (["localhost", "{}"], True), (["localhost:{}"], True),
    (["127.0.0.1", "{}"], False), (["127.0.0.1:{}"], False)])  # fmt: skip
def test_the_environment_has_both_addresses_and_the_name(
    serve, connect, monkeypatch, words, named
):
    for name in ("TCPREMOTEHOST", "TCPREMOTEINFO", "TCPLOCALHOST", "TCPREMOTEIP"):
        monkeypatch.setenv(name, "of an outer server")
    server = serve(greet_and_close)
    server.may_go_on.set()
    words = [word.format(server.port) for word in words]
    output, _ = connect("-4", *words, "--", *ENVIRONMENT).finish()
    shown = dict(line.split("=", 1) for line in SHOWN.findall(output.decode()))
    assert int(shown.pop("TCPLOCALPORT")) > 0
    expected = {"PROTO": "TCP", "TCPREMOTEIP": "127.0.0.1", "TCPLOCALIP": "127.0.0.1",
                "TCPREMOTEPORT": str(server.port)}  # fmt: skip
    assert shown == expected | ({"TCPREMOTEHOST": "localhost"} if named else {})


def test_the_environment_over_ipv6_and_from_a_source(serve, connect, two_addresses):
    refusing, answering = bound_pair()
    server = serve(greet_and_close, listener=refusing)
    server.may_go_on.set()
    with answering:
        words = ["two.test", server.port, "--", *ENVIRONMENT]
        output, _ = connect("--source", "::1", *words, under=two_addresses).finish()
    shown = SHOWN.findall(output.decode())
    for line in ("PROTO=TCP", "TCPREMOTEIP=::1", "TCPLOCALIP=::1",
                 "TCPREMOTEHOST=two.test"):  # fmt: skip
        assert line in shown


def test_the_environment_over_a_unix_socket(serve, connect, tmp_path):
    path = str(tmp_path / "s")
    server = serve(greet_and_close, listener=bound(socket.AF_UNIX, path))
    server.may_go_on.set()
    output, _ = connect(f"unix:{path}", "--", *ENVIRONMENT).finish()
    assert SHOWN.findall(output.decode()) == [
        "PROTO=UNIX", f"UNIXREMOTEEGID={os.getegid()}", f"UNIXREMOTEEUID={os.geteuid()}",
        f"UNIXREMOTEPATH={path}", f"UNIXREMOTEPID={os.getpid()}"]  # fmt: skip


def test_the_program_is_the_process_itself_and_its_status_is_the_status(serve, connect):
    server = serve(lambda peer, conn: receive_all(conn))
    program = ["sh", "-c", "echo $$; exit 42"]
    client = connect("127.0.0.1", server.port, "--", *program)
    output, _ = client.finish(status=42)
    assert int(output) == client.pid
    assert server.got() == b""


def test_the_program_has_the_signals_that_prong_was_started_with(serve, connect):
    server = serve(greet_and_close)
    client = connect("127.0.0.1", server.port, "--", "cat", under=["nohup"])
    eventually(lambda: status(client.pid)["Name"] == "cat", "the program")
    facts = status(client.pid)
    assert int(facts["SigBlk"], 16) == 0
    ignored = int(facts["SigIgn"], 16)
    assert ignored & 1 << signal.SIGHUP - 1  # by nohup
    assert not ignored & 1 << signal.SIGPIPE - 1
    assert children(client.pid) == []
    client.send_signal(signal.SIGTERM)
    client.finish(status=-signal.SIGTERM)


def test_urgent_bytes_are_the_program_s_to_find(serve, connect):
    def urge(peer, conn):
        conn.sendall(b"ab")
        conn.send(b"U", socket.MSG_OOB)
        peer.await_go()

    server = serve(urge)
    lines = ["import socket, select", "s = socket.socket(fileno=6)",
             "select.select([], [], [s])", "print(s.recv(1, socket.MSG_OOB))"]  # fmt: skip
    client = connect("127.0.0.1", server.port, "--", *python(*lines))
    assert client.finish() == (b"b'U'\n", "")


def test_verbose_tells_of_the_connection_only(serve, connect):
    server = serve(greet_and_close)
    _, errors = connect("-v", "127.0.0.1", server.port, "--", "true").finish()
    last = errors.splitlines()[-1]
    assert re.fullmatch(r"prong connect: connected from \S+ to \S+", last)


def test_a_program_that_cannot_be_run_is_told_with_111(
    serve, connect, tmp_path, monkeypatch
):
    """A directory of PATH that may not be read would change the first error."""
    server = serve(greet_and_close)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for program, error in (("no-such-program", "No such file or directory"),
                           (tmp_path, "Permission denied")):  # fmt: skip
        client = connect("127.0.0.1", server.port, "--", program)
        _, errors = client.finish(status=111)
        assert errors == f'prong connect: cannot run "{program}": {error}\n'


def test_without_a_connection_there_is_no_program_and_the_status_is_111(
    connect, tmp_path
):
    ran = tmp_path / "ran"
    with bound(socket.AF_INET, ("127.0.0.1", 0)) as refusing:
        for words in (["127.0.0.1", refusing.getsockname()[1]], ["x" * 64, "7"]):
            connect(*words, "--", "touch", ran).finish(status=111)
    assert not ran.exists()


BAD_USAGE = [
    (["127.0.0.1", "7", "--"], "no program is given"),
    (["--", "127.0.0.1", "7", "--"], "no program is given"),
    (["127.0.0.1", "7", "cat"], 'unexpected "cat" .*; a program goes after --'),
    (["127.0.0.1", "--", "cat"], "the port is missing"),
    (["-v", "--", "--", "cat"], "no server is given"),
    (["--crlf", "127.0.0.1", "7", "--", "cat"], "--crlf has no effect on a program"),
    (["--no-quit", "127.0.0.1", "7", "--", "cat"], "--no-quit has no effect"),
    (["--no-half-close", "::1", "7", "--", "cat"], "--no-half-close has no effect"),
    (["--idle-timeout", "1s", "::1", "7", "--", "cat"], "--idle-timeout has no effect"),
    (["-t", "1s", "::1", "7", "--", "cat"], "--timeout has no effect"),
]


@pytest.mark.parametrize("words, message", BAD_USAGE)
def test_bad_usage_is_explained_with_status_2(connect, words, message):
    output, errors = connect(*words).finish(status=2)
    assert output == b""
    assert re.search(message, errors), errors
