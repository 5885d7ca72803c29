"""Each exercise of docs/chapter.md has an answer, and the answer is true."""

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time

import pytest

from chapter import PROGRAMS, chapter_servers
from harness import PATIENCE, ROOT, eventually
from proc import children, descriptors, gone, read, state, status
from sockets import echoes, receive_all

SOURCES = ROOT / "examples" / "chapter"
SOLUTIONS = PROGRAMS / "solutions"
ANSWERS = (SOURCES / "solutions" / "README.md").read_text()
COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


def run(name, *arguments, data=b"", ending=0):
    words = [SOLUTIONS / name, *map(str, arguments)]
    done = subprocess.run(words, input=data, stdout=subprocess.PIPE, timeout=PATIENCE * 2)
    assert done.returncode == ending
    return done.stdout.decode()


@pytest.fixture
def start():
    started = []

    def begin(name, *arguments, **options):
        words = [name if os.path.isabs(name) else SOLUTIONS / name, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, **options}
        started.append(subprocess.Popen(words, **pipes))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def serve():
    with chapter_servers(".") as begin:
        yield begin


@pytest.fixture
def changed(tmp_path):
    """Compile a program of the chapter with one change; return its path."""

    def change(name, old, new, *flags):
        if COMPILER is None:
            pytest.skip("no C compiler at hand")
        text = (SOURCES / f"{name}.c").read_text()
        assert text.count(old) == 1
        source = tmp_path / f"{os.path.basename(name)}.c"
        source.write_text(text.replace(old, new))
        command = [COMPILER, "-g", *flags, "-I", (SOURCES / name).parent, source]
        target = str(source.with_suffix(""))
        done = subprocess.run([*command, "-o", target], capture_output=True, text=True)
        if done.returncode != 0 and flags:
            pytest.skip(f"{COMPILER} {' '.join(flags)}: {done.stderr}")
        assert done.returncode == 0, done.stderr
        return target

    return change


def gets_echo(client):
    """False if it is refused."""
    try:
        return echoes(client)
    except (ConnectionError, AssertionError):
        return False


def descendants(pid):
    return [one for child in children(pid) for one in (child, *descendants(child))]


def test_each_exercise_has_one_answer_and_each_program_is_named():
    chapter = (ROOT / "docs" / "chapter.md").read_text()
    asked = re.findall(r"(?m)^\*\*Exercise (\d+)\.\*\*", chapter)
    assert asked == [str(number) for number in range(1, 38)]
    assert re.findall(r"(?m)^\*\*(\d+)\.\*\*", ANSWERS) == asked
    programs = dict(re.findall(r"\*\*(\d+)\.\*\* Program: `(\w+)`", ANSWERS))
    sources = {path.stem: path.read_text() for path in (SOURCES / "solutions").glob("*.c")}
    assert sorted(programs.values()) == sorted(sources)
    for number, name in programs.items():
        assert f" * Exercise {number}: " in sources[name]


def test_1_three_forks_make_eight_processes():
    lines = run("fork_three").splitlines()
    assert len(lines) == len(set(lines)) == 8


def test_2_the_parent_sees_a_change_in_a_shared_mapping():
    assert run("fork_shared") == "parent: gval 12\n"


def test_3_a_zombie_is_not_removed_by_sigkill(start):
    zombie = start(str(PROGRAMS / "zombie"), "1000")
    pid = int(re.match(rb"child (\d+) has ended", zombie.stdout.readline())[1])
    os.kill(pid, signal.SIGKILL)
    assert state(pid) == "Z"


def test_4_a_parent_that_ignores_sigchld_leaves_no_zombie():
    assert run("no_zombie") == "waitpid: No child processes\nkill: No such process\n"


@pytest.mark.parametrize("passed, seen", [(259, 3), (-1, 255)])
def test_5_an_exit_status_has_eight_bits(passed, seen):
    code = f"import ctypes; ctypes.CDLL(None).exit({passed})"
    assert subprocess.run(["/usr/bin/python3", "-c", code]).returncode == seen


@pytest.mark.parametrize("command, said, ending", [
    (["true"], "exited with 0\n", 0),
    (["sh", "-c", "exit 7"], "exited with 7\n", 7),
    (["sh", "-c", "kill -TERM $$"], "killed by Terminated\n", 143),
    (["/nonexistent"], "exited with 127\n", 127),
    (["/etc/passwd"], "exited with 126\n", 126)])  # fmt: skip
