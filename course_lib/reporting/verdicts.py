"""What a few runs can say of a difference of means: Student's t, paired by seed where seeds pair, and three verdicts.

A verdict holds the interval of a measured difference against the number that is claimed and against its rivals, the
numbers that would mean something else. Whoever looks only whether a claim lies in the interval accepts all claims of
too few runs; hence the third verdict.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

AGREES, DISAGREES, CANNOT_TELL = "agrees", "disagrees", "cannot tell at this scale"
CONFIDENCE = 0.95
_MOST_RUNS = 1_000_000
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(64)


@lru_cache(maxsize=10_000)
def t_quantile(probability: float, degrees: float) -> float:
    """The number below which a value of Student's t distribution lies with this probability.

    Args:
        probability: between 0 and 1, both excluded.
        degrees: of freedom, at least 1; Welch's are no whole number.

    Raises:
        ValueError: either is outside its range.
    """
    if not 0 < probability < 1:
        raise ValueError(f"probability is {probability!r}; it must lie between 0 and 1, both excluded.")
    if not degrees >= 1:
        raise ValueError(f"degrees is {degrees!r}; Student's t needs at least 1 degree of freedom.")
    if probability < 0.5:
        return -t_quantile(1 - probability, degrees)
    low, high = 0.0, 1.0
    while _between(high, degrees) < probability - 0.5:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _between(middle, degrees) < probability - 0.5 else (low, middle)
    return high


def _between(t: float, degrees: float) -> float:
    """The probability of a value between 0 and t. With t = sqrt(degrees) tan(a) the density is a power of cos(a)."""
    log_scale = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) - math.log(math.pi) / 2
    angle = math.atan(t / math.sqrt(degrees))
    at = angle * (_NODES + 1) / 2
    return float(math.exp(log_scale) * (_WEIGHTS * np.cos(at) ** (degrees - 1)).sum() * angle / 2)


@dataclass(frozen=True)
class Difference:
    """A difference of two means, as so many runs give it.

    Attributes:
        mean: of the difference.
        standard_error: of that mean.
        degrees: of freedom of the standard error.
        runs: of each of the two.
    """

    mean: float
    standard_error: float
    degrees: float
    runs: int

    @property
    def half_width(self) -> float:
        """Of the interval around the mean that covers the true difference 95 times of 100."""
        return t_quantile((1 + CONFIDENCE) / 2, self.degrees) * self.standard_error

    @property
    def interval(self) -> tuple[float, float]:
        """The lowest and the highest true difference that the runs do not exclude (95 %)."""
        return self.mean - self.half_width, self.mean + self.half_width

    @property
    def shown(self) -> float | None:
        """The difference if its interval leaves out 0, else None."""
        low, high = self.interval
        return None if low <= 0 <= high else self.mean


def paired_difference(first: pd.Series, second: pd.Series) -> Difference:
    """`first` minus `second`, run by run.

    Args:
        first, second: one number a run, indexed by its seed; runs of one seed share weights, order or pictures.

    Raises:
        ValueError: the seeds are not the same ones, one occurs twice, there is none, or a number is missing.
    """
    if not first.index.is_unique or not second.index.is_unique or set(first.index) != set(second.index):
        raise ValueError(f"runs pair by seed: {list(first.index)} against {list(second.index)} are not the same seeds.")
    return difference_of((first - second).to_list())


def difference_of(differences: Sequence[float]) -> Difference:
    """What differences taken pair by pair say of their mean.

    Raises:
        ValueError: there is none, or one is not finite.
    """
    values = _checked(differences, least=1)
    if len(values) == 1:
        return Difference(values[0], math.inf, 1, 1)  # one run says nothing of the next
    return Difference(values.mean(), values.std(ddof=1) / math.sqrt(len(values)), len(values) - 1, len(values))


def unpaired_difference(first: Sequence[float], second: Sequence[float]) -> Difference:
    """Mean of `first` minus mean of `second`, whose runs have nothing in common; degrees of freedom after Welch (1947).

    Raises:
        ValueError: either has fewer than two, or a number that is not finite.
    """
    ours, theirs = _checked(first, least=2), _checked(second, least=2)
    squares = [values.var(ddof=1) / len(values) for values in (ours, theirs)]
    total = sum(squares)
    parts = sum(square**2 / (len(values) - 1) for square, values in zip(squares, (ours, theirs), strict=True))
    degrees = total**2 / parts if parts else len(ours) + len(theirs) - 2
    return Difference(ours.mean() - theirs.mean(), math.sqrt(total), degrees, min(len(ours), len(theirs)))


def _checked(values: Sequence[float], least: int) -> np.ndarray:
    array = np.asarray(values, dtype=float)
    if len(array) < least:
        raise ValueError(f"a difference needs at least {least} runs of each; got {len(array)}.")
    if not np.isfinite(array).all():
        raise ValueError(f"a run has no finite number: {array.tolist()}.")
    return array


@dataclass(frozen=True)
class Verdict:
    """What a measured difference says of a claim.

    Attributes:
        word: `AGREES`, `DISAGREES` or `CANNOT_TELL`.
        needed: about how many runs would tell, where these cannot; else None.
    """

    word: str
    needed: int | None = None

    def __str__(self) -> str:
        return self.word if self.needed is None else f"{self.word}; about {self.needed:,} runs would tell"


def judge(measured: Difference, claimed: float, *, margin: float | None = None, sign_only: bool = False) -> Verdict:
    """Hold a measured difference against a claimed one.

    "agrees": the interval holds the claimed number and none of its rivals. "disagrees": it does not hold the claimed
    number; of true claims 5 % are so rejected. "cannot tell": it holds both. A rival is 0, where something is claimed
    to differ; and both ends of the margin, where one is given.

    Args:
        claimed: the difference claimed, in the unit of the measured one.
        margin: how far from the claimed number a difference still means the same. Needed for a claim of 0: no number of
            runs shows that two means are equal, but that they differ by less than this.
        sign_only: only the sign is claimed: it agrees if the interval leaves 0 out on the claimed side.

    Raises:
        ValueError: 0 is claimed without a margin or with `sign_only`, or the margin is not above 0.
    """
    if claimed == 0 and (margin is None or sign_only):
        raise ValueError("a claim of no difference needs a margin: how small a difference still counts as none.")
    if margin is not None and not margin > 0:
        raise ValueError(f"margin is {margin!r}; it must be above 0.")
    low, high = measured.interval
    if sign_only:
        if low <= 0 <= high:
            return Verdict(CANNOT_TELL, _more_runs(measured, abs(measured.mean)))
        return Verdict(AGREES if (measured.mean > 0) == (claimed > 0) else DISAGREES)
    if not low <= claimed <= high:
        return Verdict(DISAGREES)
    rivals = (0.0,) if margin is None else (claimed - margin, claimed + margin)
    if any(low <= rival <= high for rival in rivals):
        # So short an interval cannot hold the claim and a rival both.
        return Verdict(CANNOT_TELL, _more_runs(measured, min(abs(claimed - rival) for rival in rivals) / 2))
    return Verdict(AGREES)


def runs_needed(measured: Difference, half_width: float) -> int | None:
    """The least number of runs, spread as these, whose interval reaches so far to either side at most; None if that is
    more than a million or if a single run has no spread."""
    spread = measured.standard_error * math.sqrt(measured.runs)

    def enough(runs: int) -> bool:
        return t_quantile((1 + CONFIDENCE) / 2, runs - 1) * spread / math.sqrt(runs) <= half_width

    low, high = 2, _MOST_RUNS
    if not half_width > 0 or not enough(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle + 1, high)
    return high


def _more_runs(measured: Difference, half_width: float) -> int | None:
    needed = runs_needed(measured, half_width)
    return needed and max(needed, measured.runs + 1)
