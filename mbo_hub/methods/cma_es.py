"""CMA-ES on a learned model: Hansen & Ostermeier 2001, Evol. Comput. 9.

https://doi.org/10.1162/106365601750190398
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import numpy as np

from mbo_hub.methods.features import features
from mbo_hub.methods.progress import Progress, part
from mbo_hub.methods.protocol import Method, Paper, Preset, Proposal
from mbo_hub.offline import Offline

__all__ = ["CmaEs"]


@dataclass(frozen=True)
class CmaEs(Method):
    """Run CMA-ES from each of the best visible designs; submit the best point of each run.

    Args:
        members: networks of the model of y.
        hidden: width of each of their hidden layers.
        epochs: how often they see each row.
        batch: rows at a time.
        learning_rate: of Adam.
        sigma: first standard deviation of the search, in z-scores.
        generations: at most; pycma's own rules may stop a run earlier.
        full_up_to: how many numbers a design may have for a full covariance matrix; above, it is
            diagonal.
    """

    name: ClassVar[str] = "cma_es"
    title: ClassVar[str] = "CMA-ES"
    paper: ClassVar[Paper | None] = Paper(
        authors="Hansen & Ostermeier",
        title="Completely derandomized self-adaptation in evolution strategies",
        venue="Evolutionary Computation 9",
        year=2001,
        url="https://doi.org/10.1162/106365601750190398",
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "All runs advance together, so that the model judges their candidates at once; each run is "
        "the one that it would be alone.",
        "Above 200 numbers a design the covariance matrix is diagonal (NAS, ChEMBL, Hopper).",
        "ChEMBL is searched in logits like the other sequences; the original searches the latent "
        "space of an autoencoder there.",
        "All visible rows are trained on, and what is submitted is the nearest legal design.",
        "Preset standard: batches of 512 instead of 100, 50 epochs instead of 100.",
        "Preset standard uses on ChEMBL what it uses elsewhere: the original's constants there "
        "were chosen by its oracle, on other data.",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "standard": Preset(),
            "paper": Preset(
                {"batch": 100, "epochs": 100},
                tasks={"chembl": {"hidden": (2048,), "learning_rate": 3e-4, "epochs": 50}},
                sources={"full_up_to": "ours: a full matrix of 5,126² a run does not fit"},
            ),
        }
    )
    needs: ClassVar[tuple[str, ...]] = ("torch", "cma")

    members: int = 5
    hidden: tuple[int, ...] = (256,)
    epochs: int = 50
    batch: int = 512
    learning_rate: float = 1e-3
    sigma: float = 0.5
    generations: int = 100
    full_up_to: int = 200

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Train the model, run all searches in lock-step, decode."""
        import cma

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
            progress=part(progress, 0.0, 0.3),
        ).requires_grad_(False)
        starts = networks.best_rows(offline, written, budget, rng).cpu().numpy().astype(np.float64)
        # pycma seeds numpy's global generator unless it is given random numbers; and it searches
        # in two dimensions at least.
        lonely = written.width == 1
        runs = [
            cma.CMAEvolutionStrategy(
                np.append(start, 0.0) if lonely else start,
                self.sigma,
                {
                    "randn": _normal(np.random.default_rng([seed, number])),
                    "seed": np.nan,
                    "CMA_diagonal": written.width > self.full_up_to,
                    "maxiter": self.generations,
                    "verbose": -9,
                },
            )
            for number, start in enumerate(starts)
        ]
        for generation in range(self.generations):
            going = [run for run in runs if not run.stop()]
            if not going:
                break
            asked = [run.ask() for run in going]
            candidates = np.array(asked).reshape(-1, len(asked[0][0]))[:, : written.width]
            values = networks.mixture_mean(model, networks.numbers(candidates)).cpu().numpy()
            for run, points, cost in zip(going, asked, np.split(-values, len(going)), strict=True):
                run.tell(points, cost.astype(np.float64).tolist())
            progress(0.3 + 0.7 * (generation + 1) / self.generations)
        best = np.array([run.best.x for run in runs])[:, : written.width]  # over all generations
        found = written.decode(best)
        expected = networks.mixture_mean(model, networks.numbers(written.encode(found.designs)))
        return Proposal.of(found, budget, networks.predicted(offline, expected))


def _normal(rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """Normal numbers with the call of `numpy.random.randn`."""
    return lambda *shape: rng.standard_normal(shape)
