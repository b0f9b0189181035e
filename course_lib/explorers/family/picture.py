"""The picture of the family explorer: where a network spends its work, and one of its blocks with what it sees."""

from __future__ import annotations

from course_lib.architecture import shape_text
from course_lib.architecture.nodes.signal import Signal
from course_lib.explorers.family.block_picture import draw_block
from course_lib.explorers.family.result import NETWORKS, FamilyView, Stage, megabytes, share
from course_lib.explorers.kernel_factorization.result import megas
from course_lib.explorers.svg_elements import picture, rect, tag, text

WIDTH, HEIGHT = 1080, 452
LEFT = 10
MACS_LEFT, MEMORY_LEFT = 112, 252
BAR = 76.0  # CSS pixels of the dearest stage
FIRST_ROW, ROW = 98.0, 36.0
MACS, MEMORY, CHOSEN, SEEN, IMAGE = "#0072B2", "#D55E00", "#0072B2", "#f2cf7a", "#d0d0d0"
BLOCK_LEFT, BLOCK_WIDTH = 400, 670
EYE_LEFT, EYE_TOP, EYE = 972.0, 12.0, 84.0


def draw_family(view: FamilyView) -> str:
    """The picture of `view` as SVG, 1080 by 452 CSS pixels; the stage of the chosen block stands in a frame."""
    return picture([*_costs(view), *_facts(view), *_eye(view), *_block(view)], WIDTH, HEIGHT)


def _costs(view: FamilyView) -> list[str]:
    """The left half: a row a grid, with bars for multiplications and for memory."""
    title = f"{NETWORKS[view.name]} on {view.input_size}×{view.input_size} pixels"
    parts = [
        text(LEFT, 22, title, size=20, font_weight="bold"),
        text(LEFT, 52, f"{megas(view.macs)} MACs, {megas(view.params)} parameters", size=18),
        text(LEFT, FIRST_ROW - 14, "grid", size=17, fill="#444"),
        text(MACS_LEFT, FIRST_ROW - 14, "MACs", size=17, fill="#444"),
        text(MEMORY_LEFT, FIRST_ROW - 14, "activations", size=17, fill="#444"),
    ]
    stages = view.stages
    most = max(stage.macs for stage in stages), max(stage.activations for stage in stages)
    for number, stage in enumerate(stages):
        parts += _stage(view, stage, FIRST_ROW + number * ROW, most)
    bottom = FIRST_ROW + len(stages) * ROW + 20
    kept = f"{megabytes(view.activations)} in float32, each output kept once"
    return [*parts, text(LEFT, bottom, kept, size=17, fill="#444")]


def _stage(view: FamilyView, stage: Stage, top: float, most: tuple[int, int]) -> list[str]:
    chosen = view.chosen in stage.parts
    middle = top + ROW / 2
    parts = [rect(4, top + 1, 376, ROW - 2, fill="none", stroke=CHOSEN, stroke_width=3, rx=6)] if chosen else []
    label = shape_text(stage.grid).replace("x", "×")
    parts.append(text(LEFT, middle, label, size=18, font_weight="bold" if chosen else "normal"))
    bars = ((MACS_LEFT, MACS, stage.macs, most[0], view.macs),)
    bars += ((MEMORY_LEFT, MEMORY, stage.activations, most[1], view.activations),)
    for x, color, count, largest, whole in bars:
        length = BAR * count / largest
        parts.append(rect(x, middle - 8, max(2.0, length), 16, fill=color))
        parts.append(text(x + max(2.0, length) + 6, middle, _percent(count, whole), size=16))
    return parts


def _percent(count: int, whole: int) -> str:
    return share(count, whole).replace("under 1", "<1")


def _facts(view: FamilyView) -> list[str]:
    """What the chosen part costs and sees, in three lines."""
    part = view.chosen
    (height, width), (step, _) = part.field, part.after.reach.jump
    pixels = "1 pixel" if step == 1 else f"{step} pixels"
    parts = [
        text(BLOCK_LEFT, 22, f"{part.name}, part {view.block} of {len(view.parts)}", size=20, font_weight="bold"),
        text(
            BLOCK_LEFT,
            50,
            f"{megas(part.cost.macs)} MACs, {megas(part.cost.params)} parameters, {megabytes(part.cost.activations)}",
            size=18,
        ),
        text(BLOCK_LEFT, 76, f"a unit sees {height}×{width} pixels, the next one {pixels} on", size=18),
    ]
    return [*parts, tag("path", d=f"M390 8V{HEIGHT - 8}", stroke="#b0b0b0", stroke_width=1.5)]


def _eye(view: FamilyView) -> list[str]:
    """The image and, centred on it, the patch that one unit sees; what lies outside the image is its padding."""
    height, width = view.chosen.field
    scale = EYE / max(height, width, view.input_size)
    image = scale * view.input_size
    x, y = EYE_LEFT + EYE / 2, EYE_TOP + EYE / 2
    seen = max(2.0, scale * width), max(2.0, scale * height)
    return [
        rect(x - image / 2, y - image / 2, image, image, fill=IMAGE, stroke="#444"),
        rect(x - seen[0] / 2, y - seen[1] / 2, *seen, fill=SEEN, fill_opacity=0.7, stroke=MEMORY, stroke_width=2),
        rect(x - image / 2, y - image / 2, image, image, fill="none", stroke="#444", stroke_dasharray="4 3"),
        text(WIDTH - 4, EYE_TOP + EYE + 14, "dashed: the image", size=16, text_anchor="end", fill="#444"),
    ]


def _block(view: FamilyView) -> list[str]:
    part = view.chosen
    shapes = _flow(part.before), _flow(part.after)
    return draw_block(part.value, shapes, BLOCK_LEFT, 104, (BLOCK_WIDTH, HEIGHT - 110))


def _flow(signal: Signal) -> str:
    """Channels and grid, "768 on 17×17"."""
    channels, *grid = signal.shape
    return f"{channels} channels on {grid[0]}×{grid[1]}" if grid else f"{channels} numbers"
