"""Figures of how sure a classifier is, and where its classes lie: reliability diagrams and clusters of points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from course_lib.reporting.plots import FIGURE_SIZE, SERIES, SeriesStyle, style

POINT_SIZE = 22


def reliability_diagrams(
    panels: Mapping[str, pd.DataFrame], captions: Mapping[str, str], look: SeriesStyle = SERIES[0]
) -> Figure:
    """Draw reliability diagrams (DeGroot & Fienberg 1983), one panel each, side by side.

    A bar is the accuracy of the images in one bin of confidence, as wide as the bin; its distance from the diagonal is
    the bin's calibration error. Paler bars hold fewer images.

    Args:
        panels: by title, a frame with one row a bin and the columns `low` and `high` (the bin's ends, 0 to 1),
            `accuracy` (0 to 1, NaN in an empty bin) and `share` (of the images, 0 to 1).
        captions: below each panel, by title.
        look: of the bars.
    """
    with style():
        figure = Figure(figsize=(FIGURE_SIZE[0], 0.9 + FIGURE_SIZE[0] / len(panels)), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (title, bins) in zip(row, panels.items(), strict=True):
            filled = bins[bins["share"] > 0]
            opacity = 0.3 + 0.7 * filled["share"] / filled["share"].max()
            width = filled["high"] - filled["low"]
            bars = axes.bar(
                filled["low"], filled["accuracy"], width, align="edge", color=look.color, edgecolor="white", hatch=""
            )
            for bar, alpha in zip(bars, opacity, strict=True):
                bar.set_alpha(alpha)
            axes.plot([0, 1], [0, 1], color="black", linestyle="--", linewidth=2, marker="")
            axes.set(title=title, xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1), aspect="equal")
            axes.set_xlabel(f"confidence\n{captions[title]}")
        row[0].set_ylabel("accuracy")
    return figure


def cluster_panels(panels: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw points of a few classes in the plane, one panel each, side by side, all on the same axes.

    Args:
        panels: by title, the points of each class by its name, shape (N, 2). Every panel has the same classes, at most
            as many as `SERIES` has looks.

    Raises:
        ValueError: if there are more classes than distinct looks.
    """
    names = list(next(iter(panels.values())))
    if len(names) > len(SERIES):
        raise ValueError(f"points can tell 1 to {len(SERIES)} classes apart, not {len(names)}")
    with style():
        figure = Figure(figsize=(FIGURE_SIZE[0], 0.7 + FIGURE_SIZE[0] / len(panels)), layout="constrained")
        row = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
        for axes, (title, groups) in zip(row, panels.items(), strict=True):
            for name, look in zip(names, SERIES, strict=False):
                points = {"color": look.color, "marker": look.marker, "s": POINT_SIZE, "alpha": 0.6, "linewidths": 0}
                axes.scatter(*groups[name].T, label=name, **points)
            axes.set(title=title, aspect="equal", adjustable="box")
            axes.tick_params(labelsize=12)
        handles, labels = row[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(names), markerscale=2)
    return figure
