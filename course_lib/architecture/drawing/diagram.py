"""From a value to its picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..nodes.node import Node, Sequence
from ..nodes.signal import Shape
from . import layout
from .layout import Piece
from .main_path import WIDTH, draw_block_types, draw_main_path
from .marks import Box, Label, image_html, render
from .outline import outline, runs
from .wording import alternative_text, notes

MARGIN = 24
NOTE_WIDTH = 300  # pixels that notes may take under a narrow picture


@dataclass(frozen=True)
class Diagram:
    """A picture of an architecture: `svg` is one SVG element, `text` says the same in words.

    Shown as a cell's result it is an image on its own white card, at most as wide as the page.
    """

    svg: str
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": image_html(self.svg, self.text), "text/plain": self.text}

    def save(self, path: str | Path) -> None:
        """Writes the picture as an SVG file.

        Raises:
            OSError: if the file cannot be written there.
        """
        Path(path).write_text(self.svg + "\n", encoding="utf-8")


def diagram(
    value: Node,
    input_shape: Shape | None = None,
    *,
    title: str | None = None,
    overview: bool | None = None,
    blocks: bool = False,
) -> Diagram:
    """The picture of `value`, read from the top down.

    A block is drawn in full. A network, a sequence with two or more named blocks, is drawn as an overview: every single
    layer, each block as one box with its kernels, and a run of blocks that differ only in inner widths as one box; a
    grey band holds what works on one grid. What is taller than a slide goes on in the next column.

    Args:
        input_shape: (channels, height, width) of one image; then the wires say what flows through them.
        title: stands above the picture; by default the value's name.
        overview: False draws a network's blocks in full, too, True boxes also unnamed ones.
        blocks: whether to add, beneath an overview, each type of block in full, as it is where it first stands.

    Raises:
        ArchitectureError: if the value does not fit `input_shape`, naming the layer, the shapes and what would fit.
    """
    whole = outline(value, input_shape)
    title = value.name if title is None else title
    if len(whole.children) == 1 and isinstance(whole.children[0].node, Sequence):
        whole = whole.children[0]  # a named sequence is the network itself
    if overview is None:
        overview = sum(1 for part in whole.children if part.name and part.is_block) > 1
    grouped = runs(whole.children) if overview else [(part,) for part in whole.children]
    pieces = [_title(title)] if title else []
    figures = [draw_main_path(whole, grouped, overview)]
    if overview and blocks:
        figures += draw_block_types(grouped)
    pieces.append(layout.flow(figures, WIDTH, 32, 32))
    text = alternative_text(title, whole, grouped)
    return Diagram(_page(pieces, title or "Architecture", text), text)


def _title(text: str) -> Piece:
    return layout.text_block([text], bold=True, size=18)


def _page(pieces: list[Piece], title: str, text: str) -> str:
    marks = [mark for piece in pieces for mark in layout.marks_of(piece, 0, 0)]
    shown = [line for mark in marks if isinstance(mark, Box) for line in mark.lines]
    shown += [mark.text for mark in marks if isinstance(mark, Label)]
    width = max(piece.width for piece in pieces)
    if explained := notes(shown):
        told = [layout.text_block([note]) for note in explained]
        pieces = [*pieces, layout.flow(told, max(width, NOTE_WIDTH), 24, 0)]
    page = layout.flow(pieces, 0, 0, 18)
    width, height = page.width + 2 * MARGIN, page.height + 2 * MARGIN
    return render(layout.marks_of(page, MARGIN, MARGIN), width, height, title, text)
