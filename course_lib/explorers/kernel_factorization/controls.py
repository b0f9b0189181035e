"""What can be set in the kernel factorisation explorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.explorers.controls import Choice, Control, Idea, Slider, Values
from course_lib.explorers.kernel_factorization.picture import draw_kernel_factorization
from course_lib.explorers.kernel_factorization.result import KernelFactorization, factorize_kernel, max_rewrites

STACK, THIN_STACK, PAIR = "stack", "thin stack", "pair"
SMALLEST_STACKED = 5
"""Kernel size from which on a stack of 3x3 is something else than the kernel itself."""
MAX_KERNEL_SIZE = 11
REWRITES, FORM = "rewrites", "form"


class KernelFactorizationIdea(Idea):
    """One large convolution as a stack of 3x3, as a stack of 1x3 and 3x1, or as a pair 1xn and nx1.

    The pressed button always names what is drawn: the last rewrite of a stack makes it a thin one.
    """

    name = "kernel-factorization"
    needs_course = "“Measure time” runs both forms in PyTorch, so the notebook alone has it."
    controls = (
        Slider("kernel_size", "kernel size", 5, 3, MAX_KERNEL_SIZE, 2),
        Slider(REWRITES, "rewrites", 1, 0, max_rewrites(MAX_KERNEL_SIZE, "stack")),
        Choice(
            FORM,
            "into",
            STACK,
            (("a stack of 3×3", STACK), ("a stack of 1×3, 3×1", THIN_STACK), ("1×n and n×1", PAIR)),
        ),
        Slider("channels", "channels", 64, 16, 512, 16),
        Slider("grid", "grid size", 35, 7, 147),
        Slider("stride", "stride", 1, 1, 2),
        Choice("between", "between layers", "relu", (("ReLU", "relu"), ("linear", "linear"))),
    )

    def controls_at(self, values: Values) -> Sequence[Control]:
        most = max_rewrites(values["kernel_size"], _as_form(values[FORM]))
        return [replace(control, high=most) if control.name == REWRITES else control for control in self.controls]

    def result(self, values: Values) -> KernelFactorization:
        return factorize_kernel(**{**values, FORM: _as_form(values[FORM])})

    def draw(self, result: KernelFactorization) -> str:
        return draw_kernel_factorization(result)

    def _agree(self, values: dict[str, Any], changed: frozenset[str]) -> dict[str, Any]:
        if FORM in changed:
            values[REWRITES] = max(1, values[REWRITES])
            if values[FORM] != PAIR:
                values["kernel_size"] = max(SMALLEST_STACKED, values["kernel_size"])
        elif values["kernel_size"] < SMALLEST_STACKED:
            values[FORM] = PAIR  # a 3x3 has no other rewrite
        form = values[FORM]
        most = max_rewrites(values["kernel_size"], _as_form(form))
        if form == THIN_STACK and REWRITES not in changed:
            values[REWRITES] = most
        elif form == STACK and changed and REWRITES not in changed:
            most -= 1  # the last rewrite would make another form of it
        values[REWRITES] = min(values[REWRITES], most)
        if form != PAIR:
            values[FORM] = THIN_STACK if values[REWRITES] == max_rewrites(values["kernel_size"], "stack") else STACK
        return values


def _as_form(form: str) -> str:
    """`factorize_kernel` tells the two stacks apart by their number of rewrites."""
    return PAIR if form == PAIR else STACK
