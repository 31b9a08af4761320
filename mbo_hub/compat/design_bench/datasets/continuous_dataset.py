"""Datasets whose designs are vectors of numbers."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets.dataset_builder import DatasetBuilder

__all__ = ["ContinuousDataset"]


class ContinuousDataset(DatasetBuilder):
    """Designs of real numbers; see `DatasetBuilder`."""

    name = "ContinuousDataset"
    x_name = "Design"
    y_name = "Prediction"

    @property
    def subclass(self) -> type[DatasetBuilder]:
        """This class."""
        return ContinuousDataset
