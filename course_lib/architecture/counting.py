"""What an architecture costs: shapes, parameters, multiply-accumulates and receptive fields, exact, without running
anything.

One MAC is one multiplication with its addition (2 FLOPs). Convolutions and fully connected layers are counted, as in
the papers; batch normalisation, pooling and ReLU are not. A batch norm's scale and shift count as parameters of the
layer it belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from .nodes.layers import Layer
from .nodes.node import Node, flow, seq
from .nodes.signal import Pair, Shape, Signal

if TYPE_CHECKING:
    import pandas as pd


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
        return self.signal.reach.field


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
        return self.signal.reach.field


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


def smallest_input(value: Node, *, heads: bool = True) -> Pair:
    """(height, width) of the smallest image on which every layer of `value` has an output: counted backwards, from one
    unit of the output to the pixels it needs.

    Args:
        heads: whether auxiliary heads run too, as in training; they may need more than the main path.
    """
    return value.grid_before((1, 1), heads)


def _trace(value: Node, input_shape: Shape) -> tuple[list[LayerCost], Signal]:
    rows: list[LayerCost] = []

    def follow(node: Node, signal: Signal, path: str) -> Signal:
        end = flow(node, signal, path, follow)
        if isinstance(node, Layer):
            costs = node.params(signal.shape), node.macs(signal.shape)
            rows.append(LayerCost(path, node.describe(), signal.shape, end.shape, *costs, end))
        return end

    return rows, follow(seq(value), Signal.of_image(input_shape), "")
