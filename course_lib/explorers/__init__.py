"""Explorers: an idea with sliders. Each is a pure `compute`, a picture of its result, and a thin shell of widgets."""

from course_lib.explorers.auxiliary_heads.explorer import AuxiliaryExplorer
from course_lib.explorers.grid_reduction.explorer import GridReductionExplorer
from course_lib.explorers.kernel_factorization.explorer import KernelFactorizationExplorer
from course_lib.explorers.label_smoothing.explorer import EpsilonExplorer
from course_lib.explorers.schedule.explorer import ScheduleExplorer

__all__ = [
    "AuxiliaryExplorer",
    "EpsilonExplorer",
    "GridReductionExplorer",
    "KernelFactorizationExplorer",
    "ScheduleExplorer",
]
