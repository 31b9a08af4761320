"""How far a learned oracle can be trusted about a design: is it like what the oracle has seen?

A learned oracle knows the designs that it was trained on. How far these lie apart is measured once,
when the oracle is made (`measure`), and published with it. The distance of a new design to the
nearest of them is then told as a percentile of those distances (`percentiles`): 50 is as near as
training designs are to each other, 100 as far as the loneliest of them, or farther.
"""

from __future__ import annotations

import numpy as np

from mbo_hub.arrays import Float64, Num
from mbo_hub.dataset.manifest import Support
from mbo_hub.spaces import Space

__all__ = ["OUTSIDE", "measure", "percentiles"]

OUTSIDE = 99.0  # a design beyond this percentile lies outside the oracle's support


def measure(
    space: Space, known: Num[np.ndarray, "n d"], scale: Float64[np.ndarray, " d"]
) -> Support:
    """Measure how far apart the designs are that an oracle was trained on.

    Args:
        space: of the task; its distance counts.
        known: the designs, (n, d), n at least 2; equal ones count once.
        scale: what a real value is divided by first, (d,).
    """
    distinct = np.unique(known, axis=0)
    step = max(1, 2**22 // len(distinct))
    apart = []
    for begin in range(0, len(distinct), step):
        rows = np.arange(begin, min(begin + step, len(distinct)))
        distances = space.distance(distinct[rows], distinct, scale)
        distances[np.arange(len(rows)), rows] = np.inf  # a design is no neighbour of its own
        apart.append(distances.min(axis=1))
    levels = np.percentile(np.concatenate(apart), np.arange(101))
    return Support(designs=len(distinct), distances=tuple(levels.tolist()))


def percentiles(
    support: Support, distances: Float64[np.ndarray, " n"]
) -> Float64[np.ndarray, " n"]:
    """Tell distances to the nearest training design as percentiles of the training designs' own.

    Returns:
        For each, the largest whole percentile of the training designs' distances that is not above
        it, (n,) from 0 to 100; 100 is at or beyond the farthest. Where several percentiles are the
        distance itself, as among sequences, the lowest of them: it is common, not far.
    """
    levels = np.asarray(support.distances)
    # A distance computed elsewhere may differ in its last bits.
    lowest = np.searchsorted(levels, distances * (1 - 1e-9), side="left")
    largest = np.searchsorted(levels, distances * (1 + 1e-9), side="right") - 1
    return np.clip(np.minimum(lowest, largest), 0, 100).astype(np.float64)
