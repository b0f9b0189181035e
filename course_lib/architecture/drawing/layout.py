"""How pieces of a network's picture are put together: one under another, side by side, in columns.

A piece knows its size and where wires enter at its top and leave at its bottom; combining pieces draws the wires
between them. Data flows from the top down.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

from .marks import FONT_SIZE, LINE_HEIGHT, SMALL_FONT_SIZE, Box, BoxRole, Label, Mark, Panel, Wire, moved, text_width

BOX_HEIGHT = 34
BOX_PADDING = 10
GAP = 20  # between two boxes, with an arrow
LABEL_GAP = 34  # the same where a label stands at the arrow
BRANCH_GAP = 16
FORK_HEIGHT = 12  # from the top of a fork to the line that spreads to its branches
SKIP_WIDTH = 30
FRAME_PADDING = 12
COLUMN_GAP = 56


@dataclass(frozen=True)
class Side:
    """What hangs at the right of the path, as an auxiliary head does: from `left` of the path on, `height` tall."""

    left: float
    height: float


@dataclass(frozen=True)
class Piece:
    """A part of the picture, its own top left corner at (0, 0).

    `entry` is the x where its wire comes in, `exits` those where wires go out; `arrow` says whether the incoming wire
    ends here, with an arrowhead. `placed` are the pieces inside, each with its position.
    """

    width: float
    height: float
    entry: float
    exits: tuple[float, ...]
    marks: tuple[Mark, ...] = ()
    placed: tuple[tuple[float, float, Piece], ...] = ()
    arrow: bool = True
    side: Side | None = None

    @property
    def right(self) -> float:
        """Width to the right of the incoming wire."""
        return self.width - self.entry


@dataclass(frozen=True)
class Row:
    """A piece in a stack, and the label at the wire that leaves it."""

    piece: Piece
    label: str = ""


END = Piece(0, 0, 0, (0,))  # where a path begins or ends
CONTINUED = Piece(0, 0, 0, (0,), arrow=False)  # where it goes on in the next column
PASS = Piece(48, 0, 24, (24,), arrow=False)  # nothing but a wire


def box(lines: Sequence[str], role: BoxRole, width: float = 0) -> Piece:
    """One box, at least `width` wide."""
    width = max(width, box_width(lines, role))
    height = BOX_HEIGHT + LINE_HEIGHT * (len(lines) - 1)
    return Piece(width, height, width / 2, (width / 2,), (Box(0, 0, width, height, tuple(lines), role),))


def box_width(lines: Sequence[str], role: BoxRole) -> float:
    """Width that the text of a box needs."""
    widths = [text_width(lines[0], FONT_SIZE, role == "block")]
    widths += [text_width(line, SMALL_FONT_SIZE) for line in lines[1:]]
    return max(BOX_HEIGHT, _even(max(widths) + 2 * BOX_PADDING))


def stack(rows: Sequence[Row]) -> Piece:
    """Rows one under another on one straight wire. A row too wide to stand beside a hanging head, and the end of the
    path, wait until the head ends."""
    rows = rows or [Row(PASS)]
    left = max(row.piece.entry for row in rows)
    right = max(max(row.piece.right, label_room(row.label)) for row in rows)
    placed, marks, y, bottom, side = [], [], 0.0, 0.0, Side(0, 0)
    for index, row in enumerate(rows):
        piece = row.piece
        if index:
            y = bottom + (LABEL_GAP if rows[index - 1].label else GAP)
            if not piece.width or piece.right > side.left:
                y = max(y, side.height + GAP)
            marks.append(Wire(((left, bottom), (left, y)), piece.arrow))
            if rows[index - 1].label:
                marks.append(Label(left + 8, bottom + LABEL_GAP / 2 - 3, rows[index - 1].label))
        placed.append((left - piece.entry, y, piece))
        bottom = y + piece.height
        if piece.side:
            side = Side(piece.side.left, y + piece.side.height)
    last, first = rows[-1].piece, rows[0].piece
    exits = tuple(left - last.entry + x for x in last.exits)
    height = max(bottom, side.height)
    return Piece(left + right, height, left, exits, tuple(marks), tuple(placed), arrow=first.arrow)


def label_room(label: str) -> float:
    """Pixels that a wire's label takes to the right of the wire."""
    return _even(8 + text_width(label, SMALL_FONT_SIZE)) if label else 0


