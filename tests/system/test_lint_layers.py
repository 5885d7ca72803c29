"""scripts/lint finds violations of the layers, in small projects made here."""

import subprocess
import sys

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "scripts"))

from linting import layers  # noqa: E402

RECORD = "src/engine/record"

# One module in each of four layers, and the library's public header.
CLEAN = {
    "include/prong.h": "int prong_run(void); /* not open_all() */",
    "src/base/log.h": "int log_begin(void);",
    "src/base/log.c": '#include "log.h"\nint log_begin(void) { return 1; }',
    f"{RECORD}/reason.h": "int reason_find(void);",
    f"{RECORD}/reason.c": """
        #include "reason.h"
        #include "base/log.h"
        int reason_find(void) { return log_begin(); }""",
    "src/engine/open.c": """
        #include "prong.h"
        #include "engine/record/reason.h"
        int open_all(void);
        int open_all(void) { return reason_find(); }
        int prong_run(void) { return open_all(); }""",
    "src/service/echo.c": """
        #include "prong.h"
        int echo(void);
        int echo(void) { return prong_run(); }""",
}


def compile_in(folder, texts, names):
    """Write the files into the directory, and compile those with these names."""
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    objects = []
    for name in names:
        path = folder / (name.replace("/", "_") + ".o")
        flags = ["-I", "src", "-I", "include", "-c", "-o", path]
        subprocess.run(["cc", *flags, name], cwd=folder, check=True)
        objects.append(layers.Object(path, name))
    return objects


def sources_in(texts):
    return {name for name in texts if name.endswith(".c")}


@pytest.fixture(scope="module")
def clean_objects(tmp_path_factory):
    return compile_in(tmp_path_factory.mktemp("clean"), CLEAN, sources_in(CLEAN))


@pytest.fixture
def graph_of(tmp_path, clean_objects):
    """graph_of({"src/base/log.c": text}) is the graph of CLEAN with
    these files replaced."""

    def compile_and_read(changes, left_out=()):
        texts = {**CLEAN, **changes}
        changed = sources_in(changes) - set(left_out)
        objects = compile_in(tmp_path, texts, changed)
        objects += [kept for kept in clean_objects if kept.source not in changes]
        return layers.Graph(texts, objects)

    return compile_and_read


@pytest.fixture
def findings_in(graph_of):
    def check(changes, left_out=()):
        found = sorted(layers.check(graph_of(changes, left_out)))
        return [str(finding) for finding in found]

    return check


def test_a_clean_layering_has_no_finding(findings_in):
    assert findings_in({}) == []


def test_a_circle_in_a_folder_is_named_with_both_ends_and_the_symbols(findings_in):
    changes = {
        "src/base/pass.h": "int pass_send(void);",
        "src/base/pass.c": """
            #include "pass.h"
            #include "log.h"
            int pass_send(void) { return log_begin(); }""",
        "src/base/log.c": """
            #include "log.h"
            int pass_send(void);
            int log_begin(void) { return pass_send(); }""",
    }
    assert findings_in(changes) == [
        "src/base/log.c:3: circle: src/base/log uses src/base/pass (pass_send); "
        'src/base/pass uses src/base/log (log_begin, "log.h")'
    ]


def test_a_circle_of_three_modules_is_found_with_its_way(findings_in):
    changes = {
        f"src/base/{name}.c": f"""
            int {following}_do(void);
            int {name}_do(void);
            int {name}_do(void) {{ return {following}_do(); }}"""
        for name, following in (("a", "b"), ("b", "c"), ("c", "a"))
    }
    way, members = findings_in(changes)[::-1]
    assert "src/base/a uses src/base/b (b_do); src/base/b uses src/base/c" in way
    assert members.endswith("circle of 3 modules: src/base/a, src/base/b, src/base/c")


def test_headers_alone_can_make_a_circle(findings_in):
    changes = {
        "src/base/one.h": '#pragma once\n#include "two.h"',
        "src/base/two.h": '#pragma once\n#include "one.h"',
    }
    (finding,) = findings_in(changes)
    assert 'src/base/one uses src/base/two ("two.h"); src/base/two uses' in finding


def test_a_call_upwards_is_found_without_an_include(findings_in):
    changes = {
        "src/base/up.c": """
            int open_all(void);
            int up(void);
            int up(void) { return open_all(); }"""
    }
    assert findings_in(changes) == [
        "src/base/up.c:2: src/base may not use open_all, of src/engine/open"
    ]


def test_an_include_upwards_is_found_without_a_call(findings_in):
    changes = {"src/base/up.h": '#include "engine/record/reason.h"'}
    assert findings_in(changes) == [
        "src/base/up.h:1: src/base may not include engine/record/reason.h, "
        "of src/engine/record/reason"
    ]


