"""The lecturer's guide: a page for each lesson, to print, made from the lesson's own header and cells.

    python -m course_lib.authoring.guide [--notebooks FOLDER] [--out FOLDER]

It has the plan of a lecture hour by minutes, the questions with the answers to expect and what each tells, what to have
run before class, and the exercises with their minutes.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from nbformat import NotebookNode

from course_lib.authoring.editions import INDEX, edition_parser, lessons_in, make_edition, write_edition
from course_lib.authoring.generated_cells import GUARD_TAG
from course_lib.authoring.notebooks import SETUP_TAG, has_tag
from course_lib.authoring.quiz_outputs import Question, questions_of
from course_lib.authoring.reading_time import exercise_headings
from course_lib.authoring.site.first_values import SiteError
from course_lib.authoring.site.lesson_html import markdown_html
from course_lib.authoring.training_cells import training_cells
from course_lib.teaching.lessons import Lesson
from course_lib.teaching.sources import read_notebook

_PLAN = re.compile(r"^\| For a lecture hour \|.*?\n\|[-:| ]+\n((?:\|.*(?:\n|$))+)", re.MULTILINE)
_ROW = re.compile(r"^\|\s*(.+?)\s*\|\s*(\d+)\s*\|", re.MULTILINE)
_HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
_STYLE = """
@page { size: A4; margin: 12mm 14mm; }
:root { color-scheme: light; }
body { font: 9.5pt/1.25 system-ui, "DejaVu Sans", sans-serif; color: #1b1d22; max-width: 182mm; margin: 0 auto; }
h1 { font-size: 16pt; margin: 0 0 2mm; }
h2 { font-size: 11.5pt; margin: 2.5mm 0 1mm; color: #0b5cad; break-after: avoid; }
p, ul, ol, table { margin: 0 0 1.5mm; }
ul, ol { padding-left: 6mm; }
ol.answers { list-style: upper-alpha; font-size: 9pt; margin-bottom: 1.2mm; }
.question { break-inside: avoid; }
.question > p { font-weight: 600; margin: 0 0 0.5mm; }
.right { color: #1b6b2f; font-weight: 600; }
.beside { display: grid; grid-template-columns: 1fr 1fr; gap: 6mm; }
.beside li { overflow-wrap: anywhere; }
.exercises { columns: 2; column-gap: 8mm; }
.exercises li { break-inside: avoid; }
table { border-collapse: collapse; }
td, th { text-align: left; padding: 0 3mm 0 0; vertical-align: top; font-weight: normal; }
td { text-align: right; font-variant-numeric: tabular-nums; }
code { font: 8.5pt ui-monospace, "DejaVu Sans Mono", monospace; }
a { color: #0b5cad; }
"""


@dataclass(frozen=True)
class Guide:
    """What a lecturer wants to know of a lesson before class.

    Attributes:
        lesson: its title and minutes.
        plan: topic and minutes of each part of a lecture hour.
        questions: to ask, in the order of the lesson.
        trainings: heading of the section and the line that trains, of each cell that does.
        exercises: title, difficulty and minutes of each.
    """

    lesson: Lesson
    plan: tuple[tuple[str, int], ...]
    questions: tuple[Question, ...]
    trainings: tuple[tuple[str, str], ...]
    exercises: tuple[tuple[str, str, int], ...]


def read_guide(lesson: Lesson, notebook: NotebookNode) -> Guide:
    """The guide to a lesson.

    Raises:
        SiteError: the lesson plans no lecture hour in its first cell, or asks no question.
    """
    plan = _PLAN.search(notebook.cells[0].source) if notebook.cells else None
    if plan is None:
        raise SiteError(f"{lesson.notebook}: its first cell has no table with the head “For a lecture hour”: add one.")
    questions = tuple(questions_of(notebook.cells))
    if not questions:
        raise SiteError(f"{lesson.notebook}: it asks no question: add a `Quiz`, and make the notebook again.")
    return Guide(
        lesson,
        tuple((topic, int(minutes)) for topic, minutes in _ROW.findall(plan[1])),
        questions,
        tuple(_trainings(notebook)),
        exercise_headings(notebook),
    )


def _trainings(notebook: NotebookNode) -> list[tuple[str, str]]:
    found = []
    for place, line in training_cells(notebook.cells):
        cell = notebook.cells[place]
        if any(has_tag(cell, tag) for tag in (GUARD_TAG, SETUP_TAG, "solution", "check")):
            continue
        before = (_HEADING.findall(above.source) for above in notebook.cells[:place] if above.cell_type == "markdown")
        headings = [heading for group in before for heading in group if not heading.startswith("Exercise ")]
        found.append((headings[-1] if headings else _title(notebook), line))
    return found


def _title(notebook: NotebookNode) -> str:
    """What to call the part of a lesson before its first section."""
    return notebook.cells[0].source.partition("\n")[0].lstrip("# ")


def guide_page(guide: Guide) -> str:
    """The page of a lesson."""
    lesson = guide.lesson
    parts = [
        f"<h1>{escape(lesson.title)}</h1>",
        f"<p>{lesson.minutes_read} minutes to read, {lesson.minutes_run} to run; "
        f"{sum(minutes for *_, minutes in guide.exercises)} for the exercises.</p>",
        f'<div class="beside"><div>\n<h2>Plan of an hour: {sum(minutes for _, minutes in guide.plan)} minutes</h2>',
        _plan(guide.plan),
        "</div><div>\n<h2>Run before class</h2>",
        f"{_before_class(guide.trainings)}</div></div>",
        "<h2>Questions, the answers to expect, and what each tells</h2>",
        *map(_question, guide.questions),
        "<h2>Exercises</h2>",
        _exercises(guide.exercises),
    ]
    return _page(f"{lesson.title}: for the lecturer", "\n".join(parts))


def _before_class(trainings: Sequence[tuple[str, str]]) -> str:
    if not trainings:
        return "<p>All cells, so that the explorer waits for you. None of them trains a network.</p>"
    sections: dict[str, list[str]] = {}
    for section, line in trainings:
        sections.setdefault(section, []).append(f"<code>{escape(line)}</code>")
    items = "".join(
        f"<li><strong>{_inline(section)}</strong> {', '.join(lines)}</li>" for section, lines in sections.items()
    )
    return f"<p>All cells; the class would have to wait for these, which train:</p><ul>{items}</ul>"


def _question(question: Question) -> str:
    mark = '<span class="right">✓ Right.</span> '
    answers = "".join(
        f"<li>{escape(answer.text)}. {mark if answer.correct else ''}{escape(answer.reason)}</li>"
        for answer in question.answers
    )
    return f'<div class="question"><p>{escape(question.text)}</p><ol class="answers">{answers}</ol></div>'


def _plan(rows: Sequence[tuple[str, int]]) -> str:
    body = "".join(f'<tr><th scope="row">{_inline(text)}</th><td>{minutes}</td></tr>' for text, minutes in rows)
    return f'<table><thead><tr><th scope="col">part</th><th scope="col">minutes</th></tr></thead>{body}</table>'


def _exercises(exercises: Sequence[tuple[str, str, int]]) -> str:
    items = "".join(f"<li>{_inline(title)} ({level}, {minutes} minutes)</li>" for title, level, minutes in exercises)
    return f'<ul class="exercises">{items}</ul>'


def _inline(markdown: str) -> str:
    return markdown_html(markdown).strip().removeprefix("<p>").removesuffix("</p>")


def index_page(lessons: Sequence[Lesson]) -> str:
    """The list of lessons."""
    items = "".join(f'<li><a href="{lesson.stem}.html">{escape(lesson.title)}</a></li>' for lesson in lessons)
    return _page("For the lecturer", f"<h1>For the lecturer: a page a lesson, to print</h1><ol>{items}</ol>")


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def build(notebooks: Path, out: Path) -> list[Path]:
    """Write the guide to the lessons in `notebooks` into `out`, which is emptied before; returns the paths written.

    Raises:
        CourseError: there are no lessons, or one has no plan or no question; nothing is written then.
    """
    lessons = lessons_in(notebooks)
    pages = {
        f"{lesson.stem}.html": guide_page(read_guide(lesson, read_notebook(notebooks / lesson.notebook)))
        for lesson in lessons
    }
    pages[INDEX] = index_page(lessons)
    write_edition(out, pages)
    return [out / name for name in pages]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after one sentence on standard error."""

    def make(options: argparse.Namespace) -> str:
        written = build(options.notebooks, options.out)
        return f"{options.out}: {len(written) - 1} lessons, open {options.out / INDEX} and print"

    return make_edition(edition_parser("guide", __doc__), arguments, make)


if __name__ == "__main__":
    sys.exit(main())