def fork(branches: Sequence[Piece], bar: str | None) -> Piece:
    """Branches side by side that read one wire; joined in a box of text `bar`, or left open, one exit each."""
    total = sum(piece.width for piece in branches) + BRANCH_GAP * (len(branches) - 1)
    width = max(total, box_width([bar], "join") if bar else 0)
    width = _even(width)
    x, top = (width - total) / 2, FORK_HEIGHT + GAP
    bottom = top + max(piece.height for piece in branches)
    end = bottom + GAP if bar else bottom
    marks: list[Mark] = [Wire(((width / 2, 0), (width / 2, FORK_HEIGHT)), arrow=False)]
    placed, exits = [], []
    for piece in branches:
        inside = x + piece.entry
        marks.append(Wire(((width / 2, FORK_HEIGHT), (inside, FORK_HEIGHT), (inside, top)), piece.arrow))
        outs = [x + out for out in piece.exits]
        if end > top + piece.height:
            marks += [Wire(((out, top + piece.height), (out, end)), arrow=bar is not None) for out in outs]
        placed.append((x, top, piece))
        exits += outs
        x += piece.width + BRANCH_GAP
    if bar is None:
        return Piece(width, end, width / 2, tuple(exits), tuple(marks), tuple(placed), arrow=False)
    placed.append((0, end, box([bar], "join", width)))
    return Piece(width, end + BOX_HEIGHT, width / 2, (width / 2,), tuple(marks), tuple(placed), arrow=False)


def skip(inner: Piece, scale: str, activation: str) -> Piece:
    """`inner`, scaled, added to what came in, which runs past it on the left; then the activation."""
    rows = [Row(inner), *([Row(box([scale], "join"))] if scale else [])]
    core, plus = stack(rows), box(["+"], "join")
    after = stack([Row(plus), *([Row(box([activation], "other"))] if activation else [])])
    left = max(SKIP_WIDTH + core.entry, after.entry)
    right = max(core.right, after.right)
    top, below = FORK_HEIGHT + GAP, FORK_HEIGHT + GAP + core.height + GAP
    middle = below + plus.height / 2
    lane = left - core.entry - SKIP_WIDTH + 4
    marks = (
        Wire(((left, 0), (left, top)), core.arrow),
        Wire(((left, FORK_HEIGHT), (lane, FORK_HEIGHT), (lane, middle), (left - plus.width / 2, middle))),
        Wire(((left, top + core.height), (left, below))),
    )
    placed = ((left - core.entry, top, core), (left - after.entry, below, after))
    return Piece(left + right, below + after.height, left, (left,), marks, placed, arrow=False)


def hang(head: Piece, caption: str, clearance: float) -> Piece:
    """A head beside the path: a wire leads off to the right into a dashed frame that begins `clearance` from the
    path."""
    inner = max(head.width, _even(text_width(caption, SMALL_FONT_SIZE, True)))
    width, height = inner + 2 * FRAME_PADDING, head.height + 2 * FRAME_PADDING + LINE_HEIGHT + 4
    x = clearance + FRAME_PADDING + (inner - head.width) / 2
    tap, frame_top = 4, 4 + GAP / 2
    top = frame_top + FRAME_PADDING
    marks = (
        Wire(((0, 0), (0, 2 * tap)), arrow=False),
        Wire(((0, tap), (x + head.entry, tap), (x + head.entry, top))),
        Panel(clearance, frame_top, width, height, dashed=True),
        Label(clearance + width / 2, frame_top + height - 16, caption, anchor="middle", bold=True),
    )
    side = Side(clearance - 6, frame_top + height)
    return Piece(clearance + width, 2 * tap, 0, (0,), marks, ((x, top, head),), arrow=False, side=side)


