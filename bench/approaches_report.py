"""What bench/approaches.json says, as the tables and plots of docs/chapter.md.

The same results give the same bytes.
"""

from pathlib import Path

from approaches_korean import in_korean
from charts import Bar, Cell, Group, Row, bars, grid
from report import table

PLOTS = Path("bench", "plots")
NEAR = 0.1  # of the best figure: as good as the best
LONG_MS = 1000  # a wait that the others notice
MUCH_MB = 100

# key, heading, unit, whether more is better
FIGURES = [
    ("rate_1", "connections/s, 1 at once", "", True),
    ("rate_16", "16 at once", "", True),
    ("rate_200", "200 at once", "", True),
    ("p50", "first echo, p50", " µs", False),
    ("p99", "p99", " µs", False),
    ("memory", "memory of a held client", " KiB", False),
    ("kernel", "and in the kernel", " KiB", False),
]
RATES = {"rate_1": "1", "rate_16": "16", "rate_200": "200"}
NAMES = {"p50": "first echo, p50", "p99": "first echo, p99", "memory": "memory"}
CASES = {
    "crash": "(a) crashes",
    "compute": "(b) computes 2 s",
    "leak": "(c) leaks 200 MB",
    "never reads": "(d) never reads",
}


def shown(name):
    return f"**{name}**" if name.startswith("prong") else name


def number(value, unit):
    if isinstance(value, str):
        return value
    if value is None:
        return "holds one"
    return f"{value:,.0f}{unit}"


def good(servers, key, more):
    """The servers that have the best figure, or one as good."""
    values = {name: found[key] for name, found in servers.items()
              if isinstance(found[key], (int, float))}  # fmt: skip
    if more:
        return [name for name in values if values[name] >= (1 - NEAR) * max(values.values())]
    return [name for name in values if values[name] <= (1 + NEAR) * min(values.values())]


def load_table(servers):
    best = {key: good(servers, key, more) for key, _, _, more in FIGURES}
    rows = []
    for name, found in servers.items():
        cells = [number(found[key], unit) for key, _, unit, _ in FIGURES]
        rows.append((shown(name), *(f"**{cell}**" if name in best[key] else cell
                     for cell, (key, *_) in zip(cells, FIGURES))))  # fmt: skip
    return table(("approach", *(heading for _, heading, _, _ in FIGURES)), rows)


# Everyone else -----------------------------------------------------------------------


def waited(found):
    """The longest time that one of the others waited, in ms."""
    return max(found["delay_ms"] or 0, found["new_delay_ms"] or 0)


def kept_mb(found):
    before, _, after = found["mb"]
    return after - before


def suffers(case, found):
    """Whether anyone but the client itself notices it."""
    return bool(found["lost"] or found["new_lost"] or not found["serves_after"]
                or waited(found) > LONG_MS
                or (case == "leak" and kept_mb(found) > MUCH_MB))  # fmt: skip


def lost_or_waited(found):
    if not found["serves_after"]:
        return f"{found['lost']} of 10 are lost, and no new client is served"
    if found["lost"] or found["new_lost"]:
        return "nobody else is served until it leaves"
    return f"others wait {waited(found):,.0f} ms at most"


def fate(case, found):
    words = lost_or_waited(found)
    if case == "leak":
        words += "; the memory is "
        words += f"kept: {kept_mb(found)} MB" if kept_mb(found) > MUCH_MB else "given back"
    return words if suffers(case, found) else f"{words} ✓"


def trouble_table(servers):
    rows = [(shown(name), *(fate(case, found[case]) for case in CASES))
            for name, found in servers.items()]  # fmt: skip
    return table(("approach", *CASES.values()), rows)


def best_at(name, servers):
    won = [key for key, _, _, more in FIGURES if name in good(servers, key, more)]
    rates = [RATES[key] for key in won if key in RATES]
    words = [f"connections/s, {' and '.join(rates)} at once"] if rates else []
    return words + [NAMES[key] for key in won if key in NAMES]


def wins_table(servers):
    """Where each approach is the best, or as good as the best."""
    rows = []
    for name, found in servers.items():
        figures = best_at(name, servers)
        spared = [words for case, words in CASES.items() if not suffers(case, found[case])]
        rows.append((shown(name), "; ".join(figures) or "-",
                     ", ".join(word.split()[0] for word in spared) or "-"))  # fmt: skip
    heads = ("approach", "best, or within a tenth of the best", "nobody else notices")
    return table(heads, rows)


# Plots -------------------------------------------------------------------------------


