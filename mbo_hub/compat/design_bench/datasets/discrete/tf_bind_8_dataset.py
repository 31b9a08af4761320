"""TF Bind 8: how strongly SIX6 binds each DNA sequence of length 8; the original's data."""

from __future__ import annotations

from typing import ClassVar

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["TFBind8Dataset"]


class TFBind8Dataset(Archived, DiscreteDataset):
    """TF Bind 8: how strongly SIX6 binds each DNA sequence of length 8; the original's data."""

    name = "tf_bind_8-SIX6_REF_R1/tf_bind_8"
    x_name = "dna_sequence"
    y_name = "enrichment_score"
    task = "tfbind8"
    settings: ClassVar = {"transcription_factor": "SIX6_REF_R1"}
