#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Train the controllers that are the designs of the Hopper task: checkpoints of many PPO runs.

Each run is proximal policy optimization (Schulman et al. 2017, arXiv:1707.06347) from its own seed,
and leaves a checkpoint before its first update and after each of the others. The observations are
standardized while training; a checkpoint has that folded into its first layer, so that it is a
design of `mbo_hub.oracles.mujoco.hopper` as it is. Deterministic for a seed on one machine.

It writes a file for each finished run to the folder of `--out`, and skips those that are there.
Stop it with Ctrl-C or SIGTERM; the same command starts the interrupted run anew.

  run_07.npz       checkpoints (100, 5126) float16, steps (100,) taken before each of them,
                   training_return (100,) of the episodes that ended since the previous one
                   (NaN if none did), and settings as JSON
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch
from torch import nn

from mbo_hub.arrays import Bool, Float32, Float64
from mbo_hub.oracles.mujoco import hopper
from mbo_hub.oracles.mujoco.rollout import State

log = logging.getLogger("train_hopper_policies")

OBSERVATION, HIDDEN = hopper.SHAPES["W0"]
ACTION = 3
LOOK_EVERY = 9  # checkpoints between those whose return is computed for the log


@dataclass(frozen=True)
class Settings:
    """What a run depends on besides the code.

    Attributes:
        seed: of the weights, the starts and the exploration.
        checkpoints: policies to keep.
        updates: updates of the policy between two checkpoints.
        robots: hoppers that train side by side.
        steps: control steps of each robot between two updates.
        epochs: passes over those steps.
        minibatch: control steps in a gradient step.
        rate: learning rate at the start, annealed linearly.
        last_rate: learning rate at the end.
        noise: standard deviation of exploration at the start.
        clip: how far the ratio of the new to the old likelihood may leave 1 with profit.
        max_kl: passes stop once the policy has moved this far (KL divergence in nats).
        discount: of a reward, per control step.
        trace: λ of generalized advantage estimation (Schulman et al. 2016, arXiv:1506.02438).
        start: half the width of the uniform noise on the first state, in training only.
    """

    seed: int
    checkpoints: int = 100
    updates: int = 1
    robots: int = 16
    steps: int = 320
    epochs: int = 10
    minibatch: int = 320
    rate: float = 5e-4
    last_rate: float = 1e-4
    noise: float = 0.6
    clip: float = 0.2
    max_kl: float = 0.03
    discount: float = 0.99
    trace: float = 0.95
    start: float = 5e-3

    @property
    def steps_per_checkpoint(self) -> int:
        """Control steps between two checkpoints, of all robots together."""
        return self.updates * self.robots * self.steps


class Standardizer:
    """Running mean and variance of observations (Chan, Golub and LeVeque 1983)."""

    def __init__(self) -> None:
        self.mean = np.zeros(OBSERVATION)
        self.variance = np.ones(OBSERVATION)
        self.count = 0.0

    @property
    def scale(self) -> Float64[np.ndarray, " 11"]:
        """What to multiply a difference from the mean with."""
        return np.asarray(1.0 / np.sqrt(self.variance + 1e-4))

    def update(self, rows: Float64[np.ndarray, "n 11"]) -> None:
        """Take more observations into account."""
        count = self.count + len(rows)
        shift = rows.mean(axis=0) - self.mean
        between = shift**2 * self.count * len(rows) / count
        self.variance = (
            self.variance * self.count + rows.var(axis=0) * len(rows) + between
        ) / count
        self.mean = self.mean + shift * len(rows) / count
        self.count = count

    def __call__(self, rows: Float64[np.ndarray, "n 11"]) -> Float32[np.ndarray, "n 11"]:
        """Standardize observations for the networks."""
        # Not clipped: a clip could not be folded into the first layer.
        return np.asarray((rows - self.mean) * self.scale, dtype=np.float32)


