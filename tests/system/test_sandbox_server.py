"""Servers whose workers are sandboxed: services, starts that fail, stops."""

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from harness import PRONGD, SANITIZED, environment, eventually
from proc import descriptors, settled, status
from sockets import echoes, receive_all, receive_exactly, reset

needs_sandbox = pytest.mark.skipif(SANITIZED, reason="no sandbox with sanitizers")
needs_strace = pytest.mark.skipif(
    SANITIZED or shutil.which("strace") is None, reason="no strace, or no sandbox")
NOBODY = 65534


@pytest.fixture(scope="module")
def sandbox(module_prongd):
    """The name in the log for what this system offers."""
    found = module_prongd("--sandbox", "auto", "echo").settings["sandbox"]
    if found == "off":
        pytest.skip("no sandbox here")
    return found


@pytest.fixture
def strict(sandbox):
    """The options that ask for everything that it offers."""
    return ["--sandbox", "strict" if "landlock" in sandbox else "auto"]


TIMED = ["--idle-timeout", "9s", "--session-timeout", "9s"]
KINDS = {"fresh": ["-s", 0], "spare": ["-s", 1], "reused": ["-s", 1, "-r", "always"]}
kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@kinds
@pytest.mark.parametrize("user", [[], ["--user", NOBODY]], ids=["own", "nobody"])
def test_a_worker_has_its_connection_and_no_more(prongd, strict, kind, user):
    if user and os.geteuid() != 0:
        pytest.skip("needs root")
    server = prongd(*strict, *kind, *user, "echo")
    server.hold()
    [serve] = server.wait_log(event="serve")
    pid = int(serve["pid"])
    found = descriptors(pid)
    assert len(found) == (2 if "-r" in kind else 1)
    assert all(what.startswith("socket:") for what in found.values())
    facts = status(pid)
    assert (facts["Seccomp"], facts["NoNewPrivs"]) == ("2", "1")
    ours = status("self")["Seccomp_filters"]  # a container has its own
    assert int(facts["Seccomp_filters"]) == int(ours) + 1
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        assert int(facts[name], 16) == 0, name
    for mask in ("SigBlk", "SigIgn", "SigPnd", "ShdPnd"):
        assert int(facts[mask], 16) == 0, mask
    assert int(facts["SigCgt"], 16) == 1 << signal.SIGSYS - 1
    for worker in server.workers():
        settled(worker)
        assert 0 not in (len(descriptors(worker)), int(status(worker)["Seccomp"]))


@pytest.mark.parametrize("family", ["tcp", "unix"])
@kinds
@pytest.mark.parametrize("timeouts", [[], TIMED], ids=["untimed", "timed"])
@pytest.mark.parametrize("user", [[], ["--user", NOBODY]], ids=["own", "nobody"])
def test_every_service_serves(prongd, strict, tmp_path, family, kind, timeouts, user):
    if user and os.geteuid() != 0:
        pytest.skip("needs root")
    listen = ["127.0.0.1:0" if family == "tcp" else f"unix:{tmp_path}/socket"]
    common = [*strict, *kind, *timeouts, *user]
    big = os.urandom(300_000)
    echo = prongd(*common, "echo", listen=listen)
    assert echo.ask(b"hello") == b"hello" and echo.ask(big) == big
    listen = [address.replace("socket", "second") for address in listen]
    discard = prongd(*common, "discard", listen=listen)
    assert discard.ask(big) == b""
    assert discard.wait_log(event="close")[0]["bytes_in"] == "300000"
    listen = [address.replace("second", "third") for address in listen]
    chargen = prongd(*common, "chargen", listen=listen)
    assert receive_exactly(chargen.connect(), 500_000)[:4] == b' !"#'
    chargen.close_clients()
    assert chargen.wait_log(event="close")[0]["reason"] == "reset"
    listen = [address.replace("third", "fourth") for address in listen]
    clock = prongd(*common, "time", listen=listen)
    seconds = struct.unpack("!I", clock.ask())[0] - 2208988800
    assert abs(seconds - time.time()) < 10


