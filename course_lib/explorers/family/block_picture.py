"""A block of a network in small: boxes that say kernel and channels, wires between them, from the top down."""

from __future__ import annotations

import re
from dataclasses import dataclass

from course_lib.architecture import Branches, Node, Residual, Sequence
from course_lib.architecture.drawing.marks import COLOURS
from course_lib.architecture.nodes.layers import Layer
from course_lib.explorers.svg_elements import rect, tag, text

FORK = 10.0  # CSS pixels from where a wire comes in to where it spreads
MOST_ROW, LEAST_ROW = 44.0, 34.0
WIRE_ROOM = 13.0  # of a row, above its box
MOST_COLUMN = 150.0
WIRE = "#444444"
Point = tuple[float, float]


@dataclass(frozen=True)
class Frame:
    """How large things are drawn: width of a column and height of a row, box and the wire above it."""

    column: float
    row: float

    @property
    def box(self) -> float:
        """Height of a box."""
        return self.row - WIRE_ROOM


def draw_block(value: Node, shapes: tuple[str, str], left: float, top: float, size: Point) -> list[str]:
    """The marks of a part within `size` (width, height) pixels from (`left`, `top`) on.

    Args:
        shapes: what flows in and out, as text at both ends.
    """
    width, height = size
    columns, (forks, rows) = _columns(value), _rows(value, open_end=False)
    frame = Frame(
        min(MOST_COLUMN, width / columns), min(MOST_ROW, max(LEAST_ROW, (height - 24 - 34 - forks * FORK) / rows))
    )
    middle = left + width / 2
    parts = [text(middle, top + 10, shapes[0], size=17, text_anchor="middle", fill=WIRE)]
    drawn, ends = _draw(value, (middle, top + 22), frame, open_end=False)
    ((x, y),) = ends
    parts += [*drawn, _arrow(x, y, y + 16)]
    return [*parts, text(middle, y + 27, shapes[1], size=17, text_anchor="middle", fill=WIRE)]


def _columns(node: Node) -> int:
    if isinstance(node, Branches):
        return sum(map(_columns, node.paths))
    if isinstance(node, Residual):
        return 1 + _columns(node.inner)
    if isinstance(node, Sequence):
        return max((_columns(part) for part in node.layers), default=1)
    return 1


def _rows(node: Node, *, open_end: bool) -> tuple[int, int]:
    """How many forks and how many rows of boxes stand one under another at most."""
    if isinstance(node, Branches | Residual):
        paths = node.paths if isinstance(node, Branches) else (node.inner,)
        counts = [_rows(path, open_end=isinstance(node, Branches)) for path in paths]
        forks, rows = (max(numbers) for numbers in zip(*counts, strict=True))
        return forks + 1, rows + (not open_end)
    if isinstance(node, Sequence):
        counts = [_rows(part, open_end=open_end and part is node.layers[-1]) for part in node.layers]
        return sum(count[0] for count in counts), sum(count[1] for count in counts)
    return 0, 1


def _draw(node: Node, entry: Point, frame: Frame, *, open_end: bool) -> tuple[list[str], list[Point]]:
    """The marks of `node`, whose wire comes in at `entry`, in the middle of its columns; and where its wires end."""
    if isinstance(node, Layer):
        return _box(_words(node), COLOURS[node.role], entry, frame, frame.column - 10)
    if isinstance(node, Sequence):
        parts, ends = [], [entry]
        for part in node.layers:
            drawn, ends = _draw(part, ends[0], frame, open_end=open_end and part is node.layers[-1])
            parts += drawn
        return parts, ends
    if isinstance(node, Residual):
        scale = "" if node.scale == 1 else f"{node.scale:g} × "
        return _fork((Sequence(()), node.inner), entry, frame, f"input + {scale}branches")
    return _fork(node.paths, entry, frame, None if open_end else "concat")


def _fork(paths: tuple[Node, ...], entry: Point, frame: Frame, joined: str | None) -> tuple[list[str], list[Point]]:
    """Paths side by side; `joined` is what stands where they meet again, None where they run on."""
    x, y = entry
    columns = [_columns(path) for path in paths]
    edge = x - frame.column * sum(columns) / 2
    middles = []
    for count in columns:
        middles.append(edge + frame.column * count / 2)
        edge += frame.column * count
    parts = [_line(f"M{x:.1f} {y:.1f}V{y + FORK:.1f}M{middles[0]:.1f} {y + FORK:.1f}H{middles[-1]:.1f}")]
    ends: list[Point] = []
    for path, middle in zip(paths, middles, strict=True):
        drawn, path_ends = _draw(path, (middle, y + FORK), frame, open_end=joined == "concat" or joined is None)
        parts, ends = parts + drawn, ends + path_ends
    if joined is None:
        return parts, ends
    bottom = max(end for _, end in ends)
    for end_x, end_y in ends:
        parts.append(_arrow(end_x, end_y, bottom + WIRE_ROOM))
    width = max(ends[-1][0] - ends[0][0] + 40, 10.5 * len(joined))
    return _boxed(parts, _box(joined, COLOURS["join"], (x, bottom), frame, width, wired=False))


def _boxed(parts: list[str], box: tuple[list[str], list[Point]]) -> tuple[list[str], list[Point]]:
    return parts + box[0], box[1]


def _box(
    words: str, colours: tuple[str, str], entry: Point, frame: Frame, width: float, *, wired: bool = True
) -> tuple[list[str], list[Point]]:
    x, y = entry
    top = y + WIRE_ROOM
    fill, stroke = colours
    parts = [_arrow(x, y, top)] if wired else []
    parts.append(rect(x - width / 2, top, width, frame.box, fill=fill, stroke=stroke, stroke_width=1.5, rx=5))
    parts.append(text(x, top + frame.box / 2, words, size=16, text_anchor="middle"))
    return parts, [(x, top + frame.box)]


def _words(node: Layer) -> str:
    """Kernel and channels, in a few signs; what is convolved needs no name."""
    told = re.sub(r"(?<=\d)x(?=\d)", "×", node.describe())
    for long, short in (("conv ", ""), (" valid", ""), (" linear", ""), (" pool", ""), ("local response", "local")):
        told = told.replace(long, short)
    return told


def _line(path: str) -> str:
    return tag("path", d=path, stroke=WIRE, stroke_width=2, fill="none")


def _arrow(x: float, top: float, bottom: float) -> str:
    """A wire downwards that ends in a head."""
    head = f"M{x - 5:.1f} {bottom - 8:.1f}h10l-5 8z"
    return _line(f"M{x:.1f} {top:.1f}V{bottom - 6:.1f}") + tag("path", d=head, fill=WIRE)
