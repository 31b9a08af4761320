"""Closed-loop episodes of many designs at once, the same bits for a design in any batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch

from mbo_hub.typing import Bool, Float64, Int64

CHUNK = 128  # designs simulated at a time; bounds the memory (an Ant model takes 150 kB)

# After any of these MuJoCo resets the simulation, so its state means nothing any more.
DIVERGED = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
]
COUNT = 1  # column of `Batch.warning` that counts (column 0 says where it last happened)


@dataclass(frozen=True)
class State:
    """What is known about the running episodes between two control steps, a row each.

    Attributes:
        design: the designs, float64.
        qpos: generalized positions, in MuJoCo's order and units (m, rad, quaternions).
        qvel: generalized velocities.
        action: what the policy asked for in the step that led here; zeros at the start.
    """

    design: Float64[np.ndarray, "n d"]
    qpos: Float64[np.ndarray, "n nq"]
    qvel: Float64[np.ndarray, "n nv"]
    action: Float64[np.ndarray, "n a"]


Policy = Callable[[State], np.ndarray]  # actions, a row for each row of the state


@dataclass(frozen=True)
class Control:
    """A control task: how long an episode is, what a step earns and what ends it.

    Attributes:
        horizon: control steps in a full episode.
        substeps: simulator steps in a control step.
        reward: reward of each row's step, from the states before and after it.
        ended: which rows may not go on from this state.
        command: motor commands for an action taken in a state.
    """

    horizon: int
    substeps: int
    reward: Callable[[State, State], np.ndarray]
    ended: Callable[[State], np.ndarray]
    command: Callable[[State, np.ndarray], np.ndarray] = lambda state, action: action


class Episodes:
    """Episodes that run side by side and leave the batch as they end.

    Args:
        control: the control task.
        models: one model for each design, or one model for all of them.
        design: the designs, (n, d) float64.
        threads: simulator threads; the result does not depend on it.
    """

    def __init__(
        self, control: Control, models: Any, design: Float64[np.ndarray, "n d"], *, threads: int = 1
    ) -> None:
        several = not isinstance(models, mujoco.MjModel)
        self.control = control
        self.live: Int64[np.ndarray, " n"] = np.arange(len(design))
        self._batch = Batch(models[0] if several else models, len(design), nthread=threads)
        if several:
            self._batch.set_models(models)
        self._batch.reset(stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._qpos = self._batch.bind("qpos")
        self._qvel = self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")
        self.state = self._observe(design, np.zeros(self._ctrl.shape))

    def step(
        self, action: Float64[np.ndarray, "n a"]
    ) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """Take one control step in every live episode.

        Args:
            action: an action for each row of `state`.

        Returns:
            The reward of each of those rows, and whether its episode ended with this step. Rows
            that ended are gone from `live` and `state` afterwards. A simulation that diverges
            ends without a reward for that step.
        """
        live, before = self.live, self.state
        self._ctrl[live] = self.control.command(before, action)
        self._batch.step(ids=live, nstep=self.control.substeps)
        after = self._observe(before.design, action)
        diverged = (self._batch.warning[live][:, DIVERGED, COUNT] > 0).any(axis=1)
        reward = np.where(diverged, 0.0, self.control.reward(before, after))
        ended = diverged | self.control.ended(after)
        if ended.any():
            self.live = live[~ended]
            self.state = self._observe(before.design[~ended], action[~ended])
        else:
            self.state = after
        return reward, ended

    def _observe(
        self, design: Float64[np.ndarray, "n d"], action: Float64[np.ndarray, "n a"]
    ) -> State:
        return State(design, self._qpos[self.live], self._qvel[self.live], action)


def returns(
    control: Control,
    build: Callable[[np.ndarray], Any] | Any,
    design: Float64[np.ndarray, "n d"],
    policy: Policy,
    *,
    threads: int = 1,
) -> Float64[np.ndarray, " n"]:
    """Sum the rewards of one episode of each design.

    Deterministic: an episode has no random state and its sum is taken in order of time, so equal
    designs give equal bits whatever the other designs, their number and the number of threads.

    Args:
        control: the control task.
        build: makes the model of a design, or is the one model that all designs share.
        design: the designs, (n, d) float64.
        policy: maps a `State` to actions, each row for itself. NumPy's `@` does not qualify: it
            sums in another order for another number of rows.
        threads: simulator threads.

    Returns:
        The return of each design, (n,) float64.
    """
    total = np.zeros(len(design))
    for start in range(0, len(design), CHUNK):
        rows = design[start : start + CHUNK]
        models = [build(row) for row in rows] if callable(build) else build
        episodes = Episodes(control, models, rows, threads=threads)
        for _ in range(control.horizon):
            if not len(episodes.live):
                break
            live = episodes.live
            reward, _ = episodes.step(policy(episodes.state))
            total[start + live] += reward
    return total


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron in float64: tanh between its layers, none after the last.

    Attributes:
        mean: subtracted from an observation, (i,).
        scale: multiplied with the difference, (i,).
        weights: of each layer, (inputs, outputs).
        biases: of each layer, (outputs,).
    """

    mean: Float64[np.ndarray, " i"]
    scale: Float64[np.ndarray, " i"]
    weights: tuple[Float64[np.ndarray, "_ _"], ...]
    biases: tuple[Float64[np.ndarray, " _"], ...]

    def __call__(self, observation: Float64[np.ndarray, "n i"]) -> Float64[np.ndarray, "n a"]:
        """Evaluate the network, each row for itself."""
        hidden: np.ndarray = np.clip((observation - self.mean) * self.scale, -10.0, 10.0)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = np.tanh(hidden)
            # einsum's own loops, not BLAS: they sum a row the same way in every batch.
            hidden = np.einsum("ni,io->no", hidden, weight, optimize=False) + bias
        return hidden

    @classmethod
    def load(cls, path: Path | str) -> Network:
        """Read the network that `save` wrote.

        Args:
            path: a `.npz` file with the arrays mean, scale, W0, b0, W1, b1, …
        """
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name], dtype=np.float64) for name in file.files}
        layers = range(sum(name.startswith("W") for name in arrays))
        return cls(
            mean=arrays["mean"],
            scale=arrays["scale"],
            weights=tuple(arrays[f"W{i}"] for i in layers),
            biases=tuple(arrays[f"b{i}"] for i in layers),
        )

    def save(self, path: Path | str) -> None:
        """Write the network as a `.npz` file."""
        layers = {f"W{i}": weight for i, weight in enumerate(self.weights)}
        layers |= {f"b{i}": bias for i, bias in enumerate(self.biases)}
        np.savez(path, allow_pickle=False, mean=self.mean, scale=self.scale, **layers)
