"""The top level of a picture: the main path in columns, what works on one grid in a band, heads at the side, and the
types of blocks beneath."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil

from ..nodes.layers import Linear
from ..nodes.node import Auxiliary, Node
from ..nodes.signal import Shape
from . import layout
from .blocks import draw_framed, draw_part, ends_in_bar, is_leaf, leaf_width
from .layout import Piece, Row
from .outline import BlockRun, Part, form
from .wording import box_text, hint, name_range, split_hint, times, wire_text

WIDTH, HEIGHT = 1232, 900  # pixels; with margins and a title the width of a slide, and somewhat more than its height
HINT_WIDTH = 270


@dataclass(frozen=True)
class PathStep:
    """A row of the main path, the grid it gives, and whether it is a head, which stays with the step before it."""

    row: Row
    grid: Shape
    is_head: bool


def draw_main_path(whole: Part, grouped: list[BlockRun], overview: bool) -> Piece:
    """The main path of `whole`: one column, or more if it is taller than a slide and they fit side by side."""
    steps, clearance = _steps(grouped, overview)
    start = Row(layout.END, _wire_label(whole, whole.before) or "input")
    single = _column(steps, start, layout.END, clearance, overview)
    for count in range(ceil(single.height / HEIGHT), 1, -1):
        split = _split(steps, count)
        starts = [start, *[Row(layout.CONTINUED)] * (len(split) - 1)]
        ends = [*[layout.CONTINUED] * (len(split) - 1), layout.END]
        wrapped = layout.columns(
            [_column(*column, clearance, overview) for column in zip(split, starts, ends, strict=True)]
        )
        if wrapped.width <= WIDTH:
            return wrapped
    return single


def draw_block_types(grouped: list[BlockRun]) -> list[Piece]:
    """One picture for each form of block: the first of its form, with the names of all."""
    types: dict[Node, list[BlockRun]] = {}
    for run in grouped:
        if run[0].is_block:
            types.setdefault(form(run[0].node), []).append(run)
    return [_block_type(same_form) for same_form in types.values()]


def _block_type(same_form: list[BlockRun]) -> Piece:
    first = same_form[0][0]
    exit_label = "" if ends_in_bar(first) else _wire_label(first, first.after)
    picture = layout.stack(
        [Row(layout.END, _wire_label(first, first.before)), Row(draw_part(first), exit_label), Row(layout.END)]
    )
    heading = [layout.text_block([first.name or box_text(first.node)], bold=True, size=16)]
    for lead, equal in (("also", True), ("same form, other widths:", False)):
        if names := _names(same_form, equal):
            words = f"{lead} {', '.join(names)}".split()
            heading.append(layout.text_block(layout.wrapped(words, " ", max(picture.width, 260))))
    return layout.flow([*heading, picture], 0, 0, 4)


def _names(same_form: list[BlockRun], equal: bool) -> list[str]:
    """Names, from first to last within a run, of the blocks that equal the first one, or of the others."""
    first = same_form[0][0]
    names = []
    for run in same_form:
        for alike, group in groupby(run, key=lambda part: replace(part.node, name=first.name) == first.node):
            block = tuple(part for part in group if part is not first and part.name)
            if block and alike is equal:
                names.append(name_range(block))
    return names


def _steps(grouped: list[BlockRun], overview: bool) -> tuple[list[PathStep], float]:
    """The rows, and how far from the path heads begin: beside all narrow rows and their labels."""
    lines = [_block_lines(run) if overview and run[0].is_block else [] for run in grouped]
    block_width = max((layout.box_width(text, "block") for text in lines if text), default=0)
    width = leaf_width(tuple(run[0] for run in grouped))
    labels = [_label_after(run, overview) for run in grouped]
    clearance = max([width / 2, block_width / 2, *(layout.label_room(label) for label in labels)]) + 24
    steps = []
    for run, text, label in zip(grouped, lines, labels, strict=True):
        if text:
            piece = layout.box(text, "block", block_width)
        elif len(grouped) == 1 or isinstance(run[0].node, Auxiliary) or is_leaf(run[0]):
            piece = draw_part(run[0], width=width, clearance=clearance)
        else:
            piece = draw_framed(run[0])
        grid = run[-1].after[1:] if run[-1].after else ()
        steps.append(PathStep(Row(piece, label), grid, isinstance(run[0].node, Auxiliary)))
    return steps, clearance


def _block_lines(run: BlockRun) -> list[str]:
    text = hint(run[0].node)
    for separator in (" | ", "·"):
        items = split_hint(text, separator)
        if len(items) > 1:
            *lines, last = layout.wrapped(items, separator, HINT_WIDTH)
            return [_counted(run), *(line + separator.rstrip() for line in lines), last]
    return [_counted(run), text]


def _counted(run: BlockRun) -> str:
    return f"{name_range(run)} ×{len(run)}" if len(run) > 1 else name_range(run)


def _split(steps: list[PathStep], count: int) -> list[list[PathStep]]:
    """`steps` in `count` columns of about the same height."""
    heights = [0 if step.is_head else step.row.piece.height + layout.LABEL_GAP for step in steps]
    split: list[list[PathStep]] = [[] for _ in range(count)]
    done, column = 0.0, 0
    for step, height in zip(steps, heights, strict=True):
        if not step.is_head:
            column = int(count * (done + height / 2) / sum(heights))
        split[column].append(step)
        done += height
    return [column for column in split if column]


def _column(steps: Sequence[PathStep], start: Row, end: Piece, clearance: float, overview: bool) -> Piece:
    column = layout.stack([start, *(step.row for step in steps), Row(end)])
    if not overview:
        return column
    tops = [y - 8 for _, y, _ in column.placed[1:]]
    bands, index = [], 0
    for grid, group in groupby(steps, key=lambda step: step.grid):
        following = index + len(list(group))
        if len(grid) == 2 and grid != (1, 1):
            bands.append((tops[index], tops[following] - 3, times(wire_text(grid))))
        index = following
    return layout.banded(column, bands, clearance - 10) if bands else column


def _label_after(run: BlockRun, overview: bool) -> str:
    last = run[-1]
    stated = ends_in_bar(last) and not (overview and last.is_block)
    return "" if stated or isinstance(last.node, Auxiliary) else _wire_label(last, last.after)


def _wire_label(part: Part, shape: Shape | None) -> str:
    """`64×35×35`, or `1000 logits` where only features flow."""
    if shape is None or len(shape) == 3:
        return times(wire_text(shape))
    raw = isinstance(part.node, Linear) and part.node.activation == "linear"
    return f"{shape[0]} {'logits' if raw else 'features'}"