def test_a_table_of_functions_uses_them(findings_in):
    changes = {
        "src/base/table.c": """
            int reason_find(void);
            int (*const table[])(void) = { reason_find };"""
    }
    (finding,) = findings_in(changes)
    assert "src/base may not use reason_find" in finding


def test_folders_side_by_side_do_not_use_each_other(findings_in):
    changes = {
        "src/engine/admit/rate.h": "/* rate */",
        "src/engine/confine/trap.h": '#include "engine/admit/rate.h"',
    }
    (finding,) = findings_in(changes)
    assert "src/engine/confine may not include engine/admit/rate.h" in finding


def test_outside_the_library_only_public_functions_may_be_called(findings_in):
    changes = {
        "src/service/echo.c": """
            int open_all(void);
            int echo(void) { return open_all(); }"""
    }
    (finding,) = findings_in(changes)
    assert "src/service may not use open_all, of src/engine/open" in finding


def test_the_public_header_hides_no_call_upwards_in_the_library(findings_in):
    changes = {
        f"{RECORD}/up.c": """
            #include "prong.h"
            int up(void) { return prong_run(); }"""
    }
    (finding,) = findings_in(changes)
    assert "src/engine/record may not use prong_run, of src/engine/open" in finding


def test_a_table_may_declare_the_functions_of_its_rows(findings_in):
    changes = {
        "src/service/service.h": "int echo(void), discard(void);",
        "src/service/service.c": """
            #include "service.h"
            int (*const services[])(void) = { echo, discard };""",
        "src/service/echo.c": '#include "service.h"\nint echo(void) { return 1; }',
        "src/service/discard.c": """
            #include "service.h"
            int discard(void) { return 1; }""",
    }
    assert findings_in(changes) == []


def test_a_row_that_calls_its_table_makes_a_circle(findings_in):
    changes = {
        "src/service/service.h": "int echo(void), service_find(void);",
        "src/service/service.c": """
            #include "service.h"
            int service_find(void) { return echo(); }""",
        "src/service/echo.c": """
            #include "service.h"
            int echo(void) { return service_find(); }""",
    }
    (finding,) = findings_in(changes)
    assert "src/service/echo uses src/service/service (service_find)" in finding


def test_a_function_declared_in_a_folder_above_is_an_include_upwards(findings_in):
    changes = {
        f"{RECORD}/reason.h": "int reason_find(void), low(void);",
        "src/base/low.c": """
            #include "engine/record/reason.h"
            int low(void) { return 1; }""",
    }
    (finding,) = findings_in(changes)
    assert "src/base may not include engine/record/reason.h" in finding


def test_struct_prong_is_seen_by_the_door_and_the_supervisor_alone(findings_in):
    folder = "src/engine/supervisor"
    changes = {
        f"{folder}/supervisor.h": "struct prong {\n\tint fd;\n};",
        f"{folder}/supervisor.c": '#include "supervisor.h"',
        f"{folder}/tally.h": '#include "supervisor.h"',
        f"{folder}/stop.c": '#include "tally.h"',
        "src/engine/run.c": '#include "engine/supervisor/supervisor.h"',
    }
    home = f"may not see struct prong, of {folder}/supervisor.h"
    assert findings_in(changes) == [
        f"{folder}/stop.c:1: {home}, through tally.h",
        f"{folder}/tally.h:1: {home}, through supervisor.h",
    ]


def test_a_file_outside_the_build_or_the_layers_is_found(findings_in):
    changes = {"src/base/idle.c": "", "src/attic/old.h": ""}
    assert findings_in(changes, left_out=["src/base/idle.c"]) == [
        "src/attic/old.h:1: src/attic has no place among the layers",
        "src/base/idle.c:1: not in the build, so its calls are not known",
    ]


def test_a_symbol_with_two_definitions_is_found(findings_in):
    changes = {"src/base/again.c": "int log_begin(void) { return 2; }"}
    assert findings_in(changes) == [
        "src/base/again.c:1: src/base/log defines log_begin, too"
    ]


def test_the_summary_counts_modules_uses_and_circles(graph_of):
    lines = list(layers.summary(graph_of({})))
    assert [line.split() for line in lines[1:6]] == [
        ["include/prong", "2", "0"],
        ["src/base/log", "1", "0"],
        ["src/engine/open", "0", "2"],
        ["src/engine/record/reason", "1", "1"],
        ["src/service/echo", "0", "1"],
    ]
    assert lines[6:8] == ["modules: 5, uses: 4", "circles: 0, modules in them: 0"]
