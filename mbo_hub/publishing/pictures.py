"""Pictures that stand on the card of a dataset."""

from __future__ import annotations

from hashlib import sha256

import msgspec
import numpy as np

from mbo_hub.arrays import Float32
from mbo_hub.dataset.lines import figure as figure_text
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.extras import require
from mbo_hub.scoring import canvas

__all__ = ["histogram"]

BINS = 60  # of the plot of y
DRAWING = 2  # raised when plots of the same figures are drawn otherwise


def histogram(
    manifest: Manifest, y: Float32[np.ndarray, " n"], visible: Float32[np.ndarray, " m"]
) -> bytes:
    """Plot the distribution of y over the full data with the visible part marked, as PNG.

    The picture carries a hash of what it shows (`plotted_data`), since its bytes depend on the
    version of matplotlib.

    Raises:
        MissingExtra: matplotlib is not installed.
        DrawingFailed: it cannot draw here.
    """
    require("plot", "a picture")
    with canvas.defaults():
        return _histogram(manifest, y, visible)


def _histogram(
    manifest: Manifest, y: Float32[np.ndarray, " n"], visible: Float32[np.ndarray, " m"]
) -> bytes:
    best = manifest.statistics.best_visible
    edges = _edges(float(y.min()), best, float(y.max()))
    figure = canvas.figure(6.4, 3.2)
    axes = figure.add_subplot()
    if len(y) > len(visible):
        axes.hist(y, edges, color="#c9d3df", label=f"hidden ({len(y) - len(visible):,})")
    axes.hist(visible, edges, color="#2f6690", label=f"visible ({len(visible):,})")
    axes.axvline(best, color="#c1121f", linewidth=1.2)
    along = (best - edges[0]) / (edges[-1] - edges[0])
    axes.annotate(  # above the axes, where no bar is
        f"D(best) {best:.4g}", (best, 1.0), (0, 2), xycoords=("data", "axes fraction"),
        textcoords="offset points", color="#c1121f", va="bottom",
        ha="left" if along < 0.15 else "right" if along > 0.85 else "center",
    )  # fmt: skip
    unit = f" ({manifest.objective.unit})" if manifest.objective.unit else ""
    axes.set_xlabel(figure_text(f"y: {manifest.objective.name}{unit}"))
    axes.set_ylabel("designs")
    axes.set_title(figure_text(f"{manifest.title} v{manifest.version}"), pad=18)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    counts = [np.histogram(values, edges)[0].tolist() for values in (y, visible)]
    shown = msgspec.json.encode(
        [DRAWING, counts, manifest.statistics, manifest.title, manifest.version]
    )
    return canvas.png(figure, sha256(shown).hexdigest())


def _edges(low: float, best: float, high: float) -> list[float]:
    """Edges of bins of one width from low to high, one of them right behind D(best).

    So no bar holds both visible rows and hidden ones above them.
    """
    cut = float(np.nextafter(np.float32(best), np.float32(np.inf)))
    below = min(BINS, round(BINS * (cut - low) / (high - low)))
    width = (cut - low) / below if below else (high - low) / BINS
    below = max(1, below)
    above = max(0, int(np.ceil((high - cut) / width)))
    edges = [cut + width * at for at in range(-below, above + 1)]
    return [min(low, edges[0]), *edges[1:-1], max(high, edges[-1])]  # in spite of rounding
