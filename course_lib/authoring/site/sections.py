"""What the search of a site looks through: the sections of its pages as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import quote

HEADINGS = {"h1", "h2", "h3", "h4"}
SILENT = {"script", "style", "svg"}


@dataclass(frozen=True)
class Section:
    """A part of a page below one heading: its address in the site, the lesson's title, its heading, its text."""

    address: str
    lesson: str
    heading: str
    text: str


def sections_of(body: str, page: str, lesson: str) -> list[Section]:
    """The sections of a page's body; what stands before the first heading belongs to the lesson itself."""
    reader = _Reader()
    reader.feed(body)
    reader.close()
    found = []
    for anchor, heading, text in reader.sections:
        words = " ".join("".join(text).split())
        if words:
            title = " ".join("".join(heading).split()) or lesson
            found.append(Section(f"{page}#{quote(anchor)}" if anchor else page, lesson, title, words))
    return found


def sections_script(sections: list[Section]) -> str:
    """JavaScript that gives a page `COURSE_SECTIONS`: a page opened by double click may load scripts alone."""
    rows = [[part.address, part.lesson, part.heading, part.text] for part in sections]
    return f"globalThis.COURSE_SECTIONS = {json.dumps(rows, ensure_ascii=False)};\n"


class _Reader(HTMLParser):
    """Collects (anchor, heading, text) while it reads; pictures count by their alternative text."""

    def __init__(self) -> None:
        super().__init__()
        self.sections: list[tuple[str, list[str], list[str]]] = [("", [], [])]
        self._in_heading = False
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in HEADINGS:
            self.sections.append((given.get("id") or "", [], []))
            self._in_heading = True
        elif tag in SILENT:
            self._silent += 1
        elif tag == "img":
            self._add(f" {given.get('alt') or ''} ")
        else:
            self._add("" if tag in ("span", "code", "em", "strong", "a") else " ")

    def handle_endtag(self, tag: str) -> None:
        if tag in HEADINGS:
            self._in_heading = False
        elif tag in SILENT:
            self._silent -= 1

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._add(data)

    def _add(self, text: str) -> None:
        _, heading, body = self.sections[-1]
        (heading if self._in_heading else body).append(text)
