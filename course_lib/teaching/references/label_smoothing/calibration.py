"""Exercises on calibration: a temperature to be found, and a colleague's calibration error to be mended."""

import random
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from course_lib.teaching.exercises import Exercise

_CLASSES = 10


def _temperature_by_search(logits: Tensor, labels: Tensor) -> float:
    # The loss has one valley in 1/T: cut away the worse third until little is left.
    low, high = np.log(0.05), np.log(20)
    while high - low > 1e-4:
        left, right = low + (high - low) / 3, high - (high - low) / 3
        better_left = F.cross_entropy(logits / np.exp(left), labels) < F.cross_entropy(logits / np.exp(right), labels)
        low, high = (low, right) if better_left else (left, high)
    return float(np.exp((low + high) / 2))


def _images(spread: float, factor: float) -> tuple[Tensor, Tensor]:
    """Logits of 200 images and labels drawn with their probabilities; `factor` times these logits are returned.

    So the best temperature is about `factor`, whatever the `spread` of the logits is.
    """
    generator = torch.Generator().manual_seed(0)
    logits = spread * torch.randn(200, _CLASSES, generator=generator, dtype=torch.float64)
    return factor * logits, logits.softmax(1).multinomial(1, generator=generator).squeeze(1)


def _best_of(candidates: np.ndarray, score: Callable[[Tensor, Tensor], float]) -> Callable[[Tensor, Tensor], float]:
    return lambda z, y: float(candidates[int(np.argmin([score(z / t, y) for t in candidates]))])


def _cross_entropy(logits: Tensor, labels: Tensor) -> float:
    return F.cross_entropy(logits, labels).item()


_GRID = np.geomspace(0.05, 20, 401)

best_temperature = Exercise(
    name="temperature",
    difficulty="harder",
    minutes=15,
    hints=(
        (
            "How does the cross-entropy of logits / T depend on T? Compute it for T = 0.5, 1 and 2 on the logits "
            "of the lesson."
        ),
        "It has one valley. The simplest search tries many T and takes the best; how far apart may they stand for 1 %?",
        "np.geomspace(0.05, 20, 1201) steps by half a per cent; np.argmin of the list of losses finds the best.",
    ),
    reference=_temperature_by_search,
    cases=[_images(*case) for case in ((2, 1), (2, 3), (2, 0.4), (1, 1), (2, 12), (2, 0.08))],
    rtol=0.01,
    mistakes={
        "That is 1 / T: logits are divided by the temperature.": lambda z, y: 1 / _best_of(_GRID, _cross_entropy)(z, y),
        "That is always 1, the temperature of logits left as they are.": lambda z, y: 1.0,
        "That tries temperatures too far apart for 1 %.": _best_of(np.geomspace(0.05, 20, 12), _cross_entropy),
        "The search ends before 0.05 or 20: the best temperature can lie near either.": _best_of(
            np.geomspace(0.2, 5, 401), _cross_entropy
        ),
        "That reads the temperature off the size of the logits; what counts is whether the labels bear them out.": (
            lambda z, y: z.std().item() / 2
        ),
        "The temperatures are to step by ratios: even steps are too far apart among the small ones.": _best_of(
            np.linspace(0.05, 20, 400), _cross_entropy
        ),
        "That looks for temperatures above 1 only; under-confident logits need less.": _best_of(
            np.geomspace(1, 20, 401), _cross_entropy
        ),
        "That looks for temperatures up to 1 only; over-confident logits need more.": _best_of(
            np.geomspace(0.05, 1, 401), _cross_entropy
        ),
        "A temperature changes no prediction, so the error rate cannot choose it.": _best_of(
            _GRID, lambda z, y: (z.argmax(1) != y).double().mean().item()
        ),
        "That is the least loss itself, not the temperature at which it is reached.": lambda z, y: min(
            _cross_entropy(z / t, y) for t in _GRID
        ),
    },
)


