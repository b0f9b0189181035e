"""Convolutions that add their bias, apply ReLU and add a residual's input while they write their output, in one pass
over memory where oneDNN, PyTorch's library for CPUs, can do so; their weights lie in the order that it asks for."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from course_lib.architecture.building import ConvUnit, ResidualModule
from course_lib.models.inference.threads import only_computed

# The operators that torch.compile puts in place of a convolution and what follows it; not every build of PyTorch has
# them, nor bfloat16 on every processor.
_OPERATORS = torch.ops.mkldnn
_NAMES = (
    "_convolution_pointwise",
    "_convolution_pointwise_",
    "_linear_pointwise",
    "_reorder_convolution_weight",
    "_reorder_linear_weight",
)
_ONEDNN = torch.backends.mkldnn.is_available() and all(hasattr(_OPERATORS, name) for name in _NAMES)
_DTYPES = {torch.float32} if _ONEDNN else set()
if _ONEDNN and _OPERATORS._is_mkldnn_bf16_supported():
    _DTYPES.add(torch.bfloat16)


class FusedConvUnit(nn.Module):
    """Convolution and ReLU: (N, in_channels, H, W) -> (N, channels, H', W'), for use only.

    The weight is reordered for the size of the first input and kept, beside the one that `state_dict` holds, until
    another size comes. What the fused operators cannot do, such as gradients for the images, goes the usual way.

    The bias stays in float32, in which oneDNN adds it: rounded as weights are, it would shift all pixels of a channel
    one way, which no sum over pixels evens out. (Before a residual's sum PyTorch wants it rounded.)
    """

    def __init__(self, unit: ConvUnit) -> None:
        super().__init__()
        self.conv = unit.conv
        self.activation = unit.activation
        self._kept: tuple[object, Tensor] | None = None

    def to_dtype(self, dtype: torch.dtype) -> None:
        """Puts the weight into `dtype`, in channels_last."""
        self.conv.weight.data = self.conv.weight.to(dtype=dtype, memory_format=torch.channels_last)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": None}  # a copy reorders its own

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv
        if not fusable(x):
            out = F.conv2d(x, conv.weight, conv.bias.to(x.dtype), conv.stride, conv.padding, conv.dilation, conv.groups)
            return self.activation(out)
        after = attribute(self.activation)
        if not is_matrix_product(conv):
            return _OPERATORS._convolution_pointwise(x, *self._arguments(x, conv.bias), after, [], "")
        pixels = x.permute(0, 2, 3, 1)
        out = _OPERATORS._linear_pointwise(pixels, self._weight(x, matrix_order), conv.bias, after, [], "")
        return out.permute(0, 3, 1, 2)

    def plus(self, x: Tensor, other: Tensor, activation: nn.Module, *, overwrite: bool) -> Tensor:
        """`activation(other + conv(x))`, for inputs that are `fusable`; in place of `other` if `overwrite`."""
        after = "relu" if attribute(activation) == "relu" else None
        how = (*self._arguments(x, self.conv.bias.to(x.dtype)), "add", 1.0, after, [], None)
        if overwrite:
            return _OPERATORS._convolution_pointwise_.binary(other, x, *how)
        return _OPERATORS._convolution_pointwise.binary(x, other, *how)

    def _arguments(self, x: Tensor, bias: Tensor) -> tuple[object, ...]:
        conv = self.conv
        weight = self._weight(x, convolution_order)
        return weight, bias, conv.padding, conv.stride, conv.dilation, conv.groups

    def _weight(self, x: Tensor, order: Callable[[nn.Conv2d, torch.Size], Tensor]) -> Tensor:
        weight = self.conv.weight
        version = 0 if weight.is_inference() else weight._version  # counts changes in place
        made_for = (order, x.shape, weight.dtype, weight.data_ptr(), version)
        kept = self._kept
        if kept is None or kept[0] != made_for:
            self._kept = kept = (made_for, order(self.conv, x.shape))
        return kept[1]


class FusedResidual(nn.Module):
    """`activation(x + inner(x))`, where `inner` ends in a convolution without activation, for use only.

    The scale of the residual it takes the place of becomes part of that convolution's weights.

    Args:
        residual: whose `inner` is already fused; it gives its parts away.
        overwrite: write the output over `x`, which is faster, as less memory is touched.
    """

    def __init__(self, residual: ResidualModule, *, overwrite: bool) -> None:
        super().__init__()
        self.inner = residual.inner
        self.activation = residual.activation
        self.overwrite = overwrite
        last = residual.inner[-1].conv
        last.weight = nn.Parameter(residual.scale * last.weight.detach())
        last.bias = nn.Parameter(residual.scale * last.bias.detach())

    def forward(self, x: Tensor) -> Tensor:
        if not fusable(x):
            return self.activation(x + self.inner(x))
        inner = self.inner[:-1](x)
        # Where only one convolution is inside it reads x, pixels that it may already have written over.
        return self.inner[-1].plus(inner, x, self.activation, overwrite=self.overwrite and inner is not x)


def fusable(x: Tensor) -> bool:
    """Whether the fused operators take `x`: they know CPUs and the types of this one, and no gradients."""
    return only_computed(x) and x.dtype in _DTYPES


def is_matrix_product(conv: nn.Conv2d) -> bool:
    """Whether each pixel of the output is a product of a matrix and one pixel: that operator is the faster one."""
    return (conv.kernel_size, conv.stride, conv.padding, conv.groups) == ((1, 1), (1, 1), (0, 0), 1)


def convolution_order(conv: nn.Conv2d, shape: torch.Size) -> Tensor:
    """A convolution's weight as oneDNN likes it for inputs of this shape."""
    reorder = _OPERATORS._reorder_convolution_weight
    return reorder(conv.weight, conv.padding, conv.stride, conv.dilation, conv.groups, list(shape))


def matrix_order(conv: nn.Conv2d, shape: torch.Size) -> Tensor:
    """The weight of a 1x1 convolution as oneDNN likes it for a matrix product with all pixels of the inputs."""
    pixels = shape[0] * shape[2] * shape[3]
    return _OPERATORS._reorder_linear_weight(conv.weight.flatten(1).contiguous(), pixels)


def attribute(activation: nn.Module) -> str:
    """The operators' name of an activation that `build` makes."""
    return "relu" if isinstance(activation, nn.ReLU) else "none"


def fuse(module: nn.Module) -> None:
    """Puts fused parts in place of the units of `module` that hold no batch norm, and of its residuals that end in a
    convolution without activation; names stay. A residual right after another one overwrites what that one gave, which
    nothing else in the network reads."""
    before = None
    for name, child in module.named_children():
        fuse(child)
        if isinstance(child, ConvUnit) and isinstance(child.bn, nn.Identity):
            child = FusedConvUnit(child)
        elif isinstance(child, ResidualModule) and _ends_linear(child.inner):
            in_a_row = isinstance(module, nn.Sequential) and isinstance(before, FusedResidual)
            child = FusedResidual(child, overwrite=in_a_row)
        module.add_module(name, child)
        before = child


def _ends_linear(inner: nn.Module) -> bool:
    """Whether the last part of `inner`, already fused, is a convolution without activation."""
    if not isinstance(inner, nn.Sequential) or not len(inner):
        return False
    last = inner[-1]
    return isinstance(last, FusedConvUnit) and attribute(last.activation) == "none"
