"""Oracles that define the objective."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.datasets.dataset_builder import DatasetBuilder
from mbo_hub.compat.design_bench.oracles.oracle_builder import OracleBuilder

__all__ = ["ExactOracle"]


class ExactOracle(OracleBuilder):
    """An oracle that defines the objective; a subclass says for which datasets.

    Args:
        dataset: of one of the supported classes.
        is_batched: whether `protected_predict` takes a batch, or one design (the default).
        options: as `OracleBuilder`.
    """

    def __init__(self, dataset: DatasetBuilder, is_batched: bool = False, **options: Any) -> None:
        super().__init__(dataset, is_batched=is_batched, **options)

    @classmethod
    @abstractmethod
    def supported_datasets(cls) -> set[type[DatasetBuilder]]:
        """The dataset classes that it scores designs of."""

    @classmethod
    @abstractmethod
    def fully_characterized(cls) -> bool:
        """Whether the value of every design is known."""

    @classmethod
    @abstractmethod
    def is_simulated(cls) -> bool:
        """Whether a simulator computes the values."""

    @classmethod
    def check_input_format(cls, dataset: DatasetBuilder) -> bool:
        """Raise ValueError if the oracle does not score designs of a dataset."""
        supported = tuple(cls.supported_datasets())
        if not isinstance(dataset, supported):
            names = ", ".join(sorted(kind.__name__ for kind in supported))
            raise DesignBenchError(
                f"{cls.__name__} scores designs of {names}, not of {type(dataset).__name__}"
            )
        return True
