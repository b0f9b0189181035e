"""What can be set in the explorer of learning rate schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.explorers.controls import Choice, Control, Idea, Slider, Values
from course_lib.explorers.schedule.picture import draw_schedule
from course_lib.explorers.schedule.result import Schedule, schedule_rates
from course_lib.recipes import RECIPES, SCHEDULES

FIRST = RECIPES["szegedy_2016"]
LONGEST_WARMUP = 10.0
WARMUP_STEP = 0.1
ONLY_OF_STEPS = ("decay", "decay_epochs")


class ScheduleIdea(Idea):
    """A recipe's learning rate over time. Choosing a recipe puts every other control where the recipe has it."""

    name = "schedule"
    controls = (
        Choice("recipe", "recipe", "szegedy_2016", tuple((name, name) for name in RECIPES)),
        Slider("learning_rate", "rate", FIRST.learning_rate, 0.001, 0.5, logarithmic=True),
        Choice("schedule", "schedule", FIRST.schedule, tuple((name, name) for name in SCHEDULES)),
        Slider("batch_size", "batch size", FIRST.batch_size, 16, 1024, 16),
        Slider("epochs", "epochs", FIRST.epochs, 1, 200),
        Slider("warmup_epochs", "warm-up", FIRST.warmup_epochs, 0, LONGEST_WARMUP, WARMUP_STEP, decimals=1),
        Slider("decay", "steps: times", FIRST.decay, 0.01, 1, 0.01, decimals=2),
        Slider("decay_epochs", "steps: every", FIRST.decay_epochs, 1, 50),
    )

    def values_of(self, recipe: str) -> dict[str, Any]:
        """Where the controls stand for a recipe of that name."""
        fields = [control for control in self.controls if control.name != "recipe"]
        of_fields = {control.name: control.nearest(getattr(RECIPES[recipe], control.name)) for control in fields}
        return {"recipe": recipe, **of_fields}

    def controls_at(self, values: Values) -> Sequence[Control]:
        longest, steps = _longest_warmup(values["epochs"]), values["schedule"] == "steps"
        special = {"warmup_epochs": {"high": longest}, **{name: {"enabled": steps} for name in ONLY_OF_STEPS}}
        return [replace(control, **special.get(control.name, {})) for control in self.controls]

    def result(self, values: Values) -> Schedule:
        return schedule_rates(**values)

    def draw(self, result: Schedule) -> str:
        return draw_schedule(result)

    def _agree(self, values: dict[str, Any], changed: frozenset[str]) -> dict[str, Any]:
        if "recipe" in changed:
            values = self.values_of(values["recipe"])
        return values | {"warmup_epochs": min(values["warmup_epochs"], _longest_warmup(values["epochs"]))}


def _longest_warmup(epochs: int) -> float:
    """A warm-up is shorter than the run."""
    return min(LONGEST_WARMUP, round(epochs - WARMUP_STEP, 1))
