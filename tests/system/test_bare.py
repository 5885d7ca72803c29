"""On a machine that lacks something, clients are served, or the start says why not."""

import shutil
import subprocess

import pytest

from harness import PRONGD, SANITIZED, environment
from sockets import echoes

pytestmark = [
    pytest.mark.usefixtures("root"),
    pytest.mark.skipif(SANITIZED, reason="a sanitizer needs /proc and its library"),
]

LACKS = {
    "no /proc": "umount -l /proc",
    "a read-only /proc": "mount -o remount,ro,bind /proc",
    "a /proc of own processes": "mount -t proc -o hidepid=2 proc /proc",
    "a read-only root": "mount --bind / / && mount -o remount,ro,bind /",
    "an empty /etc": "mount -t tmpfs none /etc",
    "an empty /run and /var": "mount -t tmpfs none /run && mount -t tmpfs none /var",
}

SERVES = [("-s", 2, "echo"), ("-r", "always", "echo"),
          ("-r", "always", "--accept", "workers", "echo"),
          ("--user", "65534", "--group", "65534", "echo"), ("--", "/bin/cat"),
          ("--warm", "-s", 1, "--", "/bin/cat"),
          ("--kill-descendants", "--", "/bin/cat"), ("--resolve", "--", "/bin/cat")]  # fmt: skip


def lacking(script):
    under = ["unshare", "-m", "sh", "-c", f'{script} && exec "$@"', "sh"]
    tried = subprocess.run([*under, "/bin/true"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"cannot be made here: {tried.stderr.strip()}")
    return under


@pytest.mark.parametrize("lack", LACKS)
@pytest.mark.parametrize("words", SERVES, ids=str)
def test_clients_are_served(prongd, lack, words):
    if lack == "no /proc" and "--kill-descendants" in words:
        pytest.skip("needs /proc, and says so: test_programs_runaway.py")
    server = prongd(*words, under=lacking(LACKS[lack]))
    for _ in range(3):
        with server.connect() as client:
            assert echoes(client)


@pytest.mark.parametrize("script, words, says", [
    ("mount -t tmpfs none /dev", ["echo"], "cannot open /dev/null"),
    ("mount -t tmpfs none /etc", ["--user", "nobody", "echo"], 'unknown user "nobody"'),
    ("mount -t tmpfs none /etc", ["--user", "1", "--group", "daemon", "echo"], 'unknown group "daemon"'),
    ("mount -t tmpfs none /usr/local", ["--", "/usr/local/none"], "No such file"),
], ids=str)  # fmt: skip
def test_the_start_says_what_is_missing(script, words, says):
    command = [*lacking(script), PRONGD, "-l", "127.0.0.1:0", *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20,
                           env=environment())  # fmt: skip
    assert ended.returncode == 1
    assert says in ended.stderr


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize("words", [("--resolve", "--", "/bin/cat"), ("--", "/bin/cat")], ids=str)
def test_a_process_that_is_slow_to_become_a_program_keeps_its_client(prongd, words):
    """Its streams are not the connection yet, and no process seems to hold that."""
    slow = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=dup2",
            "-e", "inject=dup2:delay_enter=400ms:when=1"]  # fmt: skip
    server = prongd(*words, under=[*lacking(LACKS["no /proc"]), *slow])
    with server.connect() as client:
        assert echoes(client)
