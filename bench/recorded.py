"""Compare the figures that noise does not affect with recorded ones; see bench/check.

All of them are costs: more is worse. A figure that has become better is reported, so
that it can be recorded; it is not a failure.
"""

import json
import sys
from pathlib import Path

from counts import TITLES, measure_counts
from servers import BENCH

RECORDED = BENCH / "recorded.json"
TOLERANCE = 0.05


def verdict(recorded, now):
    if now is None:
        return "not measured: no valgrind"
    if now > recorded * (1 + TOLERANCE):
        return "WORSE"
    return "better" if now < recorded * (1 - TOLERANCE) else "ok"


def compare(recorded, now):
    """Print a line for each figure; return how many are worse."""
    worse = 0
    for key, before in recorded.items():
        word = verdict(before, now.get(key))
        worse += word == "WORSE"
        print(f"{TITLES[key]:52} {before:>9} {now.get(key, '-'):>9}  {word}")
    return worse


def main(arguments):
    record = arguments[:1] == ["--record"]
    path = Path((arguments[record:] or [RECORDED])[0])
    now = measure_counts()
    if record:
        path.write_text(json.dumps(now, indent=2) + "\n")
        return 0
    worse = compare(json.loads(path.read_text()), now)
    print(f"bench-check: {worse} worse by more than 5 %" if worse else "bench-check: ok")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
