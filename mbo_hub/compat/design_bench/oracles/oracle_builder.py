"""An oracle beside a dataset: designs and values are in the dataset's present state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.datasets.dataset_builder import Array, DatasetBuilder
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["OracleBuilder"]


class OracleBuilder(ABC):
    """Scores designs; a subclass has a name and `protected_predict`.

    Args:
        dataset: whose state designs and values are in.
        is_batched: whether `protected_predict` takes a batch, or one design.
        internal_batch_size: how many designs it takes at once; None: all.
        internal_measurements: how often each design is scored; the mean counts.
        noise_std: standard deviation of normal noise, of NumPy's global generator.
        expect_normalized_y: it gives normalized values.
        expect_normalized_x: it takes normalized designs.
        expect_logits: it takes logits; False or None: integers.

    Attributes:
        external_dataset: that dataset.
        internal_dataset: the same with all rows visible, in the oracle's state; frozen.
        num_evaluations: how many designs were scored, the visible ones included.
    """

    name: str = "oracle"

    def __init__(
        self,
        dataset: DatasetBuilder,
        is_batched: bool = True,
        internal_batch_size: int | None = 32,
        internal_measurements: int = 1,
        noise_std: float | int = 0.0,
        expect_normalized_y: bool = False,
        expect_normalized_x: bool = False,
        expect_logits: bool | None = None,
    ) -> None:
        self.check_input_format(dataset)
        if expect_logits is not None and not isinstance(dataset, DiscreteDataset):
            raise DesignBenchError("expect_logits is only supported on discrete datasets")
        self.external_dataset = dataset
        self.is_batched = is_batched
        self.internal_batch_size = internal_batch_size
        self.internal_measurements = internal_measurements
        self.noise_std = noise_std
        self.expect_normalized_y = expect_normalized_y
        self.expect_normalized_x = expect_normalized_x
        self.expect_logits = expect_logits
        self.num_evaluations = dataset.dataset_size
        self.internal_dataset = self._internal(dataset)

    def _internal(self, dataset: DatasetBuilder) -> DatasetBuilder:
        inner = dataset.clone()
        inner.freeze_statistics = False
        inner.is_normalized_x = inner.is_normalized_y = False
        inner.x_mean = inner.y_mean = inner.x_standard_dev = inner.y_standard_dev = None
        inner.subsample()  # draws, too, so that what a script draws next is what it was
        if isinstance(inner, DiscreteDataset):
            inner.is_logits = bool(self.expect_logits)
        if self.expect_normalized_x:
            inner.map_normalize_x()
        if self.expect_normalized_y:
            inner.map_normalize_y()
        inner.freeze_statistics = True
        return inner

    @classmethod
    def check_input_format(cls, dataset: DatasetBuilder) -> bool:
        """Raise ValueError if the oracle does not score designs of a dataset."""
        return True

    @abstractmethod
    def protected_predict(self, x: Array, **options: Any) -> Array:
        """Score a batch (n, …) → (n, 1), or one design (…) → (1,), in the oracle's state."""

    def dataset_to_oracle_x(self, x_batch: Any, dataset: DatasetBuilder | None = None) -> Array:
        """Take designs from the dataset's present state to the oracle's."""
        outer, inner = dataset or self.external_dataset, self.internal_dataset
        x = np.asarray(x_batch)
        if x.shape[1:] != outer.input_shape:
            raise DesignBenchError(
                f"designs have shape {('n', *outer.input_shape)} in the task's present state, got "
                f"{x.shape}"
            )
        if outer.is_normalized_x:
            x = outer.denormalize_x(x)
        if isinstance(outer, DiscreteDataset) and isinstance(inner, DiscreteDataset):
            if outer.is_logits and not inner.is_logits:
                x = outer.to_integers(x)
            elif inner.is_logits and not outer.is_logits:
                x = inner.to_logits(x)
        return inner.normalize_x(x) if inner.is_normalized_x else x

    def oracle_to_dataset_x(self, x_batch: Any, dataset: DatasetBuilder | None = None) -> Array:
        """Take designs from the oracle's state to the dataset's present one."""
        outer, inner = dataset or self.external_dataset, self.internal_dataset
        x = np.asarray(x_batch)
        if inner.is_normalized_x:
            x = inner.denormalize_x(x)
        if isinstance(outer, DiscreteDataset) and isinstance(inner, DiscreteDataset):
            if outer.is_logits and not inner.is_logits:
                x = outer.to_logits(x)
            elif inner.is_logits and not outer.is_logits:
                x = inner.to_integers(x)
        return outer.normalize_x(x) if outer.is_normalized_x else x

    def dataset_to_oracle_y(self, y_batch: Any, dataset: DatasetBuilder | None = None) -> Array:
        """Take values from the dataset's present state to the oracle's."""
        outer, inner = dataset or self.external_dataset, self.internal_dataset
        y = outer.denormalize_y(y_batch) if outer.is_normalized_y else np.asarray(y_batch)
        return inner.normalize_y(y) if inner.is_normalized_y else y

    def oracle_to_dataset_y(self, y_batch: Any, dataset: DatasetBuilder | None = None) -> Array:
        """Take values from the oracle's state to the dataset's present one."""
        outer, inner = dataset or self.external_dataset, self.internal_dataset
        y = inner.denormalize_y(y_batch) if inner.is_normalized_y else np.asarray(y_batch)
        return outer.normalize_y(y) if outer.is_normalized_y else y

    def predict(self, x_batch: Any, dataset: DatasetBuilder | None = None, **options: Any) -> Array:
        """Score designs.

        Args:
            x_batch: (n, …) designs in the dataset's present state.
            dataset: whose state; default: the one that the oracle was made with.
            options: for `protected_predict`.

        Returns:
            (n, 1) float32 values in the dataset's present state.
        """
        x = self.dataset_to_oracle_x(x_batch, dataset)
        size = (self.internal_batch_size or max(len(x), 1)) if self.is_batched else 1
        found = [self._measure(x[i : i + size], options) for i in range(0, len(x), size)]
        y = np.concatenate(found) if found else np.empty((0, 1), np.float32)
        if self.noise_std > 0:
            y = y + (self.noise_std * np.random.normal(0.0, 1.0, y.shape)).astype(np.float32)  # noqa: NPY002 -- seeded by the scripts
        self.num_evaluations += len(y)
        return self.oracle_to_dataset_y(y, dataset).astype(np.float32)

    def _measure(self, x: Array, options: dict[str, Any]) -> Array:
        batch = x if self.is_batched else x[0]
        measured = [
            np.asarray(self.protected_predict(batch, **options))
            for _ in range(self.internal_measurements)
        ]
        return np.mean(measured, axis=0).astype(np.float32).reshape(len(x), 1)
