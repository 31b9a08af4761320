"""The dataset that a task shows: all rows, which of them are visible, and the state they are in.

Normalization is a state here, as in Design-Bench: `map_normalize_x` changes what `x` means from
then on. Arrays are float32 or int32, y is (n, 1), and every access gives a fresh copy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.dataset.subset import WEIGHTS

__all__ = ["DatasetBuilder"]

Array = np.ndarray


def _relative(ranks: Array) -> Array:
    """Ranks from 0 on, as numbers from 0 for the worst to 1 for the best."""
    numbers = np.asarray(ranks, np.float64)
    return numbers / max(numbers.max(initial=0), 1)


def default_uniform_distribution(ranks: Array) -> Array:
    """Draw all rows alike."""
    return WEIGHTS["uniform"](_relative(ranks))


def default_linear_distribution(ranks: Array) -> Array:
    """Draw the worst row most often and the best never."""
    return WEIGHTS["linear"](_relative(ranks))


def default_quadratic_distribution(ranks: Array) -> Array:
    """Likewise, falling with the square."""
    return WEIGHTS["quadratic"](_relative(ranks))


def default_circular_distribution(ranks: Array) -> Array:
    """Likewise, along a quarter of a circle."""
    return WEIGHTS["circular"](_relative(ranks))


def default_exponential_distribution(ranks: Array) -> Array:
    """Draw a row the less often the better it is, exponentially."""
    return WEIGHTS["exponential"](_relative(ranks))


DISTRIBUTIONS = {
    None: default_uniform_distribution,
    "uniform": default_uniform_distribution,
    "linear": default_linear_distribution,
    "quadratic": default_quadratic_distribution,
    "circular": default_circular_distribution,
    "exponential": default_exponential_distribution,
}


class DatasetBuilder(ABC):
    """Designs and their values.

    Args:
        x_shards: designs, (n, …), or a list of such arrays.
        y_shards: their values, (n, 1), or a list.
        internal_batch_size: of whoever goes through the data.
        is_normalized_x: begin with normalized designs.
        is_normalized_y: begin with normalized values.
        max_samples: as `subsample`.
        distribution: as `subsample`.
        max_percentile: as `subsample`.
        min_percentile: as `subsample`.
    """

    name: str = ""
    x_name: str = ""
    y_name: str = ""
    is_discrete = False

    def __init__(
        self,
        x_shards: Any,
        y_shards: Any,
        internal_batch_size: int = 32,
        is_normalized_x: bool = False,
        is_normalized_y: bool = False,
        max_samples: int | None = None,
        distribution: Any = None,
        max_percentile: float | int = 100.0,
        min_percentile: float | int = 0.0,
    ) -> None:
        self._all_x = self._stored(_joined(x_shards))
        self._all_y = _joined(y_shards).astype(np.float32)
        if self._all_y.shape != (len(self._all_x), 1):
            raise DesignBenchError(
                f"predictions must have shape [N, 1]: there are {len(self._all_x)} designs and "
                f"predictions of shape {list(self._all_y.shape)}"
            )
        self.internal_batch_size = internal_batch_size
        self.is_normalized_x = self.is_normalized_y = False
        self.freeze_statistics = False
        self.x_mean: Array | None = None
        self.x_standard_dev: Array | None = None
        self.y_mean: Array | None = None
        self.y_standard_dev: Array | None = None
        self.dataset_visible_mask = np.ones(len(self._all_x), bool)
        self._shown: dict[str, Array] = {}
        if is_normalized_x:
            self.map_normalize_x()
        if is_normalized_y:
            self.map_normalize_y()
        self.subsample(max_samples, distribution, max_percentile, min_percentile)

    @staticmethod
    def _stored(x: Array) -> Array:
        """The type that designs are kept in."""
        return x.astype(np.float32)

    @property
    @abstractmethod
    def subclass(self) -> type[DatasetBuilder]:
        """The plain class of datasets of this kind."""

    @property
    def subclass_kwargs(self) -> dict[str, Any]:
        """What the plain class needs to know besides the data."""
        return {}

    # What is visible

    @property
    def dataset_size(self) -> int:
        """How many designs are visible."""
        return int(np.count_nonzero(self.dataset_visible_mask))

    def subsample(
        self,
        max_samples: int | None = None,
        distribution: Any = None,
        max_percentile: float | int = 100.0,
        min_percentile: float | int = 0.0,
    ) -> None:
        """Choose anew which rows of the full data are visible; without arguments, all.

        Draws from NumPy's global generator, also where all rows are wanted. Statistics of a
        normalization are measured again only while the data are normalized.

        Args:
            max_samples: at most so many, drawn at random.
            distribution: how likely by rank of y: 'uniform', 'linear', 'quadratic', 'circular',
                'exponential', or a function of ranks (0 is the worst).
            max_percentile: of y over the full data; rows at the cut are visible.
            min_percentile: likewise.
        """
        self._refuse_if_frozen()
        if max_samples is not None and max_samples <= 0:
            raise DesignBenchError("dataset cannot be made empty")
        if min_percentile > max_percentile:
            raise DesignBenchError(
                f"invalid arguments provided: min_percentile {min_percentile} is above "
                f"max_percentile {max_percentile}"
            )
        if isinstance(distribution, str) and distribution not in DISTRIBUTIONS:
            known = ", ".join(name for name in DISTRIBUTIONS if name)
            raise DesignBenchError(f"distribution is one of {known}, got {distribution!r}")
        y = self._all_y[:, 0].astype(np.float64)
        low = np.percentile(y, min_percentile) if min_percentile > 0 else -np.inf
        high = np.percentile(y, max_percentile) if max_percentile < 100 else np.inf
        among = np.flatnonzero((y >= low) & (y <= high))
        if not len(among):
            raise DesignBenchError("dataset cannot be made empty: no y lies between these cuts")
        chances = distribution if callable(distribution) else DISTRIBUTIONS[distribution]
        ranks = self._all_y[among, 0].argsort().argsort()
        weights = np.broadcast_to(np.asarray(chances(ranks), np.float32), among.shape)
        count = len(among) if max_samples is None else min(len(among), max_samples)
        drawn = np.random.choice(  # noqa: NPY002 -- the scripts seed this generator
            len(among), count, replace=False, p=weights / weights.sum()
        )
        self.dataset_min_percentile, self.dataset_max_percentile = min_percentile, max_percentile
        self.dataset_min_output, self.dataset_max_output = float(low), float(high)
        self.dataset_distribution: Callable[[Array], Array] = chances
        self.dataset_visible_mask = np.zeros(len(y), bool)
        self.dataset_visible_mask[among[drawn]] = True
        self._shown.clear()
        if self.is_normalized_x:
            self.update_x_statistics()
        if self.is_normalized_y:
            self.update_y_statistics()

    def relabel(self, relabel_function: Callable[[Array, Array], Array]) -> None:
        """Replace y of all rows by a function of x and y, and choose anew what is visible.

        As many rows are visible as before, or fewer.

        Args:
            relabel_function: (x, y) of all rows in the present state → new y, likewise.
        """
        self._refuse_if_frozen()
        x = self._present(self._raw(np.ones(len(self._all_y), bool)))
        y = self.normalize_y(self._all_y) if self.is_normalized_y else self._all_y.copy()
        new = np.asarray(relabel_function(x, y))
        new = self.denormalize_y(new) if self.is_normalized_y else new
        self._all_y = new.astype(np.float32).reshape(self._all_y.shape)
        self.subsample(
            self.dataset_size,
            self.dataset_distribution,
            self.dataset_max_percentile,
            self.dataset_min_percentile,
        )

    def clone(self, subset: Iterable[int] | None = None) -> DatasetBuilder:
        """Copy the dataset, as a plain one in the same state.

        Args:
            subset: numbers of the rows to keep, of the full data; None: all.
        """
        kept = slice(None) if subset is None else sorted(subset)
        if subset is not None and not kept:
            raise DesignBenchError("cannot pass an empty subset")
        other = self.subclass.__new__(self.subclass)
        other.__dict__.update(self.__dict__)
        other._all_x, other._all_y = self._all_x[kept], self._all_y[kept]
        other.dataset_visible_mask = self.dataset_visible_mask[kept].copy()
        other.name, other.x_name, other.y_name = self.name, self.x_name, self.y_name
        other._shown = {}
        return other

    def split(
        self, val_fraction: float = 0.1, subset: Iterable[int] | None = None
    ) -> tuple[DatasetBuilder, DatasetBuilder]:
        """Split the visible rows at random into two frozen datasets, for training and validation.

        Draws from NumPy's global generator. Both show their rows as this dataset does.
        """
        rows = np.flatnonzero(self.dataset_visible_mask) if subset is None else sorted(subset)
        rows = np.asarray(rows)
        count = int(val_fraction * float(len(rows)))
        drawn = rows[np.random.choice(len(rows), count, replace=False)]  # noqa: NPY002 -- as above
        parts = self.clone(set(rows.tolist()) - set(drawn.tolist())), self.clone(drawn.tolist())
        for part in parts:
            part.freeze_statistics = True
        return parts

    def _refuse_if_frozen(self) -> None:
        if self.freeze_statistics:
            raise DesignBenchError("cannot update dataset when it is frozen")

    # What is shown

    def _raw(self, rows: Array) -> Array:
        """Designs of some rows as they are scored: float32, or int32 tokens."""
        return self._all_x[rows]

    def _present(self, raw: Array) -> Array:
        """Raw designs in the present state."""
        return self.normalize_x(raw) if self.is_normalized_x else raw

    def _show(self, what: str) -> Array:
        """The visible x or y in the present state; kept until the state changes."""
        if what not in self._shown:
            if what == "x":
                value = self._present(self._raw(self.dataset_visible_mask))
            else:
                raw = self._all_y[self.dataset_visible_mask]
                value = self.normalize_y(raw) if self.is_normalized_y else raw
            self._shown[what] = np.ascontiguousarray(value)
        return self._shown[what]

    @property
    def x(self) -> Array:
        """Visible designs in the present state, (n, …); a new array at each access."""
        return self._show("x").copy()

    @property
    def y(self) -> Array:
        """Their values in the present state, (n, 1) float32; a new array at each access."""
        return self._show("y").copy()

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one design in the present state."""
        return self._all_x.shape[1:]

    @property
    def input_size(self) -> int:
        """How many numbers a design has in the present state."""
        return int(np.prod(self.input_shape))

    @property
    def input_dtype(self) -> type[np.generic]:
        """Type of the designs' numbers in the present state."""
        return np.float32

    output_size = 1
    output_dtype = np.float32

    @property
    def output_shape(self) -> list[int]:
        """Shape of one value."""
        return [1]

    def iterate_batches(
        self,
        batch_size: int,
        return_x: bool = True,
        return_y: bool = True,
        drop_remainder: bool = False,
    ) -> Iterator[Any]:
        """Go through the visible rows in their order, batch by batch; the last may be short."""
        if not (return_x or return_y) or batch_size < 1:
            raise DesignBenchError("invalid arguments passed to batch generator")
        size = self.dataset_size
        end = size - size % batch_size if drop_remainder else size
        for start in range(0, end, batch_size):
            batch = slice(start, min(start + batch_size, end))
            asked = [w for w, wanted in (("x", return_x), ("y", return_y)) if wanted]
            found = tuple(self._show(what)[batch].copy() for what in asked)
            yield found if len(found) > 1 else found[0]

    def iterate_samples(self, return_x: bool = True, return_y: bool = True) -> Iterator[Any]:
        """Go through the visible rows one by one."""
        for batch in self.iterate_batches(self.internal_batch_size, return_x, return_y):
            if return_x and return_y:
                yield from zip(*batch, strict=True)
            else:
                yield from batch

    def __iter__(self) -> Iterator[Any]:
        return self.iterate_batches(self.internal_batch_size)

    # Normalization

    def _for_statistics(self) -> Array:
        """Visible designs, raw, in the form that is normalized."""
        return self._raw(self.dataset_visible_mask)

    def update_x_statistics(self) -> None:
        """Measure mean and standard deviation of the visible designs."""
        self._refuse_if_frozen()
        self.x_mean, self.x_standard_dev = _statistics(self._for_statistics())
        self._shown.pop("x", None)

    def update_y_statistics(self) -> None:
        """Measure mean and standard deviation of the visible values."""
        self._refuse_if_frozen()
        self.y_mean, self.y_standard_dev = _statistics(self._all_y[self.dataset_visible_mask])
        self._shown.pop("y", None)

    def _x_statistics(self) -> tuple[Any, Any]:
        if self.x_mean is None:
            self.x_mean, self.x_standard_dev = _statistics(self._for_statistics())
        return self.x_mean, self.x_standard_dev

    def _y_statistics(self) -> tuple[Any, Any]:
        if self.y_mean is None:
            visible = self._all_y[self.dataset_visible_mask]
            self.y_mean, self.y_standard_dev = _statistics(visible)
        return self.y_mean, self.y_standard_dev

    def normalize_x(self, x: Any) -> Array:
        """Rescale designs with the statistics of the visible ones; plain NumPy broadcasting."""
        mean, deviation = self._x_statistics()
        return np.asarray((np.asarray(x) - mean) / deviation)

    def denormalize_x(self, x: Any) -> Array:
        """Undo `normalize_x`."""
        mean, deviation = self._x_statistics()
        return np.asarray(np.asarray(x) * deviation + mean)

    def normalize_y(self, y: Any) -> Array:
        """Rescale values with the statistics of the visible ones; plain NumPy broadcasting."""
        mean, deviation = self._y_statistics()
        return np.asarray((np.asarray(y) - mean) / deviation)

    def denormalize_y(self, y: Any) -> Array:
        """Undo `normalize_y`."""
        mean, deviation = self._y_statistics()
        return np.asarray(np.asarray(y) * deviation + mean)

    def map_normalize_x(self) -> None:
        """Show normalized designs from now on."""
        self._refuse_if_frozen()
        if not self.is_normalized_x:
            self.is_normalized_x = True
            self.update_x_statistics()

    def map_normalize_y(self) -> None:
        """Show normalized values from now on."""
        self._refuse_if_frozen()
        if not self.is_normalized_y:
            self.is_normalized_y = True
            self.update_y_statistics()

    def map_denormalize_x(self) -> None:
        """Show raw designs from now on."""
        self._refuse_if_frozen()
        self.is_normalized_x = False
        self._shown.pop("x", None)

    def map_denormalize_y(self) -> None:
        """Show raw values from now on."""
        self._refuse_if_frozen()
        self.is_normalized_y = False
        self._shown.pop("y", None)


def _joined(shards: Any) -> Array:
    """One array of one or several; what is kept may not change from outside."""
    parts = shards if isinstance(shards, list | tuple) else [shards]
    return np.concatenate([np.asarray(part) for part in parts])


def _statistics(values: Array) -> tuple[Array, Array]:
    """Mean and population standard deviation over the rows, float32; one that is 0 becomes 1."""
    exact = values.astype(np.float64)
    mean, deviation = exact.mean(axis=0, keepdims=True), exact.std(axis=0, keepdims=True)
    deviation = np.where(deviation > 0, deviation, 1)
    return mean.astype(np.float32), deviation.astype(np.float32)
