"""Every explorer, every control: what stands on the page is what the idea says of the controls' values."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any
from xml.etree import ElementTree

import ipywidgets as widgets
import pytest
from comm.base_comm import BaseComm
from hypothesis import given, settings
from hypothesis import strategies as st

import course_lib.explorers as explorers
from course_lib.explorers.base import Explorer
from course_lib.explorers.controls import Choice, ExplorerError, Idea, Slider
from course_lib.explorers.ideas import IDEAS

ALL = [getattr(explorers, name) for name in explorers.__all__]
PURE = [f"{room}.{part}" for room in set(explorers._ROOMS.values()) for part in ("result", "picture", "controls")]
HEAVY = ("numpy", "pandas", "ipywidgets", "torch", "traitlets")
each_explorer = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
each_idea = pytest.mark.parametrize("idea", IDEAS.values(), ids=list(IDEAS))


def settings_of(control: Slider | Choice) -> list[Any]:
    """The values to try: low end, middle and high end of a slider, every option of a choice."""
    if isinstance(control, Slider):
        values = control.allowed_values()
        return [values[0], values[len(values) // 2], values[-1]]
    return [value for _, value in control.options]


def shown(explorer: Explorer) -> tuple[str, str]:
    """The picture's SVG and its alternative text."""
    source = re.search(r'base64,([^"]+)"', explorer.picture)
    alt = re.search(r'alt="([^"]*)"', explorer.picture)
    return base64.b64decode(source[1]).decode(), unescape(alt[1])


@each_explorer
def test_every_control_answers_at_both_ends_and_in_the_middle(kind: type[Explorer]) -> None:
    for control in kind.idea.controls_at(kind().values):
        explorer = kind()
        for value in settings_of(control):
            explorer.controls[control.name].value = value
            assert explorer.values[control.name] == value
            ElementTree.fromstring(shown(explorer)[0])


@each_explorer
def test_every_change_of_a_control_changes_picture_and_text(kind: type[Explorer]) -> None:
    for control in kind.idea.controls_at(kind().values):
        for value in settings_of(control):
            explorer = kind()
            before = shown(explorer)
            if value != explorer.values[control.name]:
                explorer.controls[control.name].value = value
                after = shown(explorer)
                assert after[0] != before[0], f"{control.name} {value}: the picture did not change"
                assert after[1] != before[1], f"{control.name} {value}: the text did not change"


class FrontEnd:
    """What a browser shows of each widget: what was done there, until the kernel sends something else."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def receive(self, comm: BaseComm, data: dict[str, Any]) -> None:
        state = data.get("state", {})
        if "value" in state:
            self.values[comm.comm_id] = state["value"]
        elif "index" in state:
            self.values[comm.comm_id] = state["index"]

    def do(self, widget: widgets.Widget, value: Any) -> None:
        """Drag, type or press: the browser shows it, then tells the kernel."""
        chosen = isinstance(widget, (widgets.ToggleButtons, widgets.SelectionSlider))
        state = {"index" if chosen else "value": value}
        self.values[widget.comm.comm_id] = value
        widget._handle_msg({"content": {"data": {"method": "update", "state": state}}})

    def shows(self, widget: widgets.Widget) -> Any:
        value = self.values[widget.comm.comm_id]
        selection = isinstance(widget, (widgets.ToggleButtons, widgets.SelectionSlider))
        return widget.options[value][1] if selection else value


@contextmanager
def front_end() -> Iterator[FrontEnd]:
    """Records what goes to the browser in place of sending it."""
    page = FrontEnd()

    def publish(comm: BaseComm, msg_type: str, data: dict | None = None, **_: object) -> None:
        page.receive(comm, data or {})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("comm.DummyComm.publish_msg", publish)
        yield page


@st.composite
def deeds(draw: st.DrawFn, idea: Idea) -> list[tuple[str, str, Any]]:
    """Things a reader does: ("type", name, number), ("drag", name, number) or ("press", name, index)."""
    done = []
    for _ in range(draw(st.integers(1, 6))):
        control = draw(st.sampled_from(idea.controls))
        if isinstance(control, Choice):
            done.append(("press", control.name, draw(st.integers(0, len(control.options) - 1))))
        elif draw(st.booleans()):
            near = st.floats(control.low - 2, control.high + 2) | st.integers(-(10**6), 10**6).map(float)
            done.append(("type", control.name, draw(near | st.sampled_from([0.1, 12.7, 6.0, 70.0, 1e300]))))
        else:
            done.append(("drag", control.name, draw(st.sampled_from(control.allowed_values()))))
    return done


def drag(page: FrontEnd, slider: widgets.Widget, value: float) -> None:
    if isinstance(slider, widgets.SelectionSlider):
        page.do(slider, [option for _, option in slider.options].index(value))
    else:
        page.do(slider, min(value, slider.max))


@each_explorer
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_box_slider_picture_and_sentence_state_the_same(kind: type[Explorer], data: st.DataObject) -> None:
    idea = kind.idea
    with front_end() as page:
        explorer = kind()
        for deed, name, value in data.draw(deeds(idea)):
            if deed == "type":
                page.do(explorer.boxes[name], value)
            elif deed == "drag":
                drag(page, explorer.controls[name], value)
            else:
                page.do(explorer.controls[name], value)
            values = explorer.values
            assert {key: page.shows(widget) for key, widget in explorer.controls.items()} == values
            assert {key: page.shows(box) for key, box in explorer.boxes.items()} == {
                k: values[k] for k in explorer.boxes
            }
            result = idea.result(values)
            assert explorer.result == result
            assert shown(explorer) == (idea.draw(result), result.summary)
            assert page.shows(explorer._picture) == explorer.picture
            assert unescape(re.sub(r"<[^>]*>", "", page.shows(explorer._summary))) == result.summary
            for control in idea.controls_at(values):
                assert control.nearest(values[control.name]) == values[control.name]
            assert idea.correct(values, values) == idea.correct(values) == values
        for widget in widgets_of(explorer):
            widget.close()


@each_idea
def test_the_first_values_agree_and_are_the_explorers(idea: Idea) -> None:
    kind = next(kind for kind in ALL if kind.idea.name == idea.name)
    assert kind().values == idea.first_values == idea.correct(idea.first_values)


@each_explorer
def test_every_slider_has_a_labelled_number_box_that_moves_it(kind: type[Explorer]) -> None:
    explorer = kind()
    for control in kind.idea.controls_at(explorer.values):
        if isinstance(control, Slider):
            box = explorer.boxes[control.name]
            assert box.description == control.label
            box.value = control.high
            assert explorer.controls[control.name].value == control.high


@each_explorer
def test_a_static_page_shows_picture_and_text(kind: type[Explorer]) -> None:
    explorer = kind()
    bundle = explorer._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert explorer.picture in bundle["text/html"]
    assert bundle["text/plain"] == repr(explorer) == f"{kind.__name__}: {explorer.result.summary}"


@pytest.mark.parametrize("module", ["ideas", *sorted(PURE)])
def test_result_picture_and_controls_load_nothing_heavy(module: str) -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in HEAVY)
    code = f"import sys; {blocked}; import course_lib.explorers.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_idea_answers_and_draws_without_anything_heavy() -> None:
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in HEAVY)
    code = f"""import sys; {blocked}
