"""Weights of a network written by hand, for the one that the library builds."""

from __future__ import annotations

from torch import nn

from course_lib.errors import CourseError


def copy_weights_in_order(source: nn.Module, target: nn.Module) -> None:
    """Copies each tensor of `source`'s state into the one at the same place in `target`'s: for two modules with the
    same layers in the same order under other names.

    Raises:
        CourseError: if they hold another number of tensors or one has another shape; nothing is copied then.
    """
    tensors, wanted = source.state_dict(), target.state_dict()
    if len(tensors) != len(wanted):
        raise CourseError(
            f"the two networks must hold equally many tensors; they hold {len(tensors)} and {len(wanted)}."
        )
    for (name, tensor), (other, place) in zip(tensors.items(), wanted.items(), strict=True):
        if tensor.shape != place.shape:
            raise CourseError(
                f"{name} {tuple(tensor.shape)} does not fit {other} {tuple(place.shape)}; write both in one order."
            )
    target.load_state_dict(dict(zip(wanted, tensors.values(), strict=True)))
