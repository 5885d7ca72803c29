"""What an installation contains, and building on it as other projects do."""

import json
import os
import subprocess

import pytest

from harness import BUILD, ROOT, SANITIZED

STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def run(*words, **environment):
    """Run a command that must succeed; return its standard output."""
    result = subprocess.run(
        [str(word) for word in words], env={**os.environ, "LC_ALL": "C", **environment},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, timeout=120)  # fmt: skip
    assert result.returncode == 0, f"{words}: {result.stderr}"
    return result.stdout


def option(name):
    """A directory option of the build, relative to the prefix; or the prefix itself."""
    rows = json.loads((BUILD / "meson-info" / "intro-buildoptions.json").read_text())
    return next(row["value"] for row in rows if row["name"] == name)


class Installed:
    """What `meson install` puts under a DESTDIR."""

    def __init__(self, destination):
        self.destination = destination
        self.prefix = destination / option("prefix").lstrip("/")
        self.library = self.prefix / option("libdir")
        self.shared = self.library / "libprong.so"
        self.static = self.library / "libprong.a"

    def pkg_config(self, *words):
        return run(
            "pkg-config", *words, "libprong",
            PKG_CONFIG_LIBDIR=str(self.library / "pkgconfig"),
            PKG_CONFIG_SYSROOT_DIR=str(self.destination),
            PKG_CONFIG_ALLOW_SYSTEM_CFLAGS="1", PKG_CONFIG_ALLOW_SYSTEM_LIBS="1",
        ).split()  # fmt: skip

    def compile(self, source, output, *, static=False):
        sanitizers = ["-fsanitize=address,undefined"] if SANITIZED else []
        libraries = self.pkg_config("--libs")
        if static:
            libraries = [word.replace("-lprong", "-l:libprong.a") for word in libraries]
        run("cc", *STRICT, *sanitizers, *self.pkg_config("--cflags"), source, "-o",
            output, *libraries)  # fmt: skip


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    destination = tmp_path_factory.mktemp("destination")
    run(ROOT / "scripts" / "meson", "install", "-C", BUILD, "--no-rebuild",
        "--destdir", destination)  # fmt: skip
    return Installed(destination)
