"""The words an architecture is written in: frozen values, no torch.

A figure of a paper becomes a value of a few lines that reads like the figure::

    branches(conv(64, 1),
             conv(48, 1) >> conv(64, 5),
             conv(64, 1) >> conv(96, 3) >> conv(96, 3),
             avg_pool(3) >> conv(32, 1))

Values compare by content, can be keys of a dict, and never change: a rewrite returns a new value. What a value costs,
how it looks and which module it becomes is found elsewhere (`cost`, `diagram`, `build`), always from the same value.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

from course_lib.errors import CourseError

Size = int | tuple[int, int]
Padding = Literal["same", "valid"]
PoolPadding = Literal["same", "valid", "ceil"]
Activation = Literal["relu", "linear"]
NodeT = TypeVar("NodeT", bound="Node")

# TensorFlow's Inception networks, torchvision and timm all use this epsilon in every batch norm.
BATCH_NORM_EPS = 1e-3


class ArchitectureError(CourseError):
    """An architecture that cannot exist; the message names the layer, the shapes and what would fit."""


@dataclass(frozen=True)
class Node:
    """A part of an architecture. `a >> b` feeds `a` into `b`; `.named("3a")` gives a part the name its paper uses.

    Attributes:
        name: what the part is called.
        origin: paths of the layers whose weights this layer holds, where a rewrite has moved them. No part of the
            value: neither compared nor shown.

    Raises:
        ArchitectureError: if a name is not usable as a module's name (it holds a dot).
    """

    name: str = field(default="", kw_only=True)
    origin: tuple[str, ...] = field(default=(), kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        if "." in self.name:
            raise ArchitectureError(
                f"name {self.name!r}: a dot separates a part from its parent; use a name without dots."
            )

    def __rshift__(self, other: Node) -> Sequence:
        return seq(self, other)

    def named(self: NodeT, name: str) -> NodeT:
        """The same part under `name`, which then stands in tables, pictures and the module's state_dict."""
        return replace(self, name=name)


@dataclass(frozen=True)
class Conv(Node):
    """A convolution, then batch normalisation (if `norm`; `eps` is added to its variances), then ReLU (unless
    `activation` is "linear")."""

    channels: int
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: Padding
    bias: bool
    norm: bool
    activation: Activation
    eps: float = BATCH_NORM_EPS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "channels", self.channels)
        _check_positive(self, "kernel_size", *self.kernel_size)
        _check_positive(self, "stride", *self.stride)
        _check_choice(self, "padding", self.padding, ("same", "valid"))
        _check_choice(self, "activation", self.activation, ("relu", "linear"))
        _check_eps(self)


@dataclass(frozen=True)
class NormAct(Node):
    """What follows a convolution, standing alone: batch normalisation (if `norm`, with `eps` added to its variances), then
    ReLU (unless `activation` is "linear")."""

    norm: bool
    activation: Activation
    eps: float = BATCH_NORM_EPS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice(self, "activation", self.activation, ("relu", "linear"))
        _check_eps(self)


@dataclass(frozen=True)
class Pool(Node):
    """Max or average pooling. Padding "ceil" pads nothing but lets the last window hang over the right and lower edge,
    as GoogLeNet's pools do."""

    kind: Literal["max", "avg"]
    kernel_size: tuple[int, int]
    stride: tuple[int, int]
    padding: PoolPadding
    count_include_pad: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "kernel_size", *self.kernel_size)
        _check_positive(self, "stride", *self.stride)
        _check_choice(self, "padding", self.padding, ("same", "valid", "ceil"))


@dataclass(frozen=True)
class AdaptiveAvgPool(Node):
    """Average pooling onto a fixed `grid` of (height, width), whatever the input's size."""

    grid: tuple[int, int]

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "grid", *self.grid)


@dataclass(frozen=True)
class Linear(Node):
    """A fully connected layer over all values of its input (flattened first); batch norm and ReLU only on request."""

    features: int
    bias: bool
    norm: bool
    activation: Activation
    eps: float = BATCH_NORM_EPS

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "features", self.features)
        _check_choice(self, "activation", self.activation, ("relu", "linear"))
        _check_eps(self)


@dataclass(frozen=True)
class Dropout(Node):
    """Dropout that zeroes each value with probability `p` in training and does nothing in evaluation."""

    p: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.p < 1:
            raise ArchitectureError(f"dropout: p is a probability from 0 up to, not including, 1; got {self.p}.")


@dataclass(frozen=True)
class LocalResponseNorm(Node):
    """Local response normalisation over `size` neighbouring channels (GoogLeNet section 5; alpha 1e-4, beta 0.75, k
    1)."""

    size: int

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_positive(self, "size", self.size)


