"""The widgets that every explorer is shown with: controls, a picture that is redrawn in place, a line of text, and a
static form of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import ipywidgets as widgets

from course_lib.architecture.drawing.marks import image_html
from course_lib.explorers.appearance import page_code
from course_lib.explorers.controls import Control, Idea, Result, Slider
from course_lib.explorers.rows import ChoiceRow, SliderRow
from course_lib.reporting.static_form import RUN_FOR_CONTROLS


class Explorer(widgets.VBox):
    """Shell of an explorer: controls above, picture and summary below.

    A subclass names its `idea`. Whatever way a value comes in (dragged, typed, pressed, set by code), `Idea.correct`
    makes of it what is allowed, and number box, slider, buttons, picture and summary all show that.

    Args:
        values: the controls' first values by their names.
        extra: widgets below the summary.

    Attributes:
        controls: slider or buttons by name; setting `controls["x"].value` is what moving the slider does.
        boxes: the number box of each slider; setting `boxes["x"].value` is what typing does.
        result: what the idea answers for the present values; it has a `summary`, one or two sentences.

    Raises:
        ExplorerError: a control has no such value; the message names it.
    """

    idea: Idea

    def __init__(self, extra: Sequence[widgets.Widget] = (), **values: Any) -> None:
        self.idea.check(values)
        self._values: dict[str, Any] = self.idea.correct(values)
        self.result: Result = self.idea.result(self._values)
        self._updating = False
        self._rows = {control.name: _row(control, self._wish) for control in self.idea.controls}
        self.controls = {name: row.main for name, row in self._rows.items()}
        self.boxes = {name: row.box for name, row in self._rows.items() if isinstance(row, SliderRow)}
        self._picture = widgets.HTML().add_class("explorer-picture")
        self._summary = widgets.HTML().add_class("explorer-summary")
        controls = widgets.Box([row.widget for row in self._rows.values()]).add_class("explorer-controls")
        super().__init__([controls, self._picture, self._summary, *extra, widgets.HTML(page_code())])
        self.add_class("course-explorer").add_class(f"explorer-{self.idea.name}")
        self._show(self._values)

    @property
    def values(self) -> dict[str, Any]:
        """The present value of each control by its name, as the idea takes it."""
        return dict(self._values)

    @property
    def picture(self) -> str:
        """The present picture as HTML: an `<img>` whose `alt` is the summary."""
        return self._picture.value

    def _wish(self, name: str, change: Any) -> None:
        """A reader, or code, wants another value of the control `name`."""
        if not self._updating:  # else it was `_show` that moved it
            self._show(self.idea.correct({**self._values, name: change["new"]}, self._values))

    def _show(self, values: dict[str, Any]) -> None:
        self._updating = True
        try:
            self.result, self._values = self.idea.result(values), values
            for control in self.idea.controls_at(values):
                self._rows[control.name].show(control, values[control.name])
            self._picture.value = image_html(self.idea.draw(self.result), self.result.summary)
            self._summary.value = _status(self.result.summary)
        finally:
            self._updating = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.result.summary}"

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, object]:
        """The widget where a kernel runs; on a static page its picture and summary."""
        static = f"<div>{self.picture}{self._summary.value}{RUN_FOR_CONTROLS}</div>"
        return {**super()._repr_mimebundle_(**kwargs), "text/html": static, "text/plain": repr(self)}


def _row(control: Control, wish: Callable[[str, Any], None]) -> SliderRow | ChoiceRow:
    make = SliderRow if isinstance(control, Slider) else ChoiceRow
    return make(control, partial(wish, control.name))


def _status(sentence: str) -> str:
    """`sentence` as a live region: a screen reader reads it out when it changes."""
    return f'<div role="status" aria-live="polite" style="font-size: 17px; line-height: 1.4">{escape(sentence)}</div>'
