"""Explorers: an idea with sliders. Each is a pure result, a picture of it, controls, and a thin shell of widgets.

Nothing is loaded before it is asked for: a result or a picture needs no widgets, and none of them needs torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from course_lib.explorers.auxiliary_heads.explorer import AuxiliaryExplorer
    from course_lib.explorers.family.explorer import FamilyExplorer
    from course_lib.explorers.grid_reduction.explorer import GridReductionExplorer
    from course_lib.explorers.inception_module.explorer import ModuleExplorer
    from course_lib.explorers.kernel_factorization.explorer import KernelFactorizationExplorer
    from course_lib.explorers.label_smoothing.explorer import EpsilonExplorer
    from course_lib.explorers.schedule.explorer import ScheduleExplorer

__all__ = [
    "AuxiliaryExplorer",
    "EpsilonExplorer",
    "FamilyExplorer",
    "GridReductionExplorer",
    "KernelFactorizationExplorer",
    "ModuleExplorer",
    "ScheduleExplorer",
]

_ROOMS = {
    "AuxiliaryExplorer": "auxiliary_heads",
    "EpsilonExplorer": "label_smoothing",
    "FamilyExplorer": "family",
    "GridReductionExplorer": "grid_reduction",
    "KernelFactorizationExplorer": "kernel_factorization",
    "ModuleExplorer": "inception_module",
    "ScheduleExplorer": "schedule",
}


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return getattr(import_module(f".{_ROOMS[name]}.explorer", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
