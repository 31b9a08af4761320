"""Architectures of residual networks, and how accurate they are."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["CIFARNASDataset"]


class CIFARNASDataset(Archived, DiscreteDataset):
    """Architectures of residual networks, and how accurate they are."""

    name = "cifar_nas/cifar_nas"
    x_name = "architecture"
    y_name = "test_accuracy"
    task = "nas"
    differs = (
        "the same 64 choices of 5, but 1,771 networks trained on 8×8 digits instead of CIFAR-10"
    )
    needs_consent = True
