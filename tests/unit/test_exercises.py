"""The checks accept right answers and name what is wrong with the others."""

import contextlib
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from course_lib import architecture
from course_lib.architecture import avg_pool, branches, conv, linear, max_pool, seq
from course_lib.experiments.auxiliary_network import deep_network
from course_lib.models import network
from course_lib.teaching import Exercise, ExerciseError, check_function, check_value
from course_lib.teaching.compare import difference
from course_lib.teaching.describing import architecture_text, describe


@dataclass(frozen=True)
class Kernel:
    """A value with parts, as an architecture is."""

    size: int
    parts: tuple = ()


class Unreadable:
    """A value that can be neither shown nor compared."""

    def __repr__(self) -> str:
        raise ZeroDivisionError

    def __eq__(self, other: object) -> bool:
        raise ZeroDivisionError

    __hash__ = None


def macs(kernel_size: int, channels: int) -> int:
    return kernel_size**2 * channels**2


def message_of(student: object, expected: object) -> str:
    with pytest.raises(ExerciseError) as caught:
        check_value(student, expected, name="exercise")
    return str(caught.value)


def test_success_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    check_function(
        macs, macs, [(3, 8), (5, 8)], name="kernel-macs", random_case=lambda r: (r.randint(1, 9), 4), random_count=10
    )
    assert capsys.readouterr().out == "kernel-macs: correct (12 cases)\n"
    check_value(0.28, 0.28, name="saving")
    assert capsys.readouterr().out == "saving: correct\n"


def test_a_wrong_result_is_shown_with_its_input_and_the_expectation() -> None:
    def linear(kernel_size: int, channels: int) -> int:
        return kernel_size * channels

    with pytest.raises(ExerciseError, match=r"^kernel-macs: linear\(3, 8\) is 24; 576 is expected\.$"):
        check_function(linear, macs, [(1, 1), (3, 8)], name="kernel-macs")


def test_random_cases_find_what_the_given_cases_miss() -> None:
    def only_three(kernel_size: int, channels: int) -> int:
        return 9 * channels**2

    def random_case(generator: random.Random) -> tuple:
        return generator.randint(1, 9), 2

    check_function(only_three, macs, [(3, 8)], name="kernel-macs")
    messages = set()
    for _ in range(2):
        with pytest.raises(ExerciseError) as caught:
            check_function(only_three, macs, [(3, 8)], name="kernel-macs", random_case=random_case)
        messages.add(str(caught.value))
    assert len(messages) == 1, "random cases must be the same on every run"


def test_an_exception_is_named_with_its_line() -> None:
    def divide(kernel_size: int, channels: int) -> float:
        return channels / (kernel_size - 3)

    expected = r"divide\(3, 8\) raises ZeroDivisionError: .* \(at line \d+ of the cell: return channels / .*\)"
    with pytest.raises(ExerciseError, match=expected):
        check_function(divide, macs, [(3, 8)], name="kernel-macs")


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(ExerciseError, match=r"raises TypeError: .*takes 1 positional argument but 2 were given"):
        check_function(lambda kernel_size: 1, macs, [(3, 8)], name="kernel-macs")


def raising(*arguments: object) -> None:
    raise NotImplementedError("your turn")


@pytest.mark.parametrize("student", [None, ..., raising, lambda *a: None, lambda *a: ...])
def test_an_unfinished_function_is_not_done_yet(student: object) -> None:
    with pytest.raises(ExerciseError, match=r"^kernel-macs: not done yet: "):
        check_function(student, macs, [(3, 8)], name="kernel-macs")


@pytest.mark.parametrize("student", [None, ...])
def test_an_unfinished_value_is_not_done_yet(student: object) -> None:
    assert message_of(student, 3).startswith("exercise: not done yet: ")


def test_a_number_in_place_of_a_function_is_named() -> None:
    with pytest.raises(ExerciseError, match="a function is expected; this is 576"):
        check_function(576, macs, [(3, 8)], name="kernel-macs")


