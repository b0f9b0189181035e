"""One style for every figure of the course, and figures with a text for those who cannot see them.

Figures are read from the back row of a lecture hall: a figure is shown at 96 CSS pixels an inch, so 14 pt in the figure
are 14 pt on the page. Colour never carries a meaning alone: each series has its own hatch, marker and line, too.
"""

import base64
import io
import itertools
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

CSS_PIXELS_PER_INCH = 96
# 1.5 device pixels for each CSS pixel: sharp on a projector, at half the bytes of 2.
_DPI = 1.5 * CSS_PIXELS_PER_INCH
FIGURE_SIZE = (9.0, 4.5)
"""Width and height in inches: a 1280x720 projector leaves about 900x560 CSS pixels to an output in JupyterLab."""

LEGEND_ROW, LEGEND_SAMPLE = 86, 12
"""Letters that fit into one row of a legend, and how many of them the sample before a name takes."""


@dataclass(frozen=True)
class SeriesStyle:
    """How one series looks: its colour and, for those who cannot tell colours apart, its hatch, marker and line.

    Without a line, `linestyle=""`, there is a marker at every value: where a line would tell of places nobody measured.
    """

    color: str
    hatch: str
    marker: str
    linestyle: str | tuple

    def line(self) -> dict[str, Any]:
        """Keyword arguments for `Axes.plot`."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}

    def bar(self) -> dict[str, Any]:
        """Keyword arguments for `Axes.bar` and `Axes.barh`; white hatches on the colour, black at the edge."""
        return {"color": self.color, "hatch": self.hatch, "edgecolor": "white", "linewidth": 0}


# Colours of Okabe and Ito, "Color Universal Design" (2008), without the four too pale for lines on white.
SERIES = (
    SeriesStyle("#0072B2", "", "o", "-"),
    SeriesStyle("#D55E00", "//", "s", "--"),
    SeriesStyle("#009E73", "..", "^", "-."),
    SeriesStyle("#000000", "xx", "D", ":"),
)
# Where a number comes from is never mixed up: these three look alike in every figure.
LIVE, RECORDED, PAPER = SERIES[0], SERIES[2], SERIES[3]
"""Styles of numbers measured in the notebook, read from a recorded run, and claimed by a paper."""

_RC = {
    "figure.figsize": FIGURE_SIZE,
    "figure.facecolor": "white",  # not transparent: black text must stay readable in JupyterLab's dark theme
    "savefig.facecolor": "white",
    "figure.dpi": CSS_PIXELS_PER_INCH,
    "font.size": 15,
    "axes.titlesize": 17,
    "axes.labelsize": 15,
    "xtick.labelsize": 14,
    "ytick.labelsize": 14,
    "legend.fontsize": 14,
    "legend.frameon": False,
    "legend.handlelength": 3,  # long enough to tell dashes from dots
    "lines.linewidth": 3,
    "lines.markersize": 9,
    "hatch.linewidth": 2,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d0d0d0",
    "axes.prop_cycle": mpl.cycler(**{key: [s.line()[key] for s in SERIES] for key in SERIES[0].line()}),
}


def style() -> AbstractContextManager[None]:
    """Return a context in which figures get the course's fonts, lines and colours: `with style(): figure = …`."""
    return mpl.rc_context(_RC)


class FigureHTML:
    """A drawn figure as a notebook shows it: a picture with a text for screen readers.

    `html` is an `<img>` with the PNG inside and `alt`, shown at the figure's size in inches times 96 CSS pixels.
    JupyterLab drops a text given beside `image/png`, so the picture is published as `text/html`.
    """

    def __init__(self, png: bytes, alt: str, width: int) -> None:
        self.png = png
        self.alt = alt
        source = base64.b64encode(png).decode("ascii")
        size = f'width="{width}" style="max-width: 100%"'
        self.html = f'<img alt="{escape(alt)}" {size} src="data:image/png;base64,{source}">'

    def __repr__(self) -> str:
        return self.alt

    def _repr_mimebundle_(self, **kwargs: object) -> dict[str, str]:
        return {"text/plain": self.alt, "text/html": self.html}


def figure_html(figure: Figure, alt: str) -> FigureHTML:
    """Draw the figure and return it with `alt`, one or two sentences that say what is to be seen, numbers included.

    The same figure gives the same bytes on one machine; fonts may differ by a pixel on another.

    Raises:
        ValueError: if `alt` is empty.
    """
    if not alt.strip():
        raise ValueError("a figure needs an alt text that says what is to be seen in it")
    buffer = io.BytesIO()
    # Without matplotlib's name and version, which would change the bytes with each release.
    figure.savefig(buffer, format="png", dpi=_DPI, metadata={"Software": None})
    return FigureHTML(buffer.getvalue(), alt, round(figure.get_figwidth() * CSS_PIXELS_PER_INCH))


