"""What can be set in the grid reduction explorer."""

from __future__ import annotations

from course_lib.explorers.controls import Choice, Idea, Slider, Values
from course_lib.explorers.grid_reduction.picture import draw_grid_reduction
from course_lib.explorers.grid_reduction.result import NAMES, GridReduction, reduce_grid


class GridReductionIdea(Idea):
    """Four ways to shrink a grid, one of them looked at."""

    name = "grid-reduction"
    controls = (
        Slider("grid", "grid size d", 32, 8, 112),
        Slider("channels", "channels k", 64, 16, 512, 16),
        Slider("kernel_size", "kernel size", 3, 1, 7, 2),
        Slider("stride", "stride", 2, 2, 4),
        Choice("way", "way", "conv_pool", tuple((name, way) for way, name in NAMES.items())),
    )

    def result(self, values: Values) -> GridReduction:
        return reduce_grid(**values)

    def draw(self, result: GridReduction) -> str:
        return draw_grid_reduction(result)
