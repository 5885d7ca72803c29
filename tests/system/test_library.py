"""libprong as other projects get it: installed, linked both
ways, with clean symbols."""

import contextlib
import os
import re
import shutil
import socket
import subprocess

import pytest

from harness import BUILD, PATIENCE, PRONG, ROOT, SANITIZED, environment
from installing import STRICT, installed, option, run  # noqa: F401 (a fixture)
from sockets import receive_all, receive_exactly

EXAMPLES = BUILD / "examples" / "library"
HEADER = ROOT / "include" / "prong.h"

# A server as it is written by a developer who has never seen this source.
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

# Names that the library uses internally, here with other meanings.
NAMESAKES = r"""
int log_begin, slot_take, clock_now = 1;
void die(void);
void address_lookup(void);
void listener_open(void);
void die(void) { __builtin_trap(); }
void address_lookup(void) { __builtin_trap(); }
void listener_open(void) { __builtin_trap(); }
"""


@pytest.fixture
def serve(prongd):
    """serve(program, word...) starts a server on libprong."""

    def start(program, *words, **variables):
        options = {"program": program, "plain": True, "env": environment(**variables)}
        return prongd(*words, **options)

    return start


def ask(client, line):
    """Return the line that comes back, or what had arrived when
    the connection ended."""
    client.sendall(line.encode() + b"\n")
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while not answer.endswith(b"\n") and (part := client.recv(4096)):
            answer += part
    return answer.decode()


def declared():
    """The functions that prong.h declares."""
    names = re.findall(r"^PRONG_PUBLIC[^;(]*?(\w+)\(", HEADER.read_text(), re.MULTILINE)
    assert len(names) > 8
    return sorted(names)


def symbols(*words):
    """Names that nm lists, without those of the sanitizers."""
    names = {line.split()[-1].split("@")[0] for line in run("nm", *words).splitlines()
             if line and not line.endswith(":")}  # fmt: skip
    return {name for name in names if not re.match(r"_+(odr_)?(asan|ubsan)", name)}


class Registering:
    """Runs the last step of `make install` among commands that
    only record their use."""

    SCRIPT = ROOT / "scripts" / "register-library"
    LIBRARY = "/usr/local/lib/somewhere"

    def __init__(self, folder):
        self.folder = folder
        self.uses = folder / "uses"
        self.uses.touch()

    def command(self, name, text):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def __call__(self, *, user, listed, destination=""):
        self.command("id", f"echo {user}")
        self.command("ldconfig", f"""
            [ "$#" = 0 ] && echo ran >> {self.uses}
            [ "$1" = -p ] && echo "	libprong.so.0 (libc6) => {listed}/libprong.so.0"
            exit 0""")
        return run(self.SCRIPT, self.LIBRARY, PATH=f"{self.folder}:/usr/bin:/bin",
                   MESON_INSTALL_PREFIX="/usr/local",
                   MESON_INSTALL_DESTDIR_PREFIX=f"{destination}/usr/local")  # fmt: skip

    def ran(self):
        return "ran" in self.uses.read_text()


@pytest.fixture
def registering(tmp_path):
    return Registering(tmp_path)


def test_after_an_installation_by_root_the_loader_knows_the_library(registering):
    assert registering(user=0, listed=registering.LIBRARY) == ""
    assert registering.ran()


def test_a_directory_in_which_the_loader_does_not_look_is_told(registering):
    said = registering(user=0, listed="/usr/lib")
    assert registering.ran()
    assert "does not look" in said and f"LD_LIBRARY_PATH={registering.LIBRARY}" in said


def test_who_may_not_run_ldconfig_is_told_what_to_do(registering):
    said = registering(user=1000, listed="/usr/lib")
    assert not registering.ran()
    assert "run ldconfig as root" in said and registering.LIBRARY in said


def test_an_installation_elsewhere_leaves_the_loader_of_this_system_alone(registering):
    assert registering(user=0, listed="/usr/lib", destination="/tmp/package") == ""
    assert not registering.ran()


def test_meson_registers_the_library_at_the_end_of_an_installation():
    data = (ROOT / "src" / "meson.build").read_text()
    assert "add_install_script('../scripts/register-library'" in data


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
    with server.connect() as client:
        client.sendall(b"ab")
        assert receive_exactly(client, 4) == b"abab"


def test_the_server_of_the_readme_is_built_and_serves(installed, tmp_path):
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode != 0:
        pytest.skip("needs unshare -n: the server listens on its default address")
    [source] = re.findall(r"(?ms)^```c\n(.*?)^```$", (ROOT / "README.md").read_text())
    (tmp_path / "echo.c").write_text(source)
    installed.compile(tmp_path / "echo.c", tmp_path / "echo")
    script = f"""
        ip link set lo up; ./echo & S=$!
        until printf hello | {PRONG} connect 127.0.0.1 7007 2>/dev/null; do sleep 0.1; done
        kill $S; wait $S
    """
    variables = environment(LD_LIBRARY_PATH=str(installed.library))
    words = ["unshare", "-n", "sh", "-c", script]
    done = subprocess.run(words, cwd=tmp_path, env=variables, timeout=PATIENCE,
                          capture_output=True)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, b"hello")


