"""Which module may use which, and which module really does.

A module is a .c file with the .h file of the same name, or one of the two alone. Its
name is its path without the ending: "src/base/log". A module uses another if one of its
files includes a file of the other, or if its object file needs a global symbol that the
other's object file defines. So a table of function pointers uses the functions that it
names.

A .c file without a .h of its name implements part of another header of its folder:
service.h declares what echo.c defines. Including that header does not count as using
it.

The folder of a module is its layer. A module may use modules of its own folder and of
the folders below. Modules that use each other, directly or through others, form a
circle; no circle is allowed.
"""

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Iterable, Iterator, NamedTuple

from linting.project import INCLUDE, Finding, includes

# Each folder, lowest first, with the folders directly below it. A folder may use these
# and everything below them.
LAYERS = {
    "include": [],
    "src/base": [],
    "src/engine/record": ["src/base", "include"],
    "src/engine/confine": ["src/engine/record"],
    "src/engine/admit": ["src/engine/record"],
    "src/engine/worker": ["src/engine/confine", "src/engine/admit"],
    "src/engine/program": ["src/engine/worker"],
    "src/engine/supervisor": ["src/engine/program"],
    "src/engine": ["src/engine/supervisor"],
    "src/service": ["src/base", "include"],
    "src/prongd": ["src/service"],
    "src/prong/common": ["src/base"],
    "src/prong/bench": ["src/prong/common"],
    "src/prong": ["src/prong/bench"],
}

# Outside the library's folder, calling a function that a public header declares counts
# as using that header, whichever module of the library defines the function.
PUBLIC = "include"
LIBRARY = "src/engine"

# Only the modules directly in src/engine and the supervisor's loop may include the
# header that defines this struct, whatever that header is called.
WHOLE_SERVER = re.compile(r"^struct prong \{", re.MULTILINE)
MAY_SEE_WHOLE = {"src/engine", "src/engine/supervisor/supervisor"}

SYMBOL = re.compile(r"(?P<object>.+): (?P<name>\S+) (?P<kind>\S)(?: .*)?")
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
DECLARED = re.compile(r"\b(\w+)\s*\(")


class Object(NamedTuple):
    path: Path
    source: str  # the .c file, from the project's root


class Inclusion(NamedTuple):
    file: str
    line: int
    written: str


def module_of(file: str) -> str:
    return os.path.splitext(file)[0]


def folder_of(module: str) -> str:
    return os.path.dirname(module)


def lies_in(module: str, folder: str) -> bool:
    return module.startswith(folder + "/")


def reachable(start: str, steps: dict[str, Iterable[str]]) -> set[str]:
    """Everything that one or more steps lead to; start only if
    steps lead back to it."""
    found: set[str] = set()
    left = list(steps.get(start, ()))
    while left:
        if (place := left.pop()) not in found:
            found.add(place)
            left += steps.get(place, ())
    return found


def objects_of(build: Path, root: Path) -> list[Object]:
    """The object files that a Meson build compiled from src/."""
    commands = json.loads((build / "compile_commands.json").read_text())
    objects = []
    for command in commands:
        directory = Path(command["directory"])
        source = os.path.relpath(directory / command["file"], root)
        if lies_in(source, "src"):
            objects.append(Object(directory / command["output"], source))
    return objects


def symbols_of(objects: list[Object]) -> Iterator[tuple[str, str, bool]]:
    """Each global symbol of each object: the module, the name, and
    whether it is defined."""
    if not objects:
        return
    modules = {str(path): module_of(source) for path, source in objects}
    command = ["nm", "-A", "-P", "-g", *modules]
    listing = subprocess.run(command, capture_output=True, text=True)
    if listing.returncode != 0:
        sys.exit(f"lint: {listing.stderr.strip()}")
    for line in listing.stdout.splitlines():
        if match := SYMBOL.fullmatch(line):
            yield modules[match["object"]], match["name"], match["kind"] not in "Uwv"


