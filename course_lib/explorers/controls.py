"""The controls of an explorer as values, and an idea that has them: pure Python, so that any front end can ask it.

Each idea describes its controls once. The widgets of a notebook are made from that description, and a page without
Python's widgets can make its own from the same.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from course_lib.errors import CourseError

DIGITS = 2
"""Significant digits of a value on a logarithmic slider."""
Values = Mapping[str, Any]
"""The value of each control by its name."""


class ExplorerError(CourseError):
    """An explorer was given a value that its control does not have; the message says which it has."""


@dataclass(frozen=True)
class Slider:
    """A number to drag or to type, in its own unit.

    Attributes:
        name: by which the value is known.
        label: what a reader sees.
        value: the first one.
        low, high: both belong to the range.
        step: between neighbouring values from `low` up; of no meaning for a logarithmic slider.
        decimals: places after the point of every value; 0 makes it a whole number, unless the slider is logarithmic.
        logarithmic: each power of ten has the same room on the slider; the values are those of `DIGITS` significant
            digits, `allowed_values` in all.
        enabled: whether it has an effect at present.
    """

    name: str
    label: str
    value: float
    low: float
    high: float
    step: float = 1
    decimals: int = 0
    logarithmic: bool = False
    enabled: bool = True

    def nearest(self, value: float) -> float:
        """The allowed value that is nearest to a number, the larger one of two."""
        if math.isnan(value):
            return self.value
        value = min(max(value, self.low), self.high)
        if self.logarithmic:
            return float(f"{value:.{DIGITS}g}")
        steps = math.floor((value - self.low) / self.step + 0.5 + 1e-9)
        stepped = self.low + min(steps, self._steps) * self.step
        return round(stepped, self.decimals) if self.decimals else round(stepped)

    def allowed_values(self) -> tuple[float, ...]:
        """Every value, from `low` to `high`."""
        if not self.logarithmic:
            return tuple(self.nearest(self.low + step * self.step) for step in range(self._steps + 1))
        powers = range(math.floor(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
        leading = range(10 ** (DIGITS - 1), 10**DIGITS)
        values = (float(f"{digits}e{power - DIGITS + 1}") for power in powers for digits in leading)
        return tuple(value for value in values if self.low <= value <= self.high)

    @property
    def _steps(self) -> int:
        # The tiny number makes up for steps such as 0.1, which no float holds exactly.
        return math.floor((self.high - self.low) / self.step + 1e-9)

    def allowed(self) -> str:
        """The allowed values in words."""
        steps = "" if self.logarithmic or self.step == 1 else f" in steps of {self.step:g}"
        return f"a number from {self.low:g} to {self.high:g}{steps}, such as {self.value:g}"


@dataclass(frozen=True)
class Choice:
    """A few buttons of which one is pressed.

    Attributes:
        name: by which the value is known.
        label: what a reader sees before the buttons.
        value: the first one.
        options: text and value of each button.
    """

    name: str
    label: str
    value: Any
    options: tuple[tuple[str, Any], ...]

    def nearest(self, value: Any) -> Any:
        """`value` if a button has it, else the first one."""
        return value if value in [option for _, option in self.options] else self.value

    def allowed(self) -> str:
        """The allowed values in words."""
        return "one of " + ", ".join(repr(option) for _, option in self.options)


Control = Slider | Choice


class Result(Protocol):
    """What an idea answers; `summary` says it in a few sentences."""

    @property
    def summary(self) -> str: ...


class Idea(ABC):
    """What can be explored: controls, the rules between them, the result of their values and its picture.

    Attributes:
        name: short, of lower case letters and hyphens.
        controls: in the order in which they are shown, each with its widest range.
        needs_course: a sentence on what only the notebook's explorer has, since it needs the course installed; mostly
            empty.
    """

    name: str
    controls: tuple[Control, ...]
    needs_course = ""

    @property
    def first_values(self) -> dict[str, Any]:
        """The values before anything is changed."""
        return self.correct({control.name: control.value for control in self.controls})

    def correct(self, values: Values, before: Values | None = None) -> dict[str, Any]:
        """The allowed values nearest to `values`.

        Args:
            values: wanted, one for each control.
            before: what this returned last, so that the control that was changed gets its way and the others follow;
                None at the start.
        """
        kept = {control.name: control.nearest(values[control.name]) for control in self.controls}
        changed = frozenset() if before is None else frozenset(name for name in kept if kept[name] != before[name])
        return self._agree(kept, changed)

    def controls_at(self, values: Values) -> Sequence[Control]:
        """The controls with the ranges that they have at these values."""
        return self.controls

    def check(self, values: Values) -> None:
        """Raises ExplorerError if a control does not have the value that is wanted of it."""
        for control in self.controls:
            value = values[control.name]
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            if (isinstance(control, Slider) and not number) or control.nearest(value) != value:
                raise ExplorerError(f"{control.name} is {value!r}; it must be {control.allowed()}.")

    def _agree(self, values: dict[str, Any], changed: frozenset[str]) -> dict[str, Any]:
        """The values that go together; `changed` are the names of those that have their way, empty at the start."""
        return values

    @abstractmethod
    def result(self, values: Values) -> Result:
        """The answer for values that `correct` returned."""

    @abstractmethod
    def draw(self, result: Any) -> str:
        """The picture of a result as SVG."""
