"""Gradient ascent on the minimum of an ensemble: Trabucco et al. 2022.

https://arxiv.org/abs/2202.08450
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mbo_hub.methods.gradient_ascent import GradientAscent

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["GradMin"]


@dataclass(frozen=True)
class GradMin(GradientAscent):
    """Climb what the most cautious of five networks says; see `GradientAscent`."""

    name: ClassVar[str] = "grad_min"
    title: ClassVar[str] = "Gradient ascent, minimum of five"

    members: int = 5

    def combine(self, means: Tensor) -> Tensor:
        """The least of the members' means."""
        return means.amin(0)
