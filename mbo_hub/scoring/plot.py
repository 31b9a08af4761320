"""What a report looks like as a picture: the best of k designs, and scores against the data's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mbo_hub import extras
from mbo_hub.arrays import Float64, Int64, Num
from mbo_hub.dataset.lines import figure as figure_text
from mbo_hub.scoring import canvas

if TYPE_CHECKING:
    from mbo_hub.scoring.report import Report

__all__ = ["best_of", "draw"]

POINTS = 200  # of the curve
BINS = 40  # of the histogram
OURS, DATA, BEST = "#2f6690", "#c9d3df", "#c1121f"  # as on the cards


def best_of(
    values: Num[np.ndarray, " n"], sizes: Int64[np.ndarray, " p"] | None = None
) -> tuple[Int64[np.ndarray, " p"], Float64[np.ndarray, " p"]]:
    """Tell how good the best of k designs is on average, exactly.

    Of n values, k are drawn without putting any back; the largest of them is the i-th smallest of
    all with probability C(i − 1, k − 1) / C(n, k).

    Args:
        values: n of them, n at least 1.
        sizes: each k that is asked for, between 1 and n; None: all, but where there are more than
            200, as many, evenly spaced on a logarithmic scale.

    Returns:
        Each k, and the mean over all subsets of k values of the largest.

    Example:
        >>> k, mean = best_of(np.array([1.0, 2.0, 6.0]))
        >>> k.tolist(), mean.round(9).tolist()
        ([1, 2, 3], [3.0, 4.666666667, 6.0])
    """
    ordered = np.sort(np.asarray(values, np.float64))
    n = len(ordered)
    if sizes is None:
        sizes = np.unique(np.geomspace(1, n, min(n, POINTS)).round().astype(np.int64))
        sizes = np.arange(1, n + 1) if n <= POINTS else sizes
    logarithms = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])  # of factorials
    means = np.empty(len(sizes))
    for place, k in enumerate(sizes):
        rank = np.arange(k, n + 1)  # the smallest of all that the largest of k can be is the k-th
        choices = logarithms[rank - 1] - logarithms[rank - k]
        weight = np.exp(choices - choices.max())
        means[place] = ordered[k - 1 :] @ (weight / weight.sum())
    return sizes, means


def draw(report: Report, ax: Any = None) -> tuple[Any, ...]:
    """Draw what `Report.plot` promises.

    Args:
        report: to be drawn.
        ax: as of `Report.plot`.

    Raises:
        MissingExtra: matplotlib is not installed.
        DrawingFailed: it cannot draw here.
        ValueError: three axes or more, or none.
    """
    extras.require("plot", "drawing a report")
    if ax is None:
        with canvas.defaults():
            figure = canvas.figure(9.6, 3.6)
            panels = Panels(figure.subplots(1, 2))
            _draw(report, panels)
            figure.draw_without_rendering()  # makes the ticks, which would take up later settings
        return panels
    axes = tuple(ax) if isinstance(ax, Sequence | np.ndarray) else (ax,)
    if not 1 <= len(axes) <= 2:
        raise ValueError(f"a report is drawn on one or two axes, got {len(axes)}")
    _draw(report, axes)
    return axes


class Panels(tuple[Any, ...]):
    """The axes of a figure of ours; where a notebook shows them, it shows the figure."""

    def _repr_png_(self) -> bytes:
        """Draw what a notebook shows."""
        with canvas.defaults():
            return canvas.png(self[0].figure, "a report of mbo_hub")


def _draw(report: Report, axes: tuple[Any, ...]) -> None:
    valid = np.array([y for y in report.y if y is not None], np.float64)
    _draw_best_of(report, axes[0], valid)
    if len(axes) == 2:
        _draw_histogram(report, axes[1], valid)


def _draw_best_of(report: Report, ax: Any, valid: Float64[np.ndarray, " n"]) -> None:
    if len(valid):
        sizes, means = best_of(valid)
        mark = "o" if len(sizes) == 1 else None
        ax.plot(sizes, means, color=OURS, marker=mark, label=f"best of all {means[-1]:.4g}")
    best = report.best_visible
    ax.axhline(best, color=BEST, linewidth=1.2, label=f"D(best) {best:.4g}")
    ax.margins(y=0.12)
    ax.set(xlabel=f"k of {len(valid)} valid designs", ylabel=_measure(report),
           title=figure_text(f"{report.title}: best of k, on average"))  # fmt: skip
    ax.legend(fontsize="small", loc="best")


def _draw_histogram(report: Report, ax: Any, valid: Float64[np.ndarray, " n"]) -> None:
    """Draw shares of designs rather than counts: there are many more in the data."""
    data = report._visible_y
    shown = [np.asarray(data, np.float64)] if data is not None else []
    every = np.concatenate([*shown, valid, [report.best_visible]])
    edges = np.histogram_bin_edges(every, BINS)
    sets = [(values, DATA, f"visible data ({len(values):,})") for values in shown]
    if len(valid):
        sets.append((valid, OURS, f"designs ({len(valid):,})"))
    for values, color, label in sets:
        weights = np.full(len(values), 100.0 / len(values))
        ax.hist(values, edges, weights=weights, color=color, alpha=0.75, label=label)
    ax.axvline(report.best_visible, color=BEST, linewidth=1.2, label="D(best)")
    ax.set(xlabel=_measure(report), ylabel="% of each", title="Distribution")
    ax.legend(fontsize="small", loc="best")


def _measure(report: Report) -> str:
    return figure_text(f"objective ({report.unit})" if report.unit else "objective")
