"""Limits that make no sense are refused at the start, in one line
that names the option."""

import re

import pytest

from test_command_line import expect_refusal, run

BAD_LIMITS = [
    # words of the command line; the option and what the message says about its value
    (["--allow", "1.2.3"], 'allow: "1.2.3" is not an address, a prefix'),
    (["--allow", ""], 'allow: "" is not an address'),
    (["--allow", "10.0.0.0/"], 'allow: "10.0.0.0/": the prefix length'),
    (["--allow", "10.0.0.0/8/8"], 'allow: "10.0.0.0/8/8": the prefix'),
    (["--allow", " 10.0.0.0/8"], 'allow: " 10.0.0.0/8" is not an address'),
    (["--deny", "localhost"], 'deny: "localhost" is not an address'),
    (["--deny", "127.0.0.0/33"], 'deny: "127.0.0.0/33": .* from 0 to 32'),
    (["--deny", "127.0.0.0/-1"], 'deny: "127.0.0.0/-1": .* from 0 to 32'),
    (["--deny", "127.0.0.1/8"], 'deny: "127.0.0.1/8" .*: write 127.0.0.0/8'),
    (["--deny", "2001:db8::1/32"], 'deny: "2001:db8::1/32" .*write 2001:db8::/32'),
    (["--deny", "[::1]"], r'deny: "\[::1\]" is not an address'),
    (["--exempt", "::1/129"], 'exempt: "::1/129": .* from 0 to 128'),
    (["--exempt", "::ffff:10.0.0.0/8"], 'exempt: ".*": .* from 96 to 128'),
    (["--exempt", "x" * 400], 'exempt: "x*" is not an address'),
    (["--allow", "10.0.0.0/8", "--deny", "10.0.0.0/8"],
     '"10.0.0.0/8" is both allowed and denied'),
    (["--deny", "127.0.0.1/32", "--allow", "::ffff:127.0.0.1"],
     '"127.0.0.1/32" is both allowed and denied'),
    (["--allow", "all", "--deny", "all"], '"all" is both allowed and denied'),
    (["--rate-per-source", "5"], '--rate-per-source: "5" is not a rate'),
    (["--rate-per-source", ""], '--rate-per-source: "" is not a rate'),
    (["--rate-per-source", "0/s"], '--rate-per-source: "0/s" is not a rate'),
    (["--rate-per-source", "-1/s"], '--rate-per-source: "-1/s" is not a rate'),
    (["--rate-per-source", "1.5/s"], '--rate-per-source: "1.5/s" is not a rate'),
    (["--rate-per-source", "1000001/s"], '--rate-per-source: "1000001/s" is not a rate: .* 1000000'),
    (["--rate-per-source", "99999999999999999999/s"], '--rate-per-source: "9*/s" is not a rate'),
    (["--rate-per-source", "5/"], '--rate-per-source: "5/" is not a rate'),
    (["--rate-per-source", "5/10"], '--rate-per-source: "5/10" is not a rate'),
    (["--rate-per-source", "5/0s"], '--rate-per-source: "5/0s" is not a rate'),
    (["--rate-per-source", "5/25h"], '--rate-per-source: "5/25h" is not a rate: .*from 1ms to 1d'),
    (["--rate-per-source", "5/s:"], '--rate-per-source: "5/s:" is not a rate'),
    (["--rate-per-source", "5/s:0"], '--rate-per-source: "5/s:0" is not a rate'),
    (["--rate-per-source", "5/s:5:5"], '--rate-per-source: "5/s:5:5" is not a rate'),
    (["--rate-per-source", "5/:5"], '--rate-per-source: "5/:5" is not a rate'),
    (["--rate-per-source", "1/1d:1000000"], "rate-per-source: .* over ten years"),
    (["--rate", "many/s"], '--rate: "many/s" is not a rate'),
    (["--rate", "1/1d:1000000"], "rate: .* over ten years"),
    (["--max-per-source", "-1"], '--max-per-source: "-1" is not a number from 0'),
    (["--max-per-source", "1000001"], '"1000001" is not a number .* to 1000000'),
    (["--source-prefix", "24"], '--source-prefix: "24" is not two prefix lengths'),
    (["--source-prefix", "33:64"], '--source-prefix: "33:64" .*1 to 32'),
    (["--source-prefix", "24:129"], '--source-prefix: "24:129" .*1 to 128'),
    (["--source-prefix", "0:64"], '--source-prefix: "0:64" is not two prefix lengths'),
    (["--source-prefix", "24:0"], '--source-prefix: "24:0" is not two prefix lengths'),
    (["--source-prefix", "24:64:8"], '--source-prefix: "24:64:8" is not'),
    (["--source-prefix", ":64"], '--source-prefix: ":64" is not two prefix lengths'),
    (["--refusal", "drop"], '--refusal: "drop" is not one of close, reset'),
    (["--refusal", "reset", "--refusal-text", "bye"], "reset cannot be combined with a text"),
    (["--refusal", "reset", "--at-limit", "refuse:bye"], "reset cannot be combined with a text"),
]  # fmt: skip


@pytest.mark.parametrize("words, message", BAD_LIMITS)
def test_a_limit_without_sense_is_explained_and_nothing_listens(
    tmp_path, words, message
):
    socket = tmp_path / "socket"
    result = run("-l", "127.0.0.1:0", "-l", f"unix:{socket}", *words, "echo")
    expect_refusal(result, 2, message)
    assert not socket.exists()
    first, *more = result.stderr.decode().splitlines()
    assert re.search(message, first)
    assert more in ([], ["Try 'prongd --help'."])


def test_a_prefix_may_be_given_twice_if_it_says_the_same(prongd):
    words = ["--deny", "10.0.0.0/8", "--deny", "::ffff:10.0.0.0/104"]
    assert prongd(*words, "echo").ask(b"here") == b"here"


def test_as_many_as_64_prefixes_of_a_kind_can_be_given(prongd):
    words = [word for n in range(64) for word in ("--deny", f"10.0.{n}.0/24")]
    assert prongd(*words, "echo").ask(b"here") == b"here"


def test_help_tells_of_every_limit():
    text = run("--help").stdout.decode()
    for name in ("max-per-source", "rate-per-source", "rate", "source-prefix", "allow",
                 "deny", "exempt", "refusal", "refusal-text"):  # fmt: skip
        assert re.search(f"^ +--{name} ", text, re.MULTILINE)
