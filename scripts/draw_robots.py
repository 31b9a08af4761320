#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Draw the robots of the tasks' cards: one at rest, and the best design of the data as it moves."""

from __future__ import annotations

import argparse

import numpy as np

import mbo_hub
from mbo_hub.making.build import dataset_folder, shown
from mbo_hub.oracles.mujoco import render
from mbo_hub.oracles.mujoco.oracle import Simulator
from mbo_hub.tasks import TASKS

LARGEST = 1_500_000  # bytes of a moving picture
SIZE = (320, 240)
RATES = (15.0, 12.5, 10.0, 8.0)  # frames a second, the first whose picture is small enough


def draw(name: str) -> None:
    """Write robot.png, the default robot at rest, and robot.gif of a task."""
    task, folder = mbo_hub.load(name), dataset_folder(name)
    simulators = (o for o in TASKS[name].oracles.values() if isinstance(o, Simulator))
    robot = next(simulators).robot
    x, y = (np.concatenate(both) for both in zip((task.x, task.y), task.hidden, strict=True))
    best = x[y.argmax()]
    render.write(robot, robot.default, folder / "robot.png")
    moving = folder / "robot.gif"
    for rate in RATES:
        render.write(robot, best, moving, fps=rate, size=SIZE)
        if moving.stat().st_size <= LARGEST:
            break
    for path in (folder / "robot.png", moving):
        print(f"wrote {shown(path)}, {path.stat().st_size:,} bytes")


def main() -> None:
    """Run the command line."""
    names = [name for name, spec in TASKS.items() if "robotics" in spec.tags]
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: scripts/draw_robots.py hopper"
    )
    parser.add_argument("tasks", nargs="*", choices=[[], *names], metavar="TASK", default=[])
    for name in parser.parse_args().tasks or names:
        draw(name)


if __name__ == "__main__":
    main()
