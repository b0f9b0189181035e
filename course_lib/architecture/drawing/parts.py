"""A value as a picture needs it: parts with the shapes at their borders, and blocks of the same form together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from ..counting import LayerCost, Shape, layers, out_channels, shares
from ..rewriting import rewrite
from ..vocabulary import Branches, Conv, Linear, Node, Residual, Sequence, labelled_children, seq


@dataclass(frozen=True)
class Part:
    """A part of a value with the shapes (channels, height, width) before and after it, None where no input shape is
    known."""

    node: Node
    before: Shape | None
    after: Shape | None
    children: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The name that the value gives to this part, or ""."""
        return self.node.name

    @property
    def is_block(self) -> bool:
        """Whether something runs side by side in it; the rest are single layers, chains of them, and auxiliary
        heads."""
        inside = any(child.is_block for child in self.children)
        return isinstance(self.node, Branches | Residual) or (isinstance(self.node, Sequence) and inside)

    @property
    def channels_after(self) -> int | None:
        """Channels that leave the part; None where they depend on an unknown input."""
        if self.after:
            return self.after[0]
        few, many = (out_channels(self.node, channels) for channels in (1, 2))
        return few if few == many else None


Run = tuple[Part, ...]  # consecutive blocks of one form, or one part alone


def parts(value: Node, input_shape: Shape | None) -> Part:
    """`value`, always as a sequence, with shapes at every border.

    Raises:
        ArchitectureError: if the value does not fit `input_shape`, as `layers` does.
    """
    rows = None if input_shape is None else iter(layers(value, input_shape))
    return _part(seq(value), None if input_shape is None else tuple(input_shape), rows)


def form(node: Node) -> Node:
    """What blocks of one type have in common: the same layers without names and widths."""
    return rewrite(node, _without_name_and_width)


def runs(sequence: tuple[Part, ...]) -> list[Run]:
    """A network's parts in order: consecutive blocks of one form and one output shape together, and plain named
    chains, such as a stem, taken apart."""
    grouped = groupby(enumerate(_spread(sequence)), key=_kind)
    return [tuple(part for _, part in group) for _, group in grouped]


def _spread(sequence: tuple[Part, ...]) -> Iterator[Part]:
    for part in sequence:
        if isinstance(part.node, Sequence) and not part.is_block:
            yield from _spread(part.children)
        else:
            yield part


def _kind(numbered: tuple[int, Part]) -> tuple[object, ...]:
    """Equal for parts of one run."""
    index, part = numbered
    return (form(part.node), part.channels_after, part.after) if part.is_block else (index,)


def _part(node: Node, before: Shape | None, rows: Iterator[LayerCost] | None) -> Part:
    """Takes one row of `rows`, which are in running order, for each layer."""
    children: list[Part] = []
    after = before
    for index, (_, child) in enumerate(labelled_children(node)):
        if isinstance(node, Branches) and before is not None:
            after = (shares(node, before[0])[index], *before[1:])
        children.append(_part(child, after, rows))
        after = children[-1].after if isinstance(node, Sequence) else before
    if not children and not isinstance(node, Sequence) and rows is not None:
        after = next(rows).out_shape
    if isinstance(node, Branches) and before is not None:
        after = (sum(child.after[0] for child in children), *children[0].after[1:])
    return Part(node, before, after, tuple(children))


def _without_name_and_width(node: Node, in_channels: int | None) -> Node:
    if isinstance(node, Conv):
        return replace(node, name="", channels=1)
    if isinstance(node, Linear):
        return replace(node, name="", features=1)
    return replace(node, name="")