def bar_compare(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    title: str = "",
    number_format: str = "{:,.0f}",
    styles: Mapping[str, SeriesStyle] | None = None,
) -> Figure:
    """Draw horizontal bars, one group a label and in it one bar a series, each with its number at its end.

    Args:
        labels: names of the groups, from top to bottom.
        series: name of each series and its values, one a label, all at least 0.
        xlabel: what is counted, with its unit.
        number_format: how a bar's number is written.
        styles: look of a series by its name, such as `{"paper": PAPER}`; the others take `SERIES` in order.

    Raises:
        ValueError: if a series has another length than `labels`, or there are more series than distinct looks.
    """
    for name, values in series.items():
        if len(values) != len(labels):
            raise ValueError(f"series {name!r} has {len(values)} values for {len(labels)} labels")
    if not 1 <= len(series) <= len(SERIES):
        raise ValueError(f"bars can tell 1 to {len(SERIES)} series apart, not {len(series)}")
    chosen = dict(zip(series, SERIES, strict=False)) | dict(styles or {})
    height = 0.8 / len(series)
    with style():
        figure = Figure(figsize=(FIGURE_SIZE[0], 1.6 + 0.55 * len(labels) * max(1.0, 0.75 * len(series))))
        axes = figure.subplots()
        for number, (name, values) in enumerate(series.items()):
            places = [group + (number - (len(series) - 1) / 2) * height for group in range(len(labels))]
            bars = axes.barh(places, values, height=0.92 * height, label=name, **chosen[name].bar())
            axes.bar_label(bars, [number_format.format(value) for value in values], padding=6, fontsize=14)
        axes.set(yticks=range(len(labels)), yticklabels=labels, xlabel=xlabel, title=title)
        axes.xaxis.set_major_formatter("{x:,.10g}")
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
        axes.margins(x=0.18)
        axes.set_xlim(left=0)
        if len(series) > 1:
            axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0 if not title else 1.12), ncols=len(series))
        figure.set_layout_engine("tight")
    return figure


def matrix_gallery(
    rows: Mapping[str, Iterable[np.ndarray]],
    *,
    titles: Sequence[str],
    captions: Sequence[str] = (),
    photographs: bool = False,
) -> Figure:
    """Draw matrices as pictures, orange and purple for the two signs, white for zero.

    Args:
        rows: name of each row and its matrices, one a title.
        titles: above the columns.
        captions: below the columns, or none.
        photographs: the matrices are pixels from 0, black, to 1, white; what lies outside is cut off.
    """
    with style():
        figure = Figure(figsize=(1.9 * len(titles), (1.9 if photographs else 2.3) * len(rows)), layout="constrained")
        grid = figure.subplots(len(rows), len(titles), squeeze=False)
        for axes_row, (name, matrices) in zip(grid, rows.items(), strict=True):
            axes_row[0].set_ylabel(name, fontsize=17)
            for axes, matrix in zip(axes_row, matrices, strict=True):
                limit = np.abs(matrix).max()
                signed = {"cmap": "PuOr_r", "vmin": -limit, "vmax": limit}
                axes.imshow(matrix, **({"cmap": "gray", "vmin": 0, "vmax": 1} if photographs else signed))
                axes.set(xticks=(), yticks=())
                axes.grid(visible=False)
        for axes, title in zip(grid[0], titles, strict=True):
            axes.set_title(title)
        for axes, caption in zip(grid[-1], captions or [""] * len(titles), strict=True):
            axes.set_xlabel(caption, fontsize=17)
    return figure


def patches_on_picture(picture: np.ndarray, panels: Mapping[str, Mapping[str, tuple[int, int]]]) -> Figure:
    """Draw a picture once a panel, pale, and around its middle a frame for each patch.

    Args:
        picture: pixels from 0 to 1, shape (H, W); 1 is drawn darkest.
        panels: (height, width) of each patch in pixels by its name, by the panel's title; patches of one name look
            alike in all panels. What reaches beyond the picture is not seen.
    """
    names = list(dict.fromkeys(name for patches in panels.values() for name in patches))
    looks = dict(zip(names, itertools.cycle(SERIES), strict=False))
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
    with style():
        figure = Figure(figsize=(FIGURE_SIZE[0], 0.9 + FIGURE_SIZE[0] / len(panels)), layout="constrained")
        for axes, (title, patches) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            axes.imshow(picture, cmap="gray_r", vmin=0, vmax=1.8)
            for name, (height, width) in patches.items():
                x, y = (corners * (width, height) + np.array(picture.shape)[::-1] / 2 - 0.5).T
                axes.plot(x, y, label=name, color=looks[name].color, linestyle=looks[name].linestyle, marker="")
            axes.set(xlim=(-0.5, picture.shape[1] - 0.5), ylim=(picture.shape[0] - 0.5, -0.5))
            axes.set(xticks=(), yticks=(), title=title)
            axes.grid(visible=False)
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(names))
    return figure


