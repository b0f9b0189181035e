"""Tables a class can read: large, with thousands separated, and the papers' numbers beside measured ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import pandas as pd

from course_lib.reporting.records import Record, source_html
from course_lib.reporting.verdicts import AGREES, CANNOT_TELL, DISAGREES, Difference, Verdict, judge


class Table:
    """A data frame as a lesson shows it; `frame` holds the texts shown.

    Its HTML is the same on every run with equal numbers, so nbval can compare it. Numbers of a recorded run have its
    source below them.
    """

    def __init__(self, frame: pd.DataFrame, *, index: bool, record: Record | None = None) -> None:
        self.frame = frame
        self._index = index
        self._source = record.source if record else ""

    def __repr__(self) -> str:
        text = self.frame.to_string(index=self._index)
        return f"{text}\n{self._source}" if self._source else text

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, str]:
        # pandas would cut long texts at 50 characters.
        with pd.option_context("display.max_colwidth", None):
            html = self.frame.to_html(index=self._index, border=0)
        # JupyterLab sets tables in 13 px, flush right: numbers and sentences need more to be read from afar.
        for tag in ("th", "td"):
            html = html.replace(f"<{tag}>", f'<{tag} style="text-align: left; vertical-align: top">')
        return {
            "text/plain": repr(self),
            "text/html": html.replace("<table ", '<table style="font-size: 115%; max-width: 60em" ', 1)
            + (source_html(self._source) if self._source else ""),
        }


def table(frame: pd.DataFrame, formats: Mapping[str, str] | None = None, *, record: Record | None = None) -> Table:
    """Return `frame` as a table to project; its index is shown, and below it where the numbers of a `record` are from.

    `formats` gives a column's number format, such as `{"accuracy": "{:.1f} %"}`. Other columns get thousands
    separators for whole numbers and three digits for the rest; texts stay.

    Raises:
        KeyError: if `formats` names a column that is not there.
    """
    formats = dict(formats or {})
    unknown = set(formats) - set(frame.columns)
    if unknown:
        raise KeyError(f"formats names {sorted(unknown)}, but the table's columns are {list(frame.columns)}")
    columns = {name: [_written(value, formats.get(name)) for value in frame[name]] for name in frame.columns}
    return Table(pd.DataFrame(columns, index=frame.index), index=True, record=record)


def _written(value: object, number_format: str | None) -> str:
    if number_format:
        return number_format.format(value)
    if isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer()):
        return f"{int(value):,}"
    if isinstance(value, tuple):
        return "×".join(map(str, value))
    return f"{value:.3g}" if isinstance(value, Real) else str(value)


@dataclass(frozen=True)
class Claim:
    """A paper's number, the number found here, and the band in which the latter agrees with the paper.

    Args:
        claim: what the number is, with the paper's section or table.
        paper, here: the two numbers, in the same unit.
        band: lowest and highest value of `here` that agrees; it holds `paper`. An end may be infinite.
        reason: why the band is as wide as it is, such as the paper's rounding or the spread over seeds.
        number_format: how numbers are written, such as "{:.1f} %".

    Raises:
        ValueError: if the band does not hold the paper's number, or the reason is missing.
    """

    claim: str
    paper: float
    here: float
    band: tuple[float, float]
    reason: str
    number_format: str = "{:g}"

    def __post_init__(self) -> None:
        if not self.band[0] <= self.paper <= self.band[1]:
            raise ValueError(f"{self.claim!r}: the band {self.band} does not hold the paper's own {self.paper}")
        if not self.reason.strip():
            raise ValueError(f"{self.claim!r}: say why the band is {self.band}")

    @property
    def agrees(self) -> bool:
        """Whether the number found here lies in the band, its ends included; NaN never does."""
        return self.band[0] <= self.here <= self.band[1]


@dataclass(frozen=True)
class MeanClaim:
    """A paper's difference of means beside one measured by a few runs; what these can say is `judge`'s verdict.

    Args:
        claim: what the difference is, with the paper's section or table.
        paper: the claimed difference, in the unit of the measured one.
        measured: by `paired_difference` or one of its relatives.
        margin, sign_only: as in `judge`.
        number_format: how numbers are written, such as "{:+.1f}".

    Raises:
        ValueError: as `judge`.
    """

    claim: str
    paper: float
    measured: Difference
    margin: float | None = None
    sign_only: bool = False
    number_format: str = "{:+.2f}"

    def __post_init__(self) -> None:
        _ = self.verdict

    @property
    def verdict(self) -> Verdict:
        return judge(self.measured, self.paper, margin=self.margin, sign_only=self.sign_only)

    @property
    def agrees(self) -> bool:
        """Whether the runs tell that the claim holds; where they cannot tell, it is neither shown nor refuted."""
        return self.verdict.word == AGREES


class PaperBesideMeasured(Table):
    """A table of claims; `agrees` holds one truth value a claim, `verdicts` the words shown."""

    def __init__(self, claims: Sequence[Claim | MeanClaim], measured: str, record: Record | None) -> None:
        rows = [
            _mean_row(claim, measured) if isinstance(claim, MeanClaim) else _row(claim, measured) for claim in claims
        ]
        super().__init__(pd.DataFrame(rows), index=False, record=record)
        self.agrees = [claim.agrees for claim in claims]
        self.verdicts = [row["agrees?"] for row in rows]


def paper_beside_measured(
    claims: Sequence[Claim | MeanClaim], measured: str | None = None, *, record: Record | None = None
) -> PaperBesideMeasured:
    """Return the table of claims; "agrees?" is computed, from each claim's band or by `judge`, never typed.

    `measured` heads the column of measured numbers, by default "here". Numbers of recorded runs go into a table of
    their own: with the `record`, the column is headed "recorded run" and its source stands below. The HTML is the same
    on every run with equal numbers, so nbval can compare it.

    Raises:
        ValueError: if there is no claim.
    """
    if not claims:
        raise ValueError("a table of paper and measurement needs at least one claim")
    return PaperBesideMeasured(claims, measured or ("recorded run" if record else "here"), record)


def _mean_row(claim: MeanClaim, measured: str) -> dict[str, str]:
    written, difference, verdict = claim.number_format.format, claim.measured, claim.verdict
    low, high = map(written, difference.interval)
    reason = f"95 % interval of {difference.runs} runs: {low} to {high}"
    if difference.runs == 1:
        reason = "a single run has no interval"
    if claim.sign_only:
        reason += "; only the sign is claimed"
    if claim.margin is not None:
        reason += f"; within {claim.margin:g} counts as the same"
    if verdict.needed is not None:
        reason += f"; about {verdict.needed:,} runs would tell"
    marks = {AGREES: "✓ yes", DISAGREES: "✗ no", CANNOT_TELL: f"? {CANNOT_TELL}"}
    return {
        "claim": claim.claim,
        "paper": written(claim.paper),
        measured: written(difference.mean),
        "agrees?": marks[verdict.word],
        "agrees means": reason,
    }


def _row(claim: Claim, measured: str) -> dict[str, str]:
    written = claim.number_format.format
    # In full: 27.5 to 28.5 per cent, written as the claim's whole numbers, would read 28 to 28.
    low, high = (f"{end:,.10g}" for end in claim.band)
    ends = f"{low} to {high}"
    if claim.band[1] == math.inf:
        ends = f"at least {low}"
    elif claim.band[0] == -math.inf:
        ends = f"at most {high}"
    return {
        "claim": claim.claim,
        "paper": written(claim.paper),
        measured: written(claim.here),
        "agrees?": "✓ yes" if claim.agrees else "✗ no",
        "agrees means": f"{ends}: {claim.reason}",
    }
