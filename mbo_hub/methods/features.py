"""Designs as the numbers that models learn from, and numbers back to legal designs.

A box becomes z-scores; a sequence becomes logits, as Design-Bench writes them, or one-hot vectors.
The way back always ends in legal designs, and says which of them had to be moved on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np

from mbo_hub.arrays import Bool, Float32, Int64, Num
from mbo_hub.errors import InvalidDesign
from mbo_hub.offline import Affine, Offline
from mbo_hub.spaces import Box, Sequence

__all__ = ["Decoded", "Features", "Logits", "OneHot", "ZScores", "features", "legalize"]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Legal designs that were made from numbers.

    Attributes:
        designs: (m, d) legal designs, m ≤ n.
        rows: which of the n given rows they are, (m,); the others have no legal design.
        moved: (m,) True where the numbers said something illegal: out of bounds, or tokens after
            padding.
    """

    designs: Num[np.ndarray, "m d"]
    rows: Int64[np.ndarray, " m"]
    moved: Bool[np.ndarray, " m"]

    def __getitem__(self, which: Num[np.ndarray, " k"] | slice) -> Decoded:
        return Decoded(self.designs[which], self.rows[which], self.moved[which])

    def __len__(self) -> int:
        return len(self.designs)


@runtime_checkable
class Features(Protocol):
    """A way to write designs as numbers."""

    @property
    def width(self) -> int:
        """How many numbers a design becomes, w."""

    def encode(self, designs: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, "n w"]:
        """Write legal designs as numbers."""

    def decode(self, values: Num[np.ndarray, "n w"]) -> Decoded:
        """Return the legal designs that are nearest to numbers."""


def legalize(space: Sequence | Box, designs: Num[np.ndarray, "n d"]) -> Decoded:
    """Replace each row by the nearest legal design, and leave out those that have none.

    Args:
        space: of the task.
        designs: (n, d) numbers; rows of NaN, or of nothing but zeros or padding, may have none.
    """
    with np.errstate(all="ignore"):  # judged below
        legal = space.legal(designs)
    try:
        return Decoded(space.project(designs), np.arange(len(designs)), ~legal)
    except InvalidDesign:
        kept = [np.empty((0, space.dim), space.dtype)]
        rows = []
    for row in range(len(designs)):
        try:
            kept.append(space.project(designs[row : row + 1]))
        except InvalidDesign:
            continue
        rows.append(row)
    numbers = np.array(rows, np.int64)
    return Decoded(np.concatenate(kept), numbers, ~legal[numbers])


@dataclass(frozen=True, eq=False)
class ZScores:
    """A box: each value in standard deviations of the visible rows from their mean."""

    space: Box
    scale: Affine

    @property
    def width(self) -> int:
        """One number a value: d."""
        return self.space.dim

    def encode(self, designs: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, "n w"]:
        """Subtract the visible mean, divide by the visible standard deviation."""
        return self.scale.apply(designs)

    def decode(self, values: Num[np.ndarray, "n w"]) -> Decoded:
        """Undo `encode`, and clip to the bounds."""
        return legalize(self.space, self.scale.invert(values.astype(np.float64)))


@dataclass(frozen=True, eq=False)
class OneHot:
    """A sequence: 1 at the token and 0 elsewhere, position by position; w = d · K."""

    space: Sequence

    @property
    def width(self) -> int:
        """K numbers a position."""
        return self.space.dim * len(self.space.alphabet)

    def encode(self, designs: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, "n w"]:
        """Write tokens one-hot, flat."""
        return self.space.one_hot(designs).reshape(len(designs), self.width)

    def decode(self, values: Num[np.ndarray, "n w"]) -> Decoded:
        """Take the largest entry at each position."""
        return _tokens(self.space, values.reshape(len(values), self.space.dim, -1))


@dataclass(frozen=True, eq=False)
class Logits:
    """A sequence: soft log-probabilities less those of the first token, which is left out.

    Token k of K keeps 0.6 of the probability and 0.4 are shared by all, as in Design-Bench; so each
    position becomes K − 1 numbers. They are z-scored on the visible rows, unless `scale` is None.
    """

    space: Sequence
    scale: Affine | None

    @classmethod
    def of(cls, space: Sequence, visible: Num[np.ndarray, "n d"], *, z_scored: bool) -> Logits:
        """Fit on visible designs; a token that they never have at a place is 0 there."""
        raw = cls(space, None)
        return cls(space, Affine.fit(raw.encode(visible))) if z_scored else raw

    @property
    def width(self) -> int:
        """K − 1 numbers a position."""
        return self.space.dim * (len(self.space.alphabet) - 1)

    def encode(self, designs: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, "n w"]:
        """Write tokens as logits, flat."""
        logits = self.space.logits(designs)
        flat = (logits[:, :, 1:] - logits[:, :, :1]).reshape(len(designs), self.width)
        return flat if self.scale is None else self.scale.apply(flat)

    def decode(self, values: Num[np.ndarray, "n w"]) -> Decoded:
        """Take the most probable token at each position."""
        flat = values if self.scale is None else self.scale.invert(values.astype(np.float64))
        logits = flat.reshape(len(values), self.space.dim, -1)
        first = np.zeros((*logits.shape[:2], 1), logits.dtype)
        return _tokens(self.space, np.concatenate([first, logits], axis=2))


def _tokens(space: Sequence, preference: Num[np.ndarray, "n d k"]) -> Decoded:
    """The preferred token at each position; the first is never padding, as no design is empty."""
    known = ~np.isnan(preference).any(axis=(1, 2))
    tokens = np.where(np.isnan(preference), -np.inf, preference).argmax(axis=2)
    first = tokens[:, 0].copy()
    if space.padding is not None:
        letters = preference[:, 0].copy()
        letters[:, space.alphabet.index(space.padding)] = -np.inf
        tokens[:, 0] = np.where(np.isnan(letters), -np.inf, letters).argmax(axis=1)
    found = legalize(space, tokens)
    moved = found.moved | (tokens[found.rows, 0] != first[found.rows])
    kept = known[found.rows]
    return Decoded(found.designs[kept], found.rows[kept], moved[kept])


def features(
    offline: Offline, sequences: Literal["logits", "raw_logits", "one_hot"] = "logits"
) -> Features:
    """Choose how the designs of a task become numbers.

    Args:
        offline: the visible data.
        sequences: what sequences become: z-scored logits, logits as they are, or one-hot vectors;
            boxes are z-scored whatever it says.
    """
    space = offline.space
    if isinstance(space, Box):
        return ZScores(space, offline.normalization.x)
    if sequences == "one_hot":
        return OneHot(space)
    return Logits.of(space, offline.x, z_scored=sequences == "logits")
