"""What lesson and records on label smoothing share: training as `fit` trains, losses and measures that are right."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from course_lib import datasets
from course_lib.architecture import build
from course_lib.datasets import ImageData
from course_lib.experiments.label_smoothing import (
    STUDENT,
    careless_labels,
    clusters,
    equal_penalty,
    level_wrong,
    logit_gap,
    mixup_loss,
    penalized,
    smoothing_network,
    student_network,
    targets_loss,
    train_with,
)
from course_lib.training import fit


@pytest.fixture(scope="module")
def few() -> ImageData:
    return datasets.load("fashion_mnist").subset(train=70, test=20)


def test_training_with_smoothed_targets_is_fit_with_smoothing(few: ImageData) -> None:
    recipe = replace(STUDENT, epochs=2, seed=3)
    torch.manual_seed(0)
    ours = build(student_network(), 1)
    torch.manual_seed(0)
    theirs = build(student_network(), 1)
    targets = 0.9 * F.one_hot(few.train.labels, 10).float() + 0.01
    train_with(targets_loss(targets), ours, few.train.images, few, recipe)
    fit(theirs, few, replace(recipe, label_smoothing=0.1), device="cpu", progress=False)
    for one, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_the_student_is_the_smaller_network() -> None:
    sizes = [sum(p.numel() for p in build(n, 1).parameters()) for n in (student_network(), smoothing_network())]
    assert 10 * sizes[0] < sizes[1]


def test_the_penalty_comes_to_rest_where_smoothing_does() -> None:
    for epsilon, classes in ((0.1, 10), (0.3, 10), (0.1, 1000)):
        wrong = epsilon / classes
        z = torch.full((1, classes), wrong, dtype=torch.float64)
        z[0, 0] = 1 - epsilon + wrong
        z = z.log().requires_grad_()
        penalized(z, torch.tensor([0]), equal_penalty(epsilon, classes)).backward()
        assert z.grad.abs().max() < 1e-12


def test_levelling_keeps_the_first_class_and_shares_out_the_rest() -> None:
    levelled = level_wrong(torch.tensor([[0.5, 0.3, 0.2, 0.0], [0.1, 0.2, 0.6, 0.1]]))
    torch.testing.assert_close(levelled, torch.tensor([[0.5, 1 / 6, 1 / 6, 1 / 6], [0.4 / 3, 0.4 / 3, 0.6, 0.4 / 3]]))


def test_clusters_of_points_on_a_line() -> None:
    features = torch.tensor([[-1.0], [1.0], [9.0], [11.0], [19.0], [21.0]])
    found = clusters(features, torch.tensor([4, 4, 7, 7, 8, 8]))  # centres 0, 10 and 20, each 1 away
    assert found["spread"] == pytest.approx(1)
    assert found["share"] == pytest.approx(3 / 200)
    assert found["unevenness"] == pytest.approx(torch.tensor([10.0, 10, 20]).std().item() / (40 / 3))


def test_clusters_do_not_notice_a_change_of_scale_where_they_should_not() -> None:
    features, labels = torch.randn(30, 5, generator=torch.Generator().manual_seed(0)), torch.arange(30) % 3
    small, large = clusters(features, labels), clusters(3 * features, labels)
    assert large["spread"] == pytest.approx(9 * small["spread"])
    assert [large[name] for name in ("share", "unevenness")] == pytest.approx(
        [small[name] for name in ("share", "unevenness")], rel=1e-4
    )


def test_the_gap_is_that_of_the_label_over_the_mean_of_the_others() -> None:
    logits = torch.tensor([[5.0, 1.0, 3.0], [0.0, 6.0, 2.0]])
    assert logit_gap(logits, torch.tensor([0, 1])) == pytest.approx((3 + 5) / 2)


def test_careless_labels_change_the_share_that_is_asked_for(few: ImageData) -> None:
    assert torch.equal(careless_labels(few, 0.0, 0).train.labels, few.train.labels)
    changed = careless_labels(few, 1.0, 0).train.labels != few.train.labels
    assert 0.75 < changed.float().mean() <= 1  # a tenth is drawn as it was


def test_mixup_of_equal_images_and_labels_changes_nothing() -> None:
    images, targets = torch.ones(6, 4), F.one_hot(torch.zeros(6, dtype=torch.int64), 4).float()
    loss = mixup_loss(targets, 0.2, seed=0)(torch.nn.Identity(), images, torch.arange(6))
    torch.testing.assert_close(loss, F.cross_entropy(images, targets))


def test_a_students_gradient_does_not_vanish_with_the_temperature() -> None:
    """The probabilities' difference shrinks as 1/T, and so does the gradient of logits / T: hence the factor T²."""
    generator = torch.Generator().manual_seed(0)
    teacher, student = 2 * torch.randn(2, 5, 10, generator=generator, dtype=torch.float64)
    lengths = {}
    for temperature in (1.0, 16.0, 64.0):
        z = student.clone().requires_grad_()
        loss = targets_loss((teacher / temperature).softmax(1), temperature)(lambda logits: logits, z, torch.arange(5))
        lengths[temperature] = torch.autograd.grad(loss, z)[0].norm().item()
    assert 0.5 < lengths[64.0] / lengths[1.0] < 2
    # At rest, nearly, from T = 16 on.
    assert lengths[64.0] == pytest.approx(lengths[16.0], rel=0.1)
