"""Molecules written as SMILES tokens."""

from __future__ import annotations

from typing import ClassVar

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["ChEMBLDataset"]


class ChEMBLDataset(Archived, DiscreteDataset):
    """Molecules written as SMILES tokens."""

    name = "chembl-MCHC-CHEMBL3885882/chembl"
    x_name = "smiles"
    y_name = "standard_value"
    task = "chembl"
    differs = (
        "1,168 ligands of the sigma-1 receptor with their pKi, in 46 tokens of 37, "
        "instead of 1,093 rows of an assay in 31 tokens of 591"
    )
    needs_consent = True
    settings: ClassVar = {"assay_chembl_id": "CHEMBL3885882", "standard_type": "MCHC"}
