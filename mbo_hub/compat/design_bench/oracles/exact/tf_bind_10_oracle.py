"""Computes TF Bind 10 by the network that defines it."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets.discrete.tf_bind_10_dataset import TFBind10Dataset
from mbo_hub.compat.design_bench.oracles._archive import ArchivedExact

__all__ = ["TFBind10Oracle"]


class TFBind10Oracle(ArchivedExact):
    """Computes TF Bind 10 by the network that defines it."""

    name = "exact_ddg"
    dataset = TFBind10Dataset
    simulated = False