class Robots:
    """Hoppers that start anew as soon as they have fallen or come to the horizon."""

    def __init__(self, settings: Settings, random: np.random.Generator) -> None:
        count = settings.robots
        self.random = random
        self.start = settings.start
        self.age = np.zeros(count, dtype=int)
        self.earned = np.zeros(count)
        self.finished: list[float] = []  # returns of the episodes that ended
        self._design = np.zeros((count, 0))
        self._batch = Batch(hopper.build(), count, nthread=1)
        self._qpos = self._batch.bind("qpos")
        self._qvel = self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")
        self._restart(np.arange(count))

    def observe(self) -> Float64[np.ndarray, "n 11"]:
        """What the controllers see now."""
        return hopper.observe(self._state(self._ctrl))

    def step(
        self, action: Float64[np.ndarray, "n 3"]
    ) -> tuple[
        Float64[np.ndarray, " n"],
        Bool[np.ndarray, " n"],
        Bool[np.ndarray, " n"],
        Float64[np.ndarray, "n 11"],
    ]:
        """Take a control step.

        Returns:
            Rewards; which robots fell; which came to the horizon without falling; and the
            observations of all of them before those two kinds start anew.
        """
        before = self._state(action)
        self._ctrl[:] = action
        self._batch.step(nstep=hopper.SUBSTEPS)
        after = self._state(action)
        reward = hopper.reward(before, after)
        self.age += 1
        self.earned += reward
        fell = hopper.ended(after)
        late = (self.age >= hopper.HORIZON) & ~fell
        last = hopper.observe(after)
        over = np.flatnonzero(fell | late)
        if len(over):
            self.finished.extend(self.earned[over].tolist())
            self._restart(over)
        return reward, fell, late, last

    def _restart(self, rows: np.ndarray) -> None:
        self._batch.reset(ids=rows, stage=mujoco.mjtStage.mjSTAGE_NONE)
        for field in (self._qpos, self._qvel):
            shape = (len(rows), field.shape[1])
            field[rows] += self.random.uniform(-self.start, self.start, size=shape)
        self.age[rows] = 0
        self.earned[rows] = 0.0

    def _state(self, action: np.ndarray) -> State:
        return State(self._design, self._qpos.copy(), self._qvel.copy(), action)


def perceptron(outputs: int, gain: float) -> nn.Sequential:
    """Two hidden tanh layers; orthogonal weights, as is usual for PPO."""
    layers = [nn.Linear(OBSERVATION, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, outputs)]
    for layer, size in zip(layers, (math.sqrt(2), math.sqrt(2), gain), strict=True):
        nn.init.orthogonal_(layer.weight, size)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])


class Arrays:
    """A perceptron's weights as NumPy arrays, which are faster than torch on so few rows."""

    def __init__(self, module: nn.Sequential) -> None:
        linear = [layer for layer in module if isinstance(layer, nn.Linear)]
        self.weights = [layer.weight.detach().numpy().T for layer in linear]
        self.biases = [layer.bias.detach().numpy() for layer in linear]

    def __call__(self, rows: Float32[np.ndarray, "n i"]) -> Float32[np.ndarray, "n o"]:
        """Evaluate the perceptron."""
        (w0, w1, w2), (b0, b1, b2) = self.weights, self.biases
        hidden = np.tanh(np.tanh(rows @ w0 + b0) @ w1 + b1)
        return np.asarray(hidden @ w2 + b2)


