"""What may take the place of three 7x7 convolutions in a small classifier: what the lesson trains and the record
repeats, as values."""

from __future__ import annotations

from course_lib.architecture import (
    Node,
    conv,
    depthwise_conv,
    factorize,
    global_avg_pool,
    linear,
    max_pool,
    peel_3x3,
    split_5x5,
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
