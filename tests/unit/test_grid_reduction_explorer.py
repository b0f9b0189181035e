"""The picture and the explorer of grid reduction."""

from __future__ import annotations

import re
from html import unescape

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from course_lib.explorers import GridReductionExplorer
from course_lib.explorers.grid_reduction.picture import (
    BAR,
    CONVOLVED,
    GAP,
    HEIGHT,
    INPUT,
    LEFT,
    MACS_BAR,
    PANEL,
    POOLED,
    WIDTH,
    draw_grid_reduction,
)
from course_lib.explorers.grid_reduction.result import WAYS, WayCost, reduce_grid
from course_lib.explorers.kernel_factorization.result import megas

CASES = st.tuples(
    st.integers(8, 112),
    st.sampled_from(range(16, 513, 16)),
    st.sampled_from([1, 3, 5, 7]),
    st.integers(2, 4),
    st.sampled_from(WAYS),
)
FRAME = 5
"""Width of the chosen panel's frame."""
FONTS = [
    ImageFont.truetype(f"{matplotlib.get_data_path()}/fonts/ttf/{name}.ttf")
    for name in ("DejaVuSans", "DejaVuSans-Bold")
]
"""The first of the picture's families, upright and bold."""
TEXT = re.compile(r"<text([^>]*)>([^<]*)</text>")
RECTANGLE = re.compile(r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="(#\w+)"')


def rectangles(svg: str, *colors: str) -> list[tuple[float, ...]]:
    """(x, y, width, height) of the rectangles of these colours."""
    return [tuple(map(float, found[:4])) for found in RECTANGLE.findall(svg) if found[4] in colors]


@given(CASES)
def test_everything_stays_within_the_frame(case: tuple) -> None:
    svg = draw_grid_reduction(reduce_grid(*case))
    assert f'viewBox="0 0 {WIDTH} {HEIGHT}"' in svg
    for x, y, width, height in rectangles(svg, INPUT, CONVOLVED, POOLED, MACS_BAR):
        assert 0 <= x <= x + width <= WIDTH
        assert 0 <= y <= y + height <= HEIGHT


@given(CASES)
def test_no_text_leaves_its_panel(case: tuple) -> None:
    for attributes, content in TEXT.findall(draw_grid_reduction(reduce_grid(*case))):
        x, size = (float(re.search(rf' {name}="([\d.]+)"', attributes)[1]) for name in ("x", "font-size"))
        if not content.startswith("Area is"):  # the note below all panels
            font = FONTS["bold" in attributes].font_variant(size=size)
            frame = LEFT + PANEL + (x - LEFT) // (PANEL + GAP) * (PANEL + GAP)
            assert x + font.getlength(unescape(content)) <= frame - FRAME / 2, content


@given(CASES)
def test_the_area_of_a_representation_is_its_number_of_values(case: tuple) -> None:
    result = reduce_grid(*case)
    drawn = sum(
        width * height for _, _, width, height in rectangles(draw_grid_reduction(result), INPUT, CONVOLVED, POOLED)
    )
    values = sum(sum(cost.sizes) for cost in result.costs)
    _, _, width, height = rectangles(draw_grid_reduction(result), INPUT)[0]
    # Sizes are written with two decimals.
    assert drawn / values == pytest.approx(width * height / result.costs[0].sizes[0], rel=0.01)


@given(CASES)
def test_the_bars_are_in_proportion_to_the_macs(case: tuple) -> None:
    result = reduce_grid(*case)
    widths = [width for _, _, width, _ in rectangles(draw_grid_reduction(result), MACS_BAR)]
    shares = [cost.total.macs / result.most_macs for cost in result.costs]
    # A bar of less than two pixels would not be seen.
    assert widths == pytest.approx([max(2.0, BAR * share) for share in shares], abs=0.01)


@given(CASES)
def test_each_panel_shows_its_macs_as_a_product(case: tuple) -> None:
    svg = draw_grid_reduction(reduce_grid(*case))
    for cost in reduce_grid(*case).costs:
        assert f"{megas(cost.total.macs)} MACs<" in svg
        assert f">= {factors(cost, case[2])}<" in svg


def factors(cost: WayCost, kernel_size: int) -> str:
    row = next(row for row in cost.rows if row.macs)
    (k, _, _), (filters, side, _) = row.in_shape, row.out_shape
    assert kernel_size**2 * k * filters * side**2 == cost.total.macs
    return ("" if kernel_size == 1 else f"{kernel_size}²·") + f"{k}·{filters}·{side}²"


@pytest.mark.parametrize("way", WAYS)
def test_only_a_pool_before_the_convolution_is_marked_as_bottleneck(way: str) -> None:
    assert draw_grid_reduction(reduce_grid(32, 64, 3, 2, way)).count("bottleneck: 16,384 values") == 1


@pytest.mark.parametrize("number", range(len(WAYS)))
def test_the_chosen_way_stands_in_the_frame(number: int) -> None:
    svg = draw_grid_reduction(reduce_grid(32, 64, 3, 2, WAYS[number]))
    frames = [float(x) for x in re.findall(r'<rect x="([\d.]+)"[^>]*stroke-width="5"', svg)]
    assert len(frames) == 1
    assert number * WIDTH / len(WAYS) <= frames[0] < (number + 1) * WIDTH / len(WAYS)


def test_an_even_kernel_size_typed_into_the_box_becomes_odd() -> None:
    explorer = GridReductionExplorer()
    explorer.boxes["kernel_size"].value = 4
    assert explorer.result.kernel_size == explorer.controls["kernel_size"].value == 5
