"""The minutes that a lesson's header and first cell promise are those that its words, code and exercises take."""

import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from course_lib.authoring.reading_time import (
    CODE_LINES_A_MINUTE,
    STEP,
    WORDS_A_MINUTE,
    minutes_of_exercises,
    minutes_to_read,
)
from course_lib.teaching.lessons import read_lesson
from course_lib.teaching.sources import read_source

WORDS, LINES = "word " * WORDS_A_MINUTE, "a = 1\n\n" * CODE_LINES_A_MINUTE


def test_the_header_promises_the_minutes_that_words_and_code_take(lesson: Path) -> None:
    minutes = minutes_to_read(read_source(lesson))
    assert read_lesson(lesson).minutes_read == minutes, f"{lesson.name}: write minutes_read: {minutes} into the header"


def test_the_first_cell_says_the_same(lesson: Path) -> None:
    notebook = read_source(lesson)
    text = " ".join(notebook.cells[0].source.split())
    found = re.search(r"About (\d+) minutes to read", text)
    assert found, f"{lesson.name}: its first cell says no 'About … minutes to read'"
    assert int(found[1]) == minutes_to_read(notebook)
    stated = re.search(r"(\d+) for the \w+ exercises", text)
    assert stated is None or int(stated[1]) == minutes_of_exercises(notebook)


@pytest.mark.parametrize(
    ("cells", "minutes"),
    [
        ([new_markdown_cell(WORDS * STEP)], STEP),
        ([new_markdown_cell(WORDS * STEP + "more")], 2 * STEP),
        ([new_markdown_cell(WORDS * (STEP - 1)), new_code_cell(LINES)], STEP),
        ([new_markdown_cell(WORDS * STEP), new_code_cell("Quiz(", metadata={"tags": ["folded"]})], 2 * STEP),
        ([new_markdown_cell(WORDS * STEP), new_code_cell(LINES, metadata={"tags": ["setup"]})], STEP),
        ([new_markdown_cell(WORDS * STEP), new_code_cell(LINES, metadata={"tags": ["solution"]})], STEP),
    ],
)
def test_words_lines_and_questions_are_counted_and_rounded_up(cells: list, minutes: int) -> None:
    assert minutes_to_read(new_notebook(cells=cells)) == minutes


def test_exercises_state_their_own_minutes() -> None:
    text = "### Exercise 1 · A (easy, 5 minutes)\n\nDo it.\n\n### Exercise 2 · B (harder, 20 minutes)"
    assert minutes_of_exercises(new_notebook(cells=[new_markdown_cell(text)])) == 25
