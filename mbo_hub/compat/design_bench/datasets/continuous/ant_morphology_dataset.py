"""Bodies of a four-legged ant, and how far it gets."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.continuous_dataset import ContinuousDataset

__all__ = ["AntMorphologyDataset"]


class AntMorphologyDataset(Archived, ContinuousDataset):
    """Bodies of a four-legged ant, and how far it gets."""

    name = "ant_morphology/ant_morphology"
    x_name = "ant_morphology"
    y_name = "average_return"
    task = "ant"
    differs = "simulated anew with MuJoCo 4 and a policy of this project"
