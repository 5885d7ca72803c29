"""The figures that the texts quote are those that `make bench` has written."""

import re

import pytest

from harness import ROOT

# in README.md and README.ko.md: what stands in the first column, and the row of results
ROWS = {
    "`-r always -s 16`": "prongd -r always -s 16",
    "`-r always --accept workers`": "prongd --accept workers",
}


def results(heading):
    """The rows of a table of bench/RESULTS.md, without the least and the most."""
    text = (ROOT / "bench" / "RESULTS.md").read_text()
    part = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"(?m)^\| (.+?) \| (\S+) \([^|]*\| (\S+) \(", part)
    return {name: (figure, ratio) for name, figure, ratio in rows}


@pytest.mark.parametrize("text", ["README.md", "README.ko.md"])
@pytest.mark.parametrize("words, server", ROWS.items())
def test_a_row_of_the_readme_is_that_of_the_results(text, words, server):
    lines = (ROOT / text).read_text().splitlines()
    [row] = [line for line in lines if line.startswith("|") and f"({words})" in line]
    figure, ratio = results("Connections per second, 16 at a time")[server]
    latency, _ = results("First echo at 100 connections per second, p50")[server]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:] == [figure, ratio, f"{latency} µs"]


def test_the_manual_tells_what_accepting_workers_gain_as_the_results_do():
    manual = (ROOT / "docs" / "man" / "prongd.8.in").read_text()
    rows = results("Connections per second, 16 at a time")
    told = re.findall(r"(\d+\.\d+) times", manual)
    assert told == [rows["prongd --accept workers"][1], rows["prongd -r always -s 16"][1]]
