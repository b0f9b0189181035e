"""Compare an answer with the expected one and say in one clause where they differ.

torch is never imported here; tensors are recognised when they appear.
"""

import dataclasses
import math
import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

_LONGEST = 100


def difference(actual: Any, expected: Any, where: str, rtol: float, atol: float) -> str | None:
    """Return None if `actual` equals `expected`, otherwise a clause such as "f(3)[1] is 5; 4 is expected".

    Integers, text and truth values must be equal, floating-point values as close as `rtol` and `atol` ask; NaN
    equals NaN.
    Tensors and arrays are compared by type, shape, dtype and value; tuples, lists, mappings and dataclasses part by
    part, a list being as good as a tuple. `where` names `actual`; the path into it is added.
    """
    if is_array(expected):
        return _array_difference(actual, expected, where, rtol, atol)
    if isinstance(expected, bool | np.bool_):
        same = isinstance(actual, bool | np.bool_) and actual == expected
    elif isinstance(expected, Real):
        same = _numbers_agree(actual, expected, rtol, atol)
    elif isinstance(expected, Mapping):
        return _mapping_difference(actual, expected, where, rtol, atol)
    elif isinstance(expected, tuple | list):
        return _sequence_difference(actual, expected, where, rtol, atol)
    elif dataclasses.is_dataclass(expected):
        return _dataclass_difference(actual, expected, where, rtol, atol)
    else:
        # An array would compare element by element and have no single truth value.
        same = not is_array(actual) and bool(actual == expected)
    return None if same else f"{where} is {describe(actual)}; {describe(expected)} is expected"


def describe(value: Any) -> str:
    """Show a value in one short line: arrays and tensors by shape and dtype, all else by its shortened `repr`."""
    if is_array(value):
        kind = "an array" if isinstance(value, np.ndarray) else "a tensor"
        return f"{kind} of shape {tuple(value.shape)} and dtype {value.dtype}"
    if isinstance(value, tuple) and type(value) is tuple:
        return f"({describe_arguments(value)}{',' if len(value) == 1 else ''})"
    return shortened(str(value) if isinstance(value, np.generic) else repr(value))


def describe_arguments(arguments: tuple) -> str:
    """Show positional arguments as they stand in a call."""
    return ", ".join(describe(argument) for argument in arguments)


def shortened(text: str) -> str:
    """Put `text` on one line and cut it where a message would grow too long to read."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def is_array(value: Any) -> bool:
    """Whether `value` is a numpy array or a torch tensor."""
    torch = sys.modules.get("torch")
    return isinstance(value, np.ndarray) or (torch is not None and isinstance(value, torch.Tensor))


def _array_difference(actual: Any, expected: Any, where: str, rtol: float, atol: float) -> str | None:
    if not is_array(actual) or isinstance(actual, np.ndarray) != isinstance(expected, np.ndarray):
        return f"{where} is {describe(actual)}; {describe(expected)} is expected"
    if tuple(actual.shape) != tuple(expected.shape):
        return f"{where} has shape {tuple(actual.shape)}; {tuple(expected.shape)} is expected"
    if actual.dtype != expected.dtype:
        return f"{where} has dtype {actual.dtype}; {expected.dtype} is expected"
    ours, theirs = _to_numpy(actual), _to_numpy(expected)
    # Whole numbers leave no room for rounding.
    inexact = np.issubdtype(theirs.dtype, np.inexact)
    wrong = ~np.isclose(ours, theirs, rtol=rtol, atol=atol, equal_nan=True) if inexact else ours != theirs
    if not wrong.any():
        return None
    index = tuple(int(i) for i in np.argwhere(wrong)[0])
    place = f"{where}[{', '.join(map(str, index))}]" if index else where
    count = f" ({int(wrong.sum())} of {wrong.size} elements differ)" if wrong.size > 1 else ""
    return f"{place} is {ours[index]:.7g}; {theirs[index]:.7g} is expected{count}"


def _to_numpy(array: Any) -> np.ndarray:
    if isinstance(array, np.ndarray):
        return array
    array = array.detach().cpu()
    # numpy has no bfloat16; float64 holds every floating-point dtype exactly.
    return array.double().numpy() if array.is_floating_point() else array.numpy()


def _mapping_difference(actual: Any, expected: Mapping, where: str, rtol: float, atol: float) -> str | None:
    if not isinstance(actual, Mapping):
        return f"{where} is {describe(actual)}; a dictionary is expected"
    if set(actual) != set(expected):
        return f"{where} has the keys {describe(list(actual))}; {describe(list(expected))} are expected"
    parts = (difference(actual[key], expected[key], f"{where}[{key!r}]", rtol, atol) for key in expected)
    return next(filter(None, parts), None)


def _sequence_difference(actual: Any, expected: tuple | list, where: str, rtol: float, atol: float) -> str | None:
    if not isinstance(actual, tuple | list):
        return f"{where} is {describe(actual)}; a {type(expected).__name__} of {len(expected)} is expected"
    if len(actual) != len(expected):
        return f"{where} has {len(actual)} elements; {len(expected)} are expected"
    pairs = enumerate(zip(actual, expected, strict=True))
    parts = (difference(ours, theirs, f"{where}[{i}]", rtol, atol) for i, (ours, theirs) in pairs)
    return next(filter(None, parts), None)


def _dataclass_difference(actual: Any, expected: Any, where: str, rtol: float, atol: float) -> str | None:
    if type(actual) is not type(expected):
        return f"{where} is {describe(actual)}; {describe(expected)} is expected"
    names = [field.name for field in dataclasses.fields(expected) if field.compare]
    parts = (difference(getattr(actual, n), getattr(expected, n), f"{where}.{n}", rtol, atol) for n in names)
    return next(filter(None, parts), None)


def _numbers_agree(actual: Any, expected: Real, rtol: float, atol: float) -> bool:
    if not isinstance(actual, Real) or isinstance(actual, bool):
        return False
    if isinstance(expected, Integral):
        return actual == expected
    both_nan = actual != actual and expected != expected
    return both_nan or math.isclose(actual, expected, rel_tol=rtol, abs_tol=atol)
