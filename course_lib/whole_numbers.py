"""Whole numbers, whichever library they come from."""

from __future__ import annotations

import operator


def whole_number(value: object) -> int | None:
    """A whole number of Python's, NumPy's or PyTorch's (one element) as an int, anything else as None.

    True and False are none: who writes `num_classes=True` has mixed something up.
    """
    if isinstance(value, bool) or str(getattr(value, "dtype", "")).endswith("bool"):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):  # the last for tensors without values, as on "meta"
        return None
