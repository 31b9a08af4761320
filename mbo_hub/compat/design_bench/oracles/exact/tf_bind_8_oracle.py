"""Looks TF Bind 8 up."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets.discrete.tf_bind_8_dataset import TFBind8Dataset
from mbo_hub.compat.design_bench.oracles._archive import ArchivedExact

__all__ = ["TFBind8Oracle"]


class TFBind8Oracle(ArchivedExact):
    """Looks TF Bind 8 up."""

    name = "exact_enrichment_score"
    dataset = TFBind8Dataset
    simulated = False
