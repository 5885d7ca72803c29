"""The systemd units are valid, and allow prongd its work and little else."""

import ctypes
import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from harness import BUILD, PRONGD, ROOT, SANITIZED, environment

TEMPLATE = "prongd@.service"
SERVICES = ["prongd.service", TEMPLATE, "prongd-activated.service"]
SOCKETS = ["prongd-activated.socket"]
WORST_EXPOSURE = 2.0  # of 10

# seccomp(2), by number, since ctypes does not have it
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ALLOW, RET_EPERM = 0x7FFF0000, 0x00050001
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
PERSONALITY = {"x86_64": 135, "aarch64": 92}
CAPSET = {"x86_64": 126, "aarch64": 91}
NOBODY = 65534


def source(unit):
    """Services name the path of prongd, so the build makes them."""
    folder = ROOT if unit in SOCKETS else BUILD
    return (folder / "packaging" / "systemd" / unit).read_text()


def directives(unit):
    """The last value of each directive, which is the one that
    counts for those used here."""
    pairs = re.findall(r"(?m)^(\w+)=(.*)$", source(unit))
    return dict(pairs)


def arguments(unit, instance):
    """The arguments with which it runs prongd if no file says otherwise."""
    text = directives(unit)["Environment"].removeprefix("PRONGD_ARGS=")
    return text.replace("%i", instance).split()


@pytest.fixture
def units(tmp_path):
    """All units, as they would be installed, except for the path of prongd."""
    for unit in SERVICES + SOCKETS:
        text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={PRONGD}", source(unit))
        (tmp_path / unit).write_text(text)
    return tmp_path


def analyze(*words):
    return subprocess.run(
        ["systemd-analyze", "--no-pager", *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        env=environment())  # fmt: skip


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(s|min)", text).groups()
    return int(number) * {"s": 1, "min": 60}[unit]


def test_systemd_has_nothing_to_complain_of(units):
    """It also reads the units of other packages, and may complain about those."""
    result = analyze("verify", "--man=no", *(units / u for u in SERVICES + SOCKETS))
    lines = result.stdout.splitlines()
    names = [Path(unit).stem for unit in SERVICES + SOCKETS]
    ours = [line for line in lines if any(name in line for name in names)]
    assert ours == []
    assert result.returncode == 0 or lines, "it failed without a word"


@pytest.mark.parametrize("unit", SERVICES)
def test_little_is_exposed(units, unit):
    """By systemd's own measure, from 0 to 10."""
    result = analyze("security", "--offline=yes", units / unit)
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+) ", result.stdout)
    assert exposure, result.stdout
    assert float(exposure[1]) < WORST_EXPOSURE, result.stdout


@pytest.mark.parametrize("unit", SERVICES)
def test_sessions_may_finish_before_systemd_kills(unit):
    """prongd stops by itself within --grace and a little more."""
    has = directives(unit)
    usage = subprocess.run([PRONGD, "--help"], capture_output=True, text=True)
    grace = re.search(r"--grace DURATION[^[]*\[(\w+)\]", usage.stdout)[1]
    assert has["KillMode"] == "mixed"
    assert seconds(has["TimeoutStopSec"]) >= seconds(grace) + 5
    assert has.get("KillSignal", "SIGTERM") == "SIGTERM"


@pytest.mark.parametrize("unit", SERVICES)
def test_a_process_that_is_killed_for_memory_does_not_stop_the_others(unit):
    """systemd's own OOMPolicy would stop the whole service."""
    assert directives(unit)["OOMPolicy"] == "continue"


@pytest.mark.parametrize("instance", ["echo", "discard", "chargen", "daytime", "time"])
def test_an_instance_of_the_template_is_the_service_of_its_name(prongd, instance):
    server = prongd(*arguments(TEMPLATE, instance))
    with server.connect():
        pass


def test_each_instance_of_the_template_has_its_own_file_and_directory():
    has = directives(TEMPLATE)
    assert has["EnvironmentFile"] == "-/etc/default/prongd@%i"
    assert has["RuntimeDirectory"] == "prongd@%i"


