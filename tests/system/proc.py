"""What /proc says about a process. A process that is gone reads as empty or None."""

import contextlib
import os
import time
from pathlib import Path


def read(pid, name):
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def read_bytes(pid, name):
    """The same as bytes; also empty if it may not be read."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


def gone(pid):
    """Neither alive nor a zombie."""
    return not os.path.exists(f"/proc/{pid}")


def children(pid):
    """Pids, including those of dead children not yet reaped;
    each thread has its own."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return []
    lists = [read(pid, f"task/{thread}/children") for thread in threads]
    return [int(child) for text in lists for child in text.split()]


def name_of(pid):
    return read(pid, "comm").strip()


def state(pid):
    """One letter: R, S, T, Z, ...; None if it is gone."""
    text = read(pid, "stat")
    return text[text.rindex(")") + 2] if text else None


def parent(pid):
    """None if it is gone."""
    text = read(pid, "stat")
    return int(text[text.rindex(")") + 2 :].split()[1]) if text else None


def is_zombie(pid):
    return state(pid) in ("Z", "X", None)


def status(pid):
    """/proc/PID/status as a dict."""
    lines = read(pid, "status").splitlines()
    return {key: value.strip() for key, _, value in (l.partition(":") for l in lines)}


def is_blocked(pid, number):
    """Whether the process has blocked that signal."""
    return bool(int(status(pid)["SigBlk"], 16) >> (number - 1) & 1)


def memory(pid):
    """Resident bytes that are private."""
    return int(status(pid)["RssAnon"].split()[0]) * 1024


def resident(pid):
    """Resident bytes, including shared ones, counted page by page."""
    lines = read(pid, "smaps_rollup").splitlines()
    [rss] = [line for line in lines if line.startswith("Rss:")]
    return int(rss.split()[1]) * 1024


def sleeps(pid):
    """How often it has gone to sleep: once for each wake-up."""
    return int(status(pid)["voluntary_ctxt_switches"])


def cpu_seconds(pid):
    """The processor time it has used, to the nanosecond."""
    return int(read(pid, "schedstat").split()[0]) / 1e9


def descriptors(pid):
    """Its open descriptors and their targets."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
    return found


def settled(pid, calm=0.02, timeout=10):
    """Wait until the process has been asleep, or stopped, for a moment.

    A process that only waits for a processor does not count as asleep; nor does one
    that waits in a futex for its child to be launched.
    """

    def look():
        return state(pid), sleeps(pid), cpu_seconds(pid)

    def launches():
        return read(pid, "wchan").startswith("futex")

    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        before = look()
        time.sleep(calm)  # the moment
        if before[0] in ("S", "T") and look() == before and not launches():
            return
    raise AssertionError(f"process {pid} does not come to rest")
