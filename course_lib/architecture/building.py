"""From a value to the `nn.Module` it describes."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from functools import singledispatch

import torch
from torch import Tensor, nn

from course_lib.architecture.input_size import smallest_input

from .counting import out_channels, padding_of, shares, windowed_size
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
    NormAct,
    Pool,
    Residual,
    Sequence,
    describe,
    labelled_children,
    seq,
)

_OUTPUTS_TYPES: dict[tuple[str, ...], type] = {}


class ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU: (N, in_channels, H, W) -> (N, channels, H', W')."""

    def __init__(self, node: Conv, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, node.channels, node.kernel_size, node.stride, padding_of(node), bias=node.bias
        )
        self.bn = nn.BatchNorm2d(node.channels, eps=node.eps) if node.norm else nn.Identity()
        self.activation = _activation(node.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.bn(self.conv(x)))


class NormActUnit(nn.Module):
    """Batch norm and ReLU where asked: (N, channels, H, W) -> the same."""

    def __init__(self, node: NormAct, channels: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels, eps=node.eps) if node.norm else nn.Identity()
        # Without batch norm it reads what other layers may read, too, so it must not change it.
        self.activation = _activation(node.activation, inplace=node.norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.bn(x))


class LinearUnit(nn.Module):
    """Flatten, fully connected layer, and batch norm and ReLU where asked: (N, ...) -> (N, features)."""

    def __init__(self, node: Linear, in_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, node.features, bias=node.bias)
        self.bn = nn.BatchNorm1d(node.features, eps=node.eps) if node.norm else nn.Identity()
        self.activation = _activation(node.activation)

    @classmethod
    def around(cls, layer: nn.Module) -> LinearUnit:
        """The unit that flattens for any `layer`, alone, put in the place of a fully connected one."""
        unit = cls.__new__(cls)
        nn.Module.__init__(unit)
        unit.linear, unit.bn, unit.activation = layer, nn.Identity(), nn.Identity()
        return unit

    @property
    def in_features(self) -> int:
        """Of the fully connected layer, as `nn.Linear` names it."""
        return self.linear.in_features

    @property
    def out_features(self) -> int:
        """Of the fully connected layer, as `nn.Linear` names it."""
        return self.linear.out_features

    @property
    def weight(self) -> Tensor:
        """Of the fully connected layer, shape (out_features, in_features)."""
        return self.linear.weight

    @property
    def bias(self) -> Tensor | None:
        """Of the fully connected layer, shape (out_features,)."""
        return self.linear.bias

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.bn(self.linear(x.flatten(1))))


