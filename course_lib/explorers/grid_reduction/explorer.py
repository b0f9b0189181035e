"""The explorer of grid reduction: controls around `compute` and `draw`."""

from __future__ import annotations

from course_lib.explorers.base import Explorer, choice, int_slider
from course_lib.explorers.grid_reduction.picture import draw
from course_lib.explorers.grid_reduction.result import NAMES, GridReduction, Way, compute


class GridReductionExplorer(Explorer):
    """Three ways to shrink a grid side by side: what each costs, and how far its representation drops on the way.

    Args: the controls' first values, by the names and ranges of `grid_reduction.compute`.

    Attributes:
        result: the `GridReduction` shown.
    """

    name = "grid-reduction"

    def __init__(
        self, grid: int = 32, channels: int = 64, kernel_size: int = 3, stride: int = 2, way: Way = "conv_pool"
    ) -> None:
        super().__init__(
            {
                "grid": int_slider("grid size d", grid, 8, 112),
                "channels": int_slider("channels k", channels, 16, 512, 16),
                "kernel_size": int_slider("kernel size", kernel_size, 1, 7, 2),
                "stride": int_slider("stride", stride, 2, 4),
                "way": choice("way", {name: way for way, name in NAMES.items()}, way),
            }
        )

    def _constrain(self) -> None:
        self.controls["kernel_size"].value |= 1  # an even number can be typed into the number box

    def _compute(self) -> GridReduction:
        return compute(**self.values)

    def _draw(self, result: GridReduction) -> str:
        return draw(result)
