"""A lesson's cells as HTML: text, code, stored outputs, and its explorers with their controls.

What a lesson folds stays folded: the code of a quiz is left out, imports and solutions open by a click.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape, unescape

from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode

from course_lib.authoring.html_page import LessonPage
from course_lib.authoring.notebooks import FOLDED_TAG, SETUP_TAG, has_tag
from course_lib.authoring.site.explorer_html import explorer_html
from course_lib.authoring.site.first_values import SiteError, explorer_shown
from course_lib.explorers.controls import Values
from course_lib.reporting.static_form import RUN_FOR_CONTROLS

FOLDS = {SETUP_TAG: "Imports", "solution": "Show a solution", "solution-only": "Show the solution"}
"""Tags of cells that open by a click, and what is clicked."""
_HEADING = re.compile(r"<h([1-4])( id=\"([^\"]*)\")?>(.*?)</h\1>", re.DOTALL)
_NOTEBOOK_LINK = re.compile(r'href="([^":#]+\.ipynb)(#[^"]*)?"')


@dataclass
class LessonHtml:
    """A lesson as it stands in its page.

    Attributes:
        body: the cells as HTML.
        headings: level, anchor and text of each heading, in order.
        explorers: name of the idea and first values of each explorer.
    """

    body: str = ""
    headings: list[tuple[int, str, str]] = field(default_factory=list)
    explorers: list[tuple[str, Values]] = field(default_factory=list)


def lesson_html(notebook: NotebookNode, addresses: Mapping[str, str]) -> LessonHtml:
    """The notebook's cells as HTML.

    Args:
        notebook: executed; it is changed.
        addresses: of the page of each notebook, by the notebook's file name.

    Raises:
        SiteError: a link to a notebook that has no page, a picture without alternative text, or an explorer whose
            first values cannot be told.
    """
    notebook, _ = LessonPage().preprocess(notebook, {})
    lesson, sources = LessonHtml(), []
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            sources.append(cell.source)
            parts.append(_code_cell(cell, sources, lesson))
        elif cell.cell_type == "markdown":
            parts.append(_folded(cell, markdown_html(cell.source)))
    lesson.body = _HEADING.sub(_Anchors(lesson.headings), "\n".join(filter(None, parts)))
    lesson.body = _NOTEBOOK_LINK.sub(lambda link: f'href="{_address(link[1], addresses)}{link[2] or ""}"', lesson.body)
    return lesson


def markdown_html(source: str) -> str:
    """Markdown as HTML, its tables in frames that scroll."""
    html = MarkdownWithMath(renderer=IPythonRenderer(escape=False, exclude_anchor_links=True)).render(source)
    return _framed(html)


def _code_cell(cell: NotebookNode, sources: list[str], lesson: LessonHtml) -> str:
    code = "" if has_tag(cell, FOLDED_TAG) or not cell.source.strip() else code_html(cell.source)
    outputs = [output_html(output, sources, lesson) for output in cell.outputs]
    shown = "\n".join(filter(None, outputs))
    return _folded(cell, code) + shown if code or shown else ""


def _folded(cell: NotebookNode, html: str) -> str:
    summary = next((text for tag, text in FOLDS.items() if has_tag(cell, tag)), None)
    return f"<details><summary>{summary}</summary>\n{html}</details>\n" if summary and html else html


def code_html(source: str) -> str:
    """Python with its words marked by kind, for the colours of `assets/site.css`."""
    return Highlight2HTML(pygments_lexer="python3")(source)


def output_html(output: NotebookNode, sources: list[str], lesson: LessonHtml) -> str:
    """A stored output; `sources` is the lesson's code up to it, and `lesson` notes the explorer that it shows.

    Raises:
        SiteError: a picture without alternative text, or an explorer whose first values cannot be told.
    """
    explorer = explorer_shown(output, sources)
    if explorer is not None:
        key = f"{explorer.idea.name}-{len(lesson.explorers) + 1}"
        lesson.explorers.append((explorer.idea.name, explorer.values))
        return explorer_html(explorer.idea, explorer.values, key)
    data = output.get("data", {})
    if output.output_type == "stream":
        return _text(output.text)
    if output.output_type == "error":
        return _text(f"{output.ename}: {output.evalue}")
    if "text/html" in data:
        return f'<div class="output">{_framed(data["text/html"].replace(RUN_FOR_CONTROLS, ""))}</div>\n'
    if "text/markdown" in data:
        return f'<div class="output">{markdown_html(data["text/markdown"])}</div>\n'
    pictures = [kind for kind in data if kind.startswith("image/")]
    if pictures:
        raise SiteError(f"an output is {pictures[0]} without alternative text: show it with `figure_html`.")
    return _text(data.get("text/plain", ""))


def _text(text: str) -> str:
    return f'<div class="output"><pre>{ansi2html(text.rstrip())}</pre></div>\n' if text.strip() else ""


def _framed(html: str) -> str:
    return re.sub(r"<table.*?</table>", lambda table: f'<div class="table">{table[0]}</div>', html, flags=re.DOTALL)


def _address(notebook: str, addresses: Mapping[str, str]) -> str:
    if notebook not in addresses:
        raise SiteError(f"it links to {notebook}, which is not among the notebooks: correct the link.")
    return addresses[notebook]


class _Anchors:
    """Gives each heading an anchor of its own, and notes the headings."""

    def __init__(self, headings: list[tuple[int, str, str]]) -> None:
        self._headings = headings
        self._seen: Counter[str] = Counter()

    def __call__(self, heading: re.Match[str]) -> str:
        level, content = heading[1], heading[4]
        text = unescape(re.sub(r"<[^>]*>", "", content)).strip()
        anchor = text.replace(" ", "-")  # as Jupyter names it, so that a link works in both
        self._seen[anchor] += 1
        if self._seen[anchor] > 1:
            anchor = f"{anchor}-{self._seen[anchor]}"
        self._headings.append((int(level), anchor, text))
        return f'<h{level} id="{escape(anchor)}">{content}</h{level}>'
