"""Hopper: the weights of a controller; its return is how far and how long a robot hops with them.

A design is the 5126 numbers of a Gaussian policy with two hidden tanh layers, in the order of
`SHAPES`: weights (inputs × outputs, row by row) and biases of the three layers, then the log
standard deviations of the actions, which an episode does not use: it takes the mean action. Designs
have no unit and no bounds.

The return is the distance along x divided by 0.008 s, plus 1 for each step, minus the control cost,
over at most 1000 steps; the episode ends when the hopper falls. A terminal step earns its bonus, as
in gym's Hopper-v2; Gymnasium's Hopper-v5 gives 1 less to a hopper that falls.

Source: Hopper of OpenAI Gym and Gymnasium (MIT), after Erez, Tassa and Todorov 2011; controllers as
designs: Design-Bench's HopperController-Exact-v0. The episode starts from rest in one fixed state,
where Design-Bench drew it at random. Returns are not comparable with those of Design-Bench.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from mbo_hub.arrays import Bool, Float64
from mbo_hub.oracles.mujoco import rollout
from mbo_hub.oracles.mujoco.robot import Robot, constants_of
from mbo_hub.oracles.mujoco.rollout import Control, State
from mbo_hub.spaces import Box

HORIZON = 1000  # control steps; gym Hopper-v2
SUBSTEPS = 4  # simulator steps in a control step; gym Hopper-v2
STEP_S = 0.008  # s, SUBSTEPS × the timestep of hopper.xml
CONTROL_COST = 1e-3  # per unit of squared action; gym Hopper-v2
ALIVE_BONUS = 1.0  # per control step; gym Hopper-v2
LOWEST_TORSO = 0.7  # m, below which the hopper has fallen; gym Hopper-v2
STEEPEST_TORSO = 0.2  # rad from upright, beyond which it has fallen; gym Hopper-v2
WILDEST_STATE = 100.0  # limit of every other position (rad) and velocity; gym Hopper-v2
FASTEST_SEEN = 10.0  # velocities are clipped to this in observations; gym Hopper-v2

# Arrays of a controller, in the order of a design; Design-Bench, hopper_controller.py.
SHAPES = {
    "W0": (11, 64),
    "b0": (64,),
    "W1": (64, 64),
    "b1": (64,),
    "W2": (64, 3),
    "b2": (3,),
    "log_std": (3,),
}
NAMES = tuple(f"{name}_{i}" for name, shape in SHAPES.items() for i in range(prod(shape)))
SPACE = Box(size=len(NAMES))
LOW, HIGH = (bound.astype(np.float64) for bound in SPACE.bounds)
DEFAULT = np.zeros(len(NAMES))  # a controller that does nothing
FILES = ("hopper.xml",)


def build() -> Any:
    """Compile the model, which is the same for every design."""
    import mujoco

    return mujoco.MjModel.from_xml_path(str(Path(__file__).with_name("hopper.xml")))


def unpack(design: Float64[np.ndarray, "n d"]) -> dict[str, Float64[np.ndarray, "n ..."]]:
    """Cut designs into the arrays of their controllers, named as in `SHAPES`."""
    ends = np.cumsum([prod(shape) for shape in SHAPES.values()])
    parts = np.split(design, ends[:-1], axis=1)
    return {
        name: part.reshape(len(design), *shape)
        for (name, shape), part in zip(SHAPES.items(), parts, strict=True)
    }


def position(state: State) -> Float64[np.ndarray, " n"]:
    """Where the torso is along the direction to hop in, m."""
    return state.qpos[:, 0]


def height(state: State) -> Float64[np.ndarray, " n"]:
    """How high the torso is above the floor, m."""
    return state.qpos[:, 1]


def angle(state: State) -> Float64[np.ndarray, " n"]:
    """How far the torso leans from upright, rad."""
    return state.qpos[:, 2]


def observe(state: State) -> Float64[np.ndarray, "n 11"]:
    """What a controller sees: pose without x (5) and clipped velocities (6)."""
    speeds = np.clip(state.qvel, -FASTEST_SEEN, FASTEST_SEEN)
    return np.concatenate([state.qpos[:, 1:], speeds], axis=1)


def act(state: State) -> Float64[np.ndarray, "n a"]:
    """Apply each design's controller to its own observation."""
    arrays = unpack(state.design)
    hidden = observe(state)
    for layer in range(3):
        if layer:
            hidden = np.tanh(hidden)
        # einsum's own loops, not BLAS: they sum a row the same way in every batch.
        product = np.einsum("ni,nio->no", hidden, arrays[f"W{layer}"], optimize=False)
        hidden = product + arrays[f"b{layer}"]
    return hidden


def reward(before: State, after: State) -> Float64[np.ndarray, " n"]:
    """Reward of one control step: speed along x, the alive bonus, minus the control cost."""
    speed = (position(after) - position(before)) / STEP_S
    effort = np.einsum("na,na->n", after.action, after.action, optimize=False)
    return np.asarray(speed + ALIVE_BONUS - CONTROL_COST * effort)


def ended(state: State) -> Bool[np.ndarray, " n"]:
    """Whether the hopper has fallen or gone wild."""
    rest = np.concatenate([state.qpos[:, 2:], state.qvel], axis=1)
    upright = (height(state) > LOWEST_TORSO) & (np.abs(angle(state)) < STEEPEST_TORSO)
    calm = (np.abs(rest) < WILDEST_STATE).all(axis=1)
    return np.asarray(~(upright & calm))


CONTROL = Control(horizon=HORIZON, substeps=SUBSTEPS, reward=reward, ended=ended)


def returns(
    designs: Any,
    *,
    threads: int = 1,
    progress: Callable[[float], object] = lambda designs: None,
) -> Float64[np.ndarray, " n"]:
    """Let each controller hop from rest for at most eight seconds, and return what it earned.

    Args:
        designs: the controllers, (n, 5126); they are rounded to float32.
        threads: how many threads share the designs; the result does not depend on it.
        progress: called now and then with how many more designs are done, in fractions of one.

    Returns:
        The return of each design, (n,) float64; NaN where the simulation diverged.

    Raises:
        InvalidDesign: a design is not in `SPACE`; also a ValueError.
    """
    legal = SPACE.validate(designs).astype(np.float64)
    return rollout.returns(CONTROL, build(), legal, act, threads=threads, progress=progress)[:, 0]


objective = returns


ROBOT = Robot(
    name="hopper",
    space=SPACE,
    default=DEFAULT,
    step_s=STEP_S,
    control=CONTROL,
    builder=lambda: lambda design: build(),
    act=act,
    objective=objective,
    files=FILES,
    constants=constants_of(globals()),
)
