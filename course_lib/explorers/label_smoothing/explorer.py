"""The explorer of smoothed labels: controls around `compute` and `draw`."""

from __future__ import annotations

from course_lib.explorers.base import Explorer, choice, int_slider
from course_lib.explorers.label_smoothing.picture import draw
from course_lib.explorers.label_smoothing.result import SHOWN, LabelSmoothing, compute

LOWEST, HIGHEST = -50, 150  # logits in tenths; the best ones, of 1 % and 1,000 classes, lie below 14
SIZES = (10, 100, 1000)
BY_HAND, OPTIMUM = "by hand", "optimum"
PRESETS = {BY_HAND: None, "equal": (0, 0, 0, 0), "sure": (100, 0, 0, 0), "sure and wrong": (0, 100, 0, 0)}


class EpsilonExplorer(Explorer):
    """One image of a shirt: its smoothed label, a prediction, the loss, and where the gradient pulls each logit.

    Four classes have a logit to drag; all others share the logit 0, since only differences matter. While "optimum" is
    chosen the logits follow epsilon, classes and prior to where the loss is least (as far as the sliders reach, in
    tenths); moving one of them takes over by hand. Sliders hold whole numbers: epsilon in per cent, logits in tenths.

    Args:
        epsilon: 0 to 0.9, in hundredths.
        num_classes: 10, 100 or 1000.
        prior: as in `label_smoothing.compute`.
        logits: of shirt, T-shirt, pullover and coat; -5 to 15, in tenths.

    Attributes:
        result: the `LabelSmoothing` shown.
    """

    name = "epsilon"

    def __init__(
        self,
        epsilon: float = 0.1,
        num_classes: int = 10,
        prior: str = "uniform",
        logits: tuple[float, float, float, float] = (3.0, 2.0, 0.0, 0.0),
    ) -> None:
        self._placed = tuple(round(10 * logit) for logit in logits)
        self._preset = BY_HAND
        names = ("shirt", "t_shirt", "pullover", "coat")
        labels = (f"{name.replace('_', '-')} × 10" for name in names)
        self._logits = {
            name: int_slider(label, value, LOWEST, HIGHEST)
            for name, label, value in zip(names, labels, self._placed, strict=True)
        }
        priors = {"uniform": "uniform", "class frequencies": "frequencies", "confusable classes": "confusable"}
        presets = {name: name for name in (*PRESETS, OPTIMUM)}
        controls = {
            "epsilon": int_slider("ε in %", round(100 * epsilon), 0, 90),
            "num_classes": choice("classes", {f"{size:,}": str(size) for size in SIZES}, str(num_classes)),
            "prior": choice("prior u", priors, prior),
            "preset": choice("logits", presets, BY_HAND),
            **self._logits,
        }
        super().__init__(controls)

    def _compute(self) -> LabelSmoothing:
        logits = [slider.value / 10 for slider in self._logits.values()]
        values = self.values
        return compute(values["epsilon"] / 100, int(values["num_classes"]), values["prior"], logits)

    def _draw(self, result: LabelSmoothing) -> str:
        return draw(result)

    def _constrain(self) -> None:
        preset = self.controls["preset"]
        dragged = tuple(slider.value for slider in self._logits.values()) != self._placed
        if dragged and preset.value == self._preset:
            preset.value = BY_HAND
        if preset.value == OPTIMUM:
            self._place(_optimum(self._compute()))
        elif preset.value != BY_HAND:
            self._place(PRESETS[preset.value])
        self._placed = tuple(slider.value for slider in self._logits.values())
        self._preset = preset.value

    def _place(self, logits: tuple[int, ...]) -> None:
        for slider, value in zip(self._logits.values(), logits, strict=True):
            slider.value = value


def _optimum(result: LabelSmoothing) -> tuple[int, ...]:
    """The best logits in tenths, as far as the sliders reach."""
    return tuple(round(10 * min(max(row.best_logit, LOWEST / 10), HIGHEST / 10)) for row in result.rows[: len(SHOWN)])
