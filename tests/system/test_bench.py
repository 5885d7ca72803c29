"""prong bench: what each mode does and counts, and that it does only what it is told."""

import itertools
import json
import os
import pty
import re
import resource
import subprocess
import threading
import time

import pytest

from benching import (  # noqa: F401 (fixtures)
    bench, failed, run_bench, serve, start_bench)  # fmt: skip
from connecting import two_addresses  # noqa: F401 (fixtures)
from harness import PRONG
from peers import echo
from sockets import bound_pair

QUANTILES = ["p50", "p90", "p99", "p999", "max"]


def expect_times(result, **parts):
    """Each part has its quantiles, in ascending order and at least a microsecond."""
    found = {name[:-3] for name in result if name.endswith("_us")}
    assert found == set(parts)
    for name, timed in parts.items():
        times = result[f"{name}_us"]
        assert list(times) == QUANTILES
        values = list(times.values())
        assert all(v >= 1 for v in values) if timed else set(values) == {None}
        assert not timed or values == sorted(values)


PROCESSES = pytest.mark.parametrize("processes", [1, 3])


@PROCESSES
def test_churn_is_so_many_whole_connections(prongd, processes):
    server = prongd("echo", verbose=False)
    words = ["--churn", "-n", 400, "-c", 8, "-p", processes]
    result = bench(*words, server.texts[0])
    assert (result["mode"], result["ok"], failed(result)) == ("churn", 400, {})
    assert result["bytes_in"] == result["bytes_out"] == 400 * 64
    assert result["processes"] == processes
    assert result["seconds"] > 0 and result["per_second"] > 0
    expect_times(result, connect=True, first=True, whole=True)
    totals = server.totals()
    assert totals["accepted"] == "400"
    assert totals["bytes_in"] == totals["bytes_out"] == str(400 * 64)


@PROCESSES
@pytest.mark.parametrize("rate", [[], ["--rate", "1000/s"]])
def test_keep_is_round_trips_on_a_few_connections(prongd, processes, rate):
    server = prongd("echo", verbose=False)
    words = ["--keep", "-n", 700, "-c", 4, "-s", 100, "-p", processes, *rate]
    result = bench(*words, server.texts[0])
    assert (result["mode"], result["ok"], failed(result)) == ("keep", 700, {})
    assert result["bytes_in"] == result["bytes_out"] == 70_000
    assert result["held"] == 4 and result["open_seconds"] > 0
    expect_times(result, connect=True, round=True)
    assert server.totals()["accepted"] == "4"


@PROCESSES
def test_hold_opens_echoes_holds_and_echoes_again(prongd, processes):
    server = prongd("echo", verbose=False)
    words = ["--hold", 40, "-d", "300ms", "-p", processes]
    result = bench(*words, server.texts[0])
    assert (result["mode"], result["ok"], failed(result)) == ("hold", 40, {})
    assert result["bytes_in"] == 2 * 40 * 64
    assert (result["held"], server.totals()["accepted"]) == (40, "40")
    assert result["hold_seconds"] >= 0.3
    assert result["open_per_second"] > 0 and result["echo_per_second"] > 0
    expect_times(result, connect=True, first=True, round=True)


def test_hold_with_wait_holds_until_a_line(prongd, start_bench):
    server = prongd("-n", 60, "echo")
    words = ["--json", "--hold", 50, "-c", 7, "-p", 2, "--wait"]
    process = start_bench(*words, server.texts[0])
    assert process.stdout.readline() == b"held 50\n"
    assert server.totals()["active"] == "50"
    process.stdin.write(b"no end of a line yet")
    process.stdin.flush()
    time.sleep(0.2)  # nothing must happen meanwhile
    assert process.poll() is None and server.totals()["active"] == "50"
    output, errors = process.communicate(b"\n", timeout=20)
    assert (process.returncode, errors) == (0, b"")
    assert json.loads(output)["ok"] == 50


def at_most_150_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (150, 150))


def test_processes_together_hold_more_than_one_may(serve):
    server = serve(echo)
    words = ["--hold", 300, "-d", 0, server.address]
    result = run_bench(*words, status=2, preexec_fn=at_most_150_descriptors)
    assert b"300 connections at once are too many for one process" in result.stderr
    assert b"which may open 134 (ulimit -Hn)" in result.stderr
    assert b"use at least --processes 3\n" in result.stderr
    assert server.sources == []
    result = bench("-p", 3, *words, preexec_fn=at_most_150_descriptors)
    assert (result["ok"], result["held"], len(server.sources)) == (300, 300, 300)


