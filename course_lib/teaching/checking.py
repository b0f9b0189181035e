"""Checks of exercises: compare a student's function or value with a reference and say what is wrong, and where.

A check prints one line when all is right and raises ExerciseError with one message when it is not, so a solution that
stops working fails the notebook's validation.
"""

import copy
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from course_lib.errors import CourseError
from course_lib.teaching.compare import difference
from course_lib.teaching.describing import describe, describe_arguments
from course_lib.teaching.guarding import SECONDS, AnswerError, run
from course_lib.teaching.progress import keep_passed

NO_MISTAKES: Mapping[str, Callable[..., Any]] = {}


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
    mistakes: Mapping[str, Callable[..., Any]] = NO_MISTAKES,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    seconds: float = SECONDS,
) -> None:
    """Run `student` and `reference` on each case and print `name: correct (… cases)` if all results agree.

    Args:
        student, reference: functions of the same positional arguments. Each gets its own copy of them.
        cases: tuples of positional arguments, the simplest first: the first case that fails is the one shown.
        name: identifier of the exercise, the first word of each message.
        random_case: makes one more case from a `random.Random`; `random_count` of them follow, smallest first, the
            same on every run.
        mistakes: wrong functions by the sentence that says what is wrong with them. An answer that does on every case
            what one of them does is refused with its sentence, too.
        rtol, atol: tolerances for floating-point results, as in `numpy.isclose`. Integers must be equal.
        seconds: time that all calls of `student` may take together.

    Results may be numbers, text, tensors, arrays, dataclass values such as architectures, and tuples, lists or
    dictionaries of these.

    Raises:
        ExerciseError: if `student` is unfinished, raises, takes too long, leaves Python, changes its arguments in
            place, or returns something else than `reference`.
        TypeError: if a case is not a tuple.
        ValueError: if there is no case at all.
    """
    if student is None or student is ...:
        raise ExerciseError(f"{name}: not done yet: the function is still missing.")
    if not callable(student):
        raise ExerciseError(f"{name}: a function is expected; this is {describe(student)}.")
    all_cases = _all_cases(cases, random_case, random_count, name)
    deadline = time.monotonic() + seconds
    for case in all_cases:
        expected = reference(*copy.deepcopy(case))
        try:
            result = run(student, case, deadline - time.monotonic())
            _require_equal(result, expected, _call_text(student, case), rtol, atol)
        except AnswerError as error:
            judged = error.kind not in ("time", "unfinished")
            failed_first = (case, *(other for other in all_cases if other is not case))
            known = _recognised(student, mistakes, failed_first, rtol, atol, seconds) if judged and mistakes else ""
            raise ExerciseError(f"{name}: {_sentence(error)}{known}") from error
    print(f"{name}: correct ({len(all_cases)} {'case' if len(all_cases) == 1 else 'cases'})")
    keep_answer(name)


def check_value(
    student: Any, expected: Any, *, name: str, hint: str = "", rtol: float = 1e-5, atol: float = 1e-8
) -> None:
    """Compare one value with the expected one and print `name: correct` if they agree.

    `hint`, a sentence on where to look, follows the message when they do not. Values, tolerances and errors are those
    of `check_function`.
    """
    try:
        _require_equal(student, expected, "your value", rtol, atol)
    except AnswerError as error:
        raise ExerciseError(f"{name}: {_sentence(error)}{f' {hint}' if hint else ''}") from error
    print(f"{name}: correct")
    keep_answer(name)


def keep_answer(name: str) -> None:
    """Notes in the student's progress that this exercise is passed; says so if that cannot be written."""
    problem = keep_passed(name)
    if problem:
        print(problem)


def _all_cases(
    cases: Iterable[tuple], random_case: Callable[[random.Random], tuple] | None, random_count: int, name: str
) -> list[tuple]:
    generator, all_cases = random.Random(0), list(cases)
    if random_case is not None:
        all_cases += sorted((random_case(generator) for _ in range(random_count)), key=_size)
    if not all_cases:
        raise ValueError(f"{name}: give at least one case; a check without cases cannot fail")
    for case in all_cases:
        if not isinstance(case, tuple):
            raise TypeError(f"{name}: each case is a tuple of arguments, not {describe(case)}")
    return all_cases


def _size(value: Any) -> float:
    """How large a case looks to a reader, so that a small one is shown before a large one."""
    if isinstance(value, int | float):
        return abs(value)
    if isinstance(value, tuple | list):
        return len(value) + sum(map(_size, value))
    return float(value.size if hasattr(value, "dtype") and isinstance(value.size, int) else 0)


def _require_equal(actual: Any, expected: Any, where: str, rtol: float, atol: float) -> None:
    if (actual is None and expected is not None) or actual is ...:
        raise AnswerError(f"not done yet: {where} is {describe(actual)}", "unfinished")
    try:
        problem = difference(actual, expected, where, rtol, atol)
    except Exception as error:  # a type of value that nothing here knows
        problem = f"{where} is {describe(actual)}, which cannot be compared with {describe(expected)}"
        raise AnswerError(problem, "different") from error
    if problem:
        raise AnswerError(problem, "different")


def _call_text(function: Callable[..., Any], case: tuple) -> str:
    return f"{getattr(function, '__name__', 'your function')}({describe_arguments(case)})"


def _sentence(error: AnswerError) -> str:
    text = str(error)
    return text if text.endswith(("?", ".")) else f"{text}."


def _recognised(
    student: Callable[..., Any],
    mistakes: Mapping[str, Callable[..., Any]],
    cases: Iterable[tuple],
    rtol: float,
    atol: float,
    seconds: float,
) -> str:
    """The sentence of the first mistake that does what `student` does on all cases, or "".

    `student` runs once on each case, however many mistakes there are, and may take as long together as in the check
    itself: with a shorter limit a mistake would stay without its sentence on a slow machine.
    """
    alike, left = dict(mistakes), seconds
    for case in cases:
        started = time.monotonic()
        given = _outcome(student, case, left)
        left -= time.monotonic() - started
        if given[0] == "time":  # the known mistakes all come to an end
            return ""
        alike = {
            sentence: mistake
            for sentence, mistake in alike.items()
            if _same_outcome(given, _outcome(mistake, case, seconds), rtol, atol)
        }
        if not alike:
            return ""
    return f" {next(iter(alike))}"


def _outcome(function: Callable[..., Any], case: tuple, seconds: float) -> tuple[str, Any]:
    """The sort of fault, "" if there is none, and the result, None if there is none."""
    try:
        return "", run(function, case, seconds)
    except AnswerError as error:
        return error.kind, None


def _same_outcome(given: tuple[str, Any], known: tuple[str, Any], rtol: float, atol: float) -> bool:
    if given[0] != known[0]:
        return False
    try:
        return difference(given[1], known[1], "", rtol, atol) is None
    except Exception:  # not comparable, so not known to be the same
        return False
