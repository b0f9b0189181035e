"""Searches: an end of the grid is never the answer, neither in a lesson nor in a record."""

import math

import pandas as pd
import pytest

from course_lib.experiments.searching import MOST_VALUES, SearchError, best_inside, last_good, search
from course_lib.reporting.records import load_record


@pytest.mark.parametrize("losses", [(1.0, 2.0, 3.0), (3.0, 2.0, 1.0), (1.0,)])
def test_the_best_value_is_at_no_end(losses: tuple[float, ...]) -> None:
    with pytest.raises(SearchError, match="at an end of those tried"):
        best_inside(pd.Series(losses, [0.1, 0.3, 1.0][: len(losses)]))
    assert best_inside(pd.Series([2.0, 1.0, math.inf], [0.1, 0.3, 1.0])) == 0.3


@pytest.mark.parametrize("good", [(True, False, False), (True, True, True), (False, False, False)])
def test_the_last_good_value_is_at_no_end(good: tuple[bool, ...]) -> None:
    with pytest.raises(SearchError, match="at an end of those tried"):
        last_good(pd.Series(good, [0.1, 0.3, 1.0]))
    assert last_good(pd.Series([False, True, False], [0.1, 0.3, 1.0])) == 0.3


@pytest.mark.parametrize("start", [1e-3, 0.3, 50.0])
def test_a_search_finds_best_and_limit_from_any_start(start: float) -> None:
    """The loss is lowest at 0.3 and infinite from 4 on; up to 2 it is below 1."""
    tried = []

    def measure(value: float) -> list[float]:
        tried.append(value)
        loss = math.inf if value >= 4 else abs(math.log(value / 0.3)) / math.log(2 / 0.3)
        return [loss, loss]

    losses = search(measure, start=start, good=lambda loss: loss < 1, factor=2, fine=1.2).mean(axis=1)
    assert best_inside(losses) == pytest.approx(0.3, rel=0.5)
    assert 2 / 1.2 <= last_good(losses < 1) < 2
    assert len(set(tried)) == len(tried)


def test_a_search_without_end_says_so() -> None:
    with pytest.raises(SearchError, match=f"after {MOST_VALUES} values"):
        search(lambda value: [1 / value], start=1.0, good=lambda loss: True)


def test_what_a_lesson_reads_from_the_recorded_rates_is_at_no_end() -> None:
    rows = load_record("sgd_without_bn").rows
    rows["loss"] = 1 - rows["test_accuracy"].astype(float).fillna(-math.inf)
    with_norm, without = (rows[rows["batch_norm"] == flag] for flag in (True, False))
    assert best_inside(with_norm.groupby("learning_rate")["loss"].mean()) > 0
    assert last_good(~without.groupby("learning_rate")["diverged"].any()) > 0
