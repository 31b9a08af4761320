"""Gradient ascent on a learned model: Trabucco et al. 2022, Design-Bench.

https://arxiv.org/abs/2202.08450
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mbo_hub.methods.features import features
from mbo_hub.methods.progress import Progress, part
from mbo_hub.methods.protocol import Method, Paper, Preset, Proposal
from mbo_hub.offline import Offline

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["DESIGN_BENCH", "GradientAscent"]

DESIGN_BENCH = Paper(
    authors="Trabucco, Geng, Kumar & Levine",
    title="Design-Bench: Benchmarks for Data-Driven Offline Model-Based Optimization",
    venue="ICML",
    year=2022,
    url="https://arxiv.org/abs/2202.08450",
)


@dataclass(frozen=True)
class GradientAscent(Method):
    """Learn y from x, then climb the model from the best visible designs.

    Args:
        members: networks, each trained on its own bootstrap sample.
        hidden: width of each hidden layer.
        epochs: how often the networks see each row.
        batch: rows at a time.
        learning_rate: of Adam.
        steps: of gradient ascent.
        step_size: of one step, before it is multiplied by the root of how many numbers x has.
    """

    name: ClassVar[str] = "grad"
    title: ClassVar[str] = "Gradient ascent"
    paper: ClassVar[Paper | None] = DESIGN_BENCH
    deviations: ClassVar[tuple[str, ...]] = (
        "All visible rows are trained on; the original only watches the 200 that it holds out.",
        "What is submitted is the nearest legal design of the last iterate; the original leaves "
        "boxes and scores what lies outside.",
        "Preset standard: networks of 2 x 256 instead of 2 x 2048, batches of 512 instead of 128, "
        "50 epochs instead of 100.",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "standard": Preset(),
            "paper": Preset(
                {"hidden": (2048, 2048), "batch": 128, "epochs": 100},
                tasks={"superconductor": {"epochs": 50}},
            ),
        }
    )
    needs: ClassVar[tuple[str, ...]] = ("torch",)

    members: int = 1
    hidden: tuple[int, ...] = (256, 256)
    epochs: int = 50
    batch: int = 512
    learning_rate: float = 3e-4
    steps: int = 200
    step_size: float = 0.01

    def combine(self, means: Tensor) -> Tensor:
        """Make one prediction of those of the members, (m, n) → (n,)."""
        return means[0]

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Train, climb, decode."""
        import torch

        import mbo_hub.methods.networks as networks

        rng = networks.generator(seed)
        written = features(offline)
        model = networks.forward_model(
            offline,
            written,
            members=self.members,
            hidden=self.hidden,
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            rng=rng,
            progress=part(progress, 0.0, 0.95),
        ).requires_grad_(False)

        def value(x: Tensor) -> Tensor:
            means, _ = networks.gaussian(model(x))
            return self.combine(means.squeeze(-1))

        x = networks.best_rows(offline, written, budget, rng)
        step = self.step_size * math.sqrt(written.width)
        for _ in range(self.steps):  # x ← x + α ∇ f(x), all designs at once
            x.requires_grad_()
            (gradient,) = torch.autograd.grad(value(x).sum(), x)
            x = x.detach() + step * gradient
        found = written.decode(x.cpu().numpy())
        expected = value(networks.numbers(written.encode(found.designs)))
        return Proposal.of(found, budget, networks.predicted(offline, expected))
