"""Searches over a grid whose answer is never an end of it: an end is a number that somebody chose, no finding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import pandas as pd

from course_lib.errors import CourseError

MOST_VALUES = 40


class SearchError(CourseError):
    """The best or the last good value is at an end of what was tried."""


def best_inside(losses: pd.Series) -> float:
    """The value (the index) with the lowest loss.

    Raises:
        SearchError: it is the lowest or the highest value tried.
    """
    values = losses.sort_index().index
    best = losses.idxmin()
    if best in (values[0], values[-1]):
        raise SearchError(f"the best value, {best:g}, is at an end of those tried ({values[0]:g} to {values[-1]:g}).")
    return float(best)


def last_good(good: pd.Series) -> float:
    """The largest value (the index) that is good.

    Raises:
        SearchError: none is, or it is the lowest or the highest value tried.
    """
    values = good.sort_index().index
    passed = [value for value in values if good[value]]
    if not passed or passed[-1] in (values[0], values[-1]):
        found = f"the last good value, {passed[-1]:g}," if passed else "no value is good, so the last good one"
        raise SearchError(f"{found} is at an end of those tried ({values[0]:g} to {values[-1]:g}).")
    return float(passed[-1])


def search(
    measure: Callable[[float], Iterable[float]],
    *,
    start: float,
    good: Callable[[float], bool],
    factor: float = 10**0.5,
    fine: float = 1.5,
) -> pd.DataFrame:
    """Measure more and more values until the best is inside and the last good one has a bad one just above it.

    Args:
        measure: the losses of a value, one a seed; infinite where a run diverged.
        start: the first value; then its neighbours, a factor of `factor` away.
        good: whether a mean loss counts as good.
        fine: how far apart, as a factor, the last good value and the next one tried are at the end, at most.

    Returns:
        The losses: a row a value, in order; a column a seed.

    Raises:
        SearchError: no value is good, or after `MOST_VALUES` values there is still an end in the way.
    """
    losses = {value: list(measure(value)) for value in (start / factor, start, start * factor)}
    while len(losses) < MOST_VALUES:
        means = pd.Series({value: sum(own) / len(own) for value, own in losses.items()}).sort_index()
        value = _next_value(means, means.map(good), factor, fine)
        if value is None:
            return pd.DataFrame.from_dict(losses, orient="index").sort_index()
        losses[value] = list(measure(value))
    raise SearchError(f"after {MOST_VALUES} values, {min(losses):g} to {max(losses):g}, the search has come to no end.")


def _next_value(means: pd.Series, passed: pd.Series, factor: float, fine: float) -> float | None:
    """What to try next: beyond an end, or between the last good value and the bad one above it."""
    values, best = means.index, means.idxmin()
    if best == values[-1] or passed.iloc[-1]:
        return values[-1] * factor
    if best == values[0] or (passed.iloc[0] and passed.sum() == 1):
        return values[0] / factor
    if not passed.any():
        raise SearchError(f"no value from {values[0]:g} to {values[-1]:g} is good; the best is {best:g}.")
    last = passed[passed].index[-1]
    above = values[values.get_loc(last) + 1]
    return math.sqrt(last * above) if above / last > fine else None