def test_what_nobody_asked_for_is_cut_to_the_descriptors_there_are(serve):
    server = serve(echo)
    words = ["--rate", "2000/s", "-n", 400, server.address]
    result = bench(*words, preexec_fn=at_most_150_descriptors)
    assert (result["ok"], result["concurrency"]) == (400, 134)


@PROCESSES
def test_stream_is_bulk_in_both_directions(prongd, processes):
    server = prongd("echo", verbose=False)
    words = ["--stream", "-c", 3, "-s", "2M", "-p", processes]
    result = bench(*words, server.texts[0])
    assert (result["mode"], result["ok"], failed(result)) == ("stream", 3, {})
    assert result["bytes_in"] == result["bytes_out"] == 3 * (2 << 20)
    expect_times(result, connect=True, first=True, whole=True)


@pytest.mark.parametrize("mode", ["--churn", "--keep", "--stream"])
def test_a_duration_is_a_bound_and_all_that_was_begun_is_finished(prongd, mode):
    server = prongd("echo", verbose=False)
    result = bench(mode, "-c", 2, "-d", "500ms", server.texts[0])
    assert failed(result) == {}
    assert result["ok"] > (0 if mode == "--stream" else 10)
    assert 0.5 <= result["seconds"] < 10 or mode == "--keep"
    assert result["bytes_in"] == result["bytes_out"] > 0
    accepted = server.totals()["accepted"]
    assert accepted == str(result["ok"] if mode == "--churn" else 2)


def test_whichever_of_count_and_duration_comes_first_is_the_bound(prongd):
    server = prongd("echo", verbose=False)
    assert bench("-n", 20, "-d", "60s", server.texts[0])["ok"] == 20
    result = bench("-n", 1 << 40, "-d", "200ms", server.texts[0])
    assert 0 < result["ok"] < 1 << 20


@pytest.mark.parametrize("mode", ["--churn", "--keep"])
def test_a_rate_is_kept_and_all_that_is_due_is_done(prongd, mode):
    server = prongd("-r", "always", "-s", 8, "echo", verbose=False)
    words = [mode, "--rate", "200/s", "-d", "1s", "-p", 2]
    result = bench(*words, server.texts[0])
    assert (result["ok"], result["count"], result["rate"]) == (200, 200, 200)
    assert 0.9 < result["seconds"] < 10


def test_no_more_than_the_count_ever_reaches_the_server(serve):
    server = serve(echo)
    for words in (["-n", 7, "-c", 100], ["-n", 10, "-c", 3, "-p", 3], ["-n", 1],
                  ["-n", 5, "--rate", "1000/s"], ["--keep", "-n", 20, "-c", 5],
                  ["--hold", 6, "-d", 0], ["--stream", "-n", 4, "-c", 2, "-s", 10]):  # fmt: skip
        before = len(server.sources)
        result = bench(*words, server.address)
        expected = words[3] if words[0] == "--keep" else result["ok"]
        expected = 5 if words[0] == "--keep" else expected
        time.sleep(0.05)  # no connection may come late
        assert len(server.sources) - before == expected, words


def test_sources_are_used_in_turn_and_shared_out(serve):
    server = serve(echo)
    wanted = [f"127.0.0.{n}" for n in range(2, 10)]
    for processes in (1, 2, 3):
        server.sources.clear()
        words = ["-n", 48, "-c", 6, "-p", processes, "--sources", "127.0.0.2/8"]
        assert bench(*words, server.address)["ok"] == 48
        assert sorted(set(server.sources)) == wanted


def stall(delays):
    """Echoes, but pauses for these delays at the message of that number."""
    lock = threading.Lock()
    numbers = itertools.count(1)

    def serve_one(peer, conn):
        while part := conn.recv(1 << 16):
            with lock:
                time.sleep(delays.get(next(numbers), 0))  # the stall to be measured
            conn.sendall(part)

    return serve_one


STALLED = [["--churn"], ["--keep", "-c", 1], ["--keep", "-c", 4]]


@pytest.mark.parametrize("mode", STALLED, ids=str)
def test_at_a_fixed_rate_a_stall_shows_in_what_was_due_meanwhile(serve, mode):
    """Of 200 exchanges some 100 are due during that second, delayed by
    half a second on average."""
    server = serve(stall({50: 1}))
    part = "whole_us" if mode == ["--churn"] else "round_us"
    result = bench(*mode, "--rate", "100/s", "-n", 200, server.address)
    assert (result["ok"], failed(result)) == (200, {})
    assert result[part]["max"] > 900_000
    assert result[part]["p99"] > 800_000
    assert result[part]["p90"] > 500_000


