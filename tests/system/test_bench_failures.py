"""prong bench: each kind of failure is noticed, counted
separately, and sets the status."""

import json
import os
import signal
import socket
import time

import pytest

from benching import (  # noqa: F401 (fixtures)
    SIZE, bench, close_early, failed, orphans, reset_at_once, run_bench,
    send_too_much, send_wrong_bytes, serve, start_bench, swap_halves)  # fmt: skip
from harness import eventually
from peers import echo, never_answer
from proc import children, cpu_seconds
from sockets import bound

MODES = [
    ["--churn", "-n", 2, "-c", 2],
    ["--keep", "-n", 50, "-c", 1],
    ["--keep", "-n", 50, "-c", 2],
    ["--keep", "--rate", "500/s", "-n", 50, "-c", 2],
    ["--hold", 2, "-d", "100ms"],
    ["--stream", "-c", 2, "-s", SIZE],
    ["--rate", "100/s", "-n", 2],
    ["--churn", "-n", 2, "-c", 2, "-p", 2],
]

KINDS = [
    (reset_at_once, "reset"),
    (never_answer, "timed_out"),
    (close_early, "closed_early"),
    (send_wrong_bytes, "wrong_bytes"),
    (send_too_much, "wrong_bytes"),
    (swap_halves, "wrong_bytes"),
]


def name_of_mode(words):
    return " ".join(map(str, words))


def connections(words):
    """In all these modes each connection fails once; there are two of them, or one."""
    return 1 if words[:1] == ["--keep"] and words[-1] == 1 else 2


@pytest.mark.parametrize("words", MODES, ids=name_of_mode)
@pytest.mark.parametrize("behaviour, kind", KINDS)
def test_a_failure_is_counted_as_what_it_is(serve, behaviour, kind, words):
    server = serve(behaviour)
    result = bench(*words, "-t", "300ms", server.address, status=1)
    assert failed(result) == {kind: connections(words)}
    assert result["ok"] == 0
    assert len(server.sources) == connections(words)


@pytest.fixture
def refusing():
    with bound(socket.AF_INET, ("127.0.0.1", 0)) as closed:
        yield f"127.0.0.1:{closed.getsockname()[1]}"


@pytest.mark.parametrize("words", MODES, ids=name_of_mode)
def test_a_server_that_is_not_there_refuses(refusing, words):
    result = bench(*words, refusing, status=1)
    assert failed(result) == {"refused": connections(words)}
    assert set(result["connect_us"].values()) == {None}


def test_of_a_mixture_each_kind_is_counted_exactly(serve):
    server = serve(echo, reset_at_once, close_early, echo, send_wrong_bytes, never_answer)
    result = bench("-n", 30, "-c", 1, "-t", "200ms", server.address, status=1)
    kinds = {"reset": 5, "closed_early": 5, "wrong_bytes": 5, "timed_out": 5}
    assert failed(result) == kinds
    assert result["ok"] == 10
    assert len(server.sources) == 30
    table = run_bench("-n", 6, "-c", 1, "-t", "200ms", server.address, status=1).stdout
    expected = b"failed: 1 reset, 1 timed out, 1 closed early, 1 with wrong bytes\n"
    assert expected in table


def test_one_wrong_byte_at_the_end_of_a_stream_is_seen(serve):
    def spoil_the_last(peer, conn):
        left = 1 << 20
        while part := conn.recv(1 << 16):
            left -= len(part)
            conn.sendall(part if left > 0 else part[:-1] + bytes([part[-1] ^ 1]))

    server = serve(spoil_the_last)
    result = bench("--stream", "-s", "1M", server.address, status=1)
    assert failed(result) == {"wrong_bytes": 1}


def test_a_server_that_reads_nothing_times_out(serve):
    """More is sent than all buffers can take, on connections held without limit."""
    server = serve(never_answer)
    result = bench("--keep", "-c", 2, "-s", "64M", "-t", "300ms", server.address, status=1)
    assert failed(result) == {"timed_out": 2}


def test_an_end_that_comes_before_the_second_echo_of_hold_is_early(serve):
    def echo_once(peer, conn):
        conn.sendall(conn.recv(SIZE, socket.MSG_WAITALL))
        time.sleep(0.3)  # the echo is read before the end comes

    server = serve(echo, echo_once)
    result = bench("--hold", 10, "-d", "1s", server.address, status=1)
    assert failed(result) == {"closed_early": 5}
    assert result["ok"] == 5
    assert result["held"] == 10


