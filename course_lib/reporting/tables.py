"""Tables a class can read: large, with thousands separated, and the papers' numbers beside measured ones."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real

import pandas as pd


class Table:
    """A data frame as a lesson shows it; `frame` holds the texts shown.

    Its HTML is the same on every run with equal numbers, so nbval can compare it.
    """

    def __init__(self, frame: pd.DataFrame, *, index: bool) -> None:
        self.frame = frame
        self._index = index

    def __repr__(self) -> str:
        return self.frame.to_string(index=self._index)

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, str]:
        # pandas would cut long texts at 50 characters.
        with pd.option_context("display.max_colwidth", None):
            html = self.frame.to_html(index=self._index, border=0)
        # JupyterLab sets tables in 13 px, flush right: numbers and sentences need more to be read from afar.
        for tag in ("th", "td"):
            html = html.replace(f"<{tag}>", f'<{tag} style="text-align: left; vertical-align: top">')
        return {
            "text/plain": repr(self),
            "text/html": html.replace("<table ", '<table style="font-size: 115%; max-width: 60em" ', 1),
        }


def table(frame: pd.DataFrame, formats: Mapping[str, str] | None = None) -> Table:
    """Return `frame` as a table to project; its index is shown.

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
    return Table(pd.DataFrame(columns, index=frame.index), index=True)


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


class PaperBesideMeasured(Table):
    """A table of claims; `agrees` holds one truth value a claim."""

    def __init__(self, claims: Sequence[Claim], measured: str) -> None:
        super().__init__(pd.DataFrame([_row(claim, measured) for claim in claims]), index=False)
        self.agrees = [claim.agrees for claim in claims]


def paper_beside_measured(claims: Sequence[Claim], measured: str = "here") -> PaperBesideMeasured:
    """Return the table of claims; "agrees?" is computed from each claim's band, never typed.

    `measured` heads the column of measured numbers. Numbers of recorded runs go into a table of their own, headed
    "recorded run". The HTML is the same on every run with equal numbers, so nbval can compare it.

    Raises:
        ValueError: if there is no claim.
    """
    if not claims:
        raise ValueError("a table of paper and measurement needs at least one claim")
    return PaperBesideMeasured(claims, measured)


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
