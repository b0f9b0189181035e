"""An explorer as HTML: the browser's own controls, made from their description, and the picture at the first values.

Without JavaScript it is a picture with its sentence; `assets/explorers.js` shows the controls and brings it to life.
"""

from __future__ import annotations

import json
from html import escape
from itertools import starmap
from typing import Any

from course_lib.architecture.drawing.marks import image_html
from course_lib.explorers.answering import in_words, places_of, shown
from course_lib.explorers.controls import Choice, Control, Idea, Slider, Values

INVITATION = "Move a control: the explorer starts at the first touch."


def explorer_html(idea: Idea, values: Values, key: str) -> str:
    """The explorer of `idea` as a section; `key` tells it from the others of its page."""
    first = shown(idea, values)
    places = {name: state["place"] for name, state in first["controls"].items()}
    controls = [
        _control(control, values[control.name], first["controls"][control.name], f"{key}-{control.name}")
        for control in idea.controls_at(values)
    ]
    missing = f'<p class="explorer-missing">{escape(idea.needs_course)}</p>\n' if idea.needs_course else ""
    return (
        f'<section class="explorer" aria-label="Explorer: {escape(idea.name.replace("-", " "))}" '
        f'data-idea="{idea.name}" data-places="{escape(json.dumps(places))}">\n'
        f'<div class="explorer-controls" hidden>\n{"".join(controls)}</div>\n'
        f'<p class="explorer-note" role="status">{INVITATION}</p>\n'
        f'<div class="explorer-picture">{image_html(first["picture"], first["summary"])}</div>\n'
        f'<p class="explorer-summary" role="status">{escape(first["summary"])}</p>\n{missing}</section>\n'
    )


def _control(control: Control, value: Any, state: dict[str, Any], key: str) -> str:
    return _choice(control, state, key) if isinstance(control, Choice) else _slider(control, value, state, key)


def _slider(control: Slider, value: float, state: dict[str, Any], key: str) -> str:
    """Label, number box and slider in a row; both state the same."""
    step = places_of(control)[2]
    off = {} if state["enabled"] else {"disabled": "disabled"}
    own = {"data-control": control.name, "autocomplete": "off", **off}
    box_step = control.low / 10 if control.logarithmic else control.step
    # The box has no ends: it takes any number and shows afterwards what is allowed, as in a notebook.
    box = {"type": "number", "id": key, "step": box_step, **own}
    place = {"min": state["lowest"], "max": state["highest"], "step": step, "value": state["place"]}
    slider = {"type": "range", "aria-label": control.label, "aria-valuetext": in_words(control, value), **place, **own}
    return (
        f'<div class="explorer-slider"><label for="{key}">{escape(control.label)}</label>'
        f"{_input(**box, value=state['said'])}{_input(**slider)}</div>\n"
    )


def _choice(control: Choice, state: dict[str, Any], key: str) -> str:
    """Radio buttons, which the arrow keys walk through."""
    buttons = []
    for place, (text, _) in enumerate(control.options):
        chosen = {"checked": "checked"} if place == state["place"] else {}
        own = {"type": "radio", "name": key, "value": place, "data-control": control.name, "autocomplete": "off"}
        buttons.append(f"<label>{_input(**own, **chosen)}<span>{escape(text)}</span></label>")
    return f'<fieldset class="explorer-choice"><legend>{escape(control.label)}</legend>{"".join(buttons)}</fieldset>\n'


def _input(**attributes: Any) -> str:
    return f"<input {' '.join(starmap(_attribute, attributes.items()))}>"


def _attribute(name: str, value: Any) -> str:
    return f'{name}="{escape(f"{value:g}" if isinstance(value, float) else str(value))}"'
