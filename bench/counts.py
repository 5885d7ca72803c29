"""Measure what noise does not affect: faults, system calls, mappings, instructions.

Each figure is the cost of one more connection: the difference between a long and a
short run, one connection at a time and all on one processor. So start, stop and the
scheduler are not part of it. Each figure is the median of a few runs.
"""

import contextlib
import os
import shutil
import statistics
import tempfile
from pathlib import Path

from servers import Server, failed

SHORT, LONG = 20, 220
RUNS = 3
LAYOUTS, LAYOUT_CONNECTIONS = 9, 1000
FRESH = ["-s", "0", "echo"]  # spares are made in pauses: how many depends on time
POOL = ["-n", "1", "-r", "always", "-s", "1", "echo"]

TITLES = {
    "faults": "minor faults per connection, addresses fixed",
    "supervisor_calls": "system calls per connection, supervisor",
    "worker_calls": "system calls per connection, worker",
    "mappings": "mappings of the supervisor",
    "supervisor_instructions": "instructions per connection, supervisor",
    "pool_worker_instructions": "instructions per connection, worker of a pool",
}


def run(words, count, under=(), look=None):
    """Run count connections; return the ended server and what look() found."""
    with Server("prongd", words, under) as server:
        report = server.load("--churn", "-c", "1", "-n", str(count))
        if failed(report):
            raise RuntimeError(f"prongd {' '.join(words)}: {failed(report)}")
        seen = look(server) if look else None
    return server, seen


def faults(count):
    """Of prongd and of the children that it waited for. The addresses are fixed,
    because the number of pages that a process touches depends on how its data lies in
    them."""
    return {"faults": run(FRESH, count, ["setarch", "-R"])[0].usage.ru_minflt}


def faults_by_layout():
    """With addresses chosen at each start, as in normal use: each start
    gives another figure."""
    count = LAYOUT_CONNECTIONS
    return [run(["echo"], count)[0].usage.ru_minflt / count for _ in range(LAYOUTS)]


def mappings():
    def look(server):
        return len(Path(f"/proc/{server.pid}/maps").read_text().splitlines())

    return run(FRESH, SHORT, look=look)[1]


def calls(count):
    """strace writes a file for each process; prongd itself is the
    one with an execve()."""
    with tempfile.TemporaryDirectory() as scratch:
        options = ["-qq", "-e", "signal=none", "-ff", "-o", f"{scratch}/trace"]
        run(FRESH, count, ["strace", *options])
        texts = [path.read_text() for path in Path(scratch).iterdir()]
    own = [text for text in texts if text.startswith("execve(")]
    assert len(own) == 1, "strace has not seen prongd"
    total = sum(text.count("\n") for text in texts)
    supervisor = own[0].count("\n")
    return {"supervisor_calls": supervisor, "worker_calls": total - supervisor}


def instructions(count, words):
    """The sum of callgrind for each process, by pid. A child's sum includes what its
    parent had run when it was forked."""
    with tempfile.TemporaryDirectory() as scratch:
        tool = ["valgrind", "-q", "--tool=callgrind"]
        tool += [f"--callgrind-out-file={scratch}/%p"]
        server, _ = run(["--sandbox", "off", *words], count, tool)
        sums = {int(path.name): summary(path) for path in Path(scratch).iterdir()}
    return server.pid, sums


def summary(path):
    lines = [line for line in path.read_text().splitlines() if line.startswith("summary:")]
    return int(lines[-1].split()[1]) if lines else 0


def supervisor_instructions(count):
    pid, sums = instructions(count, FRESH)
    return {"supervisor_instructions": sums[pid]}


def pool_worker_instructions(count):
    """The only worker began at the same point in the long and in the short run."""
    pid, sums = instructions(count, POOL)
    return {"pool_worker_instructions": sum(sums.values()) - sums[pid]}


def per_connection(measure):
    short, long = measure(SHORT), measure(LONG)
    return {key: (long[key] - short[key]) / (LONG - SHORT) for key in long}


@contextlib.contextmanager
def one_processor():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measured_once():
    found = {"mappings": mappings(), **per_connection(faults), **per_connection(calls)}
    if shutil.which("valgrind"):
        found |= per_connection(supervisor_instructions)
        found |= per_connection(pool_worker_instructions)
    return found


def measure_counts(runs=RUNS):
    """{key: median}; instructions only if callgrind is installed."""
    with one_processor():
        found = [measured_once() for _ in range(runs)]
    return {key: round(statistics.median(one[key] for one in found), 2) for key in TITLES
            if key in found[0]}  # fmt: skip
