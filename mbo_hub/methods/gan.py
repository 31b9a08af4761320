"""Networks of model inversion: layers that all see the condition, relaxed tokens; imports torch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from mbo_hub.methods.networks import Ensemble

__all__ = ["Conditional", "relaxed"]


class Conditional(torch.nn.Module):
    """Three dense layers, each after it has been told y again, layer norm, leaky ReLU; one linear.

    Args:
        inputs: numbers that come in.
        hidden: width of the layers.
        condition: width to which y is spread.
        outputs: numbers that come out.
        rng: for the weights.
    """

    def __init__(
        self, inputs: int, hidden: int, condition: int, outputs: int, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.spread = Ensemble(1, 1, (), condition, rng)
        widths = (inputs, hidden, hidden, hidden)
        self.layers = torch.nn.ModuleList(
            Ensemble(1, w + condition, (), hidden, rng) for w in widths[:-1]
        )
        self.norms = torch.nn.ModuleList(torch.nn.LayerNorm(hidden) for _ in self.layers)
        self.last = Ensemble(1, hidden + condition, (), outputs, rng)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compute from x (n, inputs) and y (n, 1); (n, outputs)."""
        told = self.spread(y)[0]
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = functional.leaky_relu(norm(layer(torch.cat([x, told], 1))[0]), 0.2)
        return self.last(torch.cat([x, told], 1))[0]


def relaxed(logits: Tensor, tokens: int, temperature: float, rng: torch.Generator) -> Tensor:
    """Draw nearly one-hot tokens from logits, both (n, d · K): Gumbel-softmax, Jang et al. 2017."""
    uniform = torch.rand(logits.shape, generator=rng, dtype=torch.float32).clamp_(1e-20)
    gumbel = -(-uniform.log()).log()
    grouped = ((logits + gumbel) / temperature).reshape(len(logits), -1, tokens)
    return grouped.softmax(2).flatten(1)
