"""The one-hour network and its training: whitened first layer, mirror images in turn, rates, sizes, views."""

from __future__ import annotations

import sys
from dataclasses import replace

import cifar
import one_hour
import pytest
import torch

from course_lib.architecture import Conv, labelled_children
from course_lib.datasets import ImageData, Split
from course_lib.experiments.one_hour import (
    EPSILON,
    WHITENED,
    HourRecipe,
    _moves,
    hour_logits,
    hour_network,
    make_hour_network,
    parameters,
    resize,
    train_hour,
    whitening_weights,
)

RECIPE = HourRecipe(epochs=2, batch_size=10)


@pytest.fixture(scope="module")
def data() -> ImageData:
    """Two easy classes: bright above, or bright below."""
    images = torch.randint(0, 90, (80, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(80) % 2
    images[labels == 0, :, :16] += 150
    images[labels == 1, :, 16:] += 150
    return ImageData.from_splits(
        "two", ("above", "below"), Split(images[:60], labels[:60]), Split(images[60:], labels[60:])
    )


def test_whitened_patches_have_variance_one_and_are_uncorrelated() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(64, 3, 16, 16, generator=generator)
    images = noise + torch.nn.functional.avg_pool2d(noise, 3, 1, 1) * 5  # neighbours alike, as in photographs
    weights = whitening_weights(images)
    assert weights.shape == (WHITENED, 3, 3, 3)
    assert torch.equal(weights[: WHITENED // 2], -weights[WHITENED // 2 :])
    out = torch.nn.functional.conv2d(images, weights[: WHITENED // 2])
    covariance = torch.cov(out.transpose(0, 1).flatten(1))
    # The constant under the root, which keeps faint patterns from being blown up, makes variances a little less than 1.
    assert EPSILON < 1e-3
    assert torch.allclose(covariance, torch.eye(WHITENED // 2), atol=0.02)


def test_the_network_keeps_to_its_limits() -> None:
    model = make_hour_network(cifar.tiny_data(), HourRecipe(), 0)
    assert parameters(model) < 1_000_000

    def convolutions(value) -> list[Conv]:
        parts = [part for _, part in labelled_children(value)]
        return [leaf for part in parts for leaf in convolutions(part)] if parts else [value] * isinstance(value, Conv)

    assert all(part.channels % 32 == 0 for part in convolutions(hour_network()))


def test_the_first_layer_is_fixed_only_if_whitened(data: ImageData) -> None:
    for whiten in (True, False):
        recipe = replace(RECIPE, whiten=whiten)
        model = make_hour_network(data, recipe, 0)
        before = model.whitening.weight.clone()
        train_hour(model, data, recipe, 0)
        assert torch.equal(model.whitening.weight, before) == whiten
        assert not model.training


def test_it_learns_and_the_same_seed_gives_the_same(data: ImageData) -> None:
    recipe = replace(RECIPE, epochs=6)
    found = []
    for _ in range(2):
        model = make_hour_network(data, recipe, 3)
        calls: list[tuple[int, float]] = []
        seconds = train_hour(model, data, recipe, 3, lambda done, spent, calls=calls: calls.append((done, spent)))
        assert [done for done, _ in calls] == [1, 2, 3, 4, 5, 6]
        assert seconds == calls[-1][1] > 0
        found.append(hour_logits(model, data.test.images, data))
    assert torch.equal(*found)
    assert (found[0].argmax(1) == data.test.labels).float().mean() > 0.9


def test_rates_rise_and_fall_in_straight_lines() -> None:
    recipe = HourRecipe(peak=0.4, rise=0.25)
    assert [recipe.rate(done) for done in (0.0, 0.125, 0.25, 0.625, 1.0)] == pytest.approx([0.0, 0.2, 0.4, 0.2, 0.0])


def test_images_are_small_in_the_first_epochs_only() -> None:
    recipe = HourRecipe(epochs=5, small=24, small_share=0.4)
    assert [recipe.size(epoch) for epoch in range(5)] == [24, 24, 32, 32, 32]
    images = torch.rand(2, 3, 32, 32)
    assert resize(images, 24).shape == (2, 3, 24, 24)
    assert resize(images, 32) is images


def test_alternating_flips_mirror_each_image_in_every_second_epoch() -> None:
    generator = torch.Generator().manual_seed(0)
    first, batch = torch.tensor([True, False, True]), torch.tensor([2, 1])
    mirrored = [_moves(HourRecipe(), batch, first, epoch, generator).mirrored.tolist() for epoch in range(3)]
    assert mirrored == [[True, False], [False, True], [True, False]]
    shifts = _moves(HourRecipe(pad=2), batch, first, 0, generator).shifts
    assert shifts.abs().max() <= 2
    assert _moves(HourRecipe(flips="none", pad=0), batch, first, 0, generator) is None
    assert not _moves(HourRecipe(pad=0), batch, first, 0, generator).shifts.any()


def test_views_are_means_over_mirrored_and_moved_images(data: ImageData) -> None:
    model = make_hour_network(data, RECIPE, 0).eval()
    images = data.test.images
    one, two = (hour_logits(model, images, data, views=views) for views in (1, 2))
    mirrored = hour_logits(model, images.flip(3), data)
    assert torch.allclose(two, (one + mirrored) / 2, atol=1e-2)
    again = hour_logits(model, images.flip(3), data, views=2)
    assert torch.allclose(two, again, atol=1e-2)
    assert hour_logits(model, images, data, views=6).shape == (20, 2)


def test_what_cannot_be_is_named(data: ImageData) -> None:
    with pytest.raises(ValueError, match="flips is 'some'"):
        HourRecipe(flips="some")
    with pytest.raises(ValueError, match="size from 16 to 32"):
        HourRecipe(small=8)
    with pytest.raises(ValueError, match="views is 3; it must be 1, 2 or 6"):
        hour_logits(make_hour_network(data, RECIPE, 0), data.test.images, data, views=3)
    with pytest.raises(ArithmeticError, match=r"The loss is (nan|inf) in epoch 1; lower the peak of 1e\+30"):
        train_hour(make_hour_network(data, RECIPE, 0), data, replace(RECIPE, peak=1e30), 0)


def test_epochs_fill_the_time(monkeypatch: pytest.MonkeyPatch, data: ImageData) -> None:
    monkeypatch.setattr(one_hour, "seconds_of_an_image", lambda size, _: {one_hour.RECIPE.small: 0.5, 32: 1.0}[size])
    share = one_hour.RECIPE.small_share
    epoch = 60 * (share * 0.5 + (1 - share) * 1.0)
    assert one_hour.epochs_within(10 * epoch / one_hour.MARGIN + 1, data) == 10
    assert one_hour.epochs_within(0.1, data) == 1


def test_whitening_is_fitted_to_all_classes_though_they_come_one_after_another(
    monkeypatch: pytest.MonkeyPatch, data: ImageData
) -> None:
    order = data.train.labels.argsort()
    in_order = replace(data, train=data.train.take(order))
    seen: list[torch.Tensor] = []
    module = sys.modules[make_hour_network.__module__]
    monkeypatch.setattr(module, "FITTED", 20)
    monkeypatch.setattr(
        module, "whitening_weights", lambda images: seen.append(images) or torch.zeros(WHITENED, 3, 3, 3)
    )
    make_hour_network(in_order, RECIPE, 0)
    brighter_above = seen[0][:, :, :16].mean((1, 2, 3)) > seen[0][:, :, 16:].mean((1, 2, 3))
    assert brighter_above.float().mean() == 0.5
