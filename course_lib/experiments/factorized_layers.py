"""What may take the place of three 7x7 convolutions in a small classifier: what the lesson trains and the record
repeats, as values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F

from course_lib.architecture import (
    ArchitectureError,
    Conv,
    Node,
    Pool,
    build,
    conv,
    depthwise_conv,
    factorize,
    global_avg_pool,
    linear,
    max_pool,
    peel_3x3,
    rewrite,
    shape_text,
    split_5x5,
    total,
    with_fields,
)

CHANNELS = 16
LARGE = "7×7"
STACK = "3×3 · 3×3 · 3×3"
PAIR = "1×7 · 7×1"
LINEAR_PAIR = "1×7 · 7×1, linear between"
NARROW_PAIR = "1×7 · 7×1, 4 between"
SEPARABLE = "7×7 a channel · 1×1"


def small_classifier(middle: Node) -> Node:
    """A classifier of 28x28 images into ten classes with `middle`, on 14x14 places and `CHANNELS` channels."""
    opening, end = conv(CHANNELS, 3, stride=2), max_pool(3, 2) >> conv(64, 3)
    return opening >> middle >> end >> global_avg_pool() >> linear(10)


def thrice(layer: Node) -> Node:
    """`layer` three times in a row."""
    return layer >> layer >> layer


def separable_conv(channels: int, kernel_size: int) -> Node:
    """Each channel filtered by itself, then mixed by a 1x1 convolution, with nothing between (Chollet 2017, Xception,
    arXiv:1610.02357)."""
    return depthwise_conv(channels, kernel_size, norm=False, bias=False, activation="linear") >> conv(channels, 1)


def replacements() -> dict[str, Node]:
    """The classifier by what stands in its middle; all see the same patch of the picture and have 16 channels after
    each replaced layer."""
    sevens = thrice(conv(CHANNELS, 7))
    narrow = conv(4, (1, 7)) >> conv(CHANNELS, (7, 1))
    middles = {
        LARGE: sevens,
        STACK: split_5x5(peel_3x3(sevens, 7)),
        PAIR: factorize(sevens, 7),
        LINEAR_PAIR: factorize(sevens, 7, between="linear"),
        NARROW_PAIR: thrice(narrow),
        SEPARABLE: thrice(separable_conv(CHANNELS, 7)),
    }
    return {name: small_classifier(middle) for name, middle in middles.items()}


_GRID = (CHANNELS, 14, 14)
_SEVENS = thrice(conv(CHANNELS, 7))
MOST_OF_THE_MACS = 0.2
"""What a design of one's own may cost, as a share of the three 7x7."""


def design_problem(value: Any) -> str | None:
    """A clause that says why `value` cannot stand in the place of the three 7x7, or None if it can.

    It has to be a value that takes and gives `CHANNELS` x 14 x 14, sees a full square of at least 19x19 pixels, mixes
    all channels and costs at most `MOST_OF_THE_MACS` of the three.
    """
    if not isinstance(value, Node):
        return "a value such as conv(16, 3) >> conv(16, 3) is expected, not a module, a class or a text"
    try:
        size, large = total(value, _GRID), total(_SEVENS, _GRID)
    except ArchitectureError as error:
        return f"it does not fit: {str(error).rstrip('.')}"
    if size.out_shape != _GRID:
        return f"its output is {shape_text(size.out_shape)}; {shape_text(_GRID)} has to come out, as it goes in"
    if size.params == 0:
        return "it has no weights, so it cannot learn"
    if any(ours < theirs for ours, theirs in zip(size.receptive_field, large.receptive_field, strict=True)):
        return f"it sees {shape_text(size.receptive_field)} pixels; the three 7×7 see 19x19"
    if size.macs > MOST_OF_THE_MACS * large.macs:
        return f"it costs {size.macs / large.macs:.0%} of the three 7×7; {MOST_OF_THE_MACS:.0%} is the most"
    return _blind(value, large.receptive_field[0])


def _blind(value: Node, patch: int) -> str | None:
    """A clause that names an input channel, or tells of pixels, that the middle unit does not see, or None."""
    # A ReLU that passes nothing, and a pixel that is not the largest in its window, are no lack of the design.
    value = with_fields(value, Conv, activation="linear")
    value = rewrite(value, lambda part, _: replace(part, kind="avg") if isinstance(part, Pool) else part)
    grid, seen = 2 * patch - 1, 0  # holds each square of the patch's size around the middle
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, x = build(value, CHANNELS).eval(), torch.randn(1, CHANNELS, grid, grid, requires_grad=True)
        middle = model(x)[0, :, patch - 1, patch - 1]
        for channel in range(CHANNELS):
            (gradient,) = torch.autograd.grad(middle[channel], x, retain_graph=True)
            silent = (gradient == 0).all(dim=(0, 2, 3)).nonzero().flatten().tolist()
            if silent:
                return f"its output channel {channel} does not depend on input channel {silent[0]}: mix the channels"
            seen = seen + gradient.abs().sum(1)
    if not (-F.max_pool2d(-(seen != 0).float(), patch, 1)).any():  # no square without a hole
        return f"it sees a patch with holes, such as a cross, and nowhere a full {patch}x{patch}"
    return None
