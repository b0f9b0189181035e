"""Every explorer, every control, at both ends and in the middle; what stands on the page is what `compute` says."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html import unescape
from itertools import product
from xml.etree import ElementTree

import ipywidgets as widgets
import pytest

import course_lib.explorers as explorers
from course_lib.explorers.base import Explorer

ALL = [getattr(explorers, name) for name in explorers.__all__]


def settings_of(control: widgets.ValueWidget) -> list[object]:
    """The values to try: low end, middle and high end of a slider, every option of a choice."""
    if isinstance(control, widgets.IntSlider):
        steps = (control.max - control.min) // control.step
        return [control.min, control.min + steps // 2 * control.step, control.max]
    return [value for _, value in control.options]


def shown(explorer: Explorer) -> tuple[str, str]:
    """The picture's SVG and its alternative text."""
    source = re.search(r'base64,([^"]+)"', explorer.picture)
    alt = re.search(r'alt="([^"]*)"', explorer.picture)
    return base64.b64decode(source[1]).decode(), unescape(alt[1])


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_control_answers_at_both_ends_and_in_the_middle(kind: type[Explorer]) -> None:
    for name in kind().controls:
        explorer = kind()
        control = explorer.controls[name]
        for value in settings_of(control):
            control.value = value
            svg, alt = shown(explorer)
            assert explorer.values[name] == value
            assert alt == explorer.result.summary
            ElementTree.fromstring(svg)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_change_of_a_control_changes_picture_and_text(kind: type[Explorer]) -> None:
    for name in kind().controls:
        explorer = kind()
        control = explorer.controls[name]
        other = next(value for value in settings_of(control) if value != control.value)
        before = shown(explorer)
        control.value = other
        after = shown(explorer)
        assert after[0] != before[0], f"{name}: the picture did not change"
        assert after[1] != before[1], f"{name}: the text did not change"


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_controls_that_depend_on_one_another_stay_in_step(kind: type[Explorer]) -> None:
    explorer = kind()
    sliders = [control for control in explorer.controls.values() if isinstance(control, widgets.IntSlider)]
    for first, second in product(sliders, sliders):
        for low_or_high in ("min", "max"):
            first.value = getattr(first, low_or_high)
            second.value = second.max
            assert explorer.result == explorer._compute()


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_slider_has_a_labelled_number_box_that_moves_it(kind: type[Explorer]) -> None:
    explorer = kind()
    boxes = [widget for widget in descendants(explorer) if isinstance(widget, widgets.BoundedIntText)]
    sliders = [control for control in explorer.controls.values() if isinstance(control, widgets.IntSlider)]
    assert len(boxes) == len(sliders)
    for box, slider in zip(boxes, sliders, strict=True):
        assert box.description
        box.value = slider.max
        assert slider.value == slider.max


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_a_static_page_shows_picture_and_text(kind: type[Explorer]) -> None:
    explorer = kind()
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert explorer.picture in bundle["text/html"]
    assert bundle["text/plain"] == repr(explorer) == f"{kind.__name__}: {explorer.result.summary}"


def test_explorers_answer_before_torch_is_loaded() -> None:
    code = (
        "import sys; import course_lib.explorers as e\nfor name in e.__all__: getattr(e, name)()\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def descendants(widget: widgets.Widget) -> list[widgets.Widget]:
    found = [widget]
    for child in getattr(widget, "children", ()):
        found += descendants(child)
    return found
