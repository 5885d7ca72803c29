"""One point of the sweep: a server or a client one of whose calls fails, and what must
hold all the same. Everything is seen from outside; a complaint is a sentence."""

import contextlib
import itertools
import os
import re
import select
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from points import CLIENT, MODES

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("PRONG_BUILD", ROOT / "build")).resolve()
LONGEST = 10  # seconds, for a start, a client and a stop each
DATA = b"d" * 100
numbers = itertools.count()


def injection(point):
    if point.call is None:  # the run from which the calls are counted
        return []
    return ["-e", f"trace={point.call}",
            "-e", f"inject={point.call}:error={point.error}:when={point.when}"]  # fmt: skip


def children(pid):
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def marked(mark):
    """Living processes with this in their environment, but for the tracers."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (path / "environ").read_bytes() and is_alive(path.name):
                if (path / "comm").read_text().strip() != "strace":
                    found.append(int(path.name))
    return found


def wait_for(condition, seconds):
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)  # until it is looked at again
    return bool(held)


class Attempt:
    """What strace wrote is in trace_path; complaints grows."""

    def __init__(self, point, scratch):
        self.point, self.scratch = point, Path(scratch)
        self.trace_path = self.scratch / "trace"
        self.log_path = self.scratch / "log"
        self.complaints = []
        self.mark = f"TORTURE={os.getpid()}.{next(numbers)}"
        self.environment = {**os.environ, **dict([self.mark.split("=")])}
        self.process = self.tracer = None

    def complain(self, sentence):
        self.complaints.append(sentence)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def strace(self, *options):
        return ["strace", *options, "-f", "-qq", "-o", str(self.trace_path),
                *injection(self.point)]  # fmt: skip

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in marked(self.mark.encode()):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if self.tracer:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.tracer.wait(2)
            self.tracer.kill()
            self.tracer.wait()


class ServerAttempt(Attempt):
    def start(self):
        """Its address, or None if it did not get ready. strace -D: the pid is prongd's."""
        listen = "127.0.0.1:0"
        if self.point.mode == "unix":
            listen = f"unix:{self.scratch}/socket"
        reader, writer = os.pipe()
        under = self.strace("-D") if self.point.phase == "start" else []
        arguments = MODES[self.point.mode]
        env = ["--env", "TORTURE"] if "--" in arguments else []
        words = [*under, BUILD / "prongd", "-v", "-l", listen, "--grace", "2s",
                 "--ready-fd", str(writer), *env, *arguments]  # fmt: skip
        with open(self.log_path, "wb") as log, open(os.devnull, "rb+") as null:
            self.process = subprocess.Popen(words, stdin=null, stdout=null, stderr=log,
                                            pass_fds=[writer], env=self.environment)  # fmt: skip
        os.close(writer)
        ready, _, _ = select.select([reader], [], [], LONGEST)
        text = os.read(reader, 4096).decode() if ready else ""
        os.close(reader)
        if text.strip():
            return text.strip()
        # Where the line could not be written, the log says so, and has the address.
        started = re.search(r"event=listen address=(\S+)[^$]*event=start ", self.log())
        if started and "event=ready-failed" not in self.log():
            self.complain("readiness is not told, and the log does not say why")
        return started[1] if started else None

    def attach(self):
        pids = [self.process.pid, *children(self.process.pid)]
        words = self.strace(*itertools.chain.from_iterable(["-p", str(p)] for p in pids))
        self.tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)  # fmt: skip
        status = Path(f"/proc/{self.process.pid}/status")
        wait_for(lambda: "TracerPid:\t0" not in status.read_text(), LONGEST)

    def check_no_start(self):
        """It says why and ends with 1."""
        try:
            status = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            return self.complain("hangs at the start")
        if status != 1 and self.point.call != "fcntl":  # of --ready-fd
            self.complain(f"status {status} though it did not start")
        if not re.search(r"^prongd: \S", self.log(), re.MULTILINE):
            self.complain(f"does not say why it did not start: {self.log()[-200:]!r}")

    def ask(self, address):
        """What became of one client: "served", or how it failed."""
        unix = address.startswith("unix:")
        family = socket.AF_UNIX if unix else socket.AF_INET
        to = address[5:] if unix else ("127.0.0.1", int(address.rsplit(":", 1)[1]))
        got = b""
        try:
            with socket.socket(family) as client:
                client.settimeout(LONGEST)
                client.connect(to)
                client.sendall(DATA)
                client.shutdown(socket.SHUT_WR)
                while part := client.recv(65536):
                    got += part
        except TimeoutError:
            return "hangs"
        except OSError as error:
            return f"lost ({error})"
        if got == b"busy":
            return "refused"
        return "served" if got == DATA else f"lost ({len(got)} bytes)"

    def failures(self):
        """How often the supervisor has met with the failure, and the others."""
        pids = []
        if self.trace_path.exists():
            trace = self.trace_path.read_text(errors="replace")
            pids = re.findall(r"^(\d+) .*\(INJECTED\)", trace, re.MULTILINE)
        own = pids.count(str(self.process.pid))
        return own, len(pids) - own

    def check_clients(self, address):
        """A failure may lose one client, and the log tells of it; a call is failed in
        each process anew, so that each worker may lose its own."""
        results = []
        while len(results) < 3 and "hangs" not in results:
            results.append(self.ask(address))
        lost = sum(result not in ("served", "refused") for result in results)
        own, others = self.failures()
        # Where a failure meets each process anew, none can be made that would serve. By
        # default clients wait then, and the log tells why.
        why = re.search(r"event=(fork|privileges)-failed", self.log())
        waits = others > 1 and why
        if ("hangs" in results and not waits) or lost > (own > 0) + others:
            self.complain(f"clients: {', '.join(results)}")
        # In a pool that accepts for itself, no line is for a single connection.
        if lost > 0 and ("hangs" in results or self.point.mode != "accepting"):
            told = r"level=(error|warning)|failed|crash|refused|reason=(?!eof)"
            if not wait_for(lambda: re.search(told, self.log()), 1):
                self.complain(f"{lost} clients lost, and the log says nothing")

    def check_stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            return self.complain("hangs at the stop")
        if status not in (0, 1):
            return self.complain(f"status {status} at the stop")
        if status == 1 and not re.search("^prongd: |level=error", self.log(), re.MULTILINE):
            return self.complain("status 1 without a word")
        if not wait_for(lambda: not marked(self.mark.encode()), 1):
            self.complain("processes are left behind")
        if status == 0:
            self.check_totals()

    def check_totals(self):
        found = re.search(r"event=stop accepted=(\d+) active=(\d+) closed=(\d+)", self.log())
        # A log that cannot be written has no last line: that is the injected failure.
        if not found and self.point.call not in ("write", "openat", "sendto", "mmap"):
            self.complain("no line event=stop")
        if found and (found[1] != found[3] or found[2] != "0"):
            self.complain(f"unbalanced: {found[0]}")

    def run(self):
        address = self.start()
        if address is None:
            return self.check_no_start()
        if self.point.phase == "attached":
            self.attach()
        self.check_clients(address)
        self.check_stop()
        # What cannot be looked at, or not be removed, stays.
        kept = self.point.call in ("unlink", "newfstatat")
        if self.point.mode == "unix" and not kept and (self.scratch / "socket").exists():
            self.complain("the socket's path is left behind")


