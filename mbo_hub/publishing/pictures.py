"""Pictures that stand on the card of a dataset."""

from __future__ import annotations

import io

import numpy as np

from mbo_hub.arrays import Float32
from mbo_hub.dataset.manifest import Manifest

__all__ = ["histogram"]

BINS = 60


def histogram(
    manifest: Manifest, y: Float32[np.ndarray, " n"], visible: Float32[np.ndarray, " m"]
) -> bytes:
    """Plot the distribution of y over the full data with the visible part marked, as PNG.

    An edge of the bins lies at D(best), so that no visible bar stands to the right of it.

    Args:
        manifest: of the task; gives title, unit and D(best).
        y: of all rows.
        visible: of the visible rows.

    Raises:
        ImportError: matplotlib is not installed.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    edges = _edges(float(y.min()), float(visible.max()), float(y.max()))
    axes.hist(y, edges, color="#c9d3df", label=f"hidden ({len(y) - len(visible):,})")
    axes.hist(visible, edges, color="#2f6690", label=f"visible ({len(visible):,})")
    best = manifest.statistics.best_visible
    axes.axvline(best, color="#c1121f", linewidth=1.2, label=f"D(best) {best:.4g}")
    unit = f" ({manifest.objective.unit})" if manifest.objective.unit else ""
    name = manifest.objective.name
    axes.set_xlabel(f"{'y' if name == 'y' else f'y: {name}'}{unit}")
    axes.set_ylabel("designs")
    axes.set_title(f"{manifest.title} v{manifest.version}")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.spines[["top", "right"]].set_visible(False)
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=120, metadata={"Software": None})
    return sink.getvalue()


def _edges(low: float, cut: float, high: float) -> list[float]:
    """About `BINS` bins from low to high, one of which ends right behind the cut."""
    left = max(1, round(BINS * (cut - low) / (high - low)))
    edges = np.linspace(low, cut, left + 1)
    if high > cut:
        right = np.linspace(cut, high, max(1, BINS - left) + 1)
        # A bin holds its left edge, not its right one; the designs at the cut are visible.
        right[0] = np.nextafter(np.float32(cut), np.float32(np.inf))
        edges = np.concatenate([edges[:-1], right])
    distinct: list[float] = np.unique(edges).tolist()
    return distinct
