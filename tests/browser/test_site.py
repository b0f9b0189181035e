"""The static site and the single file as a reader has them: no server or a plain one, no network, no Python."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser.conftest import AXE_RUN, NOTEBOOKS
from browser.site_page import SINGLE, BuiltSite, SitePage
from playwright.sync_api import Browser, expect

from course_lib.authoring.site.building import read_pages
from course_lib.explorers.answering import answer, places_of, shown, values_at
from course_lib.explorers.controls import Choice, Slider
from course_lib.explorers.ideas import IDEAS

PAGES = read_pages(NOTEBOOKS)
LIVING = [(page.entry.address, page.html.explorers[0][0]) for page in PAGES if page.html.explorers]
ADDRESSES = [page.entry.address for page in PAGES]
SINGLE_LIMIT = 10_000_000
Visit = Callable[..., SitePage]


def test_the_single_file_stays_below_its_limit(site: BuiltSite) -> None:
    assert site.single.stat().st_size < SINGLE_LIMIT


@pytest.mark.parametrize(("address", "idea"), [*LIVING, (SINGLE, next(iter(IDEAS)))])
@pytest.mark.parametrize("way", ["file", "server"])
def test_a_key_press_brings_an_explorer_to_life(visit: Visit, address: str, idea: str, way: str) -> None:
    opened = visit(address, way)
    explorer = opened.explorer(idea)
    explorer.root.scroll_into_view_if_needed()
    opened.screenshot(f"site_{idea}_before")
    before = explorer.summary, explorer.alt
    slider = explorer.sliders()[0]
    slider.focus()
    explorer.press(slider)
    opened.screenshot(f"site_{idea}_after")
    assert explorer.summary == explorer.alt
    assert before[0] != explorer.summary
    assert before[1] != explorer.alt
    assert explorer.note == ""
    expect(slider).to_be_focused()
    assert (opened.errors, opened.outside) == ([], [])


def test_a_page_loads_no_engine_before_the_first_touch(visit: Visit) -> None:
    address, _ = LIVING[0]
    opened = visit(address)
    assert opened.page.evaluate("document.querySelector('script[src*=\"engine\"]')") is None
    opened.page.locator(".explorer-controls label").first.click()
    opened.page.wait_for_function("document.querySelector('script[src*=\"engine\"]') !== null")


@pytest.fixture(scope="module")
def single(browser: Browser, site: BuiltSite) -> Iterator[SitePage]:
    """The single file, opened once, as by double click."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    yield SitePage(page, site.address(SINGLE, None))
    page.close()


def step_from(control: Slider | Choice, state: dict[str, Any]) -> tuple[str, float]:
    """An arrow key that moves a control, and the place it leads to."""
    place = state["place"]
    if isinstance(control, Choice):
        return ("ArrowRight", place + 1) if place + 1 < len(control.options) else ("ArrowLeft", place - 1)
    step = places_of(control)[2]
    return ("ArrowRight", place + step) if place + step <= state["highest"] else ("ArrowLeft", place - step)


@pytest.mark.parametrize("idea", IDEAS)
def test_each_control_shows_what_the_idea_says(single: SitePage, idea: str) -> None:
    explorer = single.explorer(idea)
    places = explorer.first_places
    states = shown(IDEAS[idea], values_at(IDEAS[idea], places))["controls"]
    for control in IDEAS[idea].controls:
        if not states[control.name].get("enabled", True):
            continue
        key, place = step_from(control, states[control.name])
        explorer.control(control.name).press(key)
        wish = {"control": control.name, "place": place}
        said = json.loads(answer(idea, json.dumps(places), json.dumps(wish)))
        expect(explorer.root.locator(".explorer-summary")).to_have_text(said["summary"])
        states = said["controls"]
        places = {name: state["place"] for name, state in states.items()}
        assert (explorer.alt, explorer.picture) == (said["summary"], said["picture"])
        assert explorer.places() == pytest.approx(places)
        assert explorer.boxes() == {name: state["said"] for name, state in states.items() if "said" in state}
    assert (single.errors, single.outside) == ([], [])


@pytest.mark.parametrize("idea", IDEAS)
@pytest.mark.parametrize("typed", ["0.1", "12.7", "-1000", "1e9", ""])
def test_what_is_typed_becomes_a_value_that_is_allowed(single: SitePage, idea: str, typed: str) -> None:
    explorer = single.explorer(idea)
    for box in explorer.root.locator("input[type=number]:enabled").all():
        name = box.get_attribute("data-control")
        places = explorer.places()
        before = values_at(IDEAS[idea], places)[name]
        box.fill(typed)
        box.press("Enter")
        value = float(typed) if typed else before
        corrected = IDEAS[idea].correct({**values_at(IDEAS[idea], places), name: value}, values_at(IDEAS[idea], places))
        expect(box).to_have_value(shown(IDEAS[idea], corrected)["controls"][name]["said"])
    assert single.errors == []


