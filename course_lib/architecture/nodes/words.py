"""The words an architecture is written in.

A figure of a paper becomes a value of a few lines that reads like the figure::

    branches(conv(64, 1),
             conv(48, 1) >> conv(64, 5),
             conv(64, 1) >> conv(96, 3) >> conv(96, 3),
             avg_pool(3) >> conv(32, 1))
"""

from __future__ import annotations

from typing import Any

from .layers import (
    BATCH_NORM_EPS,
    AdaptiveAvgPool,
    Conv,
    Dropout,
    Linear,
    LocalResponseNorm,
    NormAct,
    Padding,
    Pool,
    PoolPadding,
    Size,
)
from .node import Activation, Auxiliary, Branches, Node, Residual
from .signal import ArchitectureError, Pair


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
    groups: int = 1,
) -> Conv:
    """A convolution to `channels`, with batch norm and ReLU unless told otherwise.

    Args:
        channels: output channels.
        kernel_size, stride: an int or (height, width).
        padding: "same" pads `kernel_size // 2` zeros on each side, "valid" none.
        bias: by default only where there is no batch norm, whose beta would repeat it.
        eps: what batch norm adds to a variance before it divides by its root.
        groups: how many convolutions stand side by side, each with an equal share of the channels that come in and of
            those that go out.

    Raises:
        ArchitectureError: for a size or a number of channels below 1, an unknown padding or activation, an `eps`
            that is not above 0, or groups that cannot share the channels equally.
    """
    use_bias = not norm if bias is None else bias
    return Conv(channels, _pair(kernel_size), _pair(stride), padding, use_bias, norm, activation, eps, groups)


def depthwise_conv(channels: int, kernel_size: Size, stride: Size = 1, **options: Any) -> Conv:
    """A convolution that filters each of the `channels` coming in by itself. A 1x1 convolution after it, which mixes
    them, makes the pair a separable convolution (Howard et al. 2017, MobileNets, arXiv:1704.04861, section 3.1).

    Args:
        options: as in `conv`.
    """
    return conv(channels, kernel_size, stride, groups=channels, **options)


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


def branches(*paths: Node) -> Branches:
    """Parallel paths joined along the channels. `seq()` is the identity path."""
    return Branches(tuple(paths))


def split(widths: tuple[int, ...], *paths: Node) -> Branches:
    """Parallel paths of which the first reads the first `widths[0]` channels, the next the `widths[1]` after them, and
    so on; joined again along the channels."""
    return Branches(tuple(paths), tuple(widths))


def residual(inner: Node, scale: float = 1.0, *, activation: Activation = "relu") -> Residual:
    """`inner` scaled and added to its own input, then `activation`."""
    return Residual(inner, scale, activation)


def auxiliary(head: Node, weight: float) -> Auxiliary:
    """An auxiliary classifier at this point of the network; `weight` is its share in the training loss. It needs a
    name: `auxiliary(...).named("aux")`."""
    return Auxiliary(head, weight)


def _pair(size: Size) -> Pair:
    sizes = tuple(size) if isinstance(size, tuple | list) else (size, size)
    if len(sizes) != 2:
        raise ArchitectureError(f"a size is one int or (height, width); got {size!r}.")
    return sizes
