"""An option without effect is refused by its name as it was typed; the message says
what the option needs in the words of the command line."""

import socket

import pytest

from test_command_line import expect_refusal, run

PORT = ("-l", "127.0.0.1:0")
POOL = ("--accept", "workers", "-r", "always")
FOR_PROGRAMS = "has no effect on a service: it is for a program"
UNCHECKED = "has no effect: with --accept workers"
FOR_TCP = "has no effect on UNIX sockets"
NO_REFUSAL = "has no effect: no client is refused without --at-limit refuse"

IDLE = [
    # words without an address; what is said about the first option
    (["--chdir", "/", "echo"], f"--chdir {FOR_PROGRAMS}"),
    (["--umask", "022", "discard"], f"--umask {FOR_PROGRAMS}"),
    (["--env", "A=1", "chargen"], f"--env {FOR_PROGRAMS}"),
    (["--stderr", "inherit", "daytime"], f"--stderr {FOR_PROGRAMS}"),
    (["--on-hangup", "end", "time"], f"--on-hangup {FOR_PROGRAMS}"),
    (["--resolve", "echo"], f"--resolve {FOR_PROGRAMS}"),
    (["--kill-descendants", "echo"], f"--kill-descendants {FOR_PROGRAMS}"),
    (["--warm", "echo"], f"--warm {FOR_PROGRAMS}"),
    (["-s", "5", "--", "cat"], "-s has no effect without --warm"),
    (["--spare=5", "--", "cat"], "--spare has no effect without --warm"),
    (["-s", "8", "--", "cat"], "-s has no effect without --warm"),
    (["--warm", "-s", "0", "--", "cat"], "--warm needs --spare to be at least 1"),
    (["--warm", "--resolve", "--", "cat"], "--warm cannot be combined with --resolve"),
    (["--warm", "--kill-descendants", "--", "cat"], "--warm cannot be combined"),
    (["-r", "always", "--", "cat"], "-r has no effect on a program"),
    (["--reuse", "2", "--", "cat"], "--reuse has no effect on a program"),
    ([*POOL, "--", "cat"], "--accept workers is for services"),
    (["--accept", "workers", "echo"], "--accept workers needs --reuse other than 1"),
    ([*POOL, "-s", "0", "echo"], "--accept workers needs --spare to be at least 1"),
    ([*POOL, "--exempt", "10.0.0.0/8", "echo"], f"--exempt {UNCHECKED}"),
    ([*POOL, "--deny", "10.0.0.0/8", "echo"], f"--deny {UNCHECKED}"),
    ([*POOL, "--source-prefix", "24:56", "echo"], f"--source-prefix {UNCHECKED}"),
    ([*POOL, "--refusal", "reset", "echo"], f"--refusal {UNCHECKED}"),
    ([*POOL, "--refusal-text", "no", "echo"], f"--refusal-text {UNCHECKED}"),
    ([*POOL, "--at-limit", "refuse:no", "echo"], f"--at-limit {UNCHECKED}"),
    ([*POOL, "--max-per-source", "3", "echo"], f"--max-per-source {UNCHECKED}"),
    (["--exempt", "all", "echo"], "--exempt has no effect without a limit"),
    (["--exempt", "all", "--deny", "10.0.0.0/8", "echo"], "--exempt has no effect without"),
    (["--source-prefix", "24:56", "echo"], "--source-prefix has no effect on a service"),
    (["--source-prefix", "24:56", "--rate", "5/s", "echo"], "--source-prefix has no effect"),
    (["--refusal", "reset", "echo"], f"--refusal {NO_REFUSAL}"),
    (["--refusal", "close", "--", "cat"], f"--refusal {NO_REFUSAL}"),
    (["--refusal-text", "no", "echo"], f"--refusal-text {NO_REFUSAL}"),
    (["--at-limit", "refuse:a", "--refusal-text", "b", "echo"], "refuse:TEXT, which sets the same text"),
    (["--group", "daemon", "echo"], "--group needs --user"),
    (["--drop-privileges", "child", "echo"], "has no effect without --user"),
    (["--sandbox", "auto", "--", "cat"], "--sandbox is for services"),
    (["--sandbox", "off", "--", "cat"], "--sandbox is for services"),
    (["--allow-new-privs", "echo"], "--allow-new-privs needs a program or --sandbox off"),
    (["--socket-mode", "660", "echo"], "--socket-mode has no effect: .* for UNIX sockets with a path"),
    (["--socket-group", "0", "-l", "unix:@x", "echo"], "--socket-group has no effect: .* UNIX sockets with a path"),
    (["--deny", "10.0.0.0/8", "-l", "unix:@x", "echo"], f"--deny {FOR_TCP}"),
    (["--refusal", "reset", "--rate", "5/s", "-l", "unix:@x", "echo"],
     f"--refusal {FOR_TCP}"),
    (["--source-prefix", "24:56", "-l", "unix:@x", "--", "cat"],
     f"--source-prefix {FOR_TCP}"),
    (["--idle-timeout", "5s", "-l", "unix:@x", "--", "cat"],
     "--idle-timeout has no effect on a program that is served on UNIX sockets"),
]  # fmt: skip

