"""How many minutes a lesson takes to read, counted from its words and its code, so that no header promises less.

Counted are the words of the text and the lines of code that a reader follows; a question to think about is a minute.
Folded cells (imports, quizzes) are not code to follow, and an exercise states its own minutes in its heading.
"""

from __future__ import annotations

import math
import re

from nbformat import NotebookNode

from course_lib.authoring.generated_cells import GUARD_TAG, NAVIGATION_TAG
from course_lib.authoring.notebooks import FOLDED_TAG, SETUP_TAG, code_cells, has_tag

WORDS_A_MINUTE = 150
"""Of a technical text with formulas. Plain English prose is read at about 240 (Brysbaert 2019, Journal of Memory and
Language 109, 104047); that a text to be understood takes half as long again is the course's own estimate."""
CODE_LINES_A_MINUTE = 15
"""Lines that are not blank; four seconds each."""
STEP = 5
"""Minutes are rounded up to a multiple of this."""

_NOT_READ = {GUARD_TAG, NAVIGATION_TAG, FOLDED_TAG, SETUP_TAG, "solution", "check"}
_QUIZ = re.compile(r"^Quiz\(", re.MULTILINE)
_EXERCISE = re.compile(r"^### (.*?) ?\((\w+), (\d+) minutes\)$", re.MULTILINE)


def minutes_to_read(notebook: NotebookNode) -> int:
    """Minutes for the text, the code and the questions of a lesson, without its exercises, rounded up to `STEP`."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown" and _is_read(cell))
    lines = [line for cell in code_cells(notebook) if _is_read(cell) for line in cell.source.splitlines()]
    questions = sum(len(_QUIZ.findall(cell.source)) for cell in code_cells(notebook))
    minutes = len(text.split()) / WORDS_A_MINUTE + sum(map(bool, lines)) / CODE_LINES_A_MINUTE + questions
    return STEP * math.ceil(minutes / STEP)


def exercise_headings(notebook: NotebookNode) -> tuple[tuple[str, str, int], ...]:
    """Title, difficulty and minutes of each exercise, as its heading states them."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return tuple((title, level, int(minutes)) for title, level, minutes in _EXERCISE.findall(text))


def minutes_of_exercises(notebook: NotebookNode) -> int:
    """What the headings of a lesson's exercises add up to, in minutes."""
    return sum(minutes for *_, minutes in exercise_headings(notebook))


def _is_read(cell: NotebookNode) -> bool:
    return not any(has_tag(cell, tag) for tag in _NOT_READ)