def test_a_failure_that_has_no_name_is_explained(tmp_path):
    result = run_bench("--json", "-n", 3, f"unix:{tmp_path}/nobody", status=1)
    assert failed(json.loads(result.stdout)) == {"other": 3}
    error = "prong bench: connect: No such file or directory (counted as other)\n"
    assert result.stderr.decode() == error


def test_a_run_that_only_fails_ends_at_its_time(refusing):
    begin = time.monotonic()
    result = bench("-d", "300ms", refusing, status=1)
    assert 0.3 <= time.monotonic() - begin < 10
    assert set(failed(result)) == {"refused"}


@pytest.mark.parametrize("words", [["-n", 1 << 40], ["-r", "1000000/s", "-d", "1h"]], ids=str)
def test_a_run_that_only_fails_can_be_broken_off(refusing, start_bench, words):
    process = start_bench("--json", *words, refusing)
    eventually(lambda: sum(map(cpu_seconds, children(process.pid))) > 0.05, "at work")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    result = json.loads(output)
    assert result["interrupted"] is True and set(failed(result)) == {"refused"}


def held(process, count):
    assert process.stdout.readline() == b"held %d\n" % count


def test_a_worker_that_is_killed_is_told_and_the_others_go_on(serve, start_bench):
    server = serve(echo)
    process = start_bench(
        "--json", "--hold", 30, "-p", 3, "--wait", server.address)  # fmt: skip
    held(process, 30)
    workers = children(process.pid)
    assert len(workers) == 3
    os.kill(workers[1], signal.SIGKILL)
    eventually(lambda: len(children(process.pid)) == 2, "collected")
    output, errors = process.communicate(b"\n", timeout=20)
    result = json.loads(output)
    assert process.returncode == 1
    assert errors.decode() == (
        f"prong bench: load process {workers[1]} was killed by SIGKILL: "
        "its figures up to then are counted\n"
    )
    assert (result["ok"], result["lost_processes"], result["held"]) == (20, 1, 30)
    assert failed(result) == {}


def test_workers_do_not_outlive_the_first_process(serve, start_bench):
    server = serve(echo)
    process = start_bench("--hold", 9, "-p", 3, "--wait", server.address)
    held(process, 9)
    process.kill()
    process.wait()
    eventually(lambda: not orphans(), "no worker left", timeout=5)


@pytest.mark.parametrize("words", [
    ["--churn"], ["--churn", "-p", 2], ["--keep"], ["--keep", "-c", 4],
    ["--keep", "--rate", "100/s"], ["--stream"], ["--rate", "100/s"],
], ids=name_of_mode)  # fmt: skip
def test_a_signal_stops_it_and_what_was_measured_is_printed(serve, start_bench, words):
    server = serve(echo)
    process = start_bench("--json", *words, "-d", "60s", server.address)
    eventually(lambda: server.sources, "connections")
    time.sleep(0.3)  # until something is measured, which no output tells
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=10)
    result = json.loads(output)
    assert process.returncode == 1
    assert errors == b"prong bench: interrupted by SIGINT\n"
    assert result["interrupted"] is True
    assert result["ok"] > 0 or words == ["--stream"]
    assert result["bytes_in"] > 0
    assert failed(result) == {}


@pytest.mark.parametrize("words", [
    ["--churn"], ["--keep"], ["--keep", "-c", 4], ["--hold", 4]], ids=name_of_mode)  # fmt: skip
def test_a_signal_stops_it_although_the_server_says_nothing(serve, start_bench, words):
    server = serve(never_answer)
    process = start_bench("--json", *words, server.address)
    eventually(lambda: server.sources, "connections")
    time.sleep(0.2)  # so that it waits for an answer
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=10)
    result = json.loads(output)
    assert process.returncode == 1
    assert (result["interrupted"], result["ok"]) == (True, 0)
    assert result["unfinished"] == len(server.sources)


def test_a_held_load_can_be_broken_off(serve, start_bench):
    server = serve(echo)
    process = start_bench("--hold", 5, "--wait", server.address)
    held(process, 5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 1
    assert b"opened 5 connections" in output and b"unfinished: 5\n" in output
