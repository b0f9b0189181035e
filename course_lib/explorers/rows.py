"""A control of an explorer as widgets, with its label before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from course_lib.explorers.controls import Choice, Slider

LABEL_WIDTH = "8.2em"


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
        self.box.tooltip = control.label
        self.main = _slider(control)
        self.widget = widgets.HBox([self.box, self.main]).add_class("explorer-slider")
        for widget in (self.box, self.main):
            widget.observe(wish, "value")

    def show(self, control: Slider, value: float) -> None:
        """Box and slider at `value`, with the range that `control` has at present."""
        if isinstance(self.main, widgets.FloatSlider):
            # The end that was and the one that will be hold the value both until it is set.
            self.main.max = max(control.high, self.main.max)
        self.main.value = self.box.value = value
        if isinstance(self.main, widgets.FloatSlider):
            self.main.max = control.high
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


def _slider(control: Slider) -> widgets.FloatSlider | widgets.SelectionSlider:
    """The slider alone; what it would write beside itself, were it shown, is what a screen reader says."""
    if control.logarithmic:  # the slider of ipywidgets' own for this moves what it is given to its steps
        options = [(f"{value:g}", value) for value in control.allowed_values()]
        return widgets.SelectionSlider(options=options, value=control.value, tooltip=control.label, readout=False)
    return widgets.FloatSlider(
        control.value,
        min=control.low,
        max=control.high,
        step=control.step,
        readout=False,
        readout_format=f".{control.decimals}f",
        tooltip=control.label,
    )


def _step(control: Slider) -> float:
    """What the arrows of the number box add: of a logarithmic slider a tenth of its low end."""
    return control.low / 10 if control.logarithmic else control.step
