"""docs/pictures/draw.py produces exactly the pictures in docs/chapter.md."""

import re
import subprocess
import sys
import xml.etree.ElementTree as xml

import pytest

from harness import ROOT

PICTURES = ROOT / "docs" / "pictures"
NAMES = sorted(path.name for path in PICTURES.glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def draw(*words):
    subprocess.run([sys.executable, PICTURES / "draw.py", *words], check=True)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    directory = tmp_path_factory.mktemp("pictures")
    draw(directory)
    return directory


def test_each_picture_is_the_one_that_the_script_draws(drawn):
    assert sorted(path.name for path in drawn.iterdir()) == NAMES
    for name in NAMES:
        assert (drawn / name).read_bytes() == (PICTURES / name).read_bytes(), name


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_a_text_and_colours_for_light_and_dark(name):
    root = xml.parse(PICTURES / name).getroot()
    assert root.get("role") == "img"
    assert len(root.find(f"{SVG}title").text) > 10
    assert len(root.find(f"{SVG}desc").text) > 100
    assert "prefers-color-scheme:dark" in root.find(f"{SVG}style").text


@pytest.mark.parametrize("name", NAMES)
def test_the_chapter_shows_each_picture_with_a_text_in_its_place(name):
    chapter = (ROOT / "docs" / "chapter.md").read_text()
    [alternative] = re.findall(rf"!\[([^\]]*)\]\(pictures/{re.escape(name)}\)", chapter)
    assert len(alternative) > 100


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("p.panel(10, 10, 80, 'parent', 'a title that is too long')", "leaves its box"),
        ("p.text(10, 30, 'one'); p.text(12, 33, 'two')", "'two' on 'one'"),
        ("p.text(10, 50, 'one'); p.arrow(5, 45, 90, 45); p.svg()", "a line crosses 'one'"),
        ("p.box(10, 10, 50, 50, 'page'); p.box(40, 40, 50, 50, 'page')", " on Rect"),
        ("p.box(60, 10, 50, 50, 'page')", "leaves the page"),
    ],
)
def test_a_picture_that_cannot_be_read_is_refused(call, complaint):
    code = f"from svg import Picture; p = Picture('t', 'd', 100, 100); {call}"
    words = [sys.executable, "-B", "-c", code]
    done = subprocess.run(words, cwd=PICTURES, capture_output=True, text=True)
    assert done.returncode == 1
    assert complaint in done.stderr
