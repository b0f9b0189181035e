"""The picture of the schedule explorer: the learning rate over the epochs, and its numbers."""

from __future__ import annotations

import math

from course_lib.explorers.schedule.result import IMAGES, Schedule
from course_lib.explorers.svg_elements import picture, rect, tag, text

WIDTH, HEIGHT = 1080, 440
LEFT, RIGHT, TOP, BOTTOM = 90, 720, 60, 370  # of the plot
NUMBERS_LEFT = 765
CURVE, AREA, ORIGINAL = "#0072B2", "#d6e7f3", "#555555"
TICKS = 5


def draw_schedule(result: Schedule) -> str:
    """The picture of `result` as SVG, 1080 by 440 CSS pixels."""
    highest = max(rate for _, rate in (*result.curve, *result.original_curve))
    return picture([*_axes(result, highest), *_curves(result, highest), *_numbers(result)], WIDTH, HEIGHT)


def _axes(result: Schedule, highest: float) -> list[str]:
    epochs = result.recipe.epochs
    parts = [text(LEFT - 74, 26, "learning rate", size=21, font_weight="bold")]
    for value in _ticks(highest):
        y = _y(value, highest)
        parts.append(tag("path", d=f"M{LEFT} {y:.1f}H{RIGHT}", stroke="#d0d0d0", stroke_width=1))
        parts.append(text(LEFT - 8, y, f"{value:.3g}", size=17, text_anchor="end"))
    for value in _ticks(epochs):
        parts.append(text(_x(value, epochs), BOTTOM + 22, f"{value:g}", size=17, text_anchor="middle"))
    parts.append(text((LEFT + RIGHT) / 2, BOTTOM + 50, "epoch", text_anchor="middle"))
    return parts


def _curves(result: Schedule, highest: float) -> list[str]:
    """The recipe as published, dashed, under the one that was made of it, with the point of half its peak."""
    recipe = result.recipe
    points = [(_x(time, recipe.epochs), _y(rate, highest)) for time, rate in result.curve]
    line = _path(points)
    floor = f"L{points[-1][0]:.1f} {BOTTOM}L{points[0][0]:.1f} {BOTTOM}Z"
    parts = [
        tag("path", d=line + floor, fill=AREA),
        tag("path", d=line, fill="none", stroke=CURVE, stroke_width=4, stroke_linejoin="round"),
    ]
    if recipe != result.original:
        before = [(_x(time, recipe.epochs), _y(rate, highest)) for time, rate in result.original_curve]
        parts.append(
            tag("path", d=_path(before), fill="none", stroke=ORIGINAL, stroke_width=2.5, stroke_dasharray="8 5")
        )
        parts.append(text(RIGHT, 26, f"dashed: {result.name} as it stands", size=17, text_anchor="end", fill=ORIGINAL))
    parts.append(tag("path", d=f"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}", fill="none", stroke="black", stroke_width=2))
    if result.half_at is not None:
        x, y = _x(result.half_at, recipe.epochs), _y(recipe.learning_rate / 2, highest)
        parts.append(
            tag("path", d=f"M{x:.1f} {y:.1f}V{BOTTOM}", stroke="black", stroke_width=2, stroke_dasharray="2 4")
        )
        parts.append(tag("circle", cx=x, cy=y, r=7, fill="white", stroke="black", stroke_width=3))
        after = x < RIGHT - 60  # right of the point and above it is room, as the rate falls
        parts.append(text(x + (14 if after else -14), y - 14, "half", text_anchor="start" if after else "end"))
    return parts


def _numbers(result: Schedule) -> list[str]:
    recipe = result.recipe
    lines = (
        ("first step", f"{result.first:.3g}"),
        ("peak", f"{recipe.learning_rate:.3g}"),
        ("half at epoch", "never" if result.half_at is None else f"{result.half_at:.3g}"),
        ("last step", f"{result.last:.3g}"),
        ("mean", f"{result.mean:.3g}"),
    )
    title = f"{recipe.optimizer}, batches of {recipe.batch_size}"
    parts = [text(NUMBERS_LEFT, 26, title, size=21, font_weight="bold")]
    for index, (name, value) in enumerate(lines):
        y = TOP + 24 + 50 * index
        parts.append(text(NUMBERS_LEFT, y, name))
        parts.append(text(WIDTH - 24, y, value, size=23, text_anchor="end", font_weight="bold"))
    y = TOP + 24 + 50 * len(lines)
    parts.append(rect(NUMBERS_LEFT, y - 22, WIDTH - 24 - NUMBERS_LEFT, 2, fill="#d0d0d0"))
    parts.append(text(NUMBERS_LEFT, y + 4, "updates an epoch"))
    parts.append(text(WIDTH - 24, y + 4, f"{result.updates:,}", size=23, text_anchor="end", font_weight="bold"))
    parts.append(text(NUMBERS_LEFT, y + 34, f"of {IMAGES:,} images", fill="#444"))
    return parts


def _x(time: float, epochs: int) -> float:
    return LEFT + (RIGHT - LEFT) * time / epochs


def _y(rate: float, highest: float) -> float:
    return BOTTOM - (BOTTOM - TOP) * rate / highest


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _ticks(highest: float) -> list[float]:
    """Round numbers from 0 to `highest`, about `TICKS` of them."""
    power = 10 ** math.floor(math.log10(highest / TICKS))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor * TICKS >= highest * 0.99)
    return [step * index for index in range(int(highest / step * 1.0001) + 1)]
