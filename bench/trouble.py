"""What happens to everyone else when one client meets a bug, or never reads.

The others are ten clients that stay connected and have 200 echoes a second together, and
20 new clients a second. Both come from prong bench, in an open loop, so that their longest
time tells how long one of them had to wait.
"""

import contextlib
import json
import socket
import subprocess
import time
from pathlib import Path

from servers import FAILURES, SOURCES, Server, load_command

KEPT = 10
BEFORE = 0.4  # seconds in which the others are served before it happens
# What the client sends, and for how many seconds after that the others are looked at.
CASES = {
    "crash": (b"please crash\n", 0.6),
    "compute": (b"please compute\n", 2.4),
    "leak": (b"please leak\n", 0.8),
    "never reads": (None, 0.6),
}


def family(pid):
    """The pids of a process and of all that descend from it."""
    found = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def kib(pid, file, key):
    """A line of /proc/PID/FILE; 0 if the process has gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1])
    return 0


def own_memory(pid):
    """KiB of all its processes; a page that several of them share counts once (Pss)."""
    return sum(kib(one, "smaps_rollup", "Pss") for one in family(pid))


class Others:
    """Their two loads, started; result() waits for the end and says how they fared."""

    def __init__(self, server, seconds):
        length = ["-d", f"{seconds * 1000:.0f}ms", "-t", f"{max(1, seconds) * 1000:.0f}ms"]
        kept = ["--keep", "-c", str(KEPT), "--rate", "200/s", *length]
        coming = ["--churn", "--rate", "20/s", *length, *SOURCES]
        self.loads = [
            subprocess.Popen(load_command(words, server.address),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            for words in (kept, coming)]  # fmt: skip

    def result(self):
        outputs = [load.communicate(timeout=60)[0] for load in self.loads]
        kept, coming = [json.loads(output.splitlines()[-1]) for output in outputs]
        return {
            "lost": min(KEPT, failures(kept)),
            "delay_ms": milliseconds(kept["round_us"]),
            "new_ok": coming["ok"],
            "new_lost": failures(coming),
            "new_delay_ms": milliseconds(coming["first_us"]),
        }


def failures(report):
    return sum(report[kind] for kind in FAILURES)


def milliseconds(times):
    """The longest; None if there was none."""
    longest = times and times["max"]
    return None if longest is None else round(longest / 1000, 1)


def connected(server):
    """A client that has had an echo."""
    host, port = server.address.rsplit(":", 1)
    client = socket.create_connection((host, int(port)), timeout=10)
    client.sendall(b"hello\n")
    assert client.recv(100) == b"hello\n"
    return client


def send_without_reading(client):
    """Until neither end takes any more."""
    client.setblocking(False)
    quiet = 0
    while quiet < 5:
        try:
            client.send(bytes(65536))
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.02)


def set_off(client, words):
    if words is None:
        send_without_reading(client)
    else:
        client.sendall(words)


def answer(client):
    """Waits for the echo, or for the end of the connection."""
    with contextlib.suppress(ConnectionError):
        client.recv(100)


def still_serves(server):
    try:
        connected(server).close()
    except (OSError, AssertionError):
        return False
    return True


def least_memory(server, patience=1.0):
    """What is left of it when the kernel has had some time to take it back."""
    deadline = time.monotonic() + patience
    least = own_memory(server.pid)
    while time.monotonic() < deadline:
        time.sleep(0.1)
        least = min(least, own_memory(server.pid))
    return least


def everyone_else(name, case):
    """One case on a server of its own: how the others fared."""
    words, after = CASES[case]
    with Server(name) as server:
        client = connected(server)
        memory = [own_memory(server.pid)]
        others = Others(server, BEFORE + after)
        time.sleep(BEFORE)
        set_off(client, words)
        if words:
            answer(client)
        memory.append(own_memory(server.pid))
        result = others.result()
        client.close()
        if case == "leak":
            memory.append(least_memory(server))
            result["mb"] = [round(size * 1024 / 1e6) for size in memory]
        result["serves_after"] = still_serves(server)
    return result
