"""D'Kitty: four legs of a walking robot; its return is how well they carry it to its target.

A design is 56 numbers, 14 for each of four legs (`NAMES`): where the leg joins the torso and how it
is turned there, the middle and half the width of the range of its three joints, and the lengths of
its two upper parts. Angles are in radians, lengths in metres. The fixed controller does not see the
design: it was trained by ROBEL's authors for the default one, with other frictions, masses and
floors (`dkitty_policy.npz`). Four of the numbers, `z` of each leg, can only be 0.

The return sums over at most 100 steps of 0.1 s: up to 1 for an upright torso, up to 2 for heading
towards the target, bonuses for both heading there and being near, minus 4 per metre to the target.
A robot whose torso tilts by more than 26° has fallen: that costs 500 and ends the episode.

Source: the morphing D'Kitty of morphing-agents 1.5.1 (Trabucco, MIT), the simulator behind
Design-Bench's DKittyMorphology-Exact-v0, and ROBEL 0.1.2 (Ahn et al. 2019, arXiv:1909.11639,
Apache-2.0), whose walking task, robot and policy it is. Two things differ from there: the range of
a thigh comes from `thigh_range`, not from `hip_range`, and the flat height field under the floor is
gone. Returns are not comparable with those of Design-Bench.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mbo_hub.arrays import Bool, Float64
from mbo_hub.oracles.mujoco import rollout
from mbo_hub.oracles.mujoco.robot import Robot, constants_of
from mbo_hub.oracles.mujoco.rollout import Control, Network, State
from mbo_hub.spaces import Box

LEGS = ("fr", "fl", "bl", "br")  # front right, front left, back left, back right
HORIZON = 100  # control steps; Design-Bench
SUBSTEPS = 40  # simulator steps in a control step; ROBEL, dkitty/base_env.py
STEP_S = 0.1  # s, SUBSTEPS × the timestep of dkitty.xml
FASTEST = np.pi  # rad/s that the motors may be asked for; morphing-agents
TARGET = (0.0, 2.0)  # m, straight ahead; ROBEL, DKittyWalkFixed
UPRIGHT = 0.9  # cosine of the tilt below which the robot has fallen; ROBEL, dkitty/walk.py
FALLING_COST = 500.0  # ROBEL, dkitty/walk.py, as are the next ones
DISTANCE_COST = 4.0  # per metre to the target and control step
HEADING_REWARD = 2.0  # for heading straight to the target; 0 at a cosine of AIMED
AIMED = 0.9  # cosine of the angle to the target from which on the robot heads there
NEAR = 0.5  # m, from which on the robot is near the target
SMALL_BONUS = 5.0  # for heading to the target or being near it
BIG_BONUS = 10.0  # for both

# One leg: name, low, high, default. Bounds and defaults: morphing-agents, elements.py.
_LEG = (
    ("x", -0.09, 0.09, 0.09),  # m, where the leg joins the torso; each leg has its own signs
    ("y", -0.122, 0.122, 0.122),  # m
    ("z", 0.0, 0.0, 0.0),  # m, constant
    ("a", -np.pi, np.pi, 0.0),  # rad, how the leg is turned there, about its own x,
    ("b", -np.pi, np.pi, 3.14),  # rad, then y,
    ("c", -np.pi, np.pi, 0.0),  # rad, then z
    ("hip_center", -np.pi, np.pi, 0.1105),  # rad, the joint's range is center ∓ range
    ("hip_range", np.pi / 35, np.pi / 4, 0.3895),  # rad
    ("thigh_center", -np.pi, np.pi, np.pi / 4),  # rad
    ("thigh_range", np.pi / 35, np.pi / 4, np.pi / 4),  # rad; the default is the upper bound
    ("ankle_center", -np.pi, np.pi, -1.0),  # rad
    ("ankle_range", np.pi / 35, np.pi / 2, 1.0),  # rad
    ("thigh_size", 0.0965, 0.1365, 0.0965),  # m, from hip to thigh
    ("ankle_size", 0.0945, 0.1345, 0.0945),  # m, from thigh to ankle
)
_SIGNS = {  # of the defaults, where they differ between the legs
    "x": (1, -1, -1, 1),
    "y": (1, 1, -1, -1),
    "b": (-1, 1, 1, -1),
    "hip_center": (-1, 1, 1, -1),
}
_CENTERS, _RANGES = [6, 8, 10], [7, 9, 11]  # columns of one leg
_ROOT = 6  # positions of the torso: x, y, z (m) and turns about x, y, z (rad)

NAMES = tuple(f"{leg}_{name}" for leg in LEGS for name, *_ in _LEG)
SPACE = Box(
    size=len(NAMES),
    low=tuple(low for _, low, _, _ in _LEG) * len(LEGS),
    high=tuple(high for _, _, high, _ in _LEG) * len(LEGS),
    names=NAMES,
)
LOW, HIGH = (bound.astype(np.float64) for bound in SPACE.bounds)
DEFAULT = np.array(
    [
        _SIGNS.get(name, (1, 1, 1, 1))[leg] * default
        for leg in range(len(LEGS))
        for name, _, _, default in _LEG
    ],
    dtype=np.float32,
).astype(np.float64)

FILES = ("dkitty.xml", "dkitty_policy.npz")
POLICY_SHA256 = "422e29ad2b5c55e014a320bc200ac0f35e1b8e650c677e9867bc86d03c276e8b"


def normalize(design: Float64[np.ndarray, "... 56"]) -> Float64[np.ndarray, "... 56"]:
    """Map the bounds of a design to −1 and 1; the constant numbers become −1."""
    return np.asarray(2.0 * (design - LOW) / np.where(HIGH > LOW, HIGH - LOW, 1.0) - 1.0)


def denormalize(normalized: Float64[np.ndarray, "... 56"]) -> Float64[np.ndarray, "... 56"]:
    """Map −1 and 1 to the bounds of a design; the inverse of `normalize`, rounded to float32."""
    design = LOW + (normalized + 1.0) / 2.0 * (HIGH - LOW)
    return design.astype(np.float32).astype(np.float64)


class DKitty:
    """Makes models of D'Kitties: one specification, edited and compiled anew for each design."""

    def __init__(self) -> None:
        import mujoco

        self._spec = mujoco.MjSpec.from_file(str(Path(__file__).with_name("dkitty.xml")))

    def __call__(self, design: Float64[np.ndarray, " 56"]) -> Any:
        """Compile the model of one legal design (about 2 ms)."""
        for leg, numbers in zip(LEGS, design.reshape(len(LEGS), len(_LEG)).tolist(), strict=True):
            self._edit(leg, *numbers)
        return self._spec.compile()

    def _edit(
        self,
        leg: str,
        x: float,
        y: float,
        z: float,
        a: float,
        b: float,
        c: float,
        hip_center: float,
        hip_range: float,
        thigh_center: float,
        thigh_range: float,
        ankle_center: float,
        ankle_range: float,
        thigh_size: float,
        ankle_size: float,
    ) -> None:
        spec = self._spec
        spec.body(leg).pos = [x, y, z]
        spec.body(leg).alt.euler = [a, b, c]
        spec.body(f"{leg}_thigh").pos = [0.0, 0.0, thigh_size]
        spec.body(f"{leg}_ankle").pos = [0.0, 0.0, ankle_size]
        for part, center, width in (
            ("hip", hip_center, hip_range),
            ("thigh", thigh_center, thigh_range),
            ("ankle", ankle_center, ankle_range),
        ):
            limits = [center - width, center + width]
            spec.joint(f"{leg}_{part}").range = limits
            spec.actuator(f"{leg}_{part}").ctrlrange = limits


