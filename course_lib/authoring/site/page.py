"""What stands around the content of every page: head, links to the lessons, search, the choice of light or dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from course_lib.authoring.npm_packages import PYODIDE
from course_lib.authoring.site.assets import asset, inline_script

COURSE = "The Inception networks, measured"
SEARCH_PAGE = "search.html"
ENGINE = "engine.js"
SECTIONS = "sections.js"
LICENCES = f"Text and code: MIT. The explorers run on Pyodide {PYODIDE.version} (MPL 2.0) and Python (PSF licence)."
_THEME = '<button class="theme" type="button" aria-pressed="false">Dark</button>'
_SEARCH = (
    f'<form role="search" action="{SEARCH_PAGE}"><label for="search">Search</label> '
    '<input id="search" type="search" name="q" autocomplete="off"></form>'
)


HINT = (
    '<p class="hint">These are the pages of the course, to read in a browser: the explorers work here, the code does '
    "not. To run and change it, install the course and call <code>make lab</code>.</p>\n"
)
"""What the first page says before all else."""


@dataclass(frozen=True)
class Entry:
    """A page in the list of lessons: its address, its title, and (anchor, text) of its larger headings."""

    address: str
    title: str
    headings: Sequence[tuple[str, str]] = ()


def site_page(entry: Entry, body: str, entries: Sequence[Entry], scripts: Sequence[str] = ()) -> str:
    """A page of the site; `scripts` are the elements it ends with."""
    head = '<link rel="stylesheet" href="site.css">\n<script src="page.js"></script>'
    top = f'<a class="home" href="{entries[0].address}">{COURSE}</a>{_SEARCH}{_THEME}'
    title = entry.title if entry.title == COURSE else f"{entry.title} · {COURSE}"
    body = HINT + body if entry == entries[0] else body
    frame = f'<div class="frame">\n{_lessons(entry, entries)}\n<main id="content">\n{body}\n</main>\n</div>'
    return _page(title, head, top, frame, scripts)


def explorer_scripts(has_explorer: bool) -> list[str]:
    """What a page of the site with an explorer ends with."""
    return [f'<script src="explorers.js" data-engine="{ENGINE}"></script>'] if has_explorer else []


def search_page(entries: Sequence[Entry]) -> str:
    """The page that the search form leads to."""
    body = (
        "<h1>Search</h1>\n"
        '<p class="results-count" role="status">Type words above; a section is found if it has them all.</p>\n'
        '<ol class="results"></ol>\n<noscript><p>The search needs JavaScript.</p></noscript>'
    )
    scripts = [f'<script src="{SECTIONS}"></script>', '<script src="search.js"></script>']
    return site_page(Entry(SEARCH_PAGE, "Search"), body, entries, scripts)


def single_page(title: str, body: str, engine: str) -> str:
    """A page that holds style, code and engine, and loads nothing."""
    head = f"<style>{asset('site.css')}</style>\n{inline_script(asset('page.js'))}"
    top = f'<span class="home">{COURSE}</span>{_THEME}'
    frame = f'<div class="frame-single">\n<main id="content">\n{body}\n</main>\n</div>'
    return _page(title, head, top, frame, [inline_script(engine), inline_script(asset("explorers.js"))])


def _page(title: str, head: str, top: str, frame: str, scripts: Sequence[str]) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n{head}\n</head>\n<body>\n'
        f'<a class="skip" href="#content">Skip to the content</a>\n<header class="top">{top}</header>\n{frame}\n'
        f"<footer>{LICENCES}</footer>\n{chr(10).join(scripts)}\n</body>\n</html>\n"
    )


def _lessons(current: Entry, entries: Sequence[Entry]) -> str:
    items = []
    for entry in entries:
        here = ' aria-current="page"' if entry == current else ""
        inner = "".join(
            f'<li><a href="#{quote(anchor)}">{escape(text)}</a></li>' for anchor, text in entry.headings if here
        )
        below = f"<ol>{inner}</ol>" if inner else ""
        items.append(f'<li><a href="{entry.address}"{here}>{escape(entry.title)}</a>{below}</li>')
    return f'<nav class="lessons" aria-label="Lessons"><ol>{"".join(items)}</ol></nav>'
