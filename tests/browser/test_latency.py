"""How long an explorer takes, from the key press to the new picture and text in the document."""

import statistics
from collections.abc import Callable

import pytest
from browser.conftest import EXPLORERS
from browser.explorer import ExplorerOnPage
from browser.lab_page import LabPage

PRESSES = 40
BOUND_MS = 100
"""Within a tenth of a second an answer seems to be the hand's own doing (Nielsen, Usability Engineering, 1993, 5.5)."""


@pytest.mark.parametrize(("notebook", "css_class"), EXPLORERS)
def test_latency_of_a_key_press(
    lab: LabPage, css_class: str, report_line: Callable[[str], None], pytestconfig: pytest.Config
) -> None:
    explorer = ExplorerOnPage(lab.find(f".course-explorer.{css_class}"))
    explorer.press()  # the first one compiles the page's code
    milliseconds = [explorer.press() for _ in range(PRESSES)]
    median, p95 = statistics.median(milliseconds), statistics.quantiles(milliseconds, n=20)[-1]
    report_line(
        f"{css_class}: {median:.0f} ms from key to picture (median), {p95:.0f} ms (95th percentile of {PRESSES})"
    )
    if pytestconfig.getoption("--time-bounds"):
        assert p95 <= BOUND_MS
