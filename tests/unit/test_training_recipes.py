"""The recipes of the papers as their optimizers see them, the rule for other batches, and what fit makes of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import small_network, two_classes
from torch import nn

from course_lib.architecture import auxiliary, build, conv, global_avg_pool, linear
from course_lib.training import RECIPES, Recipe, evaluate, fit, szegedy_2016
from course_lib.training.averaging import average_weights
from course_lib.training.optimizers import make_optimizer

PLAIN = {"epochs": 1, "batch_size": 96, "schedule": "constant", "warmup_epochs": 0, "pad": 0, "flip": False}


def test_szegedy_2016_is_the_papers():
    optimizer = make_optimizer(szegedy_2016, small_network().parameters())
    assert isinstance(optimizer, torch.optim.RMSprop)
    settings = {name: optimizer.defaults[name] for name in ("alpha", "eps", "momentum", "centered")}
    assert settings == {"alpha": 0.9, "eps": 1.0, "momentum": 0.0, "centered": False}
    assert szegedy_2016.clip_norm == 2.0
    rates = [szegedy_2016.learning_rate_at(epoch) for epoch in (0, 1.9, 2, 3.9, 4, 20)]
    assert rates == pytest.approx([0.045, 0.045, 0.045 * 0.94, 0.045 * 0.94, 0.045 * 0.94**2, 0.045 * 0.94**10])


def test_adam_steps_and_sgd_cosine_are_as_documented():
    adam, sgd = RECIPES["adam_steps"], RECIPES["sgd_cosine"]
    assert [adam.learning_rate_at(epoch) for epoch in (0, 7.9, 8, 16)] == pytest.approx(
        [1e-3, 1e-3, 0.96e-3, 0.96**2 * 1e-3]
    )
    assert (adam.batch_size, adam.optimizer, adam.weight_decay) == (128, "adam", 0)
    assert [sgd.learning_rate_at(share * sgd.epochs) for share in (0, 0.5, 1)] == pytest.approx([0.1, 0.05, 0])
    assert (sgd.batch_size, sgd.optimizer, sgd.momentum, sgd.weight_decay) == (128, "sgd", 0.9, 5e-4)


def test_quick_rises_within_half_an_epoch_and_falls_to_0_in_a_straight_line():
    quick = RECIPES["quick"]
    peak, (quarter, half) = quick.learning_rate, ((quick.epochs - 0.5) / 4 + 0.5, (quick.epochs - 0.5) / 2 + 0.5)
    rates = [quick.learning_rate_at(epoch) for epoch in (0.25, 0.5, quarter, half, quick.epochs)]
    assert rates == pytest.approx([peak / 2, peak, peak * 3 / 4, peak / 2, 0])
    assert make_optimizer(quick, small_network().parameters()).defaults["nesterov"]
    assert min(quick.label_smoothing, quick.ema_decay) > 0


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_trains_also_for_one_epoch(name):
    history = fit(small_network(), two_classes(), replace(RECIPES[name], epochs=1), progress=False)
    assert history["test_loss"].notna().all()


@pytest.mark.parametrize(("optimizer", "factor"), [("sgd", 4), ("rmsprop", 4), ("adam", 2)])
def test_the_learning_rate_follows_the_batch_by_the_stated_rule(optimizer, factor):
    recipe = Recipe(optimizer=optimizer, batch_size=64, learning_rate=0.01)
    other = recipe.at_batch_size(256)
    assert other == replace(recipe, batch_size=256, learning_rate=0.01 * factor)
    assert other.at_batch_size(64).learning_rate == pytest.approx(0.01)
    with pytest.raises(ValueError, match="batch_size is 0, but it must be a whole number"):
        recipe.at_batch_size(0)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("square_decay", 1, "0 or more and less than 1"),
        ("optimizer_epsilon", 0, "a number above 0"),
        ("clip_norm", -1, "a number, 0 or more"),
        ("decay", 0, "above 0 and at most 1"),
        ("decay", 1.1, "above 0 and at most 1"),
        ("decay_epochs", 0, "a number above 0"),
        ("ema_decay", 1, "0 or more and less than 1"),
        ("aux_weight", -0.1, "None or a number, 0 or more"),
    ],
)
def test_a_bad_field_is_named_with_its_range(field, value, says):
    with pytest.raises(ValueError, match=rf"Recipe: {field} is {value!r}, but it must be .*{says}"):
        Recipe(**{field: value})


def test_numbers_of_numpy_and_torch_become_pythons():
    recipe = Recipe(epochs=np.int64(3), learning_rate=np.float64(0.1), pad=torch.tensor(1))
    assert (type(recipe.epochs), type(recipe.learning_rate), type(recipe.pad)) == (int, float, int)


def test_gradients_are_clipped_to_the_norm():
    def change(clip_norm: float) -> float:
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        before = nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        recipe = Recipe(**PLAIN, momentum=0, weight_decay=0, learning_rate=0.5, clip_norm=clip_norm)
        fit(model, two_classes(), recipe, bf16=False, progress=False)
        return (nn.utils.parameters_to_vector(model.parameters()) - before).norm().item()

    assert change(0.01) == pytest.approx(0.5 * 0.01, rel=1e-3)
    assert change(0) > 10 * change(0.01)


def test_the_average_forgets_the_first_weights_soon_and_then_keeps_its_share():
    model = nn.BatchNorm1d(1, affine=False)
    average = average_weights(model, decay=0.25)
    expected = None
    for step, mean in enumerate([8.0, 4.0, 2.0, 1.0, 5.0]):
        model.running_mean.fill_(mean)
        average.update_parameters(model)
        keep = min(0.25, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * mean if step else mean
        assert average.module.running_mean.item() == pytest.approx(expected, rel=1e-6)


def test_the_model_is_judged_and_left_with_the_average_of_its_weights():
    data, recipe = two_classes(), Recipe(**{**PLAIN, "epochs": 2, "batch_size": 24}, ema_decay=0.9)
    averaged, plain = small_network(), small_network()
    history = fit(averaged, data, recipe, progress=False)
    unaveraged = fit(plain, data, replace(recipe, ema_decay=0.0), progress=False)
    assert history["train_loss"].equals(unaveraged["train_loss"]), "the average must not change the training"
    assert not torch.equal(averaged[0].weight, plain[0].weight)
    for model, table in ((averaged, history), (plain, unaveraged)):
        assert evaluate(model, data.test, data) == (table["test_loss"].iloc[-1], table["test_accuracy"].iloc[-1])


def test_auxiliary_heads_are_trained_with_their_own_or_the_recipes_weight():
    head = global_avg_pool() >> linear(2)
    value = conv(16, 3) >> auxiliary(head, 0.3).named("head") >> conv(16, 3) >> global_avg_pool() >> linear(2)
    losses = {}
    for weight in (None, 0.3, 0.0, 2.0):
        torch.manual_seed(0)
        model = build(value, 1)
        recipe = Recipe(**PLAIN, aux_weight=weight)
        losses[weight] = fit(model, two_classes(), recipe, progress=False)["train_loss"].item()
        assert isinstance(model(two_classes().test.images.float()), torch.Tensor)
    assert losses[None] == losses[0.3]
    assert losses[2.0] - losses[0.0] == pytest.approx((losses[0.3] - losses[0.0]) * 2 / 0.3, rel=1e-2)
