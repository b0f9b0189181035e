"""The layers: parts without parts. Each says what it makes of a shape, what it costs and how it is called."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, prod
from typing import ClassVar, Literal

from .checks import check_choice, owner, set_pairs, set_whole
from .node import Activation, Node
from .signal import ArchitectureError, Pair, Shape, Signal, Window, shape_text

Size = int | tuple[int, int]
Padding = Literal["same", "valid"]
PoolPadding = Literal["same", "valid", "ceil"]
Role = Literal["pointwise", "square", "asymmetric", "pool", "classifier", "other"]

# TensorFlow's Inception networks, torchvision and timm all use this epsilon in every batch norm.
BATCH_NORM_EPS = 1e-3


@dataclass(frozen=True)
class Layer(Node):
    """A part without parts. A new kind says what differs from what stands here, and `building` which module it becomes;
    all else follows.

    Attributes:
        role: what it is for, which decides its colour in pictures.
    """

    role: ClassVar[Role] = "other"

    def window(self, grid: tuple[int | None, ...]) -> Window:
        """What one unit of the output reads of an input of `grid`."""
        return Window()

    def end(self, signal: Signal, ends: list[Signal]) -> Signal:
        window = self.window(signal.shape[1:]) if signal.reach else None
        return Signal(self.out_shape(signal.shape), signal.reach and signal.reach.through(window))

    def out_shape(self, shape: Shape) -> Shape:
        """The shape that comes out for an input of `shape`."""
        return shape

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        return self.window(()).grid_before(grid)

    def params(self, shape: Shape) -> int:
        """Trainable numbers for an input of `shape`."""
        return 0

    def macs(self, shape: Shape) -> int:
        """Multiply-accumulates for one input of `shape`."""
        return 0

    @property
    def weighted(self) -> tuple[str, ...]:
        """Modules inside the built layer that hold weights."""
        return ()

    @property
    def sign(self) -> str:
        """The layer in a few signs, for the box of a whole block: `3x3`, `pool/2`."""
        return self.describe()


class _OnGrid(Layer):
    """A layer that needs an input of (channels, height, width)."""

    def check(self, signal: Signal, ends: list[Signal], path: str) -> None:
        if len(signal.shape) != 3:
            raise ArchitectureError(
                f"{path}: needs an input of (channels, height, width), got the flat {shape_text(signal.shape)}; move "
                "it before the linear layer."
            )


class _Sliding(_OnGrid):
    """A layer whose window slides over the grid."""

    kernel_size: Pair
    stride: Pair
    padding: PoolPadding

    def __post_init__(self) -> None:
        super().__post_init__()
        set_pairs(self, "kernel_size", "stride")

    @property
    def pad(self) -> Pair:
        """Zeros on each side of the grid, (height, width)."""
        height, width = self.kernel_size
        return (height // 2, width // 2) if self.padding == "same" else (0, 0)

    def window(self, grid: tuple[int | None, ...]) -> Window:
        return Window(self.kernel_size, self.stride, self.pad, self.padding == "ceil")

    def out_shape(self, shape: Shape) -> Shape:
        # After a linear layer nothing fits, which `check` says.
        return (shape[0], *self.window(shape[1:]).grid_after(shape[1:] or (None, None)))

    def check(self, signal: Signal, ends: list[Signal], path: str) -> None:
        super().check(signal, ends, path)
        grid = signal.shape[1:]
        if any(extent is not None and extent < 1 for extent in self.window(grid).grid_after(grid)):
            least = " and ".join(
                f"{side} {kernel}"
                for side, kernel, extent in zip(("height", "width"), self.kernel_size, grid, strict=True)
                if extent is not None and kernel > extent
            )
            raise ArchitectureError(
                f"{path}: the {shape_text(self.kernel_size)} kernel of '{self.describe()}' is larger than its input "
                f"{shape_text(signal.shape)}; the input needs at least {least}, or padding='same'."
            )

    def kernel_text(self) -> str:
        """Kernel, stride and padding: `3x3/2 valid`."""
        height, width = self.stride
        stride = "" if self.stride == (1, 1) else f"/{height}" if height == width else f"/{height}x{width}"
        return f"{shape_text(self.kernel_size)}{stride}{' valid' if self.padding == 'valid' else ''}"


class _Normed(Layer):
    """A layer that batch normalisation (if `norm`, with `eps` added to its variances) and ReLU (unless `activation` is
    "linear") may follow. `core` is the module it holds besides."""

    core: ClassVar[str] = ""

    norm: bool
    activation: Activation
    eps: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "activation", ("relu", "linear"))
        if not self.eps > 0:
            raise ArchitectureError(f"{owner(self)}: eps must be above 0; got {self.eps}.")

    @property
    def weighted(self) -> tuple[str, ...]:
        return (self.core,) * bool(self.core) + ("bn",) * self.norm


@dataclass(frozen=True)
class Conv(_Normed, _Sliding):
    """A convolution in `groups`, each of which reads and gives its own share of the channels, then batch normalisation
    (if `norm`; `eps` is added to its variances), then ReLU (unless `activation` is "linear")."""

    core: ClassVar[str] = "conv"

    channels: int
    kernel_size: Pair
    stride: Pair
    padding: Padding
    bias: bool
    norm: bool
    activation: Activation
    eps: float = BATCH_NORM_EPS
    groups: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        set_whole(self, "channels", "groups")
        check_choice(self, "padding", ("same", "valid"))
        if self.channels % self.groups:
            raise ArchitectureError(
                f"{owner(self)}: groups share the channels equally, so {self.groups} groups need a multiple of "
                f"{self.groups} channels; got {self.channels}."
            )

    def check(self, signal: Signal, ends: list[Signal], path: str) -> None:
        super().check(signal, ends, path)
        if signal.channels is not None and signal.channels % self.groups:
            raise ArchitectureError(
                f"{path}: {self.groups} groups of '{self.describe()}' cannot share the {signal.channels} channels that "
                f"come in equally; give it a multiple of {self.groups} channels."
            )

    def out_shape(self, shape: Shape) -> Shape:
        return (self.channels, *super().out_shape(shape)[1:])

    def params(self, shape: Shape) -> int:
        return self._weights(shape) + self.channels * (self.bias + 2 * self.norm)

    def macs(self, shape: Shape) -> int:
        return self._weights(shape) * prod(self.out_shape(shape)[1:])

    def _weights(self, shape: Shape) -> int:
        return shape[0] // self.groups * self.channels * prod(self.kernel_size)

    @property
    def mixes_channels(self) -> bool:
        """Whether it mixes all channels of a place, and nothing else."""
        return self.kernel_size == (1, 1) and self.groups == 1

    @property
    def role(self) -> Role:
        if self.kernel_size == (1, 1):
            return "pointwise"
        return "square" if self.kernel_size[0] == self.kernel_size[1] else "asymmetric"

    @property
    def sign(self) -> str:
        return self.kernel_text().split()[0]

    def describe(self) -> str:
        groups = f" in {self.groups} groups" if self.groups > 1 else ""
        extra = "" if self.activation == "relu" else " linear"
        return f"conv {self.kernel_text()} {self.channels}{groups}{extra}"

    def without_width(self) -> Conv:
        groups = min(self.groups, 2)
        return replace(self, name="", channels=groups, groups=groups)


@dataclass(frozen=True)
class NormAct(_Normed, _OnGrid):
    """What follows a convolution, standing alone: batch normalisation (if `norm`, with `eps` added to its variances),
    then ReLU (unless `activation` is "linear")."""

    norm: bool
    activation: Activation
    eps: float = BATCH_NORM_EPS

    def params(self, shape: Shape) -> int:
        return 2 * shape[0] * self.norm

    def describe(self) -> str:
        return " + ".join(["batch norm"] * self.norm + ["relu"] * (self.activation == "relu")) or "identity"


@dataclass(frozen=True)
class Pool(_Sliding):
    """Max or average pooling. Padding "ceil" pads nothing but lets the last window hang over the right and lower edge,
    as GoogLeNet's pools do."""

    role: ClassVar[Role] = "pool"

    kind: Literal["max", "avg"]
    kernel_size: Pair
    stride: Pair
    padding: PoolPadding
    count_include_pad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice(self, "padding", ("same", "valid", "ceil"))

    @property
    def sign(self) -> str:
        _, slash, stride = self.kernel_text().split()[0].partition("/")
        return f"pool{slash}{stride}"

    def describe(self) -> str:
        return f"{self.kind} pool {self.kernel_text()}"


