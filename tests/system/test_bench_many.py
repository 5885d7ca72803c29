"""bench/many holds very many connections and tells how that went; here, not so many."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness import BUILD, ROOT, SANITIZED

PID_MAX = Path("/proc/sys/kernel/pid_max")
MANY = ROOT / "bench" / "many"

pytestmark = pytest.mark.skipif(SANITIZED, reason="memory of the sanitizer's is no figure")


def run(count, **options):
    environment = {**os.environ, "PRONG_BUILD": str(BUILD)}
    return subprocess.run([MANY, str(count)], capture_output=True, text=True, timeout=120,
                          env=environment, stdin=subprocess.DEVNULL, **options)  # fmt: skip


@pytest.mark.usefixtures("root")
def test_each_has_a_process_and_none_is_left():
    before = PID_MAX.read_text()
    result = run(400)
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
