"""Whatever the kernel answers, the log has a line, at most one connection is lost, and
nothing spins.

strace(1) gives errors to system calls; some errors have no name.
"""

import contextlib
import os
import shutil
import subprocess

import pytest

from harness import PRONGD, SANITIZED, environment, eventually
from proc import children, status
from sockets import echoes, receive_all, reset

pytestmark = [
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer makes calls of its own"),
]
UNNAMED = 524  # ENOTSUPP, internal to the kernel, which sometimes returns it
MODELS = [["-s", 0, "echo"], ["-r", "always", "echo"], ["--", "cat"]]


def failing(call, error, when):
    """Of the supervisor alone; its children are not traced."""
    return ["strace", "-D", "-qq", "-o", "/dev/null", "-e", f"trace={call}",
            "-e", f"inject={call}:error={error}:when={when}"]  # fmt: skip


@contextlib.contextmanager
def attached(server, call, fate, *options):
    words = ["strace", *options, "-qq", "-p", str(server.pid), "-o", "/dev/null",
             "-e", f"trace={call}", "-e", f"inject={call}:{fate}"]  # fmt: skip
    tracer = subprocess.Popen(words)
    try:
        eventually(lambda: status(server.pid)["TracerPid"] == str(tracer.pid), "traced")
        yield
    finally:
        tracer.terminate()
        tracer.wait()


def descriptors(server):
    return len(os.listdir(f"/proc/{server.pid}/fd"))


def is_served(server):
    with server.connect() as client:
        return echoes(client)


@pytest.mark.parametrize("words", MODELS, ids=str)
@pytest.mark.parametrize("error", ["EIO", "EINVAL", "ENOBUFS", UNNAMED])
def test_accept_may_fail_by_any_error(prongd, words, error):
    server = prongd(*words, under=failing("accept4", error, "1..3"))
    assert is_served(server)
    line = server.wait_log(event="accept-failed")[0]
    assert (line["level"], line["error"]) == ("error", str(error))
    assert line["why"]


@pytest.mark.parametrize("words", [["-s", 0, "echo"], ["--", "cat"]], ids=str)
@pytest.mark.parametrize("call, error", [("epoll_wait", "EIO"), ("epoll_wait", UNNAMED),
                                         ("read", "EIO"), ("read", UNNAMED)])  # fmt: skip
def test_waiting_and_reading_signals_may_fail_for_a_while(prongd, words, call, error):
    """Each child that ends sends a signal. The first reads are of files."""
    when = "2..6" if call == "epoll_wait" else "1..400"
    server = prongd(*words, under=failing(call, error, when))

    def failed():
        assert is_served(server)
        return server.log_lines(event="events-failed")

    line = eventually(failed, "a failure")[0]
    assert (line["call"], line["error"]) == (call, str(error))


@pytest.mark.parametrize("error, text", [("EIO", "Input/output error"),
                                         (UNNAMED, "Unknown error 524")])  # fmt: skip
def test_a_server_that_can_never_wait_ends_and_says_why(error, text):
    words = [*failing("epoll_wait", error, "1+"), PRONGD, "-l", "127.0.0.1:0", "echo"]
    ended = subprocess.run(words, env=environment(), stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=30)  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.endswith(f": {text}\n")


@pytest.mark.parametrize("error", ["ENOSPC", "ENOMEM", UNNAMED])
@pytest.mark.parametrize("words, first", [(["--", "cat"], 3), (["-r", "always", "-s", 0, "echo"], 3),
                                          (["--resolve", "--", "cat"], 3)], ids=str)  # fmt: skip
def test_without_a_watch_a_client_is_held_until_there_is_one(prongd, words, first, error):
    """The first calls are for signals and the listener."""
    server = prongd(*words, under=failing("epoll_ctl", error, f"{first}..{first + 4}"))
    assert is_served(server)
    lines = server.log_lines(event="fork-failed") + server.log_lines(event="accept-failed")
    assert lines and lines[0]["error"] == str(error)
    if error == "ENOSPC":
        assert "max_user_watches" in lines[0]["cure"]


def test_without_a_watch_a_client_is_refused_by_that_policy(prongd):
    server = prongd("--at-limit", "refuse:later\n", "--", "cat",
                    under=failing("epoll_ctl", "ENOSPC", "3"))  # fmt: skip
    with server.connect() as client:
        assert receive_all(client) == b"later\n"
    assert server.wait_log(event="refused")[0]["reason"] == "refused-fork"
    eventually(lambda: is_served(server), "a watch")


def test_no_program_is_served_that_a_reset_would_not_end(prongd):
    server = prongd("--", "sh", "-c", "echo up; exec sleep 1000",
                    under=failing("epoll_ctl", "ENOSPC", "3..6"))  # fmt: skip
    client = server.connect()
    assert client.recv(3) == b"up\n"
    reset(client)
    server.wait_log(event="close", reason="reset")
    eventually(lambda: not children(server.pid), "no program")


