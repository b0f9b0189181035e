"""The smallest input an architecture takes: counting backwards, from one output unit to the pixels it needs."""

from __future__ import annotations

from functools import singledispatch

from course_lib.architecture.counting import padding_of
from course_lib.architecture.vocabulary import (
    AdaptiveAvgPool,
    Auxiliary,
    Branches,
    Conv,
    Linear,
    Node,
    Pool,
    Residual,
    Sequence,
)

Pair = tuple[int, int]


def smallest_input(value: Node, *, heads: bool = True) -> Pair:
    """(height, width) of the smallest image on which every layer of `value` has an output.

    Args:
        heads: whether auxiliary heads run too, as in training; they may need more than the main path.
    """
    return _needed(value, (1, 1), heads)


@singledispatch
def _needed(node: Node, out: Pair, heads: bool) -> Pair:
    """The least grid going into `node` for which at least the grid `out` comes out of it."""
    return out


@_needed.register
def _(node: Sequence, out: Pair, heads: bool) -> Pair:
    for part in reversed(node.layers):
        out = _needed(part, out, heads)
    return out


@_needed.register
def _(node: Branches, out: Pair, heads: bool) -> Pair:
    return _largest(*(_needed(path, out, heads) for path in node.paths))


@_needed.register
def _(node: Residual, out: Pair, heads: bool) -> Pair:
    return _largest(out, _needed(node.inner, out, heads))


@_needed.register
def _(node: Auxiliary, out: Pair, heads: bool) -> Pair:
    return _largest(out, _needed(node.head, (1, 1), heads)) if heads else out


@_needed.register(AdaptiveAvgPool)
@_needed.register(Linear)
def _(node: Node, out: Pair, heads: bool) -> Pair:
    return (1, 1)


@_needed.register(Conv)
@_needed.register(Pool)
def _(node: Conv | Pool, out: Pair, heads: bool) -> Pair:
    sizes = []
    for count, kernel, stride, pad in zip(out, node.kernel_size, node.stride, padding_of(node), strict=True):
        last = (count - 1) * stride
        # The last window of a "ceil" pool may hang over the edge, but begins inside.
        end = max(last + kernel - (stride - 1), last + 1) if node.padding == "ceil" else last + kernel - 2 * pad
        sizes.append(max(end, 1))
    return tuple(sizes)


def _largest(*grids: Pair) -> Pair:
    return tuple(max(extents) for extents in zip(*grids, strict=True))
