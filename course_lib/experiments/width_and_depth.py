"""One budget of multiplications spent four ways, from deep and thin to shallow and wide (v3 paper, section 2, principle
4)."""

from __future__ import annotations

from course_lib.architecture import ArchitectureError, Node, conv, global_avg_pool, linear, max_pool, seq

SHAPES: dict[int, int] = {36: 16, 9: 32, 4: 48, 1: 96}
"""Layers of the body and the channels of each: layers times channels squared, and so the multiplications, are equal."""


def budget_network(depth: int) -> Node:
    """A classifier of 28x28 images into ten classes: an opening to 7x7 places, then `depth` convolutions 3x3 there, as
    wide as `SHAPES` says.

    Raises:
        ArchitectureError: for a depth that is not in `SHAPES`; the message says which there are.
    """
    if depth not in SHAPES:
        raise ArchitectureError(f"depth must be one of {', '.join(map(str, SHAPES))}; got {depth!r}.")
    width = SHAPES[depth]
    opening = conv(16, 3) >> conv(32, 3, 2) >> max_pool(3, 2) >> conv(width, 1)
    return seq(opening, *(conv(width, 3) for _ in range(depth)), global_avg_pool(), linear(10))