def test_an_engine_that_is_missing_is_told_in_a_sentence_and_tried_again(visit: Visit) -> None:
    address, idea = LIVING[0]
    opened = visit(address, "server")
    opened.page.route("**/engine.js", lambda route: route.abort())
    explorer = opened.explorer(idea)
    before = explorer.summary
    explorer.sliders()[0].press("ArrowRight")
    note = explorer.root.locator(".explorer-note")
    expect(note).to_contain_text("cannot run here; its picture stays as it is. engine.js cannot be read")
    assert explorer.summary == before
    opened.page.unroute("**/engine.js")
    explorer.press(explorer.sliders()[0])
    expect(note).to_have_text("")


def test_without_javascript_picture_and_sentence_stand_alone(visit: Visit) -> None:
    address, _ = LIVING[0]
    page = visit(address, java_script_enabled=False).page
    expect(page.locator(".explorer-controls").first).to_be_hidden()
    expect(page.locator(".explorer-picture img").first).to_be_visible()
    expect(page.locator(".explorer-summary").first).to_be_visible()


def test_the_search_finds_sections_by_the_keyboard(visit: Visit) -> None:
    opened = visit("index.html")
    page = opened.page
    page.get_by_role("searchbox", name="Search").press_sequentially("grid reduction")
    page.keyboard.press("Enter")
    first = page.locator(".results a").first
    expect(first).to_contain_text("Grid reduction")
    expect(page.locator(".results-count")).to_contain_text("sections have “grid reduction”")
    opened.screenshot("site_search")
    first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/*grid_reduction.html*")
    assert (opened.errors, opened.outside) == ([], [])


def test_a_search_shows_what_was_typed_as_text(visit: Visit) -> None:
    opened = visit("search.html?q=%3Cimg+src%3Dx%3E+%28")
    expect(opened.page.locator(".results-count")).to_have_text("0 sections have “<img src=x> (”.")
    assert opened.errors == []


def test_the_button_overrides_the_systems_theme_and_is_remembered(visit: Visit) -> None:
    page = visit("index.html", "server", color_scheme="light").page
    button = page.get_by_role("button", name="Dark")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    expect(button).to_have_attribute("aria-pressed", "false")
    button.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == dark


@pytest.mark.parametrize("address", [*ADDRESSES, "search.html?q=convolution", SINGLE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visit, axe: str, address: str, scheme: str) -> None:
    opened = visit(address, color_scheme=scheme)
    opened.screenshot(f"site_{address.partition('.')[0]}_{scheme}")
    opened.page.evaluate(f"{axe}; null")
    assert opened.page.locator("body").evaluate(AXE_RUN) == []


@pytest.mark.parametrize("address", [*ADDRESSES, SINGLE])
def test_a_page_fits_a_narrow_window(visit: Visit, address: str) -> None:
    opened = visit(address)
    for width in (420, 853, 1280):
        opened.page.set_viewport_size({"width": width, "height": 720})
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width


NUMBER_STOPS = """() => {
    const stops = [...document.querySelectorAll('a[href], button, input:enabled, summary, [tabindex="0"]')]
        .filter(stop => stop.checkVisibility() && !(stop.type === 'radio' && !stop.checked));
    stops.forEach((stop, number) => { stop.dataset.stop = number; });
    return stops.length;
}"""
FOCUSED = """() => {
    const stop = document.activeElement;
    const box = stop.getBoundingClientRect();
    const inView = box.bottom > 0 && box.top < innerHeight;
    return stop.dataset.stop === undefined ? null : [Number(stop.dataset.stop), inView];
}"""


def test_a_lesson_can_be_walked_through_by_the_keyboard(visit: Visit) -> None:
    address, idea = LIVING[0]
    opened = visit(address)
    page = opened.page
    count = page.evaluate(NUMBER_STOPS)
    reached = []
    for _ in range(2 * count):  # the browser stops at some frames that scroll, too
        page.keyboard.press("Tab")
        stop = page.evaluate(FOCUSED)
        if stop:
            reached.append(stop)
        if len(reached) == count:
            break
    assert [number for number, _ in reached] == list(range(count))
    assert all(in_view for _, in_view in reached)
    fold = page.locator("main summary").first
    fold.press("Enter")
    expect(page.locator("main details").first).to_have_attribute("open", "")
    buttons = opened.explorer(idea).root.locator("fieldset").first.locator("input")
    chosen = buttons.evaluate_all("all => all.findIndex(one => one.checked)")
    buttons.nth(chosen).press("ArrowLeft")  # it goes round
    expect(buttons.nth((chosen - 1) % buttons.count())).to_be_checked()
