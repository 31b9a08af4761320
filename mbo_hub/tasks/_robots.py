"""What the three robot tasks share: reading the file that `generate_robot_data.py` writes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from mbo_hub.tasks.spec import Generated, Picture

if TYPE_CHECKING:
    import polars as pl

__all__ = ["DEFAULT_ROBOT", "SIMULATED", "best_robot", "frame_of", "generated"]

SIMULATED = (
    "The robot is simulated, without noise, wear or a view of its surroundings: what walks here "
    "was not tried on a robot, and may damage one."
)
DEFAULT_ROBOT = Picture("robot.png", "The default robot")


def best_robot(does: str) -> Picture:
    """The moving picture of the best row of a task's data (`scripts/draw_robots.py`)."""
    return Picture("robot.gif", f"How the best design of the data {does}",
                   f"The best design of the data, hidden rows included, as it {does}.")  # fmt: skip


def generated(robot: str, sha256: str) -> Generated:
    """Name the file that holds a robot's designs and values."""
    return Generated(
        script=f"python scripts/generate_robot_data.py {robot}",
        file=f"{robot}/data.npz",
        sha256=sha256,
    )


def frame_of(raw: bytes, columns: tuple[str, ...]) -> pl.DataFrame:
    """Read designs, values and the columns that say where they come from.

    Args:
        raw: content of the .npz file.
        columns: further columns, small whole numbers.
    """
    import polars as pl

    with np.load(io.BytesIO(raw), allow_pickle=False) as file:
        x = file["x"].astype(np.float32)
        return pl.DataFrame(
            {
                "x": pl.Series(x, dtype=pl.Array(pl.Float32, x.shape[1])),
                "y": file["y"],
                **{name: file[name].astype(np.int32) for name in columns},
            }
        )
