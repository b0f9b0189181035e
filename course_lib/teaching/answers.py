"""What gives an answer away, folded until the reader asks for it.

`<details>` is the one fold that JupyterLab, Notebook 7, VS Code and an exported page all have, that "Run All" does not
open, and that needs no kernel. Prose is folded in the lesson itself, in a Markdown cell of `<details>`.
"""

from __future__ import annotations

from base64 import b64encode
from html import escape

from IPython.core.formatters import DisplayFormatter
from IPython.core.interactiveshell import InteractiveShell

SUMMARY = "Show the answer"
_STYLE = "cursor: pointer; font-weight: 600; padding: 6px 0"


class FoldedAnswer:
    """What `fold_answer` returns: shown, it is the one line `SUMMARY`, which unfolds by a click, Enter or Space."""

    def __init__(self, parts: tuple[object, ...]) -> None:
        self._plain = "\n".join(part if isinstance(part, str) else repr(part) for part in parts)
        self._html = "\n".join(map(_html, parts))

    def __repr__(self) -> str:
        return self._plain

    def _repr_html_(self) -> str:
        summary = f'<summary style="{_STYLE}">{SUMMARY}</summary>'
        return f'<details class="course-answer">{summary}\n{self._html}\n</details>'


def fold_answer(*parts: object) -> FoldedAnswer:
    """Fold what answers the question just asked: text, tables, figures and all else that shows as HTML or text.

    Use it as the last expression of a cell. A widget cannot be folded, since it has no form of its own without kernel.
    """
    return FoldedAnswer(parts)


def _formatter() -> DisplayFormatter:
    shell = InteractiveShell.instance() if InteractiveShell.initialized() else None
    return shell.display_formatter if shell else DisplayFormatter()


def _html(part: object) -> str:
    if isinstance(part, str):
        return f"<pre>{escape(part)}</pre>" if "\n" in part else f"<p>{escape(part)}</p>"
    formats = _formatter().format(part)[0]
    for kind in ("text/html", "image/svg+xml"):
        if kind in formats:
            return str(formats[kind])
    if "image/png" in formats:
        content = formats["image/png"]
        encoded = b64encode(content).decode() if isinstance(content, bytes) else str(content)
        return f'<img src="data:image/png;base64,{encoded}" alt="">'
    return f"<pre>{escape(str(formats['text/plain']))}</pre>"