class ClientAttempt(Attempt):
    """prong connect, to a server that echoes one connection."""

    def serve(self, listener):
        """The server is a child, since this process has threads enough."""
        echo = "import socket,sys\ns=socket.socket(fileno=int(sys.argv[1]))\ns.settimeout(9)\n"
        echo += "c,_=s.accept()\nc.settimeout(9)\n"
        echo += "while d:=c.recv(65536): c.sendall(d)\n"
        return subprocess.Popen(["/usr/bin/python3", "-c", echo, str(listener.fileno())],
                                pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)  # fmt: skip

    def run(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = str(listener.getsockname()[1])
            server = self.serve(listener)
        try:
            words = [*self.strace("-D"), BUILD / "prong", "connect", "127.0.0.1", port]
            with open(self.log_path, "wb") as log:
                self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=log,
                                                stdout=subprocess.PIPE,
                                                env=self.environment)  # fmt: skip
            self.check(*self.process.communicate(DATA, LONGEST))
        except subprocess.TimeoutExpired:
            self.complain("hangs")
        finally:
            server.kill()
            server.wait()

    def check(self, output, _):
        status = self.process.returncode
        if status == 127 and "error while loading shared libraries" in self.log():
            return  # before main()
        if status not in (0, 1):
            self.complain(f"status {status}")
        # EPIPE: the server takes no more, which is its right, or the reader has gone, to
        # whom there is nothing to say (prong-connect(1)).
        gone = self.point.error == "EPIPE" and self.point.call
        if status == 0 and output != DATA and gone != "sendto":
            self.complain(f"status 0, and {len(output)} bytes of {len(DATA)}")
        if status == 1 and gone != "write" and not re.search("^prong( connect)?: ", self.log()):
            self.complain("status 1 without a message")


def attempt(point):
    """Runs a point: (complaints, the log's end, the trace)."""
    kind = ClientAttempt if point.mode == CLIENT else ServerAttempt
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        os.chmod(scratch, 0o755)
        one = kind(point, scratch)
        try:
            one.run()
        finally:
            one.clean_up()
        trace = ""
        if one.trace_path.exists():
            trace = one.trace_path.read_text(errors="replace")
        return one.complaints, one.log()[-400:], trace
