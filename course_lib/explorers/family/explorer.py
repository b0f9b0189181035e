"""The explorer of the whole family."""

from __future__ import annotations

from course_lib.explorers.base import Explorer
from course_lib.explorers.family.controls import FamilyIdea
from course_lib.explorers.family.result import first_block
from course_lib.models import entry


class FamilyExplorer(Explorer):
    """Every network of the family, block by block: where its work is done, and what each block holds and sees.

    Args: the controls' first values, by the names of `view_family`, in the ranges of `FamilyIdea`; without, the image
        that the network is made for, and its first block.

    Attributes:
        result: the `FamilyView` shown.
    """

    idea = FamilyIdea()

    def __init__(self, network: str = "inception_v3", input_size: int | None = None, block: int | None = None) -> None:
        super().__init__(
            network=network,
            input_size=entry(network).input_shape[1] if input_size is None else input_size,
            block=first_block(network) if block is None else block,
        )