def joints(
    design: Float64[np.ndarray, "n 56"],
) -> tuple[Float64[np.ndarray, "n 12"], Float64[np.ndarray, "n 12"]]:
    """Middle and half the width of the ranges of the joints, rad, in the order of the motors."""
    legs = design.reshape(len(design), len(LEGS), len(_LEG))
    centers = legs[:, :, _CENTERS].reshape(len(design), 12)
    return centers, legs[:, :, _RANGES].reshape(len(design), 12)


def upright(state: State) -> Float64[np.ndarray, " n"]:
    """Cosine of the torso's tilt."""
    return np.asarray(np.cos(state.qpos[:, 3]) * np.cos(state.qpos[:, 4]))


def to_target(state: State) -> Float64[np.ndarray, "n 2"]:
    """The way from the torso to the target along x and y, m."""
    return np.asarray(TARGET - state.qpos[:, :2])


def distance(state: State) -> Float64[np.ndarray, " n"]:
    """How far the target is, m."""
    way = to_target(state)
    return np.hypot(way[:, 0], way[:, 1])


def heading(state: State) -> Float64[np.ndarray, " n"]:
    """Cosine of the angle between where the torso points and where the target is."""
    a, b, c = state.qpos[:, 3:_ROOT].T
    x = -np.sin(c) * np.cos(b)
    y = np.cos(c) * np.cos(a) - np.sin(c) * np.sin(b) * np.sin(a)
    way = to_target(state)
    lengths = np.maximum(np.hypot(x, y) * distance(state), 1e-12)
    return np.asarray((x * way[:, 0] + y * way[:, 1]) / lengths)


