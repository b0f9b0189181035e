"""A control of an explorer as widgets, with its label before it."""

from __future__ import annotations

from collections.abc import Callable
from math import log10
from typing import Any

import ipywidgets as widgets

from course_lib.explorers.controls import Choice, Slider

LABEL_WIDTH = "8.5em"


class SliderRow:
    """A number box, which carries the label, and a slider; both show the same value.

    The box takes any number, and what is allowed is shown in it afterwards: a box with bounds of its own would cut
    decimals off, and keep what was typed where nothing changes.

    Attributes:
        main: the slider.
        box: the number box.
        widget: both in a row.
    """

    def __init__(self, control: Slider, wish: Callable[[Any], None]) -> None:
        self.box = widgets.FloatText(control.value, step=_step(control), description=control.label)
        self.box.style.description_width = LABEL_WIDTH
        kind = widgets.FloatLogSlider if control.logarithmic else widgets.FloatSlider
        ends = [log10(end) if control.logarithmic else end for end in (control.low, control.high)]
        self.main = kind(control.value, min=ends[0], max=ends[1], step=control.step, readout=False)
        self.widget = widgets.HBox([self.box, self.main]).add_class("explorer-slider")
        for widget in (self.box, self.main):
            widget.observe(wish, "value")

    def show(self, control: Slider, value: float) -> None:
        """Box and slider at `value`, with the range that `control` has at present."""
        high = log10(control.high) if control.logarithmic else control.high
        self.main.max = max(high, self.main.max)  # a slider moves its value into its range before it is told
        self.main.value = self.box.value = value
        self.main.max = high
        self.main.disabled = self.box.disabled = not control.enabled


class ChoiceRow:
    """Buttons of which one is pressed.

    Attributes:
        main: the buttons.
        widget: label and buttons in a row.
    """

    def __init__(self, control: Choice, wish: Callable[[Any], None]) -> None:
        tooltips = [f"{control.label} {text}" for text, _ in control.options]
        self.main = widgets.ToggleButtons(options=list(control.options), value=control.value, tooltips=tooltips)
        self.main.style.button_width = "auto"
        # Its own description would take a line of its own above the buttons.
        label = widgets.Label(control.label, layout={"width": LABEL_WIDTH}).add_class("explorer-label")
        self.widget = widgets.HBox([label, self.main]).add_class("explorer-choice")
        self.main.observe(wish, "value")

    def show(self, control: Choice, value: Any) -> None:
        """The button of `value` pressed."""
        self.main.value = value


def _step(control: Slider) -> float:
    """What the arrows of the number box add: of a logarithmic slider a tenth of its low end."""
    return control.low / 10 if control.logarithmic else control.step
