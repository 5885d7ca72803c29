"""What is listened on if a name has several addresses, or an address has a scope.

Each server has its own network namespace and its own /etc/hosts, so that the test
decides about ports and addresses. Its clients join the namespace.
"""

import re
import subprocess

import pytest

from harness import PRONG, PRONGD, environment

pytestmark = pytest.mark.usefixtures("root")

SCRIPT = """
mount --make-rprivate / && mount --bind "$HOSTS" /etc/hosts && ip link set lo up || exit 77
eval "$SETUP"
exec "$@"
"""


@pytest.fixture
def apart(prongd, tmp_path):
    """apart(*words, listen=, hosts=, setup=) starts a server; see above.
    listeners: its lines."""

    def start(*words, hosts="", setup="", **options):
        return prongd(*words, **surroundings(tmp_path, hosts, setup), **options)

    return start


def surroundings(tmp_path, hosts, setup):
    path = tmp_path / "hosts"
    path.write_text(hosts)
    probe = subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True)
    if probe.returncode != 0:
        pytest.skip("needs unshare -n -m")
    return {"under": ["unshare", "-n", "-m", "sh", "-c", SCRIPT, "sh"],
            "env": environment(HOSTS=str(path), SETUP=setup)}  # fmt: skip


def refused(tmp_path, listen, hosts="", setup=""):
    """Return its line on stderr, if it must not start."""
    around = surroundings(tmp_path, hosts, setup)
    words = [*around["under"], PRONGD, "-l", listen, "echo"]
    result = subprocess.run(words, env=around["env"], capture_output=True, timeout=30)
    assert result.returncode == 1, result.stderr
    return result.stderr.decode()


def ask(server, address, data=b"here\n"):
    """Send data to the server, in its namespace; return the answer."""
    words = ["nsenter", f"--net=/proc/{server.pid}/ns/net", PRONG, "connect", address]
    result = subprocess.run(words, input=data, capture_output=True, timeout=30)
    assert result.returncode == 0, result.stderr
    return result.stdout


def port_of(text):
    return text.rsplit(":", 1)[1]


NO_IPV6 = "sysctl -qw net.ipv6.conf.all.disable_ipv6=1"
PARTIAL = [
    # hosts, setup, what fails, and why
    ("::1 twin\n127.0.0.1 twin\n", NO_IPV6, "[::1]", "IPv6 is disabled"),
    ("127.0.0.1 twin\n::1 twin\n", NO_IPV6, "[::1]", "IPv6 is disabled"),
    ("127.0.0.5 twin\n192.0.2.7 twin\n", "", "192.0.2.7", "does not have this address"),
    ("2001:db8::7 twin\n127.0.0.1 twin\n", "", "[2001:db8::7]", "does not have"),
]  # fmt: skip


@pytest.mark.parametrize("hosts, setup, missing, why", PARTIAL)
@pytest.mark.parametrize("port", ["0", "7501"])
def test_an_address_of_a_name_that_is_not_here_is_told_and_left_out(
        apart, hosts, setup, missing, why, port):  # fmt: skip
    server = apart("echo", listen=[f"twin:{port}"], hosts=hosts, setup=setup)
    assert ask(server, server.texts[0]) == b"here\n"
    [line] = server.log_lines(event="listen-failed")
    assert line["level"] == "warning"
    assert line["address"].rpartition(":")[0] == missing
    assert line["of"] == f"twin:{port}"
    assert line["error"] == "EADDRNOTAVAIL"
    assert why in line["why"]
    assert len(server.log_lines(event="listen")) == 1


def test_a_name_of_which_no_address_can_be_listened_on_is_refused(tmp_path):
    hosts = "192.0.2.7 twin\n2001:db8::7 twin\n"
    text = refused(tmp_path, "twin:7503", hosts)
    assert "cannot listen on twin:7503: " in text
    assert "192.0.2.7:7503: this machine does not have this address" in text
    assert "[2001:db8::7]:7503: this machine does not have this address" in text


def test_a_single_address_that_is_not_here_stays_an_error(tmp_path):
    text = refused(tmp_path, "[2001:db8::7]:7503")
    assert "cannot listen on [2001:db8::7]:7503: this machine does not" in text


MANY = "::1 several\n127.0.0.1 several\n127.0.0.2 several\n127.0.0.3 several\n"


def test_with_port_0_all_addresses_of_a_name_have_one_port(apart):
    server = apart("echo", listen=["several:0"], hosts=MANY, listeners=4)
    assert len({port_of(text) for text in server.texts}) == 1
    assert len(set(server.texts)) == 4
    for text in server.texts:
        assert ask(server, text) == b"here\n"


def test_two_names_with_port_0_have_two_ports(apart):
    server = apart("echo", listen=["several:0", "several:0"], hosts=MANY, listeners=8)
    assert len({port_of(text) for text in server.texts[:4]}) == 1
    assert len({port_of(text) for text in server.texts[4:]}) == 1
    assert len({port_of(text) for text in server.texts}) == 2


