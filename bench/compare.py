"""Compare prongd with the reference servers; see bench/run. Prints a table.

Each figure is the median of several rounds in which the servers take turns, with its
range and its ratio to the first server of the table in the same rounds.
"""

import json
import os
import statistics
import subprocess
import sys

BUILD = os.environ.get("PRONG_BUILD", "build")
LOAD = [f"{BUILD}/prong", "bench", "--json"]
# Many source addresses: from one, the kernel's search for a free port is measured.
SOURCES = ["--sources", "127.0.0.2/100"]


class Server:
    """A server on a port of the kernel's choice, for as long as the block lasts."""

    def __init__(self, command):
        self.command = command

    def __enter__(self):
        if self.command[0] == "prongd":
            reader, writer = os.pipe()
            line = [f"{BUILD}/prongd", "-q", "-l", "127.0.0.1:0", "--ready-fd", str(writer)]
            self.process = subprocess.Popen(line + self.command[1:], pass_fds=[writer])
            os.close(writer)
            with open(reader) as ready:
                self.address = ready.readline().strip()
        else:
            program = f"{BUILD}/bench/reference/{self.command[0]}"
            self.process = subprocess.Popen([program, "0"], stdout=subprocess.PIPE)
            self.address = self.process.stdout.readline().decode().strip()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def load(self, words):
        run = subprocess.run(
            [*LOAD, *words, self.address], stdout=subprocess.PIPE, check=True)  # fmt: skip
        return json.loads(run.stdout)


COMPARISONS = [
    ("connections/s, a fresh process each, 16 at a time", "per_second",
     ["--churn", "-n", "6000", "-c", "16", *SOURCES],
     [["fork_echo"], ["prongd", "echo"], ["prongd", "-s", "0", "echo"]]),
    ("connections/s, a pool, 16 at a time", "per_second",
     ["--churn", "-n", "20000", "-c", "16", *SOURCES],
     [["epoll_echo"], ["prongd", "-r", "0", "-s", "16", "echo"], ["prefork_echo"]]),
    ("64-byte round trip on a kept connection, p50, µs", "round_us.p50",
     ["--keep", "-n", "40000", "-c", "1"],
     [["loop_echo"], ["prongd", "echo"]]),
    ("first echo at 100 connections/s, p50, µs", "first_us.p50",
     ["--rate", "100/s", "-d", "2s", *SOURCES],
     [["epoll_echo"], ["prongd", "-s", "16", "echo"],
      ["prongd", "-r", "0", "-s", "16", "echo"], ["fork_echo"]]),
]  # fmt: skip


def figure(report, path):
    for key in path.split("."):
        report = report[key]
    return report


def compare(title, path, words, commands, rounds):
    found = {" ".join(command): [] for command in commands}
    for _ in range(rounds):
        for command in commands:
            with Server(command) as server:
                found[" ".join(command)].append(figure(server.load(words), path))
    first = statistics.median(next(iter(found.values())))
    print(f"\n{title}")
    for name, values in found.items():
        median = statistics.median(values)
        print(f"  {name:26} {median:10.1f}  ({min(values):.1f} to {max(values):.1f})"
              f"  ratio {median / first:.2f}", flush=True)  # fmt: skip


def main():
    rounds = int(sys.argv[1])
    for comparison in COMPARISONS:
        compare(*comparison, rounds)


if __name__ == "__main__":
    main()