from course_lib.explorers.ideas import IDEAS
for idea in IDEAS.values():
    result = idea.result(idea.first_values)
    assert result.summary and idea.draw(result).startswith("<svg")"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_explorers_answer_before_torch_is_loaded() -> None:
    code = """import sys
from course_lib.explorers import KernelFactorizationExplorer
import course_lib.explorers as e
for name in e.__all__: getattr(e, name)()
assert not {"torch", "numpy", "pandas"} & set(sys.modules)"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("slider", "value", "nearest"),
    [
        (Slider("n", "n", 5, 3, 11, 2), 6, 7),
        (Slider("n", "n", 5, 3, 11, 2), 5.9, 5),
        (Slider("n", "n", 5, 3, 11, 2), 1e300, 11),
        (Slider("n", "n", 5, 3, 11, 2), float("nan"), 5),
        (Slider("n", "n", 64, 16, 512, 16), 70, 64),
        (Slider("n", "n", 0.1, 0, 0.9, 0.01, decimals=2), 0.123, 0.12),
        (Slider("n", "n", 3, -5, 15, 0.1, decimals=1), 12.7, 12.7),
        (Slider("n", "n", 3, -5, 15, 0.1, decimals=1), 0.3, 0.3),
        (Slider("n", "n", 0.1, 0.001, 0.5, logarithmic=True), 0.0456, 0.046),
        (Slider("n", "n", 0.1, 0.001, 0.5, logarithmic=True), 0, 0.001),
    ],
)
def test_a_slider_has_the_value_nearest_to_what_is_typed(slider: Slider, value: float, nearest: float) -> None:
    assert slider.nearest(value) == nearest
    assert nearest in slider.allowed_values()


@pytest.mark.parametrize(
    ("kind", "arguments", "sentence"),
    [
        ("KernelFactorizationExplorer", {"kernel_size": 4}, "kernel_size is 4; it must be a number from 3 to 11 in"),
        ("KernelFactorizationExplorer", {"form": "pairs"}, "form is 'pairs'; it must be one of 'stack', 'thin stack'"),
        ("GridReductionExplorer", {"grid": "32"}, "grid is '32'; it must be a number from 8 to 112, such as 32"),
        ("AuxiliaryExplorer", {"weight": 30}, "weight is 30; it must be a number from 0 to 1 in steps of 0.05"),
        ("EpsilonExplorer", {"logits": (1, 2)}, "logits has 2 numbers; give 4, one for each class shown"),
        ("EpsilonExplorer", {"num_classes": 20}, "num_classes is 20; it must be one of 10, 100, 1000"),
        ("ScheduleExplorer", {"recipe": "quik"}, "recipe is 'quik'; it must be one of 'szegedy_2016'"),
    ],
)
def test_a_value_that_a_control_does_not_have_is_named(kind: str, arguments: dict, sentence: str) -> None:
    with pytest.raises(ExplorerError, match=re.escape(sentence)):
        getattr(explorers, kind)(**arguments)


def widgets_of(widget: widgets.Widget) -> list[widgets.Widget]:
    found = [widget]
    for child in getattr(widget, "children", ()):
        found += widgets_of(child)
    return found