def test_6_a_command_is_run_and_its_end_passed_on(command, said, ending):
    assert run("how_ended", *command, ending=ending) == said


def test_8_a_child_is_waited_for_until_a_deadline():
    assert run("wait_deadline", 0, 100_000) == "in time: passed 24\n"
    assert run("wait_deadline", 1000, 100) == "too late: killed by signal 9\n"


def test_9_no_signal_is_lost_before_the_sleep(start):
    process = start("no_gap")
    for _ in range(3):
        assert process.stdout.readline() == b"wait...\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == b"CTRL+C pressed\n"
    assert process.wait(PATIENCE) == 0


def test_10_signals_do_not_shorten_the_sleep():
    began = time.monotonic()
    assert run("sleep_whole", 1) == "slept 1 s, woken in between\n"
    assert time.monotonic() - began >= 1


def test_11_the_second_ctrl_c_ends_the_program(start):
    process = start("twice_to_end")
    assert process.stdout.readline() == b"working...\n"
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == b"press Ctrl-C again to end\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == -signal.SIGINT


def test_12_read_fails_or_goes_on_when_a_signal_comes():
    assert run("interrupted").splitlines() == [
        "without SA_RESTART: read: Interrupted system call",
        "with SA_RESTART: read returned a byte",
    ]


def test_13_with_if_in_place_of_while_one_child_is_reaped(changed):
    program = changed("sigchld_reap", "while (waitpid", "if (waitpid")
    done = subprocess.run([program], stdout=subprocess.PIPE, text=True)
    text = "9 children ended, the handler ran 1 time(s), 1 reaped"
    assert (done.returncode, done.stdout) == (1, f"{text}\n")
    assert f"`{text}`" in ANSWERS.replace("\n", " ")


def test_14_a_signalfd_reaps_all_nine():
    text = "9 children ended, 9 reaped, SIGCHLD read at most once for each\n"
    assert run("reap_signalfd") == text


def test_15_without_the_close_of_the_parent_the_client_waits(serve, changed):
    line = "close(fd); /* or the child's close() would end nothing */"
    server = serve(changed("echo_server", line, ";"))
    client = server.connect()
    assert echoes(client)
    client.shutdown(socket.SHUT_WR)
    eventually(lambda: not children(server.pid), "the child has ended")
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1)
    server.process.kill()
    client.settimeout(PATIENCE)
    assert receive_all(client) == b""


def test_16_without_shutdown_the_client_does_not_end(serve, start, changed):
    server = serve("echo_server")
    program = changed("echo_client", "	shutdown(sock, SHUT_WR);\n", "")
    client = start(program, "127.0.0.1", str(server.port))
    client.stdin.write(b"one\n")
    client.stdin.close()
    client.stdin = None
    assert client.stdout.readline() == b"one\n"
    [writer] = eventually(lambda: children(client.pid), "the writing process")
    eventually(lambda: state(writer) == "Z", "the writing process has ended")
    assert client.poll() is None and len(children(server.pid)) == 1


def test_17_a_stopped_server_still_serves_its_clients_and_accepts_none(serve):
    server = serve("echo_server")
    old = server.connect()
    assert echoes(old)
    server.process.send_signal(signal.SIGSTOP)
    eventually(lambda: state(server.pid) == "T", "the server is stopped")
    new = server.connect()
    new.sendall(b"late")
    assert echoes(old)
    assert len(children(server.pid)) == 1
    server.process.send_signal(signal.SIGCONT)
    assert new.recv(100) == b"late"


def test_18_shutdown_ends_sending_for_both_descriptors():
    client, one = socket.socketpair()
    with client, one, one.dup() as other:
        one.shutdown(socket.SHUT_WR)
        with pytest.raises(BrokenPipeError):
            other.send(b"x")


@pytest.mark.parametrize("flag, seen", [("0", "nothing"), ("FD_CLOEXEC", "the end")])
def test_19_execve_closes_a_descriptor_only_if_told_to(changed, flag, seen):
    call = f'fcntl(server, F_SETFD, {flag}); execlp("sleep", "sleep", "100", NULL);'
    program = changed("two_descriptors", "pause();", call, "-include", "fcntl.h")
    lines = run(program).splitlines()
    assert lines[1] == f"the parent has called close(): the client sees {seen}"
    assert lines[2] == "the child has ended:           the client sees the end"


