"""The lecturer's guide on paper: one page a lesson."""

from __future__ import annotations

import re
from pathlib import Path

from browser.conftest import AXE_RUN, NOTEBOOKS
from browser.site_page import SitePage
from playwright.sync_api import Browser

from course_lib.authoring.guide import INDEX, build

PAGE = re.compile(rb"/Type\s*/Page\b")


def test_each_lesson_is_one_printed_page(browser: Browser, axe: str, tmp_path: Path) -> None:
    opened = SitePage(browser.new_page(), "about:blank")
    printed = {}
    for path in build(NOTEBOOKS, tmp_path):
        opened.page.goto(path.as_uri())
        printed[path.name] = len(PAGE.findall(opened.page.pdf(prefer_css_page_size=True)))
        opened.page.evaluate(f"{axe}; null")
        assert opened.page.locator("body").evaluate(AXE_RUN) == []
    assert INDEX in printed
    assert set(printed.values()) == {1}, printed
    assert (opened.errors, opened.outside) == ([], [])
    opened.page.close()
