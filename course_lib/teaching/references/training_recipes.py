"""Exercises of the lesson on training recipes."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from course_lib.recipes import Recipe
from course_lib.teaching.exercises import Exercise


def _half_life_by_trial(decay: float, decay_epochs: int) -> int:
    recipe = Recipe(epochs=10_000, schedule="steps", decay=decay, decay_epochs=decay_epochs, warmup_epochs=0)
    return next(epoch for epoch in range(10_000) if recipe.learning_rate_at(epoch) <= recipe.learning_rate / 2)


def _falls(decay: float) -> float:
    return math.log(0.5) / math.log(decay)


half_life = Exercise(
    name="half-life",
    difficulty="easy",
    minutes=5,
    hints=(
        "How often must a rate be multiplied by 0.94 until it is half or less? Try it with a loop.",
        "decay^n is at most 1/2 from n = ln(1/2) / ln(decay) on. n is whole.",
        "The n-th fall comes after n · decay_epochs epochs; round n up before you multiply.",
    ),
    reference=_half_life_by_trial,
    # Powers of two have no rounding error: with them the rate falls to exactly the half.
    cases=[(0.1, 1), (0.5, 2), (0.1, 30), (0.94, 2), (0.96, 8)],
    random_case=lambda rng: (rng.uniform(0.05, 0.99), rng.randint(1, 20)),
    mistakes={
        "That is the number of falls; each comes after decay_epochs epochs.": lambda d, e: math.ceil(_falls(d)),
        "The rate falls in steps: round the number of falls up, then multiply.": lambda d, e: math.ceil(e * _falls(d)),
        "After so many falls the rate is still above the half: round up.": lambda d, e: e * math.floor(_falls(d)),
        "An epoch is a whole number, and the rate falls in steps.": lambda d, e: e * _falls(d),
        "A rate that is exactly half counts, too: half, or less.": lambda d, e: e * (math.floor(_falls(d)) + 1),
        "The rate is multiplied by decay; it does not fall by the same amount each time.": lambda d, e: (
            e * math.ceil(0.5 / (1 - d))
        ),
    },
)


def _from_differences(shown: list[float]) -> list[float]:
    return np.diff(np.array(shown) * np.arange(1, len(shown) + 1), prepend=0.0).tolist()


def _undone(count: Callable[[int], int]) -> Callable[[list[float]], list[float]]:
    """The right way with another number of steps in the sum at each place."""

    def values(shown: list[float]) -> list[float]:
        sums = [mean * count(step) for step, mean in enumerate(shown)]
        return [end - start for start, end in zip([0.0, *sums[:-1]], sums, strict=True)]

    return values


def _means(shown: list[float]) -> list[float]:
    return [sum(shown[: end + 1]) / (end + 1) for end in range(len(shown))]


def _sums(shown: list[float]) -> list[float]:
    return [mean * step for step, mean in enumerate(shown, start=1)]


def _in_place(shown: list[float]) -> list[float]:
    for step in reversed(range(1, len(shown))):
        shown[step] = shown[step] * (step + 1) - shown[step - 1] * step
    return shown


single_values = Exercise(
    name="single-values",
    difficulty="medium",
    minutes=10,
    hints=(
        "The bar shows 2.0 after the first step and 1.5 after the second. What was the second value?",
        "The mean times the number of steps is the sum so far: 2.0, then 3.0.",
        "Each value is the sum at its step less the sum at the step before it; the first is the sum itself.",
    ),
    reference=_from_differences,
    cases=[([2.0],), ([2.0, 1.5],), ([2.0, 1.5, 1.0],)],
    random_case=lambda rng: ([rng.uniform(0, 3) for _ in range(rng.randint(2, 30))],),
    atol=1e-6,
    mistakes={
        "That is what the bar showed, unchanged.": lambda shown: list(shown),
        "That is the difference of two means; take that of two sums.": lambda shown: _undone(lambda step: 1)(shown),
        "After the first step one value is in the mean, not none: step counts from 0.": _undone(lambda step: step),
        "That averages once more, in place of undoing it.": _means,
        "Those are the sums; a value is the difference of two of them.": _sums,
        "The first value is missing.": lambda shown: _undone(lambda step: step + 1)(shown)[1:],
        "The list that was given is changed.": _in_place,
    },
)


def _adam_of_torch(gradients: list[float], rate: float) -> list[float]:
    weight = nn.Parameter(torch.zeros((), dtype=torch.float64))
    optimizer, weights = torch.optim.Adam([weight], lr=rate), []
    for gradient in gradients:
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        optimizer.step()
        weights.append(weight.item())
    return weights


def _adam(
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    correct: tuple[bool, bool] = (True, True),
    root: Callable[[float], float] = lambda v: math.sqrt(v) + 1e-8,
    steps: bool = False,
    sign: float = -1.0,
) -> Callable[[list[float], float], list[float]]:
    """Adam with one thing changed."""

    def weights(gradients: list[float], rate: float) -> list[float]:
        weight, mean, square, shown = 0.0, 0.0, 0.0, []
        for t, gradient in enumerate(gradients, start=1):
            mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient**2
            m = mean / (1 - b1**t) if correct[0] else mean
            v = square / (1 - b2**t) if correct[1] else square
            step = sign * rate * m / root(v)
            weight += step
            shown.append(step if steps else weight)
        return shown

    return weights


adam = Exercise(
    name="adam",
    difficulty="harder",
    minutes=15,
    hints=(
        "Which numbers must be kept from one step to the next? There are three, and the count of the steps.",
        (
            "Count t from 1, not from 0: 1 - b1ᵗ would be 0. m and v themselves stay uncorrected; the corrected "
            "ones serve the step only."
        ),
        (
            "In a loop over enumerate(gradients, start=1): new m, new v, weight -= rate · m/(1 - b1ᵗ) / (√(v/(1 "
            "- b2ᵗ)) + ε), append the weight."
        ),
    ),
    reference=_adam_of_torch,
    # A gradient as small as epsilon shows whether and where that is added.
    cases=[([1.0], 0.1), ([1e-8], 0.1), ([1.0, 1.0], 0.1), ([1.0, -1.0], 0.1), ([0.01, -2.0, 3.0], 0.001)],
    random_case=lambda rng: ([rng.gauss(0, 1) for _ in range(rng.randint(1, 20))], rng.uniform(0.001, 0.1)),
    atol=1e-7,
    mistakes={
        "ε is missing: a gradient as small as ε shows it.": _adam(root=math.sqrt),
        "ε is added to the root, not under it.": _adam(root=lambda v: math.sqrt(v + 1e-8)),
        "Neither m nor v is corrected for its start at zero.": _adam(correct=(False, False)),
        "v is not corrected for its start at zero.": _adam(correct=(True, False)),
        "m is not corrected for its start at zero.": _adam(correct=(False, True)),
        "b1 and b2 are exchanged.": _adam(b1=0.999, b2=0.9),
        "The weight moves against the gradient.": _adam(sign=1.0),
        "Those are the steps; the weight is their sum.": _adam(steps=True),
        "The root of v is missing.": _adam(root=lambda v: v + 1e-8),
        "There is no momentum: m is the running mean of the gradients, not the last one.": _adam(b1=0.0),
    },
)
