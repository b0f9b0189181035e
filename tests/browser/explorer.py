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
ANSWERED = "([root, count]) => root.courseWatch.milliseconds.length > count"


class ExplorerOnPage:
    """The explorer within `root`, the element that has the class `explorer-NAME`."""

    def __init__(self, root: Locator) -> None:
        self.root = root
        self._handle = root.locator(".noUi-handle").first
        self._backwards = False
        root.evaluate(WATCH)

    @property
    def picture(self) -> Locator:
        return self.root.locator(".explorer-picture img").first

    @property
    def summary(self) -> str:
        return self.root.locator(".explorer-summary").first.inner_text()

    def press(self) -> float:
        """Move the first slider one step by an arrow key, turning at its ends, and wait for the answer.

        Returns the milliseconds from the key press until both the picture and the summary were new in the document.
        """
        now, low, high = (
            float(self._handle.get_attribute(f"aria-value{name}") or "nan") for name in ("now", "min", "max")
        )
        self._backwards = now >= high or (self._backwards and now > low)
        count = self.root.evaluate("root => root.courseWatch.milliseconds.length")
        self._handle.focus()
        self._handle.press("ArrowLeft" if self._backwards else "ArrowRight")
        self.root.page.wait_for_function(ANSWERED, arg=[self.root.element_handle(), count])
        return self.root.evaluate("root => root.courseWatch.milliseconds.at(-1)")