class Graph:
    """The modules of a project; which others each of them uses, and through what."""

    def __init__(self, texts: dict[str, str], objects: list[Object]) -> None:
        self.texts = {
            name: text
            for name, text in texts.items()
            if re.fullmatch(r"(src|include)/.*\.[ch]", name)
        }
        self.modules = sorted({module_of(name) for name in self.texts})
        self.compiled = {source for _, source in objects}
        # For each pair of user and used module: the symbols and the inclusions.
        self.symbols: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.inclusions: dict[tuple[str, str], list[Inclusion]] = defaultdict(list)
        self.definers: dict[str, set[str]] = defaultdict(set)
        symbols = list(symbols_of(objects))
        for module, symbol, defined in symbols:
            if defined:
                self.definers[symbol].add(module)
        self._follow_inclusions()
        self._follow_symbols(symbols)
        self.uses: dict[str, set[str]] = {name: set() for name in self.modules}
        for user, used in [*self.symbols, *self.inclusions]:
            self.uses.setdefault(user, set()).add(used)

    def _follow_inclusions(self) -> None:
        own = self._own_headers()
        for name in self.texts:
            for line, written, file in includes(self.texts, name):
                use = module_of(name), module_of(file or name)
                if use[0] != use[1] and (name, file) not in own:
                    self.inclusions[use].append(Inclusion(name, line, written))

    def _own_headers(self) -> set[tuple[str, str]]:
        """Each .c file without a .h of its name, with the
        headers that it implements."""
        defined = defaultdict(set)
        for symbol, modules in self.definers.items():
            for module in modules:
                defined[module].add(symbol)
        return {
            (name, file)
            for name in self.texts
            if name.endswith(".c") and module_of(name) + ".h" not in self.texts
            for _, _, file in includes(self.texts, name)
            if file and folder_of(file) == folder_of(name)
            if defined[module_of(name)] & self._words(file)
        }

    def _words(self, file: str) -> set[str]:
        return set(re.findall(r"\w+", COMMENT.sub("", self.texts[file])))

    def _follow_symbols(self, symbols: list[tuple[str, str, bool]]) -> None:
        public = self._public_symbols()
        for user, symbol, defined in symbols:
            if defined:
                continue
            for used in self.definers.get(symbol, set()) - {user}:
                if lies_in(used, LIBRARY) and not lies_in(user, LIBRARY):
                    used = public.get(symbol, used)
                self.symbols[user, used].add(symbol)

    def _public_symbols(self) -> dict[str, str]:
        """The functions declared in the public headers, each with its header."""
        return {
            symbol: module_of(name)
            for name, text in self.texts.items()
            if lies_in(name, PUBLIC)
            for symbol in DECLARED.findall(COMMENT.sub("", text))
        }

    def may_use(self, user: str, used: str) -> bool:
        """Whether the layers allow it; a module without a layer
        is reported separately."""
        folder, below = folder_of(user), folder_of(used)
        if folder not in LAYERS or below not in LAYERS:
            return True
        return below in {folder} | reachable(folder, LAYERS)

    def circles(self) -> list[list[str]]:
        """The modules of each circle; circles that share a module count as one."""
        reach = {name: reachable(name, self.uses) for name in self.modules}
        groups = {
            tuple(sorted(other for other in reach[name] if name in reach[other]))
            for name in self.modules
        }
        return sorted(list(group) for group in groups if group)

    def shortest_circles(self, group: list[str]) -> list[list[str]]:
        """The pairs of a group that use each other; if there are
        none, a shortest circle."""
        pairs = [
            [one, other]
            for one in group
            for other in group
            if one < other and other in self.uses[one] and one in self.uses[other]
        ]
        return pairs or [min((self._way_back(name) for name in group), key=len)]

    def _way_back(self, start: str) -> list[str]:
        """The modules on a shortest path from a module back to itself."""
        ways = [[start]]
        seen = set()
        for way in ways:
            for used in sorted(self.uses[way[-1]]):
                if used == start:
                    return way
                if used not in seen:
                    seen.add(used)
                    ways.append([*way, used])
        raise AssertionError(f"{start} is in no circle")

    def reason(self, user: str, used: str) -> str:
        """The symbols and the headers by which a module uses another."""
        symbols = sorted(self.symbols.get((user, used), ()))
        written = sorted({i.written for i in self.inclusions.get((user, used), ())})
        return ", ".join([*symbols, *(f'"{name}"' for name in written)])

    def file_of(self, module: str) -> str:
        return f"{module}.c" if f"{module}.c" in self.texts else f"{module}.h"

    def place(self, user: str, used: str) -> tuple[str, int]:
        """The file and line where a module first uses another; line 1 if unknown."""
        file = self.file_of(user)
        symbols = self.symbols.get((user, used), ())
        if symbols:
            names = re.compile(rf"\b({'|'.join(map(re.escape, symbols))})\b")
            for number, line in enumerate(self.texts[file].split("\n"), start=1):
                if names.search(line) and not INCLUDE.match(line):
                    return file, number
        for inclusion in self.inclusions.get((user, used), ()):
            return inclusion.file, inclusion.line
        return file, 1


