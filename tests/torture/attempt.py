"""One point of the sweep: a server or a client in which one call fails, and what must
hold nevertheless. Everything is observed from outside; a complaint is a sentence."""

import contextlib
import ctypes
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
LONGEST = 10  # seconds, for each of a start, a client and a stop
DATA = b"d" * 100
PATIENCE = 5  # seconds until a failure that repeats in each process is ended


def injection(point):
    if point.call is None:  # the run in which the calls are counted
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


def become_subreaper():
    """Make this process the parent of what a server or client leaves behind."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def left_behind():
    """Living children, except tracers, which end by themselves."""
    found = []
    for pid in children(os.getpid()):
        with contextlib.suppress(OSError):
            if is_alive(pid) and Path(f"/proc/{pid}/comm").read_text() != "strace\n":
                found.append(int(pid))
    return found


def wait_for(condition, seconds):
    """Wait; return whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)  # until the next look
    return bool(held)


class Attempt:
    """One attempt. strace writes to trace_path; complaints are collected."""

    def __init__(self, point, scratch, usual=None):
        self.point, self.scratch, self.usual = point, Path(scratch), usual
        self.trace_path = self.scratch / "trace"
        self.log_path = self.scratch / "log"
        self.complaints = []
        self.process = None

    def complain(self, sentence):
        self.complaints.append(sentence)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def trace(self):
        return self.trace_path.read_text(errors="replace") if self.trace_path.exists() else ""

    def failed(self):
        """The processes in which the call failed: the first one, and others."""
        pids = {int(p) for p in re.findall(r"^(\d+) .*\(INJECTED\)", self.trace(), re.MULTILINE)}
        return pids & {self.process.pid}, pids - {self.process.pid}

    def check_no_crash(self):
        """A program may crash if its own loader fails."""
        signals = r"^(\d+) +--- SIG(?:ABRT|BUS|FPE|ILL|SEGV) "
        crashed = {int(pid) for pid in re.findall(signals, self.trace(), re.MULTILINE)}
        if "--" in MODES.get(self.point.mode, ()):
            crashed &= {self.process.pid}
        if crashed:
            self.complain("a process has crashed")

    def strace(self, *options):
        return ["strace", "-I2", *options, "-f", "-qq", "-o", str(self.trace_path),
                *injection(self.point)]  # fmt: skip

    def check_nothing_left(self):
        """Except the process itself, if it has not ended."""
        own = {self.process.pid} if self.process.poll() is None else set()
        if not wait_for(lambda: not set(left_behind()) - own, PATIENCE):
            self.complain("processes are left behind")

    def clean_up(self):
        """End and reap every child, and what those leave behind."""
        while pids := children(os.getpid()):
            for pid in map(int, pids):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                with contextlib.suppress(OSError):
                    os.waitpid(pid, 0)