class Run:
    """One run of PPO."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        torch.manual_seed(settings.seed)
        self.random = np.random.default_rng(settings.seed)
        self.robots = Robots(settings, self.random)
        self.standardizer = Standardizer()
        self.standardizer.update(self.robots.observe())
        self.policy = perceptron(ACTION, 0.01)
        self.value = perceptron(1, 1.0)
        self.log_noise = nn.Parameter(torch.full((ACTION,), math.log(settings.noise)))
        parameters = [*self.policy.parameters(), *self.value.parameters(), self.log_noise]
        self.optimizer = torch.optim.Adam(parameters, eps=1e-5, fused=True)
        self.reward_scale = 0.0

    def design(self) -> np.ndarray:
        """The policy as a design (5126,), standardization folded in, rounded to float16."""
        arrays = Arrays(self.policy)
        first = arrays.weights[0].astype(np.float64)
        scale, mean = self.standardizer.scale, self.standardizer.mean
        parts = [
            scale[:, None] * first,
            arrays.biases[0] - (mean * scale) @ first,
            arrays.weights[1],
            arrays.biases[1],
            arrays.weights[2],
            arrays.biases[2],
            self.log_noise.detach().numpy(),
        ]
        return np.concatenate([part.ravel() for part in parts]).astype(np.float16)

    def improve(self, progress: float) -> list[float]:
        """Collect steps and learn from them.

        Args:
            progress: how much of the run is done, 0 to 1.

        Returns:
            The returns of the episodes that ended meanwhile.
        """
        settings, robots = self.settings, self.robots
        shape = (settings.steps, settings.robots)
        raw = np.zeros((*shape, OBSERVATION))
        action = np.zeros((*shape, ACTION), np.float32)
        likelihood = np.zeros(shape, np.float32)
        reward, value, bootstrap = np.zeros(shape), np.zeros((shape[0] + 1, shape[1])), None
        goes_on = np.zeros(shape)
        policy, critic = Arrays(self.policy), Arrays(self.value)
        log_noise = self.log_noise.detach().numpy().copy()
        robots.finished.clear()

        observation = robots.observe()
        for step in range(settings.steps):
            seen = self.standardizer(observation)
            noise = self.random.standard_normal((settings.robots, ACTION), np.float32)
            raw[step] = observation
            action[step] = policy(seen) + np.exp(log_noise) * noise
            likelihood[step] = (-0.5 * noise**2 - log_noise).sum(axis=1)
            value[step] = critic(seen)[:, 0]
            earned, fell, late, last = robots.step(action[step].astype(np.float64))
            reward[step] = earned
            goes_on[step] = ~(fell | late)
            if late.any():  # the horizon cuts an episode short: what would have followed counts
                bootstrap = np.zeros(shape) if bootstrap is None else bootstrap
                bootstrap[step, late] = critic(self.standardizer(last[late]))[:, 0]
            observation = robots.observe()
        value[-1] = critic(self.standardizer(observation))[:, 0]

        future, discounted = np.zeros(settings.robots), np.zeros(shape)
        for step in reversed(range(settings.steps)):
            future = reward[step] + settings.discount * future * goes_on[step]
            discounted[step] = future
        kept = 0.9 if self.reward_scale else 0.0
        self.reward_scale = kept * self.reward_scale + (1.0 - kept) * float(discounted.std())
        reward = reward / self.reward_scale
        if bootstrap is not None:
            reward = reward + settings.discount * bootstrap
        advantage, gained = np.zeros(shape), np.zeros(settings.robots)
        for step in reversed(range(settings.steps)):
            following = settings.discount * value[step + 1] * goes_on[step]
            error = reward[step] + following - value[step]
            gained = error + settings.discount * settings.trace * gained * goes_on[step]
            advantage[step] = gained

        rate = settings.rate + (settings.last_rate - settings.rate) * progress
        self._learn(self.standardizer(raw), action, likelihood, advantage, value[:-1], rate)
        self.standardizer.update(raw.reshape(-1, OBSERVATION))
        return robots.finished.copy()

    def _learn(
        self,
        observation: np.ndarray,
        action: np.ndarray,
        likelihood: np.ndarray,
        advantage: np.ndarray,
        value: np.ndarray,
        rate: float,
    ) -> None:
        settings = self.settings

        def flat(values: np.ndarray) -> torch.Tensor:
            tensor = torch.as_tensor(values, dtype=torch.float32)
            return tensor.reshape(-1, *tensor.shape[2:])

        seen, taken, old = flat(observation), flat(action), flat(likelihood)
        gain, goal = flat(advantage), flat(advantage + value)
        gain = (gain - gain.mean()) / (gain.std() + 1e-8)
        self.optimizer.param_groups[0]["lr"] = rate
        for _ in range(settings.epochs):
            order = torch.from_numpy(self.random.permutation(len(seen)))
            divergences = []
            for batch in order.split(settings.minibatch):  # type: ignore[no-untyped-call]
                error = (taken[batch] - self.policy(seen[batch])) / self.log_noise.exp()
                change = (-0.5 * error**2 - self.log_noise).sum(dim=1) - old[batch]
                ratio = change.exp()
                clipped = ratio.clamp(1.0 - settings.clip, 1.0 + settings.clip)
                surrogate = torch.min(ratio * gain[batch], clipped * gain[batch]).mean()
                residual = self.value(seen[batch])[:, 0] - goal[batch]
                loss = 0.5 * (residual**2).mean() - surrogate
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.optimizer.param_groups[0]["params"], 0.5)
                self.optimizer.step()
                divergences.append(float((ratio - 1.0 - change).mean().detach()))
            if np.mean(divergences) > settings.max_kl:
                break


class Interrupted(Exception):
    """A signal asked to stop."""


class Stop:
    """Remembers that SIGTERM or SIGINT asked to stop."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, signum: int, _: object) -> None:
        self.asked = True
        log.info("%s: stopping", signal.Signals(signum).name)


