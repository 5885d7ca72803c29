"""What the documents tell a reader to paste works, and prints what they show.

A block prints the same in each build, so it is run in the plain one only. Blocks mostly
sleep, so all of them run at the same time.
"""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, NamedTuple

import pytest

from harness import BUILD, PATIENCE, ROOT, SANITIZED, no_strays
from pasted import (
    attempts, blocks, checkout, figures, masked, output_of, session, session_output,
)  # fmt: skip
from proc import children, status

if SANITIZED:
    pytest.skip("blocks that a reader pastes run in the plain build", allow_module_level=True)

CHAPTER = (ROOT / "docs" / "chapter.md").read_text()
LIBRARY = (ROOT / "examples" / "library" / "README.md").read_text()
README = (ROOT / "README.md").read_text()
COMING_FROM = (ROOT / "docs" / "coming-from.md").read_text()
FIRST_BLOCK, *IN_CHAPTER = blocks(CHAPTER)
SERVERS = re.findall(r"(?m)^(prongd +.*:(70\d\d) .*)$", COMING_FROM)
TOOLS = ("cc", "ps", "python3", "script", "setpriv", "ss", "strace")

# What the servers of docs/coming-from.md answer to two lines, one and two, by port.
ANSWERS = {
    "7001": "hello 127.0.0.1\n", "7002": "8\n", "7003": "two\none\n", "7004": "two\none\n",
    "7005": "late\n", "7009": "you said: one\nyou said: two\n",
}  # fmt: skip

# What the text says of figures that vary, or of those that do not although others do.
CLAIMS = {
    "Zombies: zombie": lambda found: found[0] == found[4] == found[6],
    "1. One SIGCHLD, many exits": lambda found: found[0] > 0,
    "1. One SIGCHLD, many exits, 2": lambda found: 0 < found[2] < 100,
    "2. A backlog of five": lambda found: found[1] < found[10] and found[7] < found[16] == 300,
    "3. Thirty bytes at a time": lambda found: max(found[1], *found[9::2]) < 30 < found[3],
    "4. printf in a signal handler": lambda found: found[3] > 0,
    "5. The log, multiplied by fork": lambda found: found[2] == sum(range(1, 21)),
    "6. read's -1 taken for a length": lambda found: float(2**64 - 1) in found,
    "7. write's result ignored": lambda found: found[2] > 0 == found[5],
    "9. Out of descriptors": lambda found: found[2] == 0,
    "12. The client: the last line, without end": lambda found: found[0] > 1000,
    "13. The client: lines, text and data": lambda found: found[2] > 1,
    "14. The client: the writer stays": lambda found: found[-1] == 0,
    "15. Every interface, no limit, no deadline": lambda found: found[0] == 1000,
}


def works(*words, **popen):
    return subprocess.run(words, capture_output=True, **popen).returncode == 0


def obstacle(commands):
    """Why a block cannot run here, or None."""
    used = set(re.findall(r"\w+", commands))
    for tool in used.intersection(TOOLS):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if "strace" in used and not works("strace", "-o", "/dev/null", "true"):
        return "strace may not trace here"
    if used & {"setpriv", "user"} and os.geteuid() != 0:
        return "needs root"
    if "fsanitize" in used and not works(
        "cc", "-fsanitize=address", "-xc", "-o/dev/null", "-", input=b"int main(void) {}"
    ):
        return "cc has no AddressSanitizer"
    if "Seccomp" in used and status("self")["Seccomp"] != "0":
        return "a seccomp filter is in force here, which excludes the strict mode"
    return None


class Paste(NamedTuple):
    """Commands, what they must give, and how to get it: run in a folder, with slower pauses."""

    commands: str
    right: object
    run: Callable

    def best(self, directory):
        """What they give, at the first attempt at which it is right."""
        where = checkout(directory, ROOT, BUILD)
        return attempts(lambda factor: self.run(where, factor), lambda given: given == self.right)


