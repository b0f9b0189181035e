"""From a value to the `nn.Module` it describes."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from functools import cache, singledispatch

import torch
from torch import Tensor, nn

from .counting import out_channels, padding_of
from .vocabulary import (
    AdaptiveAvgPool,
    ArchitectureError,
    Auxiliary,
    Branches,
    Conv,
    Dropout,
    Linear,
    LocalResponseNorm,
    Node,
    Pool,
    Residual,
    Sequence,
    describe,
    labelled_children,
    seq,
)

# TensorFlow's Inception networks, torchvision and timm all use this epsilon in every batch norm.
BATCH_NORM_EPS = 1e-3


class ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU: (N, in_channels, H, W) -> (N, channels, H', W')."""

    def __init__(self, node: Conv, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, node.channels, node.kernel_size, node.stride, padding_of(node), bias=node.bias
        )
        self.bn = nn.BatchNorm2d(node.channels, eps=BATCH_NORM_EPS) if node.norm else nn.Identity()
        self.activation = _activation(node.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.bn(self.conv(x)))


class LinearUnit(nn.Module):
    """Flatten, fully connected layer, and batch norm and ReLU where asked: (N, ...) -> (N, features)."""

    def __init__(self, node: Linear, in_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, node.features, bias=node.bias)
        self.bn = nn.BatchNorm1d(node.features, eps=BATCH_NORM_EPS) if node.norm else nn.Identity()
        self.activation = _activation(node.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.bn(self.linear(x.flatten(1))))


class BranchesModule(nn.Module):
    """Parallel paths over one tensor, concatenated on the channels."""

    def __init__(self, paths: OrderedDict[str, nn.Module]) -> None:
        super().__init__()
        for name, path in paths.items():
            self.add_module(name, path)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([path(x) for path in self.children()], dim=1)


class ResidualModule(nn.Module):
    """`activation(x + scale * inner(x))`."""

    def __init__(self, inner: nn.Module, node: Residual) -> None:
        super().__init__()
        self.inner = inner
        self.scale = node.scale
        self.activation = _activation(node.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(x + self.scale * self.inner(x))


class AuxiliaryModule(nn.Module):
    """Holds an auxiliary head; `NetworkWithHeads` decides when it runs."""

    def __init__(self, head: nn.Module, weight: float) -> None:
        super().__init__()
        self.head = head
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


class NetworkWithHeads(nn.Sequential):
    """A network with auxiliary heads: in training a named tuple (logits, then the heads' logits from the deepest up),
    in eval logits alone."""

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        heads: dict[str, Tensor] = {}
        for name, part in self.named_children():
            if not isinstance(part, AuxiliaryModule):
                x = part(x)
            elif self.training:
                heads[name] = part(x)
        if not self.training:
            return x
        return _outputs_type(tuple(reversed(heads)))(x, *reversed(heads.values()))


def build(value: Node, in_channels: int) -> nn.Module:
    """The module that `value` describes, for inputs of shape (N, in_channels, H, W), float32, freshly initialised as
    PyTorch does by default.

    Parts keep their names, so `cost(value, shape).index` are the names of its submodules.

    Raises:
        ArchitectureError: if parts cannot follow one another whatever the input's size.
    """
    whole = seq(value)
    heads = [part for part in whole.layers if isinstance(part, Auxiliary)]
    modules = _children(whole, in_channels, None)
    return NetworkWithHeads(modules) if heads else nn.Sequential(modules)


@cache
def _outputs_type(heads: tuple[str, ...]) -> type:
    return namedtuple("NetworkOutputs", ("logits", *heads))


def _children(node: Node, in_channels: int, grid: tuple[int, int] | None) -> OrderedDict[str, nn.Module]:
    """Modules of a sequence's parts by name; `grid` is their input's size where it is known, as after an adaptive
    pool."""
    built = OrderedDict()
    for name, part in labelled_children(node):
        built[name] = _build(part, in_channels, grid)
        in_channels = out_channels(part, in_channels)
        grid = _known_grid(part, grid)
    return built


def _known_grid(node: Node, grid: tuple[int, int] | None) -> tuple[int, int] | None:
    if isinstance(node, AdaptiveAvgPool):
        return node.grid
    if isinstance(node, Linear):
        return (1, 1)
    if isinstance(node, Sequence):
        for part in node.layers:
            grid = _known_grid(part, grid)
        return grid
    return grid if isinstance(node, Dropout | LocalResponseNorm | Auxiliary) else None


@singledispatch
def _build(node: Node, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    raise TypeError(f"build knows no {type(node).__name__}")


@_build.register
def _(node: Sequence, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return nn.Sequential(_children(node, in_channels, grid))


@_build.register
def _(node: Branches, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return BranchesModule(
        OrderedDict((name, _build(path, in_channels, grid)) for name, path in labelled_children(node))
    )


@_build.register
def _(node: Residual, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return ResidualModule(_build(node.inner, in_channels, grid), node)


@_build.register
def _(node: Auxiliary, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return AuxiliaryModule(_build(node.head, in_channels, grid), node.weight)


@_build.register
def _(node: Conv, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return ConvUnit(node, in_channels)


@_build.register
def _(node: Linear, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    if grid is None:
        raise ArchitectureError(
            f"{node.name or describe(node)}: the size of its input is not fixed; put global_avg_pool() or "
            "adaptive_avg_pool(...) before it."
        )
    return LinearUnit(node, in_channels * grid[0] * grid[1])


@_build.register
def _(node: Pool, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    ceil_mode, padding = node.padding == "ceil", padding_of(node)
    if node.kind == "max":
        return nn.MaxPool2d(node.kernel_size, node.stride, padding, ceil_mode=ceil_mode)
    return nn.AvgPool2d(
        node.kernel_size, node.stride, padding, ceil_mode=ceil_mode, count_include_pad=node.count_include_pad
    )


@_build.register
def _(node: AdaptiveAvgPool, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return nn.AdaptiveAvgPool2d(node.grid)


@_build.register
def _(node: Dropout, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return nn.Dropout(node.p)


@_build.register
def _(node: LocalResponseNorm, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return nn.LocalResponseNorm(node.size)


def _activation(name: str) -> nn.Module:
    return nn.ReLU(inplace=True) if name == "relu" else nn.Identity()