def framed(piece: Piece, name: str) -> Piece:
    """A named block drawn in full: a dashed frame with the name at its upper left."""
    wanted = 2 * _even(text_width(name, SMALL_FONT_SIZE, True)) + 24  # the wire comes in beside the name
    margin = FRAME_PADDING + max(0, (wanted - piece.width) / 2)
    top = LINE_HEIGHT + 8
    width, height = piece.width + 2 * margin, piece.height + top + FRAME_PADDING
    exits = tuple(margin + x for x in piece.exits)
    entry = margin + piece.entry
    marks = (
        Panel(0, 0, width, height, dashed=True),
        Label(8, 15, name, bold=True),
        Wire(((entry, 0), (entry, top)), piece.arrow),
        *(Wire(((x, top + piece.height), (x, height)), arrow=False) for x in exits),
    )
    return Piece(width, height, entry, exits, marks, ((margin, top, piece),), arrow=False)


def columns(pieces: Sequence[Piece]) -> Piece:
    """Columns from left to right; the wire leaves the foot of one and goes on at the head of the next."""
    placed, marks, x = [], [], 0.0
    for index, piece in enumerate(pieces):
        if index:
            before_x, before = placed[-1][0], placed[-1][2]
            lane = x - COLUMN_GAP / 2
            leave = before_x + before.exits[0]
            path = ((leave, before.height), (lane, before.height), (lane, 0), (x + piece.entry, 0))
            marks.append(Wire(path, arrow=False))
        placed.append((x, 0.0, piece))
        x += piece.width + COLUMN_GAP
    height = max(piece.height for piece in pieces)
    first, last = pieces[0], pieces[-1]
    exits = tuple(placed[-1][0] + out for out in last.exits)
    return Piece(x - COLUMN_GAP, height, first.entry, exits, tuple(marks), tuple(placed))


def flow(pieces: Sequence[Piece], width: float, gap: float, line_gap: float) -> Piece:
    """Pieces in reading order, a new line where the next would go beyond `width`."""
    placed, x, y, line = [], 0.0, 0.0, 0.0
    for piece in pieces:
        if x and x + piece.width > width:
            x, y, line = 0.0, y + line + line_gap, 0.0
        placed.append((x, y, piece))
        x, line = x + piece.width + gap, max(line, piece.height)
    used = max(x + piece.width for x, _, piece in placed)
    return Piece(used, y + line, 0, (), (), tuple(placed))


def text_block(lines: Sequence[str], *, bold: bool = False, size: int = SMALL_FONT_SIZE) -> Piece:
    """Lines of text at the left."""
    marks = tuple(Label(0, (index + 0.5) * (size + 6), line, size, bold=bold) for index, line in enumerate(lines))
    width = max(text_width(line, size, bold) for line in lines)
    return Piece(width, len(lines) * (size + 6), 0, (), marks)


def wrapped(items: Sequence[str], separator: str, width: float) -> list[str]:
    """`items` joined into lines no wider than `width` where an item allows it."""
    lines: list[str] = []
    for item in items:
        joined = f"{lines[-1]}{separator}{item}" if lines else item
        if lines and text_width(joined, SMALL_FONT_SIZE) <= width:
            lines[-1] = joined
        else:
            lines.append(item)
    return lines


def banded(column: Piece, bands: Sequence[tuple[float, float, str]], right: float) -> Piece:
    """`column` with backgrounds from y to y that reach `right` of its path, each with its label at the left."""
    gutter = _even(max(text_width(label, SMALL_FONT_SIZE, True) for _, _, label in bands)) + 20
    marks = []
    for top, bottom, label in bands:
        marks.append(Panel(0, top, gutter + column.entry + right, bottom - top))
        marks.append(Label(10, top + 18, label, bold=True))
    width = gutter + max(column.width, column.entry + right)
    exits = tuple(gutter + x for x in column.exits)
    placed = ((gutter, 0.0, column),)
    return Piece(width, column.height, gutter + column.entry, exits, tuple(marks), placed, column.arrow)


def marks_of(piece: Piece, x: float, y: float) -> Iterator[Mark]:
    """All marks of a piece that stands at (x, y)."""
    for mark in piece.marks:
        yield moved(mark, x, y)
    for dx, dy, inner in piece.placed:
        yield from marks_of(inner, x + dx, y + dy)


def _even(width: float) -> float:
    """Rounded up so that a middle is a whole pixel, where lines are crisp."""
    return 2 * ceil(width / 2)
