"""What a picture says, in words: the texts in its boxes, its notes, and the alternative text."""

from __future__ import annotations

import re

from ..nodes.layers import Layer
from ..nodes.node import Auxiliary, Branches, Node, Residual, Sequence
from ..nodes.signal import Shape, shape_text
from .outline import BlockRun, Part

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

# What stands in a picture (a pattern over its texts) and has to be explained under it.
NOTES = (
    (r"\S/\d", "/2: stride 2"),
    (r" V\b", "V: valid, no padding"),
    (r"conv .* linear$", "linear: no ReLU"),
    (r"loss ×", "dashed, loss × w: auxiliary head with weight w in the loss, in training only"),
    (r"\d·\d|\S \| \S", "a | b: branches side by side; a·b: one after another (1×1 reductions left out)"),
)


def box_text(node: Node) -> str:
    """A layer as its box shows it: `conv 3×3/2 V 64`, V for valid padding as in the Inception-v4 paper."""
    return times(node.describe().replace(" valid", " V"))


def times(text: str) -> str:
    """The text with a multiplication sign between numbers."""
    return re.sub(r"(?<=\d)x(?=\d)", "×", text)


def wire_text(shape: Shape | None) -> str:
    """`64x35x35`, or "" where it is not known."""
    return shape_text(shape or ())


def name_range(run: BlockRun) -> str:
    """The name of one block, or the first and the last of a run's; its kind where it has no name."""
    first, last = (part.name or box_text(part.node) for part in (run[0], run[-1]))
    return first if first == last else f"{first}\N{EN DASH}{last}"


def hint(node: Node) -> str:
    """A block's content in a few signs, `1×1 | 5×5 | 3×3·3×3 | pool`: its kernels without widths and reductions."""
    if isinstance(node, Layer):
        return times(node.sign.replace(" valid", " V"))
    if isinstance(node, Sequence):
        told = [hint(part) for part in node.layers]
        kept = [text for text in told if text != "1×1"] or told[:1] or ["identity"]
        return kept[0] if len(kept) == 1 else "·".join(_enclosed(text) for text in kept)
    if isinstance(node, Branches):
        return " | ".join(_enclosed(hint(path)) for path in node.paths)
    if isinstance(node, Residual):
        scale = "" if node.scale == 1 else f"{node.scale:g} × "
        return f"input + {scale}({hint(node.inner)})"
    return box_text(node)


def split_hint(text: str, separator: str) -> list[str]:
    """`text` at each `separator` that is not inside brackets."""
    return re.split(re.escape(separator) + r"(?![^(]*\))", text)


def notes(texts: list[str]) -> list[str]:
    """Explanations of the signs that occur in `texts`."""
    return [note for pattern, note in NOTES if any(re.search(pattern, text) for text in texts)]


def alternative_text(title: str, whole: Part, grouped: list[BlockRun]) -> str:
    """The picture for those who do not see it: every layer of every drawn block, in running order."""
    start, end = wire_text(whole.before), wire_text(whole.after)
    told = [_run_words(run) for run in grouped]
    if len(told) == 1 and len(grouped[0]) == 1:
        told = [words(grouped[0][0])]
        sentence = told[0][:1].upper() + told[0][1:]
    elif start:
        sentence = f"From {start} to {end}: {' then '.join(told)}"
    else:
        sentence = f"In order: {' then '.join(told)}" if told else "Nothing: the input as it is"
    return f"{title}: {sentence}." if title else f"{sentence}."


def words(part: Part) -> str:
    """A part in words, nested parts in brackets."""
    node = part.node
    if isinstance(node, Sequence):
        return " then ".join(_bracketed(child) for child in part.children) or "the input as it is"
    if isinstance(node, Branches):
        number = COUNTS[len(node.paths)] if len(node.paths) < len(COUNTS) else str(len(node.paths))
        plural = "branch" if len(node.paths) == 1 else "branches"
        on = f", on {_listed(node.widths)} of the channels," if node.widths else ""
        return f"{number} {plural}{on}{_from_to(part)}: {'; '.join(words(child) for child in part.children)}"
    if isinstance(node, Residual):
        after = ", then ReLU" if node.activation == "relu" else ""
        return f"residual, input plus {node.scale:g} times ({words(part.children[0])}){after}"
    if isinstance(node, Auxiliary):
        return f"auxiliary head with loss weight {node.weight:g} ({words(part.children[0])})"
    return node.describe()


def _run_words(run: BlockRun) -> str:
    first, last = run[0], run[-1]
    if len(run) == 1:
        return f"{first.name} ({words(first)})" if first.name and first.children else words(first)
    names = f"{first.name} to {last.name}, " if first.name else ""
    return f"{names}{len(run)} blocks of this form ({words(first)})"


def _listed(widths: tuple[int, ...]) -> str:
    *first, last = map(str, widths)
    return f"{', '.join(first)} and {last}" if first else last


def _enclosed(text: str) -> str:
    return f"({text})" if len(split_hint(text, " | ")) > 1 else text


def _bracketed(part: Part) -> str:
    if not part.children:
        return words(part)
    return f"{part.name} ({words(part)})" if part.name else f"({words(part)})"


def _from_to(part: Part) -> str:
    if part.before:
        return f" from {shape_text(part.before)} joined to {shape_text(part.after)}"
    return f" joined to {part.channels_after} channels" if part.channels_after else ""
