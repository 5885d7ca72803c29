"""Bars and grids, drawn as the pictures of docs/ are: for light and dark, with a text.

What is ours has a colour of its own and a bold name.
"""

import sys
from pathlib import Path
from typing import NamedTuple

sys.path.append(str(Path(__file__).resolve().parent.parent / "docs" / "pictures"))

from svg import LINE, Picture

COLOURS = {
    "light": {"peer": "#8c959f", "ours": "#0969da", "good": "#dafbe1", "bad": "#ffcecb"},
    "dark": {"peer": "#6e7681", "ours": "#58a6ff", "good": "#14391f", "bad": "#67060c"},
}
WIDTH, LEFT, LONGEST = 720, 260, 320
CELL, CELL_HEIGHT = 146, 26  # of a grid


class Bar(NamedTuple):
    name: str  # of the bar within its group
    value: float | None  # None: there is none
    words: str  # beside the bar


class Group(NamedTuple):
    name: str
    ours: bool
    bars: list[Bar]


def fills(scheme):
    return "".join(f".{name}{{fill:{colour}}}" for name, colour in COLOURS[scheme].items())


def style():
    dark = f"@media (prefers-color-scheme:dark){{{fills('dark')}}}"
    return f"<style>{fills('light')}{dark}</style>"


class Cell(NamedTuple):
    name: str  # of its column
    good: bool
    words: str


class Row(NamedTuple):
    name: str
    ours: bool
    cells: list[Cell]


def told(group):
    return f"{group.name}: " + ", ".join(
        " ".join(filter(None, [part.name, part.words])) for part in group[2])  # fmt: skip


def begun(title, groups, height):
    """A picture with its title, and with a text that says all that it shows."""
    text = f"{title}. " + ". ".join(told(group) for group in groups) + "."
    picture = Picture(title, text, WIDTH, height)
    picture.parts.append(style())
    picture.text(16, 26, title, "bold")
    return picture


def draw_group(picture, group, y, scales):
    picture.text(16, y + 13, group.name, "bold" if group.ours else "sans")
    for bar, scale in zip(group.bars, scales):
        length = 0 if bar.value is None else round(bar.value * scale, 1)
        if bar.name:
            picture.text(LEFT - 12, y + 13, bar.name, "sans", "soft", "end")
        if length:
            kind = "ours" if group.ours else "peer"
            picture.box(LEFT, y + 1, max(length, 1), LINE - 4, kind)
        picture.text(LEFT + length + 8, y + 13, bar.words, "sans")
        y += LINE
    return y + 7


def bars(title, groups, own_scales=False):
    """The SVG. With own_scales the first bars of all groups share a scale, and so on;
    else all bars share one."""
    columns = list(zip(*(group.bars for group in groups)))
    longest = [max(bar.value or 0 for bar in column) for column in columns]
    if not own_scales:
        longest = [max(longest)] * len(columns)
    height = 48 + sum(7 + LINE * len(group.bars) for group in groups)
    picture = begun(title, groups, height)
    y = 44
    for group in groups:
        y = draw_group(picture, group, y, [LONGEST / most for most in longest])
    return picture.svg()


def grid(title, rows):
    """A cell for each row and column, in the colour of good or of bad."""
    picture = begun(title, rows, 70 + (CELL_HEIGHT + 4) * len(rows))
    left = WIDTH - 14 - CELL * len(rows[0].cells)
    for column, cell in enumerate(rows[0].cells):
        picture.text(left + CELL * (column + 0.5), 54, cell.name, "sans", "soft", "middle")
    y = 62
    for row in rows:
        picture.text(16, y + 18, row.name, "bold" if row.ours else "sans")
        for column, cell in enumerate(row.cells):
            x = left + CELL * column
            box = picture.box(x, y, CELL - 4, CELL_HEIGHT, "good" if cell.good else "bad")
            picture.text(x + CELL / 2 - 2, y + 18, cell.words, "sans", "ink", "middle", box)
        y += CELL_HEIGHT + 4
    return picture.svg()