@dataclass(frozen=True)
class AdaptiveAvgPool(_OnGrid):
    """Average pooling onto a fixed `grid` of (height, width), whatever the input's size."""

    role: ClassVar[Role] = "pool"

    grid: Pair

    def __post_init__(self) -> None:
        super().__post_init__()
        set_pairs(self, "grid")

    def window(self, grid: tuple[int, ...]) -> Window:
        # Windows of an adaptive pool differ by one where the grid does not divide; the stride is the mean distance.
        sizes = list(zip(grid, self.grid, strict=True))
        widest = tuple(
            max(ceil((i + 1) * extent / cells) - i * extent // cells for i in range(cells)) for extent, cells in sizes
        )
        return Window(widest, tuple(Fraction(extent, cells) for extent, cells in sizes))

    def out_shape(self, shape: Shape) -> Shape:
        return (shape[0], *self.grid)

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        return (1, 1)

    def describe(self) -> str:
        return "global avg pool" if self.grid == (1, 1) else f"avg pool to {shape_text(self.grid)}"


@dataclass(frozen=True)
class Linear(_Normed):
    """A fully connected layer over all values of its input (flattened first); batch norm and ReLU only on request."""

    role: ClassVar[Role] = "classifier"
    core: ClassVar[str] = "linear"

    features: int
    bias: bool
    norm: bool
    activation: Activation
    eps: float = BATCH_NORM_EPS

    def __post_init__(self) -> None:
        super().__post_init__()
        set_whole(self, "features")

    def window(self, grid: tuple[int, ...]) -> Window:
        return Window(grid or (1, 1))

    def out_shape(self, shape: Shape) -> Shape:
        return (self.features,)

    def grid_before(self, grid: Pair, heads: bool) -> Pair:
        return (1, 1)

    def params(self, shape: Shape) -> int:
        return self.macs(shape) + self.features * (self.bias + 2 * self.norm)

    def macs(self, shape: Shape) -> int:
        return prod(shape) * self.features

    def describe(self) -> str:
        return f"linear {self.features}"

    def without_width(self) -> Linear:
        return replace(self, name="", features=1)


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout that zeroes each value with probability `p` in training and does nothing in evaluation."""

    role: ClassVar[Role] = "classifier"

    p: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.p < 1:
            raise ArchitectureError(f"dropout: p is a probability from 0 up to, not including, 1; got {self.p}.")

    def describe(self) -> str:
        return f"dropout {self.p:g}"


@dataclass(frozen=True)
class LocalResponseNorm(_OnGrid):
    """Local response normalisation over `size` neighbouring channels (GoogLeNet section 5; alpha 1e-4, beta 0.75, k
    1)."""

    size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        set_whole(self, "size")

    def describe(self) -> str:
        return f"local response norm {self.size}"
