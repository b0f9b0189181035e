"""What can be set in the family explorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from course_lib.explorers.controls import Choice, Control, Idea, Slider, Values
from course_lib.explorers.family.picture import draw_family
from course_lib.explorers.family.result import (
    NETWORKS,
    FamilyView,
    count_parts,
    first_block,
    least_input_size,
    view_family,
)
from course_lib.models import entry

NETWORK, INPUT_SIZE, BLOCK = "network", "input_size", "block"
FIRST = "inception_v3"


class FamilyIdea(Idea):
    """One network of the family, the size of its image, one of its blocks.

    Another network begins with the image that it is made for and with its first block.
    """

    name = "family"
    controls = (
        Choice(NETWORK, "network", FIRST, tuple((label, name) for name, label in NETWORKS.items())),
        Slider(INPUT_SIZE, "input size", entry(FIRST).input_shape[1], 32, 448),
        Slider(BLOCK, "block", first_block(FIRST), 1, max(map(count_parts, NETWORKS))),
    )

    def controls_at(self, values: Values) -> Sequence[Control]:
        network, size, block = self.controls
        name = values[NETWORK]
        least = max(size.low, least_input_size(name))
        return [network, replace(size, low=least), replace(block, high=count_parts(name))]

    def result(self, values: Values) -> FamilyView:
        return view_family(**values)

    def draw(self, result: FamilyView) -> str:
        return draw_family(result)

    def _agree(self, values: dict[str, Any], changed: frozenset[str]) -> dict[str, Any]:
        if NETWORK in changed:
            values[INPUT_SIZE] = entry(values[NETWORK]).input_shape[1]
            values[BLOCK] = first_block(values[NETWORK])
        return {name: control.nearest(values[name]) for name, control in self._ranges(values).items()}

    def _ranges(self, values: Values) -> dict[str, Control]:
        return {control.name: control for control in self.controls_at(values)}
