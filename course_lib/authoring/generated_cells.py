"""The cells of a lesson that are the same in all of them or follow from the other lessons, so that nobody types them.

A lesson has a cell for each tag; `refresh` gives these cells their text. `guard`, the first code cell, says in one
sentence what to install where the course's library is missing, and stops there. `navigation`, the last cell, links to
the lessons before and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import jupytext

from course_lib.teaching.lessons import START_PAGE, Lesson, find_lessons
from course_lib.teaching.sources import read_source, source_text

GUARD_TAG = "guard"
NAVIGATION_TAG = "navigation"
GUARD = """\
import importlib.util
import sys
import time

if importlib.util.find_spec("course_lib") is None:

    class CourseMissingError(Exception):
        def _render_traceback_(self):
            return [str(self)]

    # The cells of "Run All" arrive meanwhile, and are stopped with this one.
    time.sleep(2)
    raise CourseMissingError(
        "This lesson needs the course's library, which this Python does not have: "
        f"in the course's folder run `{sys.executable} -m pip install -e .` "
        "and restart the kernel, or open the lesson with `make lab`."
    )"""


def refresh(source: Path) -> str:
    """The text of `source` with its generated cells up to date; raises NotebookError if a neighbour has no header."""
    notebook = read_source(source)
    changed = False
    for cell in notebook.cells:
        for tag in {GUARD_TAG, NAVIGATION_TAG}.intersection(cell.metadata.get("tags", [])):
            wanted = GUARD if tag == GUARD_TAG else navigation(source)
            changed = changed or cell.source != wanted
            cell.source = wanted
    return jupytext.writes(notebook, fmt="py:percent") if changed else source_text(source)


def navigation(source: Path) -> str:
    """Links to the lesson before, to the start page and to the lesson after, as Markdown."""
    neighbours = _neighbours(find_lessons(source.parent))
    before, after = neighbours.get(source.with_suffix(".ipynb").name, (None, None))
    links = [f"[All lessons]({Path(START_PAGE).with_suffix('.ipynb')})"]
    if before:
        links.insert(0, f"Before: [{before.title}]({before.notebook})")
    if after:
        links.append(f"Next: [{after.title}]({after.notebook})")
    return "---\n" + " ·\n".join(links)


def _neighbours(lessons: list[Lesson]) -> Mapping[str, tuple[Lesson | None, Lesson | None]]:
    padded = [None, *lessons, None]
    return {
        lesson.notebook: (before, after)
        for (before, lesson), (_, after) in pairwise(pairwise(padded))
        if lesson is not None
    }
