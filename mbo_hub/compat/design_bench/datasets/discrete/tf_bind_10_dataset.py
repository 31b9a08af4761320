"""TF Bind 10: how strongly Pho4 binds DNA with each flank of length 10."""

from __future__ import annotations

from typing import ClassVar

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["TFBind10Dataset"]


class TFBind10Dataset(Archived, DiscreteDataset):
    """TF Bind 10: how strongly Pho4 binds DNA with each flank of length 10."""

    name = "tf_bind_10-pho4/tf_bind_10"
    x_name = "dna_sequence"
    y_name = "ddg"
    task = "tfbind10"
    differs = (
        "all 4^10 sequences with the values of a network that was trained on the "
        "measurements, where the original has single measurements, wrongly complemented; "
        "y is −ddG"
    )
    settings: ClassVar = {"transcription_factor": "pho4"}