@dataclass(frozen=True)
class Sequence(Node):
    """Parts one after another; the empty sequence is the identity."""

    layers: tuple[Node, ...]


@dataclass(frozen=True)
class Branches(Node):
    """Parallel paths joined along the channels, in the order written. Each reads all of one tensor, or, where `widths`
    are given, its own share of the channels."""

    paths: tuple[Node, ...]
    widths: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.paths:
            raise ArchitectureError("branches: give at least one path; got none.")
        if self.widths is not None:
            _check_positive(self, "widths", *self.widths)
            if len(self.widths) != len(self.paths):
                raise ArchitectureError(
                    f"{self.name or 'split'}: give one width a path; got {len(self.widths)} widths and "
                    f"{len(self.paths)} paths."
                )


@dataclass(frozen=True)
class Residual(Node):
    """`activation(x + scale * inner(x))` (Inception-v4 paper, section 3.3: scales 0.1 to 0.3 keep wide residual
    networks alive)."""

    inner: Node
    scale: float
    activation: Activation

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice(self, "activation", self.activation, ("relu", "linear"))


@dataclass(frozen=True)
class Auxiliary(Node):
    """A classifier that reads the network here, in training only; its loss counts `weight` times. The main path passes
    through unchanged."""

    head: Node
    weight: float


def conv(
    channels: int,
    kernel_size: Size,
    stride: Size = 1,
    *,
    padding: Padding = "same",
    norm: bool = True,
    bias: bool | None = None,
    activation: Activation = "relu",
    eps: float = BATCH_NORM_EPS,
) -> Conv:
    """A convolution to `channels`, with batch norm and ReLU unless told otherwise.

    Args:
        channels: output channels.
        kernel_size, stride: an int or (height, width).
        padding: "same" pads `kernel_size // 2` zeros on each side, "valid" none.
        bias: by default only where there is no batch norm, whose beta would repeat it.
        eps: what batch norm adds to a variance before it divides by its root.

    Raises:
        ArchitectureError: for a size or a number of channels below 1, an unknown padding or activation, or an `eps`
            that is not above 0.
    """
    use_bias = not norm if bias is None else bias
    return Conv(channels, _pair(kernel_size), _pair(stride), padding, use_bias, norm, activation, eps)


def batch_norm(*, activation: Activation = "relu", eps: float = BATCH_NORM_EPS) -> NormAct:
    """Batch normalisation, and ReLU unless told, apart from any convolution."""
    return NormAct(True, activation, eps)


def relu() -> NormAct:
    """ReLU apart from any convolution."""
    return NormAct(False, "relu")


def max_pool(kernel_size: Size, stride: Size = 1, *, padding: PoolPadding = "same") -> Pool:
    """Max pooling with stride 1 unless told; `padding` as in `Pool`."""
    return Pool("max", _pair(kernel_size), _pair(stride), padding)


def avg_pool(
    kernel_size: Size, stride: Size = 1, *, padding: PoolPadding = "same", count_include_pad: bool = False
) -> Pool:
    """Average pooling with stride 1 unless told. TensorFlow leaves padding out of the mean; torchvision counts it
    in."""
    return Pool("avg", _pair(kernel_size), _pair(stride), padding, count_include_pad)


def adaptive_avg_pool(grid: Size) -> AdaptiveAvgPool:
    """Average pooling onto a fixed grid; the identity where the input has that grid already."""
    return AdaptiveAvgPool(_pair(grid))


def global_avg_pool() -> AdaptiveAvgPool:
    """The mean over the whole grid, which took the place of the large fully connected layers (GoogLeNet, section 5)."""
    return AdaptiveAvgPool((1, 1))


def linear(
    features: int,
    *,
    norm: bool = False,
    bias: bool | None = None,
    activation: Activation = "linear",
    eps: float = BATCH_NORM_EPS,
) -> Linear:
    """A fully connected layer to `features`; logits, so no ReLU, unless told. Bias and `eps` as in `conv`."""
    return Linear(features, not norm if bias is None else bias, norm, activation, eps)


def dropout(p: float) -> Dropout:
    """Dropout with probability `p` of zeroing a value."""
    return Dropout(p)


def local_response_norm(size: int = 5) -> LocalResponseNorm:
    """Local response normalisation over `size` channels."""
    return LocalResponseNorm(size)


