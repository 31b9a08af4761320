"""How oracles that compute here what was computed elsewhere tell whether it comes out the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from mbo_hub.arrays import Float32

__all__ = ["Agreement", "Check", "compare"]

Agreement = Literal["exact", "compatible"]


class Check(NamedTuple):
    """What became of computing golden values again."""

    agreement: Agreement
    problem: str = ""


def compare(
    found: Float32[np.ndarray, " m"],
    golden: Float32[np.ndarray, " m"],
    tolerance: float,
    explain: Callable[[int], str],
) -> Check:
    """Compare values with golden ones: "exact" to the bit, or "compatible" within the tolerance.

    Args:
        found: values computed here; NaN is off by any measure.
        golden: what they should be.
        tolerance: how far one may be off.
        explain: says what to do about the row that is off most.
    """
    if np.array_equal(found, golden):
        return Check("exact")
    off = np.abs(found.astype(np.float64) - golden)
    row = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
    if off[row] <= tolerance:
        return Check("compatible")
    return Check("compatible", explain(row))
