"""Conditioning by adaptive sampling: Brookes, Park & Listgarten 2019.

https://arxiv.org/abs/1901.10060
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from mbo_hub.methods.features import features
from mbo_hub.methods.progress import Progress, part
from mbo_hub.methods.protocol import Method, Paper, Preset, Proposal
from mbo_hub.offline import Offline

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbo_hub.methods.networks import Ensemble
    from mbo_hub.methods.vae import Vae

__all__ = ["CbAS", "balanced"]

_CHEMBL = {"epochs": 50, "vae_epochs": 50}


@dataclass(frozen=True)
class CbAS(Method):
    """Bend a generative model of the data, step by step, towards designs with high y.

    Args:
        members: networks of the model of y.
        hidden: width of each hidden layer, of it and of the autoencoder.
        epochs: how often the model of y sees each row.
        batch: rows at a time.
        learning_rate: of all Adams.
        latent: numbers of the autoencoder's latent.
        vae_epochs: how often the autoencoder sees each row at first.
        kl_weight: of the divergence in its loss.
        iterations: steps of the adaptation.
        samples: designs drawn for a step.
        refit_epochs: how often the autoencoder sees them.
        quantile: of the drawn designs' predicted y, which the next ones are to exceed.
        effective: smallest share of the drawn designs that the weights may leave effective.
    """

    name: ClassVar[str] = "cbas"
    title: ClassVar[str] = "CbAS"
    paper: ClassVar[Paper | None] = Paper(
        authors="Brookes, Park & Listgarten",
        title="Conditioning by adaptive sampling for robust design",
        venue="ICML",
        year=2019,
        url="https://arxiv.org/abs/1901.10060",
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "Weights are normalised over the drawn designs, and flattened where they would leave fewer "
        "of them effective than a share; Design-Bench's are neither, and overflow in many "
        "dimensions.",
        "The threshold never falls, as in the paper; in Design-Bench's code it may.",
        "All drawn designs train the autoencoder; Design-Bench's code sets a fifth aside.",
        "Tokens enter one-hot, not through a learned embedding; all visible rows are trained on.",
        "Preset standard: batches of 512 instead of 100, 50 epochs instead of 100 for the model of "
        "y and 200 for the autoencoder.",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "standard": Preset(),
            "paper": Preset(
                {"batch": 100, "epochs": 100, "vae_epochs": 200},
                tasks={"tfbind10": {"vae_epochs": 100}, "chembl": {**_CHEMBL, "hidden": 2048}},
                sources={"effective": "ours, see DECISIONS.md"},
            ),
        }
    )
    needs: ClassVar[tuple[str, ...]] = ("torch",)

    members: int = 5
    hidden: int = 256
    epochs: int = 50
    batch: int = 512
    learning_rate: float = 3e-4
    latent: int = 32
    vae_epochs: int = 50
    kl_weight: float = 1.0
    iterations: int = 20
    samples: int = 1000
    refit_epochs: int = 10
    quantile: float = 0.8
    effective: float = 0.1

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Learn the data and y, adapt, draw."""
        import mbo_hub.methods.networks as networks
        from mbo_hub.methods.vae import Vae

        rng = networks.generator(seed)
        written = features(offline, "one_hot")
        x = networks.numbers(written.encode(offline.x))
        model = networks.forward_model(
            offline,
            written,
            members=self.members,
            hidden=(self.hidden,),
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            rng=rng,
            progress=part(progress, 0.0, 0.3),
        )
        prior = Vae(offline.space, written.width, self.hidden, self.latent, rng)
        prior.fit(x, epochs=self.vae_epochs, progress=part(progress, 0.3, 0.6), **self._vae(rng))
        search, gamma = deepcopy(prior), -math.inf  # q starts as p
        for iteration in range(self.iterations):
            gamma = self.adapt(search, prior, model, gamma, rng)
            self.refocus(search, prior, model, offline, x, rng)
            progress(0.6 + 0.4 * (iteration + 1) / self.iterations)
        found = written.decode(search.sample(budget, rng)[0].cpu().numpy())
        expected = networks.mixture_mean(model, networks.numbers(written.encode(found.designs)))
        return Proposal.of(found, budget, networks.predicted(offline, expected))

    def adapt(
        self, search: Vae, prior: Vae, model: Ensemble, gamma: float, rng: torch.Generator
    ) -> float:
        """Train q on its own samples, weighted towards p and towards y ≥ γ; returns the new γ."""
        import torch

        import mbo_hub.methods.networks as networks

        x, z = search.sample(self.samples, rng)
        with torch.no_grad():
            mean, log_std = (part.squeeze(-1) for part in networks.gaussian(model(x)))
            gamma = max(gamma, mean.mean(0).quantile(self.quantile).item())
            above = torch.special.log_ndtr((mean - gamma) / log_std.exp())  # ln P(y ≥ γ), a member
            log_weights = prior.log_density(x, z) - search.log_density(x, z)  # p(x|z) / q(x|z)
            log_weights += above.logsumexp(0) - math.log(self.members)
        search.fit(
            x,
            epochs=self.refit_epochs,
            weights=balanced(log_weights, self.effective),
            **self._vae(rng),
        )
        return gamma

    def refocus(
        self,
        search: Vae,
        prior: Vae,
        model: Ensemble,
        offline: Offline,
        x: Tensor,
        rng: torch.Generator,
    ) -> None:
        """Leave the model of y as it is; autofocusing does not."""

    def _vae(self, rng: torch.Generator) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "learning_rate": self.learning_rate,
            "kl_weight": self.kl_weight,
            "rng": rng,
        }


def balanced(log_weights: Tensor, effective: float) -> Tensor:
    """Normalise importance weights to mean 1, flattened to the power that is needed.

    Args:
        log_weights: (n,) logarithms, up to a constant.
        effective: the least effective sample size (Σw)²/Σw², as a share of n.

    Returns:
        (n,) softmax(t · log_weights) · n with the largest t ≤ 1 that is effective enough.
    """
    low, high = 0.0, 1.0

    def weights(power: float) -> Tensor:
        return (power * log_weights).softmax(0)

    def enough(power: float) -> bool:
        return 1 / (weights(power) ** 2).sum().item() >= effective * len(log_weights)

    if not enough(high):
        for _ in range(30):
            middle = (low + high) / 2
            low, high = (middle, high) if enough(middle) else (low, middle)
        high = low
    return weights(high) * len(log_weights)
