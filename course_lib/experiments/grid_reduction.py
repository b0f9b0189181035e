"""The three ways to halve a grid, in a small classifier: what the lesson trains and the record repeats, as values."""

from __future__ import annotations

from typing import Literal, get_args

from course_lib.architecture import ArchitectureError, Node, branches, conv, global_avg_pool, linear, max_pool, seq

Way = Literal["conv_pool", "pool_conv", "parallel"]
WAYS: tuple[Way, ...] = get_args(Way)


def reduction(way: Way, channels: int, kernel_size: int = 3, stride: int = 2) -> Node:
    """The part that divides the sides of the grid by `stride` and makes `stride * channels` channels.

    Args:
        way: "conv_pool" convolves on the large grid and then pools, "pool_conv" the other way round, "parallel" puts a
            convolution with a stride beside a pool with the same stride (v3 paper, figures 9 and 10).
        channels: of the input.
        kernel_size: of the convolution, odd. The pool's window is the least odd one, 3 or more, that leaves no pixel
            out.
        stride: 2 or more.

    Raises:
        ArchitectureError: for another way, an even kernel, or a stride below 2; the message says what there is.
    """
    if way not in WAYS:
        raise ArchitectureError(f"way must be one of {', '.join(WAYS)}; got {way!r}.")
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ArchitectureError(f"kernel_size must be odd and at least 1, such as 3; got {kernel_size}.")
    if stride < 2:
        raise ArchitectureError(f"stride must be at least 2, or nothing shrinks; got {stride}.")
    pool, out = max_pool(max(3, stride | 1), stride), stride * channels
    if way == "conv_pool":
        return conv(out, kernel_size) >> pool
    if way == "pool_conv":
        return pool >> conv(out, kernel_size)
    return branches(conv(out - channels, kernel_size, stride), pool)


def reduction_network(way: Way, further: int = 0) -> Node:
    """A classifier of 28x28 images into ten classes, with two reductions of one way, from 28x28x16 to 7x7x64.

    Args:
        further: 3x3 convolutions between and after the reductions, 0 or 3. Three cost what "pool_conv" saves against
            "conv_pool", the dearest way.

    Raises:
        ArchitectureError: for another way or number of convolutions.
    """
    if further not in (0, 3):
        raise ArchitectureError(f"further must be 0 or 3; got {further!r}.")
    middle, end = (seq(conv(32, 3), conv(32, 3)), conv(64, 3)) if further else (seq(), seq())
    body = seq(reduction(way, 16), middle, reduction(way, 32), end)
    return conv(16, 3) >> body >> global_avg_pool() >> linear(10)
