"""The ranges of y that scores refer to, as the file that many scripts read."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path

import numpy as np

from mbo_hub.archive import folders
from mbo_hub.atomic import write_file
from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.registration import TASKS, spec
from mbo_hub.compat.design_bench.task import import_name

__all__ = ["ranges", "write_ranges"]


def ranges() -> dict[str, tuple[float, float]]:
    """Give the smallest and largest y of the full data of each task, by Design-Bench's name."""
    found = {}
    for name in TASKS:
        declared = folders.find_card(import_name(spec(name).dataset).task).manifest()
        found[name] = (declared.statistics.y_min, declared.statistics.y_max)
    return found


def write_ranges(path: str | os.PathLike[str]) -> Path:
    """Write the ranges as scripts read them: `numpy.load(path, allow_pickle=True).item()[task]`.

    Args:
        path: usually dic2y.npy or npy/dic2y.npy; an existing file is replaced.

    Raises:
        ValueError: the place cannot be written.
    """
    target = Path(path)
    content = BytesIO()
    np.save(content, np.array(ranges(), dtype=object), allow_pickle=True)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, content.getvalue())
    except OSError as error:
        raise DesignBenchError(f"{target}: cannot be written: {error.strerror}") from None
    return target
