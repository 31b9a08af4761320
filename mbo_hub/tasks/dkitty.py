"""D'Kitty Morphology: the legs of the ROBEL D'Kitty robot that a given controller walks with.

Rebuilt on MuJoCo 4 with ROBEL's walking policy, with the original's fault repaired: a thigh's range
comes from `thigh_range`, not from `hip_range`. The objective is a return (no unit);
`oracles/mujoco/dkitty.py` says it in full. The optimum is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.mujoco.dkitty import ROBOT, SPACE
from mbo_hub.oracles.mujoco.oracle import Simulator
from mbo_hub.oracles.onnx import Forest
from mbo_hub.tasks._cited import DESIGN_BENCH, ROBEL
from mbo_hub.tasks._robots import DEFAULT_ROBOT, SIMULATED, best_robot, frame_of, generated
from mbo_hub.tasks.spec import Groups, TaskSpec

if TYPE_CHECKING:
    import polars as pl


def build(raw: bytes) -> pl.DataFrame:
    """Take the generated designs and returns, and the search that each design comes from."""
    return frame_of(raw, ("restart",))


TASK = TaskSpec(
    name="dkitty",
    title="D'Kitty Morphology",
    summary="Find the legs with which a small four-legged robot walks best to a goal.",
    design=(
        "The shape of a D'Kitty robot: 14 numbers for each of its four legs (front right, front "
        "left, back left, back right). Where the leg joins the torso and how it is turned there, "
        "the middle and half the width of the range of its three joints, and the lengths of thigh "
        "and shank. Angles are in radians, lengths in metres. Four of the 56 numbers, the `z` of "
        "each leg, can only be 0."
    ),
    space=SPACE,
    units={"*_[xyz]": "m", "*_[abc]": "rad", "*_center": "rad", "*_range": "rad", "*_size": "m"},
    objective=Objective(
        name="return",
        description=(
            "return of one episode of ten seconds: closeness to a goal two metres ahead, heading "
            "and uprightness at each of 100 steps; a fall ends it and costs about 500"
        ),
    ),
    raw=generated("dkitty", "505af19e01e192537160fbec18ff378ef0a5fdbe19f15c71ac1d1c24bdf583d7"),
    source=Source(
        url="https://github.com/google-research/robel",
        license="Apache-2.0",
        attribution=(
            "Designs and returns were computed by the mbo-hub developers. Robot figures and the "
            "walking policy come from ROBEL 0.1.2 (The ROBEL Authors 2019, Apache-2.0), design "
            "space and rewards follow morphing-agents 1.5.1 (Trabucco, MIT) and Design-Bench "
            "(Trabucco et al., ICML 2022)"
        ),
    ),
    cite=(DESIGN_BENCH, ROBEL),
    build=build,
    extra={"restart": "number of the search that it comes from; -1 is the default design"},
    visible=(0.0, 40.0),
    groups=Groups(lambda frame: frame["restart"].to_numpy(), "by whole searches"),
    oracles={
        "exact": Simulator(
            robot=ROBOT,
            tolerance=0.5,
            description="MuJoCo 4 simulates the design under ROBEL's walking policy.",
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
        "Designs come from restarts of CMA-ES (sigma 0.02) around the default robot plus noise of "
        "0.04, at which 84 % of designs stay upright (at the original's 0.1 it is 30 %); a restart "
        "lasts 1 to 250 iterations of 16, log-uniformly drawn. Proposals outside the bounds were "
        "projected onto them before they were scored. The column `restart` numbers the searches; "
        "−1 is the default design.",
        "The default robot returns 221.96; it lies above the visible percentile, so it is hidden.",
        "The policy does not see the design: it was made for the default robot, and a design is "
        "good when that policy walks it well.",
        "Dead dimensions: `z` of each leg (4 of 56) has equal bounds.",
        "The original read the thigh's range from `hip_range`; here it is `thigh_range`. Values do "
        "not compare with those of Design-Bench.",
        "Chaotic only near a fall: moving each number of 48 stored designs by one float32 step, "
        "six times, changed returns by 0.18 in the median and by up to 538 where a robot barely "
        "falls or not (reliability of one value 0.974).",
        "The exact oracle scored 34 designs a second on two cores (64 stored designs).",
        "The surrogate hardly carries over from some searches to others, as its two figures show: "
        "held out by search it is far worse than held out by row.",
    ),
    risks=(SIMULATED,),
    pictures=(DEFAULT_ROBOT, best_robot("walks under ROBEL's policy")),
    optimum="Not known; searches on the exact oracle found the largest values of the hidden rows.",
    published="2026-11-22",
    tags=("robotics", "mujoco", "morphology"),
)
