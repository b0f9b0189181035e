"""The paper's ideas as functions from value to value.

A rewrite leaves alone what it does not concern, so it applies to one convolution, a block or a whole network alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .nodes.layers import Conv, Pool
from .nodes.node import Activation, Branches, Node, Sequence, end_of, out_channels
from .nodes.signal import ArchitectureError, Signal
from .nodes.words import branches, conv

RewriteRule = Callable[[Node, int | None], Node]


def rewrite(value: Node, rule: RewriteRule, in_channels: int | None = None) -> Node:
    """`value` with `rule(part, in_channels)` in place of every part, from the inside out.

    Args:
        rule: returns the part itself where nothing is to change. `in_channels` is None where they depend on the
            network's input.
        in_channels: channels of the value's input, if known.

    Returns:
        The new value. A part that became a sequence is unrolled into the sequence around it and keeps its own name, if
        it had one.

    Raises:
        ArchitectureError: if `value` is none.
    """
    if not isinstance(value, Node):
        raise ArchitectureError(f"a rewrite takes a value such as conv(64, 3) first; got {value!r}.")
    signal, parts, ends = Signal.of_channels(in_channels), [], []
    for number, part in enumerate(value.parts):
        before = value.start(number, signal, ends)
        parts.append(rewrite(part, rule, before.channels))
        ends.append(end_of(parts[-1], before))
    return rule(value.with_parts(parts), in_channels)


def with_fields(value: Node, kind: type[Node], **fields: Any) -> Node:
    """`value` with these fields in every part of `kind`: `with_fields(value, Conv, norm=False, bias=True)` is a network
    without batch normalisation."""
    return rewrite(value, lambda node, _: replace(node, **fields) if isinstance(node, kind) else node)


def peel_3x3(value: Node, kernel_size: int, *, between: Activation = "relu") -> Node:
    """Every convolution of `kernel_size` becomes one that is 2 smaller and a 3x3 after it: the same patch is seen (v3
    paper, section 3.1).

    The first of the two has as many channels as the second, whose stride and activation are the original's; `between`
    is the activation of the first.

    Raises:
        ArchitectureError: if `kernel_size` is even or below 5, for which no such pair exists.
    """
    if not hasattr(kernel_size, "__index__") or kernel_size < 5 or kernel_size % 2 == 0:
        raise ArchitectureError(f"peel_3x3: needs an odd kernel_size of at least 5, such as 5 or 7; got {kernel_size}.")
    inner = kernel_size - 2

    def rule(node: Node, in_channels: int | None) -> Node:
        if not _is_square(node, kernel_size):
            return node
        first = replace(node, kernel_size=(inner, inner), stride=(1, 1), activation=between, name="")
        return (first >> replace(node, kernel_size=(3, 3), name="")).named(node.name)

    return rewrite(value, rule)


def split_5x5(value: Node, *, between: Activation = "relu") -> Node:
    """Every 5x5 convolution becomes two 3x3 (v3 paper, section 3.1, figures 1 and 5): 18 instead of 25 weights a pair
    of channels."""
    return peel_3x3(value, 5, between=between)


def factorize(value: Node, kernel_size: int, *, between: Activation = "relu", first: str = "row") -> Node:
    """Every nxn convolution becomes 1xn and nx1 (v3 paper, section 3.2, figure 3), n = `kernel_size`.

    The first of the pair keeps the channels that come in, as in the paper's figure 6; where those depend on the
    network's input it already has the channels that go out. Each takes the stride along its own direction, so the
    output's size is the original's.

    Args:
        between: activation of the first of the two.
        first: "row" puts 1xn first, "column" nx1.

    Raises:
        ArchitectureError: if `kernel_size` is below 2 or `first` is neither "row" nor "column".
    """
    if not hasattr(kernel_size, "__index__") or kernel_size < 2:
        raise ArchitectureError(f"factorize: a kernel_size of at least 2 can be factorised; got {kernel_size}.")
    if first not in ("row", "column"):
        raise ArchitectureError(f"factorize: first must be 'row' or 'column'; got {first!r}.")

    def rule(node: Node, in_channels: int | None) -> Node:
        if not _is_square(node, kernel_size):
            return node
        sizes = [((1, kernel_size), (1, node.stride[1])), ((kernel_size, 1), (node.stride[0], 1))]
        (kernel, stride), (last_kernel, last_stride) = sizes if first == "row" else reversed(sizes)
        opening = replace(
            node, channels=in_channels or node.channels, kernel_size=kernel, stride=stride, activation=between, name=""
        )
        return (opening >> replace(node, kernel_size=last_kernel, stride=last_stride, name="")).named(node.name)

    return rewrite(value, rule)


def parallel_reduction(value: Node) -> Node:
    """Every max pool with a stride that follows a block becomes a strided convolution beside the pool (v3 paper,
    section 5, figure 10): the grid shrinks as the filters double, without a bottleneck and without a dear convolution
    on the large grid.

    The convolution has the pool's kernel and as many channels as the pool passes on. Pools of a stem, which follow
    single convolutions, stay.

    Raises:
        ArchitectureError: if the channels that reach such a pool depend on the network's input.
    """

    def rule(node: Node, in_channels: int | None) -> Node:
        if not isinstance(node, Sequence):
            return node
        parts: list[Node] = []
        for part in node.layers:
            if parts and isinstance(parts[-1], Branches) and _is_strided_max_pool(part):
                parts.append(_beside_convolution(part, in_channels))
            else:
                parts.append(part)
            in_channels = out_channels(parts[-1], in_channels)
        return replace(node, layers=tuple(parts))

    return rewrite(value, rule)


def _is_strided_max_pool(node: Node) -> bool:
    return isinstance(node, Pool) and node.kind == "max" and node.stride != (1, 1)


def _beside_convolution(pool: Pool, channels: int | None) -> Node:
    if channels is None:
        raise ArchitectureError(
            f"parallel_reduction: the channels that reach {pool.name or pool.describe()} depend on the network's "
            "input; put a convolution before it."
        )
    # A convolution cannot hang over the edge as a "ceil" pool does, so both pad alike.
    pool = replace(pool, padding="valid" if pool.padding == "valid" else "same")
    reduction = branches(conv(channels, pool.kernel_size, pool.stride, padding=pool.padding), replace(pool, name=""))
    return reduction.named(pool.name)


def _is_square(node: Node, kernel_size: int) -> bool:
    return isinstance(node, Conv) and node.kernel_size == (kernel_size, kernel_size)
