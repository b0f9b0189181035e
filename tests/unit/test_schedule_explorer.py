"""The schedule explorer: rates and areas against closed forms, the recipe behind the controls, and its picture."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.explorers import ScheduleExplorer
from course_lib.explorers.schedule.picture import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw_schedule
from course_lib.explorers.schedule.result import schedule_rates
from course_lib.recipes import RECIPES, SCHEDULES, Recipe

PLAIN = {
    **{"recipe": "quick", "schedule": "constant", "learning_rate": 0.1, "warmup_epochs": 0, "decay": 0.5},
    **{"decay_epochs": 2, "epochs": 10, "batch_size": 64},
}
CASES = st.integers(1, 200).flatmap(
    lambda epochs: st.fixed_dictionaries(
        {
            "recipe": st.sampled_from(sorted(RECIPES)),
            "schedule": st.sampled_from(sorted(SCHEDULES)),
            "learning_rate": st.floats(0.001, 0.5),
            "warmup_epochs": st.floats(0, min(10, epochs - 0.1)),
            "decay": st.floats(0.01, 1),
            "decay_epochs": st.integers(1, 50),
            "epochs": st.just(epochs),
            "batch_size": st.integers(16, 1024),
        }
    )
)


def as_arguments(name: str) -> dict:
    recipe = RECIPES[name]
    fields = ("schedule", "learning_rate", "warmup_epochs", "decay", "decay_epochs", "epochs", "batch_size")
    return {"recipe": name, **{field: getattr(recipe, field) for field in fields}}


@pytest.mark.parametrize(
    ("changes", "mean", "half_at"),
    [
        ({}, 0.1, None),
        ({"schedule": "linear"}, 0.05, 5),
        ({"schedule": "cosine"}, 0.05, 5),
        ({"schedule": "linear", "warmup_epochs": 4}, 0.05, 7),
        ({"schedule": "constant", "warmup_epochs": 4}, 0.08, None),
        ({"schedule": "steps"}, 0.02 * sum(0.5**k for k in range(5)), 2),
        ({"schedule": "steps", "decay": 0.6}, 0.02 * sum(0.6**k for k in range(5)), 4),
        ({"schedule": "steps", "decay": 1.0}, 0.1, None),
        ({"schedule": "steps", "decay_epochs": 11}, 0.1, None),
        ({"schedule": "linear", "batch_size": 128}, 0.1, 5),  # sgd: in proportion
        ({"schedule": "linear", "batch_size": 1024, "recipe": "adam_steps"}, 0.05 * 8**0.5, 5),  # adam: the root
    ],
)
def test_mean_and_half_follow_the_closed_forms(changes: dict, mean: float, half_at: float | None) -> None:
    result = schedule_rates(**PLAIN | changes)
    assert result.mean == pytest.approx(mean, rel=2e-3)
    assert result.half_at == (None if half_at is None else pytest.approx(half_at, abs=1e-6))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_left_as_it_is_comes_back(name: str) -> None:
    result = schedule_rates(**as_arguments(name))
    assert result.recipe == result.original == RECIPES[name]
    assert result.curve == result.original_curve


def test_first_and_last_are_the_rates_of_the_first_and_the_last_step() -> None:
    result = schedule_rates(**PLAIN | {"schedule": "linear", "epochs": 2, "batch_size": 25_000, "learning_rate": 0.1})
    assert result.updates == 2
    peak = 0.1 * 25_000 / 64
    assert (result.first, result.last) == (pytest.approx(peak * 7 / 8), pytest.approx(peak / 8))


@given(CASES)
def test_half_is_where_the_curve_passes_half_of_its_peak(case: dict) -> None:
    result = schedule_rates(**case)
    recipe, half = result.recipe, result.recipe.learning_rate / 2
    end = recipe.epochs if result.half_at is None else result.half_at
    for time, rate in result.curve:
        if recipe.warmup_epochs <= time < end - 1e-6:
            assert rate > half * (1 - 1e-9)
        elif time > end + 1e-6:
            assert rate <= half * (1 + 1e-9)


@given(CASES)
def test_curves_stay_within_the_axes(case: dict) -> None:
    root = ElementTree.fromstring(draw_schedule(schedule_rates(**case)))
    assert root.get("viewBox") == f"0 0 {WIDTH} {HEIGHT}"
    for path in root.iter("{http://www.w3.org/2000/svg}path"):
        for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path.get("d")):
            assert LEFT <= float(x) <= RIGHT
            assert TOP - 0.1 <= float(y) <= BOTTOM + 0.1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"recipe": "quik"}, "recipe is 'quik', but it must be one of 'szegedy_2016'"),
        ({"schedule": "cosin"}, "schedule is 'cosin', but it must be one of 'constant'"),
        ({"warmup_epochs": 10}, "warmup_epochs is 10, but it must be a number, 0 or more and less than 10"),
        ({"batch_size": 0}, "batch_size is 0, but it must be a whole number"),
        ({"learning_rate": math.nan}, "learning_rate is nan, but it must be a number above 0"),
    ],
)
def test_nonsense_is_named(changes: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        schedule_rates(**PLAIN | changes)


def test_the_summary_says_what_the_rate_does() -> None:
    paper = schedule_rates(**as_arguments("szegedy_2016"))
    assert paper.summary.startswith("szegedy_2016: times 0.94 every 2 epochs, 100 epochs, batches of 32 (1,563 updates")
    assert "peak 0.045, half of it at epoch 24, last step 0.00217" in paper.summary
    changed = schedule_rates(**as_arguments("szegedy_2016") | {"schedule": "constant", "warmup_epochs": 5})
    assert changed.summary.startswith("szegedy_2016, changed: constant, 100 epochs after a warm-up of 5 epochs")
    assert "never half of it" in changed.summary


@pytest.mark.parametrize("first", RECIPES)
@pytest.mark.parametrize("second", RECIPES)
def test_choosing_a_recipe_moves_the_controls_to_it(first: str, second: str) -> None:
    explorer = ScheduleExplorer(first)
    explorer.controls["epochs"].value = 3
    explorer.controls["recipe"].value = second
    changed = explorer.result.recipe != explorer.result.original
    assert changed == (first == second)  # a recipe that is chosen already keeps its changes
    assert isinstance(explorer.result.recipe, Recipe)


def test_a_shorter_run_shortens_the_warm_up() -> None:
    explorer = ScheduleExplorer("quick")
    explorer.controls["warmup_epochs"].value = 7
    explorer.controls["epochs"].value = 3
    assert explorer.controls["warmup_epochs"].value == explorer.controls["warmup_epochs"].max == 2.9
    assert explorer.result.recipe.warmup_epochs == 2.9


def test_a_batch_size_typed_into_the_box_is_one_of_the_sliders() -> None:
    explorer = ScheduleExplorer()
    explorer.boxes["batch_size"].value = 100
    assert (
        explorer.boxes["batch_size"].value
        == explorer.controls["batch_size"].value
        == explorer.result.recipe.batch_size
        == 96
    )
