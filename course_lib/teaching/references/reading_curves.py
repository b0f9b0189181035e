"""Exercises of the lesson on reading learning curves."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace

import numpy as np

from course_lib.recipes import Recipe
from course_lib.reporting.verdicts import difference_of
from course_lib.teaching.exercises import Exercise


def _smallest_batch(spread: float, wanted: float) -> int:
    return next(size for size in range(1, 1_000_000) if spread / math.sqrt(size) <= wanted)


batch_for_jitter = Exercise(
    name="batch-for-jitter",
    difficulty="easy",
    minutes=5,
    hints=(
        "With 64 pictures the jitter is s/8. With how many is it s/16?",
        "You need s/√n at most wanted, so √n at least s/wanted.",
        "Square s/wanted and round up: a batch is a whole number of pictures.",
    ),
    reference=_smallest_batch,
    cases=[(1.0, 0.5), (1.0, 0.25), (2.0, 1.0), (0.5, 1.0), (1.5, 0.4)],
    random_case=lambda rng: (rng.uniform(0.5, 3), rng.uniform(0.05, 0.4)),
    mistakes={
        "The jitter falls with the root of the batch: square the ratio.": lambda s, w: math.ceil(s / w),
        "With one picture fewer the jitter is above what is wanted: round up.": lambda s, w: max(1, int((s / w) ** 2)),
        "A batch is a whole number of pictures: round up.": lambda s, w: (s / w) ** 2,
        "The ratio stands the wrong way round.": lambda s, w: math.ceil((w / s) ** 2),
        "The spread is that of single pictures, not of batches of 64.": lambda s, w: math.ceil(64 * (s / w) ** 2),
        "Both are squared, the spread and what is wanted.": lambda s, w: math.ceil(s**2 / w),
        "A batch that gives exactly what is wanted is large enough.": lambda s, w: math.floor((s / w) ** 2) + 1,
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


def broken_accuracy(right: Sequence[int], sizes: Sequence[int]) -> float:
    """The accuracy of an epoch, as it is often written; the exercise asks what is wrong with it."""
    return sum(hits / size for hits, size in zip(right, sizes, strict=True)) / len(sizes)


def _batches(rng: object) -> tuple[list[int], list[int]]:
    sizes = [64] * rng.randint(1, 5) + [rng.randint(1, 63)]
    return [rng.randint(0, size) for size in sizes], sizes


epoch_accuracy = Exercise(
    name="epoch-accuracy",
    difficulty="easy",
    minutes=8,
    hints=(
        "Two batches, of 64 pictures and of 1, the first all wrong, the second right: how many are right?",
        "One of 65. The broken function says a half. How much does an picture count in each of the two batches?",
        "Add up what is right, add up the sizes, and divide once.",
    ),
    reference=lambda right, sizes: float(np.sum(right) / np.sum(sizes)),
    cases=[([32], [64]), ([0, 1], [64, 1]), ([64, 0], [64, 4]), ([3, 4, 2], [4, 4, 2])],
    random_case=_batches,
    mistakes={
        "Each batch counts the same there, though the last is smaller: that is the bug.": broken_accuracy,
        "The last batch is left out.": lambda r, n: sum(r[:-1] or r) / sum(n[:-1] or n),
        "That is the last batch alone.": lambda r, n: r[-1] / n[-1],
        "Not all batches are as large as the first.": lambda r, n: sum(r) / (n[0] * len(n)),
        "That is in per cent; a share lies between 0 and 1.": lambda r, n: 100 * sum(r) / sum(n),
        "That is the share that is wrong.": lambda r, n: 1 - sum(r) / sum(n),
        "That is a number of pictures; a share of all of them is wanted.": lambda r, n: sum(r),
        "That counts batches, not pictures.": lambda r, n: sum(r) / len(n),
    },
)


def _chosen(
    epoch: Callable[[list[float], list[float]], int] = lambda v, t: v.index(max(v)), *, first: int = 1
) -> Callable[[list[float], list[float]], tuple[int, float]]:
    def answer(validation: list[float], test: list[float]) -> tuple[int, float]:
        place = epoch(validation, test)
        return place + first, test[place]

    return answer


def _accuracies(rng: object) -> tuple[list[float], list[float]]:
    count = rng.randint(3, 12)
    return [rng.randint(60, 90) / 100 for _ in range(count)], [rng.randint(600, 900) / 1000 for _ in range(count)]


chosen_by_validation = Exercise(
    name="chosen-by-validation",
    difficulty="medium",
    minutes=10,
    hints=(
        "Which of the two lists may be looked at to choose, and which only when the choice is made?",
        "validation.index(max(validation)) is the place of the first highest value; places count from 0.",
        "Return that place plus 1, and the test accuracy at that place.",
    ),
    reference=lambda v, t: (int(np.argmax(v)) + 1, t[int(np.argmax(v))]),
    cases=[([0.6, 0.9, 0.7], [0.5, 0.8, 0.85]), ([0.7, 0.8, 0.8], [0.6, 0.7, 0.75]), ([0.9, 0.8], [0.7, 0.6])],
    random_case=_accuracies,
    mistakes={
        "That chooses by the test pictures, which have then become validation pictures.": _chosen(
            lambda v, t: t.index(max(t))
        ),
        "That is the last epoch, not the best one.": _chosen(lambda v, t: len(v) - 1),
        "Epochs count from 1.": _chosen(first=0),
        "Of equal epochs the first is wanted: it trained less.": _chosen(
            lambda v, t: len(v) - 1 - v[::-1].index(max(v))
        ),
        "The accuracy by which you chose is flattered; report that on the test pictures.": lambda v, t: (
            v.index(max(v)) + 1,
            max(v),
        ),
        "The best test accuracy of all epochs belongs to another epoch.": lambda v, t: (v.index(max(v)) + 1, max(t)),
        "First the epoch, then its accuracy.": lambda v, t: (t[v.index(max(v))], v.index(max(v)) + 1),
        "Epochs count from 1, places from 0: that is the next epoch's accuracy.": lambda v, t: (
            v.index(max(v)) + 1,
            t[v.index(max(v)) + 1],
        ),
        "That is the epoch with the lowest accuracy.": _chosen(lambda v, t: v.index(min(v))),
    },
)


def _t(
    first: Sequence[float],
    second: Sequence[float],
    *,
    ddof: int = 1,
    root: bool = True,
    spread: Callable[[np.ndarray, np.ndarray, int], float] | None = None,
) -> float:
    a, b = np.array(first), np.array(second)
    deviation = spread(a, b, ddof) if spread else (a - b).std(ddof=ddof)
    return float((a - b).mean() / (deviation / (math.sqrt(len(a)) if root else 1)))


def _t_of_library(first: list[float], second: list[float]) -> float:
    measured = difference_of([a - b for a, b in zip(first, second, strict=True)])
    return float(measured.mean / measured.standard_error)


paired_t = Exercise(
    name="paired-t",
    difficulty="harder",
    minutes=15,
    hints=(
        "Which numbers belong together? Take the difference of each pair first.",
        "Divide the mean of the differences by its standard error: their standard deviation over √n.",
        "The deviation of a sample divides by n - 1: numpy's std(ddof=1), or statistics.stdev.",
    ),
    reference=_t_of_library,
    cases=[([3.0, 5.0], [1.0, 2.0]), ([1.0, 2.0, 4.0], [0.0, 2.0, 1.0]), ([1.0, 2.0], [2.0, 5.0])],
    random_case=lambda rng: tuple([rng.gauss(mean, 1) for _ in range(7)] for mean in (81, 80)),
    mistakes={
        "The standard deviation of a sample divides by n - 1.": lambda a, b: _t(a, b, ddof=0),
        "The mean of n differences varies less than one of them: divide by the root of n.": lambda a, b: _t(
            a, b, root=False
        ),
        "Pair by pair: the spread of the seeds themselves does not count.": lambda a, b: _t(
            a, b, spread=lambda x, y, d: math.sqrt(x.var(ddof=d) + y.var(ddof=d))
        ),
        "The sign says which of the two is ahead: keep it.": lambda a, b: abs(_t(a, b)),
        "The numbers stand in pairs, in the order given: sorted, they belong to other seeds.": lambda a, b: _t(
            sorted(a), sorted(b)
        ),
        "That is the standard error; divide the mean difference by it.": lambda a, b: float(
            np.std(np.array(a) - np.array(b), ddof=1) / math.sqrt(len(a))
        ),
        "It is first minus second.": lambda a, b: -_t(a, b),
        "That is the mean difference; divide it by its standard error.": lambda a, b: float(np.mean(a) - np.mean(b)),
        "That divides by the variance; take its root.": lambda a, b: _t(
            a, b, spread=lambda x, y, d: (x - y).var(ddof=d)
        ),
        "Divide by the root of n, not by n.": lambda a, b: _t(a, b) * math.sqrt(len(a)),
    },
)

MOST_RUNS = 40
_FREE = ("optimizer", "learning_rate", "seed")
_SEVERAL = 3
_SPAN = 10


def _judge_comparison(recipes: object) -> str | None:
    """None if the runs compare SGD and Adam fairly, else what is wrong."""
    if not isinstance(recipes, list | tuple) or not recipes or not all(isinstance(r, Recipe) for r in recipes):
        return "the answer is a list of recipes"
    if {recipe.optimizer for recipe in recipes} != {"sgd", "adam"}:
        return "the two optimizers are sgd and adam, no more and no fewer"
    others = [{key: value for key, value in asdict(recipe).items() if key not in _FREE} for recipe in recipes]
    if any(other != others[0] for other in others):
        return "besides optimizer, learning rate and seed nothing may differ"
    runs = Counter((recipe.optimizer, recipe.learning_rate, recipe.seed) for recipe in recipes)
    if max(runs.values()) > 1:
        return "the same run stands there twice"
    if len(recipes) > MOST_RUNS:
        return f"{len(recipes)} runs are too many for the budget of {MOST_RUNS}"
    return _judge_grid(recipes)


def _judge_grid(recipes: Sequence[Recipe]) -> str | None:
    for name in ("sgd", "adam"):
        rates = {recipe.learning_rate for recipe in recipes if recipe.optimizer == name}
        if len(rates) < _SEVERAL or max(rates) < _SPAN * min(rates):
            return f"{name} cannot show its own best rate: give three or more, over a factor of ten or more"
    seeds = {
        (recipe.optimizer, recipe.learning_rate): frozenset(
            other.seed
            for other in recipes
            if (other.optimizer, other.learning_rate) == (recipe.optimizer, recipe.learning_rate)
        )
        for recipe in recipes
    }
    if len(set(seeds.values())) > 1:
        return "the seeds must be the same everywhere, or runs cannot be paired"
    if len(next(iter(seeds.values()))) < _SEVERAL:
        return "with fewer than three seeds the interval says next to nothing"
    return None


def _runs(
    sgd: Sequence[float] = (0.01, 0.03, 0.1),
    adam: Sequence[float] = (1e-4, 1e-3, 1e-2),
    seeds: Sequence[int] = (0, 1, 2),
    **changed: object,
) -> list[Recipe]:
    rates = [("sgd", rate) for rate in sgd] + [("adam", rate) for rate in adam]
    return [Recipe(optimizer=name, learning_rate=rate, seed=seed, **changed) for name, rate in rates for seed in seeds]


fair_comparison = Exercise(
    name="fair-comparison",
    difficulty="harder",
    minutes=15,
    hints=(
        "What would somebody say who wants the other optimizer to win? Rung 5 of the ladder is an example.",
        "Each optimizer needs several rates of its own and each rate several seeds, the same ones everywhere.",
        "[Recipe(optimizer=name, learning_rate=rate, seed=seed) for … in …], with three rates and three seeds of each.",
    ),
    judge=_judge_comparison,
    mistakes={
        "the answer is a list of recipes": _runs()[0],
        "the two optimizers are sgd and adam, no more and no fewer": _runs(adam=()),
        "besides optimizer, learning rate and seed nothing may differ": [
            replace(recipe, momentum=0.0) if recipe.optimizer == "sgd" else recipe for recipe in _runs()
        ],
        "the same run stands there twice": _runs() + _runs()[:1],
        "48 runs are too many for the budget of 40": _runs(seeds=range(8)),
        "adam cannot show its own best rate: give three or more, over a factor of ten or more": _runs(adam=(1e-3,)),
        "sgd cannot show its own best rate: give three or more, over a factor of ten or more": _runs(
            sgd=(0.05, 0.06, 0.07)
        ),
        "the seeds must be the same everywhere, or runs cannot be paired": _runs(adam=()) + _runs((), seeds=(3, 4, 5)),
        "with fewer than three seeds the interval says next to nothing": _runs(seeds=(0,)),
    },
)
