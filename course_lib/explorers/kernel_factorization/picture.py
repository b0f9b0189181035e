"""The picture of the kernel factorisation explorer: the stack, the patch it sees, and what it costs."""

from __future__ import annotations

from course_lib.architecture import Conv, seq
from course_lib.explorers.kernel_factorization.result import KernelFactorization, megas
from course_lib.explorers.svg_elements import picture, rect, tag, text

WIDTH, HEIGHT = 1080, 440
TOP = 60  # below the panels' titles
# From light to dark yellow-to-blue steps that stay apart for colour-blind eyes; the numbers carry the meaning.
SHADES = (
    *("#fff6c2", "#fbe38e", "#e6d37f", "#cfd08f", "#aecb9f"),
    *("#8fc0b0", "#72aebf", "#5796c4", "#3f7dbd", "#2b62a6"),
)
DARK_FROM = 8
MACS_BAR, PARAMS_BAR = "#0072B2", "#D55E00"


def draw_kernel_factorization(result: KernelFactorization) -> str:
    """The picture of `result` as SVG, 1080 by 440 CSS pixels."""
    shades = _shades(len(result.rows))
    return picture([*_stack(result, shades), *_patch(result, shades), *_bars(result)], WIDTH, HEIGHT)


def _stack(result: KernelFactorization, shades: list[int]) -> list[str]:
    """The convolutions from the input (top) to the output, each with its kernel's cells."""
    parts = [text(16, 26, "the stack", size=21, font_weight="bold")]
    row_height = min(130.0, (HEIGHT - TOP - 10) / len(result.rows))
    convolutions = [layer for layer in seq(result.factorized).layers if isinstance(layer, Conv)]
    for index, (row, layer) in enumerate(zip(result.rows, convolutions, strict=True)):
        middle = TOP + (index + 0.5) * row_height
        if index:  # data flows from the badge above to this one
            parts.append(
                tag("path", d=f"M24 {middle - row_height + 15:.1f}V{middle - 15:.1f}", stroke="black", stroke_width=2)
            )
        parts += _cells(layer.kernel_size, 115, middle, row_height, SHADES[shades[index]])
        parts += _badge(24, middle, index, shades[index])
        height, width = row.out_shape[1:]
        between = "" if layer.activation == "relu" else " linear"
        line = f"{result.kernels[index]}{between}  →  {height}×{width}"
        parts.append(text(195, middle - 11 if row_height > 46 else middle, line))
        macs = f"{megas(row.macs)} MACs"
        parts.append(
            text(195, middle + 13, macs, fill="#444") if row_height > 46 else text(372, middle, macs, fill="#444")
        )
    return parts


def _patch(result: KernelFactorization, shades: list[int]) -> list[str]:
    """The pixels of the input that one output unit sees; the number says after which layer."""
    left, size = 545, 300
    parts = [text(left - 20, 26, "patch seen after layer", size=21, font_weight="bold")]
    extent = max(result.after.receptive_field)
    cell = size / extent
    fields = [row.receptive_field for row in result.rows]
    for index in reversed(range(len(fields))):  # the smallest patch comes last, on top
        height, width = fields[index]
        x, y = left + (extent - width) / 2 * cell, TOP + (extent - height) / 2 * cell
        outline = {"fill": SHADES[shades[index]], "stroke": "black", "stroke_width": 2}
        parts.append(rect(x, y, width * cell, height * cell, **outline))
    lines = "".join(f"M{left + i * cell:.1f} {TOP}v{size}M{left} {TOP + i * cell:.1f}h{size}" for i in range(1, extent))
    parts.append(tag("path", d=lines, stroke="white", stroke_width=1, fill="none", opacity=0.7))
    for index, (height, width) in enumerate(fields):
        x, y = left + (extent + width - 1) / 2 * cell, TOP + (extent - height + 1) / 2 * cell
        parts += _badge(x, y, index, shades[index], radius=min(15.0, 0.42 * cell))
    height, width = result.after.receptive_field
    parts.append(text(left + size / 2, TOP + size + 30, f"{height}×{width} pixels", text_anchor="middle"))
    return parts


def _bars(result: KernelFactorization) -> list[str]:
    """MACs and parameters as shares of the original's, which the dashed line marks."""
    left, full = 885, 100.0  # CSS pixels; `full` is the original's bar, the dearest stack needs 1.8 of it
    parts = [text(left, 26, "cost", size=21, font_weight="bold")]
    before, after = result.before, result.after
    costs = (
        ("MACs", megas(before.macs), megas(after.macs), after.macs / before.macs, MACS_BAR),
        ("parameters", f"{before.params:,}", f"{after.params:,}", after.params / before.params, PARAMS_BAR),
    )
    for index, (name, old, new, share, color) in enumerate(costs):
        y = TOP + 10 + 165 * index
        parts.append(text(left, y, name))
        parts.append(text(left, y + 30, old if result.rewrites == 0 else f"{old} →", fill="#444"))
        parts.append(
            text(left, y + 58, "" if result.rewrites == 0 else f"{new}  ({share - 1:+.0%})", font_weight="bold")
        )
        parts.append(rect(left, y + 76, full * share, 34, fill=color))
        parts.append(
            tag("path", d=f"M{left + full} {y + 70}v46", stroke="black", stroke_width=2, stroke_dasharray="5 3")
        )
    parts.append(text(left + full, TOP + 310, "original", text_anchor="middle", fill="#444"))
    return parts


def _shades(count: int) -> list[int]:
    """Indices of `count` shades spread over the scale; one layer alone takes the middle."""
    return [round(i * (len(SHADES) - 1) / (count - 1)) for i in range(count)] if count > 1 else [3]


def _cells(kernel_size: tuple[int, int], x: float, y: float, room: float, color: str) -> list[str]:
    """A kernel drawn cell by cell around (x, y), as large as the row allows."""
    height, width = kernel_size
    cell = min(22.0, 0.86 * room / max(height, 3), 126 / max(width, 3))
    left, top = x - width * cell / 2, y - height * cell / 2
    lines = "".join(f"M{left + i * cell:.1f} {top:.1f}v{height * cell:.1f}" for i in range(1, width))
    lines += "".join(f"M{left:.1f} {top + i * cell:.1f}h{width * cell:.1f}" for i in range(1, height))
    return [
        rect(left, top, width * cell, height * cell, fill=color, stroke="black", stroke_width=1.5),
        tag("path", d=lines, stroke="black", stroke_width=0.8),
    ]


def _badge(x: float, y: float, index: int, shade: int, radius: float = 15.0) -> list[str]:
    """The layer's number in a circle of its colour."""
    color = "white" if shade >= DARK_FROM else "black"
    label = text(x, y, str(index + 1), size=round(1.2 * radius), text_anchor="middle", fill=color, font_weight="bold")
    return [tag("circle", cx=x, cy=y, r=radius, fill=SHADES[shade], stroke="black"), label]