def test_a_host_program_may_use_the_names_that_the_library_has_inside(
    installed, serve, tmp_path
):
    (tmp_path / "host.c").write_text(PROGRAM + NAMESAKES)
    installed.compile(tmp_path / "host.c", tmp_path / "host", static=True)
    with serve(tmp_path / "host").connect() as client:
        client.sendall(b"x")
        assert receive_exactly(client, 2) == b"xx"


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
    """Only _exit(2), which ends workers, and a failed assert() may appear."""
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
    with server.connect() as first, server.connect() as second:
        for client in (first, second):
            assert ask(client, "hello") == "hello\n"
        data = os.urandom(50000)
        first.sendall(data)
        assert receive_exactly(first, len(data)) == data
        second.shutdown(socket.SHUT_WR)
        assert second.recv(1) == b""


FAULTS = "signed-integer-overflow:calculator.c\ninteger-divide-by-zero:calculator.c\n"


@pytest.fixture
def calculator(serve, tmp_path):
    """Its faults are intended: a sanitizer must neither stop nor report them."""
    suppressions = tmp_path / "suppressions"
    suppressions.write_text(FAULTS)

    def start(*words):
        return serve(EXAMPLES / "calculator", "127.0.0.1:0", *words,
                     ASAN_OPTIONS="handle_segv=0:handle_sigfpe=0",
                     UBSAN_OPTIONS=f"halt_on_error=0:suppressions={suppressions}")  # fmt: skip

    return start


def test_example_calculator_calculates(calculator):
    with calculator().connect() as client:
        for line, answer in [("6*7", "42"), ("1+2*3", "7"), ("(1+2)*3", "9"),
                             ("2^3^2", "512"), ("-4-(5)", "-9"), ("7/2", "3")]:  # fmt: skip
            assert ask(client, line) == answer + "\n"


@pytest.mark.parametrize(
    "line, signal_name", [("1/0", "FPE"), ("(" * 300000, "SEGV")], ids=["FPE", "SEGV"]
)
def test_example_calculator_survives_a_crash_of_one_client(calculator, line, signal_name):
    server = calculator()
    with server.connect() as good, server.connect() as bad:
        assert ask(good, "6*7") == "42\n"
        assert ask(bad, line) == ""
        server.wait_log(conn=2, reason="crash-signal", signal=signal_name)
        assert ask(good, "6*7") == "42\n"
        with server.connect() as late:
            assert ask(late, "1+1") == "2\n"


def test_example_calculator_ends_an_endless_calculation(calculator):
    server = calculator("1")
    with server.connect() as bad:
        bad.sendall(b"2^99999999999\n")
        with server.connect() as good:
            assert ask(good, "6*7") == "42\n"
        assert bad.recv(1) == b""
        server.wait_log(conn=1, reason="deadline")


# The sanitizer's report of the crash is expected.
@pytest.fixture
def store(serve):
    return serve(EXAMPLES / "store", "127.0.0.1:0", ASAN_OPTIONS="handle_sigill=0")


def test_example_store_is_one_for_all_clients(store):
    with store.connect() as one, store.connect() as other:
        assert ask(one, "set colour deep blue") == "OK\n"
        assert ask(other, "get colour") == "deep blue\n"
        assert ask(other, "set colour red") == "OK\n"
        assert (ask(one, "get colour"), ask(one, "count")) == ("red\n", "1\n")
    with store.connect() as late:
        assert ask(late, "get colour") == "red\n"
        assert ask(late, "get taste") == "NONE\n"


@pytest.mark.parametrize("key, left", [("colour", "blue\n"), ("taste", "NONE\n")])
def test_example_store_undoes_what_a_crash_left_half_done(store, key, left):
    """This includes clients that were waiting for the mutex."""
    with store.connect() as good:
        assert ask(good, "set colour blue") == "OK\n"
        for _ in range(10):
            with store.connect() as bad, store.connect() as waiting:
                bad.sendall(f"crash {key} sour\n".encode())
                assert ask(waiting, f"get {key}") == left
                assert receive_all(bad) == b""
            assert (ask(good, f"get {key}"), ask(good, "count")) == (left, "1\n")
    crashes = store.wait_log(10, event="close", reason="crash-signal")
    assert len(crashes) == 10
    with store.connect() as late:
        assert ask(late, f"set {key} sweet") == "OK\n"
        assert ask(late, f"get {key}") == "sweet\n"
