"""The manual is well-formed and agrees with the programs and the header."""

import json
import re
import shlex
import subprocess

import pytest

from harness import BUILD, ROOT

PRONGD_8, CONNECT_1, PRONG_1, LIBPRONG_3, BENCH_1 = PAGES = [
    BUILD / "docs/man/prongd.8",
    BUILD / "docs/man/prong-connect.1",
    ROOT / "docs/man/prong.1",
    ROOT / "docs/man/libprong.3",
    BUILD / "docs/man/prong-bench.1",
]
COMMANDS = [
    (["prongd"], PRONGD_8),
    (["prong", "connect"], CONNECT_1),
    (["prong", "bench"], BENCH_1),
]
HEADER = re.sub(r"(?s)/\*.*?\*/", "", (ROOT / "include/prong.h").read_text())
CALLS = re.findall(r"(?m)^PRONG_PUBLIC ([^;]*?\b(prong_\w+)\([^;]*;)", HEADER)
SUPERVISOR = "\n".join(
    path.read_text() for path in [*ROOT.glob("src/engine/supervisor/*.c"),
                                  ROOT / "src/base/log.c"])  # fmt: skip


def shown(page):
    """The page as a reader sees it, without bold and underline."""
    words = ["mandoc", "-T", "utf8", "-O", "width=200", page]
    text = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    return re.sub(".\b", "", text)


def help_of(command):
    words = [BUILD / command[0], *command[1:], "--help"]
    return subprocess.run(words, capture_output=True, check=True, text=True).stdout


def section(text, heading, indent=0):
    """What stands below the heading, up to the next one that is indented no deeper."""
    part = text.split(f"\n{' ' * indent}{heading}\n", 1)[1]
    return re.split(rf"\n {{0,{indent}}}(?=\S)", part, maxsplit=1)[0]


def groups(text, heading, option):
    """The headings that have options below them, each with those options."""
    found = []
    for line in text.splitlines():
        if match := re.match(heading, line):
            found.append((match[1], []))
        elif match := re.match(option, line):
            found[-1][1].append(match[1])
    return [(title, options) for title, options in found if options]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_well_formed(page):
    words = ["mandoc", "-T", "lint", "-W", "warning", page]
    lint = subprocess.run(words, capture_output=True, text=True)
    assert (lint.returncode, lint.stdout) == (0, "")


@pytest.mark.parametrize("command, page", COMMANDS)
def test_every_option_of_help_is_in_the_manual_with_its_default(command, page):
    text = help_of(command)
    manual = " ".join(shown(page).split())
    options = re.findall(r"^ {2,6}(?:-\w, )?(--[\w-]+)", text, re.MULTILINE)
    assert len(options) >= 4
    for option in options:
        assert f"{option} " in manual
    for default in re.findall(r"\s\[([^\]\s]+)\]\n", text):
        assert f"Default: {default}." in manual


@pytest.mark.parametrize("command, page", COMMANDS)
def test_help_and_manual_have_the_same_options_in_the_same_groups(command, page):
    in_help = groups(help_of(command), r"(\S.*):$", r" {2}(?:-\w,| {3}) (--[\w-]+)")
    manual = section(shown(page), "OPTIONS")
    in_manual = groups(manual, r" {3}(\S.*)$", r" {5}(?:-\w, )?(--[\w-]+)(?: \S+)?(?:$|  )")
    assert len(in_help) >= 4
    assert in_help == in_manual


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_begins_with_synopsis_and_examples_and_ends_with_see_also(page):
    order = ["SYNOPSIS", "FIRST EXAMPLES", "DESCRIPTION", "OPTIONS", "ENVIRONMENT",
             "EXIT STATUS", "SEE ALSO"]  # fmt: skip
    headings = re.findall(r"(?m)^([A-Z][A-Z ]+)$", shown(page))
    missing = {LIBPRONG_3: {"ENVIRONMENT", "EXIT STATUS"}, PRONG_1: {"ENVIRONMENT"}}
    wanted = [each for each in order if each not in missing.get(page, ())]
    assert [each for each in headings if each in order] == wanted
    assert headings.index("FIRST EXAMPLES") == headings.index("SYNOPSIS") + 1


def examples(page):
    """The command lines that a page shows, up to a redirection or a pipe."""
    text = shown(page).replace("\\\n", " ").replace("|\n", "| ")
    for line in re.findall(r"(?m)^ {11}(?:.* \| +)?(prongd? .*)$", text):
        yield shlex.split(re.split(r" \d*[<>|]", line)[0])


@pytest.mark.parametrize("page", PAGES[:3] + PAGES[4:], ids=lambda page: page.name)
def test_the_examples_of_a_page_are_command_lines_that_are_understood(page):
    """With --help in front nothing is served, but all options are read."""
    count = 0
    for program, *words in examples(page):
        command = words[: program == "prong"]
        words = [BUILD / program, *command, "--help", *words[len(command):]]
        words = ["sh", "-c", 'exec "$@" 3>/dev/null', "sh", *words]
        result = subprocess.run(words, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, ""), words
        count += 1
    assert count >= 2


