"""The manual is well-formed and says what the programs and the header say."""

import json
import re
import subprocess

import pytest

from harness import BUILD, ROOT

PAGES = [
    BUILD / "docs/man/prongd.8",
    BUILD / "docs/man/prong-connect.1",
    ROOT / "docs/man/prong.1",
    ROOT / "docs/man/libprong.3",
    BUILD / "docs/man/prong-bench.1",
]


def shown(page):
    """The page as a reader sees it, without bold and underline."""
    words = ["mandoc", "-T", "utf8", "-O", "width=200", page]
    text = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    return re.sub(".\b", "", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_well_formed(page):
    words = ["mandoc", "-T", "lint", "-W", "warning", page]
    lint = subprocess.run(words, capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")


@pytest.mark.parametrize("command, page", [
    (["prongd"], PAGES[0]), (["prong", "connect"], PAGES[1]),
    (["prong", "bench"], PAGES[4])])  # fmt: skip
def test_every_option_of_help_is_in_the_manual_with_its_default(command, page):
    words = [BUILD / command[0], *command[1:], "--help"]
    text = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    manual = " ".join(shown(page).split())
    options = re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+)", text, re.MULTILINE)
    assert len(options) >= 4
    for option in options:
        assert f"{option} " in manual
    for default in re.findall(r"\s\[([^\]\s]+)\]\n", text):
        assert f"Default: {default}." in manual


def test_every_call_of_the_header_is_in_the_manual():
    header = (ROOT / "include/prong.h").read_text()
    calls = re.findall(r"^PRONG_PUBLIC[^;]*?\b(prong_\w+)\(", header, re.MULTILINE)
    manual = shown(PAGES[3])
    assert len(calls) >= 10
    assert [call for call in calls if call not in manual] == []


def test_every_reason_for_an_end_is_in_the_manual():
    table = (ROOT / "src/engine/record/reason.c").read_text()
    reasons = re.findall(r'^\t\[REASON_\w+\] = \{ "([a-z-]+)", (\d+) \}', table, re.M)
    manual = shown(PAGES[0])
    assert len(reasons) > 10
    for name, status in reasons:
        if name != "none":
            wanted = rf"^ +{name} +{status if status != '0' else ''}"
            assert re.search(wanted, manual, re.M), name


def test_every_field_of_the_result_of_bench_is_in_the_manual():
    command = [BUILD / "prong", "bench", "--json", "--histogram", "--hold", "1", "-d", "0"]
    output = subprocess.run([*command, "unix:/nobody"], stdout=subprocess.PIPE).stdout
    fields = [*json.loads(output), "whole_us"]
    manual = shown(PAGES[4])
    assert len(fields) > 25
    assert [field for field in fields if field not in manual] == []
