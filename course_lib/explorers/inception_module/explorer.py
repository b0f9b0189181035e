"""The explorer of the Inception module."""

from __future__ import annotations

from course_lib.explorers.base import Explorer
from course_lib.explorers.controls import ExplorerError
from course_lib.explorers.inception_module.controls import FIRST, ModuleIdea, plan_values
from course_lib.explorers.inception_module.result import plans


class ModuleExplorer(Explorer):
    """An Inception module: its branches, what each costs, and the same module without its reductions.

    Args:
        module: a network's own module to begin with, such as "GoogLeNet 3a", "BN-Inception 4a", "Inception-v3
            mixed_6b".
        reduction: with its 1x1 reductions.
        changes: first values of sliders by the names of `plan_module`, in the ranges of `ModuleIdea`; the others are
            the module's own.

    Attributes:
        result: the `ModuleResult` shown.

    Raises:
        ExplorerError: there is no such module or slider, or the slider has no such value.
    """

    idea = ModuleIdea()

    def __init__(self, module: str = FIRST, reduction: bool = True, **changes: int) -> None:
        if module not in plans():
            raise ExplorerError(f"module is {module!r}; it must be one of {', '.join(plans())}.")
        own = plan_values(plans()[module])
        for name in changes:
            if name not in own:
                raise ExplorerError(f"there is no slider {name!r}; there are {', '.join(own)}.")
        super().__init__(module=module, reduction=reduction, **{**own, **changes})
