"""Superconductor: amounts of 86 elements, and the critical temperature; the original's data."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.continuous_dataset import ContinuousDataset

__all__ = ["SuperconductorDataset"]


class SuperconductorDataset(Archived, ContinuousDataset):
    """Superconductor: amounts of 86 elements, and the critical temperature; the original's data."""

    name = "superconductor/superconductor"
    x_name = "chemical_formula"
    y_name = "critical_temperature"
    task = "superconductor"
