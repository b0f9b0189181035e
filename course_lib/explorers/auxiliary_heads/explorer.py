"""The explorer of auxiliary classifiers: controls around `compute` and the picture."""

from __future__ import annotations

from course_lib.experiments.auxiliary_network import LOWER, MODULES, WEIGHT
from course_lib.explorers.auxiliary_heads.picture import draw
from course_lib.explorers.auxiliary_heads.result import GradientProfile, compute
from course_lib.explorers.base import Explorer, choice, int_slider


class AuxiliaryExplorer(Explorer):
    """A head on a deep network: the gradients that reach each stage from the main loss and from the head's.

    Args: the controls' first values, by the names and ranges of `auxiliary.compute`; the weight is set in per cent.

    Attributes:
        result: the `GradientProfile` shown.
    """

    name = "auxiliary"

    def __init__(
        self,
        head_after: int = LOWER,
        weight_percent: int = round(100 * WEIGHT),
        batch_norm: str = "none",
        init: str = "pytorch",
    ) -> None:
        norms = {"none": "none", "in the trunk": "trunk", "in trunk and head": "trunk and head"}
        super().__init__(
            {
                "head_after": int_slider("after module", head_after, 1, MODULES),
                "weight_percent": int_slider("its weight, %", weight_percent, 0, 100, 10),
                "batch_norm": choice("batch norm", norms, batch_norm),
                "init": choice("first weights", {"PyTorch's": "pytorch", "He's": "he"}, init),
            }
        )

    def _compute(self) -> GradientProfile:
        values = self.values
        return compute(values["head_after"], values["weight_percent"] / 100, values["batch_norm"], values["init"])

    def _draw(self, result: GradientProfile) -> str:
        return draw(result)