def observe(state: State) -> Float64[np.ndarray, "n 52"]:
    """What the controller sees, in ROBEL's order.

    Pose (3 positions, 3 turns, 12 joints), its velocities (18), the last action (12), how upright
    the torso is and how well it heads to the target (2), and the way there (2).
    """
    last = np.clip(state.action, -1.0, 1.0)
    aims = np.stack([upright(state), heading(state)], axis=1)
    return np.concatenate([state.qpos, state.qvel, last, aims, to_target(state)], axis=1)


def start(state: State) -> Float64[np.ndarray, "n 18"]:
    """Positions at the start: the torso at its place, the joints as near to 0 as they get."""
    center, width = joints(state.design)
    qpos = np.zeros_like(state.qpos)
    qpos[:, _ROOT:] = np.clip(0.0, center - width, center + width)
    return qpos


def command(state: State, action: Float64[np.ndarray, "n 12"]) -> Float64[np.ndarray, "n 12"]:
    """Angles to ask of the motors: −1 to 1 is a joint's range, taken as fast as it may be."""
    center, width = joints(state.design)
    now = state.qpos[:, _ROOT:]
    way = center + np.clip(action, -1.0, 1.0) * width - now
    return np.asarray(now + np.clip(way, -FASTEST * STEP_S, FASTEST * STEP_S))


def reward(before: State, after: State) -> Float64[np.ndarray, " n"]:
    """Reward of one control step."""
    up, aim, far = upright(after), heading(after), distance(after)
    aimed, near = aim > AIMED, far < NEAR
    return np.asarray(
        (up - UPRIGHT) / (1.0 - UPRIGHT)
        - FALLING_COST * (up < UPRIGHT)
        - DISTANCE_COST * far
        + HEADING_REWARD * (aim - AIMED) / (1.0 - AIMED)
        + SMALL_BONUS * (near | aimed)
        + BIG_BONUS * (near & aimed)
    )


def ended(state: State) -> Bool[np.ndarray, " n"]:
    """Whether the robot has fallen."""
    return np.asarray(upright(state) < UPRIGHT)


CONTROL = Control(
    horizon=HORIZON, substeps=SUBSTEPS, reward=reward, ended=ended, command=command, start=start
)


@cache
def policy() -> Network:
    """The controller, which ROBEL's authors trained for DKittyWalkRandomDynamics-v0 (Apache-2.0).

    Its file holds, in float64, the float32 weights of
    robel/scripts/data/mjrl/DKittyWalkRandomDynamics-v0-policy.pkl in the wheel robel 0.1.2 (PyPI),
    which neither scales nor clips what it sees.
    """
    return Network.load(Path(__file__).with_name("dkitty_policy.npz"), POLICY_SHA256)


def returns(
    designs: Any,
    *,
    threads: int = 1,
    progress: Callable[[float], object] = lambda designs: None,
) -> Float64[np.ndarray, " n"]:
    """Let each design walk for at most ten seconds, and return what it earned.

    Args:
        designs: the designs in raw units, (n, 56); they are rounded to float32, and never clipped.
        threads: how many threads share the designs; the result does not depend on it.
        progress: called now and then with how many more designs are done, in fractions of one.

    Returns:
        The return of each design, (n,) float64; NaN where the simulation diverged.

    Raises:
        InvalidDesign: a design is not in `SPACE`; also a ValueError.
    """
    legal = SPACE.validate(designs).astype(np.float64)
    network = policy()
    return rollout.returns(
        CONTROL,
        DKitty(),
        legal,
        lambda state: network(observe(state)),
        threads=threads,
        progress=progress,
    )[:, 0]


objective = returns


ROBOT = Robot(
    name="dkitty",
    space=SPACE,
    default=DEFAULT,
    step_s=STEP_S,
    control=CONTROL,
    builder=DKitty,
    act=lambda state: policy()(observe(state)),
    objective=objective,
    network=policy,
    ahead=np.pi / 2,
    check=0.1,
    files=FILES,
    constants=constants_of(globals()),
)
