"""Simulates a D'Kitty robot."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets.continuous.dkitty_morphology_dataset import (
    DKittyMorphologyDataset,
)
from mbo_hub.compat.design_bench.oracles._archive import ArchivedExact

__all__ = ["DKittyMorphologyOracle"]


class DKittyMorphologyOracle(ArchivedExact):
    """Simulates a D'Kitty robot."""

    name = "exact_average_return"
    dataset = DKittyMorphologyDataset
