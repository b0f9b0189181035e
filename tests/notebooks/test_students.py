"""Every exercise of every lesson asks for work: its stub fails the check, its solution passes."""

from pathlib import Path

import nbformat

from course_lib.authoring.student import prove, student_copy

EXERCISES = 3


def test_stubs_fail_their_checks_and_solutions_pass(lesson: Path) -> None:
    notebook = nbformat.read(lesson.with_suffix(".ipynb"), as_version=4)
    assert prove(notebook, lesson.parent) >= EXERCISES


def test_the_student_copy_can_be_made_and_is_a_valid_notebook(lesson: Path) -> None:
    copy = student_copy(nbformat.read(lesson.with_suffix(".ipynb"), as_version=4))
    nbformat.validate(copy)
    assert "# solution begin" not in nbformat.writes(copy)
