"""Figures are readable for everyone, carry a text, and come out the same on every run."""

import base64
import io
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from course_lib.reporting.plots import (
    FIGURE_SIZE,
    LIVE,
    PAPER,
    RECORDED,
    SERIES,
    bar_compare,
    figure_html,
    line_panels,
    matrix_gallery,
    patches_on_picture,
    style,
)

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009),
# severity 1.0, on linear RGB.
DEFICIENCIES = {
    "none": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear_rgb(color: str) -> np.ndarray:
    rgb = np.array(to_rgb(color))
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    x, y, z = np.cbrt(to_xyz @ np.clip(linear, 0, 1) / [0.9505, 1.0, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def draw_line() -> Figure:
    with style():
        figure = Figure(layout="tight")
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], label="live")
        axes.set(title="title", xlabel="depth", ylabel="pixels")
        axes.legend()
    return figure


@pytest.mark.parametrize("look", SERIES, ids=lambda look: look.color)
def test_every_colour_stands_out_from_white(look) -> None:
    luminance = linear_rgb(look.color) @ [0.2126, 0.7152, 0.0722]
    # WCAG 2.1, success criterion 1.4.11: graphical objects need a contrast of 3 to 1.
    assert 1.05 / (luminance + 0.05) >= 3


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_colours_stay_apart_for_colour_blind_readers(deficiency: str) -> None:
    seen = [lab(DEFICIENCIES[deficiency] @ linear_rgb(look.color)) for look in SERIES]
    # A distance of 10 in CIELAB is plain at a glance.
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 10


@pytest.mark.parametrize("part", ["color", "hatch", "marker", "linestyle"])
def test_no_two_series_share_a_look(part: str) -> None:
    assert len({getattr(look, part) for look in SERIES}) == len(SERIES)


def test_live_recorded_and_paper_numbers_never_look_alike() -> None:
    assert len({LIVE, RECORDED, PAPER}) == 3


def test_all_text_is_at_least_14_points_at_the_size_shown() -> None:
    bars = bar_compare(["5x5", "3x3"], {"live": [25, 18], "paper": [25, 18]}, xlabel="weights", title="Cost")
    for figure in (draw_line(), bars):
        figure.draw_without_rendering()
        texts = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_text())
        assert [text.get_text() for text in texts if text.get_fontsize() < 14] == []


def test_style_ends_with_its_context() -> None:
    before = Figure().get_figwidth()
    with style():
        assert Figure().get_figwidth() == FIGURE_SIZE[0]
    assert Figure().get_figwidth() == before


def test_a_figure_becomes_a_picture_with_its_text() -> None:
    shown = figure_html(draw_line(), 'The line "live" grows & ends at <1>.')
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == repr(shown) == 'The line "live" grows & ends at <1>.'
    assert 'alt="The line &quot;live&quot; grows &amp; ends at &lt;1&gt;."' in bundle["text/html"]
    encoded = re.search(r'src="data:image/png;base64,([^"]+)"', bundle["text/html"]).group(1)
    picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
    assert 'width="864"' in bundle["text/html"]
    assert picture.size == (1296, 648)
    # Opaque white, so that black text stays readable in a dark theme.
    assert picture.convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)


def test_equal_figures_give_equal_bytes() -> None:
    assert figure_html(draw_line(), "a line").html == figure_html(draw_line(), "a line").html


def test_a_figure_without_text_is_refused() -> None:
    with pytest.raises(ValueError, match="needs an alt text"):
        figure_html(draw_line(), " ")


def test_bars_show_every_number() -> None:
    figure = bar_compare(["5x5", "3x3"], {"live": [102400, 73728], "paper": [102400, 73729]}, xlabel="parameters")
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["102,400", "73,728", "102,400", "73,729"]
    assert [bar.get_width() for container in axes.containers for bar in container] == [102400, 73728, 102400, 73729]
    assert axes.yaxis_inverted(), "the first label belongs at the top"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["live", "paper"]


def test_bars_take_the_look_asked_for() -> None:
    figure = bar_compare(["5x5"], {"live": [25], "paper": [25]}, xlabel="weights", styles={"paper": PAPER})
    live, paper = (container[0] for container in figure.axes[0].containers)
    assert (live.get_hatch() or "", paper.get_hatch()) == (SERIES[0].hatch, PAPER.hatch)


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ({"live": [1]}, "series 'live' has 1 values for 2 labels"),
        ({}, "1 to 4 series apart, not 0"),
        ({str(n): [1, 2] for n in range(5)}, "1 to 4 series apart, not 5"),
    ],
)
def test_bars_that_cannot_be_drawn_are_refused(series: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bar_compare(["5x5", "3x3"], series, xlabel="weights")


def test_a_gallery_shows_each_matrix_once_with_its_title_and_caption() -> None:
    matrices = [np.eye(3), -np.ones((2, 2))]
    figure = matrix_gallery({"kernel": matrices, "pair": matrices}, titles=["a", "b"], captions=["c", "d"])
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert all((image == matrix).all() for image, matrix in zip(shown, matrices * 2, strict=True))
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a", "b"]
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == ["c", "d"]
    # Both signs at one strength, so that white is zero.
    assert [image.get_clim() for image in (axes.images[0] for axes in figure.axes[:2])] == [(-1, 1), (-1, 1)]


def test_photographs_are_shown_from_black_to_white_and_may_go_without_captions() -> None:
    figure = matrix_gallery({"a": [np.eye(3)], "b": [np.zeros((2, 2))]}, titles=["c"], photographs=True)
    images = [axes.images[0] for axes in figure.axes]
    assert [(image.get_cmap().name, image.get_clim()) for image in images] == [("gray", (0, 1))] * 2
    assert [axes.get_xlabel() for axes in figure.axes] == ["", ""]


def test_each_line_has_a_panel_with_the_others_pale_behind_it() -> None:
    lines = {name: pd.Series([1.0, 10.0 * scale], index=[0, scale]) for scale, name in enumerate("abc", start=1)}
    figure = line_panels(lines, columns=2, xlabel="depth", ylabel="values", log="y")
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == ["a", "b", "c"]
    for axes, values in zip(shown, lines.values(), strict=True):
        assert len(axes.lines) == len(lines) + 1
        assert axes.lines[-1].get_color() == SERIES[0].color
        assert {line.get_linestyle() for line in axes.lines} == {"-"}
        assert list(axes.lines[-1].get_ydata()) == list(values)
        assert axes.get_yscale() == "log"
    assert len({(axes.get_xlim(), axes.get_ylim()) for axes in shown}) == 1


def test_patches_are_frames_around_the_middle_of_the_picture() -> None:
    panels = {"early": {"a": (3, 5), "b": (9, 9)}, "late": {"a": (4, 4), "b": (40, 40)}}
    figure = patches_on_picture(np.eye(10), panels)
    assert [axes.get_title() for axes in figure.axes] == ["early", "late"]
    for axes, patches in zip(figure.axes, panels.values(), strict=True):
        for line, (height, width) in zip(axes.lines, patches.values(), strict=True):
            x, y = line.get_data()
            assert (np.ptp(x), np.ptp(y)) == (width, height)
            assert (x.min() + x.max(), y.min() + y.max()) == (9, 9)  # the middle of ten pixels is 4.5
        assert axes.get_xlim() == (-0.5, 9.5)
    looks = [[(line.get_color(), line.get_linestyle()) for line in axes.lines] for axes in figure.axes]
    assert looks[0] == looks[1]
    assert len(set(looks[0])) == 2
