"""Writes the site and the single file.

python -m course_lib.authoring.site [--notebooks FOLDER] [--out FOLDER] [--single FILE]
"""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from course_lib.authoring.editions import INDEX, edition_parser, make_edition, write_edition
from course_lib.authoring.npm_packages import CACHE, PYODIDE, require
from course_lib.authoring.site.assets import asset
from course_lib.authoring.site.engine import engine_script
from course_lib.authoring.site.explorer_html import explorer_html
from course_lib.authoring.site.first_values import SiteError
from course_lib.authoring.site.lesson_html import LessonHtml, lesson_html
from course_lib.authoring.site.page import (
    COURSE,
    ENGINE,
    SEARCH_PAGE,
    SECTIONS,
    Entry,
    explorer_scripts,
    search_page,
    single_page,
    site_page,
)
from course_lib.authoring.site.sections import sections_of, sections_script
from course_lib.explorers.controls import Values
from course_lib.explorers.ideas import IDEAS
from course_lib.files import write_whole
from course_lib.teaching.lessons import START_PAGE
from course_lib.teaching.sources import NOTEBOOK_PATTERN, read_notebook

ASSETS = ("site.css", "page.js", "explorers.js", "search.js")
LISTED_LEVEL = 2
"""Headings of this level stand in the list of lessons."""


@dataclass(frozen=True)
class CoursePage:
    """A notebook's page: how the list of lessons shows it, and its content."""

    entry: Entry
    html: LessonHtml


def read_pages(folder: Path) -> list[CoursePage]:
    """The page of each notebook in `folder`, in the order of the course, the start page first.

    Raises:
        SiteError: there are no notebooks, or one cannot be made into a page; the message names it.
    """
    notebooks = sorted(folder.glob(NOTEBOOK_PATTERN))
    if not notebooks or notebooks[0].stem != Path(START_PAGE).stem:
        raise SiteError(
            f"{folder} holds no start page ({Path(START_PAGE).stem}.ipynb): name the folder of the notebooks."
        )
    addresses = {path.name: f"{path.stem}.html" for path in notebooks} | {notebooks[0].name: INDEX}
    pages = []
    for path in notebooks:
        try:
            html = lesson_html(read_notebook(path), addresses)
        except SiteError as error:
            raise SiteError(f"{path.name}: {error}") from error
        title = next((text for level, _, text in html.headings if level == 1), path.stem)
        listed = tuple((anchor, text) for level, anchor, text in html.headings if level == LISTED_LEVEL)
        pages.append(CoursePage(Entry(addresses[path.name], title, listed), html))
    return pages


def site_files(pages: Sequence[CoursePage], engine: str) -> dict[str, str]:
    """The text of every file of the site by its name."""
    entries = [page.entry for page in pages]
    files = {name: asset(name) for name in ASSETS}
    sections = []
    for page in pages:
        scripts = explorer_scripts(bool(page.html.explorers))
        files[page.entry.address] = site_page(page.entry, page.html.body, entries, scripts)
        sections += sections_of(page.html.body, page.entry.address, page.entry.title)
    return files | {SEARCH_PAGE: search_page(entries), SECTIONS: sections_script(sections), ENGINE: engine}


def explorers_file(pages: Sequence[CoursePage], engine: str) -> str:
    """The one page that holds every explorer, below the title of the lesson that has it, and its engine."""
    lessons: dict[str, list[tuple[str, Values]]] = {}
    for page in pages:
        for name, values in page.html.explorers:
            lessons.setdefault(page.entry.title, []).append((name, values))
    met = {name for shown in lessons.values() for name, _ in shown}
    for name, idea in IDEAS.items():
        if name not in met:
            lessons[name.replace("-", " ").capitalize()] = [(name, idea.first_values)]
    parts = ["<h1>Explorers</h1>"]
    for title, shown in lessons.items():
        parts.append(f"<h2>{escape(title)}</h2>")
        for number, (name, values) in enumerate(shown, start=1):
            lead = (inspect.getdoc(IDEAS[name]) or "").partition("\n\n")[0]
            parts += [f"<p>{escape(lead)}</p>", explorer_html(IDEAS[name], values, f"{name}-{number}")]
    return single_page(f"Explorers · {COURSE}", "\n".join(parts), engine)


def build(notebooks: Path, out: Path, single: Path, cache: Path = CACHE) -> list[Path]:
    """Write the site into `out`, which is emptied before, and the single file; returns the paths written.

    Raises:
        CourseError: Pyodide is missing or a lesson cannot be made into a page; nothing is written then.
    """
    require(PYODIDE, cache)
    pages = read_pages(notebooks)
    engine = engine_script(cache)
    files = site_files(pages, engine)
    explorers = explorers_file(pages, engine)
    write_edition(out, files)
    write_whole(single, explorers.encode())
    return [*(out / name for name in files), single]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after one sentence on standard error."""
    parser = edition_parser("site", __doc__)
    parser.add_argument("--single", type=Path, default=Path("build/explorers.html"), help="(%(default)s)")

    def make(options: argparse.Namespace) -> str:
        written = build(options.notebooks, options.out, options.single)
        sizes = {path: path.stat().st_size / 1e6 for path in written}
        return (
            f"{options.out}: {sum(sizes.values()) - sizes[options.single]:.1f} MB, open {options.out / INDEX}\n"
            f"{options.single}: {sizes[options.single]:.1f} MB, one file"
        )

    return make_edition(parser, arguments, make)
