"""Smoothed labels against a prediction, class by class (v3 paper, section 7): the pure part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Prior = Literal["uniform", "frequencies", "confusable"]

SHOWN = ("Shirt", "T-shirt/top", "Pullover", "Coat")
"""The classes shown one by one; the first is the image's label. All others are alike and shown as one."""
MIN_CLASSES = len(SHOWN) + 1
# Shares of the training images when some classes are common: so many times one of the others, Shirt first.
FREQUENCIES = (2, 8, 4, 1)
# What a person would take a shirt for; the label itself gets nothing, the classes not shown share what is left.
CONFUSABLE = (0.0, 0.4, 0.3, 0.2)


@dataclass(frozen=True)
class ClassRow:
    """One class, or all that are not shown together.

    Attributes:
        name: of the class; of the others, how many they are.
        count: classes in this row.
        logit: of each class in the row.
        target: q' of the row, 0 to 1.
        probability: p of the row, 0 to 1.
        best_logit: of each class where the loss is least, if the others' is 0; -inf or inf where there is none.
    """

    name: str
    count: int
    logit: float
    target: float
    probability: float
    best_logit: float

    @property
    def gradient(self) -> float:
        """Of the loss by the row's logits, summed: p - q'."""
        return self.probability - self.target


@dataclass(frozen=True)
class LabelSmoothing:
    """One image's smoothed label, a prediction for it, and what the loss says. Losses are in nats.

    Attributes:
        label_loss: H(q, p), the cross-entropy against the label alone.
        prior_loss: H(u, p), the cross-entropy against the prior.
        least_loss: H(q'), which no logits undercut.
        gap: logit of the label minus the mean logit of all other classes.
        best_gap: the same where the loss is least; infinite where a target is 0.
    """

    epsilon: float
    num_classes: int
    prior: Prior
    rows: tuple[ClassRow, ...]
    label_loss: float
    prior_loss: float
    least_loss: float
    gap: float
    best_gap: float

    @property
    def loss(self) -> float:
        """H(q', p) = (1 - epsilon) H(q, p) + epsilon H(u, p)."""
        return (1 - self.epsilon) * self.label_loss + self.epsilon * self.prior_loss

    @property
    def summary(self) -> str:
        """The result in a few sentences."""
        label, prior = self.rows[0], {"uniform": "uniform", "frequencies": "class frequencies"}.get(self.prior)
        want = "no gap is large enough" if math.isinf(self.best_gap) else f"the best gap is {self.best_gap:.3f}"
        pull = "up" if label.gradient < 0 else "down"
        logits = ", ".join(f"{row.logit:g}" for row in self.rows[:-1])
        return (
            f"epsilon {self.epsilon:g}, {self.num_classes:,} classes, prior {prior or 'confusable neighbours'}, logits "
            f"{logits} and 0 for the others: the label {label.name} has target {label.target:.4f} and probability "
            f"{label.probability:.4f}, so its logit is pulled {pull} (gradient {label.gradient:+.4f}). Loss "
            f"{self.loss:.4f}, least possible {self.least_loss:.4f}; logit gap {self.gap:.3f}, {want}."
        )


def smooth_label(epsilon: float, num_classes: int, prior: Prior, logits: Sequence[float]) -> LabelSmoothing:
    """The smoothed label q' = (1 - epsilon) one-hot + epsilon u against p = softmax(logits).

    Args:
        epsilon: weight of the prior u, in [0, 1).
        num_classes: K, at least `MIN_CLASSES`.
        prior: "uniform"; "frequencies", some of the classes shown being common; or "confusable", 90 % of u on the
            classes most like the label.
        logits: one for each of `SHOWN`, finite. All other classes have 0: only differences of logits matter.

    Raises:
        ValueError: an argument is outside its range; the message names it.
    """
    _check(epsilon, num_classes, prior, logits)
    counts = (*[1] * len(SHOWN), num_classes - len(SHOWN))
    each = (*map(float, logits), 0.0)
    highest = max(each)
    log_sum = highest + math.log(sum(n * math.exp(z - highest) for n, z in zip(counts, each, strict=True)))
    log_p = [z - log_sum for z in each]
    u = prior_of(prior, num_classes)
    q = [(1 - epsilon) * (index == 0) + epsilon * share for index, share in enumerate(u)]  # of each row in all
    log_q = [math.log(share) - math.log(n) if share else -math.inf for share, n in zip(q, counts, strict=True)]
    # ln q' of each class, moved so that the others have 0; without a target for the others there is no such place.
    best = [value - log_q[-1] if q[-1] else (math.inf if share else 0.0) for value, share in zip(log_q, q, strict=True)]
    names = (*SHOWN, f"{counts[-1]:,} others")
    probabilities = [n * math.exp(value) for n, value in zip(counts, log_p, strict=True)]
    return LabelSmoothing(
        epsilon,
        num_classes,
        prior,
        tuple(ClassRow(*row) for row in zip(names, counts, each, q, probabilities, best, strict=True)),
        label_loss=-log_p[0],
        prior_loss=-sum(share * value for share, value in zip(u, log_p, strict=True)),
        least_loss=0.0 - sum(share * value for share, value in zip(q, log_q, strict=True) if share),
        gap=_gap(each, counts),
        best_gap=_gap(log_q, counts) if all(q) else math.inf,
    )


def prior_of(prior: Prior, num_classes: int) -> tuple[float, ...]:
    """u of each of `SHOWN`, then of all other classes together; sums to 1."""
    others = num_classes - len(SHOWN)
    if prior == "confusable":
        return (*CONFUSABLE, 1 - sum(CONFUSABLE))
    weights = (*FREQUENCIES, others) if prior == "frequencies" else (*[1] * len(SHOWN), others)
    return tuple(weight / sum(weights) for weight in weights)


def _gap(each: Sequence[float], counts: Sequence[int]) -> float:
    """The first class's value minus the mean over the other classes."""
    return each[0] - sum(n * value for n, value in zip(counts[1:], each[1:], strict=True)) / sum(counts[1:])


def _check(epsilon: float, num_classes: int, prior: str, logits: Sequence[float]) -> None:
    if not 0 <= epsilon < 1:
        raise ValueError(f"epsilon is {epsilon!r}; it must be a number from 0 to below 1, such as 0.1.")
    if num_classes < MIN_CLASSES:
        raise ValueError(f"num_classes is {num_classes!r}; it must be at least {MIN_CLASSES}, such as 10.")
    if prior not in ("uniform", "frequencies", "confusable"):
        raise ValueError(f"prior is {prior!r}; it must be 'uniform', 'frequencies' or 'confusable'.")
    if len(logits) != len(SHOWN) or not all(map(math.isfinite, logits)):
        raise ValueError(f"logits are {tuple(logits)}; give {len(SHOWN)} finite numbers, one for each class shown.")