def test_20_one_core_is_shared_by_all_children():
    one = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}});"
    code = f"{one} os.execl('{PROGRAMS / 'cores'}', 'cores', '20')"
    output = subprocess.run(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE)
    lines = [line.split() for line in output.stdout.decode().splitlines()]
    assert lines[0] == [str(os.sysconf("SC_NPROCESSORS_ONLN")), "cores"]
    assert int(lines[-1][3]) > 0


def test_21_children_that_sleep_need_no_core(changed):
    program = changed("cores", "calculate(steps);", "usleep(100000); (void)steps;")
    rows = [line.split() for line in run(program).splitlines()[2:]]
    assert float(rows[-1][2]) > os.sysconf("SC_NPROCESSORS_ONLN")


@pytest.mark.parametrize("backlog", [0, 1, 5])
def test_22_a_backlog_of_n_holds_one_connection_more(backlog):
    words = f"backlog {backlog}: {backlog + 1} connections are open, none accepted\n"
    assert run("backlog", backlog) == words


@pytest.mark.parametrize("old, new, connected, disconnected", [
    ("if (fork() == 0) {", "fflush(stdout); if (fork() == 0) {", 5, 5),
    ("return 0;\n", "_exit(0);\n", 0, 0)], ids=["fflush", "exit"])  # fmt: skip
def test_23_the_log_is_not_multiplied(
    start, changed, tmp_path, old, new, connected, disconnected
):
    log = tmp_path / "log"
    with log.open("wb") as stdout:
        server = start(changed("chapter_server", old, new), "0", stdout=stdout)
    found = eventually(lambda: re.search(r":(\d+)\n", log.read_text()), "the port")
    for _ in range(5):
        client = subprocess.run(
            [PROGRAMS / "echo_client", "127.0.0.1", found[1]], input=b"x",
            stdout=subprocess.PIPE, timeout=PATIENCE)  # fmt: skip
        assert client.stdout == b"x"
        eventually(lambda: not children(server.pid), "the child is reaped")
    text = log.read_text()
    assert text.count("new client connected...") == connected
    assert text.count("client disconnected...") == disconnected


def test_24_a_peer_that_has_closed_is_an_error_and_no_signal():
    assert run("send_all").splitlines() == [
        "peer open: 1000 of 1000 sent, Success",
        "peer closed: 0 of 1000 sent, Broken pipe",
    ]


@pytest.mark.parametrize("text", ["1", "7007", "65535"])
def test_25_a_port_is_taken(text):
    assert run("port_of", text) == f"{text}\n"


@pytest.mark.parametrize("text", ["", "0", "65536", "99999999999", "-1", "+1", " 1", "70l0"])
def test_25_what_is_no_port_is_refused(text):
    assert run("port_of", text, ending=2) == ""


def test_26_one_expression_mends_the_client(start, changed):
    read = "read(sock, buf, BUF_SIZE)"
    program = changed("chapter_client", read, "read(sock, buf, BUF_SIZE - 1)",
                      "-fsanitize=address")  # fmt: skip
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        environment = {**os.environ, "ASAN_OPTIONS": ""}
        client = start(program, "127.0.0.1", port, stderr=subprocess.PIPE, env=environment)
        listener.settimeout(PATIENCE)
        with listener.accept()[0] as conn:
            conn.sendall(b"A" * 30)
            client.stdin.write(b"q\n")
            client.stdin.flush()
            conn.settimeout(PATIENCE)
            assert receive_all(conn) == b""
        output, report = client.communicate(timeout=PATIENCE)
    assert (client.returncode, report) == (0, b"")
    assert output.count(b"A") == 30


def test_27_lines_are_found_however_the_bytes_arrive(start):
    process = start("lines")
    for piece, said in ((b"one\nt", b"line of 3 bytes\n"), (b"wo\n", b"line of 3 bytes\n")):
        process.stdin.write(piece)
        process.stdin.flush()
        assert process.stdout.readline() == said
    output, _ = process.communicate(b"\n" + b"x" * 64 + b"\nrest")
    assert output.decode().splitlines() == [
        "line of 0 bytes", "line of 64 bytes", "4 bytes without an end of line"]  # fmt: skip
    assert run("lines", data=b"x" * 65, ending=1) == "line of more than 64 bytes\n"


