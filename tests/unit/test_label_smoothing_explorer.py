"""The epsilon explorer: its numbers against torch and the closed forms, its picture, and the logits' presets."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from course_lib.explorers import EpsilonExplorer
from course_lib.explorers.label_smoothing.picture import HEIGHT, WIDTH, draw_label_smoothing
from course_lib.explorers.label_smoothing.result import SHOWN, LabelSmoothing, prior_of, smooth_label
from course_lib.training import LabelSmoothingLoss

LOGIT = st.floats(-5, 15)
CASES = st.tuples(
    st.floats(0, 0.9),
    st.sampled_from([5, 10, 100, 1000]),
    st.sampled_from(["uniform", "frequencies", "confusable"]),
    st.tuples(LOGIT, LOGIT, LOGIT, LOGIT),
)


def spread(values: list[float], num_classes: int) -> torch.Tensor:
    """One number a class, from one for each class shown and the sum over all others."""
    others = num_classes - len(SHOWN)
    return torch.tensor([*values[:-1], *[values[-1] / others] * others], dtype=torch.float64)


@given(CASES)
def test_loss_and_gradient_are_those_of_the_library(case: tuple) -> None:
    epsilon, num_classes, prior, logits = case
    result = smooth_label(*case)
    z = torch.zeros(1, num_classes, dtype=torch.float64)
    z[0, : len(SHOWN)] = torch.tensor(logits, dtype=torch.float64)
    loss = LabelSmoothingLoss(num_classes, epsilon, spread(prior_of(prior, num_classes), num_classes))
    value = loss(z.requires_grad_(), torch.tensor([0]))
    gradient = torch.autograd.grad(value, z)[0][0]
    torch.testing.assert_close(result.loss, value.item(), rtol=1e-5, atol=1e-6)  # the library's prior is float32
    ours = spread([row.gradient for row in result.rows], num_classes)
    torch.testing.assert_close(ours, gradient, rtol=1e-4, atol=1e-6)


@given(CASES)
def test_targets_and_probabilities_sum_to_one_and_no_loss_is_below_the_least(case: tuple) -> None:
    result = smooth_label(*case)
    assert sum(row.target for row in result.rows) == pytest.approx(1)
    assert sum(row.probability for row in result.rows) == pytest.approx(1)
    assert sum(row.gradient for row in result.rows) == pytest.approx(0, abs=1e-12)
    assert result.loss >= result.least_loss - 1e-12


@given(CASES.filter(lambda case: case[0] > 1e-3))
def test_at_the_best_logits_the_loss_is_least_and_nothing_is_pulled(case: tuple) -> None:
    best = smooth_label(*case)
    there = smooth_label(*case[:3], [row.best_logit for row in best.rows[:-1]])
    assert there.loss == pytest.approx(best.least_loss)
    assert there.gap == pytest.approx(best.best_gap)
    assert all(abs(row.gradient) < 1e-9 for row in there.rows)


@pytest.mark.parametrize(("num_classes", "gap", "least"), [(10, 4.511, 0.5003), (1000, 9.105, 1.01485)])
def test_the_papers_epsilon_in_closed_form(num_classes: int, gap: float, least: float) -> None:
    result = smooth_label(0.1, num_classes, "uniform", (0, 0, 0, 0))
    assert result.best_gap == pytest.approx(math.log(num_classes * 0.9 / 0.1 + 1)) == pytest.approx(gap, abs=5e-4)
    assert result.least_loss == pytest.approx(least, abs=5e-5)


def test_without_smoothing_no_gap_is_large_enough() -> None:
    result = smooth_label(0.0, 10, "uniform", (15, 0, 0, 0))
    assert result.best_gap == math.inf
    assert result.least_loss == 0
    assert "no gap is large enough" in result.summary


def test_confusable_classes_get_more_of_the_prior_than_all_others() -> None:
    *shown, others = prior_of("confusable", 1000)
    assert shown[0] == 0
    assert min(shown[1:]) > others == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((1.0, 10, "uniform", (0, 0, 0, 0)), "epsilon is 1.0; it must be a number from 0 to below 1"),
        ((math.nan, 10, "uniform", (0, 0, 0, 0)), "epsilon is nan"),
        ((0.1, 4, "uniform", (0, 0, 0, 0)), "num_classes is 4; it must be at least 5"),
        ((0.1, 10, "flat", (0, 0, 0, 0)), "prior is 'flat'; it must be 'uniform', 'frequencies' or 'confusable'"),
        ((0.1, 10, "uniform", (0, 0, 0)), "give 4 finite numbers"),
        ((0.1, 10, "uniform", (0, 0, 0, math.inf)), "give 4 finite numbers"),
    ],
)
def test_nonsense_is_named(arguments: tuple, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        smooth_label(*arguments)


def marks(result: LabelSmoothing) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(draw_label_smoothing(result)).iter())


@given(CASES)
@example((5e-324, 10, "uniform", (0.0, 0.0, 0.0, 0.0)))  # the smallest number there is: its half is 0
def test_the_picture_stays_within_its_frame(case: tuple) -> None:
    for mark in marks(smooth_label(*case)):
        if mark.tag.endswith("rect"):
            x, y, width, height = (float(mark.get(key)) for key in ("x", "y", "width", "height"))
            assert 0 <= x <= x + width <= WIDTH
            assert 0 <= y <= y + height <= HEIGHT


def test_the_loss_bar_is_as_long_as_the_loss_until_it_is_cut() -> None:
    words = [mark.text for mark in marks(smooth_label(0.1, 10, "uniform", (-5, 15, 0, 0)))]
    assert "more →" in words
    assert "more →" not in [mark.text for mark in marks(smooth_label(0.1, 10, "uniform", (5, 0, 0, 0)))]


def test_optimum_follows_epsilon_until_a_logit_is_dragged() -> None:
    explorer = EpsilonExplorer()
    explorer.controls["preset"].value = "optimum"
    assert explorer.result.gap == pytest.approx(explorer.result.best_gap, abs=0.05)
    for name, value in (("epsilon", 0.3), ("num_classes", 1000), ("prior", "confusable")):
        explorer.controls[name].value = value
        assert explorer.controls["preset"].value == "optimum"
        assert explorer.result.loss == pytest.approx(explorer.result.least_loss, abs=0.002)
    before = explorer.controls["shirt"].value
    explorer.controls["t_shirt"].value += 0.5
    assert explorer.controls["preset"].value == "by hand"
    explorer.controls["epsilon"].value = 0.1
    assert explorer.controls["shirt"].value == before


def test_a_preset_places_the_logits() -> None:
    explorer = EpsilonExplorer()
    explorer.controls["preset"].value = "sure and wrong"
    assert [row.logit for row in explorer.result.rows] == [0, 10, 0, 0, 0]
    explorer.controls["preset"].value = "equal"
    assert explorer.result.loss == pytest.approx(math.log(10))


def test_arguments_are_what_is_shown_first() -> None:
    result = EpsilonExplorer(0.25, 100, "frequencies", (1.5, 0, -2, 0)).result
    assert result == smooth_label(0.25, 100, "frequencies", (1.5, 0, -2, 0))
