"""bench/check: figures that noise does not touch may not become worse."""

import json
import shutil
import subprocess

import pytest
from harness import BUILD, ROOT, SANITIZED

pytestmark = pytest.mark.skipif(
    SANITIZED or not shutil.which("strace") or not shutil.which("valgrind"),
    reason="a sanitized build, or nothing to count with")


def check(*words):
    command = [ROOT / "bench" / "check", *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120,
                          env={"PATH": "/usr/bin:/bin", "PRONG_BUILD": str(BUILD)})  # fmt: skip


def test_it_fails_when_and_only_when_a_figure_is_worse_than_recorded(tmp_path):
    file = tmp_path / "recorded.json"
    assert check("--record", file).returncode == 0
    recorded = json.loads(file.read_text())

    # Others work on this machine: here only what is no worse by much must pass.
    file.write_text(json.dumps({key: value * 1.2 for key, value in recorded.items()}))
    result = check(file)
    assert result.returncode == 0, result.stdout

    file.write_text(json.dumps({**recorded, "worker_calls": recorded["worker_calls"] / 2}))
    result = check(file)
    assert result.returncode == 1, result.stdout
    assert "WORSE" in result.stdout
