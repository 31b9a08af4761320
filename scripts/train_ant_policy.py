#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Train the controller of the Ant task: one policy that sees the design it has to walk with.

Proximal policy optimization (Schulman et al. 2017, arXiv:1707.06347) over designs that are drawn
anew in every iteration, around the default. Deterministic for a seed on one machine. Stop it with
Ctrl-C or SIGTERM; the same command goes on from the checkpoint.

It writes to the folder of `--out`:
  best.npz         the policy with the best evaluation so far (float64, `rollout.Network.load`)
  checkpoint.pt    everything that is needed to go on
  metrics.csv      a row for each evaluation
"""

from __future__ import annotations

import argparse
import csv
import json
import logging
import math
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mbo_hub.arrays import Bool, Float32, Float64
from mbo_hub.oracles.mujoco import ant
from mbo_hub.oracles.mujoco.rollout import Episodes, Network

log = logging.getLogger("train_ant_policy")

OBSERVATION = 95  # 17 positions, 18 velocities, 60 numbers of the design
ACTION = 12

EVALUATION_DESIGNS = 128
EVALUATION_SEED = 123
EVALUATION_SPREAD = 0.125  # largest standard deviation, in normalized units


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides the code.

    Attributes:
        seed: of the weights, the designs and the exploration.
        steps: control steps to train for.
        init: network to start from, or an empty string.
        hidden: units in each of the two hidden layers of policy and value function.
        designs: designs, and so episodes, in an iteration.
        spread: largest standard deviation of a design around the default, in normalized units.
        epochs: passes over the data of an iteration, at most.
        minibatch: control steps in a gradient step.
        rate: learning rate at the start, annealed linearly.
        last_rate: learning rate at the end.
        noise: standard deviation of exploration at the start.
        last_noise: its ceiling at the end; in between the ceiling falls geometrically.
        clip: how far the ratio of the new to the old likelihood may leave 1 with profit.
        max_kl: passes stop once the policy has moved this far (KL divergence in nats).
        discount: of a reward, per control step.
        trace: λ of generalized advantage estimation (Schulman et al. 2016, arXiv:1506.02438).
        warmup: iterations in which only the value function learns, if `init` is given.
        evaluate_every: iterations between evaluations and checkpoints.
    """

    seed: int = 0
    steps: int = 20_000_000
    init: str = ""
    hidden: int = 256
    designs: int = 256
    spread: float = 0.15
    epochs: int = 8
    minibatch: int = 3200
    rate: float = 3e-4
    last_rate: float = 5e-5
    noise: float = 0.3
    last_noise: float = 0.12
    clip: float = 0.2
    max_kl: float = 0.02
    discount: float = 0.99
    trace: float = 0.95
    warmup: int = 4
    evaluate_every: int = 10


class Standardizer:
    """Running mean and variance of observations (Chan, Golub and LeVeque 1983)."""

    def __init__(self) -> None:
        self.mean = np.zeros(OBSERVATION)
        self.variance = np.ones(OBSERVATION)
        self.count = 1e-4

    @property
    def scale(self) -> Float64[np.ndarray, " 95"]:
        """What to multiply a difference from the mean with."""
        return np.asarray(1.0 / np.sqrt(self.variance + 1e-6))

    def update(self, rows: Float64[np.ndarray, "n 95"]) -> None:
        """Take more observations into account."""
        count = self.count + len(rows)
        shift = rows.mean(axis=0) - self.mean
        between = shift**2 * self.count * len(rows) / count
        self.variance = (
            self.variance * self.count + rows.var(axis=0) * len(rows) + between
        ) / count
        self.mean = self.mean + shift * len(rows) / count
        self.count = count

    def __call__(self, rows: Float64[np.ndarray, "n 95"]) -> Float32[np.ndarray, "n 95"]:
        """Standardize observations for the networks."""
        standard = np.clip((rows - self.mean) * self.scale, -10.0, 10.0)
        return np.asarray(standard, dtype=np.float32)


def perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two hidden tanh layers; orthogonal weights, as is usual for PPO."""
    layers = [nn.Linear(inputs, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, outputs)]
    for layer, gain in zip(layers, (math.sqrt(2), math.sqrt(2), 0.01), strict=True):
        nn.init.orthogonal_(layer.weight, gain)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


def linear_layers(module: nn.Sequential) -> Iterator[nn.Linear]:
    """The layers that have weights, in order."""
    return (layer for layer in module if isinstance(layer, nn.Linear))


@dataclass
class Experience:
    """One iteration's episodes; arrays are (steps, episodes, …)."""

    observation: Float32[np.ndarray, "t n 95"]
    raw: Float64[np.ndarray, "t n 95"]
    action: Float32[np.ndarray, "t n 12"]
    likelihood: Float32[np.ndarray, "t n"]
    reward: Float64[np.ndarray, "t n"]
    live: Bool[np.ndarray, "t n"]


