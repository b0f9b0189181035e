"""Four ways to shrink a grid, three of them from section 5 of the v3 paper: what they cost and how far the
representation drops on the way. The pure part."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from course_lib.architecture import (
    ArchitectureError,
    LayerCost,
    Node,
    Sequence,
    TotalCost,
    layers,
    total,
)
from course_lib.experiments.grid_reduction import WAYS, Way, reduction
from course_lib.explorers.kernel_factorization.result import megas

Shape = tuple[int, ...]
NAMES: dict[Way, str] = {
    "conv_pool": "convolution, then pool",
    "pool_conv": "pool, then convolution",
    "parallel": "convolution beside pool",
    "strided": "strided convolution",
}
"""The ways as a reader calls them."""


@dataclass(frozen=True)
class WayCost:
    """One way to shrink the grid: its value and what it costs for one image.

    Attributes:
        value: what `reduction` gives.
        rows: cost of each layer, in order.
        total: sums over the rows, and the shape that leaves.
        shapes: (channels, height, width) of the representation before the first step and after each one; the two halves
            of "parallel" are one step.
    """

    way: Way
    value: Node
    rows: tuple[LayerCost, ...]
    total: TotalCost
    shapes: tuple[Shape, ...]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of values in each of `shapes`."""
        return tuple(map(prod, self.shapes))

    @property
    def narrowest(self) -> int:
        """Fewest values that the representation has once the first step is done: what comes after cannot know more."""
        return min(self.sizes[1:])

    @property
    def has_bottleneck(self) -> bool:
        """Whether the representation is at some point smaller than what leaves."""
        return self.narrowest < self.sizes[-1]


@dataclass(frozen=True)
class GridReduction:
    """The four ways side by side on one input of `in_shape` (channels, height, width).

    Attributes:
        costs: one a way, in the order of `WAYS`.
        way: the one that `summary` speaks of.
    """

    in_shape: Shape
    kernel_size: int
    stride: int
    way: Way
    costs: tuple[WayCost, ...]

    @property
    def chosen(self) -> WayCost:
        """The cost of `way`."""
        return self.costs[WAYS.index(self.way)]

    @property
    def most_macs(self) -> int:
        """MACs of the dearest way."""
        return max(cost.total.macs for cost in self.costs)

    @property
    def summary(self) -> str:
        """The chosen way in two sentences."""
        cost = self.chosen
        before, after = (f"{shape[0]} channels on {shape[1]}×{shape[2]}" for shape in (self.in_shape, cost.shapes[-1]))
        macs = f"{megas(cost.total.macs)} MACs, {cost.total.macs / self.most_macs:.1%} of the dearest way's"
        if cost.has_bottleneck:
            narrow = f"in between only {cost.narrowest:,} are left: a bottleneck"
        else:
            narrow = "at no point are there fewer: no bottleneck"
        return (
            f"{NAMES[self.way].capitalize()}, kernel {self.kernel_size}×{self.kernel_size}: {before} become {after} "
            f"for {macs}. {cost.sizes[0]:,} values go in, {cost.sizes[-1]:,} come out, and {narrow}."
        )


def reduce_grid(grid: int, channels: int, kernel_size: int, stride: int, way: Way) -> GridReduction:
    """The four ways from `channels` on a `grid` x `grid` grid to `stride * channels` on a grid `stride` times smaller.

    Args:
        grid: height and width of the input, at least 1.
        channels, kernel_size, stride: as in `reduction`.
        way: the one to speak of.

    Raises:
        ArchitectureError: as in `reduction`, and for sizes below 1.
    """
    in_shape = (channels, grid, grid)
    if way not in WAYS:
        raise ArchitectureError(f"way must be one of {', '.join(WAYS)}; got {way!r}.")
    costs = tuple(_cost(each, in_shape, kernel_size, stride) for each in WAYS)
    return GridReduction(in_shape, kernel_size, stride, way, costs)


def _cost(way: Way, in_shape: Shape, kernel_size: int, stride: int) -> WayCost:
    value = reduction(way, in_shape[0], kernel_size, stride)
    rows, whole = tuple(layers(value, in_shape)), total(value, in_shape)
    steps = tuple(row.out_shape for row in rows) if isinstance(value, Sequence) else (whole.out_shape,)
    return WayCost(way, value, rows, whole, (in_shape, *steps))