def test_the_programs_in_the_manual_of_the_library_compile_without_a_warning():
    text = section(shown(LIBPRONG_3), "FIRST EXAMPLES") + "\n"
    programs = re.findall(r"(?m)^ {11}#include <prong.h>\n(?:(?: {11}.*)?\n)+", text)
    assert len(programs) == 2
    for program in programs:
        words = ["cc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-xc", "-"]
        words.insert(1, f"-I{ROOT / 'include'}")
        result = subprocess.run(words, input=program, capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "")


def test_every_call_of_the_header_is_in_the_manual():
    manual = shown(LIBPRONG_3)
    assert len(CALLS) >= 10
    assert [name for _, name in CALLS if name not in section(manual, "SYNOPSIS")] == []


def test_every_call_has_a_section_of_its_name_in_the_order_of_the_header():
    manual = section(shown(LIBPRONG_3), "CALLS")
    headings = re.findall(r"(?m)^ {3}(\S.*)$", manual)
    assert headings == [name for _, name in CALLS]


@pytest.mark.parametrize("prototype, name", CALLS, ids=[name for _, name in CALLS])
def test_the_section_of_a_call_has_its_prototype_and_what_it_gives_and_owns(prototype, name):
    text = section("\n" + section(shown(LIBPRONG_3), "CALLS"), name, indent=3)
    assert " ".join(prototype.split()) in " ".join(text.split())
    labels = re.findall(r"(?m)^ {5}(Returns|Errors|Ownership)\b", text)
    assert labels == ["Returns", "Errors", "Ownership"]


def test_every_field_and_constant_of_the_header_is_in_the_manual():
    body = re.sub(r"(?m)^#if.*|^#endif.*", "", HEADER)
    fields = re.findall(r"(?m)^\t+[^()=]*?\b(\w+(?:, \*?\w+)*);", body)
    fields = {name.strip(" *") for names in fields for name in names.split(",")}
    constants = set(re.findall(r"\bPRONG_\w+", body)) - {"PRONG_H", "PRONG_PUBLIC"}
    manual = shown(LIBPRONG_3)
    assert len(fields) > 60 and len(constants) > 20
    names = sorted(fields | constants)
    assert [name for name in names if not re.search(rf"\b{name}\b", manual)] == []


def test_every_reason_for_an_end_is_in_the_manual():
    table = (ROOT / "src/engine/record/reason.c").read_text()
    reasons = re.findall(r'^\t\[REASON_\w+\] = \{ "([a-z-]+)", (\d+) \}', table, re.M)
    manual = section(shown(PRONGD_8), "CLOSE REASONS")
    assert len(reasons) > 10
    for name, status in reasons:
        if name != "none":
            wanted = rf"^ +{name} +{status if status != '0' else ''}"
            assert re.search(wanted, manual, re.M), name


def test_every_event_of_the_log_is_in_the_manual_with_its_level():
    log = section(shown(PRONGD_8), "LOG")
    begun = re.findall(r'LOG_([A-Z]+),\s*"([a-z-]+)"', SUPERVISOR)
    assert len(begun) > 25
    for level, event in begun:
        level = {"CONNECTION": "info"}.get(level, level.lower())
        assert re.search(rf"(?m)^ {{5}}{event} \({level}\b", log), event
    for event in re.findall(r'log_totals\(report, "([a-z]+)"', SUPERVISOR):
        assert re.search(rf"(?m)^ {{5}}{event} \(info\)", log), event


def test_every_field_of_the_log_is_in_the_table_of_the_manual():
    log = section(shown(PRONGD_8), "LOG")
    table = section("\n" + log, "Fields", indent=3)
    columns = [re.split(" {2,}", line.strip())[0] for line in table.splitlines()]
    known = {name for column in columns for name in column.split(", ")}
    calls = r'log_(?:text|bytes|number|address|signal)\(log, "(\w+)"'
    fields = set(re.findall(calls, SUPERVISOR))
    assert len(fields) > 30
    assert fields - known == {"time", "event"}  # they begin every line


def test_every_field_of_the_result_of_bench_is_in_the_manual():
    command = [BUILD / "prong", "bench", "--json", "--histogram", "--hold", "1", "-d", "0"]
    output = subprocess.run([*command, "unix:/nobody"], stdout=subprocess.PIPE).stdout
    fields = [*json.loads(output), "whole_us"]
    manual = shown(BENCH_1)
    assert len(fields) > 25
    assert [field for field in fields if field not in manual] == []


def test_texts_name_their_subjects_and_arguments():
    texts = [shown(page) for page in PAGES] + [help_of(command) for command, _ in COMMANDS]
    for text in texts:
        text = " ".join(text.split())
        assert re.findall(r"(?:^|[.:!?] )(?:Who|Whoever) ", text) == []
        assert re.findall(r"\bso (?:many|long)\b", text) == []
