"""Model inversion networks: Kumar & Levine 2020.

https://arxiv.org/abs/1912.13464
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from mbo_hub.arrays import Float32, Num
from mbo_hub.errors import MethodFailed
from mbo_hub.methods.features import features
from mbo_hub.methods.progress import Progress
from mbo_hub.methods.protocol import Method, Paper, Preset, Proposal
from mbo_hub.offline import Offline
from mbo_hub.spaces import Box

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbo_hub.methods.gan import Conditional

__all__ = ["ModelInversionNetworks"]


@dataclass(frozen=True)
class ModelInversionNetworks(Method):
    """Learn which designs have a given y, x ~ G(z, y), then ask for the best y of the data.

    A conditional Wasserstein GAN with gradient penalty, whose losses count rare high y more.

    Args:
        hidden: width of the layers of generator and critic, of which there are three each.
        condition: width to which y is spread before each layer.
        latent: numbers of z.
        epochs: how often each row is seen, as far as `most_steps` allows.
        most_steps: batches at most.
        batch: rows at a time.
        learning_rate: of Adam, whose betas are 0 and 0.9.
        critic_steps: of the critic for each of the generator.
        penalty: weight of the gradient penalty.
        temperature: of relaxed tokens, at the start and at the end.
        keep: how much of a visible token's probability is its own.
        bins: of the histogram of y.
        sharpness: temperature of the weights' softmax over y.
        smoothing: how many rows a bin needs to count.
        most_weight: that a row may get.
    """

    name: ClassVar[str] = "mins"
    title: ClassVar[str] = "Model inversion networks"
    paper: ClassVar[Paper | None] = Paper(
        authors="Kumar & Levine",
        title="Model Inversion Networks for Model-Based Optimization",
        venue="NeurIPS",
        year=2020,
        url="https://arxiv.org/abs/1912.13464",
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "The exploration network and the forward model of Design-Bench's code are left out: it "
        "trains them and never uses them.",
        "The generator takes a step after every ten of the critic; the original counts anew each "
        "epoch.",
        "Rows are shuffled each epoch, and all visible ones are trained on.",
        "Preset standard: layers of 256 instead of 1024, and at most 5,000 batches.",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "standard": Preset(),
            "paper": Preset(
                {"hidden": 1024, "condition": 1024, "most_steps": 10**9},
                tasks={
                    "hopper": {"epochs": 500},
                    "tfbind10": {"epochs": 100},
                    "chembl": {"hidden": 2048},
                },
            ),
        }
    )
    needs: ClassVar[tuple[str, ...]] = ("torch",)

    hidden: int = 256
    condition: int = 256
    latent: int = 32
    epochs: int = 200
    most_steps: int = 5000
    batch: int = 128
    learning_rate: float = 2e-4
    critic_steps: int = 10
    penalty: float = 10.0
    temperature: tuple[float, float] = (5.0, 1.0)
    keep: float = 0.99
    bins: int = 20
    sharpness: float = 0.1
    smoothing: float = 1e-3
    most_weight: float = 5.0

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Train the GAN, then draw designs for the best visible y."""
        import torch

        import mbo_hub.methods.networks as networks
        from mbo_hub.methods.gan import Conditional, relaxed

        rng = networks.generator(seed)
        written = features(offline, "one_hot")
        x = networks.numbers(written.encode(offline.x))
        scaled = offline.normalization.y.apply(offline.y)
        tokens = None if isinstance(offline.space, Box) else len(offline.space.alphabet)
        generator = Conditional(self.latent, self.hidden, self.condition, written.width, rng)
        critic = Conditional(written.width, self.hidden, self.condition, 1, rng)
        self.train(generator, critic, x, scaled, tokens, rng, progress)

        with torch.no_grad():
            y = torch.full((budget, 1), float(scaled.max()), dtype=torch.float32)
            z = torch.randn(budget, self.latent, generator=rng, dtype=torch.float32)
            fake = generator(z, y)
            drawn = fake if tokens is None else relaxed(fake, tokens, 1e-3, rng)
        return Proposal.of(written.decode(drawn.cpu().numpy()), budget, None)

    def train(
        self,
        generator: Conditional,
        critic: Conditional,
        x: Tensor,
        scaled: Float32[np.ndarray, " n"],
        tokens: int | None,
        rng: torch.Generator,
        progress: Progress,
    ) -> None:
        """Let the critic tell real from made designs, and the generator fool it."""
        import torch

        import mbo_hub.methods.networks as networks
        from mbo_hub.methods.gan import relaxed

        y = networks.numbers(scaled)[:, None]
        weights = networks.numbers(self.weights(scaled))
        real = x if tokens is None else (self.keep * x + (1 - self.keep) / tokens).log()
        adams = [
            torch.optim.Adam(net.parameters(), lr=self.learning_rate, betas=(0.0, 0.9), fused=True)
            for net in (generator, critic)
        ]
        an_epoch = sum(1 for _ in networks.batches(len(x), self.batch, networks.generator(0)))
        total = min(self.epochs * an_epoch, self.most_steps)
        step = 0
        while step < total:
            for rows in networks.batches(len(x), self.batch, rng):
                hot, cold = self.temperature
                temperature = hot + (cold - hot) * step / total

                def made(given: Tensor, temperature: float = temperature) -> Tensor:
                    z = torch.randn(len(given), self.latent, generator=rng, dtype=torch.float32)
                    fake = generator(z, given)
                    return fake if tokens is None else relaxed(fake, tokens, temperature, rng)

                given, weight = y[rows], weights[rows]
                true = real[rows]
                true = true if tokens is None else relaxed(true, tokens, temperature, rng)
                with torch.no_grad():
                    fake = made(given)
                # Wasserstein: D(fake) − D(real) + λ (‖∇ D(between)‖ − 1)²
                mix = torch.rand(len(rows), 1, generator=rng, dtype=torch.float32)
                between = (mix * true + (1 - mix) * fake).requires_grad_()
                (slope,) = torch.autograd.grad(
                    critic(between, given).sum(), between, create_graph=True
                )
                gap = (critic(fake, given) - critic(true, given)).flatten()
                loss = gap + self.penalty * ((slope**2).sum(1).add(1e-12).sqrt() - 1) ** 2
                adams[1].zero_grad()
                (weight * loss).mean().backward()
                adams[1].step()
                step += 1
                if step % self.critic_steps == 0:
                    adams[0].zero_grad()
                    (-weight * critic(made(given), given).flatten()).mean().backward()
                    adams[0].step()
                if step == total:
                    break
            if not math.isfinite(loss.mean().item()):
                raise MethodFailed(f"its generator and critic diverged by batch {step}")
            progress(step / total)

    def weights(self, scaled: Float32[np.ndarray, " n"]) -> Num[np.ndarray, " n"]:
        """How much each row counts, from its z-scored y: rare high ones more."""
        counts, edges = np.histogram(scaled, self.bins)
        share = counts / len(scaled)
        wanted = np.exp((edges[1:] - edges[-1]) / self.sharpness)
        wanted /= wanted.sum()
        wanted *= share / (share + self.smoothing)
        at = np.clip(np.digitize(scaled, edges[1:-1]), 0, self.bins - 1)
        return np.clip(wanted[at] / (share[at] + 1e-7), 0, self.most_weight)
