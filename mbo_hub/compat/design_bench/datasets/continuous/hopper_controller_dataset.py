"""Weights of a hopper's controller, and how far it hops."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.continuous_dataset import ContinuousDataset

__all__ = ["HopperControllerDataset"]


class HopperControllerDataset(Archived, ContinuousDataset):
    """Weights of a hopper's controller, and how far it hops."""

    name = "hopper_controller/hopper_controller"
    x_name = "policy_weights"
    y_name = "average_return"
    task = "hopper"
    differs = "other policies of the same size, trained and simulated anew with MuJoCo 4"
    needs_consent = True
