"""bench/many holds very many connections and reports on them; here, fewer of them."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness import BUILD, ROOT, SANITIZED, eventually
from proc import children, is_zombie, read

# Like bench/many, but without waiting until memory no longer changes, since it always
# changes while other tests run.
AT_ONCE = """import sys, many
many.settled_memory = many.memory_available
sys.exit(many.main(sys.argv[1:]))"""
PID_MAX = Path("/proc/sys/kernel/pid_max")
MANY = ROOT / "bench" / "many"

pytestmark = pytest.mark.skipif(SANITIZED, reason="memory of the sanitizer's is no figure")


ENVIRONMENT = {**os.environ, "PRONG_BUILD": str(BUILD),
               "PYTHONPATH": str(ROOT / "bench"), "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip


def run(count, command=(MANY,)):
    return subprocess.run([*command, str(count)], capture_output=True, text=True,
                          timeout=120, env=ENVIRONMENT, stdin=subprocess.DEVNULL)  # fmt: skip


@pytest.mark.usefixtures("root")
def test_each_has_a_process_and_none_is_left():
    before = PID_MAX.read_text()
    result = run(400, ["/usr/bin/python3", "-c", AT_ONCE])
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("held: 400 processes\n400 connections")
    assert re.search(r"memory -?\d+ KiB a connection", result.stdout)
    figures = json.loads((BUILD / "bench" / "many-400.json").read_text())
    assert figures["count"] == figures["processes"] == 400
    assert figures["wrong"] == ""
    assert PID_MAX.read_text() == before


@pytest.mark.usefixtures("root")
def test_too_little_of_something_is_said_and_nothing_is_started():
    before = PID_MAX.read_text()
    result = run(100_000_000)
    assert result.returncode == 1
    assert result.stdout == ""
    assert re.fullmatch(r"bench/many: too little here: .*: [\d,]+, and [\d,]+ are needed.*\n",
                        result.stderr)  # fmt: skip
    assert PID_MAX.read_text() == before


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "many", ""])
def test_what_is_no_number_is_bad_usage(count):
    result = run(count)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "usage: bench/many [COUNT], a number from 1\n"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_an_interrupt_puts_all_back(number):
    before = PID_MAX.read_text()
    count = int(before) - 1000  # with those running, over the limit
    process = subprocess.Popen(
        [MANY, str(count)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, env=ENVIRONMENT)  # fmt: skip
    try:
        eventually(lambda: PID_MAX.read_text() != before, "raised", interval=0.0005)
        [child] = eventually(lambda: children(process.pid), "a child", interval=0.0005)
    finally:
        process.send_signal(number)
        assert process.wait(60) != 0
    assert PID_MAX.read_text() == before

    def gone():
        return not os.path.exists(f"/proc/{child}") or is_zombie(child)

    eventually(gone, "gone")
    assert str(count) not in [word for pid in children(os.getpid()) if not is_zombie(pid)
                              for word in read(pid, "cmdline").split("\0")]  # fmt: skip
