"""Four ways to halve a grid, in a small classifier: what the lesson trains and the record repeats, as values."""

from __future__ import annotations

from typing import Literal, get_args

from course_lib.architecture import (
    ArchitectureError,
    Node,
    avg_pool,
    branches,
    conv,
    global_avg_pool,
    linear,
    max_pool,
    seq,
)

Way = Literal["conv_pool", "pool_conv", "parallel", "strided"]
WAYS: tuple[Way, ...] = get_args(Way)
Kind = Literal["max", "average"]
_POOLS = {"max": max_pool, "average": avg_pool}


def reduction(way: Way, channels: int, kernel_size: int = 3, stride: int = 2, pool: Kind = "max") -> Node:
    """The part that divides the sides of the grid by `stride` and makes `stride * channels` channels.

    Args:
        way: "conv_pool" convolves on the large grid and then pools, "pool_conv" the other way round, "parallel" puts a
            convolution with a stride beside a pool with the same stride (v3 paper, figures 9 and 10), "strided" is one
            convolution with a stride, to all the channels.
        channels: of the input.
        kernel_size: of the convolution, odd. The pool's window is the least odd one, 3 or more, that leaves no pixel
            out.
        stride: 2 or more.
        pool: which one; "strided" has none.

    Raises:
        ArchitectureError: for another way or pool, an even kernel, or a stride below 2; the message says what there is.
    """
    if way not in WAYS:
        raise ArchitectureError(f"way must be one of {', '.join(WAYS)}; got {way!r}.")
    if pool not in _POOLS:
        raise ArchitectureError(f"pool must be one of {', '.join(_POOLS)}; got {pool!r}.")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ArchitectureError(f"kernel_size must be odd and at least 1, such as 3; got {kernel_size}.")
    if stride < 2:
        raise ArchitectureError(f"stride must be at least 2, or nothing shrinks; got {stride}.")
    pooled, out = _POOLS[pool](max(3, stride | 1), stride), stride * channels
    if way == "conv_pool":
        return conv(out, kernel_size) >> pooled
    if way == "pool_conv":
        return pooled >> conv(out, kernel_size)
    if way == "parallel":
        return branches(conv(out - channels, kernel_size, stride), pooled)
    return conv(out, kernel_size, stride)


def reduction_network(way: Way, further: int = 0, width: int = 16, pool: Kind = "max", stem: int = 3) -> Node:
    """A classifier of 28x28 images into ten classes, with two reductions of one way, to 14x14 and to 7x7.

    Args:
        further: 3x3 convolutions between and after the reductions, 0 or 3. Three cost what "pool_conv" or "strided"
            saves against "conv_pool", the dearest way.
        width: channels before the first reduction; each reduction doubles them.
        pool: as in `reduction`.
        stem: window of the first convolution, odd.

    Raises:
        ArchitectureError: for another way, pool or number of convolutions.
    """
    if further not in (0, 3):
        raise ArchitectureError(f"further must be 0 or 3; got {further!r}.")
    middle, end = seq(), seq()
    if further:
        middle, end = seq(conv(2 * width, 3), conv(2 * width, 3)), conv(4 * width, 3)
    body = seq(reduction(way, width, pool=pool), middle, reduction(way, 2 * width, pool=pool), end)
    return conv(width, stem) >> body >> global_avg_pool() >> linear(10)
