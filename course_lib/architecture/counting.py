"""What an architecture costs: shapes, parameters, multiply-accumulates and receptive fields, exact, without running
anything.

One MAC is one multiplication with its addition (2 FLOPs). Convolutions and fully connected layers are counted, as in
the papers; batch normalisation, pooling and ReLU are not. A batch norm's scale and shift count as parameters of the
layer it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch
from math import ceil, prod
from typing import TYPE_CHECKING

from .vocabulary import (
    AdaptiveAvgPool,
    ArchitectureError,
    Auxiliary,
    Branches,
    Conv,
    Dropout,
    Linear,
    LocalResponseNorm,
    Node,
    NormAct,
    Pool,
    Residual,
    Sequence,
    describe,
    labelled_children,
    seq,
)

if TYPE_CHECKING:
    import pandas as pd

Shape = tuple[int, ...]
Pair = tuple[int, int]


@dataclass(frozen=True)
class Signal:
    """What flows between two layers: its shape without the batch, and which input pixels one of its units sees.

    Per dimension, unit `i` sees the input pixels from `i * jump + start` on, `field` of them (padding included).
    """

    shape: Shape
    start: Pair = (0, 0)
    field: Pair = (1, 1)
    jump: Pair = (1, 1)


@dataclass(frozen=True)
class LayerCost:
    """One layer's row: `layer` is its name in the module (`model.get_submodule(layer)`), shapes are (channels, height,
    width)."""

    layer: str
    operation: str
    in_shape: Shape
    out_shape: Shape
    params: int
    macs: int
    signal: Signal

    @property
    def activations(self) -> int:
        """Number of values in the layer's output for one image."""
        return prod(self.out_shape)

    @property
    def receptive_field(self) -> Pair:
        """(height, width) of the patch of the input that one output unit sees, where the image's border does not cut it
        off."""
        return self.signal.field


@dataclass(frozen=True)
class TotalCost:
    """The whole value's cost for one image; auxiliary heads are counted where the value has them."""

    params: int
    macs: int
    activations: int
    signal: Signal

    @property
    def out_shape(self) -> Shape:
        """Shape at the end of the main path, without the batch."""
        return self.signal.shape

    @property
    def receptive_field(self) -> Pair:
        """(height, width) in input pixels of what one unit at the end of the main path sees."""
        return self.signal.field


def layers(value: Node, input_shape: Shape) -> list[LayerCost]:
    """The rows of `cost` as plain records, in the order the layers run.

    Raises:
        ArchitectureError: if the value does not fit `input_shape`, naming the layer, the shapes and what would fit.
    """
    return _trace(value, input_shape)[0]


def total(value: Node, input_shape: Shape) -> TotalCost:
    """Sums over `layers(value, input_shape)`, and what comes out at the end of the main path."""
    rows, signal = _trace(value, input_shape)
    return TotalCost(
        sum(row.params for row in rows), sum(row.macs for row in rows), sum(row.activations for row in rows), signal
    )


def cost(value: Node, input_shape: Shape) -> pd.DataFrame:
    """The table of layers of `value` on one image of `input_shape` (channels, height, width).

    Returns:
        One row a layer, indexed by the layer's name in the built module, with `operation`, `out_shape` (channels,
        height, width), `params`, `macs`, `activations` (values in the output) and `receptive_field` (height, width) in
        input pixels.

    Raises:
        ArchitectureError: if the value does not fit `input_shape`, naming the layer, the shapes and what would fit.
    """
    import pandas as pd

    columns = ["operation", "out_shape", "params", "macs", "activations", "receptive_field"]
    rows = layers(value, input_shape)
    table = {column: [getattr(row, column) for row in rows] for column in columns}
    return pd.DataFrame(table, index=pd.Index([row.layer for row in rows], name="layer"))


def out_channels(value: Node, in_channels: int) -> int:
    """Channels of the value's output for an input of `in_channels`, whatever its size."""
    if isinstance(value, Conv):
        return value.channels
    if isinstance(value, Linear):
        return value.features
    if isinstance(value, Sequence):
        for part in value.layers:
            in_channels = out_channels(part, in_channels)
        return in_channels
    if isinstance(value, Branches):
        shares = value.widths or [in_channels] * len(value.paths)
        return sum(out_channels(path, share) for path, share in zip(value.paths, shares, strict=True))
    return in_channels


