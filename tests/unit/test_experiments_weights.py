"""Weights from a network by hand into the one that the library builds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from course_lib.architecture import build, conv, seq
from course_lib.errors import CourseError
from course_lib.experiments.weights import copy_weights_in_order

VALUE = seq(conv(4, 3), conv(2, 1))


def test_layers_in_the_same_order_give_the_same_outputs() -> None:
    by_hand = nn.Sequential(
        *(nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4, eps=1e-3), nn.ReLU()),
        *(nn.Conv2d(4, 2, 1, bias=False), nn.BatchNorm2d(2, eps=1e-3), nn.ReLU()),
    )
    built = build(VALUE, 3)
    copy_weights_in_order(by_hand, built)
    images = torch.randn(2, 3, 5, 5)
    assert torch.equal(built(images), by_hand(images))


def test_what_does_not_fit_copies_nothing() -> None:
    built = build(VALUE, 3)
    before = {key: tensor.clone() for key, tensor in built.state_dict().items()}
    with pytest.raises(CourseError, match="equally many tensors; they hold 1 and 12"):
        copy_weights_in_order(nn.Conv2d(3, 4, 3, bias=False), built)
    with pytest.raises(CourseError, match=r"1.conv.weight \(3, 4, 1, 1\) does not fit 1.conv.weight \(2, 4, 1, 1\)"):
        copy_weights_in_order(build(seq(conv(4, 3), conv(3, 1)), 3), built)
    assert all(torch.equal(tensor, before[key]) for key, tensor in built.state_dict().items())
