"""The lessons that lie beside the start page, as their headers describe them, and the table that lists them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.display import Markdown

from course_lib.teaching.progress import PROGRESS_FILE, Progress, read_progress
from course_lib.teaching.sources import NOTEBOOK_PATTERN, NotebookError, find_sources, read_notebook, read_source

START_PAGE = "00_start.py"
NEWER = "_newer"
"""In a copy's file name: made from a lesson that has changed since the student's first copy of it."""
HEADER_KEYS = {"title": str, "minutes_read": int, "minutes_run": int}
NEEDS_KEY = "needs"
QUIZ = re.compile(r"\bQuiz\(\s*[\"']([^\"']+)")
CHECK = re.compile(r"\bexercises\.(\w+)\.check\(")


@dataclass(frozen=True)
class Lesson:
    """What a lesson's header and cells say of it.

    Attributes:
        title, minutes_read, minutes_run: as in its header.
        notebook: its file name.
        needs: the stems of the lessons that it builds on.
        quizzes, exercises: their names, in the lesson's order.
    """

    title: str
    minutes_read: int
    minutes_run: int
    notebook: str
    needs: tuple[str, ...] = ()
    quizzes: tuple[str, ...] = ()
    exercises: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        return Path(self.notebook).stem


def find_lessons(folder: Path) -> list[Lesson]:
    """The lessons in `folder` in their order, read from their sources or, where it has none, from its notebooks.

    Raises NotebookError naming the lesson whose header lacks something.
    """
    found = find_sources(folder) or sorted(folder.glob(NOTEBOOK_PATTERN))
    return [read_lesson(path) for path in found if path.stem != Path(START_PAGE).stem]


def read_lesson(path: Path) -> Lesson:
    """The lesson in a source or a notebook; raises NotebookError if its header lacks a title or minutes."""
    content = read_notebook(path) if path.suffix == ".ipynb" else read_source(path)
    header = _validated(content.metadata.get("course"), path.name)
    if NEWER in path.stem:
        header["title"] += " (newer version)"
    code = "\n".join(cell.source for cell in content.cells if cell.cell_type == "code")
    return Lesson(
        **header,
        notebook=path.with_suffix(".ipynb").name,
        quizzes=tuple(dict.fromkeys(QUIZ.findall(code))),
        exercises=tuple(name.replace("_", "-") for name in dict.fromkeys(CHECK.findall(code))),
    )


def lesson_table(folder: Path = Path(".")) -> Markdown:
    """A table of the lessons in `folder`, each linked, with its minutes; raises NotebookError if there are none.

    The default is the folder of the notebook that calls, where its kernel runs. Beside a student's copies, two more
    columns say how much of each lesson is done.
    """
    lessons = find_lessons(folder)
    if not lessons:
        raise NotebookError(f"{folder.resolve()} holds no lessons: call this from a notebook in notebooks/")
    progress = read_progress(folder)
    columns = ["lesson", "minutes to read", "minutes to run"]
    columns += ["questions answered", "exercises passed"] if progress is not None else []
    rows = [
        [f"[{lesson.title}]({lesson.notebook})", str(lesson.minutes_read), str(lesson.minutes_run)]
        + (_done(lesson, progress) if progress is not None else [])
        for lesson in lessons
    ]
    head, *body = [f"| {' | '.join(row)} |" for row in [columns, *rows]]
    lines = [head, f"|:--{'|--:' * (len(columns) - 1)}|", *body]
    if progress is not None:
        lines += [
            "",
            f"Your progress is kept in `{PROGRESS_FILE}`, here and nowhere else; a lesson with a tick is done.",
        ]
    return Markdown("\n".join(lines))


def _done(lesson: Lesson, progress: Progress) -> list[str]:
    answered = [name for name in lesson.quizzes if name in progress.quizzes]
    passed = [name for name in lesson.exercises if name in {kept.replace("_", "-") for kept in progress.exercises}]
    whole = len(answered) == len(lesson.quizzes) and len(passed) == len(lesson.exercises)
    tick = " ✓" if whole and (answered or passed) else ""
    return [f"{len(answered)} of {len(lesson.quizzes)}", f"{len(passed)} of {len(lesson.exercises)}{tick}"]


def _validated(header: Any, name: str) -> dict[str, Any]:
    if not isinstance(header, Mapping):
        raise NotebookError(f"{name}: its header has no `course:` with {', '.join(HEADER_KEYS)}")
    for key, kind in HEADER_KEYS.items():
        value = header.get(key)
        if type(value) is not kind or not value or (kind is int and value < 0):
            wanted = "a text" if kind is str else "a whole number of minutes from 1"
            raise NotebookError(f"{name}: the header's course.{key} is {value!r}; it should be {wanted}")
    needs = header.get(NEEDS_KEY, [])
    if not isinstance(needs, list) or not all(isinstance(need, str) for need in needs):
        raise NotebookError(f"{name}: the header's course.needs is {needs!r}; it should be a list of lessons' names")
    return {**{key: header[key] for key in HEADER_KEYS}, NEEDS_KEY: tuple(needs)}
