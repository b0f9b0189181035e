"""What can be set in the explorer of auxiliary classifiers."""

from __future__ import annotations

from course_lib.experiments.auxiliary_network import LOWER, MODULES, WEIGHT
from course_lib.explorers.auxiliary_heads.picture import draw_gradient_profile
from course_lib.explorers.auxiliary_heads.result import GradientProfile, profile_gradients
from course_lib.explorers.controls import Choice, Idea, Slider, Values


class AuxiliaryIdea(Idea):
    """A head on a deep network: where it stands, and what its loss counts."""

    name = "auxiliary"
    controls = (
        Slider("head_after", "after module", LOWER, 1, MODULES),
        Slider("weight", "its weight", WEIGHT, 0, 1, 0.05, decimals=2),
        Choice(
            "batch_norm",
            "batch norm",
            "none",
            (("none", "none"), ("in the trunk", "trunk"), ("in trunk and head", "trunk and head")),
        ),
        Choice("init", "first weights", "pytorch", (("PyTorch's", "pytorch"), ("He's", "he"))),
    )

    def result(self, values: Values) -> GradientProfile:
        return profile_gradients(**values)

    def draw(self, result: GradientProfile) -> str:
        return draw_gradient_profile(result)
