"""What can be set in the explorer of smoothed labels."""

from __future__ import annotations

from typing import Any

from course_lib.explorers.controls import Choice, Idea, Slider, Values
from course_lib.explorers.label_smoothing.picture import draw_label_smoothing
from course_lib.explorers.label_smoothing.result import SHOWN, LabelSmoothing, smooth_label

SIZES = (10, 100, 1000)
LOGITS = tuple(
    Slider(name, f"logit {label}", value, -5, 15, 0.1, decimals=1)  # the best of 1 % and 1,000 classes lie below 14
    for name, label, value in zip(("shirt", "t_shirt", "pullover", "coat"), SHOWN, (3, 2, 0, 0), strict=True)
)
BY_HAND, OPTIMUM = "by hand", "optimum"
PRESETS = {BY_HAND: None, "equal": (0, 0, 0, 0), "sure": (10, 0, 0, 0), "sure and wrong": (0, 10, 0, 0), OPTIMUM: None}


class LabelSmoothingIdea(Idea):
    """One image's label, smoothed, and a prediction for it.

    While "optimum" is chosen the logits follow epsilon, classes and prior to where the loss is least, as far as the
    sliders reach, in tenths. Moving one of them takes over by hand.
    """

    name = "epsilon"
    controls = (
        Slider("epsilon", "ε", 0.1, 0, 0.9, 0.01, decimals=2),
        Choice(
            "prior",
            "prior u",
            "uniform",
            (("uniform", "uniform"), ("class frequencies", "frequencies"), ("confusable classes", "confusable")),
        ),
        Choice("num_classes", "classes", SIZES[0], tuple((f"{size:,}", size) for size in SIZES)),
        Choice("preset", "logits", BY_HAND, tuple((name, name) for name in PRESETS)),
        *LOGITS,
    )

    def result(self, values: Values) -> LabelSmoothing:
        logits = [values[slider.name] for slider in LOGITS]
        return smooth_label(values["epsilon"], values["num_classes"], values["prior"], logits)

    def draw(self, result: LabelSmoothing) -> str:
        return draw_label_smoothing(result)

    def _agree(self, values: dict[str, Any], changed: frozenset[str]) -> dict[str, Any]:
        if "preset" not in changed and any(slider.name in changed for slider in LOGITS):
            values["preset"] = BY_HAND
        logits = PRESETS[values["preset"]]
        if values["preset"] == OPTIMUM:
            logits = [row.best_logit for row in self.result(values).rows[: len(SHOWN)]]
        if logits is not None:
            values |= {slider.name: slider.nearest(logit) for slider, logit in zip(LOGITS, logits, strict=True)}
        return values
