"""A value as a picture needs it: parts with the shapes at their borders, and blocks of the same form together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from ..nodes.node import Branches, Node, Residual, Sequence, flow, seq
from ..nodes.signal import Shape, Signal


@dataclass(frozen=True)
class Part:
    """A part of a value with the shapes (channels, height, width) before and after it, None where no input shape is
    known; `channels_after`, which leave it, are None where they depend on an unknown input."""

    node: Node
    before: Shape | None
    after: Shape | None
    channels_after: int | None
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


BlockRun = tuple[Part, ...]  # consecutive blocks of one form, or one part alone


def outline(value: Node, input_shape: Shape | None) -> Part:
    """`value`, always as a sequence, with shapes at every border.

    Raises:
        ArchitectureError: if the value does not fit `input_shape`, as `layers` does.
    """
    known = input_shape is not None

    def outlined(node: Node, signal: Signal, path: str) -> tuple[Part, Signal]:
        children: list[Part] = []

        def follow(part: Node, before: Signal, part_path: str) -> Signal:
            child, after = outlined(part, before, part_path)
            children.append(child)
            return after

        end = flow(node, signal, path, follow)
        shapes = (signal.shape, end.shape) if known else (None, None)
        return Part(node, *shapes, end.channels, tuple(children)), end

    return outlined(seq(value), Signal.of_image(input_shape) if known else Signal.of_channels(None), "")[0]


def form(node: Node) -> Node:
    """What blocks of one type have in common: the same layers without names and widths."""
    return node.without_width().with_parts(form(part) for part in node.parts)


def runs(sequence: tuple[Part, ...]) -> list[BlockRun]:
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
