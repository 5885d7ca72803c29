"""The servers that are compared: how each is started, found ready, and stopped.

A server listens on 127.0.0.1, in a session of its own, with the largest queue and limit
that it accepts, so that a lost connection is the server's fault and not that of a
setting.
"""

import contextlib
import json
import os
import pwd
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BENCH = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("PRONG_BUILD", BENCH.parent / "build")).resolve()
CAT = "/bin/cat"
# As many as descriptors allow: prongd keeps one for each process.
MANY = str(min(20000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]) - 100)
FAILURES = ("refused", "reset", "timed_out", "closed_early", "wrong_bytes", "other")
# Many source addresses: with only one, the kernel's search for a free port is measured.
SOURCES = ["--sources", "127.0.0.2/100"]


def installed(path):
    """A copy, as an installation makes it. The page cache keeps a file as it was
    written, and one that the linker wrote in pieces makes a fork several per cent
    slower. The copy is new each time, since how memory is split then matters just as
    much."""
    copy = BUILD / "bench" / "installed" / Path(path).name
    copy.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["install", BUILD / path, copy], check=True)
    return copy


# Our own servers and the references take port 0 and announce the one they got.
OURS = {
    "prongd": ["-n", MANY, "echo"],
    "prongd -s 16": ["-n", MANY, "-s", "16", "echo"],
    "prongd -r always -s 16": ["-n", MANY, "-r", "always", "-s", "16", "echo"],
    "prongd --accept workers": ["-n", MANY, "-r", "always", "--accept", "workers", "echo"],
    "prongd cat": ["-n", MANY, "--", CAT],
    "prongd --warm cat": ["-n", MANY, "-s", "16", "--warm", "--", CAT],
}
REFERENCES = ["fork_echo", "prefork_echo", "epoll_echo", "spawn_echo", "loop_echo"]
# The approaches that docs/chapter.md compares, each with its deliberate bug.
APPROACHES = {
    "iterative": ["iterative_server", "0"],
    "processes": ["echo_server", "0"],
    "select": ["select_server", "0"],
    "epoll": ["epoll_server", "0"],
    "threads": ["thread_server", "0"],
    "prong, fresh": ["prong_server", "0"],
    "prong, pool": ["prong_server", "0", "pool"],
}
# Each prints a line that ends with its address.
ANNOUNCING = {name: [f"bench/reference/{name}", "0"] for name in REFERENCES}
for name, (program, *words) in APPROACHES.items():
    ANNOUNCING[name] = [f"examples/chapter/trouble/{program}", *words]

XINETD = """\
defaults
{{
	instances = UNLIMITED
	per_source = UNLIMITED
	cps = 1000000 1
}}
service echo_by_cat
{{
	type = UNLISTED
	socket_type = stream
	protocol = tcp
	wait = no
	user = {user}
	bind = 127.0.0.1
	port = {port}
	server = {cat}
}}
"""


def socat(port, to):
    listen = f"TCP4-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=4096"
    return ["socat", listen, to]


def xinetd(port, scratch):
    user = pwd.getpwuid(os.getuid()).pw_name
    config = Path(scratch, "xinetd.conf")
    config.write_text(XINETD.format(user=user, port=port, cat=CAT))
    return ["xinetd", "-dontfork", "-f", config, "-pidfile", Path(scratch, "pid")]


def python(port, _):
    return [sys.executable, BENCH / "peers" / "forking.py", str(port)]


def perl(kind):
    script = BENCH / "peers" / "net_server.pl"
    return lambda port, _: ["perl", script, kind, str(port)]


# Each gets a port and a directory of its own, and returns its command.
PEERS = {
    "socat PIPE": lambda port, _: socat(port, "PIPE"),
    "socat EXEC cat": lambda port, _: socat(port, f"EXEC:{CAT}"),
    "tcpserver cat": lambda port, _: [
        "tcpserver", "-HRD", "-l", "0", "-c", MANY, "-b", "4096",
        "127.0.0.1", str(port), CAT],
    "tcpsvd cat": lambda port, _: [
        "tcpsvd", "-l", "0", "-c", MANY, "-b", "4096", "127.0.0.1", str(port), CAT],
    "xinetd cat": xinetd,
    "ncat cat": lambda port, _: [
        "ncat", "-l", "-k", "-m", MANY, "-e", CAT, "127.0.0.1", str(port)],
    "ForkingTCPServer": python,
    "Net::Server Fork": perl("Fork"),
    "Net::Server PreFork": perl("PreFork"),
}  # fmt: skip


