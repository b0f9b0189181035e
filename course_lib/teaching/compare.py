"""Compare an answer with the expected one and say in one clause where they differ.

torch is never imported here; tensors are recognised when they appear.
"""

import cmath
import dataclasses
import math
from collections.abc import Mapping
from numbers import Complex, Integral, Real
from typing import Any

import numpy as np

from course_lib.architecture import Auxiliary, Branches, Node, Residual, Sequence
from course_lib.teaching.describing import describe, is_array, is_tensor, safe_repr, shortened

_COMPOSITE = (Sequence, Branches, Residual, Auxiliary)


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
    elif isinstance(expected, Complex):
        same = isinstance(actual, Complex) and cmath.isclose(actual, expected, rel_tol=rtol, abs_tol=atol)
    else:
        same = _plainly_equal(actual, expected)
    if same:
        return None
    texts = describe(actual), describe(expected)
    if texts[0] == texts[1]:  # floats that differ only in digits which a message leaves out, or look-alikes
        texts = shortened(safe_repr(actual)), shortened(safe_repr(expected))
    return f"{where} is {texts[0]}; {texts[1]} is expected"


def _plainly_equal(actual: Any, expected: Any) -> bool:
    """Whether `==` says so with one truth value; arrays and tables, which compare by element, are not equal to text."""
    try:
        same = actual == expected
    except Exception:  # whatever the `__eq__` of a class of the student's may raise
        return False
    return bool(same) if isinstance(same, bool | np.bool_) else False


def _array_difference(actual: Any, expected: Any, where: str, rtol: float, atol: float) -> str | None:
    found = f"{where} is {describe(actual)}; {describe(expected)} is expected"
    if not is_array(actual) or is_tensor(actual) != is_tensor(expected):
        return found
    if tuple(actual.shape) != tuple(expected.shape):
        return f"{where} has shape {tuple(actual.shape)}; {tuple(expected.shape)} is expected"
    if actual.dtype != expected.dtype:
        return f"{where} has dtype {actual.dtype}; {expected.dtype} is expected"
    if is_tensor(actual) and (actual.layout, actual.is_meta) != (expected.layout, expected.is_meta):
        return found
    if is_tensor(actual) and actual.is_meta:
        return None
    ours, theirs = _to_numpy(actual), _to_numpy(expected)
    if theirs.dtype.kind not in "biufc":  # text and objects, one by one
        pairs = ((ours[i], theirs[i], f"{where}[{', '.join(map(str, i))}]") for i in np.ndindex(ours.shape))
        return next(filter(None, (difference(*pair, rtol, atol) for pair in pairs)), None)
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
    if array.is_quantized:
        array = array.dequantize()
    elif str(array.layout) != "torch.strided":
        array = array.to_dense()
    array = array.resolve_conj().resolve_neg()
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
    pairs = enumerate(zip(actual, expected, strict=False))
    parts = (difference(ours, theirs, f"{where}[{i}]", rtol, atol) for i, (ours, theirs) in pairs)
    first = next(filter(None, parts), None)
    if len(actual) == len(expected):
        return first
    return f"{where} has {len(actual)} elements; {len(expected)} are expected{f', and {first}' if first else ''}"


def _dataclass_difference(actual: Any, expected: Any, where: str, rtol: float, atol: float) -> str | None:
    if type(actual) is not type(expected):
        return f"{where} is {describe(actual)}; {describe(expected)} is expected"
    if isinstance(expected, Node) and not isinstance(expected, _COMPOSITE) and actual != expected:
        # A layer is shown whole, as the code that makes it; a composite value by the first part that differs.
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
    try:
        return both_nan or math.isclose(actual, expected, rel_tol=rtol, abs_tol=atol)
    except OverflowError:  # a whole number beyond every float
        return False
