"""Exercises on what a network is to learn: the least loss of smoothed labels, and labels mixed with images."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.experiments.label_smoothing import mix
from course_lib.teaching.exercises import Exercise


def _smoothed(epsilon: float, prior: list[float], label: int) -> np.ndarray:
    target = epsilon * np.array(prior)
    target[label] += 1 - epsilon
    return target


def _entropy(target: np.ndarray) -> float:
    target = target[target > 0]
    return float(-(target * np.log(target)).sum())


def _settled_loss(epsilon: float, prior: list[float], label: int) -> float:
    q = torch.tensor(_smoothed(epsilon, prior, label))[None]
    return F.cross_entropy(q.clamp(min=1e-300).log(), q).item() + 0.0  # the logits ln q' are best; 0.0, never -0.0


def _with_zeros(epsilon: float, prior: list[float], label: int) -> float:
    target = _smoothed(epsilon, prior, label)
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(-(target * np.log(target)).sum())


def _without_prior_of_label(epsilon: float, prior: list[float], label: int) -> float:
    target = epsilon * np.array(prior)
    target[label] = 1 - epsilon
    return _entropy(target)


def _where_prior(epsilon: float, prior: list[float], label: int) -> float:
    target = _smoothed(epsilon, prior, label)
    return _entropy(target[np.array(prior) > 0])


def _of_first_class(epsilon: float, prior: list[float], label: int) -> float:
    return _entropy(_smoothed(epsilon, prior, 0))


least_loss = Exercise(
    name="least-loss",
    difficulty="easy",
    minutes=5,
    hints=(
        "For which p is H(q', p) = -Σ q'(k) ln p(k) least, if q' is given?",
        "For p = q'. What is left then is the entropy of q'.",
        "q' is epsilon · prior, with 1 - epsilon more for the label. Sum -q' ln q' over the classes with q' above 0.",
    ),
    reference=_settled_loss,
    cases=[
        (0.0, [0.5, 0.5], 1),
        (0.5, [0.5, 0.5], 0),
        (0.3, [0.5, 0.3, 0.2], 2),
        (0.2, [0.5, 0.5, 0.0], 0),
        (0.2, [0.5, 0.0, 0.5], 1),
        (0.1, [0.1] * 10, 0),
        (0.1, [0.001] * 1000, 7),
    ],
    mistakes={
        "With smoothed labels the loss never reaches 0.": lambda epsilon, prior, label: 0.0,
        "A class whose target is 0 adds 0; 0 · ln 0 is not a number.": _with_zeros,
        "Left out is a class whose target is 0; one whose prior is 0 may still be the label.": _where_prior,
        "The label gets its share of the prior besides 1 - epsilon.": _without_prior_of_label,
        "Nats are asked for: the natural logarithm, not the binary one.": lambda *case: (
            _entropy(_smoothed(*case)) / float(np.log(2))
        ),
        "All classes with a target count, not the label alone.": lambda epsilon, prior, label: float(
            -np.log(_smoothed(epsilon, prior, label)[label])
        ),
        "The sign is wrong: a loss is not negative.": lambda *case: -_entropy(_smoothed(*case)),
        "The prior need not be uniform.": lambda epsilon, prior, label: _entropy(
            _smoothed(epsilon, [1 / len(prior)] * len(prior), label)
        ),
        "The label is the class that gets 1 - epsilon, not class 0.": _of_first_class,
    },
)


Mixed = tuple[Tensor, Tensor]


def _mixup(images: Tensor, labels: Tensor, order: Tensor, share: float, num_classes: int) -> Mixed:
    return mix(images, order, share), mix(F.one_hot(labels, num_classes).to(images.dtype), order, share)


def _mixup_with(
    of_images: Callable[[Tensor, Tensor, float], Tensor] = mix,
    of_labels: Callable[[Tensor, Tensor, float], Tensor] = mix,
) -> Callable[..., Mixed]:
    def mixup(images: Tensor, labels: Tensor, order: Tensor, share: float, num_classes: int) -> Mixed:
        one_hot = F.one_hot(labels, num_classes).to(images.dtype)
        return of_images(images, order, share), of_labels(one_hot, order, share)

    return mixup


def _other_way_round(values: Tensor, order: Tensor, share: float) -> Tensor:
    return mix(values, order, 1 - share)


def _sum(values: Tensor, order: Tensor, share: float) -> Tensor:
    return values + values[order]


def _backwards(values: Tensor, order: Tensor, share: float) -> Tensor:
    return mix(values, order.argsort(), share)


def _numbers_of_classes(images: Tensor, labels: Tensor, order: Tensor, share: float, num_classes: int) -> Mixed:
    return mix(images, order, share), mix(labels.to(images.dtype), order, share)


def _larger_label(values: Tensor, order: Tensor, share: float) -> Tensor:
    return values if share >= 0.5 else values[order]


def _flattened(values: Tensor, order: Tensor, share: float) -> Tensor:
    return mix(values.flatten(1), order, share)


_IMAGES = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 4.0]], dtype=torch.float64)

mixup = Exercise(
    name="mixup",
    difficulty="easy",
    minutes=10,
    hints=(
        "Which image stands beside image i? And which label beside label i?",
        "images[order] puts the partners beside the images. Class numbers cannot be averaged: what can?",
        "share · x + (1 - share) · x[order], once with x = images, once with x = F.one_hot(labels, num_classes).",
    ),
    reference=_mixup,
    cases=[
        (_IMAGES, torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2]), 0.75, 3),
        (_IMAGES, torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]), 0.75, 3),
        (_IMAGES, torch.tensor([0, 1, 0]), torch.tensor([2, 0, 1]), 0.25, 4),
        (_IMAGES, torch.tensor([3, 3, 1]), torch.tensor([2, 1, 0]), 1.0, 5),
        (torch.arange(24.0).reshape(3, 2, 2, 2), torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0]), 0.75, 3),
    ],
    mistakes={
        "The images are mixed, but their labels are not.": _mixup_with(of_labels=lambda values, order, share: values),
        "The labels are mixed, but the images are not.": _mixup_with(of_images=lambda values, order, share: values),
        "Image and label need the same share; the label has it the other way round.": _mixup_with(
            of_labels=_other_way_round
        ),
        "The share belongs to the row itself, 1 - share to its partner; here it is the other way round.": _mixup_with(
            _other_way_round, _other_way_round
        ),
        "Class numbers cannot be averaged: half of class 0 and half of class 4 is not class 2.": _numbers_of_classes,
        "The partner of row i is row order[i]; here it is the row that has i as its partner.": _mixup_with(
            _backwards, _backwards
        ),
        "The weights of the two images add up to 1.": _mixup_with(of_images=_sum),
        "The images keep their shape, (N, C, H, W) as well as (N, features).": _mixup_with(of_images=_flattened),
        "Only the larger part's label is kept; the other one has its share, too.": _mixup_with(of_labels=_larger_label),
    },
)
