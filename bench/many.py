"""Hold very many connections at once, each in a process of its own, and end them.

All are opened and echoed. Then the server is told to stop, which lets sessions finish;
then each client is echoed once more and closes. After that the server must be gone,
with status 0, and so must all its processes.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from figures import memory_available, settled_memory
from servers import BUILD, INTERRUPTS, SOURCES, Server, failed, load_command

RESULTS = BUILD / "bench"
PID_MAX = Path("/proc/sys/kernel/pid_max")
THREADS_MAX = Path("/proc/sys/kernel/threads-max")
KIB_EACH = 130  # of memory: the most that is expected
SPARE_PIDS = 2000  # for other programs, and for numbers not free again yet
SPARE_DESCRIPTORS = 100
PATIENCE = 900  # seconds for one step


class Refusal(Exception):
    """The machine has too little of something; the text says of what."""


def number(path):
    """The number in a file of the kernel; None: no limit."""
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text())
    return None


def control_groups():
    """The directories of the control groups of this process and of
    those above, all versions."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        root = Path("/sys/fs/cgroup", controllers.removeprefix("name="))
        folder = root / path.lstrip("/")
        while folder != root.parent:
            yield folder
            folder = folder.parent


def group_limit(*names):
    limits = [number(folder / name) for folder in control_groups() for name in names]
    return min((limit for limit in limits if limit is not None), default=None)


def processes():
    """The number of processes now, including threads."""
    return int(Path("/proc/loadavg").read_text().split()[3].split("/")[1])


def at_least(what, there_is, needed, hint):
    if there_is is not None and there_is < needed:
        raise Refusal(f"{what}: {there_is:,}, and {needed:,} are needed{hint}")


def check(count, workers):
    """Check that there is enough of everything; otherwise raise Refusal."""
    needed = count + processes() + SPARE_PIDS
    if os.geteuid() != 0:
        raise Refusal("not root, who alone may raise kernel.pid_max")
    at_least("threads (kernel.threads-max)", number(THREADS_MAX), needed, "")
    at_least("processes of this control group (pids.max)", group_limit("pids.max"),
             needed, "")  # fmt: skip
    memory = memory_available()
    group_memory = group_limit("memory.max", "memory.limit_in_bytes")
    if group_memory is not None:
        memory = min(memory, group_memory // 1024)
    at_least("memory, KiB", memory, count * KIB_EACH, f": {KIB_EACH} for each connection")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    at_least("descriptors of a process (ulimit -Hn)", files,
             count // workers + SPARE_DESCRIPTORS, "")  # fmt: skip


@contextlib.contextmanager
def pid_max(wanted):
    """Raise pid_max for the block, and restore it unless the block ends by SIGKILL."""
    before = number(PID_MAX)
    if before >= wanted:
        yield
        return
    try:
        PID_MAX.write_text(str(wanted))
    except OSError as error:
        raise Refusal(f"kernel.pid_max is {before:,}, {wanted:,} are needed, and it "
                      f"cannot be raised: {error.strerror}") from None  # fmt: skip
    try:
        yield
    finally:
        PID_MAX.write_text(str(before))


def children(pid):
    return len(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def left_of_session(leader):
    """Processes of the server's session, zombies included."""
    left = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            left += int(stat.read_text().rsplit(")", 1)[1].split()[3]) == leader
    return left


def line(process, wanted):
    """Wait for a line of the load that begins with this text."""
    said = process.stdout.readline()
    if said.strip() != wanted:
        raise RuntimeError(f"the load said {said.strip()!r}, not {wanted!r}")


def hold(server, count, workers):
    """Return the figures, and the load's own report."""
    words = ["--hold", str(count), "--wait", "--processes", str(workers), "-t", "60s"]
    before = settled_memory()
    load = subprocess.Popen(load_command([*words, *SOURCES], server.address),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        line(load, f"held {count}")
        figures = {"processes": children(server.pid),
                   "kib_each": (before - settled_memory()) / count}  # fmt: skip
        print(f"held: {figures['processes']} processes", flush=True)
        os.kill(server.pid, signal.SIGTERM)
        begun = time.monotonic()
        output, _ = load.communicate("\n", timeout=PATIENCE)
        while not server._reaped() and time.monotonic() < begun + PATIENCE:
            time.sleep(0.01)
        figures["drain_seconds"] = time.monotonic() - begun
    finally:
        if load.poll() is None:
            load.terminate()
            load.wait()
    return figures, json.loads(output.splitlines()[-1])


def wrong(count, server, figures, report):
    """Return what is not as it should be, in words."""
    found = [failed(report)] if failed(report) else []
    if report["ok"] != count:
        found.append(f"only {report['ok']} echoed twice")
    if figures["processes"] != count:
        found.append(f"{figures['processes']} processes for {count} connections")
    if server.process.returncode != 0:
        found.append(f"prongd ended with status {server.process.returncode}")
    if left := left_of_session(server.pid):
        found.append(f"{left} processes are left")
    return ", ".join(found)


def run(count):
    workers = max(2, -(-count // 17000))
    check(count, workers)
    with pid_max(count + processes() + SPARE_PIDS):
        with Server("prongd", ["-n", str(count), "-s", "0", "--grace", "10m", "echo"]) as server:
            figures, report = hold(server, count, workers)
            bad = wrong(count, server, figures, report)
    results = {
        "date": time.strftime("%Y-%m-%d"), "count": count, **figures,
        "open_seconds": report["open_seconds"],
        "open_per_second": report["open_per_second"], "wrong": bad,
    }  # fmt: skip
    (RESULTS / f"many-{count}.json").write_text(json.dumps(results, indent=1) + "\n")
    return results


def tell(results):
    print(f"{results['count']:,} connections, each in a process of its own, each echoed "
          f"twice\nopened in {results['open_seconds']:.1f} s, "
          f"{results['open_per_second']:,.0f}/s\n"
          f"memory {results['kib_each']:.0f} KiB a connection, everything in\n"
          f"SIGTERM, the second echo and the last process gone: "
          f"{results['drain_seconds']:.1f} s")  # fmt: skip


def main(arguments):
    if len(arguments) != 1 or not arguments[0].isascii() or not arguments[0].isdigit() \
            or int(arguments[0]) == 0:  # fmt: skip
        print("usage: bench/many [COUNT], a number from 1", file=sys.stderr)
        return 2
    for one in INTERRUPTS:
        signal.signal(one, lambda *_: sys.exit(1))
    try:
        results = run(int(arguments[0]))
        tell(results)
    except Refusal as refusal:
        print(f"bench/many: too little here: {refusal}", file=sys.stderr)
        return 1
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        print(f"bench/many: {error}; is all of it built (make build)?", file=sys.stderr)
        return 1
    if results["wrong"]:
        print(f"bench/many: {results['wrong']}", file=sys.stderr)
    return 1 if results["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
