"""nbgrader gives out a lesson's student copy and grades what comes back: a point for each exercise solved."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from course_lib.authoring.student import main, mark_for_nbgrader, student_copy

LESSON = "01_inception_module"
MASTER = Path(__file__).parents[2] / f"notebooks/{LESSON}.ipynb"
STUDENT = "ada"


def marks(notebook: NotebookNode) -> dict[str, NotebookNode]:
    """The cells that nbgrader knows, by its names for them."""
    return {cell.metadata.nbgrader.grade_id: cell for cell in notebook.cells if "nbgrader" in cell.metadata}


def test_each_exercise_is_a_cell_to_write_in_and_a_locked_one_worth_a_point() -> None:
    plain = student_copy(nbformat.read(MASTER, as_version=4))
    marked = mark_for_nbgrader(plain)
    exercises = [cell for cell in marked.cells if "solution" in cell.metadata.get("tags", [])]
    cells = marks(marked)
    names = range(1, len(exercises) + 1)
    assert exercises
    assert list(cells) == [name for number in names for name in (f"exercise-{number}", f"check-{number}")]
    for number, exercise in zip(names, exercises, strict=True):
        assert cells[f"exercise-{number}"] is exercise
        assert not exercise.metadata.nbgrader.locked
        check = cells[f"check-{number}"]
        assert "check" in check.metadata.tags
        assert (check.metadata.nbgrader.locked, check.metadata.nbgrader.points) == (True, 1)
    assert [cell.source for cell in marked.cells] == [cell.source for cell in plain.cells]
    assert not marks(plain)


@pytest.fixture
def grader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """nbgrader's interface to a class in a folder of its own, whose one assignment is a lesson's student copy."""
    apps = pytest.importorskip("nbgrader.apps", reason='nbgrader is not installed: pip install ".[nbgrader]"')
    from traitlets.config import Config

    monkeypatch.chdir(tmp_path)
    # nbgrader calls alembic, which came with it, by its bare name.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert main([str(MASTER), "--nbgrader", "--out", f"source/{LESSON}"]) == 0
    config = Config()
    config.CourseDirectory.root = str(tmp_path)
    config.ClearSolutions.enabled = False
    config.Exchange.root = str(tmp_path / "exchange")
    return apps.NbGraderAPI(config=config)


@pytest.mark.slow
def test_a_lesson_is_given_out_and_graded(grader, tmp_path: Path) -> None:
    result = grader.generate_assignment(LESSON)
    assert result["success"], result["log"]
    released = nbformat.read(tmp_path / f"release/{LESSON}/{LESSON}.ipynb", as_version=4)
    source = nbformat.read(tmp_path / f"source/{LESSON}/{LESSON}.ipynb", as_version=4)
    assert [cell.source for cell in released.cells] == [cell.source for cell in source.cells]

    solve_all_but_the_last(released)
    only_exercises(released)
    handed_in = tmp_path / f"submitted/{STUDENT}/{LESSON}"
    handed_in.mkdir(parents=True)
    nbformat.write(released, handed_in / f"{LESSON}.ipynb")
    result = grader.autograde(LESSON, STUDENT)
    assert result["success"], result["log"]
    with grader.gradebook as gradebook:
        grades = gradebook.find_submission_notebook(LESSON, LESSON, STUDENT).grades
        scores = {grade.name: (grade.score, grade.max_score) for grade in grades}
    checks = [name for name in marks(source) if name.startswith("check-")]
    assert scores == {name: (0.0 if name == checks[-1] else 1.0, 1.0) for name in checks}


def solve_all_but_the_last(notebook: NotebookNode) -> None:
    solutions = marks(mark_for_nbgrader(nbformat.read(MASTER, as_version=4)))
    stubs = {name: cell for name, cell in marks(notebook).items() if name.startswith("exercise-")}
    for name in list(stubs)[:-1]:
        stubs[name].source = solutions[name].source


def only_exercises(notebook: NotebookNode) -> None:
    """Leave out what trains: exercises and checks need the cells tagged `setup` alone."""
    notebook.cells = [
        cell for cell in notebook.cells if "nbgrader" in cell.metadata or "setup" in cell.metadata.get("tags", [])
    ]
