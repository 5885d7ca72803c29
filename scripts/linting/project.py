"""The project as the rules see it: its files, their includes, and its builds."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterator, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent

INCLUDE = re.compile(r'\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')


class Finding(NamedTuple):
    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def run(*command: object, **environment: str) -> subprocess.CompletedProcess:
    """Run a command in the project's root; return both of its outputs as one text."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


class Build(NamedTuple):
    directory: Path
    result: subprocess.CompletedProcess


class Tree:
    """The project's files: tracked, or new and not ignored; read once.

    A build is made when a rule first asks for it, and kept until close().
    """

    def __init__(self) -> None:
        listing = run("git", "ls-files", "-z", "-co", "--exclude-standard")
        if listing.returncode != 0:
            sys.exit(f"lint: {listing.stdout.strip()}")
        names = sorted(set(listing.stdout.split("\0")) - {""})
        self.files = [name for name in names if (ROOT / name).is_file()]
        self.texts = {}
        for name in self.files:
            content = (ROOT / name).read_bytes()
            if b"\0" not in content:
                self.texts[name] = content.decode(errors="replace")
        self.scratch = tempfile.TemporaryDirectory()
        self.builds: dict[str, Build] = {}

    def close(self) -> None:
        self.scratch.cleanup()

    def matching(self, pattern: str) -> list[str]:
        return [name for name in self.files if re.fullmatch(pattern, name)]

    def lines(self, name: str) -> Iterator[tuple[int, str]]:
        return enumerate(self.texts.get(name, "").split("\n"), start=1)

    def length(self, name: str) -> int:
        return self.texts.get(name, "").count("\n")

    def build(self, compiler: str) -> Build:
        """The project, built with this compiler in the scratch
        directory; it may fail."""
        if compiler not in self.builds:
            directory = Path(self.scratch.name, compiler)
            options = ("-Dwerror=true", "--buildtype=debugoptimized")
            result = run("scripts/build", directory, *options, CC=compiler)
            self.builds[compiler] = Build(directory, result)
        return self.builds[compiler]


def includes(texts: dict[str, str], name: str) -> Iterator[tuple[int, str, str | None]]:
    """Each #include of a file: its line, the name as written, the project's file.

    The compiler looks for a name in quotes beside the file first, and for any name in
    the folders of -I. An #include of a system header names no file of the project.
    """
    for number, line in enumerate(texts[name].split("\n"), start=1):
        if match := INCLUDE.match(line):
            beside = [os.path.dirname(name)] if match[1] else []
            written = match[1] or match[2]
            folders = [*beside, "src", "include"]
            paths = [os.path.normpath(os.path.join(f, written)) for f in folders]
            found = next((path for path in paths if path in texts), None)
            yield number, written, found
