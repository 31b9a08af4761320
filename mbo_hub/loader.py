"""`load`: the only place where split, normalization and oracle meet."""

from __future__ import annotations

import os
from functools import partial
from typing import Literal

import numpy as np

from mbo_hub.archive import folders
from mbo_hub.archive.folders import Folder
from mbo_hub.arrays import Float32, Num
from mbo_hub.dataset import parquet
from mbo_hub.dataset.layout import TEST, TRAIN
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidDataset
from mbo_hub.offline import Affine, Normalization, Offline
from mbo_hub.oracles import kinds
from mbo_hub.oracles.kinds import XY, Deposit
from mbo_hub.task import Oracles, Task

__all__ = ["load"]

Labels = Literal["measured", "oracle"]


def load(
    name: str | os.PathLike[str], revision: str | None = None, *, labels: Labels = "measured"
) -> Task:
    """Load a task.

    Looks for an explicit folder, the embedded copy of the version, the copy that `mbo build` made,
    the cache of huggingface_hub, and the Hub, in this order; the network is touched only for the
    last. Every file is checked against its sha256. Nothing that comes with a dataset is executed.

    Args:
        name: a task of the archive ('tfbind8' or 'mbo/tfbind8'), any dataset repository with a
            task.json ('someone/their-task'), or a folder ('./my_dataset', or a Path).
        revision: version wanted, 'v1.0.0' or '1.0.0', or any branch or commit; None takes the
            version that this release of mbo_hub was made with, or the main branch of another's.
        labels: what y is. Where the objective was measured and the oracle learned, "oracle" takes
            the oracle's values of the same designs instead of the measured ones, so that what a
            method learns from is what it is judged by. The range of y that scores refer to, and
            D(best), stay those of the measurements. Where the oracle defines the objective, the two
            are one.

    Raises:
        ValueError: `labels` is neither of the two.
        UnknownTask: no such task, folder or repository.
        UnknownRevision: there is no such version.
        HubUnavailable: it is neither here nor cached, and the Hub cannot be reached.
        NotPermitted: the Hub refuses the token.
        DownloadFailed: a file did not arrive whole, or the cache cannot be written.
        InvalidDataset: the folder breaks its own declaration.
        UnsupportedFormat: it was written for a newer mbo_hub.
        IntegrityError: a file is not the declared one.

    Example:
        >>> task = load("tfbind8")
        >>> task.x.shape, task.y.max().item()
        ((32898, 8), 0.4392961...)
    """
    folder, declaration = folders.find_declared(name, revision)
    declared = declaration.manifest
    label = _label(folder, declared, labels)
    x, y = read_split(folder, declared, TRAIN, label)
    for array in (x, y):
        array.flags.writeable = False

    s = declared.statistics
    scale_y = Affine.of(s.y_mean, s.y_std) if label == "y" else Affine.fit(y)
    offline = Offline(
        name=declared.name,
        space=declared.space,
        x=x,
        y=y,
        normalization=Normalization(Affine.of(s.x_mean, s.x_std), scale_y),
    )
    rows = partial(_rows, folder, declared, x, y if label == "y" else None)
    openers = {
        oracle: partial(kinds.open_oracle, Deposit(folder, declared, entry, rows))
        for oracle, entry in declared.oracles.items()
    }
    return Task(
        manifest=declared,
        offline=offline,
        oracles=Oracles(openers),
        dataset_sha256=declaration.sha256,
        _hidden=partial(read_split, folder, declared, TEST, label),
        _measured=None if label == "y" else rows,
    )


def _rows(
    folder: Folder,
    declared: Manifest,
    x: Num[np.ndarray, "visible d"],
    measured: Float32[np.ndarray, " visible"] | None,
) -> XY:
    """Give all designs and their measured values; of the visible ones, what is at hand."""
    y = read_split(folder, declared, TRAIN)[1] if measured is None else measured
    hidden_x, hidden_y = read_split(folder, declared, TEST)
    return np.concatenate([x, hidden_x]), np.concatenate([y, hidden_y])


def _label(folder: Folder, declared: Manifest, labels: Labels) -> str:
    """Name the column that holds the labels asked for."""
    if labels not in ("measured", "oracle"):
        raise ValueError(f"labels are 'measured' or 'oracle', got {labels!r}")
    if labels == "measured" or any(entry.exact for entry in declared.oracles.values()):
        return "y"
    if declared.y_oracle is None:
        raise InvalidDataset(
            str(folder), ["it was published without its oracle's labels (no column y_oracle)"]
        )
    return "y_oracle"


def read_split(folder: Folder, declared: Manifest, file: str, label: str = "y") -> XY:
    """Read one split of a dataset folder; a split without a file has no rows.

    Raises:
        InvalidDataset: not there, not readable, or not as many rows as declared.
        IntegrityError: not the declared file.
    """
    space = declared.space
    if file not in declared.files:
        return np.empty((0, space.dim), space.dtype), np.empty(0, np.float32)
    entry = declared.files[file]
    same = partial(parquet.has_content, wanted=entry.content_sha256, rows=entry.rows)
    raw = folder.read(file, entry.sha256, same, entry.largest)
    return parquet.read(raw, space, f"{folder}/{file}", label, entry.rows)
