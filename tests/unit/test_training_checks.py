"""What `fit` refuses before its first step, and a network whose loss is no number only on the test images."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from tiny_training import small_network, two_classes
from torch import nn

from course_lib.errors import CourseError
from course_lib.models import create_model
from course_lib.training import DivergedError, Recipe, distributed, evaluate, fit, predict_logits

RECIPE = Recipe(epochs=1, batch_size=16)


def untrained(model: nn.Module) -> nn.Module:
    def trained(module: nn.Module, _) -> None:
        assert not module.training or not torch.is_grad_enabled(), "it trained"

    model.register_forward_pre_hook(trained)
    return model


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (lambda: small_network().half(), r"model's 0\.weight is float16, .*; call model\.float\(\) first"),
        (lambda: small_network().double(), r"model's 0\.weight is float64"),
        (lambda: small_network().requires_grad_(False), "no parameters to train: all of them are frozen"),
        (lambda: nn.Flatten(), "no parameters to train: it has none"),
    ],
)
def test_a_model_that_cannot_be_trained_is_refused(model, says):
    with pytest.raises(CourseError, match=says):
        fit(untrained(model()), two_classes(), RECIPE, progress=False)


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.0), (math.nan, 1.0), (0.5, math.inf)])
def test_a_channel_that_cannot_be_normalised_is_named_and_not_the_learning_rate(mean, std):
    data = copy.copy(two_classes())
    vars(data).update(mean=torch.tensor([mean]), std=torch.tensor([std]))  # as of a model saved long ago
    for use in (
        lambda: fit(untrained(small_network()), data, RECIPE, progress=False),
        lambda: predict_logits(small_network(), data.test.images, data),
        lambda: evaluate(small_network(), data.test, data),
    ):
        with pytest.raises(CourseError, match=r"Channel 0 of the images cannot be normalised: its mean is .*, its std"):
            use()


@pytest.mark.parametrize(("train", "batch_size"), [(4, 1), (5, 2)])
def test_a_batch_of_one_is_refused_where_a_batch_norm_sees_one_value(train, batch_size):
    recipe, data = replace(RECIPE, batch_size=batch_size), two_classes(train=train)
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.BatchNorm1d(1), nn.Linear(1, 2))
    before = torch.get_rng_state()
    with pytest.raises(
        CourseError, match=rf"smallest batch has 1 of the {train} training images .*choose a batch_size"
    ):
        fit(untrained(model), data, recipe, progress=False)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(fit(small_network(), data, recipe, progress=False)) == 1, "refused where it works"


def test_a_share_of_one_names_the_processes(monkeypatch):
    monkeypatch.setattr(distributed, "world_size", lambda: 4)
    model = create_model("small_inception", 2, True, in_channels=1)
    with pytest.raises(CourseError, match="smallest batch has 4 of the 96 training images, shared by 4 processes,"):
        fit(model, replace_size(two_classes(), 28), replace(RECIPE, batch_size=4), progress=False)


def replace_size(data, size: int):
    def grown(split):
        return type(split)(split.images.repeat(1, 1, size // 8 + 1, size // 8 + 1)[..., :size, :size], split.labels)

    return replace(data, train=grown(data.train), test=grown(data.test))


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "xla", "meta", "tpu:0"])
def test_a_device_that_is_not_there_is_named_with_those_that_are(device):
    with pytest.raises(CourseError, match=rf"there is no device '{device}' here; use cpu"):
        fit(untrained(small_network()), two_classes(), RECIPE, device=device, progress=False)


def test_a_test_loss_that_is_no_number_is_a_diverged_run():
    class Lost(nn.Module):
        """Trains as `small_network`, and gives NaN in eval mode."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = small_network()

        def forward(self, x):
            return self.inner(x) * (1.0 if self.training else math.nan)

    with pytest.raises(
        DivergedError, match=r"loss is nan on the test images after epoch 1, .*try learning_rate"
    ) as error:
        fit(Lost(), two_classes(), RECIPE, progress=False)
    assert error.value.history.empty


def test_a_rate_far_too_high_is_no_success():
    with pytest.raises(DivergedError):
        fit(
            small_network(),
            two_classes(train=20),
            replace(RECIPE, learning_rate=1e30, schedule="constant"),
            progress=False,
        )
