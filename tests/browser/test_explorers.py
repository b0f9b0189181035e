"""Every explorer as it is met in a lecture hall: on a projector, by keyboard, by typing, by a screen reader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser.conftest import AXE_RUN, EXPLORERS, THEMES
from browser.lab_page import LabPage
from playwright.sync_api import Locator, expect

CLASSES = [css_class for _, css_class in EXPLORERS]
PROJECTOR = {"width": 1280, "height": 720}
ZOOMED = {"width": 853, "height": 480}
"""What a zoom of 150 % leaves of the projector, in CSS pixels."""
ROOM = 560
"""Height in pixels that menu, tool bar and tabs leave of the projector."""
LINES = 3
"""Of the longest sentences, some 290 letters."""
NATURAL_WIDTH = 1080
LEAST_FONT = 16
"""Of the texts in a picture at its natural width; 11 px are a newspaper's small print."""
LEGIBLE = 11
AGREES = """row => {
    const box = row.querySelector('input'), handle = row.querySelector('.noUi-handle');
    const said = handle.getAttribute('aria-valuetext').replace('\u2212', '-');  // a true minus sign
    return parseFloat(said) === parseFloat(box.value);
}"""
OUTSIDE = """root => {
    const frame = root.getBoundingClientRect();
    return [...root.querySelectorAll('button, input, .noUi-handle, [role=status]')]
        .filter(part => { const box = part.getBoundingClientRect();
                          return box.left < frame.left - 12 || box.right > frame.right + 12 || !box.width; })
        .map(part => part.outerHTML.slice(0, 200));
}"""

pytestmark = pytest.mark.parametrize(("notebook", "css_class"), [("explorers", name) for name in CLASSES])


@pytest.fixture
def root(lab: LabPage, css_class: str) -> Iterator[Locator]:
    """The explorer on the projector, file browser open."""
    before = lab.page.viewport_size
    lab.page.set_viewport_size(PROJECTOR)
    yield lab.find(f".course-explorer.{css_class}")
    lab.page.set_viewport_size(before)


def text_size_in_picture(root: Locator) -> float:
    """CSS pixels of the smallest text in the picture as it is shown."""
    width = root.locator(".explorer-picture img").evaluate("image => image.getBoundingClientRect().width")
    return LEAST_FONT * width / NATURAL_WIDTH


def status_size(root: Locator) -> float:
    size = root.locator("[role=status]").evaluate("status => parseFloat(getComputedStyle(status).fontSize)")
    return float(size)


def test_fits_the_projector(lab: LabPage, root: Locator, css_class: str) -> None:
    for theme in THEMES:
        lab.set_theme(theme)
        root.scroll_into_view_if_needed()
        lab.screenshot(f"projector_{css_class}_{theme.split()[-1].lower()}", root)
        assert root.evaluate("root => root.scrollWidth <= root.clientWidth"), f"a scroll bar appears in {theme}"
        status = root.locator("[role=status]")
        line = float(status.evaluate("status => parseFloat(getComputedStyle(status).lineHeight)"))
        rest = root.bounding_box()["height"] - status.bounding_box()["height"]
        assert rest + max(LINES * line, status.bounding_box()["height"]) <= ROOM
        assert text_size_in_picture(root) >= LEGIBLE


def test_text_grows_in_presentation_mode(lab: LabPage, root: Locator, css_class: str) -> None:
    before = status_size(root)
    lab.command("application:toggle-presentation-mode")
    try:
        lab.screenshot(f"presentation_{css_class}", root)
        assert status_size(root) >= 1.2 * before
        assert text_size_in_picture(root) >= LEGIBLE
        assert root.evaluate(OUTSIDE) == []
    finally:
        lab.command("application:toggle-presentation-mode")


@pytest.mark.parametrize("size", [ZOOMED, {"width": 800, "height": 720}], ids=["zoom 150 %", "800 px"])
def test_usable_where_room_is_scarce(lab: LabPage, root: Locator, css_class: str, size: dict[str, int]) -> None:
    lab.page.set_viewport_size(size)
    root.scroll_into_view_if_needed()
    lab.screenshot(f"{size['width']}_px_{css_class}", root)
    assert root.evaluate(OUTSIDE) == []
    assert text_size_in_picture(root) >= LEGIBLE


def test_axe_finds_nothing_serious(lab: LabPage, root: Locator, css_class: str, axe: str) -> None:
    lab.page.evaluate(f"{axe}; null")
    for theme in THEMES:
        for size in (PROJECTOR, ZOOMED):
            lab.set_theme(theme)
            lab.page.set_viewport_size(size)
            assert root.evaluate(AXE_RUN) == [], f"in {theme} at {size}"


def test_handles_have_names_and_pressed_buttons_say_so(lab: LabPage, root: Locator, css_class: str) -> None:
    rows = root.locator(".explorer-slider")
    assert rows.count() > 0
    for row in rows.all():
        expect(row.locator(".noUi-handle")).to_have_attribute("aria-label", row.locator("label").first.text_content())
        assert row.evaluate(AGREES)
    for row in root.locator(".explorer-choice").all():
        expect(row.locator("[aria-pressed=true]")).to_have_count(1)
        other = row.locator("[aria-pressed=false]").first
        text = other.inner_text()
        other.click()
        expect(row.locator("[aria-pressed=true]")).to_have_text(text)


@pytest.mark.parametrize("typed", ["0.1", "12.7", "6", "70", "-1000", "1e9"])
def test_what_is_typed_is_what_all_parts_show(lab: LabPage, root: Locator, css_class: str, typed: str) -> None:
    for row in root.locator(".explorer-slider").all():
        box = row.locator("input")
        if box.is_disabled():
            continue
        box.fill(typed)
        box.press("Enter")
        lab.page.wait_for_function(AGREES, arg=row.element_handle(), timeout=5000)
    assert lab.errors == []
