"""The explorer of learning rate schedules: controls around `compute` and `draw`."""

from __future__ import annotations

from course_lib.explorers.base import Explorer, choice, int_slider
from course_lib.explorers.schedule.picture import draw
from course_lib.explorers.schedule.result import Schedule, compute
from course_lib.recipes import RECIPES, SCHEDULES, Recipe

LONGEST_WARMUP = 100  # tenths of an epoch


class ScheduleExplorer(Explorer):
    """A recipe's learning rate over time, and what a change of the recipe does to it.

    Choosing a recipe puts every other control where the recipe has it. Sliders hold whole numbers, so rates are in
    thousandths, warm-ups in tenths of an epoch and decays in per cent.

    Args:
        recipe: name of the recipe shown first, one of `RECIPES`.

    Attributes:
        result: the `Schedule` shown.
    """

    name = "schedule"

    def __init__(self, recipe: str = "szegedy_2016") -> None:
        first = _positions(RECIPES[recipe])
        self._shown = recipe
        controls = {
            "recipe": choice("recipe", {name: name for name in RECIPES}, recipe),
            "schedule": choice("schedule", {name: name for name in SCHEDULES}, first["schedule"]),
            "learning_rate": int_slider("rate × 1000", first["learning_rate"], 1, 500),
            "batch_size": int_slider("batch size", first["batch_size"], 16, 1024, 16),
            "epochs": int_slider("epochs", first["epochs"], 1, 200),
            "warmup": int_slider("warm-up × 10", first["warmup"], 0, _longest_warmup(first["epochs"])),
            "decay": int_slider("steps: to %", first["decay"], 1, 100),
            "decay_epochs": int_slider("steps: every", first["decay_epochs"], 1, 50),
        }
        super().__init__(controls)

    def _compute(self) -> Schedule:
        values = self.values
        return compute(
            recipe=values["recipe"],
            schedule=values["schedule"],
            learning_rate=values["learning_rate"] / 1000,
            warmup_epochs=values["warmup"] / 10,
            decay=values["decay"] / 100,
            decay_epochs=values["decay_epochs"],
            epochs=values["epochs"],
            batch_size=values["batch_size"],
        )

    def _draw(self, result: Schedule) -> str:
        return draw(result)

    def _constrain(self) -> None:
        epochs, warmup = self.controls["epochs"], self.controls["warmup"]
        recipe = self.controls["recipe"].value
        if recipe != self._shown:
            self._shown = recipe
            warmup.max = LONGEST_WARMUP
            for name, position in _positions(RECIPES[recipe]).items():
                self.controls[name].value = position
        warmup.max = _longest_warmup(epochs.value)
        batch_size = self.controls["batch_size"]
        batch_size.value = max(batch_size.min, batch_size.value // batch_size.step * batch_size.step)


def _longest_warmup(epochs: int) -> int:
    """In tenths of an epoch: a warm-up is shorter than the run."""
    return min(LONGEST_WARMUP, 10 * epochs - 1)


def _positions(recipe: Recipe) -> dict[str, int | str]:
    """Where the controls stand for a recipe."""
    return {
        "schedule": recipe.schedule,
        "learning_rate": round(1000 * recipe.learning_rate),
        "batch_size": recipe.batch_size,
        "epochs": recipe.epochs,
        "warmup": round(10 * recipe.warmup_epochs),
        "decay": round(100 * recipe.decay),
        "decay_epochs": round(recipe.decay_epochs),
    }
