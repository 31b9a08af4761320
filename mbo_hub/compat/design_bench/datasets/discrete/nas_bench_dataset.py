"""NASBenchDataset can be imported, and fails when it is made: mbo_hub has no such data."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Missing
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["NASBenchDataset"]


class NASBenchDataset(Missing, DiscreteDataset):
    """Not here."""

    name = "nas_bench/nas_bench"
    x_name = "model_architecture"
    y_name = "cifar_10_test_accuracy"
