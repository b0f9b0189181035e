"""A notebook open in JupyterLab, driven through its own commands, and what a reader does with it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlencode

from playwright.sync_api import ConsoleMessage, Error, Locator, Page

START_TIMEOUT_MS = 60_000
CELL_STATES = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code' && cell.model.sharedModel.getSource().trim())
    .map(cell => ({
        source: cell.model.sharedModel.getSource(),
        ran: cell.model.executionCount !== null,
        error: cell.model.outputs.toJSON().filter(output => output.output_type === 'error')
            .map(output => `${output.ename}: ${output.evalue}`).join(),
    }))"""
NOTEBOOK_READY = """name => {
    const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.context?.path === name && panel.context.isReady && panel.sessionContext.isReady
        && panel.sessionContext.session?.kernel?.status === 'idle';
}"""
KERNEL_IDLE = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"


class LabPage:
    """One notebook in one browser page; `errors` holds each console error and uncaught exception since it opened."""

    def __init__(self, page: Page, server_url: str, token: str) -> None:
        self.page = page
        self.errors: list[str] = []
        self._server_url, self._token = server_url, token
        page.on("console", self._note_console)
        page.on("pageerror", self._note_exception)

    def open(self, notebook: str) -> None:
        """Open a notebook by its file name and wait until its kernel is idle."""
        address = f"{self._server_url}lab/tree/{quote(notebook)}?{urlencode({'token': self._token})}"
        self.page.goto(address)
        self.page.wait_for_function(NOTEBOOK_READY, arg=notebook, timeout=START_TIMEOUT_MS)

    def run_all(self, timeout_s: float) -> None:
        """Run all cells from a cleared notebook and wait until the last is done and the kernel idle."""
        self._command("notebook:clear-all-cell-outputs")
        self.page.set_default_timeout(timeout_s * 1000)
        self._command("notebook:run-all-cells")  # its promise ends with the last cell, or the first that fails
        self.page.wait_for_function(KERNEL_IDLE)
        self.page.set_default_timeout(START_TIMEOUT_MS)

    def cell_problems(self) -> list[str]:
        """The code cells that did not run or that show an error, each with its first line."""
        states = self.page.evaluate(CELL_STATES)
        return [
            f"`{state['source'].partition(chr(10))[0]}`: {state['error'] or 'did not run'}"
            for state in states
            if state["error"] or not state["ran"]
        ]

    def find(self, selector: str) -> Locator:
        """The first element that matches in the notebook, scrolled into view.

        JupyterLab keeps only the cells near the visible ones in the document, so this scrolls from cell to cell.
        """
        count = self.page.evaluate("() => window.jupyterapp.shell.currentWidget.content.widgets.length")
        element = self.page.locator(f".jp-Notebook {selector}").first
        for index in range(count):
            scroll = "async i => { await window.jupyterapp.shell.currentWidget.content.scrollToItem(i, 'start'); }"
            self.page.evaluate(scroll, index)
            if element.count():
                element.scroll_into_view_if_needed()
                return element
        raise AssertionError(f"no cell of the notebook shows {selector}")

    def set_theme(self, name: str) -> None:
        """Change to "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        self.page.wait_for_selector(f'body[data-jp-theme-name="{name}"]', state="attached")

    def screenshot(self, name: str, element: Locator | None = None) -> None:
        """Save a picture of the element, or of the page, as NAME.png in $COURSE_SCREENSHOTS, if that is set."""
        folder = os.environ.get("COURSE_SCREENSHOTS")
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            (element or self.page).screenshot(path=Path(folder) / f"{name}.png")

    def close(self) -> None:
        """End the notebook's kernel and close the page."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()

    def _command(self, name: str) -> None:
        self.page.evaluate("name => window.jupyterapp.commands.execute(name).then(() => null)", name)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _note_exception(self, error: Error) -> None:
        self.errors.append(str(error))
