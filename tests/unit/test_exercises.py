"""The checks accept right answers and name what is wrong with the others."""

import random
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from course_lib.teaching import ExerciseError, check_function, check_value
from course_lib.teaching.compare import difference


@dataclass(frozen=True)
class Kernel:
    """A value with parts, as an architecture is."""

    size: int
    parts: tuple = ()


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


def test_a_student_who_changes_the_input_does_not_change_the_check() -> None:
    def reverse_in_place(values: list) -> list:
        values.reverse()
        return values

    def reverse(values: list) -> list:
        return values[::-1]

    check_function(reverse_in_place, reverse, [([1, 2, 3],)], name="reverse")
    check_function(reverse, reverse_in_place, [([1, 2, 3],)], name="reverse")


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
        (True, 1, "your value is True; 1 is expected"),
        (1, True, "your value is 1; True is expected"),
        (0.3, 0.28, "your value is 0.3; 0.28 is expected"),
        (np.float64(0.3), 0.28, "your value is 0.3; 0.28 is expected"),
        ("3", 3, "your value is '3'; 3 is expected"),
        ("valid", "same", "your value is 'valid'; 'same' is expected"),
        ((1, 2), (1, 2, 3), "your value has 2 elements; 3 are expected"),
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
