"""Student's t against printed tables, verdicts at their edges, and their error rates by simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from course_lib.reporting.verdicts import (
    AGREES,
    CANNOT_TELL,
    DISAGREES,
    Difference,
    difference_of,
    judge,
    paired_difference,
    t_quantile,
    unpaired_difference,
)

TRIALS = 20_000


@pytest.mark.parametrize(
    ("probability", "degrees", "value"),
    [
        (0.975, 1, 12.7062),
        (0.975, 2, 4.30265),
        (0.975, 4, 2.77645),
        (0.975, 9, 2.26216),
        (0.995, 5, 4.03214),
        (0.95, 30, 1.69726),
        (0.975, 1_000_000, 1.95997),
        (0.5, 3, 0.0),
        (0.025, 4, -2.77645),
    ],
)
def test_quantiles_are_those_of_printed_tables(probability: float, degrees: float, value: float) -> None:
    assert t_quantile(probability, degrees) == pytest.approx(value, abs=6e-5, rel=5e-6)


def test_a_fractional_degree_lies_between_its_neighbours() -> None:
    assert t_quantile(0.975, 5) < t_quantile(0.975, 4.5) < t_quantile(0.975, 4)


@pytest.mark.parametrize(("probability", "degrees"), [(0, 3), (1, 3), (0.9, 0.5), (math.nan, 3), (0.9, math.nan)])
def test_a_quantile_out_of_range_is_refused(probability: float, degrees: float) -> None:
    with pytest.raises(ValueError, match=r"must lie between|needs at least 1"):
        t_quantile(probability, degrees)


@pytest.mark.parametrize("runs", [3, 5, 10])
def test_error_rates(runs: int) -> None:
    """Of true claims 5 % are rejected; a rival that is the truth is taken for the claim in no more."""
    generator = np.random.default_rng(runs)
    words = {"true": [], "rival": [], "none": []}
    for values in generator.normal(size=(TRIALS, runs)):
        words["true"].append(judge(difference_of(values + 2), 2.0).word)
        words["rival"].append(judge(difference_of(values), 2.0).word)
        words["none"].append(judge(difference_of(values + 2), 0.0, margin=2.0).word)
    rejected = words["true"].count(DISAGREES) / TRIALS
    assert rejected == pytest.approx(0.05, abs=0.01)
    assert words["rival"].count(AGREES) / TRIALS < 0.04
    assert words["none"].count(AGREES) / TRIALS < 0.04


@pytest.mark.parametrize("runs", [3, 5, 10])
def test_two_standard_errors_would_reject_too_often(runs: int) -> None:
    values = np.random.default_rng(runs).normal(size=(TRIALS, runs))
    beyond = abs(values.mean(1)) > 2 * values.std(1, ddof=1) / math.sqrt(runs)
    assert beyond.mean() > 0.065


def test_error_rate_of_unpaired_runs_with_unequal_spreads() -> None:
    generator = np.random.default_rng(0)
    firsts, seconds = generator.normal(1, 1, (4000, 5)), generator.normal(0, 3, (4000, 8))
    rejected = [judge(unpaired_difference(a, b), 1.0).word == DISAGREES for a, b in zip(firsts, seconds, strict=True)]
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("claimed", [1.0, -1.0])
def test_signs_are_told_at_their_rate(claimed: float) -> None:
    samples = np.random.default_rng(1).normal(size=(TRIALS, 5))
    words = [judge(difference_of(values), claimed, sign_only=True).word for values in samples]
    assert words.count(AGREES) / TRIALS == pytest.approx(0.025, abs=0.005)
    assert words.count(DISAGREES) / TRIALS == pytest.approx(0.025, abs=0.005)


@pytest.mark.parametrize(
    ("mean", "claimed", "options", "word"),
    [
        (1.0, 1.1, {}, AGREES),
        (1.0, 1.6, {}, DISAGREES),
        (0.4, 0.8, {}, CANNOT_TELL),
        (-1.0, 1.0, {}, DISAGREES),
        (0.1, 0.0, {"margin": 0.7}, AGREES),
        (0.3, 0.0, {"margin": 0.7}, CANNOT_TELL),
        (0.9, 0.0, {"margin": 0.7}, DISAGREES),
        (9.0, 1.0, {"sign_only": True}, AGREES),
        (-9.0, 1.0, {"sign_only": True}, DISAGREES),
        (0.2, 1.0, {"sign_only": True}, CANNOT_TELL),
    ],
)
def test_verdicts(mean: float, claimed: float, options: dict, word: str) -> None:
    measured = Difference(mean, 0.5 / t_quantile(0.975, 4), 4, 5)  # an interval of half a unit either way
    verdict = judge(measured, claimed, **options)
    assert verdict.word == word
    assert (verdict.needed is not None) == (word == CANNOT_TELL)


def test_so_many_runs_would_tell() -> None:
    measured = difference_of([0.0, 0.5, 1.0])
    needed = judge(measured, 0.2).needed
    assert f"about {needed:,} runs would tell" in str(judge(measured, 0.2))
    spread = 0.5
    half = [t_quantile(0.975, runs - 1) * spread / math.sqrt(runs) for runs in (needed - 1, needed)]
    assert half[1] <= 0.1 < half[0]


def test_a_claim_that_no_number_of_runs_can_settle_says_no_number() -> None:
    assert judge(Difference(0.0, 1.0, 4, 5), 1e-9).needed is None


def test_a_single_run_tells_nothing() -> None:
    for options in ({}, {"margin": 0.5}, {"sign_only": True}):
        verdict = judge(difference_of([3.0]), 1.0, **options)
        assert (verdict.word, verdict.needed) == (CANNOT_TELL, None)


def test_pairs_are_by_seed_not_by_order() -> None:
    first, second = pd.Series([1.0, 2.0, 4.0], [0, 1, 2]), pd.Series([3.5, 1.5, 0.5], [2, 1, 0])
    measured = paired_difference(first, second)
    assert (measured.mean, measured.standard_error, measured.runs) == (0.5, 0.0, 3)
    assert measured.shown == 0.5


@pytest.mark.parametrize("seeds", [[0, 1, 3], [0, 1], [0, 1, 1]])
def test_seeds_that_do_not_pair_are_refused(seeds: list[int]) -> None:
    with pytest.raises(ValueError, match="not the same seeds"):
        paired_difference(pd.Series([1.0, 2.0, 3.0], [0, 1, 2]), pd.Series(1.0, seeds))


def test_what_gives_no_spread_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 runs of each; got 1"):
        unpaired_difference([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="at least 1 runs of each; got 0"):
        difference_of([])
    with pytest.raises(ValueError, match="no finite number"):
        unpaired_difference([1.0, math.nan], [1.0, 2.0])
    with pytest.raises(ValueError, match="needs a margin"):
        judge(Difference(0, 1, 4, 5), 0.0)
    with pytest.raises(ValueError, match="above 0"):
        judge(Difference(0, 1, 4, 5), 0.0, margin=0)
