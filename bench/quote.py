#!/usr/bin/python3 -B
"""Put the figures of bench/RESULTS.md into the texts that quote them.

Each text has two lines with "bench: begin" and "bench: end". What is between them is written
anew. `make bench` runs this script at its end. A test fails if a text has other figures.
"""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "RESULTS.md"
MARKERS = re.compile(r"(?ms)(^[^\n]*bench: begin[^\n]*\n).*?(^[^\n]*bench: end)")

RATE = "Connections per second, 16 at a time"
FIRST = "First echo at 100 connections per second, p50"
HELD = "Connections per second while others are held"
MEMORY = "Memory per held connection, everything in"
MANY = "100,000 connections at once, a process each"


class Language(NamedTuple):
    heads: tuple
    servers: dict  # the name in RESULTS.md: what the text calls that server
    facts: tuple  # the heads of the columns of the second table
    held: str
    opened: str
    memory_of_many: str
    ended: str


ENGLISH = Language(
    heads=("server", "connections/s", "ratio", "first echo, p50"),
    servers={
        "fork_echo": "bare accept-fork-echo loop, 20 lines",
        "prongd": "**prongd, a fresh process each** (default)",
        "prongd -r always -s 16": "**prongd, a pool** (`-r always -s 16`)",
        "prongd --accept workers":
            "**prongd, a pool whose workers accept** (`-r always --accept workers`)",
        "epoll_echo": "bare epoll echo in one process",
        "Net::Server PreFork": "Perl's Net::Server PreFork",
        "socat PIPE": "socat PIPE, fork",
        "ForkingTCPServer": "Python's ForkingTCPServer",
        "prongd cat": "**prongd with /bin/cat**",
        "prongd --warm cat": "**prongd with /bin/cat** (`--warm -s 16`)",
        "tcpserver cat": "tcpserver with /bin/cat (it has no echo of its own)",
        "spawn_echo": "bare posix_spawn loop with /bin/cat",
        "xinetd cat": "xinetd with /bin/cat",
    },
    facts=("prongd, a fresh process each", "measured"),
    held="rate of new connections while {held} idle ones are open, compared with none open",
    opened="time to open 100,000 at once (`make bench-100k`)",
    memory_of_many="memory for each of these",
    ended="from SIGTERM to the end of the last process, with one more echo on each connection"
    " in between",
)  # fmt: skip

KOREAN = Language(
    heads=("서버", "초당 연결 수", "비율", "첫 에코, p50"),
    servers={
        "fork_echo": "accept-fork-에코 루프뿐인 20줄짜리 서버",
        "prongd": "**prongd, 연결마다 새 프로세스** (기본값)",
        "prongd -r always -s 16": "**prongd, 풀** (`-r always -s 16`)",
        "prongd --accept workers":
            "**prongd, 워커가 직접 accept하는 풀** (`-r always --accept workers`)",
        "epoll_echo": "프로세스 하나로 된 epoll 에코 서버",
        "Net::Server PreFork": "Perl의 Net::Server PreFork",
        "socat PIPE": "socat PIPE, fork",
        "ForkingTCPServer": "Python의 ForkingTCPServer",
        "prongd cat": "**prongd와 /bin/cat**",
        "prongd --warm cat": "**prongd와 /bin/cat** (`--warm -s 16`)",
        "tcpserver cat": "tcpserver와 /bin/cat (자체 에코가 없다)",
        "spawn_echo": "posix_spawn 루프뿐인 서버와 /bin/cat",
        "xinetd cat": "xinetd와 /bin/cat",
    },
    facts=("prongd, 연결마다 새 프로세스", "측정값"),
    held="유휴 연결 {held}개가 열려 있을 때 새 연결을 받는 속도(유휴 연결이 없을 때 대비)",
    opened="연결 100,000개를 동시에 여는 데 걸린 시간 (`make bench-100k`)",
    memory_of_many="그 연결 하나에 드는 메모리",
    ended="SIGTERM을 받고 연결마다 한 번 더 에코한 뒤 모두 종료될 때까지 걸린 시간",
)  # fmt: skip


def rows_below(heading, results):
    """The heads of the table below a heading, and its rows by their first cell."""
    part = results.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return cells[0][1:], {name: figures for name, *figures in cells[2:]}


def median(cell):
    """The median of a cell such as "6,323 (5,942 to 7,376)": its first number."""
    return cell.split(" (")[0]


def table(heads, rows):
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def servers_table(language, results):
    _, rates = rows_below(RATE, results)
    _, firsts = rows_below(FIRST, results)
    rows = [
        (words, median(rates[name][0]), median(rates[name][1]), f"{median(firsts[name][0])} µs")
        for name, words in language.servers.items()
    ]
    return table(language.heads, rows)


def share(results):
    """The largest number of held connections, and the share of the rate that is left then."""
    _, targets = rows_below("Targets", results)
    [(what, figures)] = [row for row in targets.items() if row[0].endswith("with none")]
    held = int(re.search(r"with (\d+) held", what)[1])
    return f"{held:,}", f"{100 * float(median(figures[1])):.0f} %"


def facts_table(language, results):
    held, rate = share(results)
    rows = [(language.held.format(held=held), rate)]
    if MANY in results:  # only if make bench-100k was run before make bench
        _, many = rows_below(MANY, results)
        opened, of_many, ended = (figures[0] for figures in many.values())
        rows += [
            (language.opened, opened.split(",")[0]),
            (language.memory_of_many, of_many),
            (language.ended, ended),
        ]
    return table(language.facts, rows)


def readme(language):
    return lambda results: (
        f"\n{servers_table(language, results)}\n{facts_table(language, results)}\n"
    )


def pools(results):
    """The lines of prongd(8) on the two kinds of pool."""
    _, rates = rows_below(RATE, results)
    accepting = median(rates["prongd --accept workers"][1])
    handing = median(rates["prongd -r always -s 16"][1])
    return (
        f"In the measurement of the README, a pool whose workers accept served {accepting} times\n"
        "the connections per second of a plain loop of accept and fork.\n"
        f"A pool whose supervisor accepts served {handing} times as many as that loop.\n"
    )


TEXTS = {
    Path("README.md"): readme(ENGLISH),
    Path("README.ko.md"): readme(KOREAN),
    Path("docs", "man", "prongd.8.in"): pools,
}


def quoted(text, part):
    """The text with this part between its markers."""
    found, count = MARKERS.subn(lambda match: match[1] + part + match[2], text)
    if count != 1:
        raise ValueError(f"{count} parts with bench: begin and bench: end, not one")
    return found


def main():
    results = RESULTS.read_text()
    for name, part in TEXTS.items():
        path = ROOT / name
        path.write_text(quoted(path.read_text(), part(results)))


if __name__ == "__main__":
    main()
