"""Installed files are built so that an error in memory ends the process.

The files are those of an installation, read with readelf(1) and nm(1).
"""

import json
import platform
import re

import pytest

from harness import BUILD, SANITIZED
from installing import installed, option, run  # noqa: F401 (a fixture)

PROGRAMS = ["prongd", "prong"]
LINKED = [*PROGRAMS, "libprong.so", "prong-warm.so"]
# A file has a control-flow mark if all objects in it have it, including those of libc.
MARKS = {"x86_64": "IBT, SHSTK", "aarch64": "BTI, PAC"}


@pytest.fixture
def path_of(installed):  # noqa: F811
    """path_of("prongd") is where that file is installed."""
    places = {
        "prongd": installed.prefix / option("sbindir") / "prongd",
        "prong": installed.prefix / option("bindir") / "prong",
        "libprong.so": installed.shared,
        "libprong.a": installed.static,
        "prong-warm.so": installed.library / "prong" / "prong-warm.so",
    }
    return places.__getitem__


def made_with_gcc():
    compilers = json.loads((BUILD / "meson-info" / "intro-compilers.json").read_text())
    return compilers["host"]["c"]["id"] == "gcc"


def readelf(what, path):
    return run("readelf", "-W", what, path)


def marks(path):
    """The sets of control-flow marks in a file; for an archive, one set per object."""
    return re.findall(r"feature: (.*)", readelf("-n", path))


def segment(name, path):
    """The line of the program header with this name."""
    return re.search(rf"^ +{name} .*", readelf("-l", path), re.MULTILINE)[0]


@pytest.mark.parametrize("name", LINKED)
def test_what_relocation_has_written_is_read_only_from_the_start(path_of, name):
    assert "BIND_NOW" in readelf("-d", path_of(name))
    assert segment("GNU_RELRO", path_of(name))
    assert "TEXTREL" not in readelf("-d", path_of(name))


@pytest.mark.parametrize("name", LINKED)
def test_no_memory_can_be_written_and_executed(path_of, name):
    assert " RW " in segment("GNU_STACK", path_of(name))
    for line in re.findall(r"^ +LOAD .*", readelf("-l", path_of(name)), re.MULTILINE):
        assert not re.search(r" [R ]WE ", line), line


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_start_of_a_program_has_other_addresses(path_of, name):
    assert "DYN" in readelf("-h", path_of(name))
    assert re.search(r"FLAGS_1.*\bPIE\b", readelf("-d", path_of(name)))


def test_the_server_has_no_loader_to_start_it(path_of):
    assert ("INTERP" in readelf("-l", path_of("prongd"))) != option("static_prongd")


@pytest.mark.parametrize("name", [*LINKED, "libprong.a"])
def test_a_stack_that_was_overwritten_is_noticed(path_of, name):
    assert re.search(r"\b__stack_chk_fail", run("nm", "-A", path_of(name))), name


@pytest.mark.parametrize("name", [*PROGRAMS, "libprong.so", "libprong.a"])
def test_calls_of_libc_are_told_how_much_room_there_is(path_of, name):
    if SANITIZED:
        pytest.skip("hides calls from the sanitizers")
    assert re.search(r"\b__(vsn|sn)printf_chk\b", run("nm", path_of(name))), name


@pytest.mark.parametrize("name", [*LINKED, "libprong.a"])
def test_jumps_and_returns_are_marked_for_the_processor(path_of, name):
    wanted = MARKS.get(platform.machine())
    if wanted is None:
        pytest.skip(f"no such marks on {platform.machine()}")
    if name != "libprong.a" and not marks(run("cc", "-print-file-name=Scrt1.o").strip()):
        pytest.skip("this libc is not marked, and so nothing that is linked with it")
    if name == "libprong.a" or made_with_gcc():
        assert marks(path_of(name)) == [wanted]
