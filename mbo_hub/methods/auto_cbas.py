"""Autofocused CbAS: Fannjiang & Listgarten 2020, Autofocused oracles.

https://arxiv.org/abs/2006.08052
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mbo_hub.methods.cbas import CbAS, balanced
from mbo_hub.methods.protocol import Paper, Preset
from mbo_hub.offline import Offline

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from mbo_hub.methods.networks import Ensemble
    from mbo_hub.methods.vae import Vae

__all__ = ["AutofocusedCbAS"]


@dataclass(frozen=True)
class AutofocusedCbAS(CbAS):
    """CbAS, whose model of y is trained again at each step, for the designs that are drawn now.

    Args:
        refocus_epochs: how often the model of y sees each row then.
    """

    name: ClassVar[str] = "auto_cbas"
    title: ClassVar[str] = "Autofocused CbAS"
    paper: ClassVar[Paper | None] = Paper(
        authors="Fannjiang & Listgarten",
        title="Autofocused oracles for model-based design",
        venue="NeurIPS",
        year=2020,
        url="https://arxiv.org/abs/2006.08052",
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "Each visible design is weighted with a latent that the autoencoder finds for itself; "
        "Design-Bench's code takes one that has nothing to do with it.",
        *CbAS.deviations,
        "Preset standard weighs the divergence on ChEMBL like elsewhere, by 1 and not 10.",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "standard": Preset(),
            "paper": Preset(
                CbAS.presets["paper"].values,
                tasks={
                    **CbAS.presets["paper"].tasks,
                    "chembl": {**CbAS.presets["paper"].tasks["chembl"], "kl_weight": 10.0},
                },
                sources=CbAS.presets["paper"].sources,
            ),
        }
    )

    refocus_epochs: int = 10

    def refocus(
        self,
        search: Vae,
        prior: Vae,
        model: Ensemble,
        offline: Offline,
        x: Tensor,
        rng: torch.Generator,
    ) -> None:
        """Train the model of y on the visible rows, weighted by q(x|z) / p(x|z)."""
        import torch

        import mbo_hub.methods.networks as networks

        with torch.no_grad():
            z, _ = prior.encode(x, rng)
            ratio = search.log_density(x, z) - prior.log_density(x, z)
        networks.fit(
            model,
            x,
            networks.numbers(offline.normalization.y.apply(offline.y)),
            epochs=self.refocus_epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            rng=rng,
            weights=balanced(ratio, self.effective) * networks.bootstrap(self.members, len(x), rng),
        )
