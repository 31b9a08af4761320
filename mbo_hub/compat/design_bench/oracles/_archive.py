"""The oracles that mbo_hub has, under the names that Design-Bench gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import mbo_hub
from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.datasets._archive import Archived, missing
from mbo_hub.compat.design_bench.datasets.dataset_builder import Array, DatasetBuilder
from mbo_hub.compat.design_bench.oracles.exact_oracle import ExactOracle
from mbo_hub.spaces import Box

if TYPE_CHECKING:
    from mbo_hub.compat.design_bench.oracles.oracle_builder import OracleBuilder as _Oracle
else:
    _Oracle = object

_NEXT_TO_NOTHING = 1e-30

__all__ = ["ArchivedExact", "ArchivedOracle", "MissingOracle"]

# What Design-Bench's registered tasks say to the training of an oracle, which was trained here.
_OF_TRAINING = {
    "max_samples", "distribution", "max_percentile", "min_percentile", "feature_extractor",
    "model_kwargs", "split_kwargs", "fit", "disk_target", "is_absolute",
}  # fmt: skip


class ArchivedOracle(_Oracle):
    """Scores with the oracle of the task that the dataset is of.

    Some things are as in Design-Bench, since results depend on them, though mbo_hub itself refuses
    such designs: a robot's measures outside their bounds are clipped; a forest scores any numbers;
    a design with a NaN, and one that cannot be simulated, gets the smallest y of the full data; and
    a sequence with something that is no token gets −inf.

    Args:
        dataset: of the archive.
        noise_std: as `OracleBuilder`.
        options: likewise; what concerns training is taken and does nothing.
    """

    def __init__(self, dataset: DatasetBuilder, **options: Any) -> None:
        kept = {name: value for name, value in options.items() if name not in _OF_TRAINING}
        size = kept.pop("internal_batch_size", None)
        super().__init__(dataset, is_batched=True, internal_batch_size=size, **kept)
        self._judge: mbo_hub.Oracle | None = None
        self._worst = float(self.internal_dataset.y.min())

    def __getstate__(self) -> dict[str, Any]:
        """An opened oracle stays behind; it is opened again."""
        return {**self.__dict__, "_judge": None}

    def protected_predict(self, x: Array, **options: Any) -> Array:
        """Score raw designs (n, d) → (n, 1) float32."""
        if self._judge is None:
            self._judge = mbo_hub.load(_task_of(self.external_dataset)).oracle
        space = self._judge.space
        exact = np.asarray(x, np.float64)
        bad = np.isnan(exact).any(axis=1)
        y = np.full(len(exact), self._worst, np.float32)
        if isinstance(space, Box):
            exact, usable = _within(space, exact), ~bad
        else:
            classes = len(space.alphabet)
            tokens = ((exact >= 0) & (exact < classes) & (exact == np.floor(exact))).all(axis=1)
            y[~tokens & ~bad] = -np.inf
            usable = tokens
        if usable.any():
            scored = self._judge.answer(exact[usable].astype(space.dtype)).y
            y[usable] = np.where(np.isfinite(scored), scored, np.float32(self._worst))
        return y[:, None]


def _within(space: Box, designs: Array) -> Array:
    """Clip designs to their bounds.

    That is what Design-Bench does to robots. To Superconductor's forest it changes nothing: no tree
    splits below 0, so that a negative amount goes the way of 0, and so does next to nothing of one
    element the way of nothing at all.
    """
    clipped = np.clip(designs, *space.bounds)
    if space.nonzero:
        clipped[(clipped == 0).all(axis=1), 0] = _NEXT_TO_NOTHING
    return clipped


def _task_of(dataset: DatasetBuilder) -> str:
    if not isinstance(dataset, Archived):
        raise DesignBenchError(f"there is no oracle for {type(dataset).__name__} here")
    return dataset.task


class ArchivedExact(ArchivedOracle, ExactOracle):
    """An exact one; a subclass names its dataset."""

    dataset: ClassVar[type[Archived]]
    simulated: ClassVar[bool] = True

    @classmethod
    def supported_datasets(cls) -> set[type[Any]]:
        """The dataset class of the same task."""
        return {cls.dataset}

    @classmethod
    def fully_characterized(cls) -> bool:
        """Whether the value of every design is known."""
        return not cls.simulated

    @classmethod
    def is_simulated(cls) -> bool:
        """Whether a simulator computes the values."""
        return cls.simulated


class MissingOracle(_Oracle):
    """An oracle that mbo_hub does not have: it can be imported, and fails when it is made."""

    why: ClassVar[str] = "it would have to be trained; use a task with one of the archive's oracles"

    def __new__(cls, *arguments: Any, **options: Any) -> MissingOracle:
        """Say that it is missing."""
        raise missing(cls.__name__, cls.why)