SCARCE = "sysctl -qw net.ipv4.ip_local_port_range='40000 40003'; "
HOLDER = "import socket, sys, time\n" \
    "held = [socket.create_server(('127.0.0.2', int(port))) for port in sys.argv[1:]]\n" \
    "print('held', flush=True)\n" \
    "time.sleep(600)"  # fmt: skip


def holding(*ports):
    """A shell command: a process that holds these ports on one of the addresses."""
    words = " ".join(str(port) for port in ports)
    return SCARCE + f"""/usr/bin/python3 -c "$HOLDER" {words} >"$HOSTS.held" 2>&1 & hold=$!
        until test -s "$HOSTS.held"; do sleep 0.01; done; echo $hold >"$HOSTS.pid"; """


@pytest.fixture
def holder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDER", HOLDER)
    yield
    subprocess.run(["kill", (tmp_path / "hosts.pid").read_text().strip()], check=True)


TWO = "127.0.0.1 pair\n127.0.0.2 pair\n"


def test_a_port_is_looked_for_that_is_free_on_all_addresses(tmp_path, holder):
    around = surroundings(tmp_path, TWO, holding(40000, 40001, 40003))
    words = [*around["under"], PRONGD, "-l", "pair:0", "--ready-fd", "1", "echo"]
    with subprocess.Popen(words, env=around["env"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as server:  # fmt: skip
        lines = server.stdout.read().splitlines()
        server.terminate()
    assert lines == ["127.0.0.1:40002", "127.0.0.2:40002"]


def test_an_address_of_a_name_that_another_server_has_is_told_and_left_out(
        tmp_path, holder):  # fmt: skip
    around = surroundings(tmp_path, TWO, holding(7502))
    words = [*around["under"], PRONGD, "-l", "pair:7502", "--ready-fd", "1", "echo"]
    with open(tmp_path / "log", "wb") as log:
        with subprocess.Popen(words, env=around["env"], stdout=subprocess.PIPE,
                              stderr=log) as server:  # fmt: skip
            lines = server.stdout.read().splitlines()
            server.terminate()
    assert lines == [b"127.0.0.1:7502"]
    text = (tmp_path / "log").read_text()
    assert "event=listen-failed address=127.0.0.2:7502 of=pair:7502 error=EADDRINUSE " \
        'why="another server listens on this address already"' in text  # fmt: skip


def test_where_no_port_is_free_on_all_addresses_it_says_so(tmp_path, holder):
    text = refused(tmp_path, "pair:0", TWO, holding(40000, 40001, 40002, 40003))
    assert "cannot listen on pair:0: " in text
    assert re.search("found no port that is free|no free port", text)


# The kernel adds the route to the address a little later.
SCOPED = """ip addr add fe80::77/64 dev lo nodad
for i in $(seq 500); do ip -6 route get fe80::77 oif lo && break; sleep 0.01; done >/dev/null 2>&1"""
SHOWS = ("--", "sh", "-c", "env | grep -e IP= -e REMOTE_ADDR= -e REMOTE_HOST= | sort")


@pytest.mark.parametrize("options", [(), ("--warm", "-s", "2"), ("--kill-descendants",)])
def test_a_link_local_address_is_told_with_its_scope(apart, options):
    listen = ["[fe80::77%lo]:0"]
    server = apart(*options, *SHOWS, listen=listen, setup=SCOPED)
    assert re.fullmatch(r"\[fe80::77%lo\]:\d+", server.texts[0])
    assert ask(server, server.texts[0], b"").decode().splitlines() == [
        "REMOTE_ADDR=fe80::77%lo", "REMOTE_HOST=fe80::77%lo",
        "TCPLOCALIP=fe80::77%lo", "TCPREMOTEIP=fe80::77%lo"]  # fmt: skip
    [line] = server.log_lines(event="listen")
    assert line["address"] == server.texts[0]
    [line] = server.wait_log(event="connect")
    assert line["peer"].startswith("[fe80::77%lo]:")


def test_a_client_of_the_wildcard_has_its_scope_under_the_sandbox_too(apart):
    server = apart("echo", listen=[":0"], setup=SCOPED)
    assert ask(server, f"[fe80::77%lo]:{port_of(server.texts[0])}") == b"here\n"
    [line] = server.wait_log(event="connect")
    assert line["peer"].startswith("[fe80::77%lo]:")


def test_an_interface_may_be_a_number_too(apart):
    server = apart("echo", listen=["[fe80::77%1]:0"], setup=SCOPED)
    assert server.texts[0].startswith("[fe80::77%lo]:")


def test_a_link_local_address_without_a_scope_says_what_is_missing():
    words = [PRONGD, "-l", "[fe80::77]:0", "echo"]
    result = subprocess.run(words, capture_output=True, timeout=30)
    assert result.returncode == 2
    assert b"a link-local address needs its interface: write fe80::77%eth0" in result.stderr


def test_an_interface_that_is_not_there_is_named():
    words = [PRONGD, "-l", "[fe80::77%nothing0]:0", "echo"]
    result = subprocess.run(words, capture_output=True, timeout=30)
    assert result.returncode == 1
    assert b'there is no interface "nothing0"' in result.stderr