def test_a_student_who_changes_the_input_is_told_and_does_not_change_the_check() -> None:
    def reverse_in_place(values: list) -> list:
        values.reverse()
        return values

    def reverse(values: list) -> list:
        return values[::-1]

    given = [1, 2, 3]
    message = r"^reverse: reverse_in_place\(\[1, 2, 3\]\) changes its argument values in place; work on a copy of it\.$"
    with pytest.raises(ExerciseError, match=message):
        check_function(reverse_in_place, reverse, [(given,)], name="reverse")
    assert given == [1, 2, 3]
    check_function(reverse, reverse_in_place, [(given,)], name="reverse")
    assert given == [1, 2, 3]


def test_an_array_changed_in_place_is_named_and_what_cannot_be_compared_is_let_be() -> None:
    def shift(scale: float, values: torch.Tensor) -> torch.Tensor:
        values -= scale
        return values

    with pytest.raises(ExerciseError, match="changes its argument values in place"):
        check_function(shift, lambda scale, values: values - scale, [(1.0, torch.zeros(3))], name="shift")
    check_function(lambda thing: 1, lambda thing: 1, [(object(),), (torch.nn.Linear(1, 1),)], name="objects")


@pytest.mark.parametrize("swallow", [False, True])
def test_a_loop_without_end_is_ended_and_its_line_named(swallow: bool) -> None:
    def forever(kernel_size: int, channels: int) -> int:
        while True:
            try:
                kernel_size += 1
            except Exception:
                if not swallow:
                    raise

    started = time.monotonic()
    with pytest.raises(
        ExerciseError, match=r"forever\(3, 8\) has no result after \d s \(at line \d+ of the cell: .*loop"
    ):
        check_function(forever, macs, [(3, 8)], name="kernel-macs", seconds=0.3)
    assert time.monotonic() - started < 20


def test_all_calls_of_a_check_share_its_time() -> None:
    def slow(kernel_size: int, channels: int) -> int:
        time.sleep(0.2)
        return macs(kernel_size, channels)

    with pytest.raises(ExerciseError, match="has no result after"):
        check_function(slow, macs, [(3, c) for c in range(1, 100)], name="kernel-macs", seconds=1)


def test_an_answer_in_time_is_never_interrupted_afterwards() -> None:
    for _ in range(200):
        with contextlib.suppress(ExerciseError):
            check_function(lambda n: time.sleep(0.001), lambda n: None, [(1,)], name="nearly", seconds=0.001)
    assert sum(range(100_000)) == 4999950000


@pytest.mark.parametrize("leave", [lambda n: sys.exit(), lambda n: sys.exit("bye"), lambda n: exit(3)])
def test_an_answer_that_ends_python_is_named(leave: Callable[[int], object]) -> None:
    with pytest.raises(
        ExerciseError, match=r"^leave: <lambda>\(1\) ends Python with exit or quit \(at line .*return\.$"
    ):
        check_function(leave, abs, [(1,)], name="leave")


KERNEL_CELLS = {
    "def forever():\n    while True: pass": (
        "ExerciseError: ex: forever() has no result after 1 s (at line 2 of the cell: while True: pass); "
        "does a loop never end?"
    ),
    "def leaving():\n    quit()": (
        "ExerciseError: ex: leaving() ends Python with exit or quit (at line 2 of the cell: quit()); "
        "leave a function with return."
    ),
    "def wrong():\n    return 1 / 0": (
        "ExerciseError: ex: wrong() raises ZeroDivisionError: division by zero (at line 2 of the cell: return 1 / 0)."
    ),
}


