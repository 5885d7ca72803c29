"""The approaches that docs/chapter.md sets side by side do what it says of them."""

import contextlib
import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from chapter import PROGRAMS, chapter_servers
from harness import PATIENCE, ROOT, eventually
from proc import children, cpu_seconds, descriptors, state, status
from sockets import echoes, exchange, receive_all, receive_exactly, reset

SOURCES = ROOT / "examples" / "chapter"
CHAPTER = (ROOT / "docs" / "chapter.md").read_text()
COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)

CONCURRENT = ["select_server", "epoll_server", "thread_server"]
# With the bug: the program, its arguments, and whether all clients share one process.
TROUBLED = {
    "iterative": (["iterative_server"], True),
    "processes": (["echo_server"], False),
    "select": (["select_server"], True),
    "epoll": (["epoll_server"], True),
    "threads": (["thread_server"], True),
    "prong, fresh": (["prong_server"], False),
    "prong, pool": (["prong_server", "pool"], False),
}
# What everyone else does not notice.
SPARES = {
    "iterative": "-",
    "processes": "(a), (b), (c), (d)",
    "select": "(d)",
    "epoll": "(d)",
    "threads": "(b), (d)",
    "prong, fresh": "(a), (b), (c), (d)",
    "prong, pool": "(a), (b), (d)",
}
MB = 1000 * 1000


@pytest.fixture
def serve():
    with chapter_servers(".") as start:
        yield start


@pytest.fixture
def troubled():
    """Starts a server with the bug, by the name of its approach. A sanitizer would report
    the bug, which is wanted here."""
    quiet = {**os.environ, "ASAN_OPTIONS": "handle_segv=0:detect_leaks=0"}
    with chapter_servers("trouble") as start:

        def begin(name):
            words, _ = TROUBLED[name]
            return start(*words, env=quiet, stderr=subprocess.DEVNULL)

        yield begin


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


# The texts -------------------------------------------------------------------------


def test_the_tables_and_plots_are_what_is_recorded(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "bench" / "plots").mkdir(parents=True)
    for name in "chapter.md", "chapter.ko.md":
        shutil.copy(ROOT / "docs" / name, tmp_path / "docs")
    words = [sys.executable, "-B", ROOT / "bench" / "approaches.py", "--report", tmp_path]
    subprocess.run(words, check=True)
    for path in (tmp_path / "docs").iterdir():
        assert path.read_text() == (ROOT / "docs" / path.name).read_text()
    plots = sorted((tmp_path / "bench" / "plots").iterdir())
    assert len(plots) == 5
    for plot in plots:
        text = plot.read_text()
        assert text == (ROOT / "bench" / "plots" / plot.name).read_text(), plot.name
        assert f"](../bench/plots/{plot.name})" in CHAPTER
        assert "prefers-color-scheme:dark" in text and "<desc" in text
        stands_out = re.search(r'class="(ours|bold ink)"[^>]*>(prong)?', text)
        assert stands_out or plot.name == "cores.svg"


@pytest.mark.parametrize("name", SPARES)
def test_the_recorded_results_tell_who_suffers_as_the_tests_do(name):
    [row] = re.findall(rf"(?m)^\| \**{name}\** \| [^|]* \| ([^|]*) \|$", CHAPTER)
    assert row == SPARES[name]


# Plain C ---------------------------------------------------------------------------


