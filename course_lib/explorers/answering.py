"""An idea asked in JSON, for a page whose controls are the browser's own: it holds no values of Python's, only places.

A control's *place* is what the browser's own element holds: the number of the chosen option, from 0, for a choice and
for a logarithmic slider, else the slider's value itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from course_lib.explorers.controls import Choice, Control, Idea, Slider, Values
from course_lib.explorers.ideas import IDEAS

Place = float
Places = Mapping[str, Place]


def answer(name: str, places: str, wish: str) -> str:
    """What the idea `name` shows once a reader has moved one control.

    Args:
        name: of the idea, as in `IDEAS`.
        places: JSON, the place of each control before.
        wish: JSON, {"control": its name} with "place", where the reader put it, or "typed", a number.

    Returns:
        `shown` as JSON.
    """
    idea, wanted = IDEAS[name], json.loads(wish)
    before = values_at(idea, json.loads(places))
    control = next(control for control in idea.controls if control.name == wanted["control"])
    value = wanted["typed"] if "typed" in wanted else _value(control, wanted["place"])
    return json.dumps(shown(idea, idea.correct({**before, control.name: value}, before)))


def shown(idea: Idea, values: Values) -> dict[str, Any]:
    """All that a page shows at these values: "picture", SVG; "summary", a text; "controls", what `control_state` says
    of each by its name."""
    result = idea.result(values)
    controls = {control.name: control_state(control, values[control.name]) for control in idea.controls_at(values)}
    return {"picture": idea.draw(result), "summary": result.summary, "controls": controls}


def control_state(control: Control, value: Any) -> dict[str, Any]:
    """How a control stands: "place"; of a slider also "lowest" and "highest", the places of its ends; "said", its
    value in words; and "enabled"."""
    if isinstance(control, Choice):
        return {"place": [option for _, option in control.options].index(value)}
    place = control.allowed_values().index(value) if control.logarithmic else value
    lowest, highest, _ = places_of(control)
    ends = {"lowest": lowest, "highest": highest}
    return {"place": place, **ends, "said": in_words(control, value), "enabled": control.enabled}


def places_of(slider: Slider) -> tuple[Place, Place, Place]:
    """Lowest and highest place of a slider, and the step between neighbouring places."""
    if slider.logarithmic:
        return 0, len(slider.allowed_values()) - 1, 1
    return slider.low, slider.high, slider.step


def in_words(slider: Slider, value: float) -> str:
    """A value of a slider as its number box shows it."""
    return f"{value:g}" if slider.logarithmic else f"{value:.{slider.decimals}f}"


def values_at(idea: Idea, places: Places) -> dict[str, Any]:
    """The values that the controls have at these places."""
    return {control.name: _value(control, places[control.name]) for control in idea.controls}


def _value(control: Control, place: Place) -> Any:
    if isinstance(control, Choice):
        return control.options[int(place)][1]
    return control.allowed_values()[int(place)] if control.logarithmic else control.nearest(place)
