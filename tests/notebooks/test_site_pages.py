"""The course as static pages, made from the notebooks as they are: links, pictures, explorers."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup

from course_lib.authoring.site.building import CoursePage, explorers_file, read_pages, site_files
from course_lib.explorers.ideas import IDEAS
from course_lib.teaching.sources import find_sources

OUTSIDE = ("http:", "https:", "//")


@pytest.fixture(scope="module")
def pages(notebooks_folder: Path) -> list[CoursePage]:
    return read_pages(notebooks_folder)


@pytest.fixture(scope="module")
def site(pages: list[CoursePage]) -> dict[str, BeautifulSoup]:
    """Each page of the site by its name, parsed; the engine is left empty."""
    files = site_files(pages, engine="")
    return {name: BeautifulSoup(text, "html.parser") for name, text in files.items() if name.endswith(".html")}


def test_every_notebook_has_a_page(pages: list[CoursePage], notebooks_folder: Path) -> None:
    assert len(pages) == len(find_sources(notebooks_folder))
    assert all(page.html.headings[0][0] == 1 for page in pages)


def test_every_link_leads_to_a_page_and_a_place_in_it(site: dict[str, BeautifulSoup], pages: list[CoursePage]) -> None:
    files = set(site_files(pages, engine=""))
    for name, page in site.items():
        anchors = {other: {part["id"] for part in found.select("[id]")} for other, found in site.items()}
        for link in page.select("a[href]"):
            target, _, anchor = link["href"].partition("#")
            if target.startswith(OUTSIDE):
                continue
            assert (target or name) in files, f"{name}: {link}"
            assert not anchor or unquote(anchor) in anchors[target or name], f"{name}: {link}"


def test_no_page_loads_anything_from_outside(site: dict[str, BeautifulSoup], pages: list[CoursePage]) -> None:
    files = set(site_files(pages, engine=""))
    for name, page in site.items():
        loaded = [part.get("src") or part.get("href") for part in page.select("[src], link[href]")]
        assert [part for part in loaded if not part.startswith("data:") and part not in files] == [], name
        assert not any("url(" in style.text or "@import" in style.text for style in page.select("style"))


def test_every_picture_has_an_alternative_text(site: dict[str, BeautifulSoup]) -> None:
    for name, page in site.items():
        silent = [str(image)[:120] for image in page.select("img") if not image.get("alt")]
        silent += [str(svg)[:120] for svg in page.select("svg") if not svg.title]
        assert silent == [], name


def test_no_formula_is_left_and_no_name_given_twice(site: dict[str, BeautifulSoup]) -> None:
    for name, page in site.items():
        ids = [part["id"] for part in page.select("[id]")]
        assert len(ids) == len(set(ids)), name
        for code in page.select("code, pre"):
            code.decompose()
        assert "$$" not in page.text, name


def test_every_idea_is_alive_in_the_single_file(pages: list[CoursePage]) -> None:
    page = BeautifulSoup(explorers_file(pages, engine=""), "html.parser")
    shown = [section["data-idea"] for section in page.select(".explorer")]
    assert set(shown) == set(IDEAS)
    for section in page.select(".explorer"):
        assert set(json.loads(section["data-places"])) == {c.name for c in IDEAS[section["data-idea"]].controls}
    assert page.select("[src]:not(img), link:not([rel=icon])") == []
