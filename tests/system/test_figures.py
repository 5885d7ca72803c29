"""The figures that the documents quote are those that `make bench` has written."""

import re
import sys

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import plots  # noqa: E402, they are beside the results
import quote  # noqa: E402


@pytest.mark.parametrize("name", quote.TEXTS, ids=str)
def test_the_figures_of_a_text_are_those_of_the_results(name):
    text = (ROOT / name).read_text()
    part = quote.TEXTS[name](quote.RESULTS.read_text())
    assert quote.quoted(text, part) == text, "stale: run bench/quote.py"


def test_each_server_of_the_readme_has_its_row_of_the_results():
    readme = (ROOT / "README.md").read_text()
    for name, words in quote.ENGLISH.servers.items():
        figures = rf"^\| {re.escape(name)} \| ([\d,]+) \(.*?\| ([\d.]+) \(.*$"
        rate, ratio = re.search(figures, quote.RESULTS.read_text(), re.M).groups()
        assert f"| {words} | {rate} | {ratio} |" in readme


def test_a_figure_that_changes_changes_the_text():
    results = quote.RESULTS.read_text()
    changed = results.replace("| prongd | ", "| prongd | 7")
    assert changed != results
    for part in quote.readme(quote.ENGLISH), quote.readme(quote.KOREAN):
        assert part(changed) != part(results)


@pytest.mark.parametrize("text", ["no marker", "bench: begin\nbench: end\n" * 2])
def test_a_text_without_its_two_markers_is_refused(text):
    with pytest.raises(ValueError, match="bench: begin"):
        quote.quoted(text, "figures")


@pytest.mark.parametrize("name", plots.PLOTS)
def test_a_plot_is_what_the_results_give_and_shows_our_rows_in_a_colour_of_their_own(name):
    title, heading = plots.PLOTS[name]
    results = quote.RESULTS.read_text()
    plot = (ROOT / "bench" / "plots" / f"{name}.svg").read_text()
    assert plots.drawn(title, heading, results) == plot, "stale: run bench/plots.py"
    columns, rows = quote.rows_below(heading, results)
    bars = len(columns) if name == "held" else 1
    ours = sum(server.startswith("prongd") for server in rows)
    assert len(re.findall('class="ours"', plot)) == bars * ours
    assert len(re.findall('class="peer"', plot)) == bars * (len(rows) - ours)
