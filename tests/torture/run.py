#!/usr/bin/python3 -B
"""Fail each system call of prongd and prong connect once, and check what must hold.

  tests/torture/run.py [--seed N] [--sample N] [--jobs N] [MODE...]

Without --sample, every point is run. Each complaint is printed with the injection that
reproduces it: strace -f -e inject=CALL:error=ERROR:when=N. The status is 1 if there is
one.
"""

import argparse
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from attempt import attempt
from points import CLIENT, MODES, PHASES, Point, points_of, sample


def find_points(modes, jobs):
    """All points of the modes, complaints of the runs in which nothing failed, and the
    usual state in each of those, {(mode, phase): usual}."""
    kinds = [(mode, phase) for mode in modes for phase in PHASES
             if (mode, phase) != (CLIENT, "attached")]  # fmt: skip
    with ProcessPoolExecutor(jobs) as pool:
        found = pool.map(attempt, [Point(*kind, None, None, None) for kind in kinds])
    points, complaints, usual = [], [], {}
    for kind, (complained, log, trace, had) in zip(kinds, found):
        points += points_of(*kind, trace)
        complaints += [(Point(*kind, None, None, None), complained, log)] * bool(complained)
        usual[kind] = had
    return points, complaints, usual


def tell(point, complaints, log):
    what = "nothing fails"
    if point.call:
        what = f"{point.call}:error={point.error}:when={point.when}"
    print(f"{point.mode}, {point.phase}: {what}: {'; '.join(complaints)}")
    print("".join(f"    {line}\n" for line in log.splitlines()[-3:]), end="", flush=True)


def torture(points, usual, jobs):
    """Attempt all of them; return how many did not hold."""
    bad = 0
    with ProcessPoolExecutor(jobs) as pool:
        had = [usual[point.mode, point.phase] for point in points]
        for point, (complaints, log, _, _) in zip(points, pool.map(attempt, points, had)):
            if complaints:
                bad += 1
                tell(point, complaints, log)
    return bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--sample", type=int)
    # A point mostly waits: for its server, for strace, for timeouts.
    parser.add_argument("--jobs", type=int, default=4 * os.cpu_count())
    parser.add_argument("mode", nargs="*", default=[*MODES, CLIENT])
    given = parser.parse_args()
    if shutil.which("strace") is None or os.geteuid() != 0:
        sys.exit("torture: needs strace, and root for --user")
    points, complaints, usual = find_points(given.mode, given.jobs)
    for complaint in complaints:
        tell(*complaint)
    chosen = sample(points, given.sample, given.seed)
    print(f"torture: {len(chosen)} of {len(points)} points, seed {given.seed}", flush=True)
    bad = torture(chosen, usual, given.jobs) + len(complaints)
    print(f"torture: {bad} did not hold" if bad else "torture: all held")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
