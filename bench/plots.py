#!/usr/bin/python3 -B
"""Draw the plots of bench/RESULTS.md from its tables. A figure that failed has no bar."""

from charts import Bar, Group, bars
from quote import FIRST, HELD, MEMORY, RATE, RESULTS, median, rows_below
from servers import BENCH

# The plot's file: the title, and the heading of its table
PLOTS = {
    "connections": ("connections per second, 16 at a time", RATE),
    "latency": ("first echo at 100 connections per second, p50, µs", FIRST),
    "memory": ("memory per held connection, KiB", MEMORY),
    "held": ("connections per second while others are held", HELD),
}
MORE_IS_BETTER = (RATE, HELD)


def bar(name, cell):
    if cell.startswith("**"):  # it says how the figure failed
        return Bar(name, None, cell.strip("*"))
    return Bar(name, float(median(cell).replace(",", "")), median(cell))


def group(name, columns, cells):
    return Group(name, name.startswith("prongd"),
                 [bar(column, cell) for column, cell in zip(columns, cells)])  # fmt: skip


def first_value(found):
    return found.bars[0].value or 0


def drawn(title, heading, results):
    """The SVG: a group for each server, the best first."""
    columns, rows = rows_below(heading, results)
    if heading != HELD:  # the other columns are ratios
        columns = [""]
    groups = [group(name, columns, cells) for name, cells in rows.items()]
    return bars(title, sorted(groups, key=first_value, reverse=heading in MORE_IS_BETTER))


def draw(results):
    """Writes every plot of RESULTS.md's text."""
    folder = BENCH / "plots"
    folder.mkdir(exist_ok=True)
    for name, (title, heading) in PLOTS.items():
        (folder / f"{name}.svg").write_text(drawn(title, heading, results))


if __name__ == "__main__":
    draw(RESULTS.read_text())