class Trainer:
    """A run of PPO: what it has learned, and what it needs to go on."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        torch.manual_seed(settings.seed)
        self.random = np.random.default_rng(settings.seed)
        self.standardizer = Standardizer()
        self.policy = perceptron(OBSERVATION, settings.hidden, ACTION)
        # The value function also sees how much of the episode is left.
        self.value = perceptron(OBSERVATION + 1, settings.hidden, 1)
        self.log_noise = nn.Parameter(torch.full((ACTION,), math.log(settings.noise)))
        groups: list[dict[str, Any]] = [
            {"params": [*self.policy.parameters(), self.log_noise]},
            {"params": list(self.value.parameters())},
        ]
        self.optimizer = torch.optim.Adam(groups, eps=1e-5)
        self.reward_scale = 0.0
        self.iteration = 0
        self.steps = 0
        self.best = -math.inf
        if settings.init:
            self.start_from(Network.load(settings.init))

    @property
    def progress(self) -> float:
        """How much of the training is done, 0 to 1."""
        return min(1.0, self.steps / self.settings.steps)

    def start_from(self, network: Network) -> None:
        """Take over a network of at most this policy's width; more units start without effect."""
        with torch.no_grad():
            pairs = zip(network.weights, network.biases, strict=True)
            for layer, (weight, bias) in zip(linear_layers(self.policy), pairs, strict=True):
                inputs, outputs = weight.shape
                if inputs < layer.in_features:
                    layer.weight[:, inputs:] *= 0.0
                layer.weight[:outputs, :inputs] = torch.from_numpy(weight.T)
                layer.bias[:outputs] = torch.from_numpy(bias)
        self.standardizer.mean = network.mean.copy()
        self.standardizer.variance = 1.0 / network.scale**2
        self.standardizer.count = 1e6  # keeps what the network was trained with for a while

    def network(self) -> Network:
        """The deterministic policy as the oracle runs it, in float64."""
        layers = list(linear_layers(self.policy))
        return Network(
            mean=self.standardizer.mean,
            scale=self.standardizer.scale,
            weights=tuple(
                np.ascontiguousarray(layer.weight.detach().double().numpy().T) for layer in layers
            ),
            biases=tuple(layer.bias.detach().double().numpy() for layer in layers),
        )

    def sample_designs(self) -> Float64[np.ndarray, "n 60"]:
        """Draw designs around the default, some nearer and some farther away."""
        count = self.settings.designs
        spread = self.random.uniform(0.0, self.settings.spread, size=(count, 1))
        noise = self.random.standard_normal((count, len(ant.NAMES)))
        return ant.denormalize(np.clip(ant.normalize(ant.DEFAULT) + spread * noise, -1.0, 1.0))

    def collect(self) -> Experience:
        """Let the policy walk with new designs, with exploration noise."""
        designs, build = self.sample_designs(), ant.Ant()
        episodes = Episodes(ant.CONTROL, [build(design) for design in designs], designs)
        shape = (ant.HORIZON, len(designs))
        data = Experience(
            observation=np.zeros((*shape, OBSERVATION), np.float32),
            raw=np.zeros((*shape, OBSERVATION)),
            action=np.zeros((*shape, ACTION), np.float32),
            likelihood=np.zeros(shape, np.float32),
            reward=np.zeros(shape),
            live=np.zeros(shape, bool),
        )
        deviation = self.log_noise.detach().exp().numpy()
        for step in range(ant.HORIZON):
            live = episodes.live
            raw = ant.observe(episodes.state)
            seen = self.standardizer(raw)
            with torch.no_grad():
                mean = self.policy(torch.from_numpy(seen)).numpy()
            noise = self.random.standard_normal(mean.shape, np.float32)
            action = mean + deviation * noise
            data.observation[step, live] = seen
            data.raw[step, live] = raw
            data.action[step, live] = action
            data.likelihood[step, live] = (-0.5 * noise**2 - np.log(deviation)).sum(axis=1)
            data.live[step, live] = True
            data.reward[step, live], _ = episodes.step(action.astype(np.float64))
        return data

    def advantages(self, data: Experience, seen: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Estimate advantages and value targets, in units of the returns' standard deviation."""
        discount, trace = self.settings.discount, self.settings.trace
        future = np.zeros(data.reward.shape[1])
        discounted = np.zeros_like(data.reward)
        for step in reversed(range(ant.HORIZON)):
            future = data.reward[step] + discount * future
            discounted[step] = future
        scale = float(discounted.std())
        kept = 0.95 if self.reward_scale else 0.0
        self.reward_scale = kept * self.reward_scale + (1.0 - kept) * scale
        reward = data.reward / self.reward_scale
        with torch.no_grad():
            value = self.value(seen)[..., 0].numpy() * data.live
        advantage = np.zeros_like(reward)
        following, gained = np.zeros_like(future), np.zeros_like(future)
        for step in reversed(range(ant.HORIZON)):
            error = reward[step] + discount * following - value[step]
            gained = (error + discount * trace * gained) * data.live[step]
            advantage[step], following = gained, value[step]
        return advantage, advantage + value

    def learn(self, data: Experience) -> dict[str, float]:
        """Improve policy and value function from one iteration's episodes."""
        settings = self.settings
        elapsed = np.broadcast_to(
            (np.arange(ant.HORIZON, dtype=np.float32) / ant.HORIZON)[:, None, None],
            (*data.reward.shape, 1),
        )
        timed = torch.from_numpy(np.concatenate([data.observation, elapsed], axis=2))
        advantage, target = self.advantages(data, timed)
        rows = torch.from_numpy(np.flatnonzero(data.live.ravel()))

        def flat(values: Any) -> Tensor:
            tensor = torch.as_tensor(values, dtype=torch.float32)
            return tensor.reshape(-1, *tensor.shape[2:])[rows]

        seen, inputs, action = flat(data.observation), flat(timed), flat(data.action)
        old, gain, goal = flat(data.likelihood), flat(advantage), flat(target)
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)

        rate = settings.rate + (settings.last_rate - settings.rate) * self.progress
        warming_up = bool(settings.init) and self.iteration < settings.warmup
        policy_group, value_group = self.optimizer.param_groups
        policy_group["lr"] = 0.0 if warming_up else rate
        value_group["lr"] = rate
        ceiling = math.log(settings.noise) + self.progress * math.log(
            settings.last_noise / settings.noise
        )
        kl = 0.0
        for _ in range(settings.epochs):
            order = torch.from_numpy(self.random.permutation(len(rows)))
            divergences = []
            for batch in order.split(settings.minibatch):  # type: ignore[no-untyped-call]
                deviation = self.log_noise.exp()
                error = (action[batch] - self.policy(seen[batch])) / deviation
                change = (-0.5 * error**2 - self.log_noise).sum(dim=1) - old[batch]
                ratio = change.exp()
                clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
                surrogate = torch.min(ratio * gain[batch], clipped * gain[batch]).mean()
                residual = self.value(inputs[batch])[:, 0] - goal[batch]
                loss = 0.5 * (residual**2).mean() - surrogate
                self.optimizer.zero_grad()
                loss.backward()
                for group in self.optimizer.param_groups:
                    nn.utils.clip_grad_norm_(group["params"], 1.0)
                self.optimizer.step()
                with torch.no_grad():
                    self.log_noise.clamp_(max=ceiling)
                    divergences.append(float((ratio - 1.0 - change).mean()))
            kl = float(np.mean(divergences))
            if kl > settings.max_kl:
                break

        self.standardizer.update(data.raw[data.live])
        self.iteration += 1
        self.steps += len(rows)
        with torch.no_grad():
            left = (self.value(inputs)[:, 0] - goal).var() / goal.var()
        return {
            "train_return": float(data.reward.sum(axis=0).mean()),
            "value_explained": 1.0 - float(left),
            "kl": kl,
            "noise": float(self.log_noise.detach().exp().mean()),
            "rate": rate,
        }

    def evaluate(self) -> dict[str, float]:
        """Walk with fixed designs, without exploration, in the simulator of the oracle."""
        designs = evaluation_designs()
        result = ant.returns(designs, self.network())
        return {
            "mean": float(result.mean()),
            "default": float(result[0]),
            "worst": float(result.min()),
            "median": float(np.median(result)),
            "best": float(result.max()),
        }

    def save(self, path: Path) -> None:
        """Write a checkpoint, whole or not at all."""
        standardizer = self.standardizer
        state = {
            "settings": asdict(self.settings),
            "policy": self.policy.state_dict(),
            "value": self.value.state_dict(),
            "log_noise": self.log_noise.detach(),
            "optimizer": self.optimizer.state_dict(),
            "mean": torch.from_numpy(standardizer.mean),
            "variance": torch.from_numpy(standardizer.variance),
            "count": standardizer.count,
            "reward_scale": self.reward_scale,
            "iteration": self.iteration,
            "steps": self.steps,
            "best": self.best,
            "random": json.dumps(self.random.bit_generator.state),
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    def load(self, path: Path) -> None:
        """Go on from a checkpoint of the same settings; only `steps` may differ.

        Raises:
            ValueError: if the checkpoint was written with other settings.
        """
        state = torch.load(path, weights_only=True)
        settings = asdict(self.settings) | {"steps": None}
        written = state["settings"] | {"steps": None}
        if written != settings:
            different = sorted(k for k in settings if settings[k] != written.get(k))
            raise ValueError(
                f"{path} was written with another {', '.join(different)}; "
                "give the same options, or another --out"
            )
        self.policy.load_state_dict(state["policy"])
        self.value.load_state_dict(state["value"])
        with torch.no_grad():
            self.log_noise.copy_(state["log_noise"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.standardizer.mean = state["mean"].numpy()
        self.standardizer.variance = state["variance"].numpy()
        self.standardizer.count = state["count"]
        self.reward_scale = state["reward_scale"]
        self.iteration = state["iteration"]
        self.steps = state["steps"]
        self.best = state["best"]
        self.random.bit_generator.state = json.loads(state["random"])


def evaluation_designs() -> Float64[np.ndarray, "128 60"]:
    """The default, and designs farther and farther away from it; the same in every run."""
    random = np.random.default_rng(EVALUATION_SEED)
    spread = np.append(0.0, np.linspace(0.0, EVALUATION_SPREAD, EVALUATION_DESIGNS - 1))
    noise = random.standard_normal((EVALUATION_DESIGNS, len(ant.NAMES)))
    normalized = ant.normalize(ant.DEFAULT) + spread[:, None] * noise
    return ant.denormalize(np.clip(normalized, -1.0, 1.0))


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add a row to a CSV file, under a header if the file is new."""
    new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow({name: f"{value:.6g}" for name, value in row.items()})


def train(settings: Settings, out: Path) -> None:
    """Train until the steps are done or a signal asks to stop."""
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = out / "checkpoint.pt"
    trainer = Trainer(settings)
    if checkpoint.exists():
        trainer.load(checkpoint)
        log.info("going on from %s, %d steps done", checkpoint, trainer.steps)

    stopping = False

    def stop(signum: int, _: object) -> None:
        nonlocal stopping
        stopping = True
        log.info("%s: finishing this iteration", signal.Signals(signum).name)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    start, done = time.monotonic(), trainer.steps
    while trainer.steps < settings.steps and not stopping:
        measured = trainer.learn(trainer.collect())
        finished = trainer.steps >= settings.steps
        if trainer.iteration % settings.evaluate_every and not finished:
            continue
        result = trainer.evaluate()
        if result["mean"] > trainer.best:
            trainer.best = result["mean"]
            partial = out / "best.partial.npz"
            trainer.network().save(partial)
            partial.replace(out / "best.npz")
        trainer.save(checkpoint)
        row = {"iteration": trainer.iteration, "steps": trainer.steps} | measured | result
        append_row(out / "metrics.csv", row)
        speed = (trainer.steps - done) / (time.monotonic() - start)
        log.info(
            "%.2f M steps: mean %.1f (best mean %.1f), default %.1f, training %.1f; "
            "noise %.3f, KL %.4f; %.0f steps/s, %.1f h left",
            trainer.steps / 1e6,
            result["mean"],
            trainer.best,
            result["default"],
            measured["train_return"],
            measured["noise"],
            measured["kl"],
            speed,
            (settings.steps - trainer.steps) / speed / 3600,
        )
    trainer.save(checkpoint)
    log.info("%s after %d steps", "stopped" if stopping else "done", trainer.steps)


def main() -> None:
    """Read the command line and train."""
    default = Settings()
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  OMP_NUM_THREADS=1 scripts/train_ant_policy.py --seed 0",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/ant"), help="folder for the results (%(default)s)"
    )
    parser.add_argument(
        "--init", default=default.init, metavar="FILE", help="start from this network, a .npz file"
    )
    options: tuple[tuple[str, type, str], ...] = (
        ("seed", int, "seed of weights, designs and exploration"),
        ("steps", int, "control steps to train for; the only option that may change on resuming"),
        ("hidden", int, "units in each hidden layer"),
        ("designs", int, "designs in an iteration"),
        ("spread", float, "largest standard deviation of the designs, normalized units"),
        ("epochs", int, "passes over the data of an iteration, at most"),
        ("minibatch", int, "control steps in a gradient step"),
        ("rate", float, "learning rate at the start"),
        ("last-rate", float, "learning rate at the end"),
        ("max-kl", float, "passes stop once the policy has moved this far, nats"),
        ("clip", float, "how far the likelihood ratio may leave 1 with profit"),
        ("discount", float, "of a reward, per control step"),
        ("noise", float, "standard deviation of exploration at the start"),
        ("last-noise", float, "its ceiling at the end"),
        ("evaluate-every", int, "iterations between evaluations"),
    )
    for name, kind, text in options:
        value = getattr(default, name.replace("-", "_"))
        parser.add_argument(
            f"--{name}", type=kind, default=value, metavar="N", help=f"{text} (%(default)s)"
        )
    arguments = vars(parser.parse_args())
    out = arguments.pop("out")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    try:
        train(Settings(**arguments), out)
    except (ValueError, FileNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
