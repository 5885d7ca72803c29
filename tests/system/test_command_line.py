"""What is impossible is refused at once, in words, with exit status 1 or 2."""

import contextlib
import os
import re
import resource
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from harness import PRONGD, environment, eventually
from proc import children, descriptors, settled
from sockets import echoes

LONG_PATH = "unix:/tmp/" + "x" * 103  # 108 bytes, one more than a UNIX socket's

BAD_USAGE = [
    # words of the command line; what the message says
    ([], "no service is given"),
    (["nonsense"], 'unknown service "nonsense"'),
    (["Echo"], 'unknown service "Echo"'),
    (["echo", "daytime"], 'unexpected "daytime"'),
    (["--nonsense", "echo"], "unknown .*option --nonsense"),
    (["-Z", "echo"], "unknown option -Z"),
    (["--l", "127.0.0.1:0", "echo"], "ambiguous option --l"),
    (["-l"], "-l needs an argument"),
    (["--listen"], "--listen needs an argument"),
    (["--quiet=1", "echo"], "--quiet takes no argument"),
    (["-l", "127.0.0.1", "echo"], "bad address 127.0.0.1: "),
    (["-l", "", "echo"], "bad address"),
    (["-l", "127.0.0.1:", "echo"], "port .* is not a number"),
    (["-l", "127.0.0.1:99999", "echo"], 'port "99999" is not a number'),
    (["-l", "127.0.0.1:65536", "echo"], 'port "65536" is not a number'),
    (["-l", "127.0.0.1:-1", "echo"], 'port "-1" is not a number'),
    (["-l", "127.0.0.1:http", "echo"], 'port "http" is not a number'),
    (["-l", "127.0.0.1: 7", "echo"], 'port " 7" is not a number'),
    (["-l", ":99999", "echo"], 'port "99999" is not a number'),
    (["-l", "::1:7007", "echo"], r"IPv6 address is written \[address\]:port"),
    (["-l", "[::1]", "echo"], r"IPv6 address is written \[address\]:port"),
    (["-l", "[::1", "echo"], r"IPv6 address is written \[address\]:port"),
    (["-l", "[::1]7007", "echo"], r"IPv6 address is written \[address\]:port"),
    (["-l", "[127.0.0.1]:7007", "echo"], "only an IPv6 address"),
    (["-l", "no host:7007", "echo"], "neither an address nor a host name"),
    (["-l", "-h:7007", "echo"], "neither an address nor a host name"),
    (["-l", "h\u00f6st\n:7007", "echo"], "neither an address nor a host name"),
    (["-l", "x" * 300 + ":7007", "echo"], "host name is longer than"),
    (["-l", "unix:", "echo"], "a path is missing"),
    (["-l", LONG_PATH, "echo"], "108 bytes.* 107 at most"),
    (["-n", "0", "echo"], '-n: "0" is not a number from 1'),
    (["-n", "-1", "echo"], '-n: "-1" is not a number'),
    (["-n", "1000001", "echo"], "not a number from 1 to 1000000"),
    (["-n", "99999999999999999999", "echo"], "not a number from 1"),
    (["-n", "4294967297", "echo"], "not a number from 1"),
    (["-n", "12x", "echo"], '"12x" is not a number'),
    (["-n", "", "echo"], "not a number"),
    (["-s", "-1", "echo"], '-s: "-1" is not a number'),
    (["-s", "1e3", "echo"], '-s: "1e3" is not a number'),
    (["-r", "+1", "echo"], '-r: "[+]1" is neither'),
    (["-r", "1000000001", "echo"], "-r: .* is neither a number"),
    (["--idle-timeout", "5", "echo"], '"5" is not a duration'),
    (["--idle-timeout", "s", "echo"], '"s" is not a duration'),
    (["--idle-timeout", "", "echo"], '"" is not a duration'),
    (["--session-timeout", "1.5s", "echo"], '"1.5s" is not a duration'),
    (["--session-timeout", "-1s", "echo"], '"-1s" is not a duration'),
    (["--session-timeout", "5 s", "echo"], '"5 s" is not a duration'),
    (["--session-timeout", "3651d", "echo"], "too long: 3650d at most"),
    (["--grace", "1y", "echo"], '"1y" is not a duration'),
    (["--grace", "99999999999999999999s", "echo"], "too long"),
    (["--ready-fd", "x", "echo"], '"x" is not a descriptor'),
    (["--ready-fd", "0", "echo"], '"0" is not a descriptor'),
    (["--ready-fd", "2", "echo"], '"2" is not a descriptor'),
    (["--ready-fd", "-1", "echo"], '"-1" is not a descriptor'),
    (["--ready-fd", "777", "echo"], "descriptor 777 is not open"),
    (["--log-format", "xml", "echo"], '"xml" is not one of logfmt, json'),
    (["--at-limit", "never", "echo"], '"never" is not one of wait, refuse'),
    (["--at-limit", "", "echo"], '"" is not one of wait, refuse'),
    (["--at-limit", "refused", "echo"], '"refused" is not one of wait, refuse'),
]


