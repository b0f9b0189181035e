"""The lessons that lie beside the start page, as their headers describe them, and the table that lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.display import Markdown

from course_lib.teaching.progress import PROGRESS_FILE, read_progress
from course_lib.teaching.sources import NOTEBOOK_PATTERN, NotebookError, find_sources, read_notebook, read_source

START_PAGE = "00_start.py"
NEWER = "_newer"
"""In a copy's file name: made from a lesson that has changed since the student's first copy of it."""
HEADER_KEYS = {"title": str, "minutes_read": int, "minutes_run": int}


@dataclass(frozen=True)
class Lesson:
    """A lesson's header: its title, the minutes it takes to read and to run, and its notebook's file name."""

    title: str
    minutes_read: int
    minutes_run: int
    notebook: str


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
    return Lesson(**header, notebook=path.with_suffix(".ipynb").name)


def lesson_table(folder: Path = Path(".")) -> Markdown:
    """A table of the lessons in `folder`, each linked, with its minutes; raises NotebookError if there are none.

    The default is the folder of the notebook that calls, where its kernel runs. Beside a student's copies, a line below
    the table says how much is done.
    """
    lessons = find_lessons(folder)
    if not lessons:
        raise NotebookError(f"{folder.resolve()} holds no lessons: call this from a notebook in notebooks/")
    rows = [
        f"| [{lesson.title}]({lesson.notebook}) | {lesson.minutes_read} | {lesson.minutes_run} |" for lesson in lessons
    ]
    lines = ["| lesson | minutes to read | minutes to run |", "|:--|--:|--:|", *rows]
    progress = read_progress(folder)
    if progress is not None:
        done = f"questions answered: {len(progress.quizzes)}, exercises passed: {len(progress.exercises)}"
        lines += ["", f"Your progress, kept in `{PROGRESS_FILE}`: {done}."]
    return Markdown("\n".join(lines))


def _validated(header: Any, name: str) -> dict[str, Any]:
    if not isinstance(header, Mapping):
        raise NotebookError(f"{name}: its header has no `course:` with {', '.join(HEADER_KEYS)}")
    for key, kind in HEADER_KEYS.items():
        value = header.get(key)
        if type(value) is not kind or not value or (kind is int and value < 0):
            wanted = "a text" if kind is str else "a whole number of minutes from 1"
            raise NotebookError(f"{name}: the header's course.{key} is {value!r}; it should be {wanted}")
    return {key: header[key] for key in HEADER_KEYS}