def line_chart(
    series: Mapping[str, pd.Series | pd.DataFrame],
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    log: str = "",
    ylim: tuple[float | None, float | None] = (None, None),
    styles: Mapping[str, SeriesStyle] | None = None,
    faint: Collection[str] = (),
) -> Figure:
    """Draw lines over a common axis.

    Args:
        series: values over the index by the line's name; of a frame each column is a line, such as a seed, and all look
            alike. NaN is a gap.
        xlabel, ylabel: what the axes are, with their units.
        log: the logarithmic axes: "", "x", "y" or "xy".
        ylim: ends of the upright axis; None fits the data.
        styles: look of a series by its name, such as `{"recorded": RECORDED}`; the others take `SERIES` in order.
        faint: series drawn thin, pale and without markers, such as the single values behind a mean.

    Raises:
        ValueError: if there are more series than distinct looks.
    """
    chosen = dict(zip(series, SERIES, strict=False)) | dict(styles or {})
    if not series or not set(series) <= set(chosen):
        raise ValueError(f"lines can tell 1 to {len(SERIES)} series apart, not {len(series)}, unless `styles` has more")
    with style():
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        for name, values in series.items():
            frame = pd.DataFrame(values)
            look = {**chosen[name].line(), "markevery": max(1, len(frame) // 10) if chosen[name].linestyle else 1}
            if name in faint:
                look |= {"linewidth": 1, "alpha": 0.6, "marker": ""}
            for number, column in enumerate(frame):
                axes.plot(frame.index, frame[column], label=name if number == 0 else None, **look)
        # The scale comes first: limits, also those that fit the data, are frozen when they are set.
        axes.set(xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
        axes.set(xlabel=xlabel, ylabel=ylabel, title=title, ylim=ylim)
        if "x" not in log and all(pd.api.types.is_integer_dtype(values.index) for values in series.values()):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(series) > 1:
            fits = sum(len(name) + LEGEND_SAMPLE for name in series) <= LEGEND_ROW
            figure.legend(loc="outside upper center", ncols=len(series) if fits else 2)
    return figure


def line_panels(
    lines: Mapping[str, pd.Series],
    *,
    columns: int,
    xlabel: str,
    ylabel: str,
    log: str = "",
    legend: tuple[str, str] = ("this one", "the others"),
) -> Figure:
    """Draw each line in a panel of its own with all others pale behind it, on the same axes everywhere.

    Args:
        lines: values over the index by the line's name, which stands above its panel.
        columns: panels side by side.
        xlabel, ylabel: what the axes are, with their units.
        log: the logarithmic axes: "", "x", "y" or "xy".
        legend: what a panel's own line and the pale ones are, above the panels.
    """
    rows = -(-len(lines) // columns)
    with style():
        figure = Figure(figsize=(FIGURE_SIZE[0], 1.0 + 2.4 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flat
        for axes in panels[len(lines) :]:
            axes.set_visible(False)
        for axes, (name, values) in zip(panels, lines.items(), strict=False):
            for other in lines.values():
                (pale,) = axes.plot(other.index, other, color="#b0b0b0", linewidth=1.2, linestyle="-", marker="")
            (own,) = axes.plot(values.index, values, **SERIES[0].line(), markersize=5)
            axes.set_title(name, fontsize=15)
            axes.set(xscale="log" if "x" in log else "linear", yscale="log" if "y" in log else "linear")
        figure.legend((own, pale), legend, loc="outside upper center", ncols=2)
        figure.supxlabel(xlabel, fontsize=15)
        figure.supylabel(ylabel, fontsize=15)
    return figure


def valley_paths(paths: Mapping[str, np.ndarray], height: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Figure:
    """Draw paths down a valley, one panel each, over its contour lines; the lowest place is the origin.

    Args:
        paths: places of each path, shape (steps + 1, 2).
        height: of the places (x, y), arrays of one shape.
    """
    start = next(iter(paths.values()))[0]
    reach = 1.25 * np.abs(start)
    x, y = np.meshgrid(np.linspace(-reach[0], reach[0], 200), np.linspace(-reach[1], reach[1], 200))
    with style():
        figure = Figure(figsize=(FIGURE_SIZE[0], 2.6 * -(-len(paths) // 2)), layout="constrained")
        panels = list(figure.subplots(-(-len(paths) // 2), 2, squeeze=False, sharex=True, sharey=True).flat)
        for axes, (name, path), look in zip(panels, paths.items(), itertools.cycle(SERIES)):
            axes.contour(
                x, y, height(x, y), levels=height(*start) * np.linspace(0.02, 1.2, 9), colors="#b0b0b0", linewidths=1.5
            )
            axes.plot(*path.T, color=look.color, marker="o", markersize=4, linewidth=1.5)
            axes.plot(0, 0, marker="*", markersize=16, color="black")
            axes.set(title=name, xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
            axes.grid(visible=False)
        for axes in panels[len(paths) :]:
            axes.set_visible(False)
        figure.supxlabel("x, along the valley")
        figure.supylabel("y, across")
    return figure