@pytest.mark.parametrize("words", [["--", "cat"], ["--kill-descendants", "--", "cat"]], ids=str)
def test_a_pipe_that_cannot_be_had_leaves_no_descriptors(prongd, words):
    """After the start, fcntl(2) is only called for a program's standard error."""
    server = prongd(*words)
    assert is_served(server)
    before = eventually(lambda: not children(server.pid) and descriptors(server), "at rest")
    with attached(server, "fcntl", "error=EMFILE:when=1..4"):
        assert is_served(server)
        assert server.wait_log(event="fork-failed")[0]["error"] == "EMFILE"
    assert is_served(server)
    eventually(lambda: descriptors(server) == before, "no more than before")


@pytest.mark.parametrize("error", ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"])
def test_a_worker_that_lacks_something_for_a_moment_accepts_later(prongd, error):
    under = failing("accept4", error, "1..3")
    under.insert(2, "-f")
    server = prongd("-r", "always", "-s", 2, "--accept", "workers", "echo", under=under)
    assert all(is_served(server) for _ in range(5))
    assert not server.log_lines(event="privileges-failed")
    assert len(server.workers()) == 2


@pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EPIPE", UNNAMED])
def test_readiness_that_cannot_be_told_is_logged(prongd, tmp_path, error):
    """The first write(2) is the log's, with the lines of the start."""
    with open(tmp_path / "ready", "wb") as ready:
        server = prongd("-v", "-l", "127.0.0.1:0", "--ready-fd", ready.fileno(), "echo",
                        plain=True, pass_fds=[ready.fileno()],
                        under=failing("write", error, "2"))  # fmt: skip
        [line] = server.wait_log(event="ready-failed")
    assert (line["level"], line["error"]) == ("warning", str(error))
    assert (tmp_path / "ready").read_bytes() == b""


@pytest.mark.parametrize("error", ["EMFILE", "EPERM", UNNAMED])
def test_a_ready_fd_that_cannot_be_looked_at_is_no_bad_usage(prongd, tmp_path, error):
    with open(tmp_path / "ready", "wb") as ready:
        prongd("-v", "-l", "127.0.0.1:0", "--ready-fd", ready.fileno(), "echo",
               plain=True, pass_fds=[ready.fileno()],
               under=failing("fcntl", error, "1")).wait_log(event="start")  # fmt: skip
        eventually((tmp_path / "ready").read_bytes, "the address")


@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_monitor_whose_wait_fails_still_sees_the_program_end(prongd, first):
    server = prongd("--kill-descendants", "--", "cat")
    with attached(server, "wait4", f"error=ECHILD:when={first}..{first + 1}", "-f"):
        assert is_served(server)
        assert server.wait_log(event="close")[0]["reason"] == "eof"


KERNELS = [
    ("prctl", ["echo"]),
    ("prctl", ["--", "cat"]),
    ("setsockopt", ["echo"]),
    ("bind", ["echo"]),
    ("listen", ["echo"]),
    ("socket", ["echo"]),
    ("getsockname", ["echo"]),
    ("setresuid", ["--user", "65534", "echo"]),
    ("setgroups", ["--user", "65534", "--", "cat"]),
    ("capset", ["echo"]),
]


@pytest.mark.parametrize("call, words", KERNELS, ids=str)
def test_what_the_kernel_calls_invalid_is_no_bad_usage(root, call, words):
    """Systemd units treat exit status 2 as final."""
    under = failing(call, "EINVAL", "1+")
    under.insert(2, "-f")
    ended = subprocess.run([*under, PRONGD, "-l", "127.0.0.1:0", *words],
                           env=environment(), stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=30)  # fmt: skip
    assert (ended.returncode, "Invalid argument" in ended.stderr) == (1, True), ended


# A call on a path, or any such call; what fails because of it; what else is reported.
REASONS = [
    ("openat", "/etc/passwd", ["--user", "nobody", "echo"], 'cannot look up the user "nobody"'),
    ("openat", "/etc/group", ["--user", "1", "--group", "tty", "echo"],
     'cannot look up the group "tty"'),
    ("getrandom", None, ["--max-per-source", 9, "echo"], "cannot choose a secret: getrandom(2)"),
    ("pread64", "/bin/cat", ["--", "/bin/cat"], "cannot run /bin/cat"),
    ("faccessat2", None, ["--", "/bin/cat"], "cannot run /bin/cat"),
]  # fmt: skip


@pytest.mark.parametrize("call, path, words, text", REASONS, ids=str)
def test_a_failing_call_is_not_taken_for_another_reason(root, call, path, words, text):
    under = failing(call, "EIO", "1+")
    under.insert(2, "-f")  # a process of its own looks at the program
    if path is not None:
        under += ["-P", os.path.realpath(path)]
    ended = subprocess.run([*map(str, [*under, PRONGD, "-l", "127.0.0.1:0", *words])],
                           env=environment(), stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, timeout=30)  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, f"prongd: {text}: Input/output error\n")
