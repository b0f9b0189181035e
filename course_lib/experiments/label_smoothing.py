"""The small network on which label smoothing is tried out, and the two stages of its training."""

from __future__ import annotations

from dataclasses import replace

from course_lib.architecture import Node, avg_pool, branches, conv, global_avg_pool, linear
from course_lib.recipes import Recipe

TRAINING_IMAGES = 700
_PLAIN = Recipe(optimizer="adam", batch_size=32, weight_decay=0, warmup_epochs=0, pad=0, flip=False)
STAGES = {
    "early": replace(_PLAIN, epochs=10, learning_rate=1e-2, schedule="linear"),
    "late": replace(_PLAIN, epochs=9, learning_rate=3e-3, schedule="constant"),
}
"""The second goes on from the first; neither augments nor decays weights, so that nothing but the loss restrains."""


def smoothing_network() -> Node:
    """An Inception module on the 7x7 grid of a 28x28 image."""
    block = branches(
        conv(32, 1), conv(32, 1) >> conv(32, 3), conv(32, 1) >> conv(32, 3) >> conv(32, 3), avg_pool(3) >> conv(32, 1)
    )
    stem = conv(32, 3, stride=2) >> conv(64, 3, stride=2)
    return stem >> block >> global_avg_pool() >> linear(10)
