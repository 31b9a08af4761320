"""What an offline method may see of a task: designs, objective, space, normalization; no oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mbo_hub.arrays import Float32, Float64, Num
from mbo_hub.spaces import Box, Sequence

__all__ = ["Affine", "Normalization", "Offline"]


@dataclass(frozen=True, eq=False)
class Affine:
    """A rescaling to zero mean and unit variance, and back.

    Attributes:
        mean: what becomes 0; a number, or one for each column.
        std: what becomes 1; where the data do not vary it is 1, so that they become 0.

    Example:
        >>> scale = Affine.fit(np.array([1.0, 3.0]))
        >>> scale.apply(np.array([1.0, 2.0, 3.0]))
        array([-1.,  0.,  1.], dtype=float32)
        >>> scale.invert(np.array([-1.0, 0.0, 1.0]))
        array([1., 2., 3.], dtype=float32)
    """

    mean: Float64[np.ndarray, "*shape"]
    std: Float64[np.ndarray, "*shape"]

    @classmethod
    def of(cls, mean: Any, std: Any) -> Affine:
        """Make one from a mean and a standard deviation as measured, 0 included."""
        spread = np.asarray(std, np.float64)
        return cls(np.asarray(mean, np.float64), np.where(spread > 0, spread, 1.0))

    @classmethod
    def fit(cls, values: Num[np.ndarray, n * shape]) -> Affine:
        """Measure mean and population standard deviation over the rows, in float64."""
        exact = values.astype(np.float64)
        return cls.of(exact.mean(axis=0), exact.std(axis=0))

    def apply(self, values: Num[np.ndarray, "*rows"]) -> Float32[np.ndarray, "*rows"]:
        """Rescale raw values; float32 out, computed in float64."""
        scaled: Float32[np.ndarray, "*rows"] = ((values - self.mean) / self.std).astype(np.float32)
        return scaled

    def invert(self, values: Num[np.ndarray, "*rows"]) -> Float32[np.ndarray, "*rows"]:
        """Return rescaled values to raw units; float32 out, computed in float64."""
        raw: Float32[np.ndarray, "*rows"] = (values * self.std + self.mean).astype(np.float32)
        return raw


@dataclass(frozen=True, eq=False)
class Normalization:
    """Rescalings fitted on the visible rows, for learning; scores use another (see `Task.score`).

    Attributes:
        x: one mean and standard deviation for each column of x; tokens count as numbers.
        y: the objective's.
    """

    x: Affine
    y: Affine


@dataclass(frozen=True, eq=False)
class Offline:
    """The argument of an offline method: everything visible, and no oracle to leak.

    Attributes:
        name: of the task.
        space: what a legal design is.
        x: visible designs, (n, d), int8 tokens or float32; read-only.
        y: their objective, (n,) float32, raw units, larger is better; read-only.
        normalization: fitted on x and y.
    """

    name: str
    space: Sequence | Box
    x: Num[np.ndarray, "n d"]
    y: Float32[np.ndarray, " n"]
    normalization: Normalization

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Come back from a pickle or a copy with arrays that are still read-only."""
        self.__dict__.update(state)
        self.x.flags.writeable = self.y.flags.writeable = False
