"""Measure everything, keep the samples in the build directory, and report them.

With --report nothing is measured: the samples of the last run are reported again.
"""

import json
import sys
import time

from counts import faults_by_layout, measure_counts
from figures import measure_all
from servers import BUILD

RESULTS = BUILD / "bench" / "results.json"


def measure(rounds, most_held):
    results = {
        "date": time.strftime("%Y-%m-%d"),
        "rounds": rounds,
        "held": most_held,
        "counts": measure_counts(),
        "faults": faults_by_layout(),
        "samples": measure_all(rounds, most_held),
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")


def main(arguments):
    if arguments != ["--report"]:
        measure(*(int(word) for word in arguments))
    import quote
    import report

    report.write(json.loads(RESULTS.read_text()))
    quote.main()


if __name__ == "__main__":
    main(sys.argv[1:])
