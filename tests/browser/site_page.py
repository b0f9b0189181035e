"""A page of the static site in a browser without a network, and an explorer on it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from browser.explorer import WatchedExplorer
from browser.lab_page import save_screenshot
from playwright.sync_api import ConsoleMessage, Locator, Page, Request, Route

SINGLE = "explorers.html"
START_TIMEOUT_MS = 300_000
"""A cold start takes some nine CPU seconds; a shared machine may take minutes over them."""
LOCAL = ("file:", "data:", "blob:", "http://127.0.0.1:")


@dataclass(frozen=True)
class BuiltSite:
    """The folder of the site, and the single file beside it."""

    folder: Path
    single: Path

    def address(self, name: str, server: str | None) -> str:
        """Of the page `name`, or of the single file, from the server or from the disk."""
        path = self.single if name == SINGLE else self.folder / name.partition("?")[0]
        query = name.partition("?")[2]
        base = f"{server}/{quote(path.relative_to(self.single.parent).as_posix())}" if server else path.as_uri()
        return f"{base}?{query}" if query else base


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a plain server of files on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class SitePage:
    """A page of the site, opened.

    Attributes:
        errors: each console error, warning and uncaught exception since it opened.
        outside: each address beyond this machine that it asked for; none of them got an answer.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.errors: list[str] = []
        self.outside: list[str] = []
        page.set_default_timeout(START_TIMEOUT_MS)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_request)
        page.context.route("**/*", self._refuse_outside)
        page.goto(address)

    def explorer(self, idea: str) -> SiteExplorer:
        """The first explorer of that idea."""
        return SiteExplorer(self.page.locator(f".explorer[data-idea={idea}]").first)

    def screenshot(self, name: str) -> None:
        """Save a picture of what is in view as NAME.png in $COURSE_SCREENSHOTS, if that is set."""
        save_screenshot(name, self.page)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith(LOCAL):
            self.outside.append(request.url)

    def _refuse_outside(self, route: Route) -> None:
        if route.request.url.startswith(LOCAL):
            route.continue_()
        else:
            route.abort()


class SiteExplorer(WatchedExplorer):
    """An explorer on a page of the site, used by the keyboard."""

    @property
    def summary(self) -> str:
        return self.root.locator(".explorer-summary").inner_text()

    @property
    def note(self) -> str:
        return self.root.locator(".explorer-note").inner_text()

    @property
    def alt(self) -> str:
        return self.root.locator(".explorer-picture img").get_attribute("alt") or ""

    @property
    def picture(self) -> str:
        """The SVG text that is shown, once the page has drawn it itself."""
        source = self.root.locator(".explorer-picture img").get_attribute("src") or ""
        return unquote(source.removeprefix("data:image/svg+xml,"))

    @property
    def first_places(self) -> dict[str, Any]:
        """Where the controls stood when the page was made."""
        return json.loads(self.root.get_attribute("data-places") or "{}")

    def places(self) -> dict[str, float]:
        """Where each control stands now."""
        found = self.root.locator("input[type=range], input[type=radio]:checked").evaluate_all(
            "inputs => inputs.map(input => [input.dataset.control, Number(input.value)])"
        )
        return dict(found)

    def boxes(self) -> dict[str, str]:
        """What each number box shows."""
        found = self.root.locator("input[type=number]").evaluate_all(
            "inputs => inputs.map(input => [input.dataset.control, input.value])"
        )
        return dict(found)

    def control(self, name: str) -> Locator:
        """The slider of that name, or the chosen button."""
        return self.root.locator(f"input[data-control={name}]:is([type=range], :checked)")

    def sliders(self) -> list[Locator]:
        return self.root.locator("input[type=range]").all()

    def press(self, slider: Locator) -> float:
        """Move this slider, as `step`."""
        return self.step(
            slider, *(float(slider.evaluate(f"slider => slider.{name}")) for name in ("value", "min", "max"))
        )
