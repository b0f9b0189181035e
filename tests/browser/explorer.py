"""An explorer on the page, used as by a reader without a mouse: a slider has the focus, an arrow key moves it."""

from __future__ import annotations

from playwright.sync_api import Locator

WATCH = """root => {
    const watch = {pressed: null, milliseconds: []};
    root.courseWatch = watch;
    root.addEventListener('keydown', () => { watch.pressed = performance.now(); }, true);
    const seen = () => [root.querySelector('.explorer-picture img')?.src,
                        root.querySelector('.explorer-summary')?.textContent];
    let before = seen();
    new MutationObserver(() => {
        const now = seen();
        if (watch.pressed === null || now[0] === before[0] || now[1] === before[1]) return;
        watch.milliseconds.push(performance.now() - watch.pressed);
        watch.pressed = null;
        before = now;
    }).observe(root, {subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['src']});
}"""
ENDS = ("now", "min", "max")
ANSWERED = "([root, count]) => root.courseWatch.milliseconds.length > count"


class WatchedExplorer:
    """An explorer's element in a page, which notes how long each answer to a key takes."""

    def __init__(self, root: Locator) -> None:
        self.root = root
        self._backwards = False
        root.evaluate(WATCH)

    def step(self, target: Locator, now: float, low: float, high: float) -> float:
        """Move a slider one step by an arrow key, turning at its ends, and wait for the answer.

        Args:
            target: what takes the key.
            now, low, high: where the slider stands, and its ends.

        Returns the milliseconds from the key press until both the picture and the summary were new in the document.
        """
        self._backwards = now >= high or (self._backwards and now > low)
        count = self.root.evaluate("root => root.courseWatch.milliseconds.length")
        target.focus()
        target.press("ArrowLeft" if self._backwards else "ArrowRight")
        self.root.page.wait_for_function(ANSWERED, arg=[self.root.element_handle(), count])
        return float(self.root.evaluate("root => root.courseWatch.milliseconds.at(-1)"))


class ExplorerOnPage(WatchedExplorer):
    """The explorer within `root`, the element that has the class `explorer-NAME`."""

    @property
    def picture(self) -> Locator:
        return self.root.locator(".explorer-picture img").first

    @property
    def summary(self) -> str:
        return self.root.locator(".explorer-summary").first.inner_text()

    def press(self) -> float:
        """Move the first slider, as `step`."""
        handle = self.root.locator(".noUi-handle").first
        return self.step(handle, *(float(handle.get_attribute(f"aria-value{name}") or "nan") for name in ENDS))
