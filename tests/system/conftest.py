"""Fixtures for tests of prongd. Tests that do not use them are unaffected."""

import ctypes
import os
import resource
import signal

import pytest

import harness
import privileges

PR_SET_CHILD_SUBREAPER = 36

# The slowest files, the slowest first. One of several test processes runs a file; if a
# slow file began last, the other processes would have nothing left to do meanwhile.
LONGEST_FILES = [
    f"test_{name}.py"
    for name in (
        "programs_ends programs_own stop_unfiltered torture privileges programs_monitor"
        " programs_runaway bench log_readers data programs_data processes admission_memory"
        " scale limits programs_users accept_workers signals endurance sandbox_server"
        " connect_timeouts idle pasted chapter_approaches"
    ).split()
]


def pytest_configure(config):
    """Orphans of a server become our children; thousands of
    clients need descriptors."""
    config.addinivalue_line("markers", "alone: other tests at the same time would spoil it")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # A shell starts background jobs with SIGINT ignored, which children inherit.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def pytest_collection_modifyitems(items):
    """Begin with the slowest files; all other order stays as it is."""
    place = {name: number for number, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """A test that fails shows the logs of its servers."""
    report = (yield).get_result()
    if report.failed:
        for server in harness.running:
            report.sections.append((f"log of {server.pid}", server.log_text()[-3000:]))


@pytest.fixture
def prongd(tmp_path):
    """prongd("-r", "always", "echo") starts a server; see harness.Server."""
    with harness.servers(tmp_path) as start:
        yield start


@pytest.fixture(scope="module")
def module_prongd(tmp_path_factory):
    """The same for servers that several tests of a file use."""
    with harness.servers(tmp_path_factory.mktemp("servers")) as start:
        yield start


@pytest.fixture
def handlers(prongd):
    """The same for a handler of tests/programs/handlers.c."""

    def start(*arguments, **options):
        return prongd(*arguments, program=harness.HANDLERS, **options)

    return start


@pytest.fixture(scope="session")
def scale():
    """A factor for numbers of connections: a sanitized fork is slow."""
    return 0.1 if harness.SANITIZED else 1


@pytest.fixture
def root():
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def public():
    """A directory that every user can reach, unlike tmp_path."""
    with privileges.public_directory() as directory:
        yield directory
