"""How plots of runs look: a style for each entrant, panels of tasks, labels that do not overlap.

Readable in grey and by the colour-blind: colours are those of Okabe and Ito ("Color universal
design", 2008), and no two entrants share a marker. What a curve is stands beside it.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from textwrap import fill
from typing import Any, NamedTuple

import numpy as np

from mbo_hub.arrays import Float64
from mbo_hub.atomic import write_file
from mbo_hub.errors import InvalidFile
from mbo_hub.methods import METHODS
from mbo_hub.results.table import CONTROLS, Entrant
from mbo_hub.scoring import canvas

__all__ = ["Style", "board", "label", "legend", "looks", "note", "spread", "styles", "write"]

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = "osD^vP*<>hp8dXH"
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1)))
CONTROL_STYLES = {"random": ("#000000", "x"), "best_logged": ("#777777", "+")}
GREY, INK = "#999999", "#333333"
SMALL, NORMAL, LARGE = 7.0, 8.5, 12.0  # points
WIDTH = 9.6  # inches

_LOOKS: Any = {
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "svg.hashsalt": "mbo-hub",  # the same runs give the same file
}


class Style(NamedTuple):
    """How an entrant is drawn, in every plot."""

    color: str
    marker: str
    dashes: Any
    filled: bool

    def line(self) -> dict[str, Any]:
        """Keywords of a curve."""
        return {"color": self.color, "linestyle": self.dashes, "linewidth": 1.3, **self.point(4.0)}

    def point(self, size: float) -> dict[str, Any]:
        """Keywords of a marker."""
        inside = self.color if self.filled else "white"
        return {"color": self.color, "marker": self.marker, "markersize": size,
                "markerfacecolor": inside, "markeredgewidth": 0.9}  # fmt: skip


def styles(entrants: Iterable[Entrant]) -> dict[Entrant, Style]:
    """Give each entrant its style: a method of the package has the same in every picture.

    Args:
        entrants: in any order; a preset that is not standard looks like its method, but hollow.
    """
    known = [name for name in METHODS if name not in CONTROLS]
    there = set(entrants)
    strange = sorted({entrant.method for entrant in there} - {*known, *CONTROLS})
    place = dict(zip([*known, *strange], count(), strict=False))

    def style(entrant: Entrant) -> Style:
        filled = entrant.preset == "standard"
        if entrant.method in CONTROL_STYLES:
            return Style(*CONTROL_STYLES[entrant.method], (0, (2, 1.5)), filled)
        i = place[entrant.method]
        return Style(OKABE_ITO[i % len(OKABE_ITO)], MARKERS[i % len(MARKERS)],
                     DASHES[(i // len(OKABE_ITO)) % len(DASHES)], filled)  # fmt: skip

    return {entrant: style(entrant) for entrant in there}


@contextmanager
def looks() -> Iterator[None]:
    """Draw and write figures inside of it.

    Raises:
        DrawingFailed: matplotlib cannot draw here.
    """
    with canvas.defaults(_LOOKS):
        yield


def board(title: str, panels: int, columns: int, height: float) -> tuple[Any, list[Any]]:
    """Make a figure with panels.

    Args:
        title: the question that it answers.
        panels: how many.
        columns: at most.
        height: of a panel, in inches.

    Returns:
        The figure, and its axes.
    """
    columns = min(columns, panels)
    rows = -(-panels // columns)
    figure = canvas.figure(WIDTH if columns > 1 else 0.75 * WIDTH, rows * height + 0.7)
    axes = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for ax in axes[panels:]:
        ax.remove()
    figure.suptitle(title, fontsize=LARGE, fontweight="bold", x=0.01, ha="left")
    return figure, axes[:panels]


def legend(figure: Any, entries: Mapping[str, Style], *, columns: int = 7) -> None:
    """Say below the title which marker is which.

    Args:
        figure: as `board` makes it; its title gets lines to make room.
        entries: what to call them, in this order.
        columns: how many side by side.
    """
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], linestyle="", label=name, **style.point(6.0))
        for name, style in entries.items()
    ]
    title = figure.get_suptitle()
    figure.suptitle(title + "\n" * -(-len(handles) // columns), fontsize=LARGE,
                    fontweight="bold", x=0.01, ha="left")  # fmt: skip
    top = 1 - 2 * LARGE / 72 / figure.get_figheight()
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, top), ncols=columns,
        columnspacing=1.2, handletextpad=0.1, borderaxespad=0.2,
    ).set_in_layout(False)  # fmt: skip


def note(figure: Any, text: str) -> None:
    """Write below a figure how to read it, in lines that fit."""
    letters = int(figure.get_figwidth() * 72 / (0.58 * NORMAL))
    figure.supxlabel(fill(text, letters), fontsize=NORMAL, color=INK, x=0.01, ha="left")


def spread(
    wanted: Float64[np.ndarray, " n"], gap: float, low: float, high: float
) -> Float64[np.ndarray, " n"]:
    """Move places apart, as little as possible in the sum of squares.

    Args:
        wanted: in increasing order.
        gap: least distance of neighbours.
        low: least place.
        high: largest place; exceeded where they do not all fit.
    """
    from scipy.optimize import isotonic_regression

    steps = gap * np.arange(len(wanted))
    moved = isotonic_regression(wanted - steps).x
    return np.clip(moved, low, max(low, high - gap * (len(wanted) - 1))) + steps


def label(ax: Any, ends: Sequence[tuple[str, float, float, str]], height: float) -> None:
    """Write what curves are to the right of a panel, each beside its end.

    Args:
        ax: the panel, with its final limits.
        ends: text, x and y of the end, color.
        height: of the panel, in inches.
    """
    low, high = ax.get_ylim()
    gap = (high - low) * (SMALL + 1.5) / 72 / (0.72 * height)
    ordered = sorted(ends, key=lambda end: end[2])
    places = spread(np.array([end[2] for end in ordered]), gap, low, high)
    for (text, x, y, color), place in zip(ordered, places, strict=True):
        ax.annotate(
            text, (x, y), (1.06, place), textcoords=("axes fraction", "data"), color=color,
            fontsize=SMALL, va="center", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.5, "shrinkA": 0,
                        "shrinkB": 2, "relpos": (0, 0.5)},
        )  # fmt: skip


def write(figure: Any, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG.

    Raises:
        InvalidFile: the place cannot be written.
    """
    written = []
    for suffix, options in (("png", {"dpi": 150}), ("svg", {"metadata": {"Date": None}})):
        sink = io.BytesIO()
        figure.savefig(sink, format=suffix, **options)
        path = folder / f"{name}.{suffix}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_file(path, sink.getvalue())
        except OSError as error:
            raise InvalidFile(f"{path}: cannot be written: {error.strerror}") from None
        written.append(path)
    return written
