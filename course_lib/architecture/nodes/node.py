"""What all parts of an architecture have in common, and those that are made of parts.

A part says by itself which parts it has, how it is made anew with others, and what it makes of a shape: cost, module,
picture, smallest input and rewrites all ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from keyword import iskeyword
from typing import Literal, TypeVar

from .checks import check_choice, check_distinct, check_name, owner, set_whole
from .signal import ArchitectureError, Pair, Reach, Signal, agree, known_of, shape_text

Activation = Literal["relu", "linear"]
NodeT = TypeVar("NodeT", bound="Node")
Follow = Callable[["Node", Signal, str], Signal]


@dataclass(frozen=True)
class Node:
    """A part of an architecture. `a >> b` feeds `a` into `b`; `.named("3a")` gives a part the name its paper uses.

    Attributes:
        name: what the part is called.
        origin: paths of the layers whose weights this layer holds, where a rewrite has moved them. No part of the
            value: neither compared nor shown.

    Raises:
        ArchitectureError: if a name is not usable as a module's name: it holds a dot, begins with "_" or is one that
            every module has for something else, such as "type".
    """

    name: str = field(default="", kw_only=True)
    origin: tuple[str, ...] = field(default=(), kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_name(self.name)

    def __rshift__(self, other: Node) -> Sequence:
        return seq(self, other)

    def named(self: NodeT, name: str) -> NodeT:
        """The same part under `name`, which then stands in tables, pictures and the module's state_dict."""
        return replace(self, name=name)

    @property
    def parts(self) -> tuple[Node, ...]:
        """The direct parts, in running order."""
        return ()

    def labels(self) -> list[str]:
        """The names that the direct parts have in tables and in the module's state_dict."""
        return []

    def with_parts(self: NodeT, parts: Iterable[Node]) -> NodeT:
        """The same with other direct parts."""
        return self

    def start(self, number: int, signal: Signal, ends: list[Signal]) -> Signal:
        """What part `number` reads when `signal` comes in, and `ends` came out of the parts before it."""
        return signal

    def end(self, signal: Signal, ends: list[Signal]) -> Signal:
        """What comes out when `signal` comes in, and `ends` came out of the parts."""
        raise NotImplementedError

    def check(self, signal: Signal, ends: list[Signal], path: str) -> None:
        """Raises ArchitectureError if `signal` cannot come in, or `ends` do not fit; its message begins with `path`."""

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        """The least (height, width) coming in for which at least `grid` comes out; with or without what auxiliary
        heads need."""
        raise NotImplementedError

    def describe(self) -> str:
        """The part in a few words, as tables, pictures and messages show it: `conv 3x3/2 64`, `max pool 3x3`."""
        return type(self).__name__.lower()

    def without_width(self: NodeT) -> NodeT:
        """What it has in common with parts of other names and widths; for its own fields, not those of its parts."""
        return replace(self, name="")


def flow(node: Node, signal: Signal, path: str, follow: Follow) -> Signal:
    """What comes out of `node` when `signal` comes in: the one way through an architecture.

    Args:
        path: the node's name in the module that `build` makes, for messages and for its parts.
        follow: called as `follow(part, signal, path)` for each direct part in running order; it gives what comes out of
            the part, by calling `flow` again.

    Raises:
        ArchitectureError: if parts do not fit what comes in, naming the layer, the shapes and what would fit.
    """
    ends: list[Signal] = []
    for number, (label, part) in enumerate(labelled_children(node, path)):
        ends.append(follow(part, node.start(number, signal, ends), f"{path}.{label}" if path else label))
    node.check(signal, ends, path)
    return node.end(signal, ends)


def end_of(node: Node, signal: Signal) -> Signal:
    """What comes out of `node`, as `flow` says it, without a check: None stands for what cannot be known."""
    ends: list[Signal] = []
    for number, part in enumerate(node.parts):
        ends.append(end_of(part, node.start(number, signal, ends)))
    return node.end(signal, ends)


