"""A part of a network, drawn in full."""

from __future__ import annotations

from ..nodes.layers import Layer
from ..nodes.node import Auxiliary, Branches, Residual, Sequence
from . import layout
from .layout import Piece, Row
from .outline import Part
from .wording import box_text, times, wire_text


def draw_part(part: Part, *, width: float = 0, open_end: bool = False, clearance: float = 0) -> Piece:
    """The picture of `part` with everything in it.

    Args:
        width: least width of a single layer's box.
        open_end: whether its last branches run on by themselves, as where they end inside an outer branch: to join
            twice is to join once.
        clearance: how far from the main path an auxiliary head begins.
    """
    node = part.node
    if isinstance(node, Sequence):
        return _chain(part, open_end)
    if isinstance(node, Branches):
        bar = None if open_end else f"concat {_joined(part)}".strip()
        return layout.fork(_paths(part), bar)
    if isinstance(node, Residual):
        scale = "" if node.scale == 1 else f"× {node.scale:g}"
        return layout.skip(draw_part(part.children[0]), scale, "ReLU" if node.activation == "relu" else "")
    if isinstance(node, Auxiliary):
        caption = f"{part.name}: loss × {node.weight:g}"
        return layout.hang(draw_part(part.children[0]), caption, clearance)
    return layout.box([box_text(node)], node.role, width)


def draw_framed(part: Part, *, open_end: bool = False) -> Piece:
    """The same, in a frame with the part's name if it has one and there is something to frame."""
    piece = draw_part(part, open_end=open_end)
    return layout.framed(piece, part.name) if part.name and part.children else piece


def leaf_width(parts: tuple[Part, ...]) -> float:
    """The width that the boxes of all single layers among `parts` share."""
    leaves = [part.node for part in parts if is_leaf(part)]
    return max((layout.box_width([box_text(node)], node.role) for node in leaves), default=0)


def is_leaf(part: Part) -> bool:
    """Whether the part is one layer."""
    return isinstance(part.node, Layer)


def ends_in_bar(part: Part) -> bool:
    """Whether the last thing drawn is a join, which states the shape itself."""
    if isinstance(part.node, Sequence) and part.children:
        return ends_in_bar(part.children[-1])
    return isinstance(part.node, Branches)


def _paths(part: Part) -> list[Piece]:
    """The pictures of branches; those that share out the channels begin with their share."""
    paths = [draw_part(child, open_end=True) for child in part.children]
    if part.node.widths is None:
        return paths
    shares = [layout.box([f"{width} channels"], "other") for width in part.node.widths]
    return [layout.stack([Row(share), Row(path)]) for share, path in zip(shares, paths, strict=True)]


def _chain(part: Part, open_end: bool) -> Piece:
    width, rows = leaf_width(part.children), []
    for child in part.children:
        ends_open = open_end and child is part.children[-1]
        piece = draw_part(child, width=width) if is_leaf(child) else draw_framed(child, open_end=ends_open)
        rows.append(Row(piece))
    return layout.stack(rows)


def _joined(part: Part) -> str:
    return times(wire_text(part.after)) or str(part.channels_after or "")