def shares(node: Branches, in_channels: int, path: str = "") -> list[int]:
    """Channels that each path of `node` reads of an input of `in_channels`.

    Raises:
        ArchitectureError: if the widths of a split do not add up to `in_channels`; the message begins with `path`.
    """
    if node.widths is None:
        return [in_channels] * len(node.paths)
    if sum(node.widths) != in_channels:
        listed = " + ".join(map(str, node.widths))
        raise ArchitectureError(
            f"{path or node.name or 'split'}: the widths {listed} must add up to the {in_channels} channels that come "
            "in."
        )
    return list(node.widths)


def windowed_size(node: Conv | Pool, size: Pair) -> Pair:
    """(height, width) after a convolution or pool over a grid of `size`; below 1 where the kernel does not fit."""
    sizes = []
    for extent, kernel, stride, pad in zip(size, node.kernel_size, node.stride, padding_of(node), strict=True):
        overhang = stride - 1 if node.padding == "ceil" else 0
        count = (extent + 2 * pad - kernel + overhang) // stride + 1
        # A window may hang over the edge, but must begin inside.
        begins_outside = overhang and (count - 1) * stride >= extent
        sizes.append(count - 1 if begins_outside else count)
    return tuple(sizes)


def padding_of(node: Conv | Pool) -> Pair:
    """Zeros on each side of the grid, (height, width)."""
    height, width = node.kernel_size
    return (height // 2, width // 2) if node.padding == "same" else (0, 0)


def _trace(value: Node, input_shape: Shape) -> tuple[list[LayerCost], Signal]:
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise ArchitectureError(f"input_shape is (channels, height, width), each at least 1; got {tuple(input_shape)}.")
    rows: list[LayerCost] = []
    return rows, _walk(seq(value), Signal(tuple(input_shape)), "", rows)


@singledispatch
def _walk(node: Node, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    """Appends the rows of `node` and returns what comes out of it."""
    raise TypeError(f"cost knows no {type(node).__name__}")


@_walk.register
def _(node: Sequence, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    for label, part in labelled_children(node):
        if isinstance(part, Auxiliary) and path:
            raise ArchitectureError(
                f"{_join(path, label)}: an auxiliary head must stand at the top level of the network, between two "
                "blocks."
            )
        signal = _walk(part, signal, _join(path, label), rows)
    return signal


@_walk.register
def _(node: Branches, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    labels = [label for label, _ in labelled_children(node)]
    starts = [replace(signal, shape=(width, *signal.shape[1:])) for width in shares(node, signal.shape[0], path)]
    ends = [
        _walk(branch, start, _join(path, label), rows)
        for (label, branch), start in zip(labelled_children(node), starts, strict=True)
    ]
    first = ends[0]
    for label, end in zip(labels, ends, strict=True):
        if end.shape[1:] != first.shape[1:]:
            listed = ", ".join(f"{name} {_text(shape.shape)}" for name, shape in zip(labels, ends, strict=True))
            raise ArchitectureError(
                f"{path}: branches joined on channels need one grid, but they end as {listed}; give them equal "
                "strides and padding."
            )
        if end.jump != first.jump:
            raise ArchitectureError(
                f"{path}: {labels[0]} has a total stride of {_text(first.jump)} and {label} of {_text(end.jump)}, "
                "so their units look at "
                "different places although the grids are equal; give them equal strides."
            )
    start = tuple(min(end.start[axis] for end in ends) for axis in (0, 1))
    stop = tuple(max(end.start[axis] + end.field[axis] for end in ends) for axis in (0, 1))
    field = (stop[0] - start[0], stop[1] - start[1])
    return Signal((sum(end.shape[0] for end in ends), *first.shape[1:]), start, field, first.jump)


@_walk.register
def _(node: Residual, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    inner = _walk(node.inner, signal, _join(path, "inner"), rows)
    if inner.shape != signal.shape or inner.jump != signal.jump:
        raise ArchitectureError(
            f"{path}: a residual adds its inner part to its input, so shapes must be equal, but "
            f"{_text(signal.shape)} goes in and "
            f"{_text(inner.shape)} comes out; end the inner part with {signal.shape[0]} channels and total stride 1."
        )
    start = tuple(min(inner.start[axis], signal.start[axis]) for axis in (0, 1))
    field = tuple(
        max(inner.start[axis] + inner.field[axis], signal.start[axis] + signal.field[axis]) - start[axis]
        for axis in (0, 1)
    )
    return replace(inner, start=start, field=field)


@_walk.register
def _(node: Auxiliary, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    _walk(node.head, signal, _join(path, "head"), rows)
    return signal


@_walk.register
def _(node: Conv, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    end = _slide(node, signal, path, node.channels)
    weights = signal.shape[0] * node.channels * prod(node.kernel_size)
    params = weights + node.channels * (node.bias + 2 * node.norm)
    return _row(node, signal, end, path, rows, params, macs=weights * prod(end.shape[1:]))


@_walk.register
def _(node: NormAct, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    _grid(signal, path)
    return _row(node, signal, signal, path, rows, params=2 * signal.shape[0] * node.norm)


@_walk.register
def _(node: Pool, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    return _row(node, signal, _slide(node, signal, path, signal.shape[0]), path, rows)


@_walk.register
def _(node: AdaptiveAvgPool, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    grid = _grid(signal, path)
    widest = tuple(_widest_window(extent, cells) for extent, cells in zip(grid, node.grid, strict=True))
    field = tuple(f + (w - 1) * j for f, w, j in zip(signal.field, widest, signal.jump, strict=True))
    # Windows of an adaptive pool differ by one where the grid does not divide; the jump is the mean distance of
    # two windows, rounded.
    jump = tuple(
        max(1, round(j * extent / cells)) for j, extent, cells in zip(signal.jump, grid, node.grid, strict=True)
    )
    end = replace(signal, shape=(signal.shape[0], *node.grid), field=field, jump=jump)
    return _row(node, signal, end, path, rows)


@_walk.register
def _(node: Linear, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    grid = signal.shape[1:] or (1, 1)
    weights = prod(signal.shape) * node.features
    params = weights + node.features * (node.bias + 2 * node.norm)
    field = tuple(f + (extent - 1) * j for f, extent, j in zip(signal.field, grid, signal.jump, strict=True))
    return _row(node, signal, replace(signal, shape=(node.features,), field=field), path, rows, params, macs=weights)


@_walk.register(Dropout)
@_walk.register(LocalResponseNorm)
def _(node: Node, signal: Signal, path: str, rows: list[LayerCost]) -> Signal:
    return _row(node, signal, signal, path, rows)


def _row(
    node: Node, before: Signal, after: Signal, path: str, rows: list[LayerCost], params: int = 0, macs: int = 0
) -> Signal:
    rows.append(LayerCost(path, describe(node), before.shape, after.shape, params, macs, after))
    return after


def _slide(node: Conv | Pool, signal: Signal, path: str, channels: int) -> Signal:
    """What a sliding window makes of grid and receptive field."""
    grid, pads = _grid(signal, path), padding_of(node)
    out = windowed_size(node, grid)
    if min(out) < 1:
        least = " and ".join(
            f"{side} {kernel}"
            for side, kernel, extent in zip(("height", "width"), node.kernel_size, grid, strict=True)
            if kernel > extent
        )
        raise ArchitectureError(
            f"{path}: the {_text(node.kernel_size)} kernel of '{describe(node)}' is larger than its input "
            f"{_text(signal.shape)}; "
            f"the input needs at least {least}, or padding='same'."
        )
    return Signal(
        (channels, *out),
        tuple(s - pad * j for s, pad, j in zip(signal.start, pads, signal.jump, strict=True)),
        tuple(f + (kernel - 1) * j for f, kernel, j in zip(signal.field, node.kernel_size, signal.jump, strict=True)),
        tuple(j * stride for j, stride in zip(signal.jump, node.stride, strict=True)),
    )


def _grid(signal: Signal, path: str) -> Pair:
    if len(signal.shape) != 3:
        raise ArchitectureError(
            f"{path}: needs an input of (channels, height, width), got the flat {_text(signal.shape)}; move it "
            "before the linear layer."
        )
    return signal.shape[1:]


def _widest_window(extent: int, cells: int) -> int:
    return max(ceil((i + 1) * extent / cells) - i * extent // cells for i in range(cells))


def _join(path: str, label: str) -> str:
    return f"{path}.{label}" if path else label


def _text(sizes: Shape) -> str:
    return "x".join(map(str, sizes))
