"""Hopper Controller: the weights of a neural network that makes a one-legged robot hop.

Rebuilt on MuJoCo 4: 32 PPO runs with 100 checkpoints each. The objective is a return (no unit);
`oracles/mujoco/hopper.py` says it in full. The optimum is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.mujoco.hopper import ROBOT, SPACE
from mbo_hub.oracles.mujoco.oracle import Simulator
from mbo_hub.oracles.onnx import Forest
from mbo_hub.tasks._cited import DESIGN_BENCH
from mbo_hub.tasks._robots import SIMULATED, best_robot, frame_of, generated
from mbo_hub.tasks.spec import Groups, Part, Picture, TaskSpec

if TYPE_CHECKING:
    import polars as pl


def build(raw: bytes) -> pl.DataFrame:
    """Take the checkpoints and their returns, and which run and step each one comes from."""
    return frame_of(raw, ("run", "steps"))


TASK = TaskSpec(
    name="hopper",
    title="Hopper Controller",
    summary="Find the weights of a small neural network with which a one-legged robot hops best.",
    design=(
        "The 5,126 numbers of a Gaussian policy with two hidden layers of 64 tanh units, in the "
        "order W0 (11 × 64), b0, W1 (64 × 64), b1, W2 (64 × 3), b2, log_std (3); matrices are "
        "inputs × outputs, row by row. An episode takes the mean action, so the three log_std "
        "do nothing. Numbers are unbounded; the stored ones are float16 values."
    ),
    space=SPACE,
    parts=(
        Part("W0, 11 inputs × 64", 11 * 64),
        Part("b0", 64),
        Part("W1, 64 × 64", 64 * 64),
        Part("b1", 64),
        Part("W2, 64 × 3 motors", 64 * 3),
        Part("b2", 3),
        Part("log_std", 3),
    ),
    objective=Objective(
        name="return",
        description=(
            "Return of one episode of at most eight seconds from rest: distance / 0.008 s + 1 for "
            "each step − control cost; it ends when the hopper falls"
        ),
    ),
    raw=generated("hopper", "dbf16354236309c2dfafc4e980347e89194ec2195e80d82bf84773ac2ac10281"),
    source=Source(
        url="https://github.com/Farama-Foundation/Gymnasium",
        license="Apache-2.0",
        attribution=(
            "Controllers and returns were computed by the mbo-hub developers. The robot follows "
            "Gymnasium's Hopper (MIT), the task Design-Bench (Trabucco et al., ICML 2022)"
        ),
    ),
    cite=(DESIGN_BENCH,),
    build=build,
    extra={"run": "number of the PPO run, its seed", "steps": "environment steps trained so far"},
    visible=(0.0, 100.0),
    groups=Groups(lambda frame: frame["run"].to_numpy(), "by whole PPO runs"),
    oracles={
        "exact": Simulator(
            robot=ROBOT,
            tolerance=1.0,
            description="MuJoCo 4 simulates the controller from one fixed state.",
        ),
        "surrogate": Forest(
            file="model.onnx",
            trees=40,
            leaves=4800,
            max_features=0.1,
            description="A random forest on the raw weights, for where MuJoCo cannot run.",
        ),
    },
    known=(
        "32 PPO runs (seeds 0 to 31), 100 checkpoints each over 0.5 million steps; the columns "
        "`run` and `steps` say which. Observation normalization is folded into the first layer and "
        "weights are rounded to float16 before they are scored, so each row is exact.",
        "All rows are visible, as in the original: D(best) has score 1, and only scores above 1 "
        "are progress.",
        "A fifth of the rows lies on a plateau between 425 and 450. Two networks with "
        "permuted hidden units are the same controller, so distances between designs say little.",
        "Dead dimensions: the three log_std. A controller of zeros returns 133.96.",
        "Hardly chaotic: moving each weight of 48 stored controllers by one float32 step, six "
        "times, changed returns by 4 at most and in the median by 3e-5 (reliability 1.000).",
        "The exact oracle scored 142 designs a second on two cores (64 stored controllers).",
        "Checkpoints of one run resemble each other: a surrogate held out by row looks far better "
        "than one held out by run.",
        "Values do not compare with those of Design-Bench: its controllers cannot be had any more.",
    ),
    risks=(SIMULATED,),
    pictures=(Picture("robot.png", "The hopper"), best_robot("hops")),
    optimum="Not known; nothing says that the best row is the best possible.",
    published="2026-11-22",
    tags=("robotics", "mujoco", "control"),
)