@pytest.mark.skipif(COMPILER is None, reason="no C compiler at hand")
@pytest.mark.parametrize("name", sorted(path.stem for path in SOURCES.glob("*.c")))
def test_a_program_is_compiled_plainly_without_a_warning(name, tmp_path):
    flags = ["-pthread"] if name == "thread_server" else []
    words = [COMPILER, "-Wall", "-Wextra", *flags, f"{name}.c", "-o", tmp_path / name]
    done = subprocess.run(words, cwd=SOURCES, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(COMPILER is None, reason="no C compiler at hand")
def test_threads_do_not_race(serve, tmp_path):
    program = tmp_path / "thread_server"
    words = [COMPILER, "-g", "-pthread", "-fsanitize=thread", "-o", program]
    if subprocess.run([*words, SOURCES / "thread_server.c"]).returncode != 0:
        pytest.skip(f"{COMPILER} has no ThreadSanitizer")
    server = serve(program, env={"TSAN_OPTIONS": "halt_on_error=1"})
    for _ in range(5):
        clients = [server.connect() for _ in range(10)]
        for client in clients:
            client.sendall(b"here\n")
        assert all(receive_exactly(client, 5) == b"here\n" for client in clients)
        for client in clients:
            client.close()
    assert echoes(server.connect())
    assert server.process.poll() is None


# The servers -----------------------------------------------------------------------


def test_one_client_at_a_time_is_served(serve):
    server = serve("iterative_server")
    first, second = server.connect(), server.connect()
    second.sendall(b"late\n")
    assert echoes(first) and echoes(first)
    assert select.select([second], [], [], 0)[0] == []
    first.close()
    assert receive_exactly(second, 5) == b"late\n"
    assert threads(server.pid) == 1 and not children(server.pid)


@pytest.mark.parametrize("name", CONCURRENT)
def test_many_clients_are_served_at_once_by_one_process(serve, name):
    server = serve(name)
    clients = [server.connect() for _ in range(50)]
    for number, client in reversed(list(enumerate(clients))):
        assert echoes(client, f"client {number}\n".encode())
    assert not children(server.pid)
    assert threads(server.pid) == (51 if name == "thread_server" else 1)
    for client in clients:
        client.close()
    eventually(lambda: threads(server.pid) == 1, "the threads have ended")
    eventually(lambda: len(descriptors(server.pid)) <= 5, "the connections are closed")


@pytest.mark.parametrize("name", ["iterative_server", *CONCURRENT])
def test_each_byte_comes_back_to_a_client_that_reads_late(serve, name):
    client = serve(name).connect()
    sent = fill(client)
    client.settimeout(PATIENCE)
    client.shutdown(socket.SHUT_WR)
    assert receive_all(client) == sent


@pytest.mark.parametrize("name", ["iterative_server", *CONCURRENT])
def test_a_client_that_leaves_ends_only_its_connection(serve, name):
    server = serve(name)
    client = server.connect()
    fill(client)
    reset(client)  # the server is in send(), or waits for it
    client = server.connect()
    server.process.send_signal(signal.SIGSTOP)
    eventually(lambda: state(server.pid) == "T", "the server is stopped")
    client.sendall(bytes(48 * 1024))
    client.close()  # three times the server's buffer: its second send() fails with EPIPE
    server.process.send_signal(signal.SIGCONT)  # calls may fail with EINTR then
    assert exchange(server.connect(), b"here\n") == b"here\n"


@pytest.mark.parametrize("name", ["iterative_server", *CONCURRENT])
def test_a_port_that_is_none_is_refused(name):
    done = subprocess.run([PROGRAMS / name, "70l0"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert "70l0 is no port" in done.stderr


def test_without_a_descriptor_a_server_waits_and_does_not_spin(serve):
    servers = [serve(name, preexec_fn=few_descriptors) for name in CONCURRENT]
    crowds = []
    for server in servers:
        clients = [server.connect() for _ in range(12)]
        for client in clients:
            client.sendall(b"here\n")
        assert echoes(clients[0], b"") and receive_exactly(clients[0], 5) == b"here\n"
        crowds.append(clients)
    before = [cpu_seconds(server.pid) for server in servers]
    time.sleep(0.4)  # how much a server computes while it can accept nothing
    for server, used in zip(servers, before):
        assert cpu_seconds(server.pid) - used < 0.2
    for clients in crowds:
        for client in clients[:6]:
            client.close()
    for clients in crowds:
        assert receive_exactly(clients[6], 5) == b"here\n"


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))


def fill(client):
    """Sends without reading until no more is taken; what was sent."""
    client.setblocking(False)
    data, sent, quiet = os.urandom(1 << 20) * 32, 0, 0
    while quiet < 3:
        try:
            sent += client.send(data[sent : sent + 65536])
            quiet = 0
        except BlockingIOError:
            quiet += 1
            time.sleep(0.01)  # the server may still take some
    return data[:sent]


# Everyone else ---------------------------------------------------------------------


def another(server, name):
    """A client that is served, or, one at a time, that waits for it."""
    client = server.connect()
    assert name == "iterative" or echoes(client)
    return client


def lost(client):
    try:
        return receive_all(client) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("name", TROUBLED)
def test_a_crash_meets_all_that_share_the_process(troubled, name):
    server = troubled(name)
    client = server.connect()
    assert echoes(client)
    others = [another(server, name) for _ in range(3)]
    client.sendall(b"please crash\n")
    assert lost(client)
    if "(a)" in SPARES[name]:
        assert all(echoes(other) for other in [*others, server.connect()])
        assert server.process.poll() is None
    else:
        assert server.process.wait(PATIENCE) == -signal.SIGSEGV
        assert all(lost(other) for other in others)
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_a_calculation_delays_all_that_share_the_thread(troubled):
    """All servers calculate at the same time: two seconds are enough for all."""
    pairs = {}
    for name in TROUBLED:
        server = troubled(name)
        client = server.connect()
        assert echoes(client)
        pairs[name] = server, client, another(server, name)
    for name, (server, client, other) in pairs.items():
        used = computed(server.pid)
        client.sendall(b"please compute\n")
        eventually(lambda: computed(server.pid) > used + 0.02, "it computes")
        if "(b)" in SPARES[name]:
            assert all(echoes(one) for one in [other, other, other, server.connect()])
            assert select.select([client], [], [], 0)[0] == []
        else:
            other.sendall(b"here\n")
    for name, (server, client, other) in pairs.items():
        if "(b)" not in SPARES[name]:
            assert client in select.select([client, other], [], [], PATIENCE)[0]
        assert receive_exactly(client, 15) == b"please compute\n"


def computed(pid):
    """Seconds, with those of the children that live."""
    tasks = [(one, task) for one in (pid, *children(pid))
             for task in os.listdir(f"/proc/{one}/task")]  # fmt: skip
    return sum(cpu_seconds(f"{one}/task/{task}") for one, task in tasks)


@pytest.mark.parametrize("name", TROUBLED)
def test_memory_that_is_lost_comes_back_only_with_the_end_of_a_process(troubled, name):
    server = troubled(name)
    client = server.connect()
    assert echoes(client)
    before = own(server)
    client.sendall(b"please leak\n")
    assert receive_exactly(client, 12) == b"please leak\n"
    assert own(server) > before + 150 * MB
    client.close()
    if "(c)" in SPARES[name]:
        eventually(lambda: own(server) < before + 50 * MB, "the memory is given back")
    else:
        assert all(echoes(server.connect()) for _ in range(1 if name == "iterative" else 3))
        assert own(server) > before + 150 * MB


def own(server):
    """Bytes of all its processes that live."""
    sizes = [status(pid).get("RssAnon", "0") for pid in (server.pid, *children(server.pid))]
    return sum(int(size.split()[0]) * 1024 for size in sizes)


@pytest.mark.parametrize("name", TROUBLED)
def test_a_client_that_never_reads_stops_only_a_server_of_one_client(troubled, name):
    server = troubled(name)
    client = server.connect()
    assert echoes(client)
    other = another(server, name)
    assert fill(client)
    if name == "iterative":
        other.sendall(b"here\n")
        assert select.select([other], [], [], 0.1)[0] == []
        client.close()
        assert receive_exactly(other, 5) == b"here\n"
    else:
        assert echoes(other) and echoes(server.connect())


def test_a_server_that_is_compiled_without_the_bug_has_none(serve):
    client = serve("select_server").connect()
    for word in (b"please crash\n", b"please compute\n", b"please leak\n"):
        assert echoes(client, word)


# Descriptors and cores -------------------------------------------------------------


def test_both_processes_hold_the_same_connection():
    """Each state lasts for 0.2 seconds, which a busy machine may miss: then once more."""
    assert any(hold_the_same_connection() for _ in range(20))


def hold_the_same_connection():
    """Whether it was seen that both had it, and then the child alone."""
    shared = alone = False
    with subprocess.Popen([PROGRAMS / "two_descriptors"], stdout=subprocess.DEVNULL) as parent:
        while parent.poll() is None:
            for child in children(parent.pid):
                held, by_child = sockets_of(parent.pid), sockets_of(child)
                shared = shared or len(held & by_child) == 1
                alone = alone or (shared and len(by_child) == 1 and not held & by_child)
            time.sleep(0.01)  # until the next look
    return alone and parent.returncode == 0


def sockets_of(pid):
    with contextlib.suppress(FileNotFoundError):
        return {name for name in descriptors(pid).values() if name.startswith("socket:")}
    return set()


def test_cores_runs_up_to_twice_as_many_children_as_there_are_cores():
    cores = os.sysconf("SC_NPROCESSORS_ONLN")
    with subprocess.Popen([PROGRAMS / "cores", "20"], stdout=subprocess.PIPE) as process:
        eventually(lambda: len(children(process.pid)) == 2 * cores, "all at once")
        output = process.stdout.read().decode()
    first, heads, *rows = [line.split() for line in output.splitlines()]
    assert first == [str(cores), "cores"]
    assert heads == ["children", "seconds", "speed-up", "interruptions"]
    assert [int(row[0]) for row in rows] == list(range(1, 2 * cores + 1))
    assert rows[0][2] == "1.00"
    assert int(rows[-1][3]) > 0
