"""Reliability diagrams and clusters: what is drawn is what was given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from course_lib.reporting.confidence_plots import cluster_panels, reliability_diagrams
from course_lib.reporting.plots import SERIES, figure_html


def bins() -> pd.DataFrame:
    return pd.DataFrame(
        {"low": [0.0, 0.5, 0.75], "high": [0.5, 0.75, 1.0], "accuracy": [np.nan, 0.6, 0.9], "share": [0.0, 0.25, 0.75]}
    )


def test_a_bar_is_its_bin_wide_and_its_accuracy_high() -> None:
    figure = reliability_diagrams({"eps 0": bins()}, {"eps 0": "ECE 0.1"})
    bars = figure.axes[0].patches
    assert [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in bars] == [(0.5, 0.25, 0.6), (0.75, 0.25, 0.9)]
    assert bars[0].get_alpha() < bars[1].get_alpha() == pytest.approx(1)


def test_each_panel_has_the_diagonal_and_its_caption() -> None:
    figure = reliability_diagrams({"a": bins(), "b": bins()}, {"a": "first", "b": "second"})
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert [axes.get_xlabel().split("\n")[1] for axes in figure.axes] == ["first", "second"]
    assert all(axes.lines[0].get_xydata().tolist() == [[0, 0], [1, 1]] for axes in figure.axes)


def test_clusters_show_every_point_in_its_class_s_look() -> None:
    points = {"Coat": np.zeros((5, 2)), "Sneaker": np.ones((3, 2))}
    figure = cluster_panels({"eps 0": points, "eps 0.1": points})
    for axes in figure.axes:
        assert [len(drawn.get_offsets()) for drawn in axes.collections] == [5, 3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["Coat", "Sneaker"]


def test_more_classes_than_looks_are_refused() -> None:
    points = {str(number): np.zeros((1, 2)) for number in range(len(SERIES) + 1)}
    with pytest.raises(ValueError, match="points can tell 1 to 4 classes apart, not 5"):
        cluster_panels({"all": points})


def test_both_come_out_the_same_on_every_run() -> None:
    panels = {"a": {"Coat": np.arange(10.0).reshape(5, 2)}}
    assert figure_html(cluster_panels(panels), "x").png == figure_html(cluster_panels(panels), "x").png
    reliability = [figure_html(reliability_diagrams({"a": bins()}, {"a": ""}), "x").png for _ in range(2)]
    assert reliability[0] == reliability[1]
