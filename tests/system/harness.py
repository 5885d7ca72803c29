"""A real prongd under test: starting it, talking to it, observing it from outside.

Owns the server process and every client socket that a test opened through it.
Server.stop() and no_strays() check what must be true after every test; nothing here
depends on the inside of prongd.
"""

import contextlib
import fcntl
import json
import os
import resource
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

import logline
from proc import children, descriptors, is_zombie, name_of, settled
from sockets import exchange, family_and_address, receive_all, receive_exactly

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("PRONG_BUILD", ROOT / "build")).resolve()
PRONGD = BUILD / "prongd"
PRONG = BUILD / "prong"
HANDLERS = BUILD / "tests" / "programs" / "handlers"

SANITIZED = b"__asan_init" in PRONGD.read_bytes() if PRONGD.exists() else False
# A sanitized build has no sandbox, and logs a warning about that when it starts. Only a
# test that counts the lines or the warnings of a log needs this argument.
UNWARNED = ("--sandbox", "off") if SANITIZED else ()
PATIENCE = 30 if SANITIZED else 15  # seconds until an expected fact counts as missing


def eventually(condition, what, timeout=PATIENCE, interval=0.005):
    """Wait until condition() is true and return its value; otherwise fail with what."""
    deadline = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(interval)  # until the next check


def load(server, *arguments, check=True):
    """Run prong bench on it; return its result. With check, no connection may fail."""
    result = finish_load(start_load(server, *arguments))
    assert not check or failures(result) == 0, f"{arguments} failed: {result}"
    return result


def start_load(server, *arguments):
    words = [PRONG, "bench", "--json", *map(str, arguments), server.texts[0]]
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def finish_load(process):
    output, _ = process.communicate(timeout=120)
    return json.loads(output.splitlines()[-1])


FAILURES = ("refused", "reset", "timed_out", "closed_early", "wrong_bytes", "other")


def failures(result):
    return sum(result[name] for name in FAILURES)


def environment(traced=False, **more):
    """Our environment; a traced process cannot be checked for leaks."""
    result = {**os.environ, "LC_ALL": "C", "TZ": "UTC", **more}
    if traced and SANITIZED:
        result["ASAN_OPTIONS"] = result.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return result


def high_pipe():
    """A pipe with high descriptor numbers, clear of the fixed ones from 3 up."""
    pipe = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 200) for end in pipe]
    for end in pipe:
        os.close(end)
    return high


