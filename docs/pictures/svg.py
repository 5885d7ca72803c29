"""Draw boxes, text and arrows as SVG, and refuse a picture that cannot be read.

A Picture checks what it is given: text lies inside its box and inside the page, no two
texts overlap, no line crosses a text, and no two boxes cross. Text is measured with
generous widths, because each reader's fonts differ.

The colours follow the reader's: prefers-color-scheme chooses the dark ones. The page has
a background of its own, so the picture can be read on any page.
"""

from typing import NamedTuple
from xml.sax.saxutils import escape

LIGHT = {
    "page": "#ffffff", "ink": "#1f2328", "soft": "#59636e", "line": "#59636e",
    "parent": "#ddf4ff", "child": "#dafbe1", "kernel": "#fff8c5", "dead": "#eff1f3",
    "alarm": "#b31d28",
}  # fmt: skip
DARK = {
    "page": "#0d1117", "ink": "#f0f6fc", "soft": "#b1bac4", "line": "#9198a1",
    "parent": "#12324f", "child": "#14391f", "kernel": "#3b2f0a", "dead": "#2a2f36",
    "alarm": "#ff7b72",
}  # fmt: skip
BOXES = ("parent", "child", "kernel", "dead", "page")
FONTS = {
    "sans": "13px 'DejaVu Sans', Verdana, Arial, sans-serif",
    "bold": "bold 13px 'DejaVu Sans', Verdana, Arial, sans-serif",
    "mono": "13px 'DejaVu Sans Mono', Menlo, Consolas, monospace",
}
EM = {"sans": 8.1, "bold": 9.2, "mono": 8.0}  # the widest fonts of these lists
MARGIN = 5
LINE = 19


class Rect(NamedTuple):
    x: float
    y: float
    width: float
    height: float

    def contains(self, other: "Rect", margin: float) -> bool:
        return (
            self.x + margin <= other.x
            and self.y + margin <= other.y
            and other.x + other.width <= self.x + self.width - margin
            and other.y + other.height <= self.y + self.height - margin
        )

    def meets(self, other: "Rect") -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def crossed_by(self, x1: float, y1: float, x2: float, y2: float) -> bool:
        steps = 200
        for step in range(steps + 1):
            x, y = x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps
            if self.meets(Rect(x, y, 0.01, 0.01)):
                return True
        return False


def style(colours: dict[str, str]) -> str:
    rules = [f".{name}{{fill:{colours[name]};stroke:{colours['line']}}}" for name in BOXES]
    rules.append(f".paper{{fill:{colours['page']}}}")
    rules.append(f".line{{stroke:{colours['line']};fill:none}}")
    rules.append(f".head{{fill:{colours['line']}}}")
    rules += [f".{name}{{fill:{colours[name]}}}" for name in ("ink", "soft", "alarm")]
    return "".join(rules)


def styles(scheme: str) -> str:
    fonts = "".join(f".{name}{{font:{font}}}" for name, font in FONTS.items())
    if scheme != "both":
        return fonts + style(DARK if scheme == "dark" else LIGHT)
    return f"{fonts}{style(LIGHT)}@media (prefers-color-scheme:dark){{{style(DARK)}}}"


class Picture:
    """One picture: what is drawn, and the text that says the same."""

    def __init__(self, title: str, description: str, width: int, height: int) -> None:
        self.title, self.description = title, description
        self.page = Rect(0, 0, width, height)
        self.parts: list[str] = []
        self.boxes: list[Rect] = []
        self.texts: list[tuple[str, Rect]] = []
        self.lines: list[tuple[float, float, float, float]] = []

    def box(
        self, x: float, y: float, width: float, height: float, kind: str, dashed=False
    ) -> Rect:
        rect = Rect(x, y, width, height)
        assert self.page.contains(rect, 1), f"{self.title}: {rect} leaves the page"
        for other in self.boxes:
            nested = other.contains(rect, 0) or rect.contains(other, 0)
            assert nested or not rect.meets(other), f"{self.title}: {rect} on {other}"
        self.boxes.append(rect)
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}"'
            f' rx="6"{dash}/>'
        )
        return rect

    def text(
        self, x: float, y: float, words: str, font="sans", colour="ink", anchor="start",
        inside: Rect | None = None,
    ) -> None:  # fmt: skip
        if not words:
            return
        width = EM[font] * len(words)
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        rect = Rect(left, y - 12, width, 16)
        fits = (inside or self.page).contains(rect, MARGIN - 2)
        assert fits, f"{self.title}: {words!r} leaves its box"
        for other, place in self.texts:
            assert not rect.meets(place), f"{self.title}: {words!r} on {other!r}"
        self.texts.append((words, rect))
        self.parts.append(
            f'<text class="{font} {colour}" x="{x}" y="{y}" text-anchor="{anchor}">'
            f"{escape(words)}</text>"
        )

    def panel(
        self, x: float, y: float, width: float, kind: str, title: str, lines=(),
        dashed=False, font="mono",
    ) -> Rect:  # fmt: skip
        """A box as high as its title and lines."""
        height = 26 + LINE * len(lines) + (6 if lines else 2)
        rect = self.box(x, y, width, height, kind, dashed)
        self.text(x + 9, y + 19, title, "bold", inside=rect)
        for number, words in enumerate(lines, 1):
            self.text(x + 9, y + 19 + LINE * number, words, font, inside=rect)
        return rect

    def line(self, x1: float, y1: float, x2: float, y2: float, dashed=False) -> None:
        self.lines.append((x1, y1, x2, y2))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<path class="line" d="M{x1} {y1}L{x2} {y2}" stroke-width="1.6"{dash}/>'
        )

    def arrow(self, x1: float, y1: float, x2: float, y2: float, dashed=False) -> None:
        self.line(x1, y1, x2, y2, dashed)
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        bx, by = x2 - 9 * ux, y2 - 9 * uy
        points = f"{x2},{y2} {bx - 4.5 * uy:.1f},{by + 4.5 * ux:.1f}"
        points += f" {bx + 4.5 * uy:.1f},{by - 4.5 * ux:.1f}"
        self.parts.append(f'<polygon class="head" points="{points}"/>')

    def svg(self, scheme: str = "both") -> str:
        for line in self.lines:
            for words, rect in self.texts:
                crossed = rect.crossed_by(*line)
                assert not crossed, f"{self.title}: a line crosses {words!r}"
        width, height = self.page.width, self.page.height
        return "\n".join([
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(self.title)}</title>',
            f'<desc id="desc">{escape(self.description)}</desc>',
            f"<style>{styles(scheme)}</style>",
            f'<rect class="paper" width="{width}" height="{height}" rx="8"/>',
            *self.parts,
            "</svg>",
            "",
        ])  # fmt: skip
