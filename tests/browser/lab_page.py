"""A notebook open in JupyterLab, driven through its own commands, and what a reader does with it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote, urlencode

from playwright.sync_api import ConsoleMessage, Error, JSHandle, Locator, Page, TimeoutError

START_TIMEOUT_MS = 300_000
WIDGET_TIMEOUT_MS = 2_000
"""A widget in view is drawn well within this; longer would only lengthen the search."""
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
WIDGET_CELLS = """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap((cell, index) =>
    JSON.stringify(cell.model.outputs?.toJSON() ?? '').includes('jupyter.widget-view') ? [index] : [])"""
SCROLL_TO_CELL = "async index => { await window.jupyterapp.shell.currentWidget.content.scrollToItem(index, 'start'); }"
OUTPUT_OF_CELL = """index => window.jupyterapp.shell.currentWidget.content.widgets[index].node
    .querySelector('.jp-Cell-outputWrapper')"""
NOT_OURS = "Failed to execute 'removeChild' on 'Node'"
"""JupyterLab's windowed notebook takes a cell out of the document a second time when other work delays it
(jupyterlab/jupyterlab#15415); no code of the course removes nodes."""
KERNEL_IDLE = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"


def save_screenshot(name: str, shown: Page | Locator) -> None:
    """Save a picture of what is shown as NAME.png in $COURSE_SCREENSHOTS, if that is set."""
    folder = os.environ.get("COURSE_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        shown.screenshot(path=Path(folder) / f"{name}.png")


class LabPage:
    """The notebook of that file name in a browser page of its own.

    `errors` holds each console error and uncaught exception since it opened, JupyterLab's own `NOT_OURS` left out.
    """

    def __init__(self, page: Page, notebook: str, server_url: str, token: str) -> None:
        self.page = page
        self.notebook = notebook
        self.errors: list[str] = []
        # A workspace of its own: a shared one opens the last notebook again, whose widgets ended with its kernel.
        path = f"workspaces/{Path(notebook).stem}/tree/{quote(notebook)}"
        self._address = f"{server_url}lab/{path}?{urlencode({'token': token})}"
        page.on("console", self._note_console)
        page.on("pageerror", self._note_exception)

    def open(self) -> None:
        """Open the notebook and wait until its kernel is idle."""
        self.page.goto(self._address)
        self.page.wait_for_function(NOTEBOOK_READY, arg=self.notebook, timeout=START_TIMEOUT_MS)

    def run_all(self, timeout_s: float) -> None:
        """Run all cells from a cleared notebook and wait until the last is done and the kernel idle."""
        self.command("notebook:clear-all-cell-outputs")
        self.page.set_default_timeout(timeout_s * 1000)
        self.command("notebook:run-all-cells")  # its promise ends with the last cell, or the first that fails
        self.page.wait_for_function(KERNEL_IDLE)
        self.page.set_default_timeout(START_TIMEOUT_MS)

    def save(self) -> None:
        """Save the notebook, as its autosave does."""
        self.command("docmanager:save")

    def cell_problems(self) -> list[str]:
        """The code cells that did not run or that show an error, each with its first line."""
        states = self.page.evaluate(CELL_STATES)
        return [
            f"`{state['source'].partition(chr(10))[0]}`: {state['error'] or 'did not run'}"
            for state in states
            if state["error"] or not state["ran"]
        ]

    def find(self, selector: str) -> Locator:
        """The first widget that matches in the notebook, scrolled into view; raises AssertionError if there is none.

        JupyterLab keeps only the cells near the visible ones in the document, so this scrolls from widget to widget.
        """
        element = self.page.locator(f".jp-Notebook {selector}").first
        for index in self.widget_cells():
            self.scroll_to(index)
            try:
                element.wait_for(state="attached", timeout=WIDGET_TIMEOUT_MS)
            except TimeoutError:
                continue
            element.scroll_into_view_if_needed()
            return element
        raise AssertionError(f"no widget of {self.notebook} is {selector}")

    def widget_cells(self) -> list[int]:
        """The numbers of the cells that show a widget."""
        return list(self.page.evaluate(WIDGET_CELLS))

    def scroll_to(self, index: int) -> None:
        """Bring a cell to the top of the window, and so into the document."""
        self.page.evaluate(SCROLL_TO_CELL, index)

    def output_of(self, index: int) -> JSHandle:
        """The element with the outputs of a cell that is in the document."""
        return self.page.evaluate_handle(OUTPUT_OF_CELL, index)

    def set_theme(self, name: str) -> None:
        """Change to "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate("name => window.jupyterapp.commands.execute('apputils:change-theme', {theme: name})", name)
        self.page.wait_for_selector(f'body[data-jp-theme-name="{name}"]', state="attached")

    def screenshot(self, name: str, element: Locator | None = None) -> None:
        """Save a picture of the element, or of the page, as NAME.png in $COURSE_SCREENSHOTS, if that is set."""
        save_screenshot(name, element or self.page)

    def close(self) -> None:
        """End the notebook's kernel and close the page."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()

    def command(self, name: str) -> None:
        """Run a command of JupyterLab and wait until it is done."""
        self.page.evaluate("name => window.jupyterapp.commands.execute(name).then(() => null)", name)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._note(f"{message.text} ({message.location.get('url', '')})")

    def _note_exception(self, error: Error) -> None:
        self._note(str(error))

    def _note(self, text: str) -> None:
        if NOT_OURS not in text:
            self.errors.append(text)