def without_layer(graph: Graph) -> Iterator[Finding]:
    for name in graph.texts:
        folder = folder_of(name)
        if folder not in LAYERS:
            yield Finding(name, 1, f"{folder} has no place among the layers")


def not_compiled(graph: Graph) -> Iterator[Finding]:
    for name in graph.texts:
        if name.endswith(".c") and name not in graph.compiled:
            yield Finding(name, 1, "not in the build, so its calls are not known")


def calls_upwards(graph: Graph) -> Iterator[Finding]:
    for (user, used), symbols in graph.symbols.items():
        if not graph.may_use(user, used):
            names = ", ".join(sorted(symbols))
            what = f"{folder_of(user)} may not use {names}, of {used}"
            yield Finding(*graph.place(user, used), what)


def includes_upwards(graph: Graph) -> Iterator[Finding]:
    for (user, used), inclusions in graph.inclusions.items():
        if not graph.may_use(user, used):
            for file, line, written in inclusions:
                what = f"{folder_of(user)} may not include {written}, of {used}"
                yield Finding(file, line, what)


def circles(graph: Graph) -> Iterator[Finding]:
    for group in graph.circles():
        for way in graph.shortest_circles(group):
            steps = zip(way, [*way[1:], way[0]])
            text = "; ".join(f"{a} uses {b} ({graph.reason(a, b)})" for a, b in steps)
            yield Finding(*graph.place(*(way * 2)[:2]), f"circle: {text}")
        if len(group) > 2:
            text = f"circle of {len(group)} modules: {', '.join(group)}"
            yield Finding(graph.file_of(group[0]), 1, text)


def defined_twice(graph: Graph) -> Iterator[Finding]:
    """A symbol with two definitions: nm does not tell which one is called."""
    used = set().union(*graph.symbols.values())
    for symbol, definers in graph.definers.items():
        if symbol in used and len(definers) > 1:
            first, *others = sorted(definers)
            what = f"{', '.join(others)} defines {symbol}, too"
            yield Finding(graph.file_of(first), 1, what)


def views_of_whole_server(graph: Graph) -> Iterator[Finding]:
    """Inclusions that show a module the struct that only few may see."""
    homes = {name for name, text in graph.texts.items() if WHOLE_SERVER.search(text)}
    files = {
        name: [file for _, _, file in includes(graph.texts, name) if file]
        for name in graph.texts
    }
    for name in graph.texts:
        if {module_of(name), folder_of(name)} & MAY_SEE_WHOLE:
            continue
        for line, written, file in includes(graph.texts, name):
            for home in homes & ({file} | reachable(file, files) if file else set()):
                what = f"may not see struct prong, of {home}, through {written}"
                yield Finding(name, line, what)


CHECKS = [
    without_layer,
    not_compiled,
    defined_twice,
    calls_upwards,
    includes_upwards,
    circles,
    views_of_whole_server,
]


def check(graph: Graph) -> Iterator[Finding]:
    for rule in CHECKS:
        yield from rule(graph)


def summary(graph: Graph) -> Iterator[str]:
    """Lines for people: users and used modules of each module, circles, and totals."""
    pairs = sorted((user, used) for user in graph.uses for used in graph.uses[user])
    width = max(map(len, graph.modules), default=0)
    yield f"{'module':{width}}  fan-in  fan-out"
    for name in graph.modules:
        users = sum(used == name for _, used in pairs)
        yield f"{name:{width}}  {users:6}  {len(graph.uses[name]):7}"
    groups = graph.circles()
    for group in groups:
        yield f"circle: {', '.join(group)}"
        for user, used in pairs:
            if user in group and used in group:
                yield f"  {user} -> {used}: {graph.reason(user, used)}"
    yield f"modules: {len(graph.modules)}, uses: {len(pairs)}"
    yield f"circles: {len(groups)}, modules in them: {sum(map(len, groups))}"
    yield f"calls upwards: {len(list(calls_upwards(graph)))}"
    yield f"includes upwards: {len(list(includes_upwards(graph)))}"
    yield f"views of struct prong: {len(list(views_of_whole_server(graph)))}"
