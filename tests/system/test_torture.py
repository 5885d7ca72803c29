"""A sample, chosen by a seed, of the sweep of failing system calls; see torture/."""

import os
import subprocess

import pytest

from harness import BUILD, ROOT, SANITIZED

SAMPLE = int(os.environ.get("TORTURE_SAMPLE", 40))


@pytest.mark.skipif(SANITIZED, reason="a sanitizer makes calls of its own")
def test_a_call_that_fails_costs_one_client_at_most(root):
    words = [ROOT / "tests" / "torture" / "run.py", "--sample", SAMPLE]
    if "TORTURE_SEED" in os.environ:  # as a failure has printed it
        words += ["--seed", os.environ["TORTURE_SEED"]]
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                            env={**os.environ, "PRONG_BUILD": str(BUILD)}, timeout=300)  # fmt: skip
    print(result.stdout)
    assert result.returncode == 0, result.stdout + result.stderr
