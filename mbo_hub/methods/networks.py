"""Networks that several methods share: an ensemble that computes side by side, its training.

Nothing here is global: every random number comes from a generator that the caller seeds, and
`alone` gives a method one thread, its own defaults, and gives back what it changed. This module
imports torch; the methods import it where they run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from mbo_hub.arrays import Float32, Num
from mbo_hub.errors import MethodFailed
from mbo_hub.methods.features import Features
from mbo_hub.methods.progress import Progress
from mbo_hub.offline import Offline

__all__ = [
    "Ensemble",
    "alone",
    "batches",
    "best_rows",
    "bootstrap",
    "fit",
    "forward_model",
    "gaussian",
    "gaussian_nll",
    "generator",
    "mixture_mean",
    "numbers",
    "predicted",
    "soft_clamp",
]

STD = (0.1, 0.2)  # of a prediction, in standard deviations of y: A.0 of the original's settings
SLOPE = 0.3  # of leaky ReLU below 0; Keras' default

Loss = Callable[[Tensor, Tensor], Tensor]


@contextmanager
def alone(device: str = "cpu") -> Iterator[None]:
    """Compute on one thread, with gradients, in float32, on a device; then restore what was."""
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.device(device):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)


def generator(seed: int) -> torch.Generator:
    """Make the source of all random numbers of a run."""
    return torch.Generator(torch.empty(0).device).manual_seed(seed)


def numbers(values: Num[np.ndarray, "*shape"]) -> Tensor:
    """Copy an array into a float32 tensor."""
    return torch.tensor(np.asarray(values), dtype=torch.float32)


def soft_clamp(values: Tensor, low: float, high: float) -> Tensor:
    """Bend values smoothly into an interval, by two softplus as the original does.

    The second one moves the upper end, to low + softplus(high − low): ln 0.3 instead of ln 0.2.
    """
    below = high - functional.softplus(high - values)
    return low + functional.softplus(below - low)


class Ensemble(torch.nn.Module):
    """Dense networks of one shape, with own weights each, computed as one.

    Args:
        members: how many, m.
        inputs: numbers a design, w.
        hidden: width of each hidden layer.
        outputs: numbers that come out, o.
        rng: for the weights: Glorot's uniform, as Keras draws them; biases start at 0.
        slope: of the leaky ReLU between layers; 0 is ReLU.
    """

    def __init__(
        self,
        members: int,
        inputs: int,
        hidden: tuple[int, ...],
        outputs: int,
        rng: torch.Generator,
        slope: float = SLOPE,
    ) -> None:
        super().__init__()
        self.members, self.slope = members, slope
        self.weights, self.biases = torch.nn.ParameterList(), torch.nn.ParameterList()
        for fan_in, fan_out in pairwise((inputs, *hidden, outputs)):
            bound = math.sqrt(6 / (fan_in + fan_out))
            weight = torch.rand(members, fan_in, fan_out, generator=rng, dtype=torch.float32)
            self.weights.append(bound * (2 * weight - 1))
            self.biases.append(torch.zeros(members, 1, fan_out, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Compute all members.

        Args:
            x: (n, w), the same for all members, or (m, n, w).

        Returns:
            (m, n, o).
        """
        x = x.expand(self.members, *x.shape[-2:])
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            if layer < last:
                x = functional.leaky_relu(x, self.slope)
        return x


def gaussian(outputs: Tensor, std: tuple[float, float] = STD) -> tuple[Tensor, Tensor]:
    """Read outputs (…, 2k) as k means and k logarithms of standard deviations, softly clamped."""
    mean, log_std = outputs.chunk(2, dim=-1)
    return mean, soft_clamp(log_std, math.log(std[0]), math.log(std[1]))