def test_in_a_kernel_loops_end_and_quit_does_not_shut_it_down() -> None:
    """One kernel answers all of it: a watching thread ends the loop, and quit() leaves the kernel alive."""
    cells = ["from course_lib.teaching import check_function"]
    for source in KERNEL_CELLS:
        name = source.split("(")[0].removeprefix("def ")
        cells += [source, f"check_function({name}, lambda: 3, [()], name='ex', seconds=1)"]
    notebook = new_notebook(cells=[new_code_cell(source) for source in [*cells, "print('alive')"]])
    NotebookClient(notebook, timeout=120, allow_errors=True, kernel_name="python3").execute()
    errors = [output for cell in notebook.cells for output in cell.outputs if output.output_type == "error"]
    assert ["\n".join(error.traceback) for error in errors] == list(KERNEL_CELLS.values())
    assert notebook.cells[-1].outputs[0].text == "alive\n"


def test_the_smallest_random_case_that_fails_is_shown() -> None:
    def random_case(generator: random.Random) -> tuple:
        return generator.randint(1, 9), generator.randint(1, 500)

    def forgotten_square(kernel_size: int, channels: int) -> int:
        return kernel_size * channels**2

    with pytest.raises(ExerciseError) as caught:
        check_function(forgotten_square, macs, [(1, 1)], name="macs", random_case=random_case, random_count=50)
    generator = random.Random(0)
    drawn = [random_case(generator) for _ in range(50)]
    smallest = min((case for case in drawn if case[0] != 1), key=sum)
    assert f"forgotten_square{smallest} is " in str(caught.value)


MISTAKES = {
    "The square is missing.": lambda kernel_size, channels: kernel_size * channels**2,
    "It divides by zero.": lambda kernel_size, channels: channels / (kernel_size - kernel_size),
}


def test_an_answer_that_does_what_a_known_mistake_does_is_told_which() -> None:
    def mine(kernel_size: int, channels: int) -> int:
        return channels * channels * kernel_size

    def crash(kernel_size: int, channels: int) -> float:
        return 1 / 0

    def other(kernel_size: int, channels: int) -> int:
        return 24 if channels == 2 else 0

    def message(student: object) -> str:
        with pytest.raises(ExerciseError) as caught:
            check_function(student, macs, [(3, 2), (3, 8)], name="macs", mistakes=MISTAKES)
        return str(caught.value)

    assert message(mine) == "macs: mine(3, 2) is 12; 36 is expected. The square is missing."
    assert message(crash).endswith("It divides by zero.")
    assert message(other) == "macs: other(3, 2) is 24; 36 is expected."


def test_a_slow_answer_runs_once_on_each_case_and_is_told_its_mistake() -> None:
    calls = []

    def slow(kernel_size: int, channels: int) -> int:
        calls.append((kernel_size, channels))
        time.sleep(1.1)
        return channels * channels * kernel_size

    with pytest.raises(ExerciseError, match=r"The square is missing\.$"):
        check_function(slow, macs, [(3, 2), (3, 8)], name="macs", mistakes=dict(reversed(MISTAKES.items())))
    assert calls == [(3, 2), (3, 2), (3, 8)]  # in the check, and to find the mistake


def test_an_answer_that_hangs_on_a_later_case_is_refused_by_the_first_in_bounded_time() -> None:
    def hangs(kernel_size: int, channels: int) -> int:
        while channels > 2:
            pass
        return channels * channels * kernel_size

    started = time.process_time()
    with pytest.raises(ExerciseError, match=r"12; 36 is expected\.$"):
        check_function(
            hangs, macs, [(3, 2), *((3, c) for c in range(3, 50))], name="macs", mistakes=MISTAKES, seconds=0.5
        )
    assert time.process_time() - started < 5


def test_a_check_that_cannot_fail_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        check_function(macs, macs, [], name="kernel-macs")
    with pytest.raises(TypeError, match="each case is a tuple of arguments, not 3"):
        check_function(macs, macs, [3], name="kernel-macs")


