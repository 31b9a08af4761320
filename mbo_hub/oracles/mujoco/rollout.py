"""Closed-loop episodes of many designs at once, the same bits for a design in any batch."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np

from mbo_hub.arrays import Bool, Float64, Int64
from mbo_hub.errors import IntegrityError
from mbo_hub.oracles.threads import share_out

log = logging.getLogger(__name__)

CHUNK = 64  # designs that a thread simulates at a time; an Ant model takes 150 kB

# After any of these warnings MuJoCo resets the simulation: its state means nothing any more.
DIVERGED = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC")
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
        start: positions that an episode starts from, given those of the model's file.
    """

    horizon: int
    substeps: int
    reward: Callable[[State, State], np.ndarray]
    ended: Callable[[State], np.ndarray]
    command: Callable[[State, np.ndarray], np.ndarray] = lambda state, action: action
    start: Callable[[State], np.ndarray] = lambda state: state.qpos


class Episodes:
    """Episodes that run side by side and leave the batch as they end.

    Args:
        control: the control task.
        models: one model for each design, or one model for all of them.
        design: the designs, (n, d) float64.
        offsets: what to add to the positions that an episode starts from; nothing without it.

    Attributes:
        live: which rows of `design` still run.
        state: the state of those rows.
        diverged: which rows of `design` the simulator could not follow to their end.
    """

    def __init__(
        self,
        control: Control,
        models: Any,
        design: Float64[np.ndarray, "n d"],
        offsets: Float64[np.ndarray, "n nq"] | None = None,
    ) -> None:
        import mujoco
        from mujoco.batch import Batch

        # Else it writes MUJOCO_LOG.TXT into the working directory. `diverged` says what matters.
        mujoco.set_mju_user_warning(_note)
        several = not isinstance(models, mujoco.MjModel)
        self.control = control
        self.live: Int64[np.ndarray, " n"] = np.arange(len(design))
        self.diverged: Bool[np.ndarray, " n"] = np.zeros(len(design), dtype=bool)
        self._fatal = [int(getattr(mujoco.mjtWarning, name)) for name in DIVERGED]
        self._batch = Batch(models[0] if several else models, len(design), nthread=1)
        if several:
            self._batch.set_models(models)
        self._batch.reset(stage=mujoco.mjtStage.mjSTAGE_NONE)
        self._qpos = self._batch.bind("qpos")
        self._qvel = self._batch.bind("qvel")
        self._ctrl = self._batch.bind("ctrl")
        rest = np.zeros(self._ctrl.shape)
        self._qpos[:] = control.start(self._observe(design, rest))
        if offsets is not None:
            self._qpos[:] += offsets
        self.state = self._observe(design, rest)

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
        diverged = (self._batch.warning[live][:, self._fatal, COUNT] > 0).any(axis=1)
        self.diverged[live] = diverged
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
    offsets: Float64[np.ndarray, "k nq"] | None = None,
    threads: int = 1,
    progress: Callable[[float], object] = lambda designs: None,
) -> Float64[np.ndarray, "n k"]:
    """Sum the rewards of one episode of each design, or of several that start a little apart.

    Deterministic: an episode has no random state and its sum is taken in order of time, so equal
    designs give equal bits whatever the other designs, their number and the number of threads.
    An exception, Ctrl-C among them, stops all threads at their next control step.

    Args:
        control: the control task.
        build: makes the model of a design, or is the one model that all designs share.
        design: the designs, (n, d) float64.
        policy: maps a `State` to actions, each row for itself. NumPy's `@` does not qualify: it
            sums in another order for another number of rows.
        offsets: what to add to the positions that the k episodes of a design start from; without
            it there is one episode, k = 1.
        threads: how many threads share the designs. Simulator and NumPy let go of Python's
            lock, so two threads on two cores take half the time.
        progress: called now and then with how many more designs are done, in fractions of one.

    Returns:
        The return of each episode, (n, k) float64; NaN where MuJoCo could not compile the design's
        model or follow its motion.
    """
    starts = 1 if offsets is None else len(offsets)
    total = np.zeros((len(design), starts))
    share = 1.0 / (starts * control.horizon)  # of a design, in one step of one of its episodes
    talking, building = Lock(), Lock()  # `build` edits one specification
    stopping = Event()

    def run(begin: int) -> None:
        rows = np.arange(begin, min(begin + size, total.size))
        owners, numbers = np.divmod(rows, starts)
        models: Any = build
        if callable(build):
            with building:
                made = {owner: _compile(build, design[owner]) for owner in set(owners.tolist())}
            compiled = np.array([made[owner] is not None for owner in owners.tolist()], dtype=bool)
            total.ravel()[rows[~compiled]] = np.nan
            rows, owners, numbers = rows[compiled], owners[compiled], numbers[compiled]
            models = [made[owner] for owner in owners.tolist()]
        if not len(rows):
            return
        shift = None if offsets is None else offsets[numbers]
        episodes = Episodes(control, models, design[owners], shift)
        earned = np.zeros(len(rows))
        for step in range(control.horizon):
            live = episodes.live
            if not len(live) or stopping.is_set():
                break
            reward, ended = episodes.step(policy(episodes.state))
            earned[live] += reward
            with talking:
                left = np.count_nonzero(ended) * (control.horizon - step - 1)
                progress(share * (len(live) + left))
        total.ravel()[rows] = np.where(episodes.diverged, np.nan, earned)

    size = min(CHUNK, max(1, -(-total.size // threads)))
    share_out(run, range(0, total.size, size), threads=threads, stop=stopping.set)
    return total


def _note(warning: str) -> None:
    """Take a warning of MuJoCo."""
    log.debug("MuJoCo: %s", warning)


def _compile(build: Callable[[np.ndarray], Any], design: Float64[np.ndarray, " d"]) -> Any:
    """Make the model of a design; None if MuJoCo or the robot's rules refuse it."""
    try:
        return build(design)
    except ValueError as error:  # what MjSpec.compile raises
        log.info("A design has no return: %s", error)
        return None


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron in float64: tanh between its layers, none after the last.

    Attributes:
        mean: subtracted from an observation, (i,).
        scale: multiplied with the difference, (i,).
        weights: of each layer, (inputs, outputs).
        biases: of each layer, (outputs,).
        limit: standardized observations are clipped to this.
    """

    mean: Float64[np.ndarray, " i"]
    scale: Float64[np.ndarray, " i"]
    weights: tuple[Float64[np.ndarray, "_ _"], ...]
    biases: tuple[Float64[np.ndarray, " _"], ...]
    limit: float = 10.0

    def __call__(self, observation: Float64[np.ndarray, "n i"]) -> Float64[np.ndarray, "n a"]:
        """Evaluate the network, each row for itself."""
        import mujoco

        standard = (observation - self.mean) * self.scale
        hidden: np.ndarray = np.clip(standard, -self.limit, self.limit)
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if layer:
                hidden = np.tanh(hidden)
            product = np.empty((len(hidden), weight.shape[1]))
            # Not BLAS: this adds up a row in the order of its inputs, in every batch, as einsum
            # does, in two thirds of the time.
            mujoco.mju_mulMatMat(product, hidden, weight)
            hidden = product + bias
        return hidden

    @classmethod
    def load(cls, path: Path | str, checksum: str | None = None) -> Network:
        """Read the network that `save` wrote.

        Args:
            path: a `.npz` file with the arrays mean, scale, W0, b0, W1, b1, … and, if it is not 10,
                limit.
            checksum: sha256 that the file must have; None takes any.

        Raises:
            IntegrityError: the file is another one.
        """
        content = Path(path).read_bytes()
        found = sha256(content).hexdigest()
        if checksum not in (None, found):
            raise IntegrityError(
                f"{Path(path).name}: sha256 expected {checksum}, got {found}; the file of the "
                "installed package was changed: install mbo-hub again"
            )
        with np.load(BytesIO(content), allow_pickle=False) as file:
            # C order, as MuJoCo's product of matrices needs it.
            arrays = {name: np.ascontiguousarray(file[name], np.float64) for name in file.files}
        layers = range(sum(name.startswith("W") for name in arrays))
        return cls(
            mean=arrays["mean"],
            scale=arrays["scale"],
            weights=tuple(arrays[f"W{i}"] for i in layers),
            biases=tuple(arrays[f"b{i}"] for i in layers),
            limit=arrays["limit"].item() if "limit" in arrays else cls.limit,
        )

    def save(self, path: Path | str) -> None:
        """Write the network as a `.npz` file."""
        layers = {f"W{i}": weight for i, weight in enumerate(self.weights)}
        layers |= {f"b{i}": bias for i, bias in enumerate(self.biases)}
        if self.limit != type(self).limit:
            layers["limit"] = np.array(self.limit)
        np.savez(path, allow_pickle=False, mean=self.mean, scale=self.scale, **layers)