def colleagues_error(confidence: list[float], right: list[bool], bins: int) -> float:
    """A calibration error with one line that is wrong: it averages over bins, not over images."""
    sure, correct = np.array(confidence), np.array(right)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    errors = []
    for number in set(place.tolist()):
        inside = place == number
        errors.append(abs(correct[inside].mean() - sure[inside].mean()))
    return float(np.mean(errors))


def _calibration(
    size: Callable[[float], float] = abs,
    bin_of: Callable[[np.ndarray, int], np.ndarray] = lambda sure, bins: np.minimum(
        (sure * bins).astype(int), bins - 1
    ),
    divide_by: Callable[[int, int], float] = lambda images, bins: images,
) -> Callable[[list[float], list[bool], int], float]:
    """The expected calibration error, with one part of it exchangeable."""

    def error(confidence: list[float], right: list[bool], bins: int) -> float:
        sure, correct = np.array(confidence), np.array(right, dtype=float)
        place = bin_of(sure, bins)
        parts = [
            (place == number).sum() * size(correct[place == number].mean() - sure[place == number].mean())
            for number in set(place.tolist())
        ]
        return float(sum(parts) / divide_by(len(sure), bins))

    return error


def _of_images(confidence: list[float], right: list[bool], bins: int) -> float:
    return float(np.abs(np.array(right) - np.array(confidence)).mean())


def _largest(confidence: list[float], right: list[bool], bins: int) -> float:
    sure, correct = np.array(confidence), np.array(right)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    return max(
        float(abs(correct[place == number].mean() - sure[place == number].mean())) for number in set(place.tolist())
    )


def _first_in(confidence: list[float], right: list[bool], bins: int) -> float:
    """An image that is entirely sure falls out of the last bin."""
    kept = [(sure, correct) for sure, correct in zip(confidence, right, strict=True) if sure < 1]
    if not kept:
        return 0.0
    return _calibration(divide_by=lambda images, bins: len(confidence))(*map(list, zip(*kept, strict=True)), bins)


def _random_images(generator: random.Random) -> tuple[list[float], list[bool], int]:
    count = generator.randint(3, 12)
    # Never on the border of two bins, for the text does not say to which of them it belongs.
    sure = [(generator.randint(100, 994) + 0.5) / 1000 for _ in range(count)]
    return sure, [generator.random() < value for value in sure], generator.choice([2, 5, 15])


mend_calibration_error = Exercise(
    name="colleagues-error",
    difficulty="medium",
    minutes=10,
    hints=(
        "Two bins: one with a hundred images and the error 0, one with a single image and the error 0.9. What is the "
        "error of the whole?",
        "The definition weights a bin's error by its share of the images. What does np.mean of the errors weight by?",
        "Multiply each bin's error by inside.mean(), its share of the images, and sum up instead of averaging.",
    ),
    reference=_calibration(),
    cases=[
        ([0.75], [True], 2),
        ([0.75, 0.75, 0.75, 0.75], [True, True, True, False], 2),
        ([0.75, 0.75, 0.25], [True, True, False], 2),
        ([0.6, 0.9], [False, True], 2),
        ([1.0, 1.0, 0.3], [True, False, True], 5),
    ],
    random_case=_random_images,
    mistakes={
        "A bin with one image counts as much as a bin with many: weight the error of each by its images.": (
            colleagues_error
        ),
        "The sign is kept, so bins above and bins below the diagonal cancel out.": _calibration(size=lambda gap: gap),
        "Errors are to be taken as they are, not squared.": _calibration(size=lambda gap: gap * gap),
        "That compares each image with itself; an accuracy needs all images of a bin.": _of_images,
        "With one bin for all images, too much in one place makes up for too little in another.": (
            lambda confidence, right, bins: _calibration()(confidence, right, 1)
        ),
        "The weighted errors are to be divided by the number of images, not of bins.": _calibration(
            divide_by=lambda images, bins: bins
        ),
        "An image with confidence 1 belongs to the last bin.": _first_in,
        "The bins are cut at multiples of 1 / bins; rounding puts half of each bin into the next.": _calibration(
            bin_of=lambda sure, bins: np.rint(sure * bins)
        ),
        "That is the largest error of a bin, not their weighted mean.": _largest,
    },
)
