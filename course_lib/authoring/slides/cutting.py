"""Which slides a lesson's cells become.

A cell that says so itself is obeyed: its `slideshow` metadata (`slide`, `subslide`, `fragment`, `skip`, `notes`, as
Jupyter knows them) stands above the rule, and its text is not shortened. All else follows the rule:

- a heading starts a slide, one of the first two levels also a column of slides;
- a paragraph is shown by its first sentence and what it stresses, and stands whole in the lecturer's notes; lists,
  tables, formulas, code and printed outputs are shown, the statement of an exercise whole;
- a quiz, the reasons of its answers, a figure, an explorer and what a lesson folds away have a slide of their own;
- the code that draws a figure or an explorer goes to the notes, and so do long code whose output is shown and hints;
- solutions, checks, imports, the guard and the links to other lessons are left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from bs4 import BeautifulSoup, NavigableString, Tag
from nbformat import NotebookNode

from course_lib.authoring.generated_cells import GUARD_TAG, NAVIGATION_TAG
from course_lib.authoring.html_page import LessonPage
from course_lib.authoring.notebooks import FOLDED_TAG, SETUP_TAG, has_tag
from course_lib.authoring.quiz_outputs import Question, question_shown
from course_lib.authoring.site.lesson_html import LessonHtml, code_html, markdown_html, output_html
from course_lib.authoring.slides.shortening import shortened

LEFT_OUT = (GUARD_TAG, NAVIGATION_TAG, SETUP_TAG, "solution", "check", "solution-only")
ALONE = ("quiz", "reasons", "figure", "explorer", "answer")
"""Kinds of slides that hold one thing; the others, `title`, `text` and `exercise`, are filled and handed on."""
PLAN = "For a lecture hour"
"""The head of the table in a lesson's first cell that plans an hour: it is the lecturer's."""
CODE_LINES = 18
"""Longer code goes to the notes if its cell shows what came out: so much fits a slide in letters of full size."""
CAPTION = 260
"""A figure shares its slide with text of fewer letters that leads to it."""
_EXERCISE = re.compile(r"\(\w+, \d+ minutes\)$")
_HINTS = "<summary>Hint 1 of "
_DRAWN = re.compile(r'^<div class="output">\s*(<div>\s*)?<img ')


@dataclass
class Slide:
    """One slide, before the browser has measured it.

    Attributes:
        kind: what it holds, one of `ALONE` or `title`, `text`, `exercise`.
        heading: its heading's inner HTML.
        starts_column: whether it is the first of a column of slides.
        parts: HTML of what it shows and of the lecturer's notes, in the order of the lesson, so that notes go along
            with what they belong to.
    """

    kind: str
    heading: str
    starts_column: bool = False
    parts: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return all(part.startswith(_NOTES_BEGIN) for part in self.parts)


_NOTES_BEGIN = '<aside class="notes">'


def slides_of(notebook: NotebookNode) -> list[Slide]:
    """The slides of a lesson, which is changed on the way.

    Raises:
        SiteError: a picture without alternative text, or an explorer or a quiz that cannot be read.
    """
    notebook, _ = LessonPage().preprocess(notebook, {})
    cutter = _Cutter()
    for cell in notebook.cells:
        cutter.add(cell)
    return [slide for slide in cutter.slides if not slide.is_empty or slide.starts_column]


class _Cutter:
    """Reads a lesson cell by cell and keeps the slides made so far."""

    def __init__(self) -> None:
        self.slides: list[Slide] = []
        self._sources: list[str] = []
        self._explorers = LessonHtml()
        self._section = ""
        """The heading of the last section that is no exercise."""

    def add(self, cell: NotebookNode) -> None:
        own = cell.metadata.get("slideshow", {}).get("slide_type", "-")
        if cell.cell_type == "code":
            self._sources.append(cell.source)
        if own == "skip" or any(has_tag(cell, tag) for tag in LEFT_OUT):
            if has_tag(cell, "check"):
                self._start("text", self._section)  # the exercise is over, its section goes on
            return
        if own == "notes":
            return self._note(markdown_html(cell.source) if cell.cell_type == "markdown" else code_html(cell.source))
        if own in ("slide", "subslide"):
            self._start("text", self._section, own == "slide")
        if cell.cell_type == "markdown":
            self._add_text(markdown_html(cell.source), whole=own != "-", fragment=own == "fragment")
        elif cell.cell_type == "code":
            self._add_code(cell)

    def _start(self, kind: str, heading: str, starts_column: bool = False) -> Slide:
        self.slides.append(Slide(kind, heading, starts_column or not self.slides))
        return self.slides[-1]

    def _open(self) -> Slide:
        """The slide that more may be put on."""
        if not self.slides or self.slides[-1].kind in ALONE:
            self._start("text", self._section)
        return self.slides[-1]

    def _note(self, html: str) -> None:
        slide = self.slides[-1] if self.slides else self._open()
        slide.parts.append(f"{_NOTES_BEGIN}{html}</aside>")

    def _add_text(self, html: str, whole: bool, fragment: bool) -> None:
        for part in list(BeautifulSoup(html, "html.parser").children):
            if isinstance(part, NavigableString):
                if part.strip():
                    self._open().parts.append(f"<p>{escape(part.strip())}</p>")
            elif re.fullmatch("h[1-6]", part.name):
                self._add_heading(part)
            elif part.name == "details":
                self._add_answer(part)
            elif part.name == "p" and not whole and self._open().kind != "exercise":
                self._add_paragraph(part)
            elif part.name != "hr":
                self._add_block(part, fragment)

    def _add_heading(self, heading: Tag) -> None:
        level, inner = int(heading.name[1]), heading.decode_contents()
        kind = "title" if level == 1 else "exercise" if _EXERCISE.search(heading.get_text()) else "text"
        self._section = self._section if kind == "exercise" else inner
        self._start(kind, inner, level <= 2)

    def _add_paragraph(self, paragraph: Tag) -> None:
        inner = paragraph.decode_contents()
        shown = shortened(inner)
        self._open().parts.append(f"<p>{shown}</p>")
        if shown != inner:
            self._note(f"<p>{inner}</p>")

    def _add_block(self, part: Tag, fragment: bool) -> None:
        table = part.find("th") if part.name in ("div", "table") else None
        if table is not None and table.get_text().strip() == PLAN:
            return self._open().parts.insert(0, f"{_NOTES_BEGIN}{part}</aside>")  # with the first slide, whatever fits
        if fragment:
            part["class"] = [*part.get("class", []), "fragment"]
        self._open().parts.append(str(part))

    def _add_answer(self, details: Tag) -> None:
        """What a lesson folds away, unfolded on a slide of its own: the lecturer reveals it by going on."""
        if details.summary:
            details.summary.extract()
        self._start("answer", f"{self._section} · the answer").parts.extend(
            str(part) if isinstance(part, Tag) else f"<p>{escape(part.strip())}</p>"
            for part in details.children
            if isinstance(part, Tag) or part.strip()
        )

    def _add_code(self, cell: NotebookNode) -> None:
        outputs = [self._shown(output) for output in cell.outputs]
        code = "" if has_tag(cell, FOLDED_TAG) or not cell.source.strip() else code_html(cell.source)
        is_long = bool(outputs) and len(cell.source.splitlines()) > CODE_LINES
        noted = is_long or any(kind in ALONE for kind, _ in outputs)
        if any(kind == "hints" for kind, _ in outputs):
            return self._note("".join(html for _, html in outputs))
        if code and not noted:
            self._open().parts.append(code)
        for kind, content in outputs:
            self._add_output(kind, content)
        if code and noted:
            self._note(code)

    def _shown(self, output: NotebookNode) -> tuple[str, str | Question]:
        question = question_shown(output)
        if question is not None:
            return "quiz", question
        html = output_html(output, self._sources, self._explorers)
        if html.startswith("<section"):  # to reveal.js each section is a slide
            return "explorer", html.replace("<section", '<div role="region"', 1).replace("</section>", "</div>")
        if '<details class="course-answer"' in html:
            return "answer", html
        if _HINTS in html:
            return "hints", html
        return ("figure" if _DRAWN.match(html) else "text"), html

    def _add_output(self, kind: str, content: str | Question) -> None:
        if isinstance(content, Question):
            self._add_quiz(content)
        elif kind == "answer":
            self._add_answer(BeautifulSoup(content, "html.parser").details)
        elif kind == "figure" and self._only_says_a_little():
            self.slides[-1].kind = "figure"
            self.slides[-1].parts.append(content)
        elif kind in ALONE:
            self._start(kind, self._section).parts.append(content)
        elif content:
            self._open().parts.append(content)

    def _add_quiz(self, question: Question) -> None:
        """The question alone, and on the next slide which answer is right and what each tells."""
        asked = escape(question.text)
        reasons = [_reason(answer.text, answer.reason, answer.correct) for answer in question.answers]
        quiz = self._start("quiz", "Question")
        quiz.parts.append(f'<p class="question">{asked}</p>{_numbered(escape(a.text) for a in question.answers)}')
        self._note(_numbered(reasons))
        told = self._start("reasons", "The answers and what they tell")
        told.parts.append(f'<p class="asked">{asked}</p>{_numbered(reasons)}')

    def _only_says_a_little(self) -> bool:
        """Whether the last slide is a line or two of text, which may stand above a figure."""
        last = self.slides[-1] if self.slides else Slide("title", "")
        said = [part for part in last.parts if not part.startswith(_NOTES_BEGIN)]
        text = BeautifulSoup("".join(said), "html.parser").get_text()
        return last.kind == "text" and all(part.startswith("<p>") for part in said) and len(text) < CAPTION


def _reason(text: str, reason: str, correct: bool) -> str:
    mark = '<strong class="right">✓ Right.</strong>' if correct else '<span class="wrong">✗ Not right.</span>'
    return f"<p>{escape(text)}</p><p>{mark} {escape(reason)}</p>"


def _numbered(items: Sequence[str]) -> str:
    return f"<ol>{''.join(f'<li>{item}</li>' for item in items)}</ol>"
