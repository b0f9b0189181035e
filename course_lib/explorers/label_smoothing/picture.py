"""The picture of the epsilon explorer: targets against probabilities, the gradient, and the loss with its floor."""

from __future__ import annotations

import math

from course_lib.explorers.label_smoothing.result import ClassRow, LabelSmoothing
from course_lib.explorers.svg_elements import picture, rect, tag, text

WIDTH, HEIGHT = 1080, 440
TOP, ROW = 62, 74  # of the first class's row, and from one to the next
BAR = 24
LEFT, FULL = 150, 230.0  # of the bars: where probability 0 lies, and how long probability 1 is
ZERO, PULL = 630, 75.0  # of the gradients: where 0 lies, and how long 1 is
NUMBERS, RIGHT = 820, 1064
TARGET, PROBABILITY, UP, DOWN, SPREAD = "#E69F00", "#0072B2", "#009E73", "#D55E00", "#CC79A7"
LOSS_END = 5.0  # nats; the bar of a larger loss is cut off and says so


def draw_label_smoothing(result: LabelSmoothing) -> str:
    """The picture of `result` as SVG, 1080 by 440 CSS pixels."""
    parts = [
        text(LEFT, 24, "target q'", size=21, font_weight="bold", fill="#8a5f00"),
        text(LEFT + 110, 24, "and", size=21),
        text(LEFT + 160, 24, "probability p", size=21, font_weight="bold", fill=PROBABILITY),
        text(ZERO, 24, "gradient p - q'", size=21, font_weight="bold", text_anchor="middle"),
        tag("path", d=f"M{ZERO} {TOP - 14}V{TOP + 5 * ROW - 20}", stroke="black", stroke_width=2),
        tag("path", d=f"M{LEFT} {TOP - 14}V{TOP + 5 * ROW - 20}", stroke="black", stroke_width=2),
        text(ZERO - 10, HEIGHT - 18, "← pulled up", size=17, text_anchor="end", fill="#00694d"),
        text(ZERO + 10, HEIGHT - 18, "pushed down →", size=17, fill="#a84400"),
    ]
    for index, row in enumerate(result.rows):
        parts += _row(row, TOP + index * ROW, is_label=index == 0)
    return picture([*parts, *_numbers(result)], WIDTH, HEIGHT)


def _row(row: ClassRow, top: float, is_label: bool) -> list[str]:
    """One class: its name and logit, its two bars, its gradient."""
    weight = {"font_weight": "bold"} if is_label else {}
    each = " each" if row.count > 1 else ""
    parts = [
        text(LEFT - 12, top + 12, row.name, text_anchor="end", **weight),
        text(LEFT - 12, top + 37, f"logit {row.logit:g}{each}", size=16, text_anchor="end", fill="#444"),
    ]
    for offset, value, color in ((0, row.target, TARGET), (BAR + 1, row.probability, PROBABILITY)):
        parts.append(rect(LEFT, top + offset, max(FULL * value, 1.5), BAR, fill=color))
        parts.append(text(LEFT + FULL * value + 8, top + offset + BAR / 2, _share(value), size=18))
    gradient = row.gradient
    length = PULL * abs(gradient)
    color = UP if gradient < 0 else DOWN
    parts.append(rect(ZERO - (length if gradient < 0 else 0), top + 10, max(length, 1.5), 30, fill=color))
    words = f"{gradient:+.4f}" if abs(gradient) >= 5e-5 else "0"
    side = -1 if gradient < 0 else 1
    anchor = "end" if side < 0 else "start"
    parts.append(text(ZERO + side * (length + 8), top + 25, words, size=18, text_anchor=anchor))
    return parts


def _numbers(result: LabelSmoothing) -> list[str]:
    """The loss and its two parts as a bar above its floor, then the gap beside the best one."""
    parts = [text(NUMBERS, 24, "loss, nats", size=21, font_weight="bold")]
    of_label, of_prior = (1 - result.epsilon) * result.label_loss, result.epsilon * result.prior_loss
    scale = (RIGHT - NUMBERS) / LOSS_END
    shown, start = min(result.loss, LOSS_END), min(of_label, LOSS_END)
    parts.append(rect(NUMBERS, TOP - 8, start * scale, 34, fill=PROBABILITY))
    parts.append(rect(NUMBERS + start * scale, TOP - 8, (shown - start) * scale, 34, fill=SPREAD))
    floor = NUMBERS + min(result.least_loss, LOSS_END) * scale
    parts.append(tag("path", d=f"M{floor:.1f} {TOP - 14}v46", stroke="black", stroke_width=3, stroke_dasharray="5 3"))
    if result.loss > LOSS_END:
        parts.append(text(RIGHT - 6, TOP + 9, "more →", size=17, text_anchor="end", fill="white"))
    lines = [
        ("(1-ε) H(q,p)", f"{of_label:.4f}", PROBABILITY),
        ("ε H(u,p)", f"{of_prior:.4f}", "#a0447c"),
        ("loss", f"{result.loss:.4f}", "black"),
        ("least, dashed", f"{result.least_loss:.4f}", "black"),
    ]
    parts += _lines(lines, TOP + 62)
    parts.append(text(NUMBERS, TOP + 222, "logit gap", size=21, font_weight="bold"))
    best = "∞" if math.isinf(result.best_gap) else f"{result.best_gap:.3f}"
    parts += _lines([("now", f"{result.gap:.3f}", "black"), ("best", best, "black")], TOP + 258)
    return parts


def _lines(lines: list[tuple[str, str, str]], top: float) -> list[str]:
    parts = []
    for index, (name, value, color) in enumerate(lines):
        y = top + 34 * index
        parts.append(text(NUMBERS, y, name, fill=color))
        parts.append(text(RIGHT, y, value, size=21, text_anchor="end", font_weight="bold", fill=color))
    return parts


def _share(value: float) -> str:
    """A probability with four digits after the point; a smaller one with two digits that count."""
    return f"{value:.4f}" if value >= 1e-3 else f"{value:.2g}"