class Server:
    """One running server.

    arguments: its command line after what is set here: listen, --ready-fd, verbose.
    program: prongd, or another one with the same options. plain: a program without
    these options, whose command line is its own and whose log says where it listens.
    under: a command that runs it in the same process, such as strace -D. listeners: how
    many it will have, if not those of listen. stderr: where the log goes instead of to
    a file that is read here. Other options are those of subprocess.Popen.
    """

    def __init__(self, log_path, arguments, *, program=PRONGD, listen=("127.0.0.1:0",),
                 listeners=None, verbose=True, plain=False, under=(), stderr=None,
                 **popen):  # fmt: skip
        self.log_path = log_path
        self.has_log = stderr is None
        self.json = "json" in arguments
        self.under = under
        self.clients = []
        self.killed = self.checked = False
        reader, writer = high_pipe()
        words = [*under, program]
        if not plain:
            words += ["--ready-fd", str(writer), *["-v"] * verbose]
            words += [word for address in listen for word in ("-l", address)]
        words += [str(word) for word in arguments]
        popen.setdefault("env", environment(traced=bool(under)))
        popen.setdefault("stdin", subprocess.DEVNULL)
        pass_fds = (writer, *popen.pop("pass_fds", ()))
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                words, stdout=popen.pop("stdout", subprocess.DEVNULL),
                stderr=log if stderr is None else stderr,
                pass_fds=pass_fds, **popen)  # fmt: skip
        os.close(writer)
        self.pid = self.process.pid
        try:
            if plain:
                self.texts = [self.wait_log(event="listen")[0]["address"]]
            else:
                self.texts = self._await_ready(reader, listeners or len(listen))
            self.addresses = [family_and_address(text) for text in self.texts]
            if self.has_log and "-q" not in arguments:
                self.settings = self.wait_log(event="start")[0]
                self.expect_workers(self.spares())
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            os.close(reader)
        self.baseline = self._own_descriptors()

    def _await_ready(self, reader, listeners):
        text = b""
        deadline = time.monotonic() + PATIENCE
        while text.count(b"\n") < listeners:
            left = deadline - time.monotonic()
            readable, _, _ = select.select([reader], [], [], max(left, 0))
            assert readable, f"not ready within {PATIENCE} s: {self.log_text()}"
            part = os.read(reader, 4096)
            assert part, f"ended before it was ready: {self.log_text()}"
            text += part
        return text.decode().splitlines()

    # What can be observed from outside.

    def spares(self):
        return min(int(self.settings["spare"]), int(self.settings["max_processes"]))

    def children(self):
        """Children, dead or alive, except a strace that watches the server."""
        found = children(self.pid)
        if self.under:
            found = [pid for pid in found if name_of(pid) != "strace"]
        return found

    def workers(self):
        return [pid for pid in self.children() if not is_zombie(pid)]

    def zombies(self):
        return [pid for pid in self.children() if is_zombie(pid)]

    def expect_workers(self, count, timeout=PATIENCE):
        """Wait until there are exactly count workers; return their pids."""
        return eventually(
            lambda: len(found := self.workers()) == count and (found or True),
            f"{count} workers", timeout)  # fmt: skip

    def _own_descriptors(self):
        """The supervisor's descriptors without channels: each idle worker has one,
        unless it accepts for itself."""
        settled(self.pid)
        accepts = "workers" in self.process.args
        return len(descriptors(self.pid)) - (0 if accepts else len(self.workers()))

    def log_text(self):
        return self.log_path.read_text() if self.log_path.exists() else ""

    def log_lines(self, **fields):
        """Complete lines with all these fields, as dicts of str."""
        text = self.log_text()
        complete = text[: text.rfind("\n") + 1].splitlines()
        parse = logline.parse_json if self.json else logline.parse_logfmt
        wanted = {key: str(value) for key, value in fields.items()}.items()
        return [line for line in map(parse, complete) if wanted <= line.items()]

    def wait_log(self, count=1, timeout=PATIENCE, **fields):
        """Wait for count such lines and return them."""

        def enough():
            found = self.log_lines(**fields)
            return len(found) >= count and found

        return eventually(enough, f"{count} log lines with {fields}", timeout, 0.01)

    def totals(self):
        """Ask for the totals, which are logged at most once a second."""
        before = len(self.log_lines(event="totals"))

        def answered():
            self.signal(signal.SIGUSR1)
            return self.log_lines(event="totals")[before:]

        return eventually(answered, "totals", interval=0.1)[-1]

    # Talking to the server.

    def socket(self, index=0, timeout=PATIENCE):
        """A socket of the listener's family, closed when the test ends."""
        client = socket.socket(self.addresses[index][0])
        client.settimeout(timeout)
        self.clients.append(client)
        return client

    def connect(self, index=0, timeout=PATIENCE):
        client = self.socket(index, timeout)
        client.connect(self.addresses[index][1])
        return client

    def ask(self, data=b"", index=0):
        """One whole connection: send data, return everything that comes back."""
        with self.connect(index) as client:
            return exchange(client, data)

    def refused(self):
        """A client that gets the end of its connection, or a reset, without a byte."""
        with self.connect() as client, contextlib.suppress(ConnectionError):
            client.sendall(b"let me in\n")
            assert receive_all(client) == b""

    def hold(self, count=1):
        """Connections that have been echoed once and stay open."""
        clients = [self.connect() for _ in range(count)]
        for client in clients:
            client.sendall(b"hold")
        for client in clients:
            assert receive_exactly(client, 4) == b"hold"
        return clients

    def close_clients(self):
        for client in self.clients:
            client.close()
        self.clients.clear()

    # Ending the server.

    def signal(self, number):
        self.process.send_signal(number)

    def set_limit(self, what, soft):
        """Call prlimit(2) from outside; return the previous soft limit."""
        before, hard = resource.prlimit(self.pid, what)
        resource.prlimit(self.pid, what, (soft, hard))
        return before

    def stop(self):
        """No client is served any more: check that nothing is left
        over, then end the server."""
        self.close_clients()
        eventually(lambda: not self.zombies(), "no zombie")
        eventually(
            lambda: self._own_descriptors() == self.baseline,
            f"descriptors back at {self.baseline}", interval=0.05)  # fmt: skip
        self.signal(signal.SIGTERM)
        return self.expect_exit()

    def expect_exit(self, timeout=PATIENCE):
        """It ends by itself with status 0; return the last line of its log, checked."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"not stopped within {timeout} s") from None
        assert status == 0, f"exit status {status}: {self.log_text()[-2000:]}"
        self.checked = True
        return self._check_log() if self.has_log else None

    def _check_log(self):
        text = self.log_text()
        assert text == "" or text.endswith("\n"), f"half a line: {text[-200:]!r}"
        lines = self.log_lines()
        if not hasattr(self, "settings"):
            return None
        last = lines[-1]
        assert last["event"] == "stop", f"the last line is {last}"
        logline.expect_balance(last)
        return last

    def kill(self):
        """Send SIGKILL, as a test of its own; nothing is expected of
        the server afterwards."""
        self.killed = True
        self.process.kill()
        self.process.wait()

    def finish(self):
        if self.killed or self.checked:
            return
        if self.process.poll() is None:
            self.stop()
        else:
            self.expect_exit()

    def cut(self):
        """Nothing may stay, even after a failure."""
        self.close_clients()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()


def collect_strays(before):
    """Reap our dead children for which no other code waits; return the living ones."""
    strays = []
    for pid in set(children(os.getpid())) - before:
        with contextlib.suppress(ChildProcessError):
            done, _ = os.waitpid(pid, os.WNOHANG)
            if done == 0:
                strays.append(pid)
    return strays


def no_strays(before, timeout=5):
    """Orphans become our children (PR_SET_CHILD_SUBREAPER); none may be alive."""
    try:
        eventually(lambda: not collect_strays(before), "no stray process", timeout)
    finally:
        for pid in collect_strays(before):
            os.kill(pid, signal.SIGKILL)


running = []  # servers, for the report of a test that fails


@contextlib.contextmanager
def servers(directory):
    """A factory of servers, which ends and checks all of them."""
    before = set(children(os.getpid()))
    started = []

    def start(*arguments, **options):
        server = Server(directory / f"log-{len(started)}", arguments, **options)
        started.append(server)
        running.append(server)
        return server

    try:
        yield start
        for server in started:
            server.finish()
    finally:
        for server in started:
            running.remove(server)
            server.cut()
        no_strays(before)
