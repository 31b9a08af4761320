"""Simulates an ant."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets.continuous.ant_morphology_dataset import (
    AntMorphologyDataset,
)
from mbo_hub.compat.design_bench.oracles._archive import ArchivedExact

__all__ = ["AntMorphologyOracle"]


class AntMorphologyOracle(ArchivedExact):
    """Simulates an ant."""

    name = "exact_average_return"
    dataset = AntMorphologyDataset
