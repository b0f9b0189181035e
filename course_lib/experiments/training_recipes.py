"""The small network on which the lessons on training recipes and on reading curves try things out."""

from __future__ import annotations

import torch

from course_lib.architecture import Conv, Node, branches, build, conv, global_avg_pool, linear, max_pool, with_fields
from course_lib.architecture.building import Network
from course_lib.models.creation import initialize


def recipe_network() -> Node:
    """Two convolutions and two Inception modules on the 7x7 grid of a 28x28 image, with batch norm."""
    module = branches(conv(16, 1), conv(16, 1) >> conv(32, 3), max_pool(3) >> conv(16, 1))
    stem = conv(32, 3, stride=2) >> conv(32, 3) >> max_pool(3, 2)
    return stem >> module >> module >> global_avg_pool() >> linear(10)


def without_batch_norm(value: Node) -> Node:
    """The same value, its convolutions with biases in place of batch norm."""
    return with_fields(value, Conv, norm=False, bias=True)


def make_network(value: Node, seed: int) -> Network:
    """The value's module for grey images, its first weights from `seed`, after He et al. (`initialize`)."""
    torch.manual_seed(seed)
    model = build(value, in_channels=1)
    initialize(model)
    return model