def test_the_template_is_the_plain_unit_but_for_the_names_of_the_instance():
    plain, template = directives("prongd.service"), directives(TEMPLATE)
    names = {"Description", "Environment", "EnvironmentFile", "RuntimeDirectory"}
    differ = {key for key in plain | template if plain.get(key) != template.get(key)}
    assert differ == names | {"DefaultInstance"}
    assert all("%" in template[key] for key in names)


@pytest.mark.parametrize("unit", SERVICES)
def test_bad_usage_is_not_tried_again(unit):
    has = directives(unit)
    words = [PRONGD, *arguments(unit, "time")]
    usage = subprocess.run([*words, "too-much"], capture_output=True, text=True)
    assert b'unexpected "too-much"' in usage.stderr.encode()
    assert has["Restart"] == "on-failure"
    assert has["RestartPreventExitStatus"] == str(usage.returncode) == "2"


@pytest.mark.parametrize("unit", SERVICES)
def test_there_is_room_for_the_processes_of_the_default_limit(unit):
    has = directives(unit)
    usage = subprocess.run([PRONGD, "--help"], capture_output=True, text=True)
    processes = int(re.search(r"--max-processes N[^[]*\[(\d+)\]", usage.stdout)[1])
    assert int(has["TasksMax"]) > processes
    assert int(has["LimitNOFILE"].split(":")[-1]) > processes


def test_units_are_installed_and_name_the_prongd_that_is():
    """The build knows what it installs where."""
    plan = json.loads((BUILD / "meson-info" / "intro-installed.json").read_text())
    names = {Path(path).name: Path(path) for path in plan.values()}
    for unit in SERVICES + SOCKETS:
        assert names[unit].parent.parts[-2:] == ("systemd", "system")
    for unit in SERVICES:
        assert directives(unit)["ExecStart"] == f"{names['prongd']} $PRONGD_ARGS"


def deny_but(number, argument=None):
    """For preexec_fn: EPERM for this call, except with this first argument."""
    code = [
        (LOAD, 0, 0, 0),  # the number of the call
        (EQUAL, 0, 1 if argument is None else 3, number),
        *([] if argument is None else [
            (LOAD, 0, 0, 16),  # its first argument
            (EQUAL, 1, 0, argument),
        ]),
        (RETURN, 0, 0, RET_EPERM),
        (RETURN, 0, 0, RET_ALLOW),
    ]  # fmt: skip
    program = b"".join(struct.pack("HBBI", *each) for each in code)
    buffer = ctypes.create_string_buffer(program, len(program))
    filters = struct.pack("HxxxxxxP", len(code), ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0) == 0


@pytest.mark.skipif(SANITIZED, reason="there is no sandbox in a sanitized build")
def test_a_locked_personality_does_not_cost_the_sandbox(prongd):
    """In our own units it was refused to check it, which silently cost the sandbox."""
    server = prongd("echo")
    number = PERSONALITY[os.uname().machine]
    # LockPersonality= refuses even the query.
    locked = prongd("echo", preexec_fn=lambda: deny_but(number, 0))
    assert locked.settings["sandbox"] == server.settings["sandbox"] != "off"
    assert locked.ask(b"served") == b"served"


@pytest.mark.skipif(SANITIZED, reason="there is no sandbox in a sanitized build")
def test_who_has_no_capabilities_need_not_be_able_to_give_them_up(prongd, public, root):
    """~@privileged in our own units forbids capset(2)."""

    def preexec():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        deny_but(CAPSET[os.uname().machine])

    program = shutil.copy(PRONGD, public)
    server = prongd("echo", program=program, preexec_fn=preexec)
    assert server.settings["sandbox"] != "off"
    assert server.ask(b"served") == b"served"


@pytest.mark.parametrize("unit", SERVICES)
def test_what_the_sandbox_calls_is_not_filtered_away(unit):
    allowed = re.findall(r"(?m)^SystemCallFilter=([^~@].*)$", source(unit))
    calls = {call for line in allowed for call in line.split()}
    assert {"seccomp", "capset", "landlock_restrict_self"} <= calls
