"""The picture of the grid reduction explorer: four ways side by side, their representations drawn to scale."""

from __future__ import annotations

import re

from course_lib.architecture import Branches, LayerCost
from course_lib.explorers.grid_reduction.result import NAMES, GridReduction, Shape, WayCost
from course_lib.explorers.kernel_factorization.result import megas
from course_lib.explorers.svg_elements import picture, rect, tag, text

WIDTH, HEIGHT = 1080, 500
PANEL, GAP, LEFT, PADDING = 265, 5, 2.5, 10
PLACES = 80.0  # CSS pixels: height of a representation on the grid that comes in
CHANNELS = 100.0  # width of the channels that leave
STEPS = (48.0, 168.0, 288.0)  # upper edges of the representations
INPUT, CONVOLVED, POOLED = "#d0d0d0", "#8fc0e0", "#f2cf7a"
CHOSEN, MACS_BAR, SIZE_BAR = "#0072B2", "#0072B2", "#D55E00"
BAR = 240.0  # the dearest way's MACs
OUTPUT_BAR = 136.0  # the number of values that leaves


def draw_grid_reduction(result: GridReduction) -> str:
    """The picture of `result` as SVG, 1080 by 500 CSS pixels; the chosen way stands in a frame."""
    parts: list[str] = []
    for number, cost in enumerate(result.costs):
        left = LEFT + number * (PANEL + GAP)
        parts += [*_frame(left, cost is result.chosen), *_panel(result, cost, left + PADDING)]
    note = "Area is the number of values: height the places of the grid, width the channels."
    parts.append(text(LEFT + PADDING, HEIGHT - 14, note, size=17, fill="#444"))
    return picture(parts, WIDTH, HEIGHT)


def _frame(left: float, chosen: bool) -> list[str]:
    look = {"stroke": CHOSEN, "stroke_width": 5} if chosen else {"stroke": "#b0b0b0", "stroke_width": 1.5}
    return [rect(left, 4, PANEL, HEIGHT - 36, fill="white", rx=8, **look)]


def _panel(result: GridReduction, cost: WayCost, left: float) -> list[str]:
    parts = [text(left, 26, NAMES[cost.way], size=18, font_weight="bold")]
    if isinstance(cost.value, Branches):
        parts += [*_representation(result, result.in_shape, INPUT, left, STEPS[0]), *_beside(cost, left)]
        parts += _joined(result, cost, left)
    else:
        colors = (INPUT, *(CONVOLVED if row.macs else POOLED for row in cost.rows))
        tops = STEPS[:: 3 - len(cost.rows)]  # a single step leads from the first edge to the last
        for shape, color, top in zip(cost.shapes, colors, tops, strict=True):
            parts += _representation(result, shape, color, left, top)
        for row, top, end in zip(cost.rows, tops, tops[1:], strict=False):
            start = top + PLACES + 4
            parts += _arrow(left + 12, start, end - start - 10)
            parts.append(text(left + 30, (start + end - 10) / 2, _operation(row), size=18))
    return parts + _bars(result, cost, left)


def _scale(result: GridReduction, shape: Shape) -> tuple[float, float]:
    """Width and height of the representation's rectangle."""
    channels, height, width = shape
    out_channels = result.costs[0].shapes[-1][0]
    places = result.in_shape[1] * result.in_shape[2]
    return CHANNELS * channels / out_channels, PLACES * height * width / places


def _representation(result: GridReduction, shape: Shape, color: str, left: float, top: float) -> list[str]:
    width, height = _scale(result, shape)
    return [rect(left, top, width, height, fill=color, stroke="black"), *_size(shape, left, top)]


def _size(shape: Shape, left: float, top: float) -> list[str]:
    """Shape and number of values, beside a representation."""
    channels, height, width = shape
    x = left + CHANNELS + 8
    return [
        text(x, top + 10, f"{height}×{width}×{channels}", size=16, font_weight="bold"),
        text(x, top + 33, _values(channels * height * width), size=17),
    ]


def _values(count: int) -> str:
    return f"{count:,} values" if count < 1_000_000 else f"{megas(count)} values"


def _arrow(x: float, top: float, length: float) -> list[str]:
    """An arrow downwards."""
    line = tag("path", d=f"M{x:.1f} {top:.1f}v{length - 7:.1f}", stroke="black", stroke_width=2)
    return [line, tag("path", d=f"M{x - 6:.1f} {top + length - 9:.1f}h12l-6 9z")]


def _operation(row: LayerCost) -> str:
    return re.sub(r"(?<=\d)x(?=\d)", "×", row.operation)


def _beside(cost: WayCost, left: float) -> list[str]:
    """The two operations of the parallel way: a line from the input parts into an arrow each."""
    top = STEPS[0] + PLACES + 12
    arrows = (left + 12, left + CHANNELS - 10)
    fork = f"M{arrows[0]:.1f} {top - 8:.1f}v8H{arrows[1]:.1f}"
    parts = [tag("path", d=fork, stroke="black", stroke_width=2, fill="none")]
    for x, row in zip(arrows, cost.rows, strict=True):
        parts += _arrow(x, top, STEPS[2] - top - 4)
        words = _operation(row).split()  # below one another: "conv", "3×3/2", "64" and "max", "pool", "3×3/2"
        parts += [text(x + 14, STEPS[1] + 24 * line, word, size=18) for line, word in enumerate(words)]
    return parts


def _joined(result: GridReduction, cost: WayCost, left: float) -> list[str]:
    """The output of the parallel way: the convolution's channels, then the pool's."""
    parts = []
    x = left
    for row, color in zip(cost.rows, (CONVOLVED, POOLED), strict=True):
        width, height = _scale(result, row.out_shape)
        parts.append(rect(x, STEPS[2], width, height, fill=color, stroke="black"))
        x += width
    return parts + _size(cost.shapes[-1], left, STEPS[2])


def _bars(result: GridReduction, cost: WayCost, left: float) -> list[str]:
    """MACs against the dearest way's, and the narrowest representation against what leaves."""
    macs, top = cost.total.macs, 350.0
    narrow = cost.narrowest / cost.sizes[-1]
    label = "bottleneck" if cost.has_bottleneck else "narrowest"
    dashes = {"stroke": "black", "stroke_width": 2, "stroke_dasharray": "5 3"}
    return [
        text(left, top, f"{megas(macs)} MACs", size=18, font_weight="bold"),
        text(left, top + 24, f"= {_product(cost)}", size=18, font_weight="bold"),
        rect(left, top + 36, max(2.0, BAR * macs / result.most_macs), 16, fill=MACS_BAR),
        text(
            left,
            top + 74,
            f"{label}: {_values(cost.narrowest)}",
            size=16,
            font_weight="bold" if cost.has_bottleneck else "normal",
        ),
        rect(left, top + 86, OUTPUT_BAR * narrow, 16, fill=SIZE_BAR),
        tag("path", d=f"M{left + OUTPUT_BAR} {top + 83:.1f}v22", **dashes),
        text(left + OUTPUT_BAR + 8, top + 94, "what leaves", size=17, fill="#444"),
    ]


def _product(cost: WayCost) -> str:
    """The convolution's MACs as the product they are: kernel, input channels, filters, places."""
    row = next(row for row in cost.rows if row.macs)
    kernel = row.operation.split()[1].partition("x")[0]
    power = "" if kernel == "1" else f"{kernel}²·"
    return f"{power}{row.in_shape[0]}·{row.out_shape[0]}·{row.out_shape[1]}²"
