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
        "Round up, not to the nearest whole number.": lambda d, e: e * round(_falls(d)),
        "That is the last epoch above the half; the first at or below it is meant.": lambda d, e: (
            e * math.ceil(_falls(d)) - 1
        ),
        "An epoch is a whole number, and the rate falls in steps.": lambda d, e: e * _falls(d),
        "A rate that is exactly half counts, too: half, or less.": lambda d, e: e * (math.floor(_falls(d)) + 1),
        "The rate is multiplied by decay; it does not fall by the same amount each time.": lambda d, e: (
            e * math.ceil(0.5 / (1 - d))
        ),
    },
)


def _of_recipe(epoch: float, epochs: int, warmup: float) -> float:
    recipe = Recipe(epochs=epochs, learning_rate=1.0, schedule="cosine", warmup_epochs=warmup)
    return recipe.learning_rate_at(epoch)


def _cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


def _rising(epoch: float, warmup: float) -> float:
    return epoch / warmup if warmup else 1.0


def _warmed(
    before: Callable[[float, int, float], float], after: Callable[[float, int, float], float]
) -> Callable[[float, int, float], float]:
    """What holds before the end of the warm-up, and what after it."""
    return lambda epoch, epochs, warmup: (before if epoch < warmup else after)(epoch, epochs, warmup)


def _rest(epoch: float, epochs: int, warmup: float) -> float:
    return _cosine((epoch - warmup) / (epochs - warmup))


warmed_up = Exercise(
    name="warmed-up",
    difficulty="medium",
    minutes=10,
    hints=(
        "Two pieces: what is the rate while it rises, and when does the other piece begin?",
        "In the warm-up it is epoch / warmup of the peak. The cosine then has epochs - warmup epochs left.",
        "After the warm-up: (1 + cos(π · (epoch - warmup) / (epochs - warmup))) / 2.",
    ),
    reference=_of_recipe,
    cases=[(0.0, 10, 0.0), (5.0, 10, 0.0), (1.0, 10, 2.0), (2.0, 10, 2.0), (6.0, 10, 2.0), (10.0, 10, 2.0)],
    random_case=lambda rng: (rng.uniform(0, 20), 20, rng.uniform(0.5, 10)),
    mistakes={
        "The cosine starts when the warm-up ends, not at epoch 0.": _warmed(
            lambda e, n, w: _rising(e, w), lambda e, n, w: _cosine(e / n)
        ),
        "The cosine has epochs - warmup epochs, and ends with the run.": _warmed(
            lambda e, n, w: _rising(e, w), lambda e, n, w: _cosine((e - w) / n)
        ),
        "The warm-up is missing.": lambda e, n, w: _cosine(e / n),
        "In the warm-up the rate rises; it does not stand at 0.": _warmed(lambda e, n, w: 0.0, _rest),
        "In the warm-up the rate rises; it does not stand at the peak.": _warmed(lambda e, n, w: 1.0, _rest),
        "The cosine goes from 1 to 0: half of 1 + cos.": _warmed(
            lambda e, n, w: _rising(e, w), lambda e, n, w: math.cos(math.pi * (e - w) / (n - w))
        ),
        "The cosine goes through half a turn, π, not through a quarter.": _warmed(
            lambda e, n, w: _rising(e, w), lambda e, n, w: math.cos(math.pi / 2 * (e - w) / (n - w))
        ),
        "The cosine falls: 1 + cos, not 1 - cos.": _warmed(
            lambda e, n, w: _rising(e, w), lambda e, n, w: 1 - _rest(e, n, w)
        ),
        "The rate rises to the peak in `warmup` epochs, not in all of them.": _warmed(lambda e, n, w: e / n, _rest),
        "After the warm-up it is a cosine, not a straight line.": _warmed(
            lambda e, n, w: _rising(e, w), lambda e, n, w: 1 - (e - w) / (n - w)
        ),
    },
)

Gradients = list[list[float]]


def _norm(values: list[float]) -> float:
    return math.sqrt(sum(value**2 for value in values))


def _scaled(gradients: Gradients, factor: float) -> Gradients:
    return [[factor * value for value in gradient] for gradient in gradients]


