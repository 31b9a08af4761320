"""Another visible part of a task's data: y between percentiles of the full data, and a sample."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Annotated, Any, Literal, get_args

import msgspec
import numpy as np

from mbo_hub.arrays import Float32, Float64, Int64
from mbo_hub.dataset.figures import rule_of, visible_rows
from mbo_hub.dataset.manifest import Percentile
from mbo_hub.errors import InvalidSubset

__all__ = ["WEIGHTS", "By", "Subset", "subset"]

By = Literal["uniform", "linear", "quadratic", "circular", "exponential"]
# How likely a row is sampled, by its rank r in y: 0 the worst, 1 the best (Design-Bench v2).
WEIGHTS: dict[str, Callable[[Float64[np.ndarray, " n"]], Float64[np.ndarray, " n"]]] = {
    "uniform": np.ones_like,
    "linear": lambda r: 1 - r,
    "quadratic": lambda r: (1 - r) ** 2,
    "circular": lambda r: 1 - np.sqrt(1 - (r - 1) ** 2),
    "exponential": lambda r: np.exp(-3 * r),
}


class Subset(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which rows of a task's full data are visible; `subset` makes one, `str` says it in words.

    Attributes:
        visible: lower and upper percentile of y over the full data, ties kept; None: the rows that
            are visible in the published task.
        rows: only so many of those, drawn at random; None: all.
        seed: of the drawing.
        by: how likely each row is drawn, by the rank of its y: all alike ('uniform'), or the lower
            the likelier ('linear', 'quadratic', 'circular', 'exponential').
    """

    visible: tuple[Percentile, Percentile] | None = None
    rows: Annotated[int, msgspec.Meta(ge=1)] | None = None
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0
    by: By = "uniform"

    def __post_init__(self) -> None:
        if self.visible is None and self.rows is None:
            raise ValueError("a subset has percentiles (visible) or a number of rows, or both")
        if self.visible is not None and not self.visible[0] <= self.visible[1]:
            low, high = self.visible
            raise ValueError(f"visible is (lower, upper) percentile, got ({low:g}, {high:g})")

    def __str__(self) -> str:
        if self.visible is None:
            part = "the published visible rows"
        else:
            part = f"percentiles {self.visible[0]:g} to {self.visible[1]:g} of the full data"
        if self.rows is None:
            return part
        return f"{self.rows:,} rows of {part} ({self.by}, seed {self.seed})"

    @property
    def slug(self) -> str:
        """The same in a few characters, for the names of files: no two subsets share one."""
        parts = []
        if self.visible is not None:
            parts.append("p" + "-".join(repr(p).removesuffix(".0") for p in self.visible))
        if self.rows is not None:
            parts.append(f"n{self.rows}")
        if self.seed:
            parts.append(f"s{self.seed}")
        if self.by != "uniform":
            parts.append(self.by)
        return "-".join(parts)

    def choose(self, y: Float32[np.ndarray, " n"], published: int) -> Int64[np.ndarray, " k"]:
        """Find the rows.

        Args:
            y: of the full data, (n,): first the rows that are visible in the published task.
            published: how many these are.

        Returns:
            Their numbers, (k,), in the order of the data.

        Raises:
            InvalidSubset: there are not that many.
        """
        among = np.arange(published)
        if self.visible is not None:
            among = np.flatnonzero(visible_rows(rule_of(self.visible, y), y))
        if not len(among):
            raise InvalidSubset(f"{self}: no row of the full data lies there; take a wider range")
        if self.rows is None:
            return among
        weights = WEIGHTS[self.by](_ranks(y[among]))
        possible = int(np.count_nonzero(weights))
        if self.rows > possible:
            raise InvalidSubset(f"{self}: there are only {possible:,} rows to draw from")
        chances = None if self.by == "uniform" else weights / weights.sum()
        drawn = np.random.default_rng(self.seed).choice(
            among, self.rows, replace=False, p=chances, shuffle=False
        )
        return np.sort(drawn)


def _ranks(y: Float32[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """The rank of each value, from 0 for the smallest to 1 for the largest."""
    ranks = np.empty(len(y))
    ranks[np.argsort(y, kind="stable")] = np.arange(len(y))
    return ranks / max(len(y) - 1, 1)


def subset(
    visible: Any = None,
    rows: Any = None,
    seed: Any = 0,
    by: Any = "uniform",
) -> Subset:
    """Make a subset of what somebody wrote.

    Raises:
        InvalidSubset: it is none, and why.
    """
    try:
        numbers = {"seed": _whole("seed", seed, 0)}
        if rows is not None:
            numbers["rows"] = _whole("rows", rows, 1)
        range_ = None if visible is None else _percentiles(visible)
        if by not in get_args(By):
            raise ValueError(f"by is one of {', '.join(get_args(By))}, got {by!r}")
        return Subset(visible=range_, by=by, **numbers)
    except ValueError as error:
        raise InvalidSubset(str(error)) from None


def _whole(what: str, value: Any, least: int) -> int:
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{what} is a whole number of at least {least}, got {value!r}")
    return number


def _percentiles(visible: Any) -> tuple[float, float]:
    try:
        low, high = (float(p) for p in visible)
    except (TypeError, ValueError):
        low = high = -1.0
    if not 0 <= low <= high <= 100:
        raise ValueError(
            f"visible is the lower and the upper percentile of y, 0 to 100, got {visible!r}"
        )
    return low, high
