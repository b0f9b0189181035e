"""The explorer of grid reduction."""

from __future__ import annotations

from course_lib.explorers.base import Explorer
from course_lib.explorers.grid_reduction.controls import GridReductionIdea
from course_lib.explorers.grid_reduction.result import Way


class GridReductionExplorer(Explorer):
    """Four ways to shrink a grid side by side: what each costs, and how far its representation drops on the way.

    Args: the controls' first values, by the names of `reduce_grid`, in the ranges of `GridReductionIdea`.

    Attributes:
        result: the `GridReduction` shown.
    """

    idea = GridReductionIdea()

    def __init__(
        self, grid: int = 32, channels: int = 64, kernel_size: int = 3, stride: int = 2, way: Way = "conv_pool"
    ) -> None:
        super().__init__(grid=grid, channels=channels, kernel_size=kernel_size, stride=stride, way=way)