@kinds
@pytest.mark.parametrize("zone", [None, "", ":/etc/localtime", "Asia/Seoul"])
def test_the_time_zone_is_known(prongd, strict, monkeypatch, kind, zone):
    """Its file was read before the sandbox was entered."""
    monkeypatch.delenv("TZ", raising=False)
    if zone is not None:
        monkeypatch.setenv("TZ", zone)
    server = prongd(*strict, *kind, "daytime", env=None)
    assert server.ask().endswith(b"-KST\r\n" if zone == "Asia/Seoul" else b"\r\n")
    assert server.wait_log(event="close")[0]["reason"] == "done"


@kinds
@pytest.mark.parametrize("option, reason", [("idle", "idle"), ("session", "deadline")])
def test_timeouts_end_a_connection(prongd, strict, kind, option, reason):
    server = prongd(*strict, *kind, f"--{option}-timeout", "100ms", "echo")
    client = server.connect()
    assert echoes(client)
    assert receive_all(client) == b""
    assert server.wait_log(event="close")[0]["reason"] == reason
    assert server.ask(b"next") == b"next"


def test_the_log_tells_what_is_in_force(prongd, sandbox):
    assert sandbox in ("seccomp", "seccomp+landlock")
    assert prongd("echo").settings["sandbox"] == sandbox
    assert prongd("--sandbox", "off", "echo").settings["sandbox"] == "off"
    assert "sandbox" not in prongd("--", "/bin/cat").settings


def test_with_sanitizers_there_is_none(prongd):
    if not SANITIZED:
        pytest.skip("no sanitizers")
    assert prongd("echo").settings["sandbox"] == "off"
    words = [PRONGD, "-l", "127.0.0.1:0", "--sandbox", "strict", "echo"]
    result = subprocess.run(words, capture_output=True, text=True, timeout=20)
    assert result.returncode == 1
    assert result.stderr.startswith("prongd: --sandbox strict: ")


def injecting(*faults, follow=True):
    words = ["strace", "-qq", "-o", "/dev/null", *["-f"] * follow]
    return words + [word for fault in faults for word in ("-e", f"inject={fault}")]


NO_LANDLOCK = "landlock_create_ruleset:error=ENOSYS"
NO_SECCOMP = "seccomp:error=EINVAL"


@needs_strace
@pytest.mark.parametrize("faults, message, left", [
    ([NO_LANDLOCK], "--sandbox strict: this kernel has no landlock(7)", "seccomp"),
    ([NO_SECCOMP], "--sandbox strict: no seccomp filter can be set here", "off"),
    (["prctl:error=EINVAL:when=1"], "--sandbox strict: ", "off"),
])  # fmt: skip
def test_strict_does_not_start_without_a_part_and_auto_does(
        prongd, sandbox, faults, message, left):  # fmt: skip
    words = [PRONGD, "-l", "127.0.0.1:0", "--sandbox", "strict", "echo"]
    result = subprocess.run([*injecting(*faults), *words], capture_output=True,
                            text=True, timeout=20, env=environment())  # fmt: skip
    assert result.returncode == 1
    assert result.stderr.startswith("prongd: " + message), result.stderr
    assert result.stderr.count("\n") == 1
    under = [*injecting(*faults), "-D"]
    server = prongd("--sandbox", "auto", "-s", 1, "echo", under=under)
    assert server.settings["sandbox"] == left
    assert server.ask(b"served") == b"served"


@needs_strace
@pytest.mark.parametrize("fault", [NO_LANDLOCK, NO_SECCOMP])
def test_what_was_there_at_the_trial_is_not_done_without(sandbox, fault):
    """Only the supervisor itself meets the fault; the trial's process is not traced."""
    if "landlock" not in sandbox and fault == NO_LANDLOCK:
        pytest.skip("no landlock here")
    words = [PRONGD, "-l", "127.0.0.1:0", "echo"]
    result = subprocess.run([*injecting(fault, follow=False), *words],
                            capture_output=True, text=True, timeout=20)  # fmt: skip
    assert result.returncode == 1
    assert "event=start" not in result.stderr


@needs_strace
def test_a_worker_that_cannot_be_confined_serves_nobody(prongd, sandbox):
    if "landlock" not in sandbox:
        pytest.skip("no landlock here")
    server = prongd("-s", 0, "echo")
    words = injecting("landlock_restrict_self:error=EPERM")
    tracer = subprocess.Popen([*words, "-p", str(server.pid)])
    try:
        eventually(lambda: status(server.pid)["TracerPid"] != "0", "traced")
        client = server.connect()
        with contextlib.suppress(ConnectionResetError):
            client.sendall(b"hello")
            assert receive_all(client) == b""
        [failed] = server.wait_log(event="privileges-failed")
        assert (failed["call"], failed["error"]) == ("landlock_restrict_self", "EPERM")
        assert server.wait_log(event="close")[0]["reason"] == "refused-privileges"
    finally:
        tracer.terminate()
        tracer.wait()
    assert server.ask(b"again") == b"again"
    assert server.totals()["refused-privileges"] == "1"


