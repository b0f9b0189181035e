"""A paragraph on a slide: its first sentence and what it stresses; the whole goes to the lecturer's notes."""

from __future__ import annotations

import re
from html import unescape

WHOLE_BELOW = 170
"""A paragraph of fewer letters is not cut: about three lines of a slide."""

# After a name's initial or a short form a sentence goes on.
_END = re.compile(
    r"(?<![ (.][A-Z])(?<!\bal)(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)[.?!](?:</(?:strong|em)>)?\s+(?=[<A-Z`*\"“])"
)
_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*?(/?)>")
_VOID = {"img", "br"}


def shortened(paragraph: str) -> str:
    """The inner HTML of a paragraph for a slide: its first sentence, those with bold words, a last one with a colon.

    A short paragraph comes back as it is.
    """
    if len(_text(paragraph)) < WHOLE_BELOW:
        return paragraph
    first, *others = sentences(paragraph)
    kept = [part for part in others if "<strong>" in part or (part is others[-1] and _text(part).endswith(":"))]
    return " ".join([first, *kept])


def sentences(html: str) -> list[str]:
    """The sentences of a paragraph's inner HTML; an element that spans several is not torn."""
    found, start = [], 0
    for end in _END.finditer(html):
        part = html[start : end.end()]
        if _is_balanced(part):
            found.append(part.strip())
            start = end.end()
    return [*found, html[start:].strip()] if html[start:].strip() or not found else found


def _text(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def _is_balanced(html: str) -> bool:
    depth = 0
    for closing, name, alone in _TAG.findall(html):
        if name not in _VOID and not alone:
            depth += -1 if closing else 1
    return depth == 0
