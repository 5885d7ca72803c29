"""docs/glossary.md: each term is in use, and what it names exists."""

import re
import subprocess

from harness import BUILD, ROOT

TEXT = (ROOT / "docs" / "glossary.md").read_text()
TERMS = dict(re.findall(r"(?m)^\| \*\*(.+?)\*\* \| (.+) \|$", TEXT))
MANUALS = sorted(path for path in (ROOT / "docs" / "man").iterdir() if path.suffix != ".build")
NAMES = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "include/prong.h",
         "docs/chapter.md", "docs/coming-from.md", "tests/README.md")  # fmt: skip
DOCUMENTS = [ROOT / name for name in NAMES]


def test_the_terms_are_in_order_and_each_has_one_meaning():
    names = re.findall(r"(?m)^\| \*\*(.+?)\*\* ", TEXT)
    assert len(names) >= 24
    assert names == sorted(set(names))


def test_each_term_is_used_in_two_documents_at_least():
    """The headers of the code count as one document."""
    headers = "\n".join(path.read_text() for path in sorted(ROOT.glob("src/**/*.h")))
    texts = [path.read_text() for path in [*DOCUMENTS, *MANUALS]]
    texts = [text.lower() for text in [*texts, headers]]
    texts = [re.sub(r"[\\\s*`]+", " ", text) for text in texts]
    for term in TERMS:
        words = [rf"\b{word}" for word in term.removesuffix(" program").split()]
        using = [text for text in texts if all(re.search(word, text) for word in words)]
        assert len(using) >= 2, term


def test_each_file_that_a_term_names_exists():
    for path in re.findall(r"`((?:\w+/)*\w+\.[ch])`", TEXT):
        found = [*ROOT.glob(f"src/engine/{path}"), *ROOT.glob(f"src/{path}")]
        assert found or (ROOT / "include" / path).exists(), path


def test_each_option_that_a_term_names_exists():
    words = [BUILD / "prongd", "--help"]
    manual = subprocess.run(words, capture_output=True, check=True, text=True).stdout
    for option in re.findall(r"`(--[\w-]+)", TEXT):
        assert f"{option} " in manual, option


def test_the_documents_lead_to_the_glossary():
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"):
        assert "(docs/glossary.md)" in (ROOT / name).read_text()
    assert "(glossary.md)" in (ROOT / "docs" / "chapter.md").read_text()