def has_listener(port):
    """Reads the kernel's table, since a connection would be counted by the server."""
    wanted = f"0100007F:{port:04X} 00000000:0000 0A"
    return wanted in Path("/proc/net/tcp").read_text()


def free_port():
    """A port below those that the kernel gives to clients."""
    while has_listener(port := random.randrange(12000, 32000)):
        pass
    return port


def failed(report):
    """What went wrong in a report of prong bench, in words; empty if nothing did."""
    kinds = [f"{report[k]} {k.replace('_', ' ')}" for k in FAILURES if report[k]]
    if report["unfinished"] or report["lost_processes"]:
        kinds.append("broken off")
    return ", ".join(kinds) or ("" if report["ok"] else "nothing came back")


def load_command(words, address):
    return [str(BUILD / "prong"), "bench", "--json", *words, address]


INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def uninterrupted():
    """Delay signals until the end of the block: half-started processes
    would be left behind."""
    came = []
    before = {one: signal.signal(one, lambda number, _: came.append(number))
              for one in INTERRUPTS}  # fmt: skip
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for number in came:
            signal.raise_signal(number)


class Server:
    """A server that runs until the block ends. words replaces prongd's arguments."""

    def __init__(self, name, words=None, under=()):
        self.name, self.under = name, list(under)
        self.words = words or OURS.get(name)

    def __enter__(self):
        self.scratch = tempfile.mkdtemp(prefix="prong-bench-")
        self.usage = self.process = None
        try:
            if self.words:
                self._start_ours()
            elif self.name in ANNOUNCING:
                self._start_announcing()
            else:
                self._start_peer()
        except BaseException:
            if self.process is not None:
                self._stop()
            shutil.rmtree(self.scratch)
            raise
        return self

    def _spawn(self, words, **popen):
        """Errors go to a file: its messages about clients that are gone do not matter
        here."""
        with open(Path(self.scratch, "stderr"), "wb") as log, uninterrupted():
            self.process = subprocess.Popen(
                [str(word) for word in words], start_new_session=True,
                stdin=subprocess.DEVNULL, stderr=log, **popen)  # fmt: skip
            self.pid = self.process.pid

    def _start_ours(self):
        reader, writer = os.pipe()
        installed("prong-warm.so")  # --warm looks for it beside prongd
        words = [*self.under, installed("prongd"), "-q", "-l", "127.0.0.1:0"]
        words += ["--ready-fd", writer, *self.words]
        self._spawn(words, stdout=subprocess.DEVNULL, pass_fds=[writer])
        os.close(writer)
        with open(reader) as ready:
            self.address = ready.readline().strip()
        self._expect(self.address)

    def _start_announcing(self):
        program, *words = ANNOUNCING[self.name]
        self._spawn([installed(program), *words], stdout=subprocess.PIPE)
        self.address = self.process.stdout.readline().decode().rpartition(" ")[2].strip()
        self.process.stdout.close()
        self._expect(self.address)

    def _start_peer(self):
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self._spawn(PEERS[self.name](port, self.scratch), stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 10
        while not has_listener(port):
            alive = self.process.poll() is None and time.monotonic() < deadline
            self._expect(alive)
            time.sleep(0.01)

    def _expect(self, ready):
        if not ready:
            said = Path(self.scratch, "stderr").read_text(errors="replace").strip()
            self._stop()
            raise RuntimeError(f"{self.name} does not start: {said[-200:]}")

    def __exit__(self, *_):
        self._stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def served_by(self):
        """The process of the server itself, which is a child of strace."""
        if self.under[:1] != ["strace"]:
            return self.pid
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text())

    def _stop(self):
        """End the whole session, since some servers leave their children behind."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.served_by(), signal.SIGTERM)
        deadline = time.monotonic() + 10
        while not self._reaped() and time.monotonic() < deadline:
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._reaped(0)

    def _reaped(self, flags=os.WNOHANG):
        """Reap the server; includes the resources of the
        children that it waited for."""
        if self.process.returncode is not None:
            return True
        pid, status, usage = os.wait4(self.pid, flags)
        if pid:
            self.usage = usage
            self.process.returncode = os.waitstatus_to_exitcode(status)
        return bool(pid)

    def load(self, *words):
        """The report of prong bench; failed() tells whether it is good."""
        run = subprocess.run(
            load_command(words, self.address), stdout=subprocess.PIPE, timeout=300)
        return json.loads(run.stdout.splitlines()[-1])
