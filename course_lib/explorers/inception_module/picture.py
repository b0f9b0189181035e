"""The picture of the module explorer: each branch in a row with what it costs, beside the naive module's cost."""

from __future__ import annotations

from collections.abc import Callable

from course_lib.architecture import Branches, Conv, Node, Pool, layers_of
from course_lib.explorers.inception_module.result import ModuleResult
from course_lib.explorers.kernel_factorization.result import megas
from course_lib.explorers.svg_elements import picture, rect, tag, text

WIDTH, HEIGHT = 1080, 384
ROW, TOP = 68, 46
LEFT, JOIN = 40, 432  # of the boxes, and where branches join
BOX, BOX_HEIGHT, GAP = 68, 50, 9
MACS_LEFT, PARAMS_LEFT, BAR = 462, 778, 150.0
REDUCE, WINDOW, POOLED = "#f7d9c4", "#cfe3f1", "#e4e4e4"
MACS_BAR, PARAMS_BAR = "#0072B2", "#D55E00"


def draw_module(result: ModuleResult) -> str:
    """The picture of `result` as SVG, 1080 by 384 CSS pixels."""
    parts = [*_headings(result), *_wires(result)]
    most = [
        max(getattr(cost, what) for cost in (*result.costs, *result.naive_costs)) or 1 for what in ("macs", "params")
    ]
    for number, path in enumerate(result.value.paths):
        middle = TOP + ROW * (number + 0.5)
        parts += _branch(path, middle, number == 0)
        cost, naive = result.costs[number], result.naive_costs[number]
        parts += _bar(MACS_LEFT, middle, (cost.macs, naive.macs, most[0]), megas, MACS_BAR)
        parts += _bar(PARAMS_LEFT, middle, (cost.params, naive.params, most[1]), _thousands, PARAMS_BAR)
    return picture([*parts, *_totals(result)], WIDTH, HEIGHT)


def _headings(result: ModuleResult) -> list[str]:
    name = result.plan.name + ("" if result.is_unchanged else ", changed") + ("" if result.reduction else ", naive")
    return [
        text(14, 24, name, size=19, font_weight="bold"),
        text(MACS_LEFT, 24, "MACs by branch", size=19, font_weight="bold"),
        text(PARAMS_LEFT, 24, "parameters by branch", size=19, font_weight="bold"),
    ]


def _wires(result: ModuleResult) -> list[str]:
    """From the one input to every branch, and from every branch to where they join."""
    rows = [TOP + ROW * (number + 0.5) for number in range(len(result.value.paths))]
    lines = f"M{LEFT - 20} {rows[0]}V{rows[-1]}M{JOIN} {rows[0]}V{rows[-1]}"
    lines += "".join(f"M{LEFT - 20} {row}H{JOIN}" for row in rows)
    return [tag("path", d=lines, stroke="black", stroke_width=2, fill="none")]


def _branch(path: Node, middle: float, alone: bool) -> list[str]:
    """The boxes of one branch; `alone` says that its 1x1 reduces nothing."""
    parts = []
    for number, layer in enumerate(layers_of(path)):
        left = LEFT + number * (BOX + GAP)
        if isinstance(layer, Branches):
            for half, inner in zip((-1, 1), layer.paths, strict=True):
                lines = [" · ".join(_words(inner))]
                parts += _box(left, middle + half * 14, 1.5 * BOX, 26, lines, WINDOW)
        else:
            parts += _box(left, middle, BOX, BOX_HEIGHT, _words(layer), _color(layer, alone))
    return parts


def _box(left: float, middle: float, width: float, height: float, lines: list[str], color: str) -> list[str]:
    parts = [rect(left, middle - height / 2, width, height, rx=4, fill=color, stroke="black", stroke_width=1.5)]
    for number, line in enumerate(lines):
        y = middle + (number - (len(lines) - 1) / 2) * 21
        parts.append(text(left + width / 2, y, line, size=17, text_anchor="middle"))
    return parts


def _words(layer: Node) -> list[str]:
    """Window and channels, or the kind of a pool."""
    height, width = layer.kernel_size
    if isinstance(layer, Conv):
        return [f"{height}×{width}", str(layer.channels)]
    return [f"{height}×{width}", layer.kind]


def _color(layer: Node, alone: bool) -> str:
    if isinstance(layer, Pool):
        return POOLED
    return REDUCE if layer.kernel_size == (1, 1) and not alone else WINDOW


def _bar(
    left: float, middle: float, counts: tuple[int, int, int], written: Callable[[int], str], color: str
) -> list[str]:
    """A branch's count as a bar, the naive branch's as a dashed frame around the same scale."""
    count, naive, most = counts
    frame = {"fill": "none", "stroke": "black", "stroke_width": 2, "stroke_dasharray": "5 3"}
    parts = [rect(left, middle - 15, BAR * count / most, 30, fill=color)]
    if naive:
        parts.append(rect(left, middle - 19, BAR * naive / most, 38, **frame))
    end = left + BAR * max(count, naive) / most + 8
    parts.append(text(end, middle, written(count) if count else "0", size=18, font_weight="bold"))
    return parts


def _thousands(count: int) -> str:
    return f"{count / 1000:,.1f} k" if count < 100_000 else f"{count / 1000:,.0f} k"


def _totals(result: ModuleResult) -> list[str]:
    y = TOP + ROW * len(result.value.paths) + 22
    channels, side, _ = result.in_shape
    flow = f"{channels} channels on {side}×{side} become {result.out_channels}"
    parts = [text(14, y, flow, size=18, font_weight="bold")]
    for left, count, naive, written in (
        (MACS_LEFT, result.macs, result.naive_macs, megas),
        (PARAMS_LEFT, result.params, result.naive_params, _thousands),
    ):
        parts.append(text(left, y, f"all {written(count)}: {count / naive:.0%} of naive", size=19, font_weight="bold"))
    note = f"Dashed: the naive module, without reductions (orange boxes); it hands on {result.naive_channels} channels."
    parts.append(text(14, y + 32, note, size=17, fill="#444"))
    return parts
