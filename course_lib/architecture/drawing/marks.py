"""The marks a drawing consists of, and the SVG text they become. Positions and sizes are pixels at natural size."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from html import escape
from typing import Literal

from ..nodes.layers import Role

Point = tuple[float, float]
BoxRole = Role | Literal["join", "block"]

FONT_SIZE = 16
SMALL_FONT_SIZE = 14
LINE_HEIGHT = 19
INK = "#1a1a1a"
WIRE = "#444444"

# Fill and outline. Tints of the Okabe-Ito palette, which all common kinds of colour vision tell apart; every box also
# says in words what it is.
COLOURS: dict[BoxRole, tuple[str, str]] = {
    "pointwise": ("#d3ebf9", "#0072b2"),
    "square": ("#fde5b5", "#b87a00"),
    "asymmetric": ("#f4dbe9", "#a8487f"),
    "pool": ("#cdeee3", "#007a59"),
    "join": ("#e4e4e4", "#555555"),
    "classifier": ("#fbf7c6", "#857b00"),
    "other": ("#ffffff", "#777777"),
    "block": ("#ffffff", "#1a1a1a"),
}

# Advance widths in em of DejaVu Sans, the widest of the usual system fonts, so that a text fits its box in any of them.
_NARROW = frozenset("ijlftrI|.,:;'·()/- ")
_WIDE = frozenset("mwMW×+=")


@dataclass(frozen=True)
class Box:
    """A rectangle with centred lines of text; the first line of a block is its name."""

    x: float
    y: float
    width: float
    height: float
    lines: tuple[str, ...]
    role: BoxRole


@dataclass(frozen=True)
class Wire:
    """A line through `points`, with an arrowhead at the last one if `arrow`."""

    points: tuple[Point, ...]
    arrow: bool = True


@dataclass(frozen=True)
class Label:
    """A text on the card itself; `y` is the middle of the line."""

    x: float
    y: float
    text: str
    size: int = SMALL_FONT_SIZE
    anchor: Literal["start", "middle"] = "start"
    bold: bool = False


@dataclass(frozen=True)
class Panel:
    """A background behind parts that belong together: filled, or outlined with a dashed line."""

    x: float
    y: float
    width: float
    height: float
    dashed: bool = False


Mark = Box | Wire | Label | Panel


@cache
def text_width(text: str, size: int = FONT_SIZE, bold: bool = False) -> float:
    """Pixels that `text` takes at most, whichever sans-serif font the page has."""
    ems = sum(0.4 if char in _NARROW else 0.9 if char in _WIDE else 0.65 for char in text)
    return ems * size * (1.12 if bold else 1.0)


def moved(mark: Mark, dx: float, dy: float) -> Mark:
    """The same mark `dx` to the right and `dy` down."""
    if isinstance(mark, Wire):
        return Wire(tuple((x + dx, y + dy) for x, y in mark.points), mark.arrow)
    return replace(mark, x=mark.x + dx, y=mark.y + dy)


def render(marks: Iterable[Mark], width: float, height: float, title: str, description: str) -> str:
    """A whole SVG element: a white card of `width` x `height` with `marks` on it.

    It has no ids, so any number of them may stand on one page, and it is the same text for the same marks.
    """
    layers = sorted(marks, key=lambda mark: (Panel, Wire, Box, Label).index(type(mark)))
    size = f'width="{_number(width)}" height="{_number(height)}" viewBox="0 0 {_number(width)} {_number(height)}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} style="max-width:100%;height:auto" '
            f'font-family="Helvetica, Arial, Liberation Sans, DejaVu Sans, sans-serif" fill="{INK}">',
            f"<title>{escape(title)}</title>",
            f"<desc>{escape(description)}</desc>",
            f'<rect x="0.5" y="0.5" width="{_number(width - 1)}" height="{_number(height - 1)}" rx="10" '
            'fill="#ffffff" stroke="#cccccc"/>',
            *(_element(mark) for mark in layers),
            "</svg>",
        ]
    )


def image_html(svg: str, alt: str) -> str:
    """HTML that shows a picture at its own size, at most as wide as the page, with `alt` for those who cannot see it.

    As an `<img>` it also shows in a notebook that JupyterLab does not trust yet, from which inline SVG is taken out.
    """
    source = base64.b64encode(svg.encode()).decode("ascii")
    return f'<img alt="{escape(alt, quote=True)}" style="max-width: 100%" src="data:image/svg+xml;base64,{source}">'


def _element(mark: Mark) -> str:
    if isinstance(mark, Box):
        return _box(mark)
    if isinstance(mark, Wire):
        return _wire(mark)
    if isinstance(mark, Label):
        return _text(mark.x, mark.y, mark.text, mark.size, mark.anchor, mark.bold)
    style = 'fill="none" stroke="#777777" stroke-dasharray="5 4"' if mark.dashed else 'fill="#f3f3f3"'
    return f'<rect {_rectangle(mark)} rx="8" {style}/>'


def _box(box: Box) -> str:
    fill, stroke = COLOURS[box.role]
    radius = 6 if box.role != "join" or box.width > 1.5 * box.height else box.height / 2
    rectangle = f'<rect {_rectangle(box)} rx="{_number(radius)}" fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
    middle = box.y + box.height / 2 - LINE_HEIGHT * (len(box.lines) - 1) / 2
    texts = []
    for index, line in enumerate(box.lines):
        size = FONT_SIZE if index == 0 else SMALL_FONT_SIZE
        bold = box.role == "block" and index == 0
        texts.append(_text(box.x + box.width / 2, middle + LINE_HEIGHT * index, line, size, "middle", bold))
    return f'<g data-role="{box.role}">{rectangle}{"".join(texts)}</g>'


def _wire(wire: Wire) -> str:
    points = list(wire.points)
    head = ""
    if wire.arrow:
        (x0, y0), (x, y) = points[-2:]
        length = abs(x - x0) + abs(y - y0)  # wires run along the axes
        along, across = ((x - x0) / length, (y - y0) / length), ((y0 - y) / length, (x - x0) / length)
        corners = [(x - 9 * along[0] + s * across[0], y - 9 * along[1] + s * across[1]) for s in (-5, 5)]
        head = f'<polygon points="{_points([(x, y), *corners])}" fill="{WIRE}"/>'
        points[-1] = (x - 6 * along[0], y - 6 * along[1])
    return f'<polyline points="{_points(points)}" fill="none" stroke="{WIRE}" stroke-width="2"/>{head}'


def _text(x: float, y: float, text: str, size: int, anchor: str, bold: bool) -> str:
    weight = ' font-weight="bold"' if bold else ""
    at = f'x="{_number(x)}" y="{_number(y + 0.35 * size)}"'
    return f'<text {at} font-size="{size}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _rectangle(mark: Box | Panel) -> str:
    return f'x="{_number(mark.x)}" y="{_number(mark.y)}" width="{_number(mark.width)}" height="{_number(mark.height)}"'


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _number(value: float) -> str:
    return f"{round(value, 1):g}"