def pasted_block(block, folder):
    shown = masked(block.output) if block.varies else block.output

    def run(where, factor):
        printed = output_of(block.commands, where / folder, factor)
        if not block.varies:
            return printed
        if masked(printed) == shown and not CLAIMS.get(block.title, bool)(figures(printed)):
            return f"figures that deny the text: {printed}"
        return masked(printed)

    return Paste(block.commands, shown, run)


def pasted_session(text):
    typed, shown = session(text)

    def run(where, factor):
        return [masked(printed) for printed in session_output(typed, where, factor)]

    return Paste("".join(typed), [masked(printed) for printed in shown], run)


def pasted_server(command, port):
    """A server of docs/coming-from.md: what it answers, and its exit status."""
    script = f"""
        build/{command} 2>/dev/null & S=$!
        sleep 0.5
        printf 'one\\ntwo\\n' | build/prong connect 127.0.0.1 {port}
        kill $S; wait $S; echo "status $?"
    """
    right = ANSWERS[port] + "status 0\n"
    return Paste(script, right, lambda where, factor: output_of(script, where, factor))


PASTES = {
    **{block.title: pasted_block(block, "build/examples/chapter")
       for block in IN_CHAPTER if block.output is not None},
    **{block.title: pasted_block(block, ".") for block in blocks(LIBRARY)},
    **{command: pasted_server(command, port) for command, port in SERVERS},
    "README.md": pasted_session(README),
}  # fmt: skip


@pytest.fixture(scope="module")
def given(request, tmp_path_factory):
    """By name, what the chosen commands will have given. They begin here, long ones first."""
    mine = [item for item in request.session.items if item.module is request.module]
    names = [item.callspec.params["name"] for item in mine if hasattr(item, "callspec")]
    names = [name for name in names if obstacle(PASTES[name].commands) is None]
    names.sort(key=lambda name: -len(PASTES[name].commands))
    before = set(children(os.getpid()))
    with ThreadPoolExecutor(8) as pool:
        folder = tmp_path_factory.mktemp
        yield {name: pool.submit(PASTES[name].best, folder("pasted")) for name in names}
    no_strays(before, PATIENCE)


@pytest.mark.parametrize("name", PASTES)
def test_what_is_pasted_gives_what_the_text_shows(given, name):
    if reason := obstacle(PASTES[name].commands):
        pytest.skip(reason)
    assert given[name].result() == PASTES[name].right


def test_the_server_for_the_open_internet_starts_and_stops(tmp_path):
    [command], [output] = session(README, "# ")
    assert output == ""
    if not works("unshare", "-n", "true"):
        pytest.skip("needs unshare -n")
    words = ["unshare", "-n", "bash", "-c", f"exec {command}"]
    here = checkout(tmp_path, ROOT, BUILD)
    server = subprocess.Popen(words, cwd=here, stderr=subprocess.PIPE, text=True)
    lines = iter(server.stderr.readline, "")
    assert any("event=start " in line for line in lines)
    server.terminate()
    assert server.communicate(timeout=PATIENCE)[0] is None
    assert server.returncode == 0


def test_the_chapter_begins_where_its_programs_are():
    assert FIRST_BLOCK.commands == "cd build/examples/chapter\n"
    assert (BUILD / "examples" / "chapter" / "echo_server").exists()


def test_each_block_of_the_chapter_shows_what_it_prints():
    silent = {block.title for block in IN_CHAPTER if block.output is None}
    assert silent <= {"Processes and cores: cores"}  # whose table `make approaches` writes


def test_each_claim_is_about_a_block():
    assert set(CLAIMS) <= {block.title for block in IN_CHAPTER if block.varies}
    assert {port for _, port in SERVERS} == set(ANSWERS)


def test_the_tools_are_listed_before_the_first_program():
    listed = CHAPTER.split("\n## ")[0]
    used = {word for block in IN_CHAPTER for word in re.findall(r"\w+", block.commands)}
    assert all(f"`{tool}`" in listed for tool in used.intersection(TOOLS))


def test_no_block_uses_a_fixed_place_or_finds_a_process_by_its_command_line():
    for name, paste in PASTES.items():
        assert not re.search(r"/tmp|/var|\bpgrep\b|\bpkill\b|\bkillall\b", paste.commands), name
