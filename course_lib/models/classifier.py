"""How every network of the family ends."""

from __future__ import annotations

from course_lib.architecture import Sequence, dropout, global_avg_pool, linear, seq


def classifier(num_classes: int, dropout_rate: float) -> Sequence:
    """Global average pool, dropout and the layer that gives the logits."""
    return seq(
        global_avg_pool().named("global_pool"), dropout(dropout_rate).named("dropout"), linear(num_classes).named("fc")
    )
