"""Bodies of the D'Kitty robot, and how well it walks to a goal."""

from __future__ import annotations

from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.continuous_dataset import ContinuousDataset

__all__ = ["DKittyMorphologyDataset"]


class DKittyMorphologyDataset(Archived, ContinuousDataset):
    """Bodies of the D'Kitty robot, and how well it walks to a goal."""

    name = "dkitty_morphology/dkitty_morphology"
    x_name = "dkitty_morphology"
    y_name = "average_return"
    task = "dkitty"
    differs = "simulated anew with MuJoCo 4, with the original's mistake about the thighs mended"
