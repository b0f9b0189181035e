"""A recipe's learning rate over its epochs, and what becomes of it when the recipe is changed: the pure part."""

from __future__ import annotations

from dataclasses import dataclass, replace

from course_lib.recipes import RECIPES, Recipe

IMAGES = 50_000
"""Training images of CIFAR-10: a batch size becomes a number of updates only with a number of images."""
SAMPLES = 600
BISECTIONS = 50


@dataclass(frozen=True)
class Schedule:
    """The learning rate of `recipe` over its epochs, beside that of the recipe it was made from.

    Attributes:
        name: of the recipe it was made from.
        recipe: as changed, at its batch size.
        original: as it stands in `RECIPES`.
        curve: (time in epochs, learning rate), from the first epoch's start to the last one's end.
        original_curve: the same of `original`, as far as the epochs of `recipe` reach.
        mean: learning rate, averaged over the epochs; times the epochs it is the area under the curve.
        half_at: time in epochs at which the rate has first fallen to half of its peak; None if it never does.
    """

    name: str
    recipe: Recipe
    original: Recipe
    curve: tuple[tuple[float, float], ...]
    original_curve: tuple[tuple[float, float], ...]
    mean: float
    half_at: float | None

    @property
    def updates(self) -> int:
        """Steps of the optimizer in an epoch of `IMAGES` images."""
        return -(-IMAGES // self.recipe.batch_size)

    @property
    def first(self) -> float:
        """The rate of the first step, as `fit` takes it: in the step's middle."""
        return self.recipe.learning_rate_at(0.5 / self.updates)

    @property
    def last(self) -> float:
        """The rate of the last step."""
        return self.recipe.learning_rate_at(self.recipe.epochs - 0.5 / self.updates)

    @property
    def summary(self) -> str:
        """The result in a few sentences."""
        recipe = self.recipe
        changed = "" if recipe == self.original else ", changed"
        warmup = f" after a warm-up of {recipe.warmup_epochs:g} epochs" if recipe.warmup_epochs else ""
        half = "never half of it" if self.half_at is None else f"half of it at epoch {self.half_at:.3g}"
        falls = {"steps": f"times {recipe.decay:g} every {recipe.decay_epochs:g} epochs"}.get(
            recipe.schedule, recipe.schedule
        )
        return (
            f"{self.name}{changed}: {falls}, {recipe.epochs} epochs{warmup}, batches of {recipe.batch_size} "
            f"({self.updates:,} updates an epoch of {IMAGES:,} images). Rate at the first step {self.first:.3g}, "
            f"peak {recipe.learning_rate:.3g}, {half}, last step {self.last:.3g}, mean {self.mean:.3g}."
        )


def schedule_rates(
    recipe: str,
    schedule: str,
    learning_rate: float,
    warmup_epochs: float,
    decay: float,
    decay_epochs: float,
    epochs: int,
    batch_size: int,
) -> Schedule:
    """The learning rate over time of the recipe of that name, its fields replaced by these.

    Args:
        recipe: one of `RECIPES`.
        learning_rate: the peak at the recipe's own batch size.
        batch_size: the rate is scaled to it by the rule of `Recipe.at_batch_size`.
        schedule, warmup_epochs, decay, decay_epochs, epochs: as in `Recipe`.

    Raises:
        ValueError: there is no such recipe, or a field is outside its range; the message names it.
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe is {recipe!r}, but it must be one of {', '.join(map(repr, RECIPES))}.")
    original = RECIPES[recipe]
    changed = replace(
        original,
        schedule=schedule,
        learning_rate=learning_rate,
        warmup_epochs=warmup_epochs,
        decay=decay,
        decay_epochs=decay_epochs,
        epochs=epochs,
    ).at_batch_size(batch_size)
    middles = [(index + 0.5) * epochs / SAMPLES for index in range(SAMPLES)]
    curve = _curve(changed, [0.0, *middles, float(epochs)])
    original_curve = _curve(original, [time for time, _ in curve if time <= original.epochs])
    mean = sum(rate for _, rate in curve[1:-1]) / SAMPLES
    return Schedule(recipe, changed, original, curve, original_curve, mean, _half_at(changed))


def _curve(recipe: Recipe, times: list[float]) -> tuple[tuple[float, float], ...]:
    return tuple((time, recipe.learning_rate_at(time)) for time in times)


def _half_at(recipe: Recipe) -> float | None:
    """When the rate first is half its peak or less; it never rises after the warm-up, so bisection finds the time."""
    early, late = float(recipe.warmup_epochs), float(recipe.epochs)
    if recipe.learning_rate_at(late) > recipe.learning_rate / 2:
        return None
    for _ in range(BISECTIONS):
        middle = (early + late) / 2
        if recipe.learning_rate_at(middle) > recipe.learning_rate / 2:
            early = middle
        else:
            late = middle
    return late