def train(settings: Settings, path: Path, stop: Stop) -> float:
    """Do one run and write its file.

    Returns:
        The best return among the checkpoints that were looked at.

    Raises:
        Interrupted: if a signal asked for it; nothing is written then.
    """
    run = Run(settings)
    designs, training_returns = [run.design()], [math.nan]
    for checkpoint in range(1, settings.checkpoints):
        finished = []
        for _ in range(settings.updates):
            finished += run.improve(checkpoint / settings.checkpoints)
            if stop.asked:
                raise Interrupted
        training_returns.append(float(np.mean(finished)) if finished else math.nan)
        designs.append(run.design())
    checkpoints = np.stack(designs)
    steps = np.arange(settings.checkpoints) * settings.steps_per_checkpoint
    partial = path.with_suffix(".partial.npz")
    np.savez(
        partial,
        checkpoints=checkpoints,
        steps=steps,
        training_return=np.array(training_returns),
        settings=json.dumps(asdict(settings)),
    )
    partial.replace(path)
    returns = hopper.returns(checkpoints[::LOOK_EVERY])
    log.info("%s: returns %s", path.name, " ".join(f"{value:.0f}" for value in returns))
    return float(returns.max())


def is_finished(path: Path, settings: Settings) -> bool:
    """Whether a run is there already.

    Raises:
        ValueError: if it was made with other settings.
    """
    if not path.exists():
        return False
    with np.load(path, allow_pickle=False) as file:
        written = json.loads(str(file["settings"]))
    if written != asdict(settings):
        raise ValueError(f"{path} has other settings; give the same options, or another --out")
    return True


def main() -> None:
    """Read the command line and train."""
    default = Settings(seed=0)
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  OMP_NUM_THREADS=1 scripts/train_hopper_policies.py --runs 32",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("build/hopper"), help="folder for the runs (%(default)s)"
    )
    options: tuple[tuple[str, type, object, str], ...] = (
        ("seed", int, 0, "seed of the first run; the others follow"),
        ("runs", int, 32, "runs"),
        ("checkpoints", int, default.checkpoints, "checkpoints of a run"),
        ("updates", int, default.updates, "updates between two checkpoints"),
        ("steps", int, default.steps, "control steps of each robot between two updates"),
        ("robots", int, default.robots, "robots that train side by side"),
        ("epochs", int, default.epochs, "passes over the steps of an update"),
        ("minibatch", int, default.minibatch, "control steps in a gradient step"),
        ("rate", float, default.rate, "learning rate at the start"),
        ("max-kl", float, default.max_kl, "passes stop once the policy moved this far, nats"),
        ("discount", float, default.discount, "of a reward, per control step"),
        ("trace", float, default.trace, "λ of generalized advantage estimation"),
        ("noise", float, default.noise, "standard deviation of exploration at the start"),
    )
    for name, kind, value, text in options:
        parser.add_argument(
            f"--{name}", type=kind, default=value, metavar="N", help=f"{text} (%(default)s)"
        )
    arguments = vars(parser.parse_args())
    out, first, runs = (arguments.pop(name) for name in ("out", "seed", "runs"))
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)

    stop, best, done, start = Stop(), -math.inf, 0, time.monotonic()
    for number, seed in enumerate(range(first, first + runs), 1):
        settings, path = Settings(seed=seed, **arguments), out / f"run_{seed:02d}.npz"
        try:
            if is_finished(path, settings):
                continue
            best = max(best, train(settings, path, stop))
        except Interrupted:
            log.info("stopped; run %d starts anew next time", seed)
            return
        except ValueError as error:
            parser.exit(1, f"{parser.prog}: {error}\n")
        done += 1
        each = (time.monotonic() - start) / done
        speed = settings.steps_per_checkpoint * (settings.checkpoints - 1) / each
        log.info(
            "run %d of %d; best return so far %.0f; %.0f steps/s, about %.1f h left",
            number,
            runs,
            best,
            speed,
            (runs - number) * each / 3600,
        )
    log.info("done")


if __name__ == "__main__":
    main()
