"""The figures of the lesson on recipes: lines over a common axis, and paths down a valley."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from course_lib.reporting.plots import RECORDED, SERIES, line_chart, valley_paths

STEPS = pd.Series([2.3, 1.0, np.nan, 0.4])
SEEDS = pd.DataFrame({0: [2.3, 1.0], 1: [2.2, 0.9]})


def bowl(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return x**2 + 25 * y**2


def test_each_seed_is_a_line_and_they_share_one_name() -> None:
    figure = line_chart({"steps": STEPS, "epochs": SEEDS}, xlabel="step", ylabel="loss", faint=["steps"])
    lines = figure.axes[0].lines
    assert [list(line.get_ydata()) for line in lines[1:]] == [[2.3, 1.0], [2.2, 0.9]]
    assert [line.get_color() for line in lines] == [SERIES[0].color, SERIES[1].color, SERIES[1].color]
    assert lines[0].get_linewidth() < lines[1].get_linewidth()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["steps", "epochs"]


def test_points_have_a_marker_at_every_value_and_no_line() -> None:
    values = pd.Series(range(40), dtype=float)
    styles = {"a": replace(SERIES[0], linestyle="")}
    measured, predicted = line_chart({"a": values, "b": values}, xlabel="x", ylabel="y", styles=styles).axes[0].lines
    assert (measured.get_linestyle(), measured.get_marker(), measured.get_markevery()) == ("None", SERIES[0].marker, 1)
    assert predicted.get_linestyle() == SERIES[1].linestyle


def test_axes_are_as_asked_for() -> None:
    axes = line_chart({"a": STEPS}, xlabel="rate", ylabel="loss", log="xy", ylim=(0.1, 3)).axes[0]
    assert (axes.get_xscale(), axes.get_yscale(), axes.get_ylim()) == ("log", "log", (0.1, 3))
    axes = line_chart({"a": STEPS}, xlabel="rate", ylabel="loss", log="x", styles={"a": RECORDED}).axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")
    assert axes.lines[0].get_color() == RECORDED.color
    assert axes.figure.legends == []


def test_a_logarithmic_axis_fits_the_data() -> None:
    values = pd.Series([1e-6, 1e-3, 1.0])
    bottom, top = line_chart({"a": values}, xlabel="layer", ylabel="gradient", log="y").axes[0].get_ylim()
    assert 1e-7 < bottom < 1e-6
    assert 1 < top < 10


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b"],
        ["szegedy_2016", "adam_steps", "sgd_cosine", "quick"],
        [f"a name of many letters, {n}" for n in range(4)],
    ],
)
def test_a_legend_stays_within_the_figure(names: list[str]) -> None:
    figure = line_chart(dict.fromkeys(names, STEPS), xlabel="step", ylabel="loss")
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    assert 0 <= legend.x0 < legend.x1 <= figure.bbox.x1


def test_whole_numbers_have_whole_ticks() -> None:
    axes = line_chart({"a": STEPS}, xlabel="epoch", ylabel="loss").axes[0]
    assert all(tick == int(tick) for tick in axes.get_xticks())


@pytest.mark.parametrize("count", [0, 5])
def test_more_lines_than_looks_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 4 series apart, not {count}"):
        line_chart({str(number): STEPS for number in range(count)}, xlabel="step", ylabel="loss")


@pytest.mark.parametrize("count", [1, 3, 4])
def test_each_path_has_its_panel_from_the_start_down(count: int) -> None:
    paths = {f"path {number}": np.array([[-4.0, 1.0], [number, 0.5], [0.0, 0.0]]) for number in range(count)}
    figure = valley_paths(paths, bowl)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in panels] == list(paths)
    for axes, path in zip(panels, paths.values(), strict=True):
        assert np.array_equal(axes.lines[0].get_xydata(), path)
        assert axes.get_xlim()[0] < -4 < 0 < axes.get_xlim()[1]


def test_all_text_is_at_least_14_points() -> None:
    figures = [
        line_chart({"a": STEPS, "b": STEPS}, xlabel="step", ylabel="loss", title="title"),
        valley_paths({"a": np.array([[-4.0, 1.0], [0.0, 0.0]])}, bowl),
    ]
    for figure in figures:
        figure.draw_without_rendering()
        texts = figure.findobj(lambda artist: isinstance(artist, Text) and artist.get_text())
        assert [text.get_text() for text in texts if text.get_fontsize() < 14] == []