@pytest.mark.parametrize(
    ("student", "expected", "message"),
    [
        (3, 4, "your value is 3; 4 is expected"),
        (102401, 102400, "your value is 102401; 102400 is expected"),
        (2 / 3, 1 / 3, "your value is 0.6666667; 0.3333333 is expected"),
        (1 + 1e-4, 1 / 3, "your value is 1.0001; 0.3333333 is expected"),
        (True, 1, "your value is True; 1 is expected"),
        (1, True, "your value is 1; True is expected"),
        (0.3, 0.28, "your value is 0.3; 0.28 is expected"),
        (np.float64(0.3), 0.28, "your value is 0.3; 0.28 is expected"),
        ("3", 3, "your value is '3'; 3 is expected"),
        ("valid", "same", "your value is 'valid'; 'same' is expected"),
        ((1, 2), (1, 2, 3), "your value has 2 elements; 3 are expected"),
        ((1, 4), (1, 2, 3), r"your value has 2 elements; 3 are expected, and your value\[1\] is 4; 2 is expected"),
        ((1, (2, 4)), (1, (2, 3)), r"your value\[1\]\[1\] is 4; 3 is expected"),
        (5, (1, 2), "your value is 5; a tuple of 2 is expected"),
        ({"macs": 1}, {"params": 1}, r"your value has the keys \['macs'\]; \['params'\] are expected"),
        ({"macs": 1}, {"macs": 2}, r"your value\['macs'\] is 1; 2 is expected"),
        (3, {"macs": 2}, "your value is 3; a dictionary is expected"),
        (Kernel(5), Kernel(3), r"your value\.size is 5; 3 is expected"),
        (Kernel(3, (Kernel(1),)), Kernel(3, (Kernel(2),)), r"your value\.parts\[0\]\.size is 1; 2 is expected"),
        (np.ones(2), "same", "your value is an array of shape .2,. and dtype float64; 'same' is expected"),
        (3, Kernel(3), r"your value is 3; Kernel\(size=3, parts=\(\)\) is expected"),
        (1.0, torch.ones(2), "your value is 1.0; a tensor of shape .2,. and dtype torch.float32 is expected"),
        (np.ones(2), torch.ones(2), "your value is an array of shape .2,. and dtype float64; a tensor"),
        (torch.ones(2, 3), torch.ones(3, 2), r"your value has shape \(2, 3\); \(3, 2\) is expected"),
        (torch.ones(2).double(), torch.ones(2), "your value has dtype torch.float64; torch.float32 is expected"),
        (torch.eye(2), torch.ones(2, 2), r"your value\[0, 1\] is 0; 1 is expected \(2 of 4 elements differ\)"),
        (torch.tensor(2.0), torch.tensor(3.0), "your value is 2; 3 is expected"),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), r"your value\[1\] is 2; 3 is expected"),
        (torch.ones(2).bfloat16(), torch.zeros(2).bfloat16(), r"your value\[0\] is 1; 0 is expected"),
        (torch.ones(1, requires_grad=True), torch.zeros(1), r"your value\[0\] is 1; 0 is expected"),
        (torch.tensor([True]), torch.tensor([False]), r"your value\[0\] is"),
        (pd.Series([1, 2]), "same", r"your value is a Series of shape \(2,\); 'same' is expected"),
        (pd.DataFrame({"a": [1, 2]}), "same", r"your value is a DataFrame of shape \(2, 1\); 'same' is expected"),
        (pd.DataFrame(), 3, r"your value is a DataFrame of shape \(0, 0\); 3 is expected"),
        (pd.Series([1.0]), np.ones(1), r"your value is a Series of shape \(1,\); an array"),
        (np.array(["a", "c"]), np.array(["a", "b"]), r"your value\[1\] is c; b is expected"),
        (np.array([None, {}]), np.array([None, 3]), r"your value\[1\] is \{\}; 3 is expected"),
        (np.array([object()]), np.ones(1), "your value has dtype object; float64 is expected"),
        (torch.eye(2).to_sparse(), torch.eye(2), "your value is a sparse_coo tensor of shape .* expected"),
        (torch.eye(2).to_sparse(), torch.ones(2, 2).to_sparse(), r"your value\[0, 1\] is 0; 1 is expected"),
        (
            torch.ones(2, device="meta"),
            torch.ones(2),
            r"your value is a tensor .* without values \(on the device meta\)",
        ),
        (torch.tensor([1j]).conj(), torch.tensor([1j]), r"your value\[0\] is 0-1j; 0\+1j is expected"),
        (10**400, 0.5, "your value is 1000"),
        (Unreadable(), 3, r"your value is a Unreadable \(its repr raises ZeroDivisionError\); 3 is expected"),
        (Unreadable(), "3", r"your value is a Unreadable \(its repr raises ZeroDivisionError\); '3' is expected"),
        (conv(8, 3), conv(8, 5), r"your value is conv\(8, 3\); conv\(8, 5\) is expected\.$"),
        (
            conv(8, 2) >> conv(8, 2),
            conv(8, 2) >> conv(8, 2, padding="valid"),
            r"your value\.layers\[1\] is conv\(8, 2\); conv\(8, 2, padding='valid'\) is expected\.$",
        ),
        (conv(8, 3), conv(8, 3) >> max_pool(3, 2), r"your value is conv\(8, 3\); conv\(8, 3\) >> max_pool\(3, 2\) is"),
    ],
)
def test_the_message_names_place_finding_and_expectation(student: object, expected: object, message: str) -> None:
    with pytest.raises(ExerciseError, match=f"^exercise: {message}"):
        check_value(student, expected, name="exercise")


