"""The picture of the auxiliary explorer: the network with its head, and the gradients along it on a scale of powers of
ten."""

from __future__ import annotations

from math import log10

from course_lib.experiments.auxiliary_network import STAGES
from course_lib.explorers.auxiliary_heads.result import GradientProfile
from course_lib.explorers.svg_elements import picture, rect, tag, text

WIDTH, HEIGHT = 1080, 535
LEFT, RIGHT = 150, 1050
TOP, BOTTOM = 180, 435  # of the plot
DECADES = (-7, 2)
"""Powers of ten at the lower and the upper end of the plot; a smaller norm is drawn at its lower edge."""
STEP = (RIGHT - LEFT) / len(STAGES)
MAIN, HEAD, TOGETHER = "#000000", "#D55E00", "#0072B2"


def draw_gradient_profile(result: GradientProfile) -> str:
    """The picture of `result` as SVG, 1080 by 535 CSS pixels."""
    return picture([*_network(result), *_grid(), *_profiles(result), *_cosines(result)], WIDTH, HEIGHT)


def _network(result: GradientProfile) -> list[str]:
    """The stages from the stem (left) to the last module, and the head above the module that it reads."""
    parts = [text(LEFT - 12, 100, "module", text_anchor="end")]
    parts.append(tag("path", d=f"M{LEFT} 100H{RIGHT + 20}", stroke="black", stroke_width=3))
    for index, stage in enumerate(STAGES):
        x = _x(index)
        parts.append(rect(x - 0.4 * STEP, 80, 0.8 * STEP, 40, rx=5, fill="#e8eef4", stroke="black", stroke_width=1.5))
        parts.append(text(x, 100, stage.replace("reduction", "reduce").removeprefix("module"), text_anchor="middle"))
    x = _x(STAGES.index(f"module{result.head_after}")) + 0.5 * STEP
    width = 132 if result.batch_norm == "trunk and head" else 62
    left = min(x - 31, WIDTH - width - 4)
    parts.append(tag("path", d=f"M{x:.1f} 100V50", stroke=HEAD, stroke_width=3))
    parts.append(tag("circle", cx=x, cy=100.0, r=5, fill=HEAD))
    parts.append(rect(left, 14, width, 36, rx=5, fill="#fbe3d4", stroke=HEAD, stroke_width=2))
    name = "head + BN" if result.batch_norm == "trunk and head" else "head"
    parts.append(text(left + width / 2, 32, name, size=18, text_anchor="middle"))
    return parts


def _grid() -> list[str]:
    """The frame of the plot: a line for each power of ten."""
    parts = [
        text(20, TOP - 32, "gradient by the weights of the stage (Euclidean norm), median of recorded runs", size=17)
    ]
    for power in range(DECADES[0], DECADES[1] + 1):
        y = _y(10.0**power)
        parts.append(tag("path", d=f"M{LEFT} {y:.1f}H{RIGHT}", stroke="#d0d0d0"))
        exponent = tag("tspan", str(power), dy=-7, font_size=13)
        parts.append(
            tag("text", "10" + exponent, x=LEFT - 12, y=y, font_size=18, dominant_baseline="central", text_anchor="end")
        )
    return parts


def _profiles(result: GradientProfile) -> list[str]:
    """The three lines, and the range of their sum over the seeds."""
    count = result.stages_below
    upper = [f"{_x(i):.1f} {_y(value):.1f}" for i, value in enumerate(result.highest)]
    lower = [f"{_x(i):.1f} {_y(value):.1f}" for i, value in enumerate(result.lowest)]
    parts = [tag("path", d="M" + "L".join([*upper, *reversed(lower)]) + "Z", fill=TOGETHER, opacity=0.18)]
    parts += _line(result.together, TOGETHER, "none", 7)
    parts += _line(result.main, MAIN, "3 5", 3)
    if result.weight:
        parts += _line(result.head[:count], HEAD, "12 6", 3)
    return parts


def _line(values: tuple[float, ...], color: str, dashes: str, width: int) -> list[str]:
    points = [(_x(index), _y(value)) for index, value in enumerate(values)]
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    line = tag("path", d=path, fill="none", stroke=color, stroke_width=width, stroke_dasharray=dashes)
    return [line, *(tag("circle", cx=x, cy=y, r=0.8 * width + 2, fill=color) for x, y in points)]


def _cosines(result: GradientProfile) -> list[str]:
    """What the lines are, and for each stage whether main loss and head ask for the same."""
    parts = [text(LEFT - 12, BOTTOM + 28, "cosine", text_anchor="end")]
    for index, cosine in enumerate(result.cosines):
        written = "none" if cosine is None else f"{cosine:.2f}"
        parts.append(text(_x(index), BOTTOM + 28, written, size=18, text_anchor="middle"))
    entries = ((MAIN, "3 5", 3, "main loss"), (HEAD, "12 6", 3, f"{result.weight:g} × head's loss"))
    for number, (color, dashes, width, name) in enumerate((*entries, (TOGETHER, "none", 7, "together, with range"))):
        x = LEFT + 290 * number
        sample = {"stroke": color, "stroke_width": width, "stroke_dasharray": dashes}
        parts.append(tag("path", d=f"M{x} {BOTTOM + 74}h50", **sample))
        parts.append(tag("circle", cx=x + 25, cy=BOTTOM + 74, r=0.8 * width + 2, fill=color))
        parts.append(text(x + 62, BOTTOM + 74, name))
    return parts


def _x(index: int) -> float:
    return LEFT + (index + 0.5) * STEP


def _y(norm: float) -> float:
    low, high = DECADES
    power = min(max(log10(norm), low), high) if norm > 0 else low
    return BOTTOM - (power - low) / (high - low) * (BOTTOM - TOP)