class LocalResponseNormUnit(nn.LocalResponseNorm):
    """Local response normalisation, computed in float32: PyTorch has it in no shorter type on CPUs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float()).to(x.dtype)


class BranchesModule(nn.Module):
    """Parallel paths over one tensor, or each over its share of the channels, concatenated on the channels."""

    def __init__(self, paths: OrderedDict[str, nn.Module], widths: tuple[int, ...] | None) -> None:
        super().__init__()
        for name, path in paths.items():
            self.add_module(name, path)
        self.widths = widths

    def forward(self, x: Tensor) -> Tensor:
        if self.widths is None:
            return torch.cat([path(x) for path in self.children()], dim=1)
        # A share of the channels has gaps in memory, over which batch norm runs many times slower. What goes on as it
        # is need not be copied for that: the join copies it.
        memory_format = torch.channels_last if x.stride(1) == 1 else torch.contiguous_format
        outputs = []
        for path, part in zip(self.children(), x.split(self.widths, dim=1), strict=True):
            goes_on = isinstance(path, nn.Sequential) and not len(path)
            outputs.append(part if goes_on else path(part.contiguous(memory_format=memory_format)))
        return torch.cat(outputs, dim=1)


class ResidualModule(nn.Module):
    """`activation(x + scale * inner(x))`."""

    def __init__(self, inner: nn.Module, node: Residual) -> None:
        super().__init__()
        self.inner = inner
        self.scale = node.scale
        self.activation = _activation(node.activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(torch.add(x, self.inner(x), alpha=self.scale))


class AuxiliaryModule(nn.Module):
    """Holds an auxiliary head; `Network` decides when it runs."""

    def __init__(self, head: nn.Module, weight: float) -> None:
        super().__init__()
        self.head = head
        self.weight = weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x)


class Chain(nn.Sequential):
    """Parts one after another. `chain.fc = nn.Linear(chain.fc.in_features, 5)` works as in other networks: what takes
    the place of a fully connected layer gets its input flattened, too, and its weights keep their names."""

    def __setattr__(self, name: str, value: object) -> None:
        replaced = self.__dict__.get("_modules", {}).get(name)
        if isinstance(replaced, LinearUnit) and isinstance(value, nn.Module) and not isinstance(value, LinearUnit):
            value = LinearUnit.around(value)
        super().__setattr__(name, value)


class Network(Chain):
    """What `build` makes of a value. With auxiliary heads it gives, in training, a named tuple (logits, then the heads'
    logits from the deepest up); in eval, and without heads, one tensor.

    Attributes:
        architecture: the value it was built from; None in a slice of a network, which takes any input.
        in_channels: channels of the images it takes.
        name: of the network, where it has one.

    Raises:
        ArchitectureError: from the call, before anything runs, if the input is not (N, in_channels, height, width) or
            is too small; the message states the smallest size.
    """

    architecture: Sequence | None = None
    in_channels: int | None = None
    name: str = ""

    @classmethod
    def of(cls, value: Sequence, in_channels: int) -> Network:
        """The network of a value, as `build` documents."""
        network = cls(_children(value, in_channels, None))
        network.architecture, network.in_channels = value, in_channels
        _outputs_type(tuple(part.name for part in reversed(value.layers) if isinstance(part, Auxiliary)))
        # Counted once, so that a call compares integers; heads run, and may need more pixels, in training only.
        network._smallest = {heads: smallest_input(value, heads=heads) for heads in (False, True)}
        return network

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        if self.architecture is not None:
            self._check_input(x)
        return self._compute(x)

    def _compute(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        heads: dict[str, Tensor] = {}
        for name, part in self.named_children():
            if not isinstance(part, AuxiliaryModule):
                x = part(x)
            elif self.training:
                heads[name] = part(x)
        return _outputs_type(tuple(reversed(heads)))(x, *reversed(heads.values())) if heads else x

    def _check_input(self, x: Tensor) -> None:
        height, width = self._smallest[self.training]
        if x.dim() != 4 or x.shape[1] != self.in_channels or x.shape[2] < height or x.shape[3] < width:
            when = " in training, with its auxiliary heads" if self._smallest[True] != self._smallest[False] else ""
            raise ArchitectureError(
                f"{self.name or 'the network'} takes images of shape (N, {self.in_channels}, height, width), at least "
                f"{height}x{width}{when if self.training else ''}; got {tuple(x.shape)}."
            )


def build(value: Node, in_channels: int) -> Network:
    """The module that `value` describes, for inputs of shape (N, in_channels, H, W), float32, freshly initialised as
    PyTorch does by default.

    Parts keep their names, so `cost(value, shape).index` are the names of its submodules.

    Raises:
        ArchitectureError: if parts cannot follow one another whatever the input's size.
    """
    return Network.of(seq(value), in_channels)


def _outputs_type(heads: tuple[str, ...]) -> type:
    # Not functools.cache, which torch.compile warns of.
    if heads not in _OUTPUTS_TYPES:
        _OUTPUTS_TYPES[heads] = namedtuple("NetworkOutputs", ("logits", *heads))
    return _OUTPUTS_TYPES[heads]


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
    if isinstance(node, Conv | Pool):
        return grid and windowed_size(node, grid)
    if isinstance(node, Sequence):
        for part in node.layers:
            grid = _known_grid(part, grid)
        return grid
    return grid if isinstance(node, Dropout | NormAct | LocalResponseNorm | Auxiliary) else None


@singledispatch
def _build(node: Node, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    raise TypeError(f"build knows no {type(node).__name__}")


@_build.register
def _(node: Sequence, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return Chain(_children(node, in_channels, grid))


@_build.register
def _(node: Branches, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    paths = zip(labelled_children(node), shares(node, in_channels), strict=True)
    return BranchesModule(OrderedDict((name, _build(path, width, grid)) for (name, path), width in paths), node.widths)


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
def _(node: NormAct, in_channels: int, grid: tuple[int, int] | None) -> nn.Module:
    return NormActUnit(node, in_channels)


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
    return LocalResponseNormUnit(node.size)


def _activation(name: str, inplace: bool = True) -> nn.Module:
    return nn.ReLU(inplace) if name == "relu" else nn.Identity()
