"""Conservative objective models: Trabucco, Kumar, Geng & Levine 2021.

https://arxiv.org/abs/2107.06882
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mbo_hub.errors import MethodFailed
from mbo_hub.methods.features import features
from mbo_hub.methods.progress import Progress, part
from mbo_hub.methods.protocol import Method, Paper, Preset, Proposal
from mbo_hub.offline import Offline
from mbo_hub.spaces import Box

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbo_hub.methods.networks import Ensemble

__all__ = ["ConservativeObjectiveModels"]


@dataclass(frozen=True)
class ConservativeObjectiveModels(Method):
    """Learn a model that is pushed down where climbing it leads, then climb it.

    Args:
        hidden: width of each hidden layer.
        epochs: how often the model sees each row.
        batch: rows at a time.
        adversaries: from how many rows of a batch the model is climbed while it is trained.
        learning_rate: of the model's Adam.
        steps: of one climb, in training as in the search.
        step_size: of one step, of a box and of a sequence, before it is multiplied by the root of
            how many numbers x has.
        overestimation: that is allowed, τ, in standard deviations of y; of a box, of a sequence.
        alpha: first weight of the overestimation.
        alpha_rate: of Adam on ln α.
    """

    name: ClassVar[str] = "coms"
    title: ClassVar[str] = "Conservative objective models"
    paper: ClassVar[Paper | None] = Paper(
        authors="Trabucco, Kumar, Geng & Levine",
        title="Conservative Objective Models for Effective Offline Model-Based Optimization",
        venue="ICML",
        year=2021,
        url="https://arxiv.org/abs/2107.06882",
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "All visible rows are trained on; the original only watches the 100 or 500 that it holds "
        "out.",
        "τ is 0.5 for boxes, as in the paper's example; the original's scripts sweep it, and log "
        "the oracle's score.",
        "What is submitted is the nearest legal design of the last iterate.",
        "Preset standard: a network of 2 x 256 instead of 2 x 2048, batches of 512 instead of 128, "
        "with climbs from 128 rows of each.",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {"standard": Preset(), "paper": Preset({"hidden": (2048, 2048), "batch": 128})}
    )
    needs: ClassVar[tuple[str, ...]] = ("torch",)

    hidden: tuple[int, ...] = (256, 256)
    epochs: int = 50
    batch: int = 512
    adversaries: int = 128
    learning_rate: float = 3e-4
    steps: int = 50
    step_size: tuple[float, float] = (0.05, 2.0)
    overestimation: tuple[float, float] = (0.5, 2.0)
    alpha: float = 0.1
    alpha_rate: float = 0.01

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Train, climb, decode."""
        import mbo_hub.methods.networks as networks

        rng = networks.generator(seed)
        written = features(offline, "raw_logits")
        x = networks.numbers(written.encode(offline.x))
        y = networks.numbers(offline.normalization.y.apply(offline.y))
        model = networks.Ensemble(1, written.width, self.hidden, 1, rng, slope=0.0)
        step = self.step_size[not isinstance(offline.space, Box)] * math.sqrt(written.width)
        tau = self.overestimation[not isinstance(offline.space, Box)]
        self.train(model, x, y, step, tau, rng, part(progress, 0.0, 0.98))
        best = networks.best_rows(offline, written, budget, rng)
        found = written.decode(climb(model, best, step, self.steps).cpu().numpy())
        expected = model(networks.numbers(written.encode(found.designs))).flatten()
        return Proposal.of(found, budget, networks.predicted(offline, expected))

    def train(
        self,
        model: Ensemble,
        x: Tensor,
        y: Tensor,
        step: float,
        tau: float,
        rng: torch.Generator,
        progress: Progress,
    ) -> None:
        """Minimise the squared error and α times the overestimation."""
        import torch

        import mbo_hub.methods.networks as networks

        log_alpha = torch.tensor(math.log(self.alpha), dtype=torch.float32, requires_grad=True)
        adam = torch.optim.Adam(model.parameters(), lr=self.learning_rate, fused=True)
        adam_alpha = torch.optim.Adam([log_alpha], lr=self.alpha_rate)
        for epoch in range(self.epochs):
            for rows in networks.batches(len(x), self.batch, rng):
                error = (model(x[rows]).flatten() - y[rows]) ** 2
                start = x[rows[: self.adversaries]]
                end = climb(model, start, step, self.steps)  # x⁻, a constant
                over = (model(end) - model(start)).mean()
                alpha = log_alpha.exp()
                adam.zero_grad()
                (error.mean() + alpha.detach() * over).backward()  # (f(x) − y)² + α (f(x⁻) − f(x))
                adam.step()
                adam_alpha.zero_grad()
                (alpha * (tau - over.detach())).backward()  # α grows while it overestimates by > τ
                adam_alpha.step()
            if not math.isfinite(error.mean().item() + over.item()):
                raise MethodFailed(f"its model of the objective diverged in epoch {epoch + 1}")
            progress((epoch + 1) / self.epochs)


def climb(model: Ensemble, x: Tensor, step: float, steps: int) -> Tensor:
    """Ascend the model from designs (n, w); returns where that leads, (n, w)."""
    import torch

    for _ in range(steps):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model(x).sum(), x)
        x = x + step * gradient  # x ← x + η ∇ f(x)
    return x.detach()
