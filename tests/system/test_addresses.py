"""Addresses in use, and what uses them; UNIX sockets: names, modes and owners."""

import os
import resource
import socket
import stat
import subprocess

import pytest

import activation
from harness import PRONG, PRONGD, eventually
from privileges import user
from proc import descriptors, settled
from sockets import exchange, receive_all


def refused(*words, status=1, **options):
    """Return its one line on stderr."""
    result = subprocess.run([PRONGD, *words], capture_output=True, timeout=20, **options)
    assert result.returncode == status, result.stderr
    assert result.stderr.count(b"\n") == 1
    return result.stderr.decode()


OWN = "this server already listens on "


@pytest.mark.parametrize("first, second", [
    ("127.0.0.1:{port}", "127.0.0.1:{port}"),
    (":{port}", "127.0.0.1:{port}"),
    ("127.0.0.1:{port}", "0.0.0.0:{port}"),
    ("unix:{folder}/a", "unix:{folder}/a"),
    ("unix:{folder}/a", "unix:{folder}/./a"),
    ("unix:@{folder}/a", "unix:@{folder}/a")])  # fmt: skip
def test_an_address_given_twice_is_this_servers_own(tmp_path, first, second):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    texts = [text.format(port=port, folder=tmp_path) for text in (first, second)]
    line = refused("-l", texts[0], "-l", texts[1], "echo")
    own = f"[::]:{port}" if first.startswith(":") else texts[0]
    assert f"cannot listen on {texts[1]}: {OWN}{own}" in line
    assert not (tmp_path / "a").exists()


def test_a_socket_that_was_handed_over_is_this_servers_own_too():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        text = f"127.0.0.1:{listener.getsockname()[1]}"
        status, line = activation.refused([listener], "-l", text, "echo")
    assert status == 1
    assert f"{OWN}{text}" in line


@pytest.mark.parametrize("text", ["127.0.0.1:{}", ":{}", "0.0.0.0:{}"])
def test_a_clients_port_is_not_called_a_server(text):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as client:
            own, there = client.getsockname()[1], listener.getsockname()[1]
            line = refused("-l", text.format(own), "echo")
    assert f"an open connection, from 127.0.0.1:{own} " \
           f"to 127.0.0.1:{there}" in line  # fmt: skip
    assert "net.ipv4.ip_local_port_range" in line


def test_a_socket_that_is_bound_only_is_not_called_a_server():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        line = refused("-l", f"127.0.0.1:{bound.getsockname()[1]}", "echo")
    assert "another program has bound this address, although it does not listen" in line


@pytest.mark.parametrize("host, text", [
    ("127.0.0.1", "127.0.0.1:{}"), ("127.0.0.1", ":{}"), ("0.0.0.0", "127.0.0.3:{}")])