@pytest.mark.parametrize(
    ("student", "expected"),
    [
        (3.0, 3),
        ("valid", "valid"),
        (3j, 3j),
        (np.int64(3), 3),
        (0.28 + 1e-9, 0.28),
        (float("nan"), float("nan")),
        ([1, 2], (1, 2)),
        (torch.Size([1, 2]), (1, 2)),
        (None, None),
        (Kernel(3), Kernel(3)),
        (torch.ones(2) + 1e-7, torch.ones(2)),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")])),
        (np.array([]), np.array([])),
    ],
)
def test_answers_that_mean_the_same_are_accepted(student: object, expected: object) -> None:
    check_value(student, expected, name="exercise")


def test_numbers_that_look_alike_are_shown_with_all_digits() -> None:
    message = difference(0.1234567891, 0.1234567892, "it", rtol=0, atol=0)
    assert message == "it is 0.1234567891; 0.1234567892 is expected"


def test_the_hint_follows_the_message() -> None:
    with pytest.raises(ExerciseError, match=r"4 is expected\. Count both kernels\.$"):
        check_value(3, 4, name="saving", hint="Count both kernels.")


def test_a_long_value_is_shortened() -> None:
    assert len(message_of("x" * 1000, "y" * 1000)) < 300


VALUES = st.recursive(
    st.integers() | st.floats() | st.text() | st.booleans(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(), inner) | st.builds(Kernel, st.integers(), st.tuples(inner))
    ),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_agrees_with_itself(value: object) -> None:
    assert difference(value, value, "it", rtol=0, atol=0) is None


@given(VALUES, VALUES)
def test_values_that_agree_in_one_order_agree_in_the_other(first: object, second: object) -> None:
    agree = difference(first, second, "it", rtol=0, atol=0) is None
    # A float may stand where an integer is expected and a list where a tuple is, in both directions.
    assert agree == (difference(second, first, "it", rtol=0, atol=0) is None)


def test_ipython_shows_the_message_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    shell = InteractiveShell()
    shell.run_cell("from course_lib.teaching import check_value\ncheck_value(3, 4, name='saving')")
    shown = capsys.readouterr()
    assert (shown.out + shown.err).strip() == "ExerciseError: saving: your value is 3; 4 is expected."


def test_arrays_are_compared_where_torch_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch")
    assert difference(np.zeros(2), np.ones(2), "it", 0, 0) == "it[0] is 0; 1 is expected (2 of 2 elements differ)"


@pytest.mark.parametrize("name", ["googlenet", "bn_inception", "inception_v3", "inception_v4", "inception_resnet_v2"])
def test_an_architecture_is_shown_as_the_code_that_makes_it(name: str) -> None:
    value = network(name)
    scope = dict(vars(architecture))
    assert eval(architecture_text(value), scope) == value


