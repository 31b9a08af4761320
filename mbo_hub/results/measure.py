"""What is told of a run: its best design, its median, the best of k, how wrong its method was."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from mbo_hub.arrays import Float64
from mbo_hub.results.record import Run
from mbo_hub.scoring.plot import best_of

__all__ = ["Measure", "exploit_gap"]


class Measure(msgspec.Struct, frozen=True):
    """What is told of a run.

    Attributes:
        metric: 'best', the 100th percentile of its designs; 'median', the 50th; or 'best-of-k', the
            best of k of them, on average over all choices.
        k: of 'best-of-k'; where fewer designs than that are valid, it is the best of these.
    """

    metric: Literal["best", "median", "best-of-k"] = "best"
    k: int | None = None

    def __post_init__(self) -> None:
        if (self.metric == "best-of-k") != (self.k is not None) or self.k == 0:
            raise ValueError("'best-of-k', and nothing else, needs a k of 1 or more")

    def __str__(self) -> str:
        return {
            "best": "100th percentile",
            "median": "50th percentile",
            "best-of-k": f"best of {self.k}",
        }[self.metric]

    def of(self, score: Float64[np.ndarray, " n"]) -> float | None:
        """Measure a run by the scores of its valid designs; None without any."""
        valid = score[np.isfinite(score)]
        if not len(valid):
            return None
        if self.metric == "best":
            return float(valid.max())
        if self.metric == "median":
            return float(np.median(valid))
        return float(best_of(valid, np.array([min(self.k or 1, len(valid))]))[1][0])


def exploit_gap(run: Run) -> float | None:
    """Tell by how much a method expects more than it gets: mean predicted − true score of a run.

    None where nothing was predicted, or no design is valid.
    """
    if run.predicted is None or not np.isfinite(run.y).any():
        return None
    low, high = run.record.y_range
    return float(np.nanmean(run.predicted.astype(np.float64) - run.y) / (high - low))
