"""Datasets whose designs are sequences of tokens, shown as integers or as logits."""

from __future__ import annotations

from typing import Any

import numpy as np

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.datasets.dataset_builder import Array, DatasetBuilder

__all__ = ["DiscreteDataset"]


class DiscreteDataset(DatasetBuilder):
    """Designs of tokens 0, 1, …; see `DatasetBuilder`.

    As logits, a token of V becomes V − 1 numbers: the logarithm of a probability that the token has
    `soft_interpolation` of and all share the rest, less that of token 0.

    Args:
        x_shards: tokens, (n, length).
        y_shards: values, (n, 1).
        is_logits: begin with logits.
        num_classes: how many tokens there are; None: as many as occur.
        soft_interpolation: how sure the logits are.
        options: as `DatasetBuilder`.
    """

    name = "DiscreteDataset"
    x_name = "Design"
    y_name = "Prediction"
    is_discrete = True

    def __init__(
        self,
        x_shards: Any,
        y_shards: Any,
        is_logits: bool = False,
        num_classes: int | None = None,
        soft_interpolation: float = 0.6,
        **options: Any,
    ) -> None:
        self.is_logits = is_logits
        self.soft_interpolation = soft_interpolation
        self._classes = num_classes
        super().__init__(x_shards, y_shards, **options)

    @staticmethod
    def _stored(x: Array) -> Array:
        if not np.issubdtype(x.dtype, np.integer):
            raise DesignBenchError(
                f"the designs of a discrete dataset are integers, got {x.dtype}; logits become "
                "integers with  logits.argmax(axis=-1)  after a column of zeros in front"
            )
        return x

    @property
    def num_classes(self) -> int:
        """How many tokens there are."""
        if self._classes is None:
            self._classes = int(self._all_x.max()) + 1
        return self._classes

    @property
    def subclass(self) -> type[DatasetBuilder]:
        """This class."""
        return DiscreteDataset

    @property
    def subclass_kwargs(self) -> dict[str, Any]:
        """The number of tokens, and how sure the logits are."""
        return {"num_classes": self.num_classes, "soft_interpolation": self.soft_interpolation}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(length,) of integers, (length, V − 1) of logits."""
        shape = self._all_x.shape[1:]
        return (*shape, self.num_classes - 1) if self.is_logits else shape

    @property
    def input_dtype(self) -> type[np.generic]:
        """Int32 of integers, float32 of logits."""
        return np.float32 if self.is_logits else np.int32

    def _raw(self, rows: Array) -> Array:
        return self._all_x[rows].astype(np.int32)

    def _present(self, raw: Array) -> Array:
        return super()._present(self.to_logits(raw)) if self.is_logits else raw

    def _for_statistics(self) -> Array:
        """Of the logits, also while integers are shown."""
        return self.to_logits(super()._for_statistics())

    def to_logits(self, x: Any) -> Array:
        """Turn integers (…, length) into logits (…, length, V − 1), float32."""
        tokens = np.asarray(x)
        if not np.issubdtype(tokens.dtype, np.integer):
            raise DesignBenchError("cannot convert non-integers to logits")
        classes, rest = self.num_classes, 1 - self.soft_interpolation
        # A row for each token: + at its own place; token 0, which has none, is − everywhere.
        sure = np.log((self.soft_interpolation + rest / classes) / (rest / classes))
        table = np.concatenate([np.full((1, classes - 1), -sure), sure * np.eye(classes - 1)])
        if tokens.size and not (tokens.min() >= 0 and tokens.max() < classes):
            raise DesignBenchError(
                f"tokens are 0 to {classes - 1}, got {tokens.min()} to {tokens.max()}"
            )
        return np.asarray(table.astype(np.float32)[tokens])

    def to_integers(self, x: Any) -> Array:
        """Turn logits (…, length, V − 1) into the likeliest integers (…, length), int32.

        A tie goes to the lowest. Normalized logits are to be denormalized first.
        """
        logits = np.asarray(x)
        if not np.issubdtype(logits.dtype, np.floating):
            raise DesignBenchError("cannot convert non-floats to integers")
        first = np.zeros((*logits.shape[:-1], 1), logits.dtype)
        return np.concatenate([first, logits], axis=-1).argmax(axis=-1).astype(np.int32)

    def map_to_logits(self) -> None:
        """Show logits from now on."""
        self._refuse_if_frozen()
        self.is_logits = True
        self._shown.pop("x", None)

    def map_to_integers(self) -> None:
        """Show integers from now on, not normalized."""
        self._refuse_if_frozen()
        self.is_normalized_x = self.is_logits = False
        self._shown.pop("x", None)

    def map_normalize_x(self) -> None:
        """Show normalized logits from now on; integers cannot be."""
        if not self.is_logits:
            raise DesignBenchError("cannot normalize discrete design values")
        super().map_normalize_x()

    def map_denormalize_x(self) -> None:
        """Show raw logits from now on."""
        if not self.is_logits:
            raise DesignBenchError("cannot denormalize discrete design values")
        super().map_denormalize_x()

    def normalize_x(self, x: Any) -> Array:
        """Rescale logits with the statistics of the visible ones."""
        if not np.issubdtype(np.asarray(x).dtype, np.floating):
            raise DesignBenchError("cannot normalize discrete design values")
        return super().normalize_x(x)

    def denormalize_x(self, x: Any) -> Array:
        """Undo `normalize_x`."""
        if not np.issubdtype(np.asarray(x).dtype, np.floating):
            raise DesignBenchError("cannot denormalize discrete design values")
        return super().denormalize_x(x)
