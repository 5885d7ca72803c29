"""Write bench/RESULTS.md and its plots from the samples of one run."""

import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

import plots
from counts import TITLES
from figures import LOADS, held_key, held_levels
from servers import BENCH, BUILD

PACKAGES = ["ucspi-tcp", "ucspi-tcp-ipv6", "ipsvd", "xinetd", "socat", "ncat", "python3",
            "libnet-server-perl", "coreutils", "gcc"]  # fmt: skip


class Target(NamedTuple):
    what: str
    key: str
    server: str
    against: str
    bound: float
    at_most: bool = False


POOL = "prongd -r always -s 16"
WORKERS = "prongd --accept workers"
TARGETS = [
    Target("a fresh process each, connections/s", "churn", "prongd", "fork_echo", 1.25),
    Target("a fresh process each", "churn", "prongd", "socat PIPE", 3),
    Target("a fresh process each", "churn", "prongd", "ForkingTCPServer", 3),
    Target("a fresh process each", "churn", "prongd", "Net::Server Fork", 3),
    Target("a pool, connections/s", "churn", POOL, "epoll_echo", 0.95),
    Target("a pool whose workers accept", "churn", WORKERS, "epoll_echo", 0.95),
    Target("a pool", "churn", POOL, "Net::Server PreFork", 4),
    Target("a pool whose workers accept", "churn", WORKERS, "Net::Server PreFork", 4),
    Target("round trips, 16 kept connections", "keep", "prongd", "epoll_echo", 0.95),
    Target("one loading process: a pool", "churn_one", POOL, "epoll_echo", 0.95),
    Target("one loading process: workers accept", "churn_one", WORKERS, "epoll_echo", 0.95),
    Target("one loading process: round trips", "keep_one", "prongd", "epoll_echo", 0.95),
    Target("bulk echo, 2 connections", "stream", "prongd", "fork_echo", 1),
    Target("first echo at 100/s, p50", "first", "prongd -s 16", "epoll_echo", 1.3, True),
]  # fmt: skip


def failure(values):
    return next((value for value in values if isinstance(value, str)), None)


def digits(number):
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.2f}"


def spread(values):
    if wrong := failure(values):
        return f"**{wrong}**"
    low, high = digits(min(values)), digits(max(values))
    return f"{digits(statistics.median(values))} ({low} to {high})"


def ratios(values, others):
    """The ratios of each round, or what failed."""
    if wrong := failure([*values, *others]):
        return [wrong]
    return [value / other for value, other in zip(values, others)]


def row(*cells):
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def table(heads, rows):
    return [row(*heads), row(*["---"] * len(heads)), *(row(*cells) for cells in rows), ""]


def reached(values, bound, at_most):
    if failure(values):
        return "failed"
    median = statistics.median(values)
    return "yes" if (median <= bound if at_most else median >= bound) else "**no**"


def target_row(what, values, bound, at_most, unit):
    sign = "at most" if at_most else "at least"
    wanted = f"{sign} {bound:g}{unit}"
    return what, wanted, spread(values), reached(values, bound, at_most)


def targets(results):
    samples, most = results["samples"], results["held"]
    for one in TARGETS:
        servers = samples[one.key]
        values = ratios(servers[one.server], servers[one.against])
        what = f"{one.what}: {one.server} / {one.against}"
        yield target_row(what, values, one.bound, one.at_most, "")
    values = ratios(samples[held_key(most)]["prongd"], samples[held_key(0)]["prongd"])
    what = f"connections/s with {most} held / with none"
    yield target_row(what, values, 0.8, False, "")
    what = "minor faults per connection, fresh"
    yield target_row(what, results["faults"], 10, True, "")
    values = samples["memory"]["prongd"]
    yield target_row("memory per held connection", values, 130, True, " KiB")


def servers_table(figure, servers):
    reference = servers[figure.reference]
    rows = [(name, spread(values), spread(ratios(values, reference)))
            for name, values in servers.items()]  # fmt: skip
    heads = ("server", figure.unit, f"ratio to {figure.reference}")
    return [f"## {figure.title}", "", *table(heads, rows)]


def held_table(results):
    samples, levels = results["samples"], held_levels(results["held"])
    names = list(samples[held_key(0)])
    rows = [(name, *(spread(samples[held_key(level)][name]) for level in levels))
            for name in names]  # fmt: skip
    heads = ("server", *(f"{level} held" for level in levels))
    return ["## Connections per second while others are held", "", *table(heads, rows)]


def memory_table(samples):
    rows = [(name, spread(values)) for name, values in samples["memory"].items()]
    title = ["## Memory per held connection, everything in", ""]
    return [*title, *table(("server", "KiB"), rows)]


def counts_table(results):
    rows = [(TITLES[key], value) for key, value in results["counts"].items()]
    rows.append(("minor faults per connection, addresses as they come",
                 spread(results["faults"])))  # fmt: skip
    return ["## What noise does not touch", "", *table(("figure", "measured"), rows)]


def many_section():
    """The results of bench/many for this build, if there are any."""
    path = BUILD / "bench" / "many-100000.json"
    if not path.exists():
        return []
    many = json.loads(path.read_text())
    if many["wrong"]:
        return []
    rows = [("opened in", f"{many['open_seconds']:.1f} s, {many['open_per_second']:,.0f}/s"),
            ("memory per connection, everything in", f"{many['kib_each']:.0f} KiB"),
            ("from SIGTERM, over the second echo, to the last process gone",
             f"{many['drain_seconds']:.1f} s")]  # fmt: skip
    return [f"## {many['count']:,} connections at once, a process each", "",
            f"*Written by `make bench-100k`*, {many['date']}: each was echoed twice.", "",
            *table(("figure", "measured"), rows)]  # fmt: skip


def output(*words):
    run = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return run.stdout.strip()


def processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


def machine(results):
    queried = output("dpkg-query", "-W", "-f", "${Package} ${Version}\\n", *PACKAGES)
    versions = [line for line in queried.splitlines() if len(line.split()) == 2]
    return [
        f"- {results['date']}, {results['rounds']} rounds in which all servers take turns",
        f"- Linux {os.uname().release}, {os.cpu_count()} processors: {processor()}",
        f"- {output(str(BUILD / 'prongd'), '--version')}; {', '.join(versions)}",
        "",
    ]


INTRODUCTION = """\
# Results

*Written by `make bench`.* Each figure is the median of several rounds, with the least and
the most of them in parentheses; each ratio is of two figures of the same round. The load
generator ran on the same processors, and the machine is shared with others: the spread
tells how much, and only ratios mean anything. A figure of which a connection failed is
reported as failed.
"""


def write(results):
    samples = results["samples"]
    lines = [INTRODUCTION, *machine(results), "## Targets", ""]
    lines += table(("figure", "target", "measured", "reached"), targets(results))
    lines += [f"![{title}](plots/{name}.svg)\n" for name, (title, _) in plots.PLOTS.items()]
    for figure in LOADS:
        lines += servers_table(figure, samples[figure.key])
    lines += [*held_table(results), *memory_table(samples), *counts_table(results)]
    lines += many_section()
    text = "\n".join(lines).rstrip() + "\n"
    (BENCH / "RESULTS.md").write_text(text)
    plots.draw(text)