def test_a_closed_loop_feels_a_stall_once(serve):
    """This is why the fixed rate exists."""
    server = serve(stall({50: 1}))
    result = bench("--keep", "-n", 200, server.address)
    assert result["round_us"]["max"] > 900_000
    assert result["round_us"]["p90"] < 500_000


def test_the_table_has_what_json_has(prongd):
    server = prongd("echo", verbose=False)
    words = ["-n", 300, "--histogram", server.texts[0]]
    text = run_bench(*words).stdout.decode()
    assert text.startswith(f"churn to {server.texts[0]}, 64 B each way, 16 at once\n300 ")
    assert "\nfailed: none\n" in text
    assert re.search(r"^ +p50 +p90 +p99 +p99\.9 +max$", text, re.M)
    value = r" +[\d.]+ (?:us|ms|s)"
    for part in ("connect", "first", "whole"):
        assert re.search(rf"^{part}{value * 5}$", text, re.M), text
    rows = re.findall(rf"^{value} -{value} +(\d+) +[\d.]+% [#.]*$", text, re.M)
    assert sum(map(int, rows)) == 300
    assert all(len(line) <= 80 for line in text.splitlines())
    rows = bench(*words)["histogram"]
    assert sum(row["count"] for row in rows) == 300
    ends = [row["to_us"] for row in rows]
    assert [row["from_us"] for row in rows[1:]] == ends[:-1]


