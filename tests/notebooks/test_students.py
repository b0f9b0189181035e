"""Every exercise of every lesson asks for work: its stub fails the check, its solution passes."""

import re
from pathlib import Path

import nbformat

from course_lib.authoring.student import BEGIN, END, main, prove, student_copy
from course_lib.teaching.sources import find_sources

EXERCISES = 3


def test_stubs_fail_their_checks_and_solutions_pass(lesson: Path) -> None:
    notebook = nbformat.read(lesson.with_suffix(".ipynb"), as_version=4)
    assert prove(notebook, lesson.parent) >= EXERCISES


def test_the_student_copy_can_be_made_and_is_a_valid_notebook(lesson: Path) -> None:
    copy = student_copy(nbformat.read(lesson.with_suffix(".ipynb"), as_version=4))
    nbformat.validate(copy)
    assert "# solution begin" not in nbformat.writes(copy)


def lines_of(text: str) -> set[str]:
    """The lines that say something: neither empty nor an HTML tag alone, such as `<details>`."""
    lines = (line.strip() for line in text.splitlines())
    return {line for line in lines if line and not re.fullmatch(r"</?\w+>", line)}


def test_no_line_of_a_solution_stands_in_its_place_and_no_solution_can_be_put_together(lesson: Path) -> None:
    """A bug to be found stands in the copy among the lines that were right, so those are told; the one line is not."""
    notebook = nbformat.read(lesson.with_suffix(".ipynb"), as_version=4)
    stubs = student_copy(notebook).cells
    kept = [cell for cell in notebook.cells if "solution-only" not in cell.metadata.get("tags", [])]
    told = set().union(*(lines_of(stub.source) for stub in stubs))
    solutions = 0
    for cell, stub in zip(kept, stubs, strict=True):
        secret = set().union(*map(lines_of, re.findall(rf"{BEGIN}\n(.*?){END}", cell.source, re.DOTALL)))
        if secret:
            solutions += 1
            assert secret & lines_of(stub.source) == set()
            assert secret - told, f"every line of this solution stands somewhere in the copy:\n{cell.source}"
    assert solutions >= EXERCISES


def test_nothing_of_a_worked_solution_stands_in_the_copy(lesson: Path) -> None:
    notebook = nbformat.read(lesson.with_suffix(".ipynb"), as_version=4)
    worked = [cell.source for cell in notebook.cells if "solution-only" in cell.metadata.get("tags", [])]
    copied = student_copy(notebook)
    told = set().union(*(lines_of(cell.source) for cell in copied.cells))
    assert set().union(*map(lines_of, worked)) & told == set()
    assert all(not cell.get("outputs") for cell in copied.cells if "keep-output" not in cell.metadata.get("tags", []))


def test_the_student_course_has_a_start_page_that_leads_to_every_copy(notebooks_folder: Path, tmp_path: Path) -> None:
    notebooks = [source.with_suffix(".ipynb") for source in find_sources(notebooks_folder)]
    assert main([*map(str, notebooks), "--out", str(tmp_path)]) == 0
    start = nbformat.read(tmp_path / notebooks[0].name, as_version=4)
    shown = [output["data"].get("text/markdown", "") for cell in start.cells for output in cell.get("outputs", [])]
    linked = re.findall(r"\]\(([^)]+\.ipynb)\)", "".join(shown))
    assert linked == [path.name for path in notebooks[1:]]
    assert all((tmp_path / name).is_file() for name in linked)
