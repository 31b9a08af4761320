"""What the three robot tasks share: reading the file that `generate_robot_data.py` writes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from mbo_hub.tasks.spec import Generated

if TYPE_CHECKING:
    import polars as pl

__all__ = ["frame_of", "generated"]


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