def seq(*parts: Node) -> Sequence:
    """Parts one after another. Unnamed sequences inside are unrolled, so `a >> b >> c` is flat; a named one stays a
    block."""
    layers: list[Node] = []
    for part in parts:
        if not isinstance(part, Node):
            raise ArchitectureError(f"a part must be a value such as conv(64, 3); got {part!r}.")
        layers.extend(part.layers if isinstance(part, Sequence) and not part.name else [part])
    return Sequence(tuple(layers))


def branches(*paths: Node) -> Branches:
    """Parallel paths joined along the channels. `seq()` is the identity path."""
    _check_paths(paths)
    return Branches(tuple(paths))


def split(widths: tuple[int, ...], *paths: Node) -> Branches:
    """Parallel paths of which the first reads the first `widths[0]` channels, the next the `widths[1]` after them, and
    so on; joined again along the channels."""
    _check_paths(paths)
    return Branches(tuple(paths), tuple(widths))


def residual(inner: Node, scale: float = 1.0, *, activation: Activation = "relu") -> Residual:
    """`inner` scaled and added to its own input, then `activation`."""
    return Residual(inner, scale, activation)


def auxiliary(head: Node, weight: float) -> Auxiliary:
    """An auxiliary classifier at this point of the network; `weight` is its share in the training loss."""
    return Auxiliary(head, weight)


def labelled_children(node: Node) -> list[tuple[str, Node]]:
    """The direct parts of a composite value with the names they have in tables and in the module's state_dict.

    Raises:
        ArchitectureError: if two parts of one value have the same name.
    """
    if isinstance(node, Sequence):
        labelled = [(part.name or str(index), part) for index, part in enumerate(node.layers)]
    elif isinstance(node, Branches):
        labelled = [(path.name or f"branch{index}", path) for index, path in enumerate(node.paths, start=1)]
    elif isinstance(node, Residual):
        labelled = [("inner", node.inner)]
    elif isinstance(node, Auxiliary):
        labelled = [("head", node.head)]
    else:
        labelled = []
    names = [name for name, _ in labelled]
    for name in names:
        if names.count(name) > 1:
            raise ArchitectureError(
                f"{node.name or 'the value'}: two of its parts are named {name!r}; names must differ."
            )
    return labelled


def describe(node: Node) -> str:
    """A part in a few words, as tables, pictures and messages show it: `conv 3x3/2 64`, `max pool 3x3`."""
    if isinstance(node, Conv):
        extra = "" if node.activation == "relu" else " linear"
        return f"conv {_kernel_text(node)} {node.channels}{extra}"
    if isinstance(node, NormAct):
        return " + ".join(["batch norm"] * node.norm + ["relu"] * (node.activation == "relu")) or "identity"
    if isinstance(node, Pool):
        return f"{node.kind} pool {_kernel_text(node)}"
    if isinstance(node, AdaptiveAvgPool):
        return "global avg pool" if node.grid == (1, 1) else f"avg pool to {node.grid[0]}x{node.grid[1]}"
    if isinstance(node, Linear):
        return f"linear {node.features}"
    if isinstance(node, Dropout):
        return f"dropout {node.p:g}"
    if isinstance(node, LocalResponseNorm):
        return f"local response norm {node.size}"
    if isinstance(node, Residual):
        return f"residual x{node.scale:g}"
    return type(node).__name__.lower()


def _kernel_text(node: Conv | Pool) -> str:
    height, width = node.stride
    stride = "" if node.stride == (1, 1) else f"/{height}" if height == width else f"/{height}x{width}"
    valid = " valid" if node.padding == "valid" else ""
    return f"{node.kernel_size[0]}x{node.kernel_size[1]}{stride}{valid}"


def _pair(size: Size) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if len(size) != 2:
        raise ArchitectureError(f"a size is one int or (height, width); got {size!r}.")
    return tuple(size)


def _check_paths(paths: tuple[Node, ...]) -> None:
    for path in paths:
        if not isinstance(path, Node):
            raise ArchitectureError(f"a path must be a value such as conv(64, 3); got {path!r}.")


def _check_positive(node: Node, what: str, *sizes: int) -> None:
    if not all(isinstance(size, int) and size >= 1 for size in sizes):
        got = sizes[0] if len(sizes) == 1 else sizes
        raise ArchitectureError(f"{node.name or type(node).__name__}: {what} must be whole and at least 1; got {got}.")


def _check_choice(node: Node, what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ArchitectureError(
            f"{node.name or type(node).__name__}: {what} must be one of {', '.join(choices)}; got {value!r}."
        )


def _check_eps(node: Conv | NormAct | Linear) -> None:
    if not node.eps > 0:
        raise ArchitectureError(f"{node.name or type(node).__name__}: eps must be above 0; got {node.eps}.")
