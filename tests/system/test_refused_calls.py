"""If a system call is refused, the message names the call and says how to allow it."""

import shutil
import subprocess

import pytest

from harness import PRONGD, SANITIZED, environment

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer makes calls of its own"),
]
CURE = (
    "allow this call in the container's seccomp profile or in systemd's "
    "SystemCallFilter="
)


def refusing(call, error, when="1+"):
    return ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:error={error}:when={when}"]  # fmt: skip


# The names are those of the kernel and of the manual; for a service, and for a program.
@pytest.mark.parametrize("what", [["echo"], ["--", "cat"]], ids=["service", "program"])
@pytest.mark.parametrize("error, text", [("EPERM", "Operation not permitted"),
                                         ("ENOSYS", "Function not implemented")])  # fmt: skip
@pytest.mark.parametrize("call, name", [
    ("close_range", "close_range(2)"), ("signalfd4", "signalfd(2)"),
    ("epoll_create1", "epoll_create1(2)"), ("epoll_ctl", "epoll_ctl(2)"),
])  # fmt: skip
def test_a_start_that_is_refused_a_call_names_it(call, name, error, text, what):
    words = [*refusing(call, error), PRONGD, "-q", "-l", "127.0.0.1:0", *what]
    ended = subprocess.run(words, env=environment(), stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=30)  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.startswith("prongd: cannot ")
    assert ended.stderr.endswith(f": {name}: {text}: {CURE}\n")


def test_a_trial_that_is_refused_a_process_names_the_call():
    words = [*refusing("clone", "EPERM"), PRONGD, "-q", "-l", "127.0.0.1:0", "echo"]
    ended = subprocess.run(words, env=environment(), stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=30)  # fmt: skip
    assert (ended.returncode, "clone(2)" in ended.stderr) == (1, True)


def expect_named(server, call):
    server.refused()
    line = server.wait_log(event="privileges-failed")[0]
    assert (line["call"], line["error"]) == (call, "EPERM")
    server.kill()


OPEN = ["--sandbox", "off"]


@pytest.mark.parametrize("what", [[*OPEN, "-r", 2, "echo"],
                                  [*OPEN, "-r", 2, "-s", 1, "echo"],
                                  [*OPEN, "echo"], ["--", "cat"],
                                  ["--resolve", "--", "cat"],
                                  ["--kill-descendants", "--", "cat"]], ids=str)  # fmt: skip
def test_a_process_that_gets_no_session_says_so_in_the_log(prongd, what):
    server = prongd("-q", *what, under=refusing("setsid", "EPERM"), verbose=False)
    expect_named(server, "setsid")


@pytest.mark.parametrize("what", [["echo"], ["-r", 2, "echo"], ["-s", 0, "echo"]], ids=str)
def test_a_sandboxed_worker_that_gets_no_group_says_so_in_the_log(prongd, what):
    server = prongd("-q", *what, under=refusing("setpgid", "EPERM"), verbose=False)
    expect_named(server, "setpgid")


@pytest.mark.parametrize("what", [["-s", 0, "echo"], ["--kill-descendants", "--", "cat"]],
                         ids=str)  # fmt: skip
def test_a_process_that_cannot_close_what_it_has_says_so_in_the_log(prongd, what):
    """Each process makes the call twice, and the supervisor once, as a trial."""
    under = refusing("close_range", "EPERM", when="2+")
    expect_named(prongd(*what, under=under), "close_range")
