"""How long the explorers of static pages take: from a cold load to the first answer, and from a key press to a picture.

CPU seconds are those of all of the browser's processes, which a busy machine stretches less than the clock's.
"""

import statistics
import time
from collections.abc import Callable

import pytest
from browser.site_page import SINGLE, SitePage
from browser.test_latency import BOUND_MS, PRESSES
from browser.test_site import LIVING
from playwright.sync_api import Browser

from course_lib.explorers.ideas import IDEAS

COLD_START_S = 10


def cpu_seconds(browser: Browser) -> float:
    """What all processes of the browser that are alive have used since they began."""
    session = browser.new_browser_cdp_session()
    try:
        return sum(process["cpuTime"] for process in session.send("SystemInfo.getProcessInfo")["processInfo"])
    finally:
        session.detach()


@pytest.mark.parametrize(("address", "idea"), [LIVING[0], (SINGLE, next(iter(IDEAS)))])
@pytest.mark.parametrize("way", ["file", "server"])
def test_time_from_a_cold_load_to_the_first_answer(
    browser: Browser,
    visit: Callable[..., SitePage],
    report_line: Callable[[str], None],
    pytestconfig: pytest.Config,
    address: str,
    idea: str,
    way: str,
) -> None:
    began, used = time.monotonic(), cpu_seconds(browser)
    explorer = visit(address, way).explorer(idea)
    explorer.press(explorer.sliders()[0])
    elapsed, used = time.monotonic() - began, cpu_seconds(browser) - used
    report_line(f"{address} by {way}: {elapsed:.1f} s from a cold load to the first answer, {used:.1f} CPU seconds")
    if pytestconfig.getoption("--time-bounds"):
        assert elapsed <= COLD_START_S


@pytest.mark.parametrize("idea", IDEAS)
def test_latency_of_a_key_press(
    visit: Callable[..., SitePage], report_line: Callable[[str], None], pytestconfig: pytest.Config, idea: str
) -> None:
    explorer = visit(SINGLE).explorer(idea)
    slider = explorer.sliders()[0]
    explorer.press(slider)  # the first one starts Python
    milliseconds = [explorer.press(slider) for _ in range(PRESSES)]
    median, p95 = statistics.median(milliseconds), statistics.quantiles(milliseconds, n=20)[-1]
    report_line(f"{idea} on a page: {median:.0f} ms from key to picture (median), {p95:.0f} ms (95th of {PRESSES})")
    if pytestconfig.getoption("--time-bounds"):
        assert p95 <= BOUND_MS
