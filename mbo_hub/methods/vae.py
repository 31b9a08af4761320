"""The variational autoencoder of CbAS, for boxes and for sequences; imports torch."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from mbo_hub.errors import MethodFailed
from mbo_hub.methods.networks import Ensemble, batches, gaussian
from mbo_hub.methods.progress import Progress
from mbo_hub.spaces import Box, Sequence

__all__ = ["Vae"]


class Vae(torch.nn.Module):
    """p(z) = N(0, I), p(x|z) and its approximate inverse, one hidden layer each.

    p(x|z) is a normal distribution for each value of a box, its standard deviation softly clamped
    between 0.1 and 0.2 z-scores, or a categorical one for each position of a sequence.

    Args:
        space: of the task.
        inputs: numbers a design, w: z-scores, or one-hot vectors.
        hidden: width of the hidden layer.
        latent: numbers of z.
        rng: for the weights.
    """

    def __init__(
        self, space: Box | Sequence, inputs: int, hidden: int, latent: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.space, self.latent = space, latent
        outputs = 2 * inputs if isinstance(space, Box) else inputs
        self.encoder = Ensemble(1, inputs, (hidden,), 2 * latent, rng)
        self.decoder = Ensemble(1, latent, (hidden,), outputs, rng)

    def encode(self, x: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a latent for each design (n, w): z (n, l), and the divergence from p(z), (n,)."""
        mean, raw = self.encoder(x)[0].chunk(2, dim=1)
        std = functional.softplus(raw) + 1e-6
        z = mean + std * torch.randn(mean.shape, generator=rng, dtype=torch.float32)
        return z, ((mean**2 + std**2 - 1) / 2 - std.log()).sum(1)

    def log_density(self, x: Tensor, z: Tensor) -> Tensor:
        """Ln p(x|z) of designs (n, w) under latents (n, l), (n,)."""
        out = self.decoder(z)[0]
        if isinstance(self.space, Box):
            mean, log_std = gaussian(out)
            error = (x - mean) / log_std.exp()
            return -(error**2 / 2 + log_std + math.log(2 * math.pi) / 2).sum(1)
        log_p = out.reshape(len(x), self.space.dim, -1).log_softmax(2).flatten(1)
        return (log_p * x).sum(1)

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw z from N(0, I) and x from p(x|z): x (n, w), z (n, l)."""
        z = torch.randn(n, self.latent, generator=rng, dtype=torch.float32)
        out = self.decoder(z)[0]
        if isinstance(self.space, Box):
            mean, log_std = gaussian(out)
            noise = torch.randn(mean.shape, generator=rng, dtype=torch.float32)
            return mean + log_std.exp() * noise, z
        p = out.reshape(n * self.space.dim, -1).softmax(1)
        tokens = p.multinomial(1, generator=rng)
        return torch.zeros_like(p).scatter_(1, tokens, 1).reshape(n, -1), z

    def fit(
        self,
        x: Tensor,
        *,
        epochs: int,
        batch: int,
        learning_rate: float,
        kl_weight: float,
        rng: torch.Generator,
        weights: Tensor | None = None,
        progress: Progress = lambda done: None,
    ) -> None:
        """Maximise the evidence lower bound of designs (n, w), each with its weight (n,).

        Raises:
            MethodFailed: the bound is no longer a number.
        """
        adam = torch.optim.Adam(self.parameters(), lr=learning_rate, fused=True)
        for epoch in range(epochs):
            for rows in batches(len(x), batch, rng):
                z, divergence = self.encode(x[rows], rng)
                loss = kl_weight * divergence - self.log_density(x[rows], z)
                total = (loss if weights is None else loss * weights[rows]).mean()
                adam.zero_grad()
                total.backward()  # type: ignore[no-untyped-call]
                adam.step()
            if not math.isfinite(total.item()):
                raise MethodFailed(f"its autoencoder diverged in epoch {epoch + 1}")
            progress((epoch + 1) / epochs)