def test_another_server_is_called_one_although_it_has_clients(host, text):
    with socket.create_server((host, 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            line = refused("-l", text.format(port), "echo")
            assert "another server listens on this address already" in line


# The abstract namespace.


@pytest.fixture
def abstract(tmp_path):
    """A name that no other test uses."""
    return f"unix:@prong{tmp_path}"


def test_an_abstract_name_is_served_and_makes_no_file(prongd, abstract, tmp_path):
    server = prongd("-s", "2", "echo", listen=[abstract], cwd=tmp_path)
    assert server.texts == [abstract]
    assert server.ask(b"without a file") == b"without a file"
    assert {path.name for path in tmp_path.iterdir()} == {"log-0"}
    [line] = server.log_lines(event="listen")
    assert line["address"] == abstract
    result = subprocess.run([PRONG, "connect", abstract], input=b"hello\n",
                            capture_output=True, timeout=20)  # fmt: skip
    assert (result.returncode, result.stdout) == (0, b"hello\n")


def test_an_abstract_name_is_taken_while_its_server_lives_and_no_longer(prongd, abstract):
    server = prongd("echo", listen=[abstract])
    line = refused("-l", abstract, "echo")
    assert f"cannot listen on {abstract}: another server listens on this address" in line
    server.stop()
    assert prongd("echo", listen=[abstract]).ask(b"again") == b"again"


@pytest.mark.parametrize("length, status", [(107, None), (108, 2)])
def test_an_abstract_name_has_107_bytes_at_most(prongd, tmp_path, length, status):
    name = tmp_path.name[:60].ljust(length, "x")
    if status is None:
        assert prongd("echo", listen=[f"unix:@{name}"]).ask(b"long") == b"long"
    else:
        line = refused("-l", f"unix:@{name}", "echo", status=status)
        assert "an abstract socket's is 107 at most" in line


def test_an_abstract_name_must_be_one():
    assert "a name is missing after unix:@" in refused("-l", "unix:@", "echo", status=2)


def test_a_path_may_begin_with_an_at_sign(prongd, tmp_path):
    server = prongd("echo", listen=["unix:./@file"], cwd=tmp_path)
    assert (tmp_path / "@file").is_socket()
    server.addresses = [(socket.AF_UNIX, str(tmp_path / "@file"))]
    assert server.ask(b"a file") == b"a file"


def test_who_was_queued_at_an_abstract_name_is_served_at_the_stop(prongd, abstract):
    server = prongd("-n", "1", "-s", "0", "echo", listen=[abstract])
    [busy] = server.hold()
    queued = [server.connect() for _ in range(5)]
    server.process.terminate()
    server.wait_log(event="stopping")
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert exchange(busy, b"") == b""
    for client in queued:
        assert exchange(client, b"queued") == b"queued"
    server.expect_exit()


@pytest.mark.parametrize("kind", ["unix:{}/socket", "unix:@prong{}"])
def test_a_unix_listener_does_not_wait_for_the_grace_without_descriptors(
        prongd, tmp_path, kind):  # fmt: skip
    server = prongd("-s", 0, "echo", listen=[kind.format(tmp_path)])
    settled(server.pid)
    server.set_limit(resource.RLIMIT_NOFILE, max(descriptors(server.pid)) + 1)
    server.process.terminate()
    server.expect_exit(timeout=5)


def test_workers_that_accept_at_an_abstract_name_stop_too(prongd, abstract):
    words = ("--accept", "workers", "-s", "2", "-r", "always", "echo")
    server = prongd(*words, listen=[abstract])
    assert server.ask(b"by a worker") == b"by a worker"
    server.process.terminate()
    server.expect_exit(timeout=5)


# Mode and owner.


def socket_file(path):
    found = path.stat()
    return oct(stat.S_IMODE(found.st_mode)), found.st_uid, found.st_gid


@pytest.mark.parametrize("mode, expected", [
    ("660", "0o660"), ("0600", "0o600"), ("777", "0o777"), ("1", "0o1")])  # fmt: skip
@pytest.mark.parametrize("umask", [0o077, 0])
def test_a_unix_socket_has_the_mode_that_was_asked_for(prongd, tmp_path, mode, expected,
                                                       umask):  # fmt: skip
    path = tmp_path / "socket"
    server = prongd("--socket-mode", mode, "echo", listen=[f"unix:{path}"], umask=umask)
    assert socket_file(path)[0] == expected
    server.stop()
    assert not path.exists()


@pytest.mark.parametrize("words, uid, gid", [
    (("--socket-user", "daemon"), user("daemon").uid, os.getgid()),
    (("--socket-group", "daemon"), os.getuid(), user("daemon").gid),
    (("--socket-user", "4321", "--socket-group", "1234"), 4321, 1234),
    (("--socket-user", "0", "--socket-group", "0"), 0, 0)])  # fmt: skip
def test_a_unix_socket_is_its_owners(prongd, root, tmp_path, words, uid, gid):
    path = tmp_path / "socket"
    server = prongd(*words, "--socket-mode", "640", "echo", listen=[f"unix:{path}"])
    assert socket_file(path) == ("0o640", uid, gid)
    assert server.ask(b"hello") == b"hello"


def test_only_the_group_may_connect_where_the_mode_says_so(prongd, root, public):
    path = f"{public}/socket"
    words = ("--socket-mode", "660", "--socket-group", "daemon", "echo")
    prongd(*words, listen=[f"unix:{path}"])

    def connect(who):
        code = f"import socket; socket.socket(socket.AF_UNIX).connect({str(path)!r})"
        return subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True,
                              user=who.uid, group=who.gid, extra_groups=[])  # fmt: skip

    assert connect(user("daemon")).returncode == 0
    assert b"PermissionError" in connect(user("nobody")).stderr


def test_a_socket_of_a_supervisor_without_rights_keeps_its_owner(prongd, root, public):
    path = f"{public}/socket"
    server = prongd("--user", "daemon", "--drop-privileges", "supervisor",
                    "--socket-user", "nobody", "echo", listen=[f"unix:{path}"])
    assert os.stat(path).st_uid == user("nobody").uid
    assert server.ask(b"hello") == b"hello"


OPTIONS = [("--socket-mode", "660"), ("--socket-user", "0"), ("--socket-group", "0")]


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("listen", [
    (), ("-l", "127.0.0.1:0"), ("-l", "unix:@prong-none")], ids=" ".join)  # fmt: skip
def test_without_a_unix_socket_that_has_a_path_they_are_refused(words, listen):
    line = refused(*listen, *words, "echo", status=2)
    assert "for UNIX sockets with a path" in line


def test_a_socket_that_was_handed_over_is_not_changed(tmp_path):
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        status, line = activation.refused([listener], "--socket-mode", "600", "echo")
    assert status == 2
    assert "for UNIX sockets with a path" in line


@pytest.mark.parametrize("mode", ["", "0", "000", "8", "1000", "07777", "u=rw", "-1"])
def test_a_mode_that_is_none_is_refused(mode):
    words = [PRONGD, "-l", "unix:/tmp/unused", "--socket-mode", mode, "echo"]
    result = subprocess.run(words, capture_output=True, timeout=20)
    assert result.returncode == 2
    assert b"is not a file mode from 001 to 777" in result.stderr


def test_an_owner_that_is_not_known_is_named():
    words = ("-l", "unix:/tmp/unused", "--socket-group", "no-such-group", "echo")
    assert 'unknown group "no-such-group"' in refused(*words)


def test_an_owner_without_the_right_to_give_it_leaves_no_socket(root, public):
    path = f"{public}/nobodys"
    os.mkdir(path)
    os.chown(path, user("nobody").uid, -1)
    program = f"{public}/prongd"
    subprocess.run(["cp", PRONGD, program], check=True)
    words = [program, "-l", f"unix:{path}/socket", "--socket-user", "root", "echo"]
    result = subprocess.run(words, capture_output=True, timeout=20, text=True,
                            user=user("nobody").uid, group=user("nobody").gid,
                            extra_groups=[])  # fmt: skip
    assert result.returncode == 1
    assert "cannot change its owner: Operation not permitted" in result.stderr
    assert "CAP_CHOWN" in result.stderr
    assert os.listdir(path) == []


# REMOTE_ADDR of UNIX peers.


NAMES = [
    # what a peer has bound, and REMOTE_ADDR
    ("{folder}/peer", "{folder}/peer"),
    ("\0{folder}", "@{folder}"),
    ("\0{folder}a b=c", "@{folder}a b=c"),
    ("\0{folder}\n\\\0", "@{folder}\\x0a\\x5c\\x00"),
    (None, None),
]  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--warm", "-s", "2"), ("--kill-descendants",)],
                         ids=" ".join)
@pytest.mark.parametrize("name, expected", NAMES)
def test_a_unix_peer_that_has_a_name_is_told_by_it(prongd, tmp_path, options, name,
                                                   expected):  # fmt: skip
    server = prongd(*options, "--", "env", "-0", listen=[f"unix:{tmp_path}/server"])
    with server.socket() as client:
        if name is not None:
            client.bind(name.format(folder=tmp_path).encode())
        client.connect(server.addresses[0][1])
        lines = receive_all(client).decode().split("\0")
    told = [line for line in lines if line.startswith("REMOTE_ADDR=")]
    wanted = expected and f"REMOTE_ADDR={expected.format(folder=tmp_path)}"
    assert told == ([wanted] if wanted else [])
    eventually(lambda: server.log_lines(event="close"), "closed")