def gaussian_nll(outputs: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood of y (n,) under each member's Gaussian, (m, n)."""
    mean, log_std = gaussian(outputs)
    error = (y - mean.squeeze(-1)) / log_std.squeeze(-1).exp()
    return log_std.squeeze(-1) + error**2 / 2 + math.log(2 * math.pi) / 2


def mixture_mean(model: Ensemble, x: Tensor) -> Tensor:
    """What an ensemble expects of designs (n, w) as an equal mixture of its Gaussians, (n,)."""
    return gaussian(model(x))[0].squeeze(-1).mean(0)


def bootstrap(members: int, n: int, rng: torch.Generator) -> Tensor:
    """Draw for each member how often each row counts: n draws with replacement, (m, n)."""
    drawn = torch.randint(n, (members, n), generator=rng)
    counts = torch.zeros(members, n, dtype=torch.float32)
    return counts.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float32))


def batches(n: int, batch: int, rng: torch.Generator) -> Iterator[Tensor]:
    """Deal rows in random order; an epoch has at least eight batches where there are eight rows."""
    size = max(1, min(batch, n // 8))
    order = torch.randperm(n, generator=rng)
    for start in range(0, n - n % size, size):  # what is left over waits for the next epoch
        yield order[start : start + size]


def fit(
    model: Ensemble,
    x: Tensor,
    y: Tensor,
    *,
    epochs: int,
    batch: int,
    learning_rate: float,
    rng: torch.Generator,
    weights: Tensor | None = None,
    loss: Loss = gaussian_nll,
    progress: Progress = lambda done: None,
) -> None:
    """Train an ensemble by Adam.

    Args:
        model: is changed.
        x: (n, w) designs as numbers.
        y: (n,) z-scored objective.
        epochs: how often each row is seen.
        batch: rows at a time.
        learning_rate: of Adam.
        rng: for the order of the rows.
        weights: (m, n) how much each row counts for each member; None: 1.
        loss: of outputs (m, b, o) and y (b,), (m, b).
        progress: is told the fraction that is done.

    Raises:
        MethodFailed: the loss is no longer a number.
    """
    adam = torch.optim.Adam(model.parameters(), lr=learning_rate, fused=True)
    for epoch in range(epochs):
        for rows in batches(len(x), batch, rng):
            each = loss(model(x[rows]), y[rows])
            total = (each if weights is None else each * weights[:, rows]).mean(1).sum()
            adam.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            adam.step()
        if not math.isfinite(total.item()):
            raise MethodFailed(f"its model of the objective diverged in epoch {epoch + 1}")
        progress((epoch + 1) / epochs)


def forward_model(
    offline: Offline,
    features: Features,
    *,
    members: int,
    hidden: tuple[int, ...],
    epochs: int,
    batch: int,
    learning_rate: float,
    rng: torch.Generator,
    progress: Progress = lambda done: None,
) -> Ensemble:
    """Train the bootstrapped ensemble of Gaussians of y that most methods ask for an oracle."""
    x = numbers(features.encode(offline.x))
    y = numbers(offline.normalization.y.apply(offline.y))
    model = Ensemble(members, features.width, hidden, 2, rng)
    fit(
        model,
        x,
        y,
        epochs=epochs,
        batch=batch,
        learning_rate=learning_rate,
        rng=rng,
        weights=bootstrap(members, len(x), rng),
        progress=progress,
    )
    return model


def predicted(offline: Offline, y: Tensor) -> Float32[np.ndarray, " n"]:
    """Return z-scored predictions to the task's units."""
    return offline.normalization.y.invert(y.detach().cpu().numpy())


def best_rows(
    offline: Offline, features: Features, count: int, rng: torch.Generator, noise: float = 0.1
) -> Tensor:
    """The best visible designs as numbers, best first, (count, w).

    Where fewer are visible they are taken again, moved by noise of this standard deviation.
    """
    best = np.argsort(-offline.y, kind="stable")[:count]
    x = numbers(features.encode(offline.x[best]))
    if len(x) == count:
        return x
    again = x[torch.arange(len(x), count) % len(x)]
    moved = again + noise * torch.randn(again.shape, generator=rng, dtype=torch.float32)
    return torch.cat([x, moved])
