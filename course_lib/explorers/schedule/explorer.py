"""The explorer of learning rate schedules."""

from __future__ import annotations

from course_lib.explorers.base import Explorer
from course_lib.explorers.schedule.controls import ScheduleIdea


class ScheduleExplorer(Explorer):
    """A recipe's learning rate over time, and what a change of the recipe does to it.

    Args:
        recipe: name of the recipe shown first, one of `RECIPES`.

    Attributes:
        result: the `Schedule` shown.
    """

    idea = ScheduleIdea()

    def __init__(self, recipe: str = "szegedy_2016") -> None:
        self.idea.check({**self.idea.first_values, "recipe": recipe})
        super().__init__(**self.idea.values_of(recipe))