def out_channels(value: Node, in_channels: int | None) -> int | None:
    """Channels of the value's output for an input of `in_channels`, whatever its size; None where they depend on an
    input's that are not known."""
    return end_of(value, Signal.of_channels(in_channels)).channels


def labelled_children(node: Node, path: str = "") -> list[tuple[str, Node]]:
    """The direct parts of a composite value with the names they have in tables and in the module's state_dict.

    Raises:
        ArchitectureError: if two parts of one value have the same name; the message begins with `path`.
    """
    labels = node.labels()
    check_distinct(labels, path or node.name or "the value")
    return list(zip(labels, node.parts, strict=True))


@dataclass(frozen=True)
class Sequence(Node):
    """Parts one after another; the empty sequence is the identity."""

    layers: tuple[Node, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_parts(self, "part")

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.layers

    def labels(self) -> list[str]:
        return [part.name or str(number) for number, part in enumerate(self.layers)]

    def with_parts(self, parts: Iterable[Node]) -> Sequence:
        return replace(seq(*parts), name=self.name)

    def start(self, number: int, signal: Signal, ends: list[Signal]) -> Signal:
        return ends[-1] if ends else signal

    def end(self, signal: Signal, ends: list[Signal]) -> Signal:
        return ends[-1] if ends else signal

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        for part in reversed(self.layers):
            grid = part.grid_before(grid, heads)
        return grid


@dataclass(frozen=True)
class Branches(Node):
    """Parallel paths joined along the channels, in the order written. Each reads all of one tensor, or, where `widths`
    are given, its own share of the channels."""

    paths: tuple[Node, ...]
    widths: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.paths:
            raise ArchitectureError("branches: give at least one path; got none.")
        _check_parts(self, "path")
        if self.widths is not None:
            set_whole(self, "widths")
            if len(self.widths) != len(self.paths):
                raise ArchitectureError(
                    f"{self.name or 'split'}: give one width a path; got {len(self.widths)} widths and "
                    f"{len(self.paths)} paths."
                )

    @property
    def parts(self) -> tuple[Node, ...]:
        return self.paths

    def labels(self) -> list[str]:
        return [path.name or f"branch{number}" for number, path in enumerate(self.paths, start=1)]

    def with_parts(self, parts: Iterable[Node]) -> Branches:
        return replace(self, paths=tuple(parts))

    def start(self, number: int, signal: Signal, ends: list[Signal]) -> Signal:
        return signal if self.widths is None else replace(signal, shape=(self.widths[number], *signal.shape[1:]))

    def check(self, signal: Signal, ends: list[Signal], path: str) -> None:
        if self.widths is not None and not agree((sum(self.widths),), (signal.channels,)):
            raise ArchitectureError(
                f"{path or 'split'}: the widths {' + '.join(map(str, self.widths))} must add up to the "
                f"{signal.channels} channels that come in."
            )
        first, labels = ends[0], self.labels()
        for label, end in zip(labels, ends, strict=True):
            if not agree(end.shape[1:], first.shape[1:]):
                listed = ", ".join(f"{name} {shape_text(each.shape)}" for name, each in zip(labels, ends, strict=True))
                raise ArchitectureError(
                    f"{path}: branches joined on channels need one grid, but they end as {listed}; give them equal "
                    "strides and padding."
                )
            if end.reach and end.reach.jump != first.reach.jump:
                raise ArchitectureError(
                    f"{path}: {labels[0]} has a total stride of {shape_text(first.reach.jump)} and {label} of "
                    f"{shape_text(end.reach.jump)}, so their units look at different places although the grids are "
                    "equal; give them equal strides."
                )

    def end(self, signal: Signal, ends: list[Signal]) -> Signal:
        channels = None if any(end.channels is None for end in ends) else sum(end.channels for end in ends)
        grid = known_of(end.shape[1:] for end in ends if len(end.shape) == len(ends[0].shape))
        return Signal((channels, *grid), signal.reach and Reach.union(end.reach for end in ends))

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        return _largest(*(path.grid_before(grid, heads) for path in self.paths))


@dataclass(frozen=True)
class Residual(Node):
    """`activation(x + scale * inner(x))` (Inception-v4 paper, section 3.3: scales 0.1 to 0.3 keep wide residual
    networks alive)."""

    inner: Node
    scale: float
    activation: Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_parts(self, "part")
        check_choice(self, "activation", ("relu", "linear"))

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.inner,)

    def labels(self) -> list[str]:
        return ["inner"]

    def with_parts(self, parts: Iterable[Node]) -> Residual:
        (inner,) = parts
        return replace(self, inner=inner)

    def check(self, signal: Signal, ends: list[Signal], path: str) -> None:
        (inner,) = ends
        moved = signal.reach and inner.reach.jump != signal.reach.jump
        if moved or not agree(inner.shape, signal.shape):
            raise ArchitectureError(
                f"{path}: a residual adds its inner part to its input, so shapes must be equal, but "
                f"{shape_text(signal.shape)} goes in and {shape_text(inner.shape)} comes out; end the inner part with "
                f"{signal.channels} channels and total stride 1."
            )

    def end(self, signal: Signal, ends: list[Signal]) -> Signal:
        (inner,) = ends
        shape = known_of((inner.shape, signal.shape)) if len(inner.shape) == len(signal.shape) else inner.shape
        return Signal(shape, signal.reach and Reach.union((inner.reach, signal.reach)))

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        return _largest(grid, self.inner.grid_before(grid, heads))

    def describe(self) -> str:
        return f"residual x{self.scale:g}"


