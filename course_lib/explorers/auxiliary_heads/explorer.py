"""The explorer of auxiliary classifiers."""

from __future__ import annotations

from course_lib.experiments.auxiliary_network import LOWER, WEIGHT
from course_lib.explorers.auxiliary_heads.controls import AuxiliaryIdea
from course_lib.explorers.base import Explorer


class AuxiliaryExplorer(Explorer):
    """A head on a deep network: the gradients that reach each stage from the main loss and from the head's.

    Args: the controls' first values, by the names of `profile_gradients`, in the ranges of `AuxiliaryIdea`.

    Attributes:
        result: the `GradientProfile` shown.
    """

    idea = AuxiliaryIdea()

    def __init__(
        self, head_after: int = LOWER, weight: float = WEIGHT, batch_norm: str = "none", init: str = "pytorch"
    ) -> None:
        super().__init__(head_after=head_after, weight=weight, batch_norm=batch_norm, init=init)
