"""A task: a dataset and an oracle that share a state."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.dataset_builder import Array, DatasetBuilder
from mbo_hub.compat.design_bench.oracles._archive import ArchivedOracle
from mbo_hub.compat.design_bench.oracles.approximate_oracle import ApproximateOracle
from mbo_hub.compat.design_bench.oracles.oracle_builder import OracleBuilder

__all__ = ["Task"]

HERE = __name__.rpartition(".")[0]


def import_name(name: str) -> Any:
    """Import what "module:attribute" names; Design-Bench's own modules are those here."""
    module, colon, attribute = name.partition(":")
    if not colon:
        raise DesignBenchError(f"write module:class, got {name!r}")
    if module.split(".")[0] == "design_bench":
        module = HERE + module.removeprefix("design_bench")
    return getattr(import_module(module), attribute)


def _made(what: Any, kind: type, *arguments: Any, **options: Any) -> Any:
    """Make a dataset or an oracle of its class or the class's name; take one that is ready."""
    if isinstance(what, kind):
        return what
    return (import_name(what) if isinstance(what, str) else what)(*arguments, **options)


def _of_dataset(name: str, doc: str) -> Any:
    """A property that the dataset has, too."""
    return property(lambda self: getattr(self.dataset, name), doc=doc)


def _of_discrete(name: str, doc: str) -> Any:
    """Likewise; tasks of vectors do not have it."""
    return property(lambda self: getattr(self._discrete(name), name), doc=doc)


