"""Checks of exercises: compare a student's function or value with a reference and say what is wrong, and where.

A check prints one line when all is right and raises ExerciseError with one message when it is not, so a solution that
stops working fails the notebook's validation.
"""

import copy
import random
import traceback
from collections.abc import Callable, Iterable
from typing import Any

from course_lib.errors import CourseError
from course_lib.teaching.compare import describe, describe_arguments, difference, shortened
from course_lib.teaching.progress import keep_passed


class ExerciseError(CourseError):
    """What is wrong with the answer to an exercise. IPython shows the message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def check_function(
    student: Callable[..., Any],
    reference: Callable[..., Any],
    cases: Iterable[tuple],
    *,
    name: str,
    random_case: Callable[[random.Random], tuple] | None = None,
    random_count: int = 20,
    rtol: float = 1e-5,
    atol: float = 1e-8,
) -> None:
    """Run `student` and `reference` on each case and print `name: correct (… cases)` if all results agree.

    Args:
        student, reference: functions of the same positional arguments. Each gets its own copy of them.
        cases: tuples of positional arguments, the simplest first: the first case that fails is the one shown.
        name: identifier of the exercise, the first word of each message.
        random_case: makes one more case from a `random.Random`; `random_count` of them follow, the same on every run.
        rtol, atol: tolerances for floating-point results, as in `numpy.isclose`. Integers must be equal.

    Results may be numbers, text, tensors, arrays, dataclass values such as architectures, and tuples, lists or
    dictionaries of these.

    Raises:
        ExerciseError: if `student` is unfinished, raises, or returns something else than `reference`.
        TypeError: if a case is not a tuple.
        ValueError: if there is no case at all.
    """
    if student is None or student is ...:
        raise _not_done(name, "the function is still missing")
    if not callable(student):
        raise ExerciseError(f"{name}: a function is expected; this is {describe(student)}.")
    generator = random.Random(0)
    all_cases = list(cases)
    if random_case is not None:
        all_cases += [random_case(generator) for _ in range(random_count)]
    if not all_cases:
        raise ValueError(f"{name}: give at least one case; a check without cases cannot fail")
    for case in all_cases:
        if not isinstance(case, tuple):
            raise TypeError(f"{name}: each case is a tuple of arguments, not {describe(case)}")
        expected = reference(*copy.deepcopy(case))
        call = f"{getattr(student, '__name__', 'your function')}({describe_arguments(case)})"
        _require_equal(_call(student, case, call, name), expected, call, name, rtol, atol)
    print(f"{name}: correct ({len(all_cases)} {'case' if len(all_cases) == 1 else 'cases'})")
    _keep(name)


def check_value(
    student: Any, expected: Any, *, name: str, hint: str = "", rtol: float = 1e-5, atol: float = 1e-8
) -> None:
    """Compare one value with the expected one and print `name: correct` if they agree.

    `hint`, a sentence on where to look, follows the message when they do not. Values, tolerances and errors are those
    of `check_function`.
    """
    _require_equal(student, expected, "your value", name, rtol, atol, hint)
    print(f"{name}: correct")
    _keep(name)


def _keep(name: str) -> None:
    problem = keep_passed(name)
    if problem:
        print(problem)


def _call(student: Callable[..., Any], case: tuple, call: str, name: str) -> Any:
    try:
        return student(*copy.deepcopy(case))
    except NotImplementedError as error:
        raise _not_done(name, f"{call} raises NotImplementedError: {error}") from error
    except Exception as error:
        raise ExerciseError(f"{name}: {call} raises {type(error).__name__}: {error}{_line(student, error)}.") from error


def _line(student: Callable[..., Any], error: Exception) -> str:
    """Return the line of the student's own code at which `error` came up, "" where it is not to be found."""
    own_file = getattr(getattr(student, "__code__", None), "co_filename", None)
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own_file]
    return f" (at line {frames[-1].lineno} of the cell: {shortened(frames[-1].line)})" if frames else ""


def _require_equal(actual: Any, expected: Any, where: str, name: str, rtol: float, atol: float, hint: str = "") -> None:
    if (actual is None and expected is not None) or actual is ...:
        raise _not_done(name, f"{where} is {describe(actual)}")
    problem = difference(actual, expected, where, rtol, atol)
    if problem:
        raise ExerciseError(f"{name}: {problem}.{' ' + hint if hint else ''}")


def _not_done(name: str, reason: str) -> ExerciseError:
    return ExerciseError(f"{name}: not done yet: {reason}.")
