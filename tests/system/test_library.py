"""libprong as others get it: installed, linked both ways, and nothing in their way."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("PRONG_BUILD", ROOT / "build")).resolve()
EXAMPLES = BUILD / "examples" / "library"
HEADER = ROOT / "include" / "prong.h"
SANITIZED = b"__asan_init" in (BUILD / "prongd").read_bytes()
PATIENCE = 20  # seconds, before a fact that must come is missed
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# A server as somebody would write it who has never seen this tree.
PROGRAM = r"""
#include <prong.h>

static int twice(struct prong_conn *conn, void *arg)
{
	char buffer[100];
	ssize_t n;

	(void)arg;
	while ((n = prong_recv(conn, buffer, sizeof(buffer))) > 0)
		if (prong_send(conn, buffer, (size_t)n) < 0 ||
		    prong_send(conn, buffer, (size_t)n) < 0)
			return -1;
	return (int)n;
}

int main(void)
{
	const char *listen[] = { "127.0.0.1:0", NULL };
	struct prong_options options = { .size = sizeof(options) };
	struct prong *server;

	options.listen = listen;
	options.log_fd = 2;
	if (prong_open(&server, &options, twice, NULL) < 0 || prong_run(server) < 0)
		return 1;
	prong_close(server);
	return 0;
}
"""

# Names that the library has inside, each with another meaning here.
NAMESAKES = r"""
int log_begin, slot_take, clock_now = 1;
void die(void);
void address_lookup(void);
void listener_open(void);
void die(void) { __builtin_trap(); }
void address_lookup(void) { __builtin_trap(); }
void listener_open(void) { __builtin_trap(); }
"""


def run(*words, **environment):
    """A command that must succeed; what it said on standard output."""
    result = subprocess.run(
        [str(word) for word in words], env={**os.environ, "LC_ALL": "C", **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, timeout=120)  # fmt: skip
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result.stdout


def option(name):
    """A directory option of the build, relative to the prefix; or the prefix."""
    rows = json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text())
    return next(row["value"] for row in rows if row["name"] == name)


class Installed:
    """What `meson install` puts under a DESTDIR."""

    def __init__(self, destination):
        self.destination = destination
        self.prefix = destination / option("prefix").lstrip("/")
        self.library = self.prefix / option("libdir")
        self.shared = self.library / "libprong.so"
        self.static = self.library / "libprong.a"

    def pkg_config(self, *words):
        return run(
            "pkg-config", *words, "libprong",
            PKG_CONFIG_LIBDIR=str(self.library / "pkgconfig"),
            PKG_CONFIG_SYSROOT_DIR=str(self.destination),
            PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1",
        ).split()  # fmt: skip

    def compile(self, source, output, *, static=False):
        sanitizers = ["-fsanitize=address,undefined"] if SANITIZED else []
        libraries = self.pkg_config("--libs")
        if static:
            libraries = [word.replace("-lprong", "-l:libprong.a") for word in libraries]
        run("cc", *STRICT, *sanitizers, *self.pkg_config("--cflags"), source, "-o",
            output, *libraries)  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    destination = tmp_path_factory.mktemp("destination")
    run(ROOT / "scripts" / "meson", "install", "-C", BUILD, "--no-rebuild",
        "--destdir", destination)  # fmt: skip
    return Installed(destination)


def eventually(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE} s"
        time.sleep(0.01)
    return result


def processes_of(program):
    """Every process that runs this file, workers included."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(entry / "exe") == str(program):
                found.append(int(entry.name))
    return found


