"""Rewrites that change only how a value is computed: same outputs, same parameters, in training too, in less time.

A 1x1 convolution that reads what its neighbours read becomes one with them; one that follows an average pool goes
before it, where it has neighbours. `origins` tells which weights went where.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise

from .rewriting import rewrite
from .vocabulary import (
    Auxiliary,
    Branches,
    Conv,
    Linear,
    Node,
    NormAct,
    Pool,
    Residual,
    Sequence,
    labelled_children,
    seq,
    split,
)


def merge(value: Node) -> Node:
    """`value` with both rewrites of this file, first `move_before_pool`, then `merge_siblings`."""
    return merge_siblings(move_before_pool(value))


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
                bare = replace(conv, norm=False, activation="linear")
                layers[index : index + 2] = [seq(bare, pool, _after(conv))]
        return replace(seq(*layers), name=node.name)

    return rewrite(value, rule)


def merge_siblings(value: Node) -> Node:
    """Neighbouring paths of `branches` that begin with 1x1 convolutions of one stride become one convolution whose
    output channels are split among what follows in each.

    Neighbouring, because paths are joined in the order written, and both with a bias or both without. Batch norm works
    on each channel alone, so the statistics of the merged one are those of its parts, side by side.
    """

    def rule(node: Node, in_channels: int | None) -> Node:
        if not isinstance(node, Branches) or node.widths:
            return node
        runs = [[path for _, path in run] for _, run in groupby(enumerate(node.paths), key=_sibling_key)]
        paths = [path for run in runs for path in ([_merged(run)] if len(run) > 1 else run)]
        if len(paths) == len(node.paths):
            return node
        return seq(paths[0]).named(node.name) if len(paths) == 1 else replace(node, paths=tuple(paths))

    return rewrite(value, rule)


def origins(value: Node) -> dict[str, tuple[str, ...]]:
    """Where each layer of `merge(value)` has its weights from.

    Returns:
        For each module with weights in `build(merge(value), ...)` the modules of `build(value, ...)` whose weights,
        concatenated along their first dimension, are its own.
    """
    return {
        f"{path}.{module}": tuple(f"{origin}.{module}" for origin in layer.origin)
        for path, layer in weighted_layers(merge(_with_origins(seq(value), "")))
        for module in _modules(layer)
    }


def weighted_layers(value: Node, path: str = "") -> Iterator[tuple[str, Conv | Linear | NormAct]]:
    """The layers of `value` that hold weights, with their names in the module that `build` makes."""
    for label, child in labelled_children(value if path else seq(value)):
        yield from weighted_layers(child, f"{path}.{label}" if path else label)
    if _modules(value) and path:
        yield path, value


def _commute(pool: Node, conv: Node) -> bool:
    """Whether a convolution after a pool gives the same before it, at the same cost."""
    if not (isinstance(pool, Pool) and isinstance(conv, Conv) and _is_pointwise(conv) and conv.stride == (1, 1)):
        return False
    keeps_grid = pool.stride == (1, 1) and pool.padding == "same" and all(size % 2 for size in pool.kernel_size)
    return pool.kind == "avg" and keeps_grid and not (conv.bias and pool.count_include_pad)


def _sibling_key(numbered: tuple[int, Node]) -> tuple[object, ...]:
    """Equal for neighbouring paths whose first layers can become one."""
    index, path = numbered
    conv = _opening(path)
    return ("1x1", conv.stride, conv.bias) if isinstance(conv, Conv) and _is_pointwise(conv) else (index,)


def _merged(paths: list[Node]) -> Sequence:
    """One convolution for the first layers of `paths`, with as much of what follows them as they have in common."""
    convs = [_opening(path) for path in paths]
    runs = [list(run) for _, run in groupby(paths, key=lambda path: _norm_act(_opening(path)))]
    if len(runs) == 1:
        return _joined(convs) >> _split(paths)
    bare = [replace(conv, norm=False, activation="linear") for conv in convs]
    widths = tuple(sum(_opening(path).channels for path in run) for run in runs)
    return _joined(bare) >> split(widths, *(seq(_after(*map(_opening, run)), _split(run)) for run in runs))


def _joined(convs: list[Conv]) -> Conv:
    channels = sum(conv.channels for conv in convs)
    return replace(convs[0], channels=channels, name="", origin=_origin(convs))


def _split(paths: list[Node]) -> Node:
    """What follows the first layer of each path, on its share of the channels."""
    rests = [_rest(path) for path in paths]
    return rests[0] if len(rests) == 1 else split(tuple(_opening(path).channels for path in paths), *rests)


def _opening(path: Node) -> Node:
    return path.layers[0] if isinstance(path, Sequence) and path.layers else path


def _rest(path: Node) -> Sequence:
    return replace(path, layers=path.layers[1:]) if isinstance(path, Sequence) else seq().named(path.name)


def _after(*convs: Conv) -> Node:
    """What follows the convolutions, which have it in common, as a layer of its own."""
    norm, activation = _norm_act(convs[0])
    if not norm and activation == "linear":
        return seq()
    return NormAct(norm, activation, origin=_origin(convs))


def _norm_act(conv: Conv) -> tuple[bool, str]:
    return conv.norm, conv.activation


def _origin(layers: list[Conv] | tuple[Conv, ...]) -> tuple[str, ...]:
    return tuple(origin for layer in layers for origin in layer.origin)


def _is_pointwise(conv: Conv) -> bool:
    return conv.kernel_size == (1, 1)


def _modules(layer: Node) -> list[str]:
    """The modules inside a built layer that hold weights."""
    if isinstance(layer, Conv):
        return ["conv"] + ["bn"] * layer.norm
    if isinstance(layer, Linear):
        return ["linear"] + ["bn"] * layer.norm
    return ["bn"] if isinstance(layer, NormAct) and layer.norm else []


def _with_origins(node: Node, path: str) -> Node:
    """`node` with its own path as the origin of every layer."""
    children = [_with_origins(child, f"{path}.{label}" if path else label) for label, child in labelled_children(node)]
    if isinstance(node, Sequence):
        return replace(node, layers=tuple(children))
    if isinstance(node, Branches):
        return replace(node, paths=tuple(children))
    if isinstance(node, Residual):
        return replace(node, inner=children[0])
    if isinstance(node, Auxiliary):
        return replace(node, head=children[0])
    return replace(node, origin=(path,))
