"""A program owns its connection: what client and program do, and what happens then.

One test for each row of the table in prongd(8), CONNECTIONS OF PROGRAMS, on TCP and on
UNIX sockets, with programs started cold, warm, and with a monitor.
"""

import array
import signal
import socket

import pytest

from harness import eventually, failures, finish_load, start_load
from proc import is_blocked
from sockets import receive_all, receive_exactly, reset

REPLY = 400_000
MODES = {
    "cold": [],
    "warm": ["--warm", "-s", 2],
    "monitored": ["--kill-descendants"],
    "loaded": ["-n", 200],
}


@pytest.fixture(params=["tcp", "unix"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def busy(module_prongd):
    """A server of programs that is under load all the time."""
    return module_prongd("-n", 200, "--stderr", "null", "--", "cat", verbose=False)


@pytest.fixture
def load(request):
    """If the mode says so, programs come and go while the test runs."""
    if request.getfixturevalue("mode") != "loaded":
        yield
        return
    server = request.getfixturevalue("busy")
    loading = start_load(server, "-c", "16", "-r", "300/s", "-d", "30s")
    eventually(lambda: is_blocked(loading.pid, signal.SIGTERM), "it can be told to end")
    eventually(server.workers, "the load has begun")
    yield
    loading.terminate()
    assert failures(finish_load(loading)) == 0


@pytest.fixture(params=MODES)
def mode(request):
    return request.param


@pytest.fixture
def owner(mode, load, prongd, tmp_path, family):
    """owner("sh", "-c", ...) starts a server of that program."""

    def start(*words, options=()):
        address = "127.0.0.1:0" if family == "tcp" else f"unix:{tmp_path}/socket"
        return prongd(*MODES[mode], *options, "--", *words, listen=[address])

    start.mode = mode
    return start


def shell(owner, text, *words, options=()):
    return owner("sh", "-c", text, *words, options=options)


def python(owner, text, *words, options=()):
    return owner("/usr/bin/python3", "-I", "-S", "-c", text, *words, options=options)


def test_the_client_gets_the_whole_reply_and_an_end_in_order(owner):
    server = shell(owner, f"head -c {REPLY} /dev/zero")
    with server.connect() as client:
        assert receive_all(client) == bytes(REPLY)


def test_a_program_that_closes_its_streams_lets_its_client_go(owner, tmp_path):
    done = tmp_path / "done"
    server = shell(owner, 'echo bye; exec <&- >&-; while [ ! -e "$0" ]; do sleep 0.1; done',
                   done)  # fmt: skip
    with server.connect() as client:
        assert receive_all(client) == b"bye\n"
    assert len(server.workers()) >= 1, "it works on"
    done.touch()
    server.wait_log(event="close", reason="done")


def test_a_program_that_closes_its_streams_late_lets_its_client_go_as_well(owner, tmp_path):
    done = tmp_path / "done"
    server = shell(owner, 'echo first; sleep 0.7; echo bye; exec <&- >&-;'
                          'while [ ! -e "$0" ]; do sleep 0.1; done', done)  # fmt: skip
    with server.connect() as client:
        assert receive_all(client) == b"first\nbye\n"
    done.touch()
    server.wait_log(event="close", reason="done")


def test_a_program_that_keeps_a_copy_elsewhere_keeps_its_client(owner):
    server = shell(owner, "exec 5>&1 <&- >&-; sleep 0.5; echo still here >&5")
    with server.connect() as client:
        assert receive_all(client) == b"still here\n"


def test_a_program_that_half_closes_goes_on_reading(owner, tmp_path):
    out = tmp_path / "out"
    server = python(owner, "import socket, sys; s = socket.socket(fileno=0); s.sendall(b'ok');"
                           "s.shutdown(socket.SHUT_WR);"
                           "open(sys.argv[1], 'wb').write(s.recv(9, socket.MSG_WAITALL))",
                    out)  # fmt: skip
    with server.connect() as client:
        assert receive_all(client) == b"ok"
        client.sendall(b"afterward")
        server.wait_log(event="close")
    assert out.read_bytes() == b"afterward"


def test_a_program_that_aborts_resets_its_client(owner, family):
    if family == "unix":
        pytest.skip("SO_LINGER is of TCP")
    server = python(owner, "import os, socket, struct; s = socket.socket(fileno=0);"
                           "s.sendall(b'half');"
                           "s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,"
                           " struct.pack('ii', 1, 0)); os._exit(0)")  # fmt: skip
    with server.connect() as client, pytest.raises(ConnectionResetError):
        while client.recv(100):
            pass


LEFT = {
    "a child in its group": "(sleep 0.6; echo late) & echo now",
    "a grandchild in a session of its own": 'setsid sh -c "sleep 0.6; echo late" & echo now',
    "a grandchild whose parent has gone": "( (sleep 0.6; echo late) & ); echo now",
}


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT.keys())
def test_what_a_program_leaves_its_connection_to_goes_on(owner, text):
    if owner.mode == "monitored":
        pytest.skip("it ends what the program leaves behind: that is its purpose")
    server = shell(owner, text)
    with server.connect() as client:
        assert receive_all(client) == b"now\nlate\n"


GIVE = """
import array, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])
"""


def take(keeper):
    """The descriptor that the keeper receives."""
    with keeper.accept()[0] as channel:
        _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
    fd = array.array("i")
    fd.frombytes(ancillary[0][2])
    return socket.socket(fileno=fd[0])


@pytest.mark.parametrize("request_text", [b"", b"GET / HTTP/1.0\r\n\r\n"],
                         ids=["no input", "input unread"])  # fmt: skip
def test_a_connection_that_is_passed_on_is_the_receivers(owner, tmp_path, request_text):
    with socket.socket(socket.AF_UNIX) as keeper:
        keeper.settimeout(15)
        keeper.bind(str(tmp_path / "keeper"))
        keeper.listen()
        server = python(owner, GIVE, tmp_path / "keeper")
        with server.connect() as client:
            client.sendall(request_text)
            with take(keeper) as given:
                server.wait_log(event="reap")
                assert given.recv(len(request_text) + 1, socket.MSG_DONTWAIT) \
                    == request_text if request_text else True  # fmt: skip
                given.sendall(b"answer\n")
            assert receive_all(client) == b"answer\n"


def test_a_reply_is_whole_although_input_is_unread(owner):
    server = shell(owner, f"sleep 0.1; head -c {REPLY} /dev/zero")
    with server.connect() as client:
        client.sendall(bytes(20_000))
        assert receive_exactly(client, REPLY) == bytes(REPLY)
        try:
            assert client.recv(1) == b""
        except ConnectionResetError:
            assert client.family == socket.AF_UNIX  # which loses nothing this way


def test_a_reply_is_whole_although_input_comes_after_the_end(owner):
    server = shell(owner, f"head -c {REPLY} /dev/zero")
    with server.connect() as client:
        first = receive_exactly(client, 1000)
        client.sendall(b"more")
        assert len(first + receive_all(client)) == REPLY


def test_what_a_client_sent_before_it_closed_is_read(owner, tmp_path):
    out, go = tmp_path / "out", tmp_path / "go"
    server = shell(owner, 'while [ ! -e "$1" ]; do sleep 0.05; done; cat >"$0"', out, go)
    with server.connect() as client:
        server.wait_log(event="serve")
        client.sendall(b"x" * 9000)
    go.touch()
    server.wait_log(event="close")
    assert out.read_bytes() == b"x" * 9000


def test_a_program_works_on_after_its_client_has_closed_in_order(owner, tmp_path):
    done, go = tmp_path / "done", tmp_path / "go"
    server = python(owner, "import os, socket, sys, time; s = socket.socket(fileno=0);"
                           "s.recv(100); s.sendall(b'ok'); s.shutdown(socket.SHUT_WR)\n"
                           "while not os.path.exists(sys.argv[2]): time.sleep(0.05)\n"
                           "open(sys.argv[1], 'w').close()", done, go)  # fmt: skip
    with server.connect() as client:
        client.sendall(b"commit")
        assert receive_all(client) == b"ok"
    go.touch()
    server.wait_log(event="close", reason="eof")
    assert done.exists()


def test_a_client_that_half_closes_gets_the_whole_reply(owner):
    server = shell(owner, f"cat >/dev/null; sleep 0.3; head -c {REPLY} /dev/zero")
    with server.connect() as client:
        client.sendall(b"question")
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == bytes(REPLY)


def reset_by(client):
    """Reset the connection; a UNIX client does so by closing with input unread."""
    if client.family == socket.AF_UNIX:
        client.close()
    else:
        reset(client)


def test_what_came_before_a_reset_can_be_read(owner, tmp_path):
    out, go = tmp_path / "out", tmp_path / "go"
    server = shell(owner, 'echo hello; while [ ! -e "$1" ]; do sleep 0.05; done;'
                          'cat >"$0" 2>/dev/null; : >"$0.done"', out, go)  # fmt: skip
    client = server.connect()
    assert client.recv(5, socket.MSG_PEEK) == b"hello"
    client.sendall(b"x" * 9000)
    reset_by(client)
    go.touch()
    eventually(lambda: out.exists() and len(out.read_bytes()) == 9000, "all is read")


def test_a_program_with_nothing_left_to_read_ends_after_a_reset(owner):
    server = shell(owner, "read line; echo $line; exec sleep 1000")
    client = server.connect()
    client.sendall(b"hello\n")
    assert client.recv(5, socket.MSG_PEEK) == b"hello"
    reset_by(client)
    [closed] = server.wait_log(event="close")
    assert closed["reason"] == "reset"


def test_what_a_program_leaves_behind_counts_until_the_session_timeout(
    owner, family, tmp_path
):
    if owner.mode == "monitored":
        pytest.skip("it ends what the program leaves behind: that is its purpose")
    go = tmp_path / "go"
    server = shell(owner, "setsid sh -c 'while [ ! -e \"$0\" ]; do sleep 0.05; done' \"$0\" &"
                          "echo started", go,
                   options=["--max-per-source", 1, "--session-timeout", "3s"])  # fmt: skip
    first = server.connect()
    assert receive_exactly(first, 8) == b"started\n"
    server.wait_log(event="reap")
    server.refused()
    server.wait_log(event="refused", reason="refused-max-per-source")
    assert receive_all(first) == b""
    server.wait_log(event="close", reason="deadline")
    with server.connect() as second:
        assert receive_exactly(second, 8) == b"started\n"
        go.touch()
        assert receive_all(second) == b""
