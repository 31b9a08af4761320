"""Random legal designs: the control that tells what a budget finds by luck alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mbo_hub.methods.progress import Progress
from mbo_hub.methods.protocol import Method, Proposal
from mbo_hub.offline import Offline

__all__ = ["Random"]


@dataclass(frozen=True)
class Random(Method):
    """Draw designs from the space, each value on its own, as `space.sample` does."""

    name: ClassVar[str] = "random"
    title: ClassVar[str] = "Random designs"

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Draw; the visible data are not looked at."""
        return Proposal(offline.space.sample(budget, seed))