def run_on_terminal(*words):
    """What was written to the terminal that is its stderr."""
    master, slave = pty.openpty()
    command = [PRONG, "bench", *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            shown += os.read(master, 4096)
        except OSError:  # EIO: no process has the other side open any more
            break
    os.close(master)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    return shown.decode(), output.decode()


@pytest.mark.parametrize("mode", [
    ["--churn"], ["--keep", "-c", 2], ["--stream"], ["--hold", 9]], ids=str)  # fmt: skip
def test_on_a_terminal_one_line_tells_how_it_fares(prongd, mode):
    server = prongd("echo", verbose=False)
    begin = time.monotonic()
    shown, output = run_on_terminal(*mode, "-d", "1100ms", server.texts[0])
    seconds = time.monotonic() - begin
    lines = shown.split("\r\x1b[K")
    assert lines[0] == lines[-1] == "" and "\n" not in shown
    assert 2 <= len(lines) - 2 <= 5 * seconds + 1
    line = r"\d+ done, [\d.]+( [KMGT]?i?B)?/s, \w* p50 [\d.]+ \w+ p99 [\d.]+ \w+, 0 failed"
    assert all(re.fullmatch(line, text) for text in lines[1:-1]), lines
    assert " done" not in output and "p99.9" in output


def test_elsewhere_nothing_is_said_on_stderr(prongd):
    server = prongd("echo", verbose=False)
    assert run_bench("-d", "500ms", server.texts[0]).stderr == b""


@pytest.mark.parametrize("listen", ["[::1]:0", "unix:{}/s"])
def test_other_families_are_served_too(prongd, tmp_path, listen):
    server = prongd("echo", listen=[listen.format(tmp_path)], verbose=False)
    result = bench("-n", 200, "-c", 4, "-p", 2, server.texts[0])
    assert (result["ok"], result["target"]) == (200, server.texts[0])


@pytest.mark.parametrize("name", ["\u00e9\u4e2d", "\\", '"'])
def test_json_is_ascii_whatever_the_path_is(prongd, tmp_path, name):
    path = tmp_path / name
    prongd("echo", listen=[f"unix:{path}"], verbose=False)
    output = run_bench("--json", "-n", 1, f"unix:{path}").stdout
    assert output.isascii()
    target = json.loads(output)["target"]
    assert target.encode("latin-1") == b"unix:" + os.fsencode(path)


def test_of_a_name_the_first_address_that_answers_is_taken(serve, two_addresses):
    refusing, free = bound_pair()
    with refusing, free:
        port = free.getsockname()[1]
        free.listen(100)
        words = ["--json", "-t", "500ms", "-n", 2, f"two.test:{port}"]
        command = [*two_addresses, PRONG, "bench", *map(str, words)]
        output = subprocess.run(command, stdout=subprocess.PIPE).stdout
    result = json.loads(output)
    assert result["target"] == f"127.0.0.1:{port}"
    assert failed(result) == {"timed_out": 2}


BAD_USAGE = [
    # words of the command line; what the message says
    ([], "no server is given"),
    (["127.0.0.1"], "the port is missing"),
    ([":7"], "the host is missing"),
    (["127.0.0.1:0"], "port 0 is for listening"),
    (["127.0.0.1:99999"], 'port "99999" is not a number'),
    (["127.0.0.1:7", "-n", "3"], 'unexpected "-n"'),
    (["--nonsense", "127.0.0.1:7"], "unknown .*option --nonsense"),
    (["--churn", "--keep", "127.0.0.1:7"], "--churn and --keep cannot be combined"),
    (["--hold", "3", "--stream", "127.0.0.1:7"], "--hold and --stream cannot be combined"),
    (["--hold", "0", "127.0.0.1:7"], '--hold: "0" is not a number from 1'),
    (["-n", "0", "127.0.0.1:7"], '-n: "0" is not a number from 1'),
    (["-n", "1e6", "127.0.0.1:7"], '-n: "1e6" is not a number'),
    (["-c", "0", "127.0.0.1:7"], '-c: "0" is not a number'),
    (["-s", "0", "127.0.0.1:7"], '-s: "0" is out of range'),
    (["-s", "4k", "127.0.0.1:7"], '-s: "4k" is not a size: write 64, 4K'),
    (["-r", "100", "127.0.0.1:7"], '-r: "100" is not a rate: write 500/s'),
    (["-r", "100/s:5", "127.0.0.1:7"], '"100/s:5" is not a rate'),
    (["-r", "0/s", "127.0.0.1:7"], '"0/s" is not a rate'),
    (["-d", "5", "127.0.0.1:7"], '-d: "5" is not a duration'),
    (["-d", "0", "127.0.0.1:7"], "--duration: 0 leaves no time"),
    (["-t", "0", "127.0.0.1:7"], "--timeout: 0 leaves no time"),
    (["--sources", "localhost", "127.0.0.1:7"], "not ADDR or ADDR/COUNT"),
    (["--sources", "127.0.0.2/0", "127.0.0.1:7"], "not ADDR or ADDR/COUNT"),
    (["--sources", "127.0.0.2", "[::1]:7"], "--sources works only with an IPv4 server"),
    (["--sources", "127.0.0.2", "unix:/x"], "--sources works only with an IPv4 server"),
    (["-p", "0", "127.0.0.1:7"], '-p: "0" is not a number from 1 to 256'),
    (["-p", "4", "-c", "3", "127.0.0.1:7"], "--processes 4 is more than --concurrency 3"),
    (["-p", "4", "--hold", "3", "127.0.0.1:7"], "--processes 4 is more than --hold 3"),
    (["--stream", "-r", "5/s", "127.0.0.1:7"], "--rate has no effect with --stream"),
    (["--hold", "3", "-n", "5", "127.0.0.1:7"], "--count has no effect with --hold"),
    (["--wait", "127.0.0.1:7"], "--wait has no effect with --churn"),
    (["--hold", "3", "-w", "-d", "1s", "127.0.0.1:7"], "--wait and --duration cannot"),
    (["--hold", "9000000", "127.0.0.1:7"], "may open .* use at least --processes"),
]


@pytest.mark.parametrize("words, message", BAD_USAGE, ids=str)
def test_bad_usage_is_explained_in_one_line_with_status_2(words, message):
    result = run_bench(*words, status=2)
    assert result.stdout == b""
    first, second = result.stderr.decode().splitlines()
    assert first.startswith("prong bench: ") and re.search(message, first), first
    assert second == "Try 'prong bench --help'."


def test_what_cannot_be_looked_up_is_a_failure():
    stderr = run_bench("x" * 64 + ":7", status=1).stderr
    assert stderr.startswith(b"prong bench: cannot find the host ")


@pytest.mark.parametrize("words", [["--json"], []])
def test_a_result_that_cannot_be_written_is_an_error(serve, words):
    server = serve(echo)
    with open("/dev/full", "w") as full:
        result = run_bench(*words, "-n", 3, server.address, stdout=full, status=1)
    assert b"cannot write to standard output" in result.stderr


def test_help_names_every_mode():
    text = run_bench("--help").stdout.decode()
    assert all(len(line) < 80 for line in text.splitlines())
    for mode in ("--churn", "--keep", "--hold N", "--stream"):
        assert f"  {mode} " in text
    tool = subprocess.run([PRONG, "--help"], capture_output=True).stdout
    assert re.search(rb"^  bench  ", tool, re.MULTILINE)