# Each has an effect, unlike the refused ones.
HONOURED = [
    [],
    ["-r", "1"],
    ["-s", "0"],
    ["--accept", "supervisor"],
    ["--source-prefix", "24:56"],  # TCPCONNNUM
    ["--source-prefix", "24:56", "--max-per-source", "3"],
    ["--exempt", "all", "--rate", "5/s"],
    ["--refusal-text", "no", "--at-limit", "refuse"],
    ["--refusal", "reset", "--deny", "10.0.0.0/8", "-l", "unix:@prong-effects-deny"],
    ["--idle-timeout", "5s", "-l", "unix:@prong-effects-idle"],
    ["--chdir", "/", "--umask", "022", "--env", "A=1", "--stderr", "null"],
]

NEUTRAL = [
    # messages of prong_open() get the option's dashes
    (["--allow", "1.2.3", "echo"], '^prongd: --allow: "1.2.3" is not an address'),
    (["--rate", "1/1d:1000000", "echo"], "^prongd: --rate: the burst"),
    ([*POOL, "-l", "127.0.0.1:0", "echo"], "^prongd: --accept workers needs exactly one address"),
]


def with_address(words):
    return words if "-l" in words else [*PORT, *words]


@pytest.mark.parametrize("words, message", IDLE, ids=lambda value: " ".join(value))
def test_an_option_without_effect_is_refused_as_it_was_typed(words, message):
    result = run(*with_address(words))
    expect_refusal(result, 2, message)
    typed, *_ = words
    if message.startswith("-") and "=" not in typed and words[:4] != list(POOL):
        assert result.stderr.decode().startswith(f"prongd: {message.split()[0]} ")


@pytest.mark.parametrize("words", HONOURED, ids=" ".join)
def test_an_option_with_an_effect_is_taken(prongd, words):
    server = prongd(*words, "--", "cat")
    assert server.ask(b"here") == b"here"


@pytest.mark.parametrize("words, message", NEUTRAL, ids=lambda value: " ".join(value))
def test_what_the_library_finds_wrong_is_told_in_words_of_the_command_line(
    words, message
):
    expect_refusal(run(*PORT, *words), 2, message)


@pytest.mark.parametrize("words", [["echo"], ["--", "cat"], [*POOL, "echo"]])
def test_defaults_are_never_refused(prongd, words):
    assert prongd(*words).ask(b"here") == b"here"


def test_a_tcp_socket_that_was_handed_over_counts_as_one(prongd):
    listener = socket.create_server(("127.0.0.1", 0))
    import activation

    with listener:
        server = activation.start(prongd, [listener], "--deny", "10.0.0.0/8", "echo")
        server.stop()
