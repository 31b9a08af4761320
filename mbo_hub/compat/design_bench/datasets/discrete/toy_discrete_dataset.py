"""ToyDiscreteDataset can be imported, and fails when it is made: mbo_hub has no such data."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Missing
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset

__all__ = ["ToyDiscreteDataset"]


class ToyDiscreteDataset(Missing, DiscreteDataset):
    """Not here."""

    name = "toy_discrete/toy_discrete"
    x_name = "toy_design"
    y_name = "toy_prediction"
    why = "toy tasks are left out; DiscreteDataset(x, y, num_classes=…) makes one"
