"""Ant: four legs of a walking robot; its return is how far they carry it in five seconds.

A design is 60 numbers, 15 for each of four legs (`NAMES`): where the leg joins the torso and how it
is turned there, the middle and half the width of the range of its three joints, and the lengths of
its three capsules. Angles are in degrees, lengths in metres. The fixed controller sees the design
and was trained over designs around `DEFAULT` (`scripts/train_ant_policy.py`).

The return is the distance walked along x divided by 0.05 s, plus 1 for each of the 100 steps, minus
the cost of the motors. An ant that stands still earns 100. The objective is the mean return of four
episodes (`STARTS`).

Source: the morphing Ant of morphing-agents 1.5.1 (Trabucco, MIT), the simulator behind
Design-Bench's AntMorphology-Exact-v0, on today's MuJoCo and without its contact cost, which was
zero there. Returns are not comparable with those of Design-Bench.
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

LEGS = 4
HORIZON = 100  # control steps; Design-Bench
SUBSTEPS = 5  # simulator steps in a control step; gym Ant-v2
STEP_S = 0.05  # s, SUBSTEPS × the timestep of ant.xml
CONTROL_COST = 0.5  # per unit of squared action; gym Ant-v2
ALIVE_BONUS = 1.0  # per control step; gym Ant-v2

# One leg: name, low, high, default. Bounds and defaults: morphing-agents, elements.py.
_LEG = (
    ("x", -0.1, 0.1, 0.0),  # m, where the leg joins the torso
    ("y", -0.1, 0.1, 0.0),  # m
    ("z", -0.1, 0.1, 0.0),  # m
    ("a", -180.0, 180.0, 0.0),  # degrees, how the leg is turned there, about its own x,
    ("b", -180.0, 180.0, 0.0),  # degrees, then y,
    ("c", -180.0, 180.0, 0.0),  # degrees, then z; each leg has its own default
    ("hip_center", -180.0, 180.0, 0.0),  # degrees, the joint's range is center ∓ range
    ("hip_range", 5.0, 45.0, 5.0),  # degrees; the default is the lower bound
    ("thigh_center", -180.0, 180.0, 0.0),  # degrees
    ("thigh_range", 5.0, 45.0, 30.0),  # degrees
    ("ankle_center", -180.0, 180.0, 50.0),  # degrees
    ("ankle_range", 5.0, 45.0, 20.0),  # degrees
    ("hip_size", 0.1, 0.4, 0.2),  # m, the capsule ends at (size, size, 0)
    ("thigh_size", 0.1, 0.4, 0.2),  # m
    ("ankle_size", 0.2, 0.8, 0.4),  # m
)
_TURNS = (0.0, 90.0, 180.0, -90.0)  # degrees, the default c of each leg


NAMES = tuple(f"leg{leg}_{name}" for leg in range(LEGS) for name, *_ in _LEG)
SPACE = Box(
    size=len(NAMES),
    low=tuple(low for _, low, _, _ in _LEG) * LEGS,
    high=tuple(high for _, _, high, _ in _LEG) * LEGS,
    names=NAMES,
)
LOW, HIGH = (bound.astype(np.float64) for bound in SPACE.bounds)
DEFAULT = np.array(
    [turn if name == "c" else default for turn in _TURNS for name, _, _, default in _LEG],
    dtype=np.float32,
).astype(np.float64)

FILES = ("ant.xml", "ant_policy.npz")
POLICY_SHA256 = "ec8fc755398cd8582bf41b144374e534e375ea958e490c0b07ee8798ea2fc18b"

# A walking ant amplifies the smallest difference, so the objective is the mean over episodes that
# start with each joint turned a little, this way or that (the order of the motors, a text for each
# episode). TURN is more than what rounding to float32 does to any angle of a design (2e-7 rad), so
# the mean also covers such accidents. Measured by scripts/measure_ant_reliability.py: one episode
# has a reliability of 0.85 at design noise 0.02, four are the fewest that reach 0.95.
STARTS = (
    "+-+--++++--+",
    "+--++-++--++",
    "---+--+++--+",
    "-+--+-----++",
)
TURN = 1e-6  # rad

# The simulator throws a robot that begins inside the floor. Of 300 uniform random designs 34 % do,
# and the only two that beat the best visible design were among them; none of the 25,009 designs of
# the data does. Such a design has no return.
DEEPEST_START = 0.001  # m
_TORSO = 7  # positions of the torso: x, y, z (m) and a quaternion
OFFSETS = np.zeros((len(STARTS), _TORSO + 3 * LEGS))
OFFSETS[:, _TORSO:] = [[TURN if sign == "+" else -TURN for sign in start] for start in STARTS]


def normalize(design: Float64[np.ndarray, "... 60"]) -> Float64[np.ndarray, "... 60"]:
    """Map the bounds of a design to −1 and 1, as the controller sees it."""
    return np.asarray(2.0 * (design - LOW) / (HIGH - LOW) - 1.0)


def denormalize(normalized: Float64[np.ndarray, "... 60"]) -> Float64[np.ndarray, "... 60"]:
    """Map −1 and 1 to the bounds of a design; the inverse of `normalize`, rounded to float32."""
    design = LOW + (normalized + 1.0) / 2.0 * (HIGH - LOW)
    return design.astype(np.float32).astype(np.float64)


class Ant:
    """Makes models of ants: one specification, edited and compiled anew for each design."""

    def __init__(self) -> None:
        import mujoco

        self._spec = mujoco.MjSpec.from_file(str(Path(__file__).with_name("ant.xml")))

    def __call__(self, design: Float64[np.ndarray, " 60"]) -> Any:
        """Compile the model of one legal design (about 1 ms)."""
        for leg, numbers in enumerate(design.reshape(LEGS, len(_LEG)).tolist()):
            self._edit(f"leg{leg}", *numbers)
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
        hip_size: float,
        thigh_size: float,
        ankle_size: float,
    ) -> None:
        spec = self._spec
        spec.body(leg).pos = [x, y, z]
        spec.body(leg).alt.euler = [a, b, c]
        spec.body(f"{leg}_thigh").pos = [hip_size, hip_size, 0.0]
        spec.body(f"{leg}_ankle").pos = [thigh_size, thigh_size, 0.0]
        for part, center, width, size in (
            ("hip", hip_center, hip_range, hip_size),
            ("thigh", thigh_center, thigh_range, thigh_size),
            ("ankle", ankle_center, ankle_range, ankle_size),
        ):
            spec.joint(f"{leg}_{part}").range = [center - width, center + width]
            spec.geom(f"{leg}_{part}").fromto = [0.0, 0.0, 0.0, size, size, 0.0]


class StandingAnt(Ant):
    """Makes models of ants that do not begin inside the floor."""

    _data: Any = None

    def __call__(self, design: Float64[np.ndarray, " 60"]) -> Any:
        """Compile the model of one legal design.

        Raises:
            ValueError: it begins deeper inside the floor than `DEEPEST_START`.
        """
        import mujoco

        model = super().__call__(design)
        if self._data is None:  # all ants have arrays of the same sizes
            self._data = mujoco.MjData(model)
        mujoco.mj_resetData(model, self._data)
        mujoco.mj_fwdPosition(model, self._data)
        depth = -min(self._data.contact.dist, default=0.0)
        if depth > DEEPEST_START:
            raise ValueError(f"the robot begins {depth:.3f} m inside the floor")
        return model


def position(state: State) -> Float64[np.ndarray, " n"]:
    """Where the torso is along the direction to walk in, m."""
    return state.qpos[:, 0]


def effort(state: State) -> Float64[np.ndarray, " n"]:
    """Sum of the squared actions that led to this state; motors saturate at ±1."""
    action = np.clip(state.action, -1.0, 1.0)
    return np.asarray(np.einsum("na,na->n", action, action, optimize=False))


def observe(state: State) -> Float64[np.ndarray, "n 95"]:
    """What the controller sees: pose without x and y (17), velocities (18), the design (60)."""
    return np.concatenate([state.qpos[:, 2:], state.qvel, normalize(state.design)], axis=1)


def reward(before: State, after: State) -> Float64[np.ndarray, " n"]:
    """Reward of one control step: speed along x, the alive bonus, minus the control cost."""
    speed = (position(after) - position(before)) / STEP_S
    return np.asarray(speed + ALIVE_BONUS - CONTROL_COST * effort(after))


def ended(state: State) -> Bool[np.ndarray, " n"]:
    """An ant may fall as it likes: no state ends its episode."""
    return np.zeros(len(state.qpos), dtype=bool)


CONTROL = Control(horizon=HORIZON, substeps=SUBSTEPS, reward=reward, ended=ended)


@cache
def policy() -> Network:
    """The controller, which `scripts/train_ant_policy.py` trained."""
    return Network.load(Path(__file__).with_name("ant_policy.npz"), POLICY_SHA256)


def returns(
    designs: Any,
    policy: Callable[[np.ndarray], np.ndarray],
    *,
    offsets: Float64[np.ndarray, "k 19"] | None = None,
    build: Ant | None = None,
    threads: int = 1,
    progress: Callable[[float], object] = lambda designs: None,
) -> Float64[np.ndarray, " n"]:
    """Let each design walk from rest for five seconds, and return what it earned.

    Args:
        designs: the designs in raw units, (n, 60); they are rounded to float32, and never clipped.
        policy: maps observations (n, 95) to actions (n, 12): the hip, thigh and ankle of each leg.
        offsets: what to add to the positions at the start, a row for each of k episodes whose
            mean is returned; without it one episode starts from the positions of the model.
        build: makes the models; without it any legal design has one.
        threads: how many threads share the designs; the result does not depend on it.
        progress: called now and then with how many more designs are done, in fractions of one.

    Returns:
        The return of each design, (n,) float64; NaN where a simulation diverged.

    Raises:
        InvalidDesign: a design is not in `SPACE`; also a ValueError.
    """
    legal = SPACE.validate(designs).astype(np.float64)
    episodes = rollout.returns(
        CONTROL,
        build or Ant(),
        legal,
        lambda state: policy(observe(state)),
        offsets=offsets,
        threads=threads,
        progress=progress,
    )
    # Column after column: the same sum for a design in any batch.
    return np.asarray(sum(episodes.T) / episodes.shape[1])


def objective(
    designs: Any,
    *,
    threads: int = 1,
    progress: Callable[[float], object] = lambda designs: None,
) -> Float64[np.ndarray, " n"]:
    """Mean return of each design with the task's policy and from its `STARTS`; see `returns`.

    NaN for an ant that begins inside the floor.
    """
    return returns(
        designs,
        policy(),
        offsets=OFFSETS,
        build=StandingAnt(),
        threads=threads,
        progress=progress,
    )


ROBOT = Robot(
    name="ant",
    space=SPACE,
    default=DEFAULT,
    step_s=STEP_S,
    control=CONTROL,
    builder=Ant,
    act=lambda state: policy()(observe(state)),
    objective=objective,
    offsets=OFFSETS,
    network=policy,
    files=FILES,
    constants=constants_of(globals()),
)
