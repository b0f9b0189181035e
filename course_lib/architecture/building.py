"""From a value to the `nn.Module` it describes."""

from __future__ import annotations

from collections import OrderedDict, namedtuple
from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn

from .counting import smallest_input
from .nodes.layers import AdaptiveAvgPool, Conv, Dropout, Linear, LocalResponseNorm, NormAct, Pool
from .nodes.node import Auxiliary, Branches, Node, Residual, Sequence, flow, seq
from .nodes.signal import ArchitectureError, Shape, Signal

_OUTPUTS_TYPES: dict[tuple[str, ...], type] = {}


class ConvUnit(nn.Module):
    """Convolution, batch norm, ReLU: (N, in_channels, H, W) -> (N, channels, H', W')."""

    def __init__(self, node: Conv, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, node.channels, node.kernel_size, node.stride, node.pad, groups=node.groups, bias=node.bias
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
    """Local response normalisation, computed in float32 or float64: PyTorch has it in no shorter type on CPUs."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(_at_least_float32(x)).to(x.dtype)


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
        shares, outputs = x.split(self.widths, dim=1), []
        for number, path in enumerate(self.children()):
            goes_on = isinstance(path, nn.Sequential) and not len(path)
            outputs.append(shares[number] if goes_on else path(_without_gaps(shares[number], x)))
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
        ArchitectureError: from the call, before anything runs, if the input is not (N, in_channels, height, width), is
            too small, or not of the weights' type; the message states the smallest size or the type.
    """

    architecture: Sequence | None = None
    in_channels: int | None = None
    name: str = ""

    @classmethod
    def of(cls, value: Sequence, in_channels: int) -> Network:
        """The network of a value, as `build` documents."""
        sequential, _ = _build(value, Signal.of_channels(in_channels), "")
        network = cls(OrderedDict(sequential.named_children()))
        network.architecture, network.in_channels = value, in_channels
        # Made before the first call, as torch.compile makes no types.
        _outputs_type(tuple(part.name for part in reversed(value.layers) if isinstance(part, Auxiliary)))
        # Counted once, so that a call compares integers; heads run, and may need more pixels, in training only.
        network._smallest = {heads: smallest_input(value, heads=heads) for heads in (False, True)}
        return network

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        # What traces the network (torch.fx) gives it something that stands for every input.
        if self.architecture is not None and not isinstance(x, fx.Proxy):
            self._check_input(x)
        return self._compute(x)

    def _compute(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        heads: dict[str, Tensor] = {}
        for name, part in self.named_children():
            if not isinstance(part, AuxiliaryModule):
                x = part(x)
            elif self.training:
                heads[name] = part(x)
        return network_outputs(tuple(reversed(heads)), (x, *reversed(heads.values()))) if heads else x

    def _takes(self, dtype: torch.dtype) -> bool:
        """Whether the network computes with images of this type."""
        weight = next(self.parameters(), None)
        if weight is None or dtype == weight.dtype:
            return dtype.is_floating_point
        device = weight.device.type
        autocast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
        return dtype.is_floating_point and autocast

    def _check_input(self, x: Tensor) -> None:
        name = self.name or "the network"
        if not isinstance(x, Tensor):
            raise ArchitectureError(
                f"{name} takes a PyTorch tensor of images; got a {type(x).__name__}: use torch.as_tensor(...)."
            )
        if not self._takes(x.dtype):
            wanted = next((weight.dtype for weight in self.parameters()), torch.float32)
            raise ArchitectureError(
                f"{name} takes images of {wanted}, as its weights are; got {x.dtype}: use images.to({wanted}), "
                "normalised as in its training."
            )
        height, width = self._smallest[self.training]
        if x.dim() != 4 or x.shape[1] != self.in_channels or x.shape[2] < height or x.shape[3] < width:
            when = " in training, with its auxiliary heads" if self._smallest[True] != self._smallest[False] else ""
            raise ArchitectureError(
                f"{name} takes images of shape (N, {self.in_channels}, height, width), at least "
                f"{height}x{width}{when if self.training else ''}; got {tuple(x.shape)}.{self._hint(x)}"
            )

    def _hint(self, x: Tensor) -> str:
        first = next((part for part in self.modules() if isinstance(part, nn.Conv2d)), None)
        exchanged = first is not None and x.dim() == 4 and first.in_channels == x.shape[1] != self.in_channels
        return f" Its first convolution was exchanged: set its in_channels = {x.shape[1]}, too." if exchanged else ""


def build(value: Node, in_channels: int) -> Network:
    """The module that `value` describes, for inputs of shape (N, in_channels, H, W), in PyTorch's default dtype
    (float32 unless it was set otherwise), freshly initialised as PyTorch does by default.

    Parts keep their names, so `cost(value, shape).index` are the names of its submodules.

    Raises:
        ArchitectureError: if parts cannot follow one another whatever the input's size, naming the part and what would
            fit.
    """
    return Network.of(seq(value), in_channels)


def network_outputs(heads: tuple[str, ...], values: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The named tuple of logits and the logits of `heads`. It pickles as a call of this function, which torch.load
    takes for safe, as it runs nothing from the file."""
    return _outputs_type(heads)(*values)


def _outputs_type(heads: tuple[str, ...]) -> type:
    # Not functools.cache, which torch.compile warns of.
    if heads not in _OUTPUTS_TYPES:
        kind = namedtuple("NetworkOutputs", ("logits", *heads))
        kind.__reduce__ = lambda outputs: (network_outputs, (outputs._fields[1:], tuple(outputs)))
        _OUTPUTS_TYPES[heads] = kind
    return _OUTPUTS_TYPES[heads]


torch.serialization.add_safe_globals([network_outputs])


def _build(node: Node, signal: Signal, path: str) -> tuple[nn.Module, Signal]:
    """The module of a part that `signal` comes into, and what comes out of it."""
    built: OrderedDict[str, nn.Module] = OrderedDict()

    def follow(part: Node, before: Signal, part_path: str) -> Signal:
        built[part_path.rpartition(".")[2]], after = _build(part, before, part_path)
        return after

    end = flow(node, signal, path, follow)
    if isinstance(node, Linear) and None in signal.shape:
        raise ArchitectureError(
            f"{path}: the size of the input of '{node.describe()}' is not fixed; put global_avg_pool() or "
            "adaptive_avg_pool(...) before it."
        )
    return MODULES[type(node)](node, signal.shape, built), end


def _pool(node: Pool) -> nn.Module:
    window = (node.kernel_size, node.stride, node.pad)
    if node.kind == "max":
        return nn.MaxPool2d(*window, ceil_mode=node.padding == "ceil")
    return nn.AvgPool2d(*window, ceil_mode=node.padding == "ceil", count_include_pad=node.count_include_pad)


# The module that each kind of part becomes, for inputs of `shape` and with its own `parts` already built.
MODULES: dict[type[Node], Callable[[Any, Shape, OrderedDict[str, nn.Module]], nn.Module]] = {
    Sequence: lambda node, shape, parts: Chain(parts),
    Branches: lambda node, shape, parts: BranchesModule(parts, node.widths),
    Residual: lambda node, shape, parts: ResidualModule(parts["inner"], node),
    Auxiliary: lambda node, shape, parts: AuxiliaryModule(parts["head"], node.weight),
    Conv: lambda node, shape, parts: ConvUnit(node, shape[0]),
    NormAct: lambda node, shape, parts: NormActUnit(node, shape[0]),
    Linear: lambda node, shape, parts: LinearUnit(node, prod(shape)),
    Pool: lambda node, shape, parts: _pool(node),
    AdaptiveAvgPool: lambda node, shape, parts: nn.AdaptiveAvgPool2d(node.grid),
    Dropout: lambda node, shape, parts: nn.Dropout(node.p),
    LocalResponseNorm: lambda node, shape, parts: LocalResponseNormUnit(node.size),
}


def _activation(name: str, inplace: bool = True) -> nn.Module:
    return nn.ReLU(inplace) if name == "relu" else nn.Identity()


# What depends on the tensor itself is one step of its own where torch.fx traces a network.


@fx.wrap
def _without_gaps(part: Tensor, x: Tensor) -> Tensor:
    """A copy of a share of x's channels. The share has gaps in memory, over which batch norm runs many times slower;
    what goes on as it is need not be copied for that: the join copies it."""
    return part.contiguous(memory_format=torch.channels_last if x.stride(1) == 1 else torch.contiguous_format)


@fx.wrap
def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))
