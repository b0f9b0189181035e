"""Every notebook on disk is the executed form of the source beside it, and enough of its cells are checked."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from course_lib.authoring.checked_cells import count_cells, is_compared
from course_lib.authoring.notebooks import COMPARED_TAG, code_cells, find_problems, find_sources, has_tag
from course_lib.teaching.lessons import START_PAGE, read_lesson

UNCHECKED_SHARE = 0.5
"""Imports, definitions, quizzes, explorers and pictures hold nothing to compare, and a lesson has one of these for each
count or measurement that follows. With more, it states things that no run confirms."""


def test_start_page_and_lessons_are_there_and_every_notebook_has_a_source(notebooks_folder: Path) -> None:
    sources = find_sources(notebooks_folder)
    assert sources[0].name == START_PAGE
    assert len(sources) > 1
    assert {path.stem for path in notebooks_folder.glob("*.ipynb")} <= {source.stem for source in sources}


def test_notebook_is_the_executed_source(source: Path) -> None:
    assert find_problems(source) == []


def test_lesson_header_names_title_and_minutes(lesson: Path) -> None:
    read_lesson(lesson)


def test_enough_cells_are_checked(lesson: Path, report_line: Callable[[str], None]) -> None:
    counts = count_cells(nbformat.read(lesson.with_suffix(".ipynb"), as_version=4))
    report_line(f"{lesson.stem}: {counts}")
    assert counts.compared > 0, "no cell's output is compared: tag those with deterministic output"
    assert counts.unchecked_share <= UNCHECKED_SHARE, f"{counts}: compare or assert more of them"


def test_tagged_cells_have_output_to_compare(source: Path) -> None:
    notebook = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    idle = [cell.source for cell in code_cells(notebook) if has_tag(cell, COMPARED_TAG) and not is_compared(cell)]
    if idle:
        pytest.fail("tagged for comparison, but nbval compares none of its outputs:\n" + "\n---\n".join(idle))
