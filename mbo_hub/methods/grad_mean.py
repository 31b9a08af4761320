"""Gradient ascent on the mean of an ensemble: Trabucco et al. 2022.

https://arxiv.org/abs/2202.08450
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mbo_hub.methods.gradient_ascent import GradientAscent

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GradMean"]


@dataclass(frozen=True)
class GradMean(GradientAscent):
    """Climb what five networks say on average; see `GradientAscent`."""

    name: ClassVar[str] = "grad_mean"
    title: ClassVar[str] = "Gradient ascent, mean of five"
    deviations: ClassVar[tuple[str, ...]] = (
        "The mean is a mean: the original's code takes the minimum under this name, too.",
        *GradientAscent.deviations,
    )

    members: int = 5

    def combine(self, means: Tensor) -> Tensor:
        """The average of the members' means."""
        return means.mean(0)