class Task:
    """A dataset, of which a method sees the visible part, and an oracle.

    What `x` and `y` are, and what `predict` takes and gives, follows from the state: raw or
    normalized, integers or logits. `map_…` change the state; `normalize_…`, `to_…` do not.

    Args:
        dataset: a class, "module:class", or a ready one.
        oracle: likewise.
        dataset_kwargs: for the dataset class.
        oracle_kwargs: for the oracle class.
        relabel: take the values of an approximate oracle for y, and choose anew what is visible;
            an exact oracle changes nothing.
    """

    def __init__(
        self,
        dataset: Any,
        oracle: Any,
        dataset_kwargs: dict[str, Any] | None = None,
        oracle_kwargs: dict[str, Any] | None = None,
        relabel: bool = False,
    ) -> None:
        self.dataset: Any = _made(dataset, DatasetBuilder, **(dataset_kwargs or {}))
        self.oracle: Any = _made(oracle, OracleBuilder, self.dataset, **(oracle_kwargs or {}))
        if relabel and isinstance(self.oracle, ApproximateOracle):
            self.dataset.relabel(lambda x, y: self.oracle.predict(x))
            self.oracle.internal_dataset = self.oracle._internal(self.dataset)

    @property
    def comparable_with_literature(self) -> bool:
        """Whether scores can be put beside published ones: TFBind8 and Superconductor only."""
        data, oracle = self.dataset, self.oracle
        same = isinstance(data, Archived) and not data.differs
        return bool(same and isinstance(oracle, ArchivedOracle))

    @property
    def oracle_name(self) -> str:
        """Name of the oracle."""
        return str(self.oracle.name)

    is_discrete = _of_dataset("is_discrete", "Whether designs are sequences of tokens.")
    dataset_name = _of_dataset("name", "Name of the dataset.")
    x_name = _of_dataset("x_name", "What designs are.")
    y_name = _of_dataset("y_name", "What the objective is.")
    dataset_size = _of_dataset("dataset_size", "How many designs are visible.")
    dataset_distribution = _of_dataset("dataset_distribution", "By which a sample was drawn.")
    dataset_max_percentile = _of_dataset("dataset_max_percentile", "Of y; what is below it.")
    dataset_min_percentile = _of_dataset("dataset_min_percentile", "Of y; what is above it.")
    dataset_max_output = _of_dataset("dataset_max_output", "The largest y that may be seen.")
    dataset_min_output = _of_dataset("dataset_min_output", "The smallest y that may be seen.")
    input_shape = _of_dataset("input_shape", "Shape of one design in the present state.")
    input_size = _of_dataset("input_size", "How many numbers that is.")
    input_dtype = _of_dataset("input_dtype", "Their type.")
    output_shape = _of_dataset("output_shape", "Shape of one value: [1].")
    output_size = _of_dataset("output_size", "1.")
    output_dtype = _of_dataset("output_dtype", "Type of values: float32.")
    x = _of_dataset("x", "Visible designs in the present state, (n, …); a new array each time.")
    y = _of_dataset("y", "Their values in the present state, (n, 1); a new array each time.")
    is_normalized_x = _of_dataset("is_normalized_x", "Whether `x` is normalized.")
    is_normalized_y = _of_dataset("is_normalized_y", "Whether `y` is normalized.")
    is_logits = _of_discrete("is_logits", "Whether `x` is logits.")
    num_classes = _of_discrete("num_classes", "How many tokens there are.")

    def _discrete(self, what: str) -> Any:
        if not self.is_discrete:
            raise DesignBenchError(
                f"{what} is only supported on discrete datasets; ask task.is_discrete first"
            )
        return self.dataset

    def iterate_batches(
        self,
        batch_size: int,
        return_x: bool = True,
        return_y: bool = True,
        drop_remainder: bool = False,
    ) -> Iterator[Any]:
        """Go through the visible rows batch by batch; the last may be short."""
        return iter(self.dataset.iterate_batches(batch_size, return_x, return_y, drop_remainder))

    def iterate_samples(self, return_x: bool = True, return_y: bool = True) -> Iterator[Any]:
        """Go through the visible rows one by one."""
        return iter(self.dataset.iterate_samples(return_x, return_y))

    def __iter__(self) -> Iterator[Any]:
        return iter(self.dataset)

    def map_normalize_x(self) -> None:
        """Show normalized designs from now on."""
        self.dataset.map_normalize_x()

    def map_normalize_y(self) -> None:
        """Show normalized values from now on."""
        self.dataset.map_normalize_y()

    def map_denormalize_x(self) -> None:
        """Show raw designs from now on."""
        self.dataset.map_denormalize_x()

    def map_denormalize_y(self) -> None:
        """Show raw values from now on."""
        self.dataset.map_denormalize_y()

    def map_to_integers(self) -> None:
        """Show integers from now on."""
        self._discrete("map_to_integers").map_to_integers()

    def map_to_logits(self) -> None:
        """Show logits from now on."""
        self._discrete("map_to_logits").map_to_logits()

    def to_integers(self, x: Any) -> Array:
        """Turn logits (…, length, V − 1) into integers (…, length), int32."""
        return np.asarray(self._discrete("to_integers").to_integers(x))

    def to_logits(self, x: Any) -> Array:
        """Turn integers (…, length) into logits (…, length, V − 1), float32."""
        return np.asarray(self._discrete("to_logits").to_logits(x))

    def normalize_x(self, x: Any) -> Array:
        """Rescale designs with the statistics of the visible ones, whatever the state."""
        return np.asarray(self.dataset.normalize_x(x))

    def normalize_y(self, y: Any) -> Array:
        """Rescale values with the statistics of the visible ones, whatever the state."""
        return np.asarray(self.dataset.normalize_y(y))

    def denormalize_x(self, x: Any) -> Array:
        """Undo `normalize_x`."""
        return np.asarray(self.dataset.denormalize_x(x))

    def denormalize_y(self, y: Any) -> Array:
        """Undo `normalize_y`."""
        return np.asarray(self.dataset.denormalize_y(y))

    def predict(self, x_batch: Any, **options: Any) -> Array:
        """Score designs (n, …) in the present state.

        Returns:
            (n, 1) float32, normalized if `is_normalized_y`.
        """
        return np.asarray(self.oracle.predict(x_batch, **options))

    def oracle_to_dataset_x(self, x_batch: Any) -> Array:
        """Take designs from the oracle's state to the present one."""
        return np.asarray(self.oracle.oracle_to_dataset_x(x_batch))

    def oracle_to_dataset_y(self, y_batch: Any) -> Array:
        """Take values from the oracle's state to the present one."""
        return np.asarray(self.oracle.oracle_to_dataset_y(y_batch))

    def dataset_to_oracle_x(self, x_batch: Any) -> Array:
        """Take designs from the present state to the oracle's."""
        return np.asarray(self.oracle.dataset_to_oracle_x(x_batch))

    def dataset_to_oracle_y(self, y_batch: Any) -> Array:
        """Take values from the present state to the oracle's."""
        return np.asarray(self.oracle.dataset_to_oracle_y(y_batch))