class Server:
    """A server on libprong; its log tells where it listens."""

    def __init__(self, program, log, *words, **environment):
        self.program = program.resolve()
        self.log = log
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(
                [program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=stderr, env={**os.environ, **environment})  # fmt: skip

    def address(self):
        def found():
            assert self.process.poll() is None, self.log.read_text()
            return re.search(r"event=listen address=(\S+):(\d+)\n", self.log.read_text())

        match = eventually(found, "a line with the address")
        return match[1], int(match[2])

    def join(self):
        return socket.create_connection(self.address(), timeout=PATIENCE)

    def await_log(self, pattern):
        eventually(lambda: re.search(pattern, self.log.read_text()), pattern)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.log.read_text()
        assert processes_of(self.program) == []

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def serve(tmp_path):
    """serve(program, word...) starts it; at the end it must stop and leave nobody."""
    started = []

    def start(program, *words, **environment):
        log = tmp_path / f"log-{len(started)}"
        started.append(Server(program, log, *words, **environment))
        return started[-1]

    try:
        yield start
        for server in started:
            server.stop()
    finally:
        for server in started:
            server.kill()


def ask(client, line):
    """The line that comes back; what had come of it, if the connection ended."""
    client.sendall(line.encode() + b"\n")
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while not answer.endswith(b"\n") and (part := client.recv(4096)):
            answer += part
    return answer.decode()


def receive(client, length):
    data = b""
    while len(data) < length:
        part = client.recv(length - len(data))
        assert part, f"end of file after {len(data)} of {length} bytes"
        data += part
    return data


def declared():
    """The functions that prong.h declares."""
    names = re.findall(r"^PRONG_PUBLIC[^;(]*?(\w+)\(", HEADER.read_text(), re.MULTILINE)
    assert len(names) > 8
    return sorted(names)


def symbols(*words):
    """Names that nm lists, but for those of the sanitizers."""
    names = {line.split()[-1].split("@")[0] for line in run("nm", *words).splitlines()
             if line and not line.endswith(":")}  # fmt: skip
    return {name for name in names if not re.match(r"_+(odr_)?(asan|ubsan)", name)}


def test_installing_puts_each_file_in_its_place(installed):
    version = re.search(r'PRONG_VERSION "(.*)"', HEADER.read_text())[1]
    assert os.access(installed.prefix / option("sbindir") / "prongd", os.X_OK)
    header = installed.prefix / option("includedir") / "prong.h"
    assert header.read_bytes() == HEADER.read_bytes()
    assert installed.static.is_file()
    assert os.readlink(installed.shared) == "libprong.so.0"
    assert (installed.library / f"libprong.so.{version}").is_file()
    assert installed.pkg_config("--modversion") == [version]


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_a_program_outside_the_tree_is_built_and_serves(
    installed, serve, tmp_path, static
):
    (tmp_path / "twice.c").write_text(PROGRAM)
    program = tmp_path / "twice"
    installed.compile(tmp_path / "twice.c", program, static=static)
    needed = run("readelf", "-d", program)
    assert ("[libprong.so.0]" in needed) != static
    server = serve(program, LD_LIBRARY_PATH=str(installed.library))
    with server.join() as client:
        client.sendall(b"ab")
        assert receive(client, 4) == b"abab"


def test_a_host_program_may_use_the_names_that_the_library_has_inside(
    installed, serve, tmp_path
):
    (tmp_path / "host.c").write_text(PROGRAM + NAMESAKES)
    installed.compile(tmp_path / "host.c", tmp_path / "host", static=True)
    with serve(tmp_path / "host").join() as client:
        client.sendall(b"x")
        assert receive(client, 2) == b"xx"


def test_the_header_compiles_as_cpp_too(installed, tmp_path):
    if shutil.which("g++") is None:
        pytest.skip("no g++")
    (tmp_path / "header.cc").write_text(
        "#include <prong.h>\n"
        "static int serve(prong_conn *conn, void *) { return prong_send(conn, 0, 0); }\n"
        "prong_handler *handler = serve;\n"
        "const char *version = prong_version();\n"
    )
    run("g++", "-std=c++17", *STRICT[1:], *installed.pkg_config("--cflags"), "-c",
        tmp_path / "header.cc", "-o", tmp_path / "header.o")  # fmt: skip


def test_the_shared_library_exports_what_the_header_declares(installed):
    assert sorted(symbols("-D", "--defined-only", installed.shared)) == declared()


def test_the_static_library_exports_what_the_header_declares(installed):
    assert sorted(symbols("-g", "--defined-only", installed.static)) == declared()


def test_the_shared_library_names_its_abi(installed):
    assert "soname: [libprong.so.0]" in run("readelf", "-d", installed.shared)


FORBIDDEN = {
    "exit", "abort", "quick_exit", "printf", "vprintf", "fprintf", "vfprintf", "dprintf",
    "puts", "fputs", "putchar", "fputc", "fwrite", "perror", "error", "err", "warn",
    "psignal", "syslog", "__printf_chk", "__fprintf_chk", "__vfprintf_chk", "stdout",
    "stderr", "system", "atexit",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_the_library_never_prints_and_never_ends_its_host(installed, kind):
    """_exit(2) ends workers, and a failed assert() speaks; nothing else may."""
    words = ["-D", "-u"] if kind == "shared" else ["-u"]
    used = symbols(*words, getattr(installed, kind))
    assert {"_exit", "fork"} <= used
    assert used & FORBIDDEN == set()


def test_prongd_is_static_and_loads_nothing(installed):
    if SANITIZED:
        pytest.skip("the sanitizers need the dynamic loader")
    prongd = installed.prefix / option("sbindir") / "prongd"
    assert "DYN (Position-Independent Executable file)" in run("readelf", "-h", prongd)
    assert "INTERP" not in run("readelf", "-lW", prongd)
    assert "NEEDED" not in run("readelf", "-d", prongd)


def test_example_echo_echoes(serve):
    server = serve(EXAMPLES / "echo", "127.0.0.1:0")
    with server.join() as first, server.join() as second:
        for client in (first, second):
            assert ask(client, "hello") == "hello\n"
        data = os.urandom(50000)
        first.sendall(data)
        assert receive(first, len(data)) == data
        second.shutdown(socket.SHUT_WR)
        assert second.recv(1) == b""


def serve_calculator(serve, *words):
    """Its faults are meant to be: a sanitizer must neither stop nor report them."""
    return serve(EXAMPLES / "calculator", "127.0.0.1:0", *words,
                 ASAN_OPTIONS="handle_segv=0:handle_sigfpe=0",
                 UBSAN_OPTIONS="halt_on_error=0")  # fmt: skip


def test_example_calculator_calculates(serve):
    with serve_calculator(serve).join() as client:
        for line, answer in [("6*7", "42"), ("1+2*3", "7"), ("(1+2)*3", "9"),
                             ("2^3^2", "512"), ("-4-(5)", "-9"), ("7/2", "3")]:  # fmt: skip
            assert ask(client, line) == answer + "\n"


@pytest.mark.parametrize(
    "line, signal_name", [("1/0", "FPE"), ("(" * 300000, "SEGV")], ids=["FPE", "SEGV"]
)
def test_example_calculator_survives_a_crash_of_one_client(serve, line, signal_name):
    server = serve_calculator(serve)
    with server.join() as good, server.join() as bad:
        assert ask(good, "6*7") == "42\n"
        assert ask(bad, line) == ""
        server.await_log(f"conn=2 .*reason=crash-signal signal={signal_name} ")
        assert ask(good, "6*7") == "42\n"
        with server.join() as late:
            assert ask(late, "1+1") == "2\n"


def test_example_calculator_ends_an_endless_calculation(serve):
    server = serve_calculator(serve, "1")
    with server.join() as bad:
        bad.sendall(b"2^99999999999\n")
        with server.join() as good:
            assert ask(good, "6*7") == "42\n"
        assert bad.recv(1) == b""
        server.await_log("conn=1 .*reason=deadline ")
