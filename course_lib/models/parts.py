"""What the networks' files share: how they end, and the check of an option."""

from __future__ import annotations

from collections.abc import Collection

from course_lib.architecture import ArchitectureError, Sequence, dropout, global_avg_pool, linear, seq


def classifier(num_classes: int, dropout_rate: float) -> Sequence:
    """Global average pool, dropout and the layer that gives the logits: how every network of the family ends."""
    return seq(
        global_avg_pool().named("global_pool"), dropout(dropout_rate).named("dropout"), linear(num_classes).named("fc")
    )


def check_option(name: str, value: object, choices: Collection[object]) -> None:
    """Raises ArchitectureError unless `value` is one of `choices`."""
    if value not in tuple(choices):
        listed = ", ".join(map(repr, choices))
        raise ArchitectureError(f"option {name} must be one of {listed}; got {value!r}.")
