"""ToyContinuousDataset can be imported, and fails when it is made: mbo_hub has no such data."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Missing
from mbo_hub.compat.design_bench.datasets.continuous_dataset import ContinuousDataset

__all__ = ["ToyContinuousDataset"]


class ToyContinuousDataset(Missing, ContinuousDataset):
    """Not here."""

    name = "toy_continuous/toy_continuous"
    x_name = "toy_design"
    y_name = "toy_prediction"
    why = "toy tasks are left out; ContinuousDataset(x, y) makes one"