def run(*words, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("env", environment())
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run([PRONGD, *words], timeout=20, **options)


def expect_refusal(result, status, message):
    text = result.stderr.decode()
    assert result.returncode == status, text
    assert text.startswith("prongd: "), text
    assert re.search(message, text), text
    assert result.stdout == b""


@pytest.mark.parametrize("words, message", BAD_USAGE)
def test_bad_usage_is_explained_with_status_2(words, message):
    expect_refusal(run(*words), 2, message)


def test_what_a_program_cannot_have_is_refused():
    result = run("--sandbox", "strict", "--", "cat")
    expect_refusal(result, 2, "--sandbox strict is for services")


def test_a_drop_of_nothing_is_refused():
    expect_refusal(run("--drop-privileges", "supervisor", "echo"), 2, "no effect without")


@pytest.mark.parametrize("path", ["/nonexistent", "/dev/null"])
def test_a_directory_that_a_program_cannot_start_in_is_refused(path):
    result = run("-l", "127.0.0.1:0", "--chdir", path, "--", "cat")
    expect_refusal(result, 1, f"cannot start in {path}: ")


def test_few_descriptors_are_enough(prongd):
    server = prongd("-s", "2", "echo", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (64, 64)))  # fmt: skip
    assert server.ask(b"served") == b"served"


def test_too_few_descriptors_are_told():
    result = run("-l", "127.0.0.1:0", "echo", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (30, 30)))  # fmt: skip
    expect_refusal(result, 1, "40 descriptors for itself and 8 for the processes")


def test_a_ready_fd_that_cannot_be_written_to_is_refused(tmp_path):
    with open("/dev/null") as readable:
        fd = readable.fileno()
        result = run("--ready-fd", str(fd), "echo", pass_fds=[fd])
    expect_refusal(result, 2, f"descriptor {fd} is not open for writing")


def test_an_address_of_another_machine_is_refused():
    result = run("-l", "192.0.2.1:0", "echo")
    expect_refusal(result, 1, "cannot listen on 192.0.2.1:0: ")


def test_a_port_in_use_is_refused_and_its_server_goes_on(prongd):
    server = prongd("echo")
    result = run("-l", "127.0.0.1:0", "-l", server.texts[0], "echo")
    expect_refusal(result, 1, f"{server.texts[0]}: another server listens on this")
    assert server.ask(b"mine") == b"mine"


def test_a_port_for_which_the_right_is_missing_is_refused():
    start = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    if start <= 1:
        pytest.skip("every port may be used by everybody here")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)  # other users may have no access to the build
        program = shutil.copy(PRONGD, directory)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        result = subprocess.run(
            [program, "-l", "127.0.0.1:1", "echo"], capture_output=True, timeout=20,
            **(nobody if os.geteuid() == 0 else {}))  # fmt: skip
    expect_refusal(result, 1, "127.0.0.1:1: this port needs root")


def test_a_unix_socket_on_which_a_server_answers_is_left_to_it(prongd, tmp_path):
    address = f"unix:{tmp_path}/socket"
    server = prongd("echo", listen=[address])
    expect_refusal(run("-l", address, "echo"), 1, "another server listens on this")
    assert server.ask(b"mine") == b"mine"


def test_a_file_that_is_no_socket_is_never_replaced(tmp_path):
    path = tmp_path / "precious"
    path.write_text("data")
    expect_refusal(run("-l", f"unix:{path}", "echo"), 1, "is not a socket")
    assert path.read_text() == "data"


