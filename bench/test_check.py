"""bench/check: figures that noise does not affect must not become worse.

Run by `make bench-check`: counting takes longer than any test of `make test`, and has
little to do with whether prongd is correct.
"""

import json
import subprocess
from pathlib import Path

CHECK = Path(__file__).resolve().parent / "check"


def check(*words):
    command = [CHECK, *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=120)


def test_it_fails_when_and_only_when_a_figure_is_worse_than_recorded(tmp_path):
    file = tmp_path / "recorded.json"
    assert check("--record", file).returncode == 0
    recorded = json.loads(file.read_text())

    # Other programs run on this machine, so figures that are not much worse must pass
    # here.
    file.write_text(json.dumps({key: value * 1.2 for key, value in recorded.items()}))
    result = check(file)
    assert result.returncode == 0, result.stdout

    halved = recorded["worker_calls"] / 2
    file.write_text(json.dumps({**recorded, "worker_calls": halved}))
    result = check(file)
    assert result.returncode == 1, result.stdout
    assert "WORSE" in result.stdout
