"""Rewrites that change only how a value is computed: same outputs, same parameters, in training too, in less time.

Batch norm and ReLU of joined branches follow once after the join; a 1x1 convolution that follows an average pool goes
before it; 1x1 convolutions that read one tensor become one. `origins` tells which weights went where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import groupby, pairwise

from .nodes.layers import Conv, Layer, NormAct, Pool
from .nodes.node import Branches, Node, Sequence, labelled_children, seq
from .nodes.words import split
from .rewriting import rewrite


def merge(value: Node) -> Node:
    """`value` with all rewrites of this file: `join_norms`, then `move_before_pool`, then `merge_siblings`."""
    return merge_siblings(move_before_pool(join_norms(value)))


def join_norms(value: Node) -> Node:
    """Where all paths of `branches` end in batch norm and ReLU, both follow once after the join, on all channels; where
    only ReLU is common to all, it does.

    Both work on each channel alone, so this changes no output and no statistic. It is faster because the gradient that
    comes back through a join has gaps in memory, which ReLU and batch norm cross many times slower than convolutions.
    """

    def rule(node: Node, in_channels: int | None) -> Node:
        if not isinstance(node, Branches) or len(node.paths) == 1:
            return node
        ends = [_ending(path) for path in node.paths]
        if not all(isinstance(end, Conv | NormAct) and end.activation == "relu" for end in ends):
            return node
        norm = all(end.norm for end in ends) and len({end.eps for end in ends}) == 1
        after = NormAct(norm, "relu", ends[0].eps, origin=_origin(ends)) if norm else NormAct(False, "relu")
        joined = replace(node, paths=tuple(_without_ending(path, norm) for path in node.paths), name="")
        return replace(seq(joined, after), name=node.name)

    return rewrite(value, rule)


def move_before_pool(value: Node) -> Node:
    """Every 1x1 convolution right after an average pool goes before it; its batch norm and ReLU stay after it.

    Both are linear and the convolution mixes channels only, so their order does not matter. It does for max pools,
    which are left alone, as are pools that change the grid: before them the convolution would cost more. A bias goes
    along only if the pool's mean counts no padding: it would be smaller at the border.
    """

    def rule(node: Node, in_channels: int | None) -> Node:
        if not isinstance(node, Sequence):
            return node
        layers = list(node.layers)
        for index, (pool, conv) in enumerate(pairwise(node.layers)):
            if _commute(pool, conv):
                layers[index : index + 2] = [_bare(conv), seq(pool, _after(conv))]
        return replace(seq(*layers), name=node.name)

    return rewrite(value, rule)


def merge_siblings(value: Node, *, alike: bool = False) -> Node:
    """Neighbouring paths of `branches` that begin with 1x1 convolutions of one stride become one convolution whose
    output channels are split among what follows in each.

    Neighbouring, because paths are joined in the order written, and both with a bias or both without. Batch norm works
    on each channel alone, so the statistics of the merged one are those of its parts, side by side.

    Args:
        alike: merge only convolutions with the same batch norm and activation, so that these stay with the merged one.
    """

    def key(numbered: tuple[int, Node]) -> tuple[object, ...]:
        """Equal for neighbouring paths whose first layers can become one."""
        index, path = numbered
        conv = _opening(path)
        if not isinstance(conv, Conv) or not conv.mixes_channels:
            return (index,)
        return ("1x1", conv.stride, conv.bias, *((conv.norm, conv.activation, conv.eps) if alike else ()))

    def rule(node: Node, in_channels: int | None) -> Node:
        if not isinstance(node, Branches) or node.widths:
            return node
        runs = [[path for _, path in run] for _, run in groupby(enumerate(node.paths), key=key)]
        paths = [path for run in runs for path in ([_merged(run)] if len(run) > 1 else run)]
        if len(paths) == len(node.paths):
            return node
        return seq(paths[0]).named(node.name) if len(paths) == 1 else replace(node, paths=tuple(paths))

    return rewrite(value, rule)


def origins(value: Node, by: Callable[[Node], Node] = merge) -> dict[str, tuple[str, ...]]:
    """Where each layer of `by(value)` has its weights from, for a rewrite of this file or several.

    Returns:
        For each module with weights in `build(by(value), ...)` the modules of `build(value, ...)` whose weights,
        concatenated along their first dimension, are its own.
    """
    return {
        f"{path}.{module}": tuple(f"{origin}.{module}" for origin in layer.origin)
        for path, layer in weighted_layers(by(_with_origins(seq(value), "")))
        for module in modules_of(layer)
    }


def weighted_layers(value: Node, path: str = "") -> Iterator[tuple[str, Layer]]:
    """The layers of `value` that hold weights, with their names in the module that `build` makes."""
    for label, child in labelled_children(value if path else seq(value)):
        yield from weighted_layers(child, f"{path}.{label}" if path else label)
    if path and modules_of(value):
        yield path, value


def modules_of(node: Node) -> tuple[str, ...]:
    """The modules inside a built part that hold weights: the convolution or fully connected layer, and batch norm."""
    return node.weighted if isinstance(node, Layer) else ()


def _commute(pool: Node, conv: Node) -> bool:
    """Whether a convolution after a pool gives the same before it, at the same cost."""
    if not (isinstance(pool, Pool) and isinstance(conv, Conv) and conv.mixes_channels and conv.stride == (1, 1)):
        return False
    keeps_grid = pool.stride == (1, 1) and pool.padding == "same" and all(size % 2 for size in pool.kernel_size)
    return pool.kind == "avg" and keeps_grid and not (conv.bias and pool.count_include_pad)


def _merged(paths: list[Node]) -> Sequence:
    """One convolution for the first layers of `paths`, with batch norm and ReLU if they all have the same, and what
    follows in each path on its share of the channels."""
    convs = [_opening(path) for path in paths]
    rests = [_rest(path) for path in paths]
    if len({(conv.norm, conv.activation, conv.eps) for conv in convs}) > 1:
        rests = [replace(seq(_after(conv), rest), name=rest.name) for conv, rest in zip(convs, rests, strict=True)]
        convs = [_bare(conv) for conv in convs]
    widths = tuple(conv.channels for conv in convs)
    merged = replace(convs[0], channels=sum(widths), name="", origin=_origin(convs))
    return merged >> split(widths, *rests)


def _opening(path: Node) -> Node:
    return path.layers[0] if isinstance(path, Sequence) and path.layers else path


def _rest(path: Node) -> Sequence:
    return replace(path, layers=path.layers[1:]) if isinstance(path, Sequence) else seq().named(path.name)


def _ending(path: Node) -> Node:
    return path.layers[-1] if isinstance(path, Sequence) and path.layers else path


def _without_ending(path: Node, norm: bool) -> Node:
    """`path` without its last ReLU, and without the batch norm before it if `norm`."""
    end = replace(_ending(path), norm=_ending(path).norm and not norm, activation="linear")
    if isinstance(end, NormAct) and not end.norm:
        end = seq()
    if isinstance(path, Sequence):
        return replace(seq(*path.layers[:-1], end), name=path.name)
    return end.named(path.name)


def _bare(conv: Conv) -> Conv:
    return replace(conv, norm=False, activation="linear")


def _after(conv: Conv) -> Node:
    """What `_bare` takes from a convolution, as a layer of its own."""
    if not conv.norm and conv.activation == "linear":
        return seq()
    return NormAct(conv.norm, conv.activation, conv.eps, origin=conv.origin if conv.norm else ())


def _origin(layers: list[Conv] | tuple[Conv, ...]) -> tuple[str, ...]:
    return tuple(origin for layer in layers for origin in layer.origin)


def _with_origins(node: Node, path: str) -> Node:
    """`node`, in which every layer with weights has its own path as its origin."""
    children = [_with_origins(child, f"{path}.{label}" if path else label) for label, child in labelled_children(node)]
    return (replace(node, origin=(path,)) if modules_of(node) else node).with_parts(children)