def test_a_unix_socket_in_a_missing_folder_is_refused(tmp_path):
    result = run("-l", f"unix:{tmp_path}/missing/socket", "echo")
    expect_refusal(result, 1, "No such file or directory")


def test_a_failed_start_leaves_no_unix_socket(tmp_path):
    path = tmp_path / "socket"
    run("-l", f"unix:{path}", "-l", "192.0.2.1:0", "echo")
    assert not path.exists()


def test_a_descriptor_limit_that_is_too_low_is_refused():
    limit = ["prlimit", "--nofile=100:100"]
    words = ["-l", "127.0.0.1:0", "-n", "200", "-r", "always", "echo"]
    result = subprocess.run([*limit, PRONGD, *words], capture_output=True, timeout=20)
    expect_refusal(result, 1, "RLIMIT_NOFILE., 100, is too low")


def test_help_lists_every_option_and_service():
    result = run("--help")
    text = result.stdout.decode()
    assert result.returncode == 0 and result.stderr == b""
    for name in ("listen", "max-processes", "spare", "reuse", "at-limit", "grace",
                 "idle-timeout", "session-timeout", "ready-fd", "log-format",
                 "verbose", "quiet", "version", "help"):  # fmt: skip
        assert f"--{name}" in text
    for service in ("echo", "discard", "chargen", "daytime", "time"):
        assert re.search(rf"^ +{service} ", text, re.MULTILINE)
    assert [line for line in text.splitlines() if len(line) >= 80] == []
    assert run("-h").stdout == result.stdout


def test_version_is_one_line():
    for option in ("-V", "--version"):
        result = run(option)
        assert result.returncode == 0
        assert re.fullmatch(rb"prongd \d+\.\d+\.\d+\n", result.stdout)


def test_a_text_that_cannot_be_written_is_an_error():
    with open("/dev/full", "w") as full:
        result = run("--help", stdout=full)
    assert result.returncode == 1
    assert b"cannot write" in result.stderr


def closing(*numbers):
    """For preexec_fn: close these descriptors when the program starts."""

    def close():
        for number in numbers:
            os.close(number)

    return close


CLOSED = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)]


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_closed_standard_streams_change_nothing(prongd, closed):
    stderr = subprocess.DEVNULL if 2 in closed else None
    words = ["-s", "1", "--sandbox", "off", "echo"]  # or workers lack the three
    server = prongd(*words, preexec_fn=closing(*closed), stderr=stderr)
    with server.connect() as client:
        assert echoes(client)
        for worker in server.workers():
            kinds = descriptors(worker)
            assert all(number in kinds for number in (0, 1, 2))
            assert not any(kinds[n].startswith("socket:") for n in (0, 1, 2))


def test_bad_usage_without_standard_streams_has_its_status():
    assert run("nonsense", preexec_fn=closing(0, 1, 2)).returncode == 2


@contextlib.contextmanager
def ready_on_standard_output(*words):
    words = ["--ready-fd", "1", "-q", *words, "echo"]
    with subprocess.Popen([PRONGD, *words], stdout=subprocess.PIPE) as server:
        try:
            yield server, server.stdout.read().decode().splitlines()  # to the end
        finally:
            server.terminate()
        assert server.wait(10) == 0


def test_readiness_can_be_told_on_standard_output():
    listen = ["-l", "127.0.0.1:0", "-l", "127.0.0.2:0"]
    with ready_on_standard_output(*listen) as (_, lines):
        assert [line.split(":")[0] for line in lines] == ["127.0.0.1", "127.0.0.2"]
        for line in lines:
            with socket.create_connection(line.rsplit(":", 1), timeout=10) as client:
                assert echoes(client)


def test_readiness_on_standard_output_leaves_workers_no_socket_there():
    listen = ["-l", "127.0.0.1:0", "-s", "3"]
    with ready_on_standard_output(*listen) as (server, _):
        found = eventually(
            lambda: len(pids := children(server.pid)) == 3 and pids, "three spares")
        settled(server.pid)
        for pid in found:
            assert not descriptors(pid).get(1, "").startswith("socket:")