@dataclass(frozen=True)
class Auxiliary(Node):
    """A classifier that reads the network here, in training only; its loss counts `weight` times. The main path passes
    through unchanged.

    Raises:
        ArchitectureError: for a name under which the network could not give its logits.
    """

    head: Node
    weight: float

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_parts(self, "head")
        if self.name and (not self.name.isidentifier() or iskeyword(self.name) or self.name == "logits"):
            raise ArchitectureError(
                f"name {self.name!r}: an auxiliary head's logits are found under its name, as in outputs.aux1; use "
                "letters, digits and _, begin with a letter, and do not take 'logits'."
            )

    @property
    def parts(self) -> tuple[Node, ...]:
        return (self.head,)

    def labels(self) -> list[str]:
        return ["head"]

    def with_parts(self, parts: Iterable[Node]) -> Auxiliary:
        (head,) = parts
        return replace(self, head=head)

    def check(self, signal: Signal, ends: list[Signal], path: str) -> None:
        if "." in path:
            raise ArchitectureError(
                f"{path}: an auxiliary head must stand at the top level of the network, between two blocks."
            )
        if not self.name:
            raise ArchitectureError(
                f"{path}: an auxiliary head needs a name, under which the network gives its logits: "
                "auxiliary(...).named('aux')."
            )

    def end(self, signal: Signal, ends: list[Signal]) -> Signal:
        return signal

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        return _largest(grid, self.head.grid_before((1, 1), heads)) if heads else grid


def seq(*parts: Node) -> Sequence:
    """Parts one after another. Unnamed sequences inside are unrolled, so `a >> b >> c` is flat; a named one stays a
    block."""
    layers: list[Node] = []
    for part in parts:
        layers.extend(part.layers if isinstance(part, Sequence) and not part.name else [part])
    return Sequence(tuple(layers))


def layers_of(value: Node) -> tuple[Node, ...]:
    """What stands one after another in a value: a sequence's layers, else the value itself."""
    return value.layers if isinstance(value, Sequence) else (value,)


def _largest(*grids: Pair) -> Pair:
    """The smallest grid that holds all of `grids`."""
    return tuple(max(extents) for extents in zip(*grids, strict=True))


def _check_parts(node: Node, what: str) -> None:
    """Raises ArchitectureError unless all parts are values, and names of their own tell them apart."""
    for part in node.parts:
        if not isinstance(part, Node):
            raise ArchitectureError(f"a {what} must be a value such as conv(64, 3); got {part!r}.")
    check_distinct([part.name for part in node.parts if part.name], owner(node))
