"""What can be set in the module explorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.explorers.controls import Choice, Control, Idea, Slider, Values
from course_lib.explorers.inception_module.picture import draw_module
from course_lib.explorers.inception_module.result import ModulePlan, ModuleResult, plan_module, plans

FIRST = "GoogLeNet 3a"
MODULE, POOL_PROJECTION = "module", "pool"
SHORT = {"GoogLeNet": "", "BN-Inception": "BN ", "Inception-v3": "v3 "}
STEP = 8
"""Of a width; GoogLeNet's narrowest layers have 16 and 24 channels."""


def plan_values(plan: ModulePlan) -> dict[str, int]:
    """The values of the sliders that describe a network's own module."""
    channels, side, _ = plan.in_shape
    return {"in_channels": channels, "grid": side, **plan.widths}


def _width(name: str, label: str) -> Slider:
    return Slider(name, label, plan_values(plans()[FIRST])[name], STEP, 512, STEP)


class ModuleIdea(Idea):
    """An Inception module, with or without reductions; a button sets the sliders to a network's own module."""

    name = "module"
    controls = (
        Choice(
            MODULE,
            "module",
            FIRST,
            tuple((SHORT[plan.family] + plan.module.removeprefix("mixed_"), key) for key, plan in plans().items()),
        ),
        Choice("reduction", "reductions", True, (("on", True), ("off: naive", False))),
        Slider("in_channels", "channels in", plan_values(plans()[FIRST])["in_channels"], 16, 2048, 16),
        Slider("grid", "grid size", plan_values(plans()[FIRST])["grid"], 1, 56),
        _width("one", "1×1"),
        _width("three_reduce", "2nd: reduce"),
        _width("three", "2nd: window"),
        _width("five_reduce", "3rd: reduce"),
        _width("five", "3rd: window"),
        _width(POOL_PROJECTION, "pool: project"),
    )

    def controls_at(self, values: Values) -> Sequence[Control]:
        """Without reductions, sliders that no layer is left for have no effect."""
        if values["reduction"]:
            return self.controls
        several = values[MODULE] == "Inception-v3 mixed_6b"  # whose reduced width is that of its inner windows, too
        idle = {POOL_PROJECTION} if several else {POOL_PROJECTION, "three_reduce", "five_reduce"}
        return [replace(control, enabled=False) if control.name in idle else control for control in self.controls]

    def result(self, values: Values) -> ModuleResult:
        return plan_module(**values)

    def draw(self, result: ModuleResult) -> str:
        return draw_module(result)

    def _agree(self, values: dict[str, Any], changed: frozenset[str]) -> dict[str, Any]:
        return {**values, **plan_values(plans()[values[MODULE]])} if MODULE in changed else values
