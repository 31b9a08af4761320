"""Simulates a hopper."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets.continuous.hopper_controller_dataset import (
    HopperControllerDataset,
)
from mbo_hub.compat.design_bench.oracles._archive import ArchivedExact

__all__ = ["HopperControllerOracle"]


class HopperControllerOracle(ArchivedExact):
    """Simulates a hopper."""

    name = "exact_average_return"
    dataset = HopperControllerDataset
