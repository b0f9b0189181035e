"""The explorer of smoothed labels."""

from __future__ import annotations

from course_lib.explorers.base import Explorer
from course_lib.explorers.controls import ExplorerError
from course_lib.explorers.label_smoothing.controls import BY_HAND, LOGITS, LabelSmoothingIdea
from course_lib.explorers.label_smoothing.result import Prior


class EpsilonExplorer(Explorer):
    """One image of a shirt: its smoothed label, a prediction, the loss, and where the gradient pulls each logit.

    Four classes have a logit to drag; all others share the logit 0, since only differences matter.

    Args:
        epsilon: 0 to 0.9, in hundredths.
        num_classes: 10, 100 or 1000.
        prior: as in `smooth_label`.
        logits: of shirt, T-shirt, pullover and coat; -5 to 15, in tenths.

    Attributes:
        result: the `LabelSmoothing` shown.
    """

    idea = LabelSmoothingIdea()

    def __init__(
        self,
        epsilon: float = 0.1,
        num_classes: int = 10,
        prior: Prior = "uniform",
        logits: tuple[float, ...] = tuple(slider.value for slider in LOGITS),
    ) -> None:
        if len(logits) != len(LOGITS):
            raise ExplorerError(f"logits has {len(logits)} numbers; give {len(LOGITS)}, one for each class shown.")
        values = dict(zip((slider.name for slider in LOGITS), logits, strict=True))
        super().__init__(epsilon=epsilon, num_classes=num_classes, prior=prior, preset=BY_HAND, **values)
