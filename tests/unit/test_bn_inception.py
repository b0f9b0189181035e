"""BN-Inception in its released form equals a network written for this test from the layers' list of the Caffe model,
in plain PyTorch."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.architecture import ArchitectureError, cost
from course_lib.experiments.weights import copy_weights_in_order
from course_lib.models import create_model, network, optimize_for_inference

RELEASED = {"bias": True, "count_include_pad": True, "reduction_pool": "ceil", "eps": 1e-5}
# name: 1x1 | 3x3 reduce, 3x3 | double 3x3 reduce, 3x3 | pool projection; 0 where there is none
TABLE = [
    ("3a", 64, 64, 64, 64, 96, 32),
    ("3b", 64, 64, 96, 64, 96, 64),
    ("3c", 0, 128, 160, 64, 96, 0),
    ("4a", 224, 64, 96, 96, 128, 128),
    ("4b", 192, 96, 128, 96, 128, 128),
    ("4c", 160, 128, 160, 128, 160, 128),
    ("4d", 96, 128, 192, 160, 192, 128),
    ("4e", 0, 128, 192, 192, 256, 0),
    ("5a", 352, 192, 320, 160, 224, 128),
    ("5b", 352, 192, 320, 192, 224, 128),
]


class Layer(nn.Module):
    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.weighted = nn.Conv2d(channels, out, kernel, stride, (kernel - 1) // 2)
        self.normalised = nn.BatchNorm2d(out, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.normalised(self.weighted(x)))


class Block(nn.Module):
    def __init__(self, channels: int, row: tuple) -> None:
        super().__init__()
        self.name, one, three_reduce, three, double_reduce, double, projection = row
        stride = 1 if one else 2
        self.one = nn.ModuleList([Layer(channels, one, 1)] if one else [])
        self.three = nn.Sequential(Layer(channels, three_reduce, 1), Layer(three_reduce, three, 3, stride))
        self.twice = nn.Sequential(
            Layer(channels, double_reduce, 1), Layer(double_reduce, double, 3), Layer(double, double, 3, stride)
        )
        self.projection = nn.ModuleList([Layer(channels, projection, 1)] if projection else [])
        self.width = one + three + double + (projection or channels)

    def forward(self, x: Tensor) -> Tensor:
        if not self.one:
            pooled = F.max_pool2d(x, 3, 2, ceil_mode=True)
        elif self.name == "5b":
            pooled = F.max_pool2d(x, 3, 1, padding=1)
        else:
            pooled = F.avg_pool2d(x, 3, 1, padding=1)  # counts the padding, as Caffe does
        ones, projected = [layer(x) for layer in self.one], [layer(pooled) for layer in self.projection] or [pooled]
        return torch.cat([*ones, self.three(x), self.twice(x), *projected], dim=1)


class Reference(nn.Module):
    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stem = nn.ModuleList([Layer(3, 64, 7, 2), Layer(64, 64, 1), Layer(64, 192, 3)])
        blocks, channels = [], 192
        for row in TABLE:
            blocks.append(Block(channels, row))
            channels = blocks[-1].width
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.stem[0](x), 3, 2, ceil_mode=True)
        x = F.max_pool2d(self.stem[2](self.stem[1](x)), 3, 2, ceil_mode=True)
        return self.last(self.blocks(x).mean(dim=(2, 3)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    """In float64, with weights and statistics that all matter."""
    made = Reference(7).double().eval()
    generator = torch.Generator().manual_seed(0)
    for name, tensor in made.state_dict().items():
        if tensor.dim() > 1:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
        elif name.endswith(("running_var", "normalised.weight")):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif tensor.dim():
            tensor.normal_(0, 0.1, generator=generator)
    return made


def relative_error(reference: Reference, options: dict[str, object], side: int = 64) -> float:
    model = create_model("bn_inception", 7, **options).double().eval()
    copy_weights_in_order(reference, model)
    images = torch.randn(2, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        wanted = reference(images)
        return ((model(images) - wanted).norm() / wanted.norm()).item()


@pytest.mark.parametrize("side", [64, 96])
def test_the_released_form_equals_the_reference(reference: Reference, side: int) -> None:
    assert relative_error(reference, RELEASED, side) < 1e-12


@pytest.mark.parametrize("option", ["count_include_pad", "reduction_pool", "eps"])
def test_each_option_is_needed(reference: Reference, option: str) -> None:
    assert relative_error(reference, {name: value for name, value in RELEASED.items() if name != option}) > 0.01


def test_the_released_form_for_inference() -> None:
    torch.manual_seed(0)
    model = create_model("bn_inception", 7, **RELEASED).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(optimize_for_inference(model)(images), model(images), rtol=1e-3, atol=1e-4)


def test_unknown_pools_and_odd_grids_are_named() -> None:
    with pytest.raises(ArchitectureError, match="option reduction_pool must be one of 'same', 'ceil'; got 'valid'"):
        network("bn_inception", reduction_pool="valid")
    with pytest.raises(ArchitectureError, match="3c"):
        cost(network("bn_inception", **RELEASED), (3, 200, 200))
