"""Lines of prongd's log as dicts. A malformed line fails the test."""

import json
import re

PAIR = re.compile(
    r'(?P<key>[a-z][a-z0-9_-]*)='
    r'(?:"(?P<quoted>(?:[^"\\\x00-\x1f\x7f-\U0010ffff]|\\["\\]|\\x[0-9a-f]{2})*)"'
    r'|(?P<bare>[!#-<>-\[\]-~]+))(?: |$)'
)
ESCAPE = re.compile(r'\\(?:(["\\])|x([0-9a-f]{2}))')
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
LEVELS = ("error", "warning", "info", "debug")


def unescape(text):
    return ESCAPE.sub(lambda m: m[1] or chr(int(m[2], 16)), text)


def check_beginning(pairs, line):
    """time, level and event come first in every line."""
    assert [key for key, _ in pairs[:3]] == ["time", "level", "event"], line
    values = dict(pairs)
    assert len(values) == len(pairs), f"a key comes twice: {line}"
    assert TIME.fullmatch(values["time"]), line
    assert values["level"] in LEVELS, line
    return values


def parse_logfmt(line):
    pairs = []
    position = 0
    while position < len(line):
        match = PAIR.match(line, position)
        assert match, f"not logfmt at column {position}: {line!r}"
        quoted = match["quoted"]
        value = match["bare"] if quoted is None else unescape(quoted)
        pairs.append((match["key"], value))
        position = match.end()
    return check_beginning(pairs, line)


def parse_json(line):
    pairs = json.loads(line, object_pairs_hook=list)
    return check_beginning([(key, str(value)) for key, value in pairs], line)


def reasons(totals):
    """How many connections were closed for which reason, from a line of totals."""
    fixed = {"time", "level", "event", "accepted", "active", "closed"}
    fixed |= {"bytes_in", "bytes_out", "processes", "sources"}
    return {key: int(value) for key, value in totals.items() if key not in fixed}


def expect_balance(totals):
    """accepted = closed = the sum of all reasons: no connection is
    lost or counted twice."""
    assert totals["active"] == "0", totals
    assert totals["accepted"] == totals["closed"], totals
    assert int(totals["closed"]) == sum(reasons(totals).values()), totals
    assert totals.get("sources", "0") == "0", totals