def test_small_architectures_read_like_the_lesson() -> None:
    value = branches(conv(8, 1), avg_pool(3) >> conv(8, (1, 3), 2), seq(), linear(5).named("fc"))
    assert describe(value) == "branches(conv(8, 1), avg_pool(3) >> conv(8, (1, 3), 2), seq(), linear(5).named('fc'))"
    assert describe(conv(8, 3, norm=False, activation="linear")) == "conv(8, 3, norm=False, activation='linear')"
    assert describe(deep_network()) == "a sequence of 12 parts, stem to fc"
    assert describe((macs, [conv(8, 3)])) == "(macs, [conv(8, 3)])"


PARTS = {
    "name": "kernel-macs",
    "difficulty": "easy",
    "minutes": 5,
    "hints": ("What is <counted>?", "Each weight once a place.", "n² times channels²."),
    "mistakes": {f"Mistake {n}.": lambda *case, n=n: n for n in range(5)},
    "reference": macs,
    "cases": [(3, 8)],
}


def test_an_exercise_checks_and_gives_hints_in_steps() -> None:
    exercise = Exercise(**PARTS)
    exercise.check(macs)
    with pytest.raises(ExerciseError, match=r"<lambda>\(3, 8\) is 2; 576 is expected\. Mistake 2\.$"):
        exercise.check(lambda kernel_size, channels: 2)
    assert [exercise.hint(step) for step in (1, 2, 3)] == list(PARTS["hints"])
    with pytest.raises(ValueError, match="kernel-macs has hints 1 to 3, not 4"):
        exercise.hint(4)
    assert repr(exercise) == "kernel-macs: easy, 5 minutes; hint(1) to hint(3) help in steps"
    card = exercise._repr_html_()
    assert "What is &lt;counted&gt;?" in card
    # Each hint is folded inside the one before it.
    assert card.index("Hint 1") < card.index("Hint 2") < card.index("Hint 3") < card.index("</details>")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"difficulty": "hard"}, "difficulty is easy, medium or harder, not 'hard'"),
        ({"minutes": 0}, "minutes is at least 1, not 0"),
        ({"hints": ("one", "two")}, "give 3 hints with text"),
        ({"hints": ("one", "two", " ")}, "give 3 hints with text"),
        ({"mistakes": {}}, "give at least 5 mistakes, not 0"),
        ({"cases": ()}, "give a reference and cases, or a judge instead of both"),
        ({"reference": None}, "give a reference and cases, or a judge instead of both"),
        ({"judge": lambda answer: None}, "give a reference and cases, or a judge instead of both"),
    ],
)
def test_an_exercise_without_a_part_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"kernel-macs: {message}"):
        Exercise(**PARTS | change)


def test_an_open_exercise_is_judged() -> None:
    def judge(answer: int) -> str | None:
        return None if answer % 2 == 0 else f"{answer} is odd; an even number is asked for"

    exercise = Exercise(**PARTS | {"reference": None, "cases": (), "judge": judge})
    exercise.check(4)
    with pytest.raises(ExerciseError, match=r"^kernel-macs: 3 is odd; an even number is asked for\.$"):
        exercise.check(3)
    with pytest.raises(ExerciseError, match="not done yet"):
        exercise.check(...)
    with pytest.raises(ExerciseError, match=r"judge\('x'\) raises TypeError"):
        exercise.check("x")


def test_an_answer_that_cannot_be_copied_is_judged_all_the_same() -> None:
    def judge(answer: object) -> str | None:
        return None if isinstance(answer, list) else f"it is a {type(answer).__name__}; a list is asked for"

    exercise = Exercise(**PARTS | {"reference": None, "cases": (), "judge": judge})
    with pytest.raises(ExerciseError, match=r"^kernel-macs: it is a generator; a list is asked for\.$"):
        exercise.check(number for number in range(3))
