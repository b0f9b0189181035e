"""One budget spent four ways: the body's cost is the same to the last multiplication."""

from __future__ import annotations

import pytest

from course_lib.architecture import ArchitectureError, layers, total
from course_lib.experiments.width_and_depth import SHAPES, budget_network

IMAGE = (1, 28, 28)


def test_the_bodies_cost_the_same_to_the_last_multiplication() -> None:
    bodies = []
    for depth, width in SHAPES.items():
        shape = (width, 7, 7)
        found = [row for row in layers(budget_network(depth), IMAGE) if row.in_shape == row.out_shape == shape]
        rows = [row for row in found if row.operation.startswith("conv 3x3")]
        assert len(rows) == depth
        bodies.append(sum(row.macs for row in rows))
    assert len(set(bodies)) == 1


def test_every_network_sees_the_whole_picture_and_is_a_multiple_of_16_wide() -> None:
    for depth, width in SHAPES.items():
        size = total(budget_network(depth), IMAGE)
        assert min(size.receptive_field) > IMAGE[1]
        assert size.out_shape == (10,)
        assert width % 16 == 0


def test_another_depth_is_named() -> None:
    with pytest.raises(ArchitectureError, match="depth must be one of 36, 9, 4, 1; got 2"):
        budget_network(2)
