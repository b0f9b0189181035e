"""What every explorer shares: labelled controls, a picture that is redrawn in place, a line of text, and a static form.

An explorer is a pure `compute(...)` that returns a frozen result, a `draw(result)` that returns SVG, and this thin
shell of widgets around the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from course_lib.architecture.drawing.marks import image_html
from course_lib.reporting.static_form import RUN_FOR_CONTROLS

LABEL_WIDTH = "8em"
CONTROL_WIDTH = "15em"


class Explorer(widgets.VBox):
    """Shell of an explorer: controls above, picture and summary below.

    A subclass gives `name`, makes its controls, and implements `_compute` and `_draw`.

    Attributes:
        controls: the widgets by name; setting `controls["x"].value` is what moving the slider does.
        result: what `compute` returned for the present controls; it has a `summary`, one or two sentences.
    """

    name: str

    def __init__(self, controls: Mapping[str, widgets.ValueWidget], extra: Sequence[widgets.Widget] = ()) -> None:
        self.controls = dict(controls)
        self.result: Any = None
        self._updating = False
        self._picture = widgets.HTML().add_class("explorer-picture")
        self._summary = widgets.HTML().add_class("explorer-summary")
        rows = [_row(control) for control in self.controls.values()]
        half = (len(rows) + 1) // 2
        columns = widgets.HBox([widgets.VBox(rows[:half]), widgets.VBox(rows[half:])], layout={"flex_flow": "row wrap"})
        super().__init__([columns, self._picture, self._summary, *extra])
        self.add_class("course-explorer").add_class(f"explorer-{self.name}")
        for control in self.controls.values():
            control.observe(self._update, "value")
        self._update()

    @property
    def values(self) -> dict[str, Any]:
        """The present value of each control by its name."""
        return {name: control.value for name, control in self.controls.items()}

    @property
    def picture(self) -> str:
        """The present picture as HTML: an `<img>` whose `alt` is the summary."""
        return self._picture.value

    def _constrain(self) -> None:
        """Brings controls that depend on one another into step, before `_compute`."""

    def _compute(self) -> Any:
        raise NotImplementedError

    def _draw(self, result: Any) -> str:
        raise NotImplementedError

    def _update(self, change: Any = None) -> None:
        if self._updating:  # a control was moved by `_constrain`
            return
        self._updating = True
        try:
            self._constrain()
            self.result = self._compute()
            self._picture.value = image_html(self._draw(self.result), self.result.summary)
            self._summary.value = _status(self.result.summary)
        finally:
            self._updating = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.result.summary}"

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, object]:
        """The widget where a kernel runs; on a static page its picture and summary."""
        static = f"<div>{self.picture}{self._summary.value}{RUN_FOR_CONTROLS}</div>"
        return {**super()._repr_mimebundle_(**kwargs), "text/html": static, "text/plain": repr(self)}


def int_slider(label: str, value: int, low: int, high: int, step: int = 1) -> widgets.IntSlider:
    """A slider for whole numbers; the shell shows a number box with the label before it."""
    return widgets.IntSlider(value, low, high, step, description=label, readout=False)


def choice(label: str, options: Mapping[str, str], value: str) -> widgets.ToggleButtons:
    """A few buttons of which one is down; `options` gives the value of each text."""
    # Pairs, since ipywidgets 9 will take a mapping for something else.
    tooltips = [f"{label} {text}" for text in options]
    buttons = widgets.ToggleButtons(options=list(options.items()), value=value, description=label, tooltips=tooltips)
    buttons.style.button_width = "auto"
    return buttons


def _row(control: widgets.ValueWidget) -> widgets.Widget:
    """The control as shown, with its label before it."""
    label, control.description = control.description, ""
    if not isinstance(control, widgets.IntSlider):
        # Its own description would take a line of its own above the buttons.
        before = widgets.Label(label, layout={"width": LABEL_WIDTH, "display": "flex", "justify_content": "flex-end"})
        return widgets.HBox([before, control])
    # A slider's handle has no accessible name, so the number box beside it carries the label.
    box = widgets.BoundedIntText(control.value, min=control.min, max=control.max, step=control.step, description=label)
    box.style.description_width = LABEL_WIDTH
    box.layout.width = CONTROL_WIDTH
    for trait in ("value", "min", "max"):
        widgets.link((control, trait), (box, trait))
    control.layout.width = CONTROL_WIDTH
    return widgets.HBox([box, control])


def _status(sentence: str) -> str:
    """`sentence` as a live region: a screen reader reads it out when it changes."""
    return f'<div role="status" aria-live="polite" style="font-size: 17px; line-height: 1.4">{escape(sentence)}</div>'
