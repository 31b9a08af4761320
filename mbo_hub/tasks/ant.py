"""Ant Morphology: the legs of a four-legged robot that a given controller walks with.

Rebuilt on MuJoCo 4 with the project's own controller and data, since those of Design-Bench cannot
be had any more. The objective is a return (no unit): distance walked, a bonus for each step, minus
the cost of the motors; `oracles/mujoco/ant.py` says it in full. The optimum is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.mujoco.ant import ROBOT, SPACE
from mbo_hub.oracles.mujoco.oracle import Simulator
from mbo_hub.oracles.onnx import Forest
from mbo_hub.tasks._cited import DESIGN_BENCH
from mbo_hub.tasks._robots import DEFAULT_ROBOT, SIMULATED, best_robot, frame_of, generated
from mbo_hub.tasks.spec import Groups, TaskSpec

if TYPE_CHECKING:
    import polars as pl


def build(raw: bytes) -> pl.DataFrame:
    """Take the generated designs and returns, and the search that each design comes from."""
    return frame_of(raw, ("restart",))


TASK = TaskSpec(
    name="ant",
    title="Ant Morphology",
    summary="Find the legs with which a four-legged robot walks furthest under a given controller.",
    design=(
        "The shape of an ant robot: 15 numbers for each of its four legs. Where the leg joins the "
        "torso and how it is turned there, the middle and half the width of the range of its hip, "
        "thigh and ankle joints, and the lengths of its three capsules. Angles are in degrees, "
        "lengths in metres."
    ),
    space=SPACE,
    units={"*_[xyz]": "m", "*_[abc]": "°", "*_center": "°", "*_range": "°", "*_size": "m"},
    objective=Objective(
        name="return",
        description=(
            "mean return of four episodes of five seconds that differ by 1e-6 rad in the joints at "
            "the start: distance walked / 0.05 s + 100 − control cost; standing still earns 100"
        ),
    ),
    raw=generated("ant", "716f60874d435d6fc34713e6d2116ce75edbb7d7822c5639b59aa5bfc0f308fc"),
    source=Source(
        url="https://github.com/brandontrabucco/morphing-agents",
        license="Apache-2.0",
        attribution=(
            "Designs, controller and returns were computed by the mbo-hub developers. Design "
            "space, rewards and robot follow morphing-agents 1.5.1 (Trabucco, MIT) and "
            "Design-Bench (Trabucco et al., ICML 2022)"
        ),
    ),
    cite=(DESIGN_BENCH,),
    build=build,
    extra={"restart": "number of the search that it comes from; -1 is the default design"},
    visible=(0.0, 40.0),
    groups=Groups(lambda frame: frame["restart"].to_numpy(), "by whole searches"),
    oracles={
        "exact": Simulator(
            robot=ROBOT,
            tolerance=5.0,
            description="MuJoCo 4 simulates the design under the task's controller.",
        ),
        "surrogate": Forest(
            file="model.onnx",
            trees=80,
            leaves=2400,
            max_features=0.3,
            description="A random forest on the raw design, for where MuJoCo cannot run.",
        ),
    },
    known=(
        "Designs come from restarts of CMA-ES (sigma 0.02) around the default ant plus noise of "
        "0.075, in coordinates in which the bounds are −1 and 1; a restart lasts 1 to 250 "
        "iterations of 16, log-uniformly drawn. Proposals outside the bounds were projected onto "
        "them before they were scored. The column `restart` numbers the searches; −1 is the "
        "default design.",
        "Walking is chaotic. Within one MuJoCo and processor a design has one value, bit for bit; "
        "the reliability of that value under changes as small as float32 rounding is 0.975 at "
        "design noise 0.02 (one episode alone: 0.85).",
        "Values do not compare with those of Design-Bench: its controller and simulator are gone.",
        "The controller (95-256-256-12, tanh) was trained by PPO over designs around the "
        "default: 6.4 million steps, from the weights of an earlier policy of the project (3.9 "
        "million). On 256 fresh designs its mean return is 242.9, on the default design 436.5.",
        "The default ant lies above the visible percentile, so it is hidden. No dimension is dead.",
        "The exact oracle scored 22 designs, 88 episodes, a second on two cores.",
        "A design whose robot begins more than a millimetre inside the floor is invalid: the "
        "simulator throws such robots, and of 300 uniformly random designs (34 % begin inside the "
        "floor) the only two that beat D(best) were among them. None of the 25,009 designs of the "
        "data does. The bounds do not say this; `task.evaluate` counts such designs as invalid.",
    ),
    risks=(SIMULATED,),
    pictures=(DEFAULT_ROBOT, best_robot("walks under the task's controller")),
    optimum="Not known; searches on the exact oracle found the largest values of the hidden rows.",
    published="2026-11-22",
    tags=("robotics", "mujoco", "morphology"),
)