def _clipping(
    size: Callable[[Gradients], float], factor: Callable[[float, float], float] = lambda norm, most: min(1, most / norm)
) -> Callable[[Gradients, float], Gradients]:
    """All gradients times a factor that follows from their size."""

    def clip(gradients: Gradients, largest: float) -> Gradients:
        norm = size(gradients)
        return _scaled(gradients, factor(norm, largest) if norm else 1.0)

    return clip


def _whole(gradients: Gradients) -> float:
    return _norm([value for gradient in gradients for value in gradient])


def _by_torch(gradients: Gradients, largest: float) -> Gradients:
    parameters = [nn.Parameter(torch.zeros(len(gradient), dtype=torch.float64)) for gradient in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = torch.tensor(gradient, dtype=torch.float64)
    nn.utils.clip_grad_norm_(parameters, largest)
    return [parameter.grad.tolist() for parameter in parameters]


def broken_clip(gradients: Gradients, largest: float) -> Gradients:
    """Clipping with a bug; the exercise asks for it."""
    clipped = []
    for gradient in gradients:
        norm = math.sqrt(sum(value**2 for value in gradient))
        clipped.append([value * min(1, largest / norm) if norm else 0.0 for value in gradient])
    return clipped


def _in_place(gradients: Gradients, largest: float) -> Gradients:
    factor = min(1, largest / (_whole(gradients) or 1))
    for gradient in gradients:
        gradient[:] = [factor * value for value in gradient]
    return gradients


clip_together = Exercise(
    name="clip-together",
    difficulty="medium",
    minutes=10,
    hints=(
        "Clip [[3.0], [0.1]] at 2 with the broken function. Does the result point where the gradient pointed?",
        "The norm is that of all values of all layers together; all are then multiplied by one and the same factor.",
        "Add up the squares in a first pass, take the root, and multiply by min(1, largest / norm) in a second.",
    ),
    reference=_by_torch,
    cases=[
        ([[3.0, 4.0]], 2.0),
        ([[0.3], [0.4]], 2.0),
        ([[3.0], [4.0]], 2.0),
        ([[0.0], [0.0]], 2.0),
        ([[3.0, 0.0], [0.1]], 1.0),
        ([[1.5], [1.5]], 2.0),
    ],
    random_case=lambda rng: (
        [[rng.gauss(0, 2) for _ in range(rng.randint(1, 4))] for _ in range(rng.randint(2, 4))],
        rng.uniform(0.5, 3),
    ),
    mistakes={
        "Each layer is clipped by itself, and the direction of the whole is lost: that is the bug.": broken_clip,
        "Each value is cut off by itself; the norm of all together is meant.": lambda g, most: [
            [max(-most, min(most, value)) for value in gradient] for gradient in g
        ],
        "A gradient that is short enough stays as it is.": _clipping(_whole, lambda norm, most: most / norm),
        "The norm of all is not the sum of the layers' norms.": _clipping(lambda g: sum(map(_norm, g))),
        "The root of the sum of squares is missing.": _clipping(lambda g: _whole(g) ** 2),
        "The norm is the root of the sum of squares, not the sum of sizes.": _clipping(
            lambda g: sum(abs(value) for gradient in g for value in gradient)
        ),
        "The norm is the root of the sum of squares, not the largest size.": _clipping(
            lambda g: max(abs(value) for gradient in g for value in gradient)
        ),
        "The norm is the root of the sum of squares, not of their mean.": _clipping(
            lambda g: _whole(g) / math.sqrt(sum(map(len, g)))
        ),
        "All layers get one factor, also those that are short enough by themselves.": lambda g, most: [
            [value * min(1, most / _whole(g)) if _norm(gradient) > most else value for value in gradient]
            for gradient in g
        ],
        "The norm of all is more than that of the largest layer.": _clipping(lambda g: max(map(_norm, g))),
        "The norm must become `largest`, not 1.": _clipping(
            _whole, lambda norm, most: 1 / norm if norm > most else 1.0
        ),
        "The gradients that were given are changed.": _in_place,
    },
)

_VALLEYS = (np.array([1.0, 25.0]), np.array([25.0, 1.0]))
WAY, REST, NEAR = 25, 60, 0.01
"""The step from which, and that until which, an optimizer has to be so near the minimum."""
_AWAY = "the path leads away from the minimum: a rate above its limit, or a wrong sign"
_SLOW = f"after {WAY} steps it is still too far away: faster along the floor of the valley"
_RESTLESS = f"it swings about the minimum until step {REST}: shorter steps near it, or a shorter memory"
_ONE_VALLEY = "it works in one valley only: a step must not know beforehand which direction is steep"
_SHAPE = "a step is an array of two numbers, one for each of the gradient's"


def _distances(step: Callable, curvature: np.ndarray) -> np.ndarray | None:
    """Distance to the minimum after each step; None if a step has another shape."""
    place, memory = np.array([-4.0, 1.0] if curvature[1] > curvature[0] else [1.0, -4.0]), {}
    distances = [np.linalg.norm(place)]
    for _ in range(REST):
        change = step(curvature * place, memory)
        if np.shape(change) != (2,):
            return None
        place = place - np.asarray(change, dtype=float)
        distances.append(np.linalg.norm(place))
    return np.array(distances)


def _judge_step(step: object) -> str | None:
    """None if the optimizer comes down both valleys, else what is wrong."""
    if not callable(step):
        return "a function of a gradient and a memory is expected"
    ways = [_distances(step, curvature) for curvature in _VALLEYS]
    if any(way is None for way in ways):
        return _SHAPE
    arrived = [way[WAY:].max() <= NEAR for way in ways]
    if all(arrived):
        return None
    if any(arrived):
        return _ONE_VALLEY
    if not all(way[-1] < way[0] for way in ways):
        return _AWAY
    return _RESTLESS if all(_swings(way) for way in ways) else _SLOW


def _swings(distances: np.ndarray) -> bool:
    """Whether the last distances often fail to fall."""
    last = distances[-20:]
    return np.count_nonzero(last[1:] > 0.9999 * last[:-1]) >= 5


def _rms_step(rate: float) -> Callable:
    def step(gradient: np.ndarray, memory: dict) -> np.ndarray:
        memory["square"] = 0.9 * memory.get("square", 0) + 0.1 * gradient**2
        return rate * gradient / (np.sqrt(memory["square"]) + 1e-8)

    return step


own_step = Exercise(
    name="own-step",
    difficulty="harder",
    minutes=20,
    hints=(
        "Momentum with 0.9 overshoots far. How long does it remember, and what would a shorter memory do?",
        "A shorter memory bears, and needs, a larger rate: the limit is 2 · (1 + keep) / 25.",
        "For curvatures 1 to 25, theory's best keep is ((5 - 1) / (5 + 1))² = 0.44, its rate (2 / (5 + 1))² = 0.11.",
    ),
    judge=_judge_step,
    mistakes={
        "a function of a gradient and a memory is expected": 0.1,
        _SHAPE: lambda gradient, memory: float(gradient.sum()),
        _AWAY: lambda gradient, memory: -0.07 * gradient,
        _SLOW: lambda gradient, memory: 0.07 * gradient,
        _RESTLESS: _rms_step(0.3),
        _ONE_VALLEY: lambda gradient, memory: gradient / _VALLEYS[0],
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
    before: bool = False,
    corrected_kept: bool = False,
    sign: float = -1.0,
) -> Callable[[list[float], float], list[float]]:
    """Adam with one thing changed."""

    def weights(gradients: list[float], rate: float) -> list[float]:
        weight, mean, square, shown = 0.0, 0.0, 0.0, []
        for t, gradient in enumerate(gradients, start=1):
            mean, square = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient**2
            m = mean / (1 - b1**t) if correct[0] else mean
            v = square / (1 - b2**t) if correct[1] else square
            if corrected_kept:
                mean, square = m, v
            step = sign * rate * m / root(v)
            shown.append(step if steps else weight + step * (not before))
            weight += step
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
        "m and v themselves stay uncorrected; the corrected ones serve one step only.": _adam(corrected_kept=True),
        "The first number is the weight after the first gradient, not before it.": _adam(before=True),
        "b1 and b2 are exchanged.": _adam(b1=0.999, b2=0.9),
        "The weight moves against the gradient.": _adam(sign=1.0),
        "Those are the steps; the weight is their sum.": _adam(steps=True),
        "The root of v is missing.": _adam(root=lambda v: v + 1e-8),
        "There is no momentum: m is the running mean of the gradients, not the last one.": _adam(b1=0.0),
    },
)
