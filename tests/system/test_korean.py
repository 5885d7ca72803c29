"""The Korean README and chapter tell the same as the English ones, in the same order."""

import re
import sys

import pytest

from harness import ROOT

sys.path.insert(0, str(ROOT / "bench"))
from approaches_korean import in_korean  # noqa: E402, it is beside the results

PAIRS = [("README.md", "README.ko.md"), ("docs/chapter.md", "docs/chapter.ko.md")]
BLOCK = re.compile(r"^```.*?^```$|^ {4}\S[^\n]*$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(?:^|\s+)# .*$|\s*/\*.*?\*/", re.MULTILINE | re.DOTALL)
HANGUL = re.compile("[가-힣]")

both = pytest.mark.parametrize("english, korean", PAIRS, ids=["readme", "chapter"])


def text_of(name):
    return (ROOT / name).read_text()


def prose_of(name):
    """What stands outside the blocks."""
    return BLOCK.sub("", text_of(name))


def blocks(name):
    """The blocks without their comments; "# " in a session is the prompt of root."""
    found = BLOCK.findall(text_of(name))
    return [b if b.startswith("```console") else COMMENT.sub("", b) for b in found]


def parts(name):
    """What stands below each heading, with the heading's level before it."""
    headings = re.split(r"(?m)^(#+) .+\n", prose_of(name))
    return [("", headings[0]), *zip(headings[1::2], headings[2::2])]


def targets(text):
    """Where the links and the pictures of a text lead, whatever the language."""
    found = re.findall(r"\]\(([^)]+)\)", text)
    return {target.replace(".ko.md", ".md") for target in found}


def sources(text):
    """The files of prong that a text names."""
    return set(re.findall(r"`((?:src|include|examples)/[\w./]+)`", text))


@both
def test_the_blocks_are_the_same_in_the_same_order(english, korean):
    assert blocks(korean) == blocks(english)


@both
def test_the_sections_are_the_same_and_lead_to_the_same_places(english, korean):
    ours, theirs = parts(korean), parts(english)
    assert [level for level, _ in ours] == [level for level, _ in theirs]
    for (_, our), (_, their) in zip(ours, theirs):
        assert targets(our) == targets(their)


@both
def test_the_tables_have_the_same_rows(english, korean):
    for (_, our), (_, their) in zip(parts(korean), parts(english)):
        ours, theirs = ([row.count(" | ") for row in re.findall(r"(?m)^\|.*", text)]
                        for text in (our, their))  # fmt: skip
        assert ours == theirs


@both
def test_each_figure_of_a_section_is_in_the_korean_one(english, korean):
    """One of a single digit may be a word in either language."""
    for (_, our), (_, their) in zip(parts(korean), parts(english)):
        ours, theirs = (set(re.findall(r"\d[\d,.]*\d", text)) for text in (our, their))
        assert theirs <= ours


@both
def test_every_paragraph_is_korean(english, korean):
    prose = re.sub(r"(?m)^(#|<!--|\*\[English\]).*", "", prose_of(korean))
    for paragraph in filter(None, map(str.strip, re.split(r"\n\n+", prose))):
        assert HANGUL.search(paragraph), paragraph


def test_the_chapters_have_the_same_exercises_in_the_same_sections():
    for (_, our), (_, their) in zip(parts("docs/chapter.ko.md"), parts("docs/chapter.md")):
        ours = re.findall(r"(?m)^\*\*연습문제 (\d+)\.\*\*", our)
        assert ours == re.findall(r"(?m)^\*\*Exercise (\d+)\.\*\*", their)
    assert "연습문제" in text_of("docs/chapter.ko.md")


def test_the_chapters_name_the_same_files_of_prong_in_each_section():
    for (_, our), (_, their) in zip(parts("docs/chapter.ko.md"), parts("docs/chapter.md")):
        assert sources(our) == sources(their)


def test_each_picture_of_the_korean_chapter_has_a_korean_text_in_its_place():
    found = re.findall(r"!\[([^\]]*)\]\(pictures/", text_of("docs/chapter.ko.md"))
    assert len(found) >= 5
    for alternative in found:
        assert len(HANGUL.findall(alternative)) > 40, alternative


def test_the_korean_readme_is_short_and_names_the_same_fields():
    rows = [re.findall(r"(?m)^\| (`[^|]*`) \|", text_of(name)) for name in PAIRS[0]]
    assert rows[0] == rows[1] and "`reason`" in rows[0]
    assert len(text_of("README.ko.md").splitlines()) < 200
    for target in ("docs/glossary.md", "docs/chapter.ko.md"):
        assert f"({target})" in text_of("README.ko.md")


def test_the_korean_chapter_says_where_prong_comes_from():
    head = parts("docs/chapter.ko.md")[1][1]
    for words in ("학습 노트", "TCP/IP 소켓 프로그래밍 교재", "10장"):
        assert words in " ".join(head.split())


@pytest.mark.parametrize("line", ["| approach | a heading that is new |", "A new sentence."])
def test_a_generated_line_without_its_korean_words_is_refused(line):
    with pytest.raises(ValueError, match="no Korean for '(a heading that is|A) new"):
        in_korean([line])
