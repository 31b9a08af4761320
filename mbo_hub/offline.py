"""What an offline method may see of a task: designs, objective, space, normalization; no oracle."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mbo_hub.arrays import Bool, Float32, Float64, Num
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
    def fit(cls, values: Num[np.ndarray, " n *shape"]) -> Affine:
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

    def holdout(
        self, fraction: float, *, by: Literal["top", "random"] = "top", seed: int = 0
    ) -> tuple[Offline, Offline]:
        """Split what is visible, so that choices can be made without asking an oracle.

        Holding out the top tells how a method or model does above what it has seen, which is what
        it is for; a random part does not. Rows of one design stay together: it goes by its best y.

        Args:
            fraction: of the designs to hold out, more than 0 and less than 1.
            by: 'top' holds out those with the highest y, and as many fewer as have just the y of
                the cut; 'random' any.
            seed: of the random choice.

        Returns:
            What may be seen, and what is held out; both with the first one's normalization.

        Raises:
            ValueError: the fraction is not between 0 and 1, `by` is neither, or one part would be
                empty, as all of a constant y has to stay together.
        """
        if not isinstance(fraction, numbers.Real) or not 0 < fraction < 1:
            raise ValueError(f"fraction is a number between 0 and 1, such as 0.2, got {fraction!r}")
        distinct, design = np.unique(self.x, axis=0, return_inverse=True)
        design = design.reshape(-1)
        best = np.full(len(distinct), -np.inf)
        np.maximum.at(best, design, self.y)
        if by == "top":
            held = best > np.quantile(best, 1 - fraction, method="inverted_cdf")
        elif by == "random":
            order = np.random.default_rng(seed).permutation(len(distinct))
            held = order < round(fraction * len(distinct))
        else:
            raise ValueError(f"by is 'top' or 'random', got {by!r}")
        rows = held[design]
        if rows.all() or not rows.any():
            raise ValueError(f"{self.name}: holding out {fraction:g} by {by!r} leaves a part empty")
        seen = Normalization(Affine.fit(self.x[~rows]), Affine.fit(self.y[~rows]))

        def part(which: Bool[np.ndarray, " rows"]) -> Offline:
            x, y = self.x[which], self.y[which]
            x.flags.writeable = y.flags.writeable = False
            return Offline(self.name, self.space, x, y, seen)

        return part(~rows), part(rows)
