"""The module explorer: presets are the networks' own modules, numbers those of `total`, bars to scale."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_lib.architecture import ArchitectureError, layers, total
from course_lib.explorers import ModuleExplorer
from course_lib.explorers.controls import ExplorerError
from course_lib.explorers.inception_module.controls import ModuleIdea
from course_lib.explorers.inception_module.picture import (
    BAR,
    HEIGHT,
    JOIN,
    MACS_BAR,
    MACS_LEFT,
    PARAMS_BAR,
    PARAMS_LEFT,
    WIDTH,
    draw_module,
)
from course_lib.explorers.inception_module.result import FAMILIES, WIDTHS, ModuleResult, plan_module, plans
from course_lib.models import network
from course_lib.models.googlenet import MODULES

RECTANGLE = re.compile(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"[^>]*? fill="(#\w+|none)"')
MULTIPLES = st.integers(1, 64).map(lambda n: 8 * n)
each_plan = pytest.mark.parametrize("name", list(plans()))


@st.composite
def results(draw: st.DrawFn) -> ModuleResult:
    widths = {name: draw(MULTIPLES) for name in WIDTHS}
    sizes = draw(st.integers(1, 128)) * 16, draw(st.integers(1, 56))
    return plan_module(draw(st.sampled_from(list(plans()))), draw(st.booleans()), *sizes, **widths)


def own(name: str, reduction: bool = True) -> ModuleResult:
    """A network's module as it is."""
    plan = plans()[name]
    return plan_module(name, reduction, *plan.in_shape[:2], **plan.widths)


@each_plan
def test_a_preset_is_the_networks_own_module(name: str) -> None:
    plan = plans()[name]
    model = network(FAMILIES[plan.family][0])
    part = next(part for part in model.layers if part.name == plan.module)
    mine, theirs = (
        [(row.operation, row.in_shape, row.out_shape, row.params) for row in layers(value, plan.in_shape)]
        for value in (own(name).value, part)
    )
    assert mine == theirs
    assert own(name).is_unchanged


def test_every_module_of_googlenet_is_offered_and_has_its_widths() -> None:
    offered = {plan.module: plan.widths for plan in plans().values() if plan.family == "GoogLeNet"}
    expected = {
        name: dict(zip(WIDTHS, (one, *three, *five, pool), strict=True))
        for name, (one, three, five, pool) in MODULES.items()
    }
    assert offered == expected


@each_plan
def test_the_naive_module_has_no_reduction_and_costs_more(name: str) -> None:
    result = own(name)
    assert result.naive_macs > result.macs
    assert result.naive_channels > result.out_channels
    assert own(name, reduction=False).macs == result.naive_macs
    for path in result.naive.paths[1:]:
        assert not any(row.operation.startswith("conv 1x1 ") for row in layers(path, result.in_shape))


@given(results())
@settings(deadline=None)
def test_branches_add_up_to_the_module(result: ModuleResult) -> None:
    whole = total(result.value, result.in_shape)
    assert (result.macs, result.params, result.out_channels) == (whole.macs, whole.params, whole.out_shape[0])


@given(results())
@settings(deadline=None)
def test_everything_stays_within_the_frame_and_bars_are_to_scale(result: ModuleResult) -> None:
    svg = draw_module(result)
    found = [(*map(float, numbers), color) for *numbers, color in RECTANGLE.findall(svg)]
    for x, y, width, height, _ in found:
        assert 0 <= x <= x + width <= WIDTH
        assert 0 <= y <= y + height <= HEIGHT
    assert all(x + width <= JOIN for x, _, width, _, _ in found if 0 < x < MACS_LEFT)
    for what, left, color in (("macs", MACS_LEFT, MACS_BAR), ("params", PARAMS_LEFT, PARAMS_BAR)):
        counts = [getattr(cost, what) for cost in result.costs]
        most = max([*counts, *(getattr(cost, what) for cost in result.naive_costs)])
        bars = [width for x, _, width, _, fill in found if x == left and fill == color]
        assert bars == pytest.approx([BAR * count / most for count in counts], abs=0.01)


def test_the_summary_says_what_the_numbers_say() -> None:
    result = own("GoogLeNet 3a")
    assert result.summary.startswith("3a of GoogLeNet: 192 channels on 28×28 become 256 for 128 M MACs and")
    assert f"{result.macs / result.naive_macs:.1%} of the naive" in result.summary
    assert result.summary.endswith("hands on 416 channels.")
    assert "naive: 192 channels" in own("GoogLeNet 3a", reduction=False).summary
    assert ModuleExplorer(five=64).result.summary.startswith("3a of GoogLeNet, changed: ")


def test_a_button_sets_every_slider_to_the_networks_own_module() -> None:
    explorer = ModuleExplorer(five=64)
    explorer.controls["module"].value = "Inception-v3 mixed_6b"
    assert explorer.result.is_unchanged
    assert explorer.controls["in_channels"].value == 768
    explorer.controls["grid"].value = 20
    assert not explorer.result.is_unchanged
    assert explorer.values["module"] == "Inception-v3 mixed_6b"


def test_without_reductions_sliders_that_have_no_layer_are_idle() -> None:
    idea = ModuleIdea()
    for name in plans():
        values = idea.correct({**idea.first_values, "module": name}, idea.first_values) | {"reduction": False}
        before = idea.result(values)
        for control in idea.controls_at(values):
            if control.name in WIDTHS:
                changed = idea.result({**values, control.name: values[control.name] + 8})
                assert control.enabled == (changed.macs != before.macs), (name, control.name)


def test_nonsense_is_named() -> None:
    widths = plans()["GoogLeNet 3a"].widths
    with pytest.raises(ArchitectureError, match=r"module must be one of GoogLeNet 3a, .*; got '6a'"):
        plan_module("6a", True, 192, 28, **widths)
    with pytest.raises(ArchitectureError, match=r"give one number for each of one, .*; got one"):
        plan_module("GoogLeNet 3a", True, 192, 28, one=64)
    with pytest.raises(ArchitectureError, match="at least 1"):
        plan_module("GoogLeNet 3a", True, 192, 28, **{**widths, "five": 0})
    with pytest.raises(ExplorerError, match="module is '6a'; it must be one of GoogLeNet 3a"):
        ModuleExplorer("6a")
    with pytest.raises(ExplorerError, match="there is no slider 'seven'; there are in_channels"):
        ModuleExplorer(seven=8)
    with pytest.raises(ExplorerError, match="three is 100; it must be a number from 8 to 512 in steps of 8"):
        ModuleExplorer(three=100)
