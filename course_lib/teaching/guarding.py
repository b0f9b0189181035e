"""Run a student's function so that there is always a verdict: whatever it raises, however long it runs."""

import contextlib
import copy
import ctypes
import inspect
import sysconfig
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython

from course_lib.errors import CourseError
from course_lib.teaching.compare import difference
from course_lib.teaching.describing import describe_arguments, shortened

SECONDS = 20.0
"""How long all the calls of one check may take together, unless the exercise says otherwise."""

_FOREIGN = tuple({str(Path(__file__).parents[1]), *(sysconfig.get_path(n) for n in ("stdlib", "purelib", "platlib"))})


class AnswerError(CourseError):
    """Why a call has no result that could be compared: a clause, and in `kind` the sort of fault in one word."""

    def __init__(self, clause: str, kind: str) -> None:
        super().__init__(clause)
        self.kind = kind


class _TimeIsUp(BaseException):
    """Raised inside code that has run too long. No Exception, so that `except Exception` does not swallow it."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `_TimeIsUp` in this thread after `seconds`, at the next Python instruction.

    A thread that watches does the same on Linux, macOS and Windows, where signals differ or do not exist. One long
    call into compiled code is ended only when it comes back.
    """
    lock, done, fired = threading.Lock(), False, False
    thread = ctypes.c_ulong(threading.get_ident())

    def fire() -> None:
        nonlocal fired
        with lock:
            if not done:
                fired = True
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_TimeIsUp))

    watch = threading.Timer(max(seconds, 0.0), fire)
    watch.daemon = True
    watch.start()
    try:
        yield
    finally:
        with lock:
            done = True
        watch.cancel()
        if fired:  # set but not raised yet: it must not come up in the check itself
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)


def run(function: Callable[..., Any], arguments: tuple, seconds: float = SECONDS) -> Any:
    """Call `function` with its own copy of `arguments` and return the result.

    Raises:
        AnswerError: if it is not written yet, raises, leaves Python, takes longer than `seconds`, or changes its
            arguments.
    """
    call = f"{getattr(function, '__name__', 'your function')}({describe_arguments(arguments)})"
    passed, untouched = (tuple(_copy(argument) for argument in arguments) for _ in range(2))
    try:
        with _exit_raises(), time_limit(seconds):
            result = function(*passed)
    except NotImplementedError as error:
        raise AnswerError(f"not done yet: {call} raises NotImplementedError: {error}", "unfinished") from error
    except _TimeIsUp as error:
        clause = f"{call} has no result after {seconds:.0f} s{_line(error)}; does a loop never end?"
        raise AnswerError(clause, "time") from error
    except SystemExit as error:
        clause = f"{call} ends Python with exit or quit{_line(error)}; leave a function with return"
        raise AnswerError(clause, "exit") from error
    except Exception as error:
        clause = f"{call} raises {type(error).__name__}: {shortened(str(error))}{_line(error)}"
        raise AnswerError(clause, f"raises {type(error).__name__}") from error
    changed = _changed_argument(function, passed, untouched)
    if changed:
        raise AnswerError(f"{call} changes its argument {changed} in place; work on a copy of it", "in place")
    return result


@contextlib.contextmanager
def _exit_raises() -> Iterator[None]:
    """In a notebook `quit()` shuts the kernel down without an exception; here it raises SystemExit, as in Python."""
    shell = get_ipython()
    if shell is None:
        yield
        return

    def ask_exit() -> None:
        raise SystemExit

    shell.ask_exit = ask_exit
    try:
        yield
    finally:
        vars(shell).pop("ask_exit", None)


def _line(error: BaseException) -> str:
    """The last line of the student's own code on the way to `error`, "" where there is none."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*_FOREIGN, "<"))]
    return f" (at line {own[-1].lineno} of the cell: {shortened(own[-1].line)})" if own else ""


def _copy(argument: object) -> object:
    """A copy, or the argument itself where it cannot be copied, as a generator or an open file."""
    try:
        return copy.deepcopy(argument)
    except Exception:
        return argument


def _changed_argument(function: Callable[..., Any], passed: tuple, untouched: tuple) -> str | None:
    """Name the first argument that is no longer what it was; what cannot be compared counts as unchanged."""
    for number, (after, before) in enumerate(zip(passed, untouched, strict=True)):
        with contextlib.suppress(Exception):
            comparable = difference(copy.deepcopy(before), before, "", 0, 0) is None
            if comparable and difference(after, before, "", 0, 0):
                return _parameter(function, number)
    return None


def _parameter(function: Callable[..., Any], number: int) -> str:
    try:
        return list(inspect.signature(function).parameters)[number]
    except (TypeError, ValueError, IndexError):
        return f"number {number + 1}"
