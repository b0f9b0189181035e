"""Explorers: an idea with sliders. Each is a pure `compute`, a picture of its result, and a thin shell of widgets."""

from course_lib.explorers.auxiliary_explorer import AuxiliaryExplorer
from course_lib.explorers.epsilon_explorer import EpsilonExplorer
from course_lib.explorers.grid_reduction_explorer import GridReductionExplorer
from course_lib.explorers.kernel_factorization_explorer import KernelFactorizationExplorer
from course_lib.explorers.schedule_explorer import ScheduleExplorer

__all__ = [
    "AuxiliaryExplorer",
    "EpsilonExplorer",
    "GridReductionExplorer",
    "KernelFactorizationExplorer",
    "ScheduleExplorer",
]
