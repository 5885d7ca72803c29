"""Compare the approaches of docs/chapter.md: measure, record, and write it down."""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from approaches_report import write
from figures import Hold, attempt, checked, per_second
from report import processor
from servers import APPROACHES, BENCH, BUILD, SOURCES, Server
from trouble import CASES, everyone_else, family, kib, own_memory

RECORDED = BENCH / "approaches.json"
ROUNDS = 4
AT_ONCE = [1, 16, 200]
HELD = 1000
KERNEL_STACK = 16  # KiB of each thread, on x86-64 and on arm64
CORES = BUILD / "examples" / "chapter" / "cores"


def rate(name, at_once):
    load = ["--processes", "2"] if at_once > 1 else []
    with Server(name) as server:
        report = server.load("--churn", "-c", str(at_once), "-d", "500ms", "-t", "10s",
                             *load, *SOURCES)  # fmt: skip
    return {f"rate_{at_once}": checked(report, per_second)}


def first(name):
    with Server(name) as server:
        report = server.load("--rate", "200/s", "-d", "600ms", "-t", "10s", *SOURCES)
    return {key: checked(report, lambda found, key=key: found["first_us"][key])
            for key in ("p50", "p99")}  # fmt: skip


def kernel_memory(pid):
    """KiB of page tables, and of the stacks that threads have in the kernel."""
    tasks = 0
    for one in family(pid):
        tasks += KERNEL_STACK * len(os.listdir(f"/proc/{one}/task"))
        tasks += kib(one, "status", "VmPTE")
    return tasks


def memory(name):
    """KiB that a held client adds."""
    with Server(name) as server:
        server.load("--churn", "-n", "100", *SOURCES)
        before = own_memory(server.pid), kernel_memory(server.pid)
        hold = Hold(server, HELD)
        after = own_memory(server.pid), kernel_memory(server.pid)
        wrong = hold.end()
    own, kernel = ((now - then) / HELD for then, now in zip(before, after))
    failed = f"failed: {wrong}" if wrong else None
    return {"memory": failed or round(own, 1), "kernel": failed or round(kernel, 1)}


def rounds_of(name):
    """{figure: median}; the word failed and a reason, if one round has failed."""
    for at_once in AT_ONCE:
        yield [f"rate_{at_once}"], lambda n=at_once: rate(name, n)
    yield ["p50", "p99"], lambda: first(name)


def medians(samples):
    wrong = [value for value in samples if isinstance(value, str)]
    return wrong[0] if wrong else round(statistics.median(samples))


def measure_loads():
    """All servers take turns, so that what disturbs the machine meets all of them."""
    samples = {name: {} for name in APPROACHES}
    for number in range(ROUNDS):
        for name in APPROACHES:
            for keys, measure in rounds_of(name):
                for key, value in attempt(keys, measure).items():
                    samples[name].setdefault(key, []).append(value)
        print(f"load: round {number + 1} of {ROUNDS}", file=sys.stderr)
    return {name: {key: medians(values) for key, values in found.items()}
            for name, found in samples.items()}  # fmt: skip


def measure_memory(name):
    """The iterative server has one client; the others would wait for it for ever."""
    if name == "iterative":
        return {"memory": None, "kernel": None}
    return attempt(["memory", "kernel"], lambda: memory(name))


def measure_cores():
    """The rows that cores prints: children, seconds, speed-up, interruptions."""
    output = subprocess.run([CORES], stdout=subprocess.PIPE, check=True, text=True).stdout
    lines = [line.split() for line in output.splitlines()]
    return {"cores": int(lines[0][0]), "rows": [[float(word) for word in row]
            for row in lines[2:]]}  # fmt: skip


def measure():
    begun = time.monotonic()
    found = {"date": time.strftime("%Y-%m-%d"), "linux": os.uname().release,
             "processors": f"{os.cpu_count()} processors: {processor()}",
             "cores": measure_cores(), "servers": measure_loads()}  # fmt: skip
    for name in APPROACHES:
        found["servers"][name] |= measure_memory(name)
        found["servers"][name] |= {case: everyone_else(name, case) for case in CASES}
        print(f"everyone else: {name}", file=sys.stderr)
    print(f"{time.monotonic() - begun:.0f} s", file=sys.stderr)
    return found


def main(arguments):
    if arguments[:1] != ["--report"]:
        RECORDED.write_text(json.dumps(measure(), indent=1) + "\n")
    write(json.loads(RECORDED.read_text()), Path((arguments[1:] or [BENCH.parent])[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
