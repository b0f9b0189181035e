"""Recipes: bad fields are named, and learning rates follow their closed forms."""

import dataclasses
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_lib.training import SCHEDULES, Recipe


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("epochs", 0, "a whole number, 1 or more"),
        ("epochs", 2.5, "a whole number, 1 or more"),
        ("batch_size", 0, "a whole number, 1 or more"),
        ("batch_size", True, "a whole number, 1 or more"),
        ("optimizer", "sdg", "one of 'sgd', 'adam'"),
        ("learning_rate", 0, "a number above 0"),
        ("learning_rate", math.inf, "a number above 0"),
        ("learning_rate", "0.1", "a number above 0"),
        ("momentum", 1.0, "0 or more and less than 1"),
        ("momentum", math.nan, "0 or more and less than 1"),
        ("weight_decay", -1e-4, "0 or more"),
        ("schedule", "cosin", "one of 'constant', 'linear', 'cosine'"),
        ("warmup_epochs", 4, "0 or more and less than 4"),
        ("label_smoothing", 1.0, "0 or more and less than 1"),
        ("pad", -1, "a whole number, 0 or more"),
        ("flip", 0.5, "one of True, False"),
        ("optimizer", ["sgd"], "one of 'sgd', 'adam'"),
        ("seed", None, "a whole number, 0 or more"),
    ],
)
def test_a_bad_field_is_named_with_its_range(field, value, says):
    with pytest.raises(ValueError, match=field) as error:
        Recipe(**{"epochs": 4, field: value})
    message = str(error.value)
    assert repr(value) in message
    assert says in message
    assert "\n" not in message


def test_recipes_load_neither_torch_nor_numpy_nor_pandas():
    heavy = "{'torch', 'numpy', 'pandas'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, course_lib.recipes; assert not {heavy}, {heavy}"], check=False
    )
    assert done.returncode == 0


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().epochs = 5


def test_learning_rates_follow_the_closed_forms():
    shared = {"epochs": 6, "warmup_epochs": 2, "learning_rate": 0.8, "decay": 0.5, "decay_epochs": 2}
    times = [0, 1, 2, 3, 4, 5, 6]
    expected = {
        "constant": [0, 0.4, 0.8, 0.8, 0.8, 0.8, 0.8],
        "linear": [0, 0.4, 0.8, 0.6, 0.4, 0.2, 0],
        "cosine": [0, 0.4, 0.8] + [0.4 * (1 + math.cos(math.pi * k / 4)) for k in (1, 2, 3, 4)],
        "steps": [0, 0.4, 0.8, 0.8, 0.4, 0.4, 0.2],
    }
    assert set(expected) == set(SCHEDULES)
    for schedule, rates in expected.items():
        recipe = Recipe(schedule=schedule, **shared)
        assert [recipe.learning_rate_at(time) for time in times] == pytest.approx(rates), schedule


def test_without_warmup_the_first_learning_rate_is_the_peak():
    assert Recipe(warmup_epochs=0, learning_rate=0.3).learning_rate_at(0) == 0.3


@given(
    schedule=st.sampled_from(sorted(SCHEDULES)),
    epochs=st.integers(1, 50),
    warmup=st.floats(0, 0.95),
    early=st.floats(0, 1),
    late=st.floats(0, 1),
)
def test_a_learning_rate_rises_to_its_peak_and_never_rises_again(schedule, epochs, warmup, early, late):
    recipe = Recipe(epochs=epochs, schedule=schedule, warmup_epochs=warmup * epochs, learning_rate=0.5)
    early, late = sorted((early * epochs, late * epochs))
    before, after = recipe.learning_rate_at(early), recipe.learning_rate_at(late)
    assert 0 <= before <= 0.5 + 1e-12
    assert 0 <= after <= 0.5 + 1e-12
    if late <= recipe.warmup_epochs:
        assert before <= after + 1e-12
    if early >= recipe.warmup_epochs:
        assert before >= after - 1e-12
