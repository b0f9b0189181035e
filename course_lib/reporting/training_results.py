"""A table of a few short trainings: the accuracy of each run, their mean, time, and how much of it is noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import pandas as pd

from course_lib.reporting.tables import Table, table


class Size(Protocol):
    """As `course_lib.architecture.total` gives it."""

    params: int
    macs: int


def training_results(histories: Mapping[str, Sequence[pd.DataFrame]], sizes: Mapping[str, Size]) -> pd.DataFrame:
    """One row a network: parameters, million MACs, accuracy of each run (`seed 0` ...) and their mean in per cent, and
    the mean of the seconds that one training took.

    Args:
        histories: what `fit` returned, by network, a run each; as many runs of every network.
        sizes: by network.

    Raises:
        ValueError: a network has another number of runs than the first, or none.
    """
    counts = {name: len(runs) for name, runs in histories.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(f"each network needs the same number of runs, at least one; got {counts}.")
    rows = {}
    for name, runs in histories.items():
        accuracies = [100 * history["test_accuracy"].iloc[-1] for history in runs]
        rows[name] = {
            "parameters": sizes[name].params,
            "million MACs": sizes[name].macs / 1e6,
            **{f"seed {seed}": accuracy for seed, accuracy in enumerate(accuracies)},
            "accuracy": sum(accuracies) / len(runs),
            "seconds": sum(history["seconds"].sum() for history in runs) / len(runs),
        }
    return pd.DataFrame(rows).T


def results_table(results: pd.DataFrame) -> Table:
    """What `training_results` gives, to show."""
    accuracies = [name for name in results if name == "accuracy" or name.startswith("seed ")]
    return table(results, dict.fromkeys(accuracies, "{:.1f} %") | {"million MACs": "{:.1f}", "seconds": "{:.1f}"})


def accuracy_error(accuracy: float, images: int) -> float:
    """Standard error of an accuracy measured on so many images, both as shares of 1: that of a binomial share."""
    return math.sqrt(accuracy * (1 - accuracy) / images)


def noise(results: pd.DataFrame, images: int) -> str:
    """One line: how far chance alone moves the accuracies of `training_results`, judged on so many images."""
    seeds = results.filter(like="seed ")
    error = 100 * accuracy_error(results["accuracy"].mean() / 100, images)
    spread = (seeds.max(axis=1) - seeds.min(axis=1)).max()
    runs = "two seeds differ" if seeds.shape[1] == 2 else "seeds of one network differ"
    return f"standard error of one accuracy: {error:.1f} points; {runs} by up to {spread:.1f}"
