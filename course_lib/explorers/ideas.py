"""Every idea that can be explored, without widgets."""

from __future__ import annotations

from course_lib.explorers.auxiliary_heads.controls import AuxiliaryIdea
from course_lib.explorers.controls import Idea
from course_lib.explorers.family.controls import FamilyIdea
from course_lib.explorers.grid_reduction.controls import GridReductionIdea
from course_lib.explorers.inception_module.controls import ModuleIdea
from course_lib.explorers.kernel_factorization.controls import KernelFactorizationIdea
from course_lib.explorers.label_smoothing.controls import LabelSmoothingIdea
from course_lib.explorers.schedule.controls import ScheduleIdea

IDEAS: dict[str, Idea] = {
    idea.name: idea
    for idea in (
        ModuleIdea(),
        KernelFactorizationIdea(),
        GridReductionIdea(),
        AuxiliaryIdea(),
        LabelSmoothingIdea(),
        FamilyIdea(),
        ScheduleIdea(),
    )
}
"""Each idea by its name, in the order of the lessons."""
