"""Pictures and movies of a task's robots: finds the robot and the design, and has them drawn."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from mbo_hub.dataset.manifest import MujocoEntry
from mbo_hub.errors import InvalidFile, OracleUnavailable
from mbo_hub.reading import read_designs
from mbo_hub.task import Task

__all__ = ["write"]


def write(
    task: Task,
    file: str | os.PathLike[str] | None,
    out: Path,
    *,
    row: int = 0,
    column: str | None = None,
) -> None:
    """Draw a design of a robot task.

    Args:
        task: one with a mujoco oracle.
        file: designs, as `read_designs` reads them; None draws the default robot.
        out: .png for a picture, .mp4 or .gif for a movie of its episode.
        row: which design of the file.
        column: of the file.

    Raises:
        OracleUnavailable: the task has no robot, or a package is missing.
        InvalidFile: the file cannot be read or has no such row, or `out` cannot be written.
        InvalidDesign: MuJoCo cannot build the design.
    """
    robots = [e.robot for e in task.manifest.oracles.values() if isinstance(e, MujocoEntry)]
    if not robots:
        raise OracleUnavailable(f"{task.name} has no robot to show")
    module = import_module(f"mbo_hub.oracles.mujoco.{robots[0]}")
    render = import_module("mbo_hub.oracles.mujoco.render")
    if out.suffix.lower() not in render.SUFFIXES:
        raise InvalidFile(f"{out}: a picture ends in .png, a movie in .mp4 or .gif")
    design = module.DEFAULT
    if file is not None:
        designs = read_designs(file, task.manifest, column=column)
        if row >= len(designs):
            raise InvalidFile(f"{file}: there is no row {row}; it holds {len(designs)} designs")
        design = designs[row]
    try:
        render.write(module, design, out)
    except OSError as error:
        raise InvalidFile(f"{out}: cannot be written: {error.strerror}") from None