def test_28_a_crash_looks_like_an_end_and_meets_one_client(serve):
    server = serve("echo_server")
    bystander = server.connect()
    assert echoes(bystander)
    [first] = children(server.pid)
    client = server.connect()
    assert echoes(client)
    [child] = set(children(server.pid)) - {first}
    os.kill(child, signal.SIGKILL)  # a sanitizer would report SIGSEGV
    assert receive_all(client) == b""
    assert echoes(bystander)


def test_29_a_log_drops_lines_and_tears_none():
    [numbers] = re.findall(r"(\d+) written, (\d+) dropped, (\d+) read back", run("drop_lines"))
    written, dropped, read_back = map(int, numbers)
    assert 0 < written == read_back < 10_000 == written + dropped


def test_30_the_child_dies_with_its_parent(start):
    parent = start("die_with_parent")
    line = parent.stdout.readline().decode()
    child = int(re.fullmatch(r"child (\d+) is ready\n", line)[1])
    parent.kill()
    parent.wait()
    eventually(lambda: gone(child) or state(child) == "Z", "the child is dead")


def test_31_select_refuses_the_descriptors_that_no_set_can_hold(serve):
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit[1] < 3000:
        pytest.skip("the hard limit of descriptors is below 3000")
    resource.setrlimit(resource.RLIMIT_NOFILE, (3000, limit[1]))
    try:
        server = serve("select_server")
        clients = [server.connect() for _ in range(1100)]
        served = [client for client in clients if gets_echo(client)]
        assert len(served) == 1020
        served[0].close()
        assert echoes(served[1]) and gets_echo(server.connect())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limit)


def test_32_threads_that_share_a_buffer_race(serve, changed):
    program = changed("thread_server", "char buf", "static char buf",
                      "-pthread", "-fsanitize=thread")  # fmt: skip
    server = serve(program, stderr=subprocess.PIPE, env={"TSAN_OPTIONS": "halt_on_error=1"})
    clients = [server.connect() for _ in range(2)]
    for number in range(1000):
        with contextlib.suppress(ConnectionError):
            clients[number % 2].sendall(b"x")
            clients[number % 2].recv(1)
    report = server.process.stderr.read().decode()
    assert "data race" in report


def test_33_a_crash_meets_the_clients_of_one_process(serve, changed):
    call = 'listener.fd = listen_on(argc > 1 ? argv[1] : "7007", SOCK_NONBLOCK);'
    server = serve(changed("epoll_server", call, f"{call} fork(); fork();"))
    others = eventually(lambda: len(found := descendants(server.pid)) == 3 and found, "four")
    try:
        assert gets_echo(server.connect())
        os.kill(others[0], signal.SIGKILL)
        assert all(gets_echo(server.connect()) for _ in range(10))
    finally:
        for pid in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_36_a_spare_that_holds_the_channel_outlives_the_server(serve, changed):
    line = "close(channel[0]); /* so that the server's end is the only one */"
    server = serve(changed("steps/spare_server", line, ""), "1")
    [spare] = eventually(lambda: children(server.pid), "a spare")
    eventually(lambda: read(spare, "wchan") or state(spare) == "S", "the spare waits")
    server.process.kill()
    server.process.wait()
    assert state(spare) in "SR"
    os.kill(spare, signal.SIGKILL)


def sockets_of(pid):
    return sum(what.startswith("socket:") for what in descriptors(pid).values())


def test_37_exit_group_is_forbidden_in_the_strict_mode(serve, changed):
    if status("self")["Seccomp"] != "0":
        pytest.skip("a seccomp filter is in force here, which excludes the strict mode")
    old = "syscall(SYS_exit, 0)"
    for call, ending in (old, 0), ("_exit(0)", signal.SIGKILL):
        server = serve(changed("steps/sandboxed_server", old, call))
        client = server.connect()
        assert echoes(client)
        [child] = children(server.pid)
        eventually(lambda: sockets_of(server.pid) == 1, "it has closed its descriptor")
        server.process.send_signal(signal.SIGSTOP)  # it must not reap the child yet
        client.shutdown(socket.SHUT_WR)
        assert receive_all(client) == b""
        eventually(lambda: state(child) == "Z", "the child has ended")
        assert int(read(child, "stat").split()[-1]) == ending
