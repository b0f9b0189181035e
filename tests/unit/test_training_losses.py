"""Losses: label smoothing against PyTorch and against its closed forms, auxiliary heads, and what is refused."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from course_lib.architecture import auxiliary, build, conv, global_avg_pool, linear
from course_lib.training import LabelSmoothingLoss, auxiliary_loss, head_weights

CLASSES = 5
EXACT = {"rtol": 1e-6, "atol": 1e-6}


def batch(seed: int, classes: int = CLASSES, dtype: torch.dtype = torch.float64):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(7, classes, generator=generator, dtype=dtype)
    labels = torch.randint(classes, (7,), generator=generator)
    prior = torch.rand(classes, generator=generator, dtype=torch.float64) + 0.01
    return logits.requires_grad_(), labels, prior / prior.sum()


def value_and_gradient(loss, logits, targets):
    value = loss(logits, targets)
    return value.detach(), torch.autograd.grad(value, logits)[0]


@given(seed=st.integers(0, 10_000), classes=st.integers(1, 12), epsilon=st.floats(0, 0.99), soft=st.booleans())
def test_with_a_uniform_prior_it_is_pytorchs_loss(seed, classes, epsilon, soft):
    logits, labels, _ = batch(seed, classes)
    targets = batch(seed + 1, classes)[0].detach().softmax(1) if soft else labels
    ours = value_and_gradient(LabelSmoothingLoss(classes, epsilon), logits, targets)
    theirs = value_and_gradient(torch.nn.CrossEntropyLoss(label_smoothing=epsilon), logits, targets)
    torch.testing.assert_close(ours, theirs, **EXACT)


@given(seed=st.integers(0, 10_000), epsilon=st.floats(0, 0.99))
def test_with_any_prior_it_splits_as_in_the_paper_and_its_gradient_is_p_minus_q(seed, epsilon):
    logits, labels, prior = batch(seed)
    value, gradient = value_and_gradient(LabelSmoothingLoss(CLASSES, epsilon, prior), logits, labels)
    log_p = logits.detach().log_softmax(1)
    kl = F.kl_div(log_p, prior.expand_as(log_p), reduction="batchmean")  # of the prior from p
    entropy = -(prior * prior.log()).sum()
    expected = (1 - epsilon) * F.nll_loss(log_p, labels) + epsilon * (kl + entropy)
    torch.testing.assert_close(value, expected, **EXACT)
    q = (1 - epsilon) * F.one_hot(labels, CLASSES) + epsilon * prior
    torch.testing.assert_close(gradient, (log_p.exp() - q) / len(labels), **EXACT)


@pytest.mark.parametrize(("classes", "gap", "least"), [(10, 4.511, 0.5003), (1000, 9.105, 1.0148)])
def test_the_best_logits_and_the_least_loss_have_closed_forms(classes, gap, least):
    epsilon = 0.1
    best = math.log(classes * (1 - epsilon) / epsilon + 1)
    assert best == pytest.approx(gap, abs=5e-4)
    logits = torch.zeros(1, classes, dtype=torch.float64)
    logits[0, 3] = best
    loss = LabelSmoothingLoss(classes, epsilon)
    value, gradient = value_and_gradient(loss, logits.requires_grad_(), torch.tensor([3]))
    assert value.item() == pytest.approx(least, abs=5e-5)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-7)


def test_labels_and_their_one_hot_probabilities_give_the_same():
    logits, labels, prior = batch(0)
    loss = LabelSmoothingLoss(CLASSES, 0.3, prior)
    torch.testing.assert_close(loss(logits, labels), loss(logits, F.one_hot(labels, CLASSES).double()))


@pytest.mark.parametrize(("epsilon", "prior"), [(0.0, None), (0.2, [0.5, 0.5, 0.0])])
def test_a_class_that_cannot_be_does_not_spoil_the_loss(epsilon, prior):
    logits = torch.tensor([[1.0, 2.0, -math.inf]])
    assert LabelSmoothingLoss(3, epsilon, prior)(logits, torch.tensor([1])).isfinite()


def test_half_precision_is_computed_in_float32():
    logits, labels, _ = batch(0, dtype=torch.float32)
    half = logits.detach().bfloat16()
    value = LabelSmoothingLoss(CLASSES)(half, labels)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, LabelSmoothingLoss(CLASSES)(half.float(), labels), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"num_classes": 0}, "num_classes is 0; it must be a whole number of at least 1"),
        ({"num_classes": 3, "epsilon": 1.0}, r"epsilon is 1\.0; it must be a number from 0 to below 1"),
        ({"num_classes": 3, "epsilon": -0.1}, r"epsilon is -0\.1"),
        ({"num_classes": 3, "epsilon": math.nan}, "epsilon is nan"),
        ({"num_classes": 3, "epsilon": "0.1"}, "epsilon is '0.1'; it must be a number"),
        ({"num_classes": 3, "epsilon": None}, "epsilon is None; it must be a number"),
        ({"num_classes": 3, "prior": [0.5, 0.5]}, r"prior has shape \(2,\); 3 classes need that many"),
        ({"num_classes": 3, "prior": [0.6, 0.6, -0.2]}, r"prior has -0\.2 as its least number"),
        ({"num_classes": 3, "prior": [0.5, 0.5, 0.5]}, r"prior sums to 1\.5; probabilities sum to 1"),
    ],
)
def test_a_bad_argument_is_named(arguments, says):
    with pytest.raises(ValueError, match=says):
        LabelSmoothingLoss(**arguments)


@pytest.mark.parametrize(
    ("logits", "targets", "says"),
    [
        (torch.zeros(2, 4), torch.tensor([0, 1]), r"Logits are float32 of shape \(2, 4\); 3 classes need floats"),
        (torch.zeros(2, 3).int(), torch.tensor([0, 1]), "Logits are int32"),
        (torch.zeros(2, 3), torch.tensor([0, 3]), "A label is 3; the labels of 3 classes are 0 to 2"),
        (torch.zeros(2, 3), torch.tensor([-1, 0]), "A label is -1"),
        (torch.zeros(2, 3), torch.tensor([0]), r"Targets are int64 of shape \(1,\)"),
        (torch.zeros(2, 3), torch.tensor([0, 1]).int(), "Targets are int32"),
        (torch.zeros(2, 3), torch.zeros(2, 2), r"need labels, int64 of shape \(2,\), or probabilities"),
        (torch.zeros(2, 3), torch.tensor([[2.0, -1, 0], [math.nan, 0, 1]]), "A target is -1; a probability is not neg"),
        (torch.zeros(2, 3), [0, 1], "Targets are a list; give a tensor"),
        (np.zeros((2, 3)), torch.tensor([0, 1]), "Logits are a ndarray; give a tensor"),
    ],
)
def test_a_bad_batch_is_refused(logits, targets, says):
    with pytest.raises(ValueError, match=says):
        LabelSmoothingLoss(3)(logits, targets)


def test_a_target_that_is_not_a_number_gives_none():
    targets = torch.tensor([[1.0, 0, 0], [math.nan, 0, 1]])
    assert LabelSmoothingLoss(3)(torch.zeros(2, 3), targets).isnan()
    assert LabelSmoothingLoss(3, 0)(torch.zeros(2, 3), targets).isnan()


def test_whole_numbers_of_numpy_and_torch_are_class_counts():
    for count in (np.int64(3), torch.tensor(3)):
        assert LabelSmoothingLoss(count).num_classes == 3


def with_heads():
    head = global_avg_pool() >> linear(CLASSES)
    value = (
        conv(16, 3) >> auxiliary(head, 0.3).named("early") >> conv(16, 3) >> auxiliary(head, 0.4).named("late")
        >> global_avg_pool() >> linear(CLASSES)
    )  # fmt: skip
    return build(value, 1)


def test_each_heads_loss_is_added_with_its_weight():
    model, (_, labels, _) = with_heads(), batch(0)
    outputs, loss = model(torch.randn(7, 1, 8, 8)), LabelSmoothingLoss(CLASSES)
    assert outputs._fields == ("logits", "late", "early")
    assert head_weights(model) == {"early": 0.3, "late": 0.4}
    main, late, early = (loss(each, labels) for each in outputs)
    assert auxiliary_loss(outputs, labels, loss, head_weights(model)) == main + 0.4 * late + 0.3 * early
    assert auxiliary_loss(outputs, labels, loss, 0.5) == main + 0.5 * late + 0.5 * early
    assert auxiliary_loss(outputs.logits, labels, loss, 0.5) == main
    assert auxiliary_loss(tuple(outputs), labels, loss, 0.5) == main + 0.5 * late + 0.5 * early
    with pytest.raises(ValueError, match="A head of a plain tuple has no name; give one number for all"):
        auxiliary_loss(tuple(outputs), labels, loss, head_weights(model))
    with pytest.raises(ValueError, match="auxiliary head 'late' has no weight"):
        auxiliary_loss(outputs, labels, loss, {"early": 0.3})


@pytest.mark.parametrize("wrap", [torch.nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
def test_weights_of_heads_are_found_in_a_wrapped_network(wrap):
    assert head_weights(wrap(with_heads())) == {"early": 0.3, "late": 0.4}
