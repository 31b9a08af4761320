"""Designs as the numbers that models learn from, and numbers back to legal designs.

Boxes become z-scores; sequences become logits, as Design-Bench writes them, or one-hot vectors.
The way back always ends in legal designs, and says how many rows had to be moved on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from mbo_hub.arrays import Bool, Float32, Num
from mbo_hub.errors import InvalidDesign, MethodFailed
from mbo_hub.offline import Affine, Offline
from mbo_hub.spaces import Sequence

__all__ = ["Decoded", "Features", "Logits", "OneHot", "ZScores", "features", "legalize", "one_hot"]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Legal designs that were made from numbers.

    Attributes:
        designs: (m, d) legal designs, m ≤ n.
        rows: which of the n given rows they are, (m,); the others have no legal design.
        projected: how many of them had to be moved: clipped to bounds, or given a legal ending.
    """

    designs: Num[np.ndarray, "m d"]
    rows: Num[np.ndarray, " m"]
    projected: int


class Features(Protocol):
    """A way to write designs as numbers."""

    @property
    def width(self) -> int:
        """How many numbers a design becomes."""

    def encode(self, designs: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, "n w"]:
        """Write legal designs as numbers."""

    def decode(self, values: Float32[np.ndarray, "n w"]) -> Decoded:
        """Return the legal designs that are nearest to numbers."""


def legalize(space: object, designs: Num[np.ndarray, "n d"]) -> Decoded:
    """Replace rows by the nearest legal design, and leave out those that have none.

    Args:
        space: of the task.
        designs: (n, d) numbers.
    """
    legal: Bool[np.ndarray, " n"] = space.legal(designs)  # type: ignore[attr-defined]
    out, rows = [], []
    for row in range(len(designs)):
        try:
            out.append(space.project(designs[row : row + 1])[0])  # type: ignore[attr-defined]
        except InvalidDesign:  # NaN, or nothing but zeros or padding
            continue
        rows.append(row)
    kept = np.array(rows, np.intp)
    empty = np.empty((0, space.dim), space.dtype)  # type: ignore[attr-defined]
    return Decoded(np.stack(out) if out else empty, kept, int((~legal[kept]).sum()))
