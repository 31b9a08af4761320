"""UTRDataset can be imported, and fails when it is made: mbo_hub has no such data."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Missing
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["UTRDataset"]


class UTRDataset(Missing, DiscreteDataset):
    """Not here."""

    name = "utr/utr"
    x_name = "dna_sequence"
    y_name = "ribosome_loading"
