"""The course in JupyterLab itself: each notebook runs without errors, and each explorer answers the keyboard."""

import pytest
from browser.conftest import AXE_RUN, EXPLORERS, STEMS, THEMES
from browser.explorer import ExplorerOnPage
from browser.lab_page import LabPage


@pytest.mark.parametrize("notebook", STEMS)
def test_notebook_runs_without_errors(lab: LabPage) -> None:
    lab.screenshot(lab.notebook.removesuffix(".ipynb"))
    assert lab.cell_problems() == []
    assert lab.errors == []


@pytest.mark.parametrize(("notebook", "css_class"), EXPLORERS)
def test_a_key_press_changes_picture_and_text(lab: LabPage, css_class: str) -> None:
    explorer = ExplorerOnPage(lab.find(f".course-explorer.{css_class}"))
    before = explorer.picture.get_attribute("src"), explorer.picture.get_attribute("alt"), explorer.summary
    explorer.press()
    after = explorer.picture.get_attribute("src"), explorer.picture.get_attribute("alt"), explorer.summary
    assert all(before)
    assert all(after)
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert lab.errors == []


@pytest.mark.parametrize(("notebook", "css_class"), EXPLORERS)
def test_explorer_fits_the_page_in_both_themes(lab: LabPage, css_class: str) -> None:
    root = lab.find(f".course-explorer.{css_class}")
    for theme in THEMES:
        lab.set_theme(theme)
        lab.screenshot(f"{css_class}_{theme.split()[-1].lower()}", root)
        assert root.evaluate("root => root.scrollWidth <= root.clientWidth"), f"a scroll bar appears in {theme}"


@pytest.mark.parametrize("notebook", STEMS)
def test_axe_finds_nothing_serious_in_a_lessons_widgets(lab: LabPage, axe: str) -> None:
    lab.page.evaluate(f"{axe}; null")
    for theme in THEMES:
        lab.set_theme(theme)
        for index in lab.widget_cells():
            lab.scroll_to(index)
            assert lab.output_of(index).evaluate(AXE_RUN) == [], f"cell {index} in {theme}"
