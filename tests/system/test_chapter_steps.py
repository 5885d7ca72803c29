"""The last part of docs/chapter.md: its programs, and what it links to."""

import re
import subprocess

import pytest

from chapter import PROGRAMS, chapter_servers
from harness import PATIENCE, ROOT, eventually
from pasted import sections
from proc import children, gone, read, status
from sockets import echoes, receive_all

CHAPTER = (ROOT / "docs" / "chapter.md").read_text()
STEPS = sections(CHAPTER.split("\n## From the chapter to prong\n")[1], 3)
TABLE_ROW = re.compile(r"(?m)^\| [^|]+ \| `(src/[^`]+)` \| `(\w+)\(\)` \|$")


@pytest.fixture
def serve_step():
    with chapter_servers("steps") as start:
        yield start


def test_there_are_four_steps():
    names = [title.partition(": ")[2] for title in STEPS]
    assert names == ["limits", "drain", "spares", "sandbox"]


@pytest.mark.parametrize("title", STEPS)
def test_the_functions_that_a_step_names_are_in_the_files_that_it_names(title):
    rows = TABLE_ROW.findall(STEPS[title])
    assert len(rows) >= 5
    for file, function in rows:
        source = (ROOT / file).read_text()
        assert re.search(rf"(?m)^\w[^\n;]*\b{function}\([^;{{]*\)\n\{{", source), function


# The programs ----------------------------------------------------------------------


def test_limited_server_serves_the_next_client_when_a_process_has_ended(serve_step):
    server = serve_step("limited_server", "2", "60")
    first, second = server.connect(), server.connect()
    assert echoes(first) and echoes(second)
    third = server.connect()
    third.sendall(b"late")
    eventually(lambda: len(children(server.pid)) == 2, "two processes")
    first.close()
    assert third.recv(100) == b"late"
    assert len(children(server.pid)) <= 2


def test_draining_server_cuts_off_what_outlives_the_grace(serve_step):
    server = serve_step("draining_server", "1")
    client = server.connect()
    assert echoes(client)
    server.process.terminate()
    assert receive_all(client) == b""
    assert server.process.wait(PATIENCE) == 0
    assert server.rest() == "stopping: 1 open\nstopped: 1 cut off\n"


def test_a_second_sigterm_cuts_the_drain_short(serve_step):
    server = serve_step("draining_server", "1000")
    assert echoes(server.connect())
    server.process.terminate()
    assert server.line() == "stopping: 1 open\n"
    server.process.terminate()
    assert server.process.wait(PATIENCE) == 0
    assert server.rest() == "stopped: 1 cut off\n"


@pytest.mark.parametrize("name, arguments", [("draining_server", "60"), ("spare_server", "3")])
def test_children_end_with_a_server_that_is_killed(serve_step, name, arguments):
    server = serve_step(name, arguments)
    client = server.connect()
    assert echoes(client)
    pids = eventually(lambda: children(server.pid), "children")
    server.process.kill()
    server.process.wait()
    client.close()
    eventually(lambda: all(gone(pid) or not read(pid, "cmdline") for pid in pids), "gone")


def test_spare_server_serves_more_clients_at_once_than_it_has_spares(serve_step):
    server = serve_step("spare_server", "2")
    eventually(lambda: len(children(server.pid)) == 2, "two spares before any client")
    clients = [server.connect() for _ in range(20)]
    assert all(echoes(client) for client in clients)
    eventually(lambda: len(children(server.pid)) == 22, "two spares beside the clients")
    for client in clients:
        client.close()
    eventually(lambda: len(children(server.pid)) == 2, "two spares again")


def test_sandboxed_server_loses_only_the_client_that_broke_in(serve_step):
    if status("self")["Seccomp"] != "0":
        pytest.skip("a seccomp filter is in force here, which excludes the strict mode")
    server = serve_step("sandboxed_server")
    bystander, intruder = server.connect(), server.connect()
    assert echoes(bystander)
    intruder.sendall(b"open")
    assert receive_all(intruder) == b""
    assert echoes(bystander) and echoes(server.connect())


@pytest.mark.parametrize("name", ["limited", "draining", "spare", "sandboxed"])
def test_a_step_refuses_what_is_no_port(name):
    more = {"limited": ["1", "1"], "draining": ["1"], "spare": ["1"], "sandboxed": []}[name]
    words = [PROGRAMS / "steps" / f"{name}_server", "70l0", *more]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (2, "")
    assert "70l0 is no port" in done.stderr
    usage = subprocess.run(words[:1], capture_output=True, text=True, timeout=PATIENCE)
    assert usage.returncode == 2
    assert f"usage: {name}_server PORT" in usage.stderr


def test_a_step_includes_what_it_did_not_add():
    folder = ROOT / "examples" / "chapter" / "steps"
    headers = {path.name: path.read_text() for path in folder.glob("*.h")}
    for source in sorted(folder.glob("*.c")):
        included = re.findall(r'#include "(.+)"', source.read_text())
        assert included[:2] == ["children.h", "echo.h"]
        assert set(included) <= set(headers)
    [taught] = re.findall(r"(?ms)^static void catch_in_ppoll.*?^}$", headers["signals.h"])
    assert taught in (folder / "limited_server.c").read_text()
