"""Convolutions that add their bias, apply ReLU and add a residual's input while they write their output, in one pass
over memory where oneDNN, PyTorch's library for CPUs, can do so."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course_lib.architecture.building import ConvUnit, ResidualModule

# The operators that torch.compile puts in place of a convolution and what follows it; not every build of PyTorch has
# them, nor bfloat16 on every processor.
_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
_DTYPES = {torch.float32} if _ONEDNN else set()
if _ONEDNN and torch.ops.mkldnn._is_mkldnn_bf16_supported():
    _DTYPES.add(torch.bfloat16)


class FusedConvUnit(nn.Module):
    """Convolution and ReLU: (N, in_channels, H, W) -> (N, channels, H', W'), for use only.

    What the fused operators cannot do, such as gradients for the images, goes the usual way.
    """

    def __init__(self, unit: ConvUnit) -> None:
        super().__init__()
        self.conv = unit.conv
        self.activation = unit.activation

    def forward(self, x: Tensor) -> Tensor:
        if not fusable(x):
            return self.activation(self.conv(x))
        return torch.ops.mkldnn._convolution_pointwise(x, *arguments(self.conv), attribute(self.activation), [], "")


class FusedResidual(nn.Module):
    """`activation(x + inner(x))`, where `inner` ends in a convolution without activation, for use only.

    The scale of the residual it takes the place of becomes part of that convolution's weights.
    """

    def __init__(self, residual: ResidualModule) -> None:
        super().__init__()
        self.inner = residual.inner
        self.activation = residual.activation
        last = residual.inner[-1].conv
        last.weight = nn.Parameter(residual.scale * last.weight.detach())
        last.bias = nn.Parameter(residual.scale * last.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        if not fusable(x):
            return self.activation(x + self.inner(x))
        after = "relu" if attribute(self.activation) == "relu" else None
        operator = torch.ops.mkldnn._convolution_pointwise.binary
        return operator(self.inner[:-1](x), x, *arguments(self.inner[-1].conv), "add", 1.0, after, [], None)


def fusable(x: Tensor) -> bool:
    """Whether the fused operators take `x`: they know CPUs and the types of this one, and no gradients."""
    return x.device.type == "cpu" and x.dtype in _DTYPES and not (x.requires_grad and torch.is_grad_enabled())


def arguments(conv: nn.Conv2d) -> tuple[object, ...]:
    """Of a convolution, as the fused operators take them."""
    return conv.weight, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups


def attribute(activation: nn.Module) -> str:
    """The operators' name of an activation that `build` makes."""
    return "relu" if isinstance(activation, nn.ReLU) else "none"


def fuse(module: nn.Module) -> None:
    """Puts fused parts in place of the units of `module` that hold no batch norm, and of its residuals that end in a
    convolution without activation; names stay."""
    for name, child in module.named_children():
        fuse(child)
        if isinstance(child, ConvUnit) and isinstance(child.bn, nn.Identity):
            module.add_module(name, FusedConvUnit(child))
        elif isinstance(child, ResidualModule) and _ends_linear(child.inner):
            module.add_module(name, FusedResidual(child))


def _ends_linear(inner: nn.Module) -> bool:
    """Whether the last part of `inner`, already fused, is a convolution without activation."""
    if not isinstance(inner, nn.Sequential) or not len(inner):
        return False
    last = inner[-1]
    return isinstance(last, FusedConvUnit) and attribute(last.activation) == "none"
