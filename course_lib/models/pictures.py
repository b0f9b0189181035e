"""The picture of a network by its name."""

from __future__ import annotations

from typing import Any

from course_lib.architecture import Diagram, diagram
from course_lib.models.registry import entry, network


def draw(name: str, aux: bool = False, *, blocks: bool = True, **options: Any) -> Diagram:
    """The block diagram of the network `name` on the input it is made for.

    Args:
        name: one of `list_models()`.
        aux: with the auxiliary heads.
        blocks: beneath the overview, each type of block in full.
        options: the network's own.

    Raises:
        ArchitectureError: if there is no such network, or an option is wrong; the message says what there is.
    """
    known = entry(name)
    value = network(name, known.num_classes, aux, **options)
    return diagram(value, known.input_shape, title=name, blocks=blocks)
