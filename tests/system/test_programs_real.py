"""Handlers that were written for inetd, xinetd and tcpserver run unchanged."""

import os
import shutil
import subprocess

import pytest

GIT_DAEMON = "/usr/lib/git-core/git-daemon"
FINGERD = "/usr/sbin/in.fingerd"


def git(*words, **options):
    identity = ["-c", "user.name=prong", "-c", "user.email=prong@example.org"]
    return subprocess.run(
        ["git", *identity, *map(str, words)],
        capture_output=True, text=True, check=True, timeout=30, **options)  # fmt: skip


@pytest.mark.skipif(not os.path.exists(GIT_DAEMON), reason="no git daemon")
@pytest.mark.parametrize("how", [[], ["--warm", "-s", "2"], ["--kill-descendants"]])
def test_a_repository_is_cloned_through_git_daemon(prongd, tmp_path, how):
    origin = tmp_path / "served" / "origin"
    git("init", "-q", "-b", "main", origin)
    (origin / "large").write_bytes(os.urandom(300_000))
    git("add", ".", cwd=origin)
    git("commit", "-q", "-m", "first", cwd=origin)
    # Its own mark; a directory of another user would need safe.directory.
    server = prongd(*how, "--env", "HOME", "--", GIT_DAEMON, "--inetd", "--export-all",
                    f"--base-path={tmp_path}/served")  # fmt: skip
    port = server.addresses[0][1][1]
    git("clone", "-q", f"git://127.0.0.1:{port}/origin", tmp_path / "clone")
    copied = (tmp_path / "clone" / "large").read_bytes()
    assert copied == (origin / "large").read_bytes()
    server.wait_log(event="close", reason="eof")


@pytest.mark.skipif(not os.path.exists(FINGERD), reason="no fingerd")
@pytest.mark.skipif(shutil.which("finger") is None, reason="no finger")
def test_a_finger_daemon_answers(prongd):
    assert b"Login: root" in prongd("--", FINGERD).ask(b"root\r\n")


INETD_SCRIPT = """#!/bin/sh
# What an administrator wrote for inetd or xinetd: a line in, an answer out.
read -r word rest
case $word in
ADD*) set -- $rest; echo "$(($1 + $2))";;
WHO*) echo "$REMOTE_HOST";;
*) echo "500 $word?";;
esac
"""


@pytest.mark.parametrize("asked, answered", [
    (b"ADD 40 2\n", b"42\n"), (b"WHO\n", b"127.0.0.1\n"), (b"X\n", b"500 X?\n")])  # fmt: skip
def test_a_script_written_for_inetd_answers(prongd, tmp_path, asked, answered):
    script = tmp_path / "handler"
    script.write_text(INETD_SCRIPT)
    script.chmod(0o755)
    assert prongd("--", script).ask(asked) == answered


def test_a_handler_written_for_tcpserver_finds_its_variables(prongd):
    server = prongd("--resolve", "--", "sh", "-c",
                    'echo "$PROTO $TCPREMOTEIP $TCPREMOTEHOST:$TCPLOCALPORT"')  # fmt: skip
    port = server.addresses[0][1][1]
    answer = server.ask(b"").decode().strip()
    assert answer.startswith("TCP 127.0.0.1 ") and answer.endswith(f":{port}")
