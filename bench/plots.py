"""Draw the plots of bench/RESULTS.md as SVG, by gnuplot. What failed has no bar."""

import statistics
import subprocess

from figures import held_key, held_levels
from servers import BENCH

TITLES = {
    "connections": "connections per second, 16 at a time",
    "latency": "first echo at 100 connections per second, p50, µs",
    "memory": "memory per held connection, KiB",
    "held": "connections per second while others are held",
}
BARS = {"connections": "churn", "latency": "first", "memory": "memory"}
# Readable on a dark page too.
TERMINAL = "set terminal svg size 720,{height} font 'sans-serif,13' background '#ffffff'"


def numbers(values):
    return all(not isinstance(value, str) for value in values)


def block(lines):
    return "\n".join(["$data << END", *lines, "END"])


def bars(title, servers):
    """Draw one bar per server, the longest on top, with the range of its rounds."""
    found = {name: values for name, values in servers.items() if numbers(values)}
    order = sorted(found, key=lambda name: statistics.median(found[name]))
    rows = [f'"{name}" {statistics.median(found[name])} {min(found[name])} {max(found[name])}'
            for name in order]  # fmt: skip
    return f"""
{TERMINAL.format(height=90 + 24 * len(rows))}
set title "{title}" noenhanced
set xrange [0:*]
set yrange [-0.6:{len(rows) - 0.4}]
set ytics noenhanced nomirror scale 0
set grid xtics
set style fill solid 0.7 noborder
plot $data using ($2/2):0:(0):2:($0-0.35):($0+0.35):ytic(1) with boxxyerror \\
  notitle linecolor "#3b7dd8", \\
  $data using 2:0:3:4 with xerrorbars notitle pointtype 0 linecolor "#222222"
""", rows


def curves(title, results):
    levels = held_levels(results["held"])
    samples = [results["samples"][held_key(level)] for level in levels]
    names = [name for name in samples[0] if all(numbers(one[name]) for one in samples)]
    rows = [" ".join(str(word) for word in [level, *(statistics.median(one[name])
            for name in names)]) for level, one in zip(levels, samples)]  # fmt: skip
    lines = ", ".join(f'$data using 1:{column} with linespoints linewidth 2 title "{name}"'
                      for column, name in enumerate(names, 2))  # fmt: skip
    return f"""
{TERMINAL.format(height=360)}
set title "{title}" noenhanced
set xlabel "connections held"
set yrange [0:*]
set key noenhanced outside bottom center horizontal
set grid
plot {lines}
""", rows


def draw_one(name, script, rows):
    run = subprocess.run(["gnuplot"], input=f"{block(rows)}\n{script}", text=True,
                         stdout=subprocess.PIPE, check=True)  # fmt: skip
    lines = [line.rstrip() for line in run.stdout.splitlines()]
    folder = BENCH / "plots"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.svg").write_text("\n".join(lines).rstrip() + "\n")


def draw(results):
    for name, key in BARS.items():
        draw_one(name, *bars(TITLES[name], results["samples"][key]))
    draw_one("held", *curves(TITLES["held"], results))
