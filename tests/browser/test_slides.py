"""The slides as a lecturer shows them: on a projector of 1280 by 720, opened by double click, without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.conftest import AXE_RUN, NOTEBOOKS, NPM_CACHE, fetch_or_skip
from browser.site_page import SitePage
from playwright.sync_api import Browser

from course_lib.authoring.npm_packages import PYODIDE, REVEAL
from course_lib.authoring.slides.building import build

MEASURED = ("02_factorized_convolutions", "03_grid_reduction")
"""Lessons of which every slide is measured; between them they have every kind."""
KINDS = {"title", "text", "exercise", "quiz", "reasons", "figure", "explorer", "answer"}
LEAST_ZOOM = 0.7
"""What cannot be parted may be drawn smaller, but no smaller than this: code of 20 px is 14 px high then."""
MEASURE = """() => {
    const slide = Reveal.getCurrentSlide();
    const parts = [...slide.querySelectorAll('*')].filter(part => part.checkVisibility() && !part.closest('aside'));
    const outside = parts.filter(part => {
        const box = part.getBoundingClientRect();
        return box.width && (box.bottom > innerHeight + 0.5 || box.right > innerWidth + 0.5);
    });
    return {
        kind: [...slide.classList].find(name => name.startsWith('of-'))?.slice(3),
        size: [slide.scrollWidth, slide.scrollHeight],
        outside: outside.map(part => part.outerHTML.slice(0, 80)),
        zoom: Math.min(1, ...[...slide.children].map(part => Number(part.style.zoom || 1))),
    };
}"""


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in (REVEAL, PYODIDE):
        fetch_or_skip(package)
    folder = tmp_path_factory.mktemp("slides")
    build(NOTEBOOKS, folder, NPM_CACHE)
    return folder


@pytest.fixture(scope="module", params=MEASURED)
def shown(request: pytest.FixtureRequest, browser: Browser, slides: Path) -> Iterator[SitePage]:
    """The slides of a lesson, opened once."""
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    opened = SitePage(context.new_page(), (slides / f"{request.param}.html").as_uri())
    opened.page.wait_for_selector("html[data-ready]")
    yield opened
    context.close()


def test_no_slide_overflows_and_nothing_is_lost_on_the_way(shown: SitePage) -> None:
    page = shown.page
    page.evaluate("Reveal.slide(0, 0)")
    found = []
    for _ in range(page.evaluate("Reveal.getTotalSlides()")):
        found.append(page.evaluate(MEASURE))
        page.keyboard.press("Space")
    assert page.evaluate("Reveal.isLastSlide()")
    assert {slide["kind"] for slide in found if slide["kind"]} == KINDS
    assert [slide for slide in found if slide["size"] != [1280, 720] or slide["outside"]] == []
    assert min(slide["zoom"] for slide in found) >= LEAST_ZOOM
    assert (shown.errors, shown.outside) == ([], [])


def test_what_is_left_off_a_slide_is_in_the_lecturers_notes(shown: SitePage) -> None:
    page = shown.page
    page.evaluate("Reveal.slide(0, 0)")
    assert "For a lecture hour" in page.evaluate("Reveal.getSlideNotes()")


def test_an_explorer_answers_a_key_and_the_slide_stays(shown: SitePage) -> None:
    page = shown.page
    page.evaluate("Reveal.slide(...Object.values(Reveal.getIndices(document.querySelector('.of-explorer'))))")
    explorer = shown.explorer(page.locator(".explorer").first.get_attribute("data-idea"))
    before, place = explorer.summary, page.evaluate("Reveal.getIndices()")
    slider = explorer.sliders()[0]
    slider.focus()
    explorer.press(slider)
    assert explorer.summary == explorer.alt != before
    assert page.evaluate("Reveal.getIndices()") == place
    measured = page.evaluate(MEASURE)
    assert (measured["size"], measured["outside"]) == ([1280, 720], [])
    assert (shown.errors, shown.outside) == ([], [])


def test_axe_finds_nothing_serious_on_any_kind_of_slide(shown: SitePage, axe: str) -> None:
    page = shown.page
    page.evaluate(f"{axe}; null")
    seen = page.evaluate("[...document.querySelectorAll('.slide')].map(s => s.classList[1])")
    for kind in dict.fromkeys(name for name in seen if name.startswith("of-")):
        page.evaluate(f"Reveal.slide(...Object.values(Reveal.getIndices(document.querySelector('.{kind}'))))")
        shown.screenshot(f"slides_{kind}")
        assert page.locator("body").evaluate(AXE_RUN) == [], kind


def test_the_lecturers_window_shows_the_notes(shown: SitePage) -> None:
    page = shown.page
    page.evaluate("Reveal.slide(0, 0)")
    with page.expect_popup() as popup:
        page.keyboard.press("s")
    notes = popup.value.locator(".speaker-controls-notes .value")
    notes.wait_for()
    assert "For a lecture hour" in notes.inner_text()
    popup.value.close()
    assert shown.outside == []


def test_the_list_of_lessons_leads_to_each(browser: Browser, slides: Path, axe: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    opened = SitePage(context.new_page(), (slides / "index.html").as_uri())
    links = opened.page.locator("main a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert links == sorted(name for name in os.listdir(slides) if name[0] == "0")
    opened.page.locator("main a").first.click()
    opened.page.wait_for_selector("html[data-ready]")
    opened.page.go_back()
    assert (opened.errors, opened.outside) == ([], [])
    opened.page.evaluate(f"{axe}; null")
    assert opened.page.locator("body").evaluate(AXE_RUN) == []
    context.close()
