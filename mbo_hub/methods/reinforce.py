"""REINFORCE: Williams 1992, Machine Learning 8.

https://doi.org/10.1007/BF00992696
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from mbo_hub.methods.features import Decoded, features
from mbo_hub.methods.progress import Progress, part
from mbo_hub.methods.protocol import Method, Paper, Preset, Proposal
from mbo_hub.offline import Offline
from mbo_hub.spaces import Box, Sequence

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Reinforce"]


@dataclass(frozen=True)
class Reinforce(Method):
    """Move a distribution over designs to where a learned model expects high y.

    The distribution is one Gaussian over z-scores, or one categorical for each position; it starts
    at the best visible designs.

    Args:
        members: networks of the model of y.
        hidden: width of each of their hidden layers.
        epochs: how often they see each row.
        batch: rows at a time.
        learning_rate: of their Adam.
        iterations: steps of the distribution.
        samples: designs drawn for a step: of a box, of a sequence.
        policy_rate: of the distribution's Adam.
        policy_std: of the Gaussian, in z-scores; only its mean is learned.
    """

    name: ClassVar[str] = "reinforce"
    title: ClassVar[str] = "REINFORCE"
    paper: ClassVar[Paper | None] = Paper(
        authors="Williams",
        title="Simple statistical gradient-following algorithms for connectionist "
        "reinforcement learning",
        venue="Machine Learning 8",
        year=1992,
        url="https://doi.org/10.1007/BF00992696",
    )
    deviations: ClassVar[tuple[str, ...]] = (
        "Log-probabilities are summed over the positions of a sequence before they meet the "
        "reward; in Design-Bench's code the two broadcast to a matrix, and the gradient is zero.",
        "On Hopper the model of y is trained; the original's is not (0 epochs).",
        "Tokens reach the model one-hot, not through a learned embedding; what follows padding "
        "becomes padding before it is judged.",
        "All visible rows are trained on.",
        "Preset standard: batches of 512 instead of 100, 50 epochs instead of 100; on ChEMBL what "
        "is used elsewhere, since the original's constants there were chosen by its oracle.",
    )
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {
            "standard": Preset(tasks={"hopper": {"policy_rate": 0.1}}),
            "paper": Preset(
                {"batch": 100, "epochs": 100},
                tasks={
                    "chembl": {
                        "hidden": (2048,),
                        "learning_rate": 3e-4,
                        "epochs": 50,
                        "policy_rate": 1.0,
                    },
                    "hopper": {"policy_rate": 0.1},
                },
            ),
        }
    )
    needs: ClassVar[tuple[str, ...]] = ("torch",)

    members: int = 5
    hidden: tuple[int, ...] = (256,)
    epochs: int = 50
    batch: int = 512
    learning_rate: float = 1e-3
    iterations: int = 200
    samples: tuple[int, int] = (2048, 256)
    policy_rate: float = 0.01
    policy_std: float = 0.1

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Train the model, then the distribution, then draw from it."""
        import torch

        import mbo_hub.methods.networks as networks

        rng = networks.generator(seed)
        written = features(offline, "one_hot")
        model = networks.forward_model(
            offline,
            written,
            members=self.members,
            hidden=self.hidden,
            epochs=self.epochs,
            batch=self.batch,
            learning_rate=self.learning_rate,
            rng=rng,
            progress=part(progress, 0.0, 0.7),
        ).requires_grad_(False)
        best = networks.best_rows(offline, written, min(128, len(offline.y)), rng)
        is_box = isinstance(offline.space, Box)
        policy: _Gaussian | _Categorical
        if isinstance(offline.space, Box):
            policy = _Gaussian(best, self.policy_std)
        else:
            policy = _Categorical(best, offline.space)
        adam = torch.optim.Adam([policy.parameter], lr=self.policy_rate)

        def legal(x: Tensor) -> tuple[Decoded, Tensor]:
            found = written.decode(x.cpu().numpy())
            return found, networks.numbers(written.encode(found.designs))

        for iteration in range(self.iterations):
            x, log_probability = policy.draw(self.samples[0 if is_box else 1], rng)
            reward = networks.mixture_mean(model, x if is_box else legal(x)[1])
            advantage = (reward - reward.mean()) / (reward.std() + 1e-8)
            loss = -(log_probability * advantage).mean()  # ∇ E[r] = E[r ∇ ln π(x)]
            adam.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            progress(0.7 + 0.3 * (iteration + 1) / self.iterations)
        found, x = legal(policy.draw(budget, rng)[0])
        return Proposal.of(
            found, budget, networks.predicted(offline, networks.mixture_mean(model, x))
        )


class _Gaussian:
    """Independent normal values around a mean that is learned."""

    def __init__(self, best: Tensor, std: float) -> None:
        self.parameter, self.std = best.mean(0).requires_grad_(), std

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n designs (n, w), and the logarithms of their densities, (n,)."""
        noise = self.parameter.new_empty(n, len(self.parameter)).normal_(generator=rng)
        x = (self.parameter + self.std * noise).detach()
        return x, -(((x - self.parameter) / self.std) ** 2).sum(1) / 2


class _Categorical:
    """Independent tokens; those that the best designs never have at a place never appear there."""

    def __init__(self, best: Tensor, space: Sequence) -> None:
        frequency = best.reshape(len(best), space.dim, -1).mean(0)
        if space.padding is not None:  # no design is empty
            frequency[0, space.alphabet.index(space.padding)] = 0
        self.parameter = frequency.log().requires_grad_()

    def draw(self, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n designs one-hot (n, w), and the logarithms of their probabilities, (n,)."""
        log_p = self.parameter.log_softmax(1)
        tokens = log_p.detach().exp().multinomial(n, replacement=True, generator=rng)  # (d, n)
        one_hot = log_p.new_zeros(n, *log_p.shape).scatter_(2, tokens.T[:, :, None], 1)
        return one_hot.flatten(1), log_p.gather(1, tokens).sum(0)
