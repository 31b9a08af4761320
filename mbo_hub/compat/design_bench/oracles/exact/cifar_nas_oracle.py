"""Trains the networks of NAS."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets.discrete.cifar_nas_dataset import CIFARNASDataset
from mbo_hub.compat.design_bench.oracles._archive import ArchivedExact

__all__ = ["CIFARNASOracle"]


class CIFARNASOracle(ArchivedExact):
    """Trains the networks of NAS."""

    name = "exact_test_accuracy"
    dataset = CIFARNASDataset
