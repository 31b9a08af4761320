"""Crossover of good designs: Holland 1975, Adaptation in Natural and Artificial Systems.

https://doi.org/10.7551/mitpress/1090.001.0001
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mbo_hub.methods.progress import Progress
from mbo_hub.methods.protocol import Method, Paper, Proposal
from mbo_hub.offline import Offline

__all__ = ["Crossover"]


@dataclass(frozen=True)
class Crossover(Method):
    """Take each value of a new design from any of the best visible designs.

    Args:
        parents: how many of the best visible designs.
    """

    name: ClassVar[str] = "crossover"
    title: ClassVar[str] = "Crossover"
    paper: ClassVar[Paper | None] = Paper(
        authors="Holland",
        title="Adaptation in Natural and Artificial Systems",
        venue="University of Michigan Press",
        year=1975,
        url="https://doi.org/10.7551/mitpress/1090.001.0001",
    )

    parents: int = 64

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Mix the parents, value by value."""
        parents = offline.x[np.argsort(-offline.y, kind="stable")[: self.parents]]
        dim = parents.shape[1]
        chosen = np.random.default_rng(seed).integers(len(parents), size=(budget, dim))
        return Proposal(offline.space.project(parents[chosen, np.arange(dim)]))