class ServerAttempt(Attempt):
    def mode_words(self):
        first = 2_000_000_000 + os.getpid() % 500_000 * 40
        return [word.replace("RANGE", f"{first}:40") for word in MODES[self.point.mode]]

    def start(self):
        """Return its address, or None if it was not ready. strace
        -D: the pid is prongd's."""
        listen = "127.0.0.1:0"
        if self.point.mode == "unix":
            listen = f"unix:{self.scratch}/socket"
        reader, writer = os.pipe()
        under = self.strace("-D") if self.point.phase == "start" else []
        words = [*under, BUILD / "prongd", "-v", "-l", listen, "--grace", "2s",
                 "--ready-fd", str(writer), *self.mode_words()]  # fmt: skip
        with open(self.log_path, "wb") as log, open(os.devnull, "rb+") as null:
            self.process = subprocess.Popen(words, stdin=null, stdout=null, stderr=log,
                                            pass_fds=[writer])  # fmt: skip
        os.close(writer)
        ready, _, _ = select.select([reader], [], [], LONGEST)
        text = os.read(reader, 4096).decode() if ready else ""
        os.close(reader)
        if text:
            return text.strip()
        # If telling it has failed, the log says so.
        failed = re.search(r"event=ready-failed", self.log())
        told = re.search(r"event=listen address=(\S+)", self.log())
        return told[1] if failed and told else None

    def attach(self):
        pids = [self.process.pid, *children(self.process.pid)]
        words = self.strace(*itertools.chain.from_iterable(["-p", str(p)] for p in pids))
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)  # fmt: skip
        status = Path(f"/proc/{self.process.pid}/status")
        wait_for(lambda: "TracerPid:\t0" not in status.read_text(), LONGEST)

    def check_no_start(self):
        """It must say why and end with 1."""
        try:
            status = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            return self.complain("hangs at the start")
        if status != 1:
            self.complain(f"status {status} though it did not start")
        if not re.search(r"^prongd: \S", self.log(), re.MULTILINE):
            self.complain("does not say why it did not start")

    def lift(self):
        """End the failing: detach the tracer."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        tracer = int(re.search(r"TracerPid:\t(\d+)", status)[1])
        if tracer > 0:
            os.kill(tracer, signal.SIGTERM)
            wait_for(lambda: not is_alive(tracer), LONGEST)

    def receive(self, client):
        """Receive everything until the end. A client may wait while each process that
        is made for it fails, if it is served once they no longer do."""
        got = b""
        while True:
            try:
                part = client.recv(65536)
            except TimeoutError:
                if client.gettimeout() == LONGEST:
                    raise
                client.settimeout(LONGEST)
                if len(self.failed()[1]) > 1:
                    self.waited = True
                    self.lift()
                continue
            if not part:
                return got
            got += part

    def ask(self, address):
        """What became of one client: "served", or how it failed."""
        unix = address.startswith("unix:")
        family = socket.AF_UNIX if unix else socket.AF_INET
        to = address[5:] if unix else ("127.0.0.1", int(address.rsplit(":", 1)[1]))
        try:
            with socket.socket(family) as client:
                client.settimeout(PATIENCE)
                client.connect(to)
                client.sendall(DATA)
                client.shutdown(socket.SHUT_WR)
                got = self.receive(client)
        except TimeoutError:
            return "hangs"
        except OSError as error:
            return f"lost ({error})"
        if got == b"busy":
            return "refused"
        return "served" if got == DATA else f"lost ({len(got)} bytes)"

    def check_clients(self, address):
        """A failure may lose one client, which the log reports. The call fails in each
        process anew, so each worker may lose its own."""
        results = []
        while len(results) < 3 and "hangs" not in results:
            results.append(self.ask(address))
        lost = sum(result not in ("served", "refused") for result in results)
        own, others = self.failed()
        if "hangs" in results or lost > len(own) + len(others):
            self.complain(f"clients: {', '.join(results)}")
        if lost > 1:
            self.lift()
            if (result := self.ask(address)) != "served":
                self.complain(f"after the failure: {result}")
        self.lost = lost
        if self.waited and not re.search(r"level=(error|warning)", self.log()):
            self.complain("clients wait, and the log says nothing")

    def look(self):
        """How many children and how many descriptors the supervisor has."""
        try:
            fds = os.listdir(f"/proc/{self.process.pid}/fd")
        except OSError:
            fds = []
        return len(children(self.process.pid)), len(fds)

    def check_as_usual(self):
        """As many processes as without a failure, and not more descriptors."""
        if self.usual is None:
            time.sleep(1)  # until the spares are complete again
            self.usual = self.look()
            return

        spares = [b for a, b in itertools.pairwise(MODES[self.point.mode]) if a == "-s"]
        if "event=cold" in self.log():  # the line says why there are no spares
            spares = []

        def is_as_usual():
            processes, fds = self.look()
            more = processes - self.usual[0]  # workers of a pool, with a channel each
            return processes >= int((spares or "0")[0]) and fds <= self.usual[1] + more

        if not wait_for(is_as_usual, PATIENCE) and len(self.failed()[1]) > 1:
            self.lift()
        if not wait_for(is_as_usual, LONGEST):
            self.complain(f"processes, descriptors: {self.look()} instead of {self.usual}")

    def check_stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        else:
            self.complain("ended by itself")
        try:
            status = self.process.wait(LONGEST)
        except subprocess.TimeoutExpired:
            return self.complain("hangs at the stop")
        if status != 0:
            return self.complain(f"status {status} at the stop")
        self.check_nothing_left()
        self.check_totals()

    def check_totals(self):
        found = re.search(r"event=stop accepted=(\d+) active=(\d+) closed=(\d+)", self.log())
        # The missing line may be the one that could not be written.
        if not found and self.point.call != "write":
            self.complain("no line event=stop")
        if found and (found[1] != found[3] or found[2] != "0"):
            self.complain(f"unbalanced: {found[0]}")
        # If workers accept for themselves, only the totals report a connection.
        told = r"level=(error|warning)|reason=(?!eof)|closed=.* (?!eof)[a-z-]+=\d.* bytes_in="
        if self.lost > 0 and not re.search(told, self.log()):
            self.complain(f"{self.lost} clients lost, and the log says nothing")

    def run(self):
        self.waited, self.lost = False, 0
        address = self.start()
        if address is None:
            return self.check_no_start()
        if self.point.phase == "attached":
            self.attach()
        self.check_clients(address)
        self.check_as_usual()
        self.check_stop()
        if self.point.mode == "unix" and (self.scratch / "socket").exists():
            self.complain("the socket's path is left behind")


class ClientAttempt(Attempt):
    """An attempt on prong connect, to a server that echoes one connection."""

    def serve(self, listener):
        """Run the server as a child, since this process has enough threads."""
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
                                                stdout=subprocess.PIPE)  # fmt: skip
            self.check(*self.process.communicate(DATA, LONGEST))
        except subprocess.TimeoutExpired:
            self.complain("hangs")
        finally:
            server.kill()
            server.wait()
        self.check_nothing_left()

    def check(self, output, _):
        status = self.process.returncode
        if status not in (0, 1):
            self.complain(f"status {status}")
        if status == 0 and output != DATA:
            self.complain(f"status 0, and {len(output)} bytes of {len(DATA)}")
        # Like cat(1), it prints nothing when the reader of its output is gone.
        gone = (self.point.call, self.point.error) == ("write", "EPIPE")
        if status == 1 and not gone and not re.search("^prong( connect)?: ", self.log()):
            self.complain("status 1 without a message")


def attempt(point, usual=None):
    """Run a point: (complaints, the log's end, the trace, what is usual). usual is the
    result of the run in which nothing failed."""
    kind = ClientAttempt if point.mode == CLIENT else ServerAttempt
    become_subreaper()
    with tempfile.TemporaryDirectory(prefix="torture-") as scratch:
        os.chmod(scratch, 0o755)
        one = kind(point, scratch, usual)
        try:
            one.run()
            one.check_no_crash()
        finally:
            one.clean_up()
        return one.complaints, one.log()[-400:], one.trace(), one.usual
