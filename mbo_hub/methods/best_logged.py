"""The best visible designs: the control that tells what is gained by proposing anything new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mbo_hub.methods.progress import Progress
from mbo_hub.methods.protocol import Method, Proposal
from mbo_hub.offline import Offline

__all__ = ["BestLogged"]


@dataclass(frozen=True)
class BestLogged(Method):
    """Submit the visible designs with the highest y, best first; the seed changes nothing."""

    name: ClassVar[str] = "best_logged"
    title: ClassVar[str] = "Best of the data"

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Sort; of equals the first row comes first."""
        best = np.argsort(-offline.y, kind="stable")[:budget]
        few = f"only {len(best)} designs are visible; the budget is {budget}"
        notes = (few,) if len(best) < budget else ()
        return Proposal(offline.x[best], offline.y[best], notes=notes)