def group(name, found, keys, words):
    def bar(key):
        value = found[key]
        is_number = isinstance(value, (int, float))
        return Bar(words[key], value if is_number else None, number(value, ""))

    return Group(name, name.startswith("prong"), [bar(key) for key in keys])


def chart(servers, title, words):
    return bars(title, [group(name, found, words, words) for name, found in servers.items()])


def sufferer(case, found):
    if not suffers(case, found):
        return "one client"
    others = not found["serves_after"] or found["lost"] or found["new_lost"]
    others = others or waited(found) > LONG_MS
    return "everyone" if others else "memory is kept"


def trouble_chart(servers):
    rows = [Row(name, name.startswith("prong"),
                [Cell(words, not suffers(case, found[case]), sufferer(case, found[case]))
                 for case, words in CASES.items()])
            for name, found in servers.items()]  # fmt: skip
    return grid("What suffers when one client meets a bug, or never reads", rows)


def cores_chart(cores):
    def one(row):
        children, seconds, speed_up, _ = row
        name = f"{children:.0f} " + ("child" if children == 1 else "children")
        return Group(name, False, [Bar("seconds", seconds, f"{seconds:.2f}"),
                                   Bar("speed-up", speed_up, f"{speed_up:.2f}")])

    title = f"The same calculation in several children at once, {cores['cores']} cores"
    return bars(title, [one(row) for row in cores["rows"]], own_scales=True)


def plots(recorded):
    """{name: SVG}"""
    servers = recorded["servers"]
    return {
        "approaches-rate": chart(
            servers, "Connections per second: 1, 16 and 200 at once", RATES),
        "approaches-first": chart(
            servers, "Time to the first echo at 200 connections per second, µs",
            {"p50": "p50", "p99": "p99"}),
        "approaches-memory": chart(
            servers, "Memory that each of 1,000 held clients adds, KiB",
            {"memory": "own", "kernel": "in the kernel"}),
        "approaches-trouble": trouble_chart(servers),
        "cores": cores_chart(recorded["cores"]),
    }  # fmt: skip


# The document ------------------------------------------------------------------------

ALTERNATIVES = {
    "approaches-rate": "A bar for each approach and each number of clients at once; the first"
    " table above has the figures. The bars of prong have a colour of their own.",
    "approaches-first": "Two bars for each approach, for the 50th and the 99th percentile of"
    " the time to the first echo; the first table above has the figures.",
    "approaches-memory": "Two bars for each approach, for the memory of the processes and for"
    " the page tables and stacks in the kernel; the first table above has the figures.",
    "approaches-trouble": "For each approach and each of the four cases, whether everyone"
    " suffers or only the one client; the second table above says in which way.",
    "cores": "Two bars for each number of children, for the seconds that the calculation took"
    " and for the speed-up; the table above has the figures.",
}


def image(name):
    return [f"![{ALTERNATIVES[name]}](../{PLOTS}/{name}.svg)", ""]


def measured(recorded):
    return [f"Measured on {recorded['date']} by `make approaches`: Linux {recorded['linux']},"
            f" {recorded['processors']}.", ""]  # fmt: skip


def cores_section(recorded):
    rows = [(f"{children:.0f}", f"{seconds:.2f}", f"{speed_up:.2f}", f"{interrupted:,.0f}")
            for children, seconds, speed_up, interrupted in recorded["cores"]["rows"]]
    heads = ("children", "seconds", "speed-up", "interruptions")
    return [*measured(recorded), *table(heads, rows), *image("cores")]


def approaches_section(recorded):
    servers = recorded["servers"]
    lines = [*measured(recorded), *load_table(servers), *trouble_table(servers)]
    lines += wins_table(servers)
    for name in ALTERNATIVES:
        if name != "cores":
            lines += image(name)
    return lines


def between(text, name, lines):
    """The text with what stands between two markers replaced."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    assert rest and after, f"no markers of {name}"
    return before + begin + "\n" + "\n".join(lines) + end + after


def in_english(lines):
    return lines


DOCUMENTS = {
    Path("docs", "chapter.md"): in_english,
    Path("docs", "chapter.ko.md"): in_korean,
}


def document(text, recorded, translated):
    text = between(text, "cores", translated(cores_section(recorded)))
    return between(text, "approaches", translated(approaches_section(recorded)))


def write(recorded, root):
    for name, translated in DOCUMENTS.items():
        path = root / name
        path.write_text(document(path.read_text(), recorded, translated))
    for name, svg in plots(recorded).items():
        (root / PLOTS / f"{name}.svg").write_text(svg)
