"""Writes the slides.

python -m course_lib.authoring.slides [--notebooks FOLDER] [--out FOLDER]
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path

from course_lib.authoring.editions import INDEX, edition_parser, lessons_in, make_edition, write_edition
from course_lib.authoring.npm_packages import CACHE, PYODIDE, REVEAL, read_file, require
from course_lib.authoring.site.assets import asset as site_asset
from course_lib.authoring.site.engine import engine_script
from course_lib.authoring.site.first_values import SiteError
from course_lib.authoring.site.page import COURSE, ENGINE, LICENCES
from course_lib.authoring.slides.cutting import Slide, slides_of
from course_lib.teaching.lessons import START_PAGE, Lesson
from course_lib.teaching.sources import read_notebook

ASSETS = Path(__file__).parent / "assets"
OWN = ("slides.css", "slides.js")
FROM_SITE = ("site.css", "explorers.js")
FROM_REVEAL = {
    "reveal.css": "dist/reveal.css",
    "reveal.js": "dist/reveal.js",
    "notes.js": "plugin/notes/notes.js",
    "reveal-licence.txt": "LICENSE",
}
"""File of the slides, and where reveal.js has it."""
_LINK = re.compile(r'href="([^":#]+)\.ipynb(#[^"]*)?"')


def lesson_page(title: str, slides: Sequence[Slide]) -> str:
    """The page of a lesson's slides; each column of slides is a section of sections."""
    number = 0
    columns = []
    for slide in slides:
        number += slide.starts_column
        columns.append((number, slide))
    shown = "\n".join(
        f"<section>\n{''.join(slide_html(slide) for _, slide in column)}</section>"
        for _, column in groupby(columns, key=lambda pair: pair[0])
    )
    body = _LINK.sub(lambda link: f'href="{link[1]}.html"', shown).replace(
        f'href="{Path(START_PAGE).stem}.html"', f'href="{INDEX}"'
    )
    head = '<link rel="stylesheet" href="reveal.css">\n<link rel="stylesheet" href="slides.css">'
    scripts = "".join(f'<script src="{name}"></script>\n' for name in ("reveal.js", "notes.js"))
    scripts += f'<script src="explorers.js" data-engine="{ENGINE}"></script>\n<script src="slides.js"></script>\n'
    main = f'<main class="reveal"><div class="slides">\n{body}\n</div></main>\n{scripts}'
    return _page(f"{title} · slides", head, main)


def slide_html(slide: Slide) -> str:
    """A slide as reveal.js reads it."""
    level = "h1" if slide.kind == "title" else "h2"
    heading = f"<{level}>{slide.heading}</{level}>\n" if slide.heading else ""
    return f'<section class="slide of-{slide.kind}">\n{heading}{"".join(slide.parts)}</section>\n'


def index_page(lessons: Sequence[Lesson], counts: Mapping[str, int]) -> str:
    """The list of lessons; `counts` are their slides before the browser has measured them, by notebook."""
    items = "".join(
        f'<li><a href="{lesson.stem}.html">{escape(lesson.title)}</a> · {counts[lesson.notebook]} slides or more</li>\n'
        for lesson in lessons
    )
    keys = (
        "<p><kbd>Space</kbd> goes on, <kbd>Shift</kbd>+<kbd>Space</kbd> back, <kbd>Esc</kbd> shows all slides, "
        "<kbd>F</kbd> fills the screen, <kbd>S</kbd> opens the lecturer's notes in a window of their own.</p>\n"
    )
    title = f"{COURSE}: slides"
    body = f'<main id="content">\n<h1>{title}</h1>\n{keys}<ul>\n{items}</ul>\n</main>\n<footer>{_licences()}</footer>\n'
    return _page(title, "", body)


def build(notebooks: Path, out: Path, cache: Path = CACHE) -> dict[str, int]:
    """Write the slides of the lessons in `notebooks` into `out`, which is emptied before; returns the bytes by name.

    Raises:
        CourseError: reveal.js or Pyodide is missing, there are no lessons, or one cannot be made into slides; nothing
            is written then.
    """
    for package in (REVEAL, PYODIDE):
        require(package, cache)
    lessons = lessons_in(notebooks)
    files, counts = {}, {}
    for lesson in lessons:
        try:
            slides = slides_of(read_notebook(notebooks / lesson.notebook))
        except SiteError as error:
            raise SiteError(f"{lesson.notebook}: {error}") from error
        counts[lesson.notebook] = len(slides)
        files[f"{lesson.stem}.html"] = lesson_page(lesson.title, slides)
    files[INDEX] = index_page(lessons, counts)
    files |= {name: (ASSETS / name).read_text(encoding="utf-8") for name in OWN}
    files |= {name: site_asset(name) for name in FROM_SITE}
    files |= {name: read_file(REVEAL, source, cache).decode() for name, source in FROM_REVEAL.items()}
    files[ENGINE] = engine_script(cache)
    write_edition(out, files)
    return {name: len(text.encode()) for name, text in files.items()}


def _licences() -> str:
    return f"{LICENCES} The slides run on reveal.js {REVEAL.version} (MIT)."


def _page(title: str, head: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en" data-theme="light">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="site.css">\n{head}\n</head>\n<body>\n{body}</body>\n</html>\n'
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status, 1 after one sentence on standard error."""

    def make(options: argparse.Namespace) -> str:
        sizes = build(options.notebooks, options.out)
        return f"{options.out}: {sum(sizes.values()) / 1e6:.1f} MB, open {options.out / INDEX}"

    return make_edition(edition_parser("slides", __doc__), arguments, make)