@kinds
@needs_sandbox
def test_the_supervisor_obeys_its_signals(prongd, strict, kind):
    server = prongd(*strict, *kind, "echo")
    [client] = server.hold()
    assert server.totals()["active"] == "1"
    server.signal(signal.SIGHUP)
    assert server.wait_log(event="signal-ignored")
    os.kill(server.pid, signal.SIGSTOP)
    waiting = server.connect()
    os.kill(server.pid, signal.SIGCONT)
    assert echoes(waiting) and echoes(client)
    server.signal(signal.SIGSYS)
    assert echoes(server.connect())


@pytest.mark.parametrize("stop", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGINT],
                                  [signal.SIGQUIT]], ids=str)  # fmt: skip
def test_every_grade_of_stop_ends_it(prongd, strict, tmp_path, stop):
    path = tmp_path / "socket"
    server = prongd(*strict, "--grace", "300ms", "echo", listen=[f"unix:{path}"])
    server.hold(3)
    for number in stop:
        server.signal(number)
        server.wait_log(event="stopping")
    last = server.expect_exit()
    assert last["stopped"] == "3"
    assert not path.exists()


@pytest.mark.parametrize("refusal", ["close", "reset"])
def test_clients_are_refused(prongd, strict, refusal):
    """By a call that is made through the gate: setsockopt(2)."""
    options = ["-n", 1, "--at-limit", "refuse", "--refusal", refusal]
    server = prongd(*strict, *options, "echo")
    server.hold()
    expected = contextlib.nullcontext()
    if refusal == "reset":
        expected = pytest.raises(ConnectionResetError)
    with expected:
        assert receive_all(server.connect()) == b""
    server.wait_log(event="refused")


@kinds
def test_many_at_once_are_served(prongd, strict, kind):
    server = prongd(*strict, *kind, "-n", 400, "echo", verbose=False)
    clients = server.hold(300)
    assert all(echoes(client) for client in clients)
    for client in clients[:150]:
        reset(client)
    server.close_clients()
    totals = eventually(
        lambda: (t := server.totals())["closed"] == "300" and t, "all closed")
    assert totals.get("crash-sandbox", "0") == "0"


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_a_log_whose_reader_is_stuck_holds_nobody_up(prongd, strict, kind):
    ends = os.pipe() if kind == "pipe" else socket.socketpair()
    reader, writer = ends if kind == "pipe" else (end.detach() for end in ends)
    server = prongd(*strict, "-s", 1, "echo", stderr=writer)
    for _ in range(500):
        with server.connect() as client:
            assert echoes(client)
    server.signal(signal.SIGTERM)
    os.close(writer)
    text = b""
    with open(reader, "rb", buffering=0) as stuck:
        while part := stuck.read(1 << 16):
            text += part
    assert server.process.wait(10) == 0
    assert b"event=start" in text and text.count(b"event=close") > 100
    server.checked = True


def scoreboard(pid):
    """Where workers report: the only mapping that is shared."""
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        if " rw-s " in line:
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            return f"{start:x} {end - start}"
    raise AssertionError("no scoreboard")


@pytest.mark.parametrize("how", ["off", "auto"])
def test_whatever_a_worker_writes_of_itself_is_only_a_number(handlers, how):
    server = handlers("--sandbox", how, "-s", 2, "escapes")
    for number in (1, 2):
        client = server.connect()
        serve = server.wait_log(event="serve", conn=number)[0]
        client.sendall(f"scribble {scoreboard(serve['pid'])}\n".encode())
        receive_all(client)
        close = server.wait_log(event="close", conn=number)[0]
        confined = how == "auto" and not SANITIZED
        assert close["reason"] == ("crash-sandbox" if confined else "crash-exit")
        assert all(int(close.get(key, 0)) >= 0 for key in ("bytes_in", "bytes_out", "call"))
    assert server.ask(b"getppid\n").endswith(b"done %d 0\n" % server.pid)
