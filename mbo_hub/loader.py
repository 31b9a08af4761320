"""`load`: the only place where split, normalization and oracle meet."""

from __future__ import annotations

import os
from functools import partial
from hashlib import sha256
from typing import Literal

import numpy as np

from mbo_hub.archive import folders
from mbo_hub.archive.folders import Folder
from mbo_hub.dataset import manifest, parquet
from mbo_hub.dataset.manifest import (
    Manifest,
    MujocoEntry,
    OnnxEntry,
    OracleEntry,
    TableEntry,
    TrainingEntry,
)
from mbo_hub.errors import InvalidDataset, OracleUnavailable, UnknownRevision
from mbo_hub.offline import Affine, Normalization, Offline
from mbo_hub.oracles import Oracle
from mbo_hub.task import Oracles, Rows, Task

__all__ = ["load"]

TRAIN, TEST = "data/train.parquet", "data/test.parquet"


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
    folder, pinned = folders.find(name, revision)
    raw = folder.read("task.json", pinned)
    declared = manifest.read(raw, str(folder))
    wanted = folders.version_of(revision)
    if wanted is not None and wanted != declared.version:
        raise UnknownRevision(f"{folder} holds version {declared.version}, not {wanted}")
    label = _label(folder, declared, labels)
    x, y = read_split(folder, declared, TRAIN, label)
    for array in (x, y):
        array.flags.writeable = False
    offline = Offline(
        name=declared.name,
        space=declared.space,
        x=x,
        y=y,
        normalization=Normalization.of(declared.statistics)
        if label == "y"
        else Normalization(Normalization.of(declared.statistics).x, Affine.fit(y)),
    )
    openers = {
        oracle: partial(open_oracle, folder, declared, entry, (x, y))
        for oracle, entry in declared.oracles.items()
    }
    return Task(
        manifest=declared,
        offline=offline,
        oracles=Oracles(openers),
        dataset_sha256=sha256(raw).hexdigest(),
        _hidden=partial(read_split, folder, declared, TEST, label),
    )


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


def read_split(folder: Folder, declared: Manifest, file: str, label: str = "y") -> Rows:
    """Read one split of a dataset folder; a split without a file has no rows.

    Raises:
        InvalidDataset: not there, not readable, or not as many rows as declared.
        IntegrityError: not the declared file.
    """
    space = declared.space
    if file not in declared.files:
        return np.empty((0, space.dim), space.dtype), np.empty(0, np.float32)
    entry = declared.files[file]
    raw = folder.read(file, entry.sha256, partial(parquet.has_content, wanted=entry.content_sha256))
    x, y = parquet.read(raw, space, f"{folder}/{file}", label)
    if len(y) != entry.rows:
        raise InvalidDataset(
            str(folder), [f"{file} has {len(y)} rows, task.json says {entry.rows}"]
        )
    return x, y


def open_oracle(folder: Folder, declared: Manifest, entry: OracleEntry, visible: Rows) -> Oracle:
    """Open an oracle that a dataset folder declares.

    Args:
        folder: of the dataset.
        declared: its task.json.
        entry: the oracle's part of it.
        visible: the train split, which is read already.

    Raises:
        InvalidDataset: its file is not here.
        IntegrityError: its file is not the declared one.
        OracleUnavailable: it cannot run here.
    """
    if isinstance(entry, OnnxEntry):
        return _open_onnx(folder, declared, entry)
    if isinstance(entry, MujocoEntry):
        return _open_mujoco(folder, entry)
    if isinstance(entry, TrainingEntry):
        return _open_training(folder, entry)
    return _open_table(folder, declared, entry, visible)


def _open_onnx(folder: Folder, declared: Manifest, entry: OnnxEntry) -> Oracle:
    from mbo_hub.oracles.onnx import OnnxOracle

    place = folders.find_oracle(folder, entry.repo, entry.revision)
    model = place.read(entry.file, entry.sha256)
    return OnnxOracle(declared.space, model, f"{place}/{entry.file}", exact=entry.exact)


def _golden(folder: Folder, entry: MujocoEntry | TrainingEntry) -> Rows:
    """Read the designs and values that an oracle is checked with before it scores."""
    place = folders.find_oracle(folder, entry.repo, entry.revision)
    golden = manifest.read_golden(place.read(entry.file, entry.sha256), f"{place}/{entry.file}")
    if entry.kind not in golden.y:
        raise InvalidDataset(str(place), [f"{entry.file} has no values of {entry.kind}"])
    return np.array(golden.x, np.float32), np.array(golden.y[entry.kind], np.float32)


def _open_mujoco(folder: Folder, entry: MujocoEntry) -> Oracle:
    from mbo_hub.oracles.mujoco.oracle import MujocoOracle

    oracle = MujocoOracle(
        entry.robot,
        *_golden(folder, entry),
        tolerance=entry.tolerance,
        made_with=entry.made_with,
    )
    if oracle.fingerprint.sha256 != entry.simulator_sha256:
        raise OracleUnavailable(
            f"{folder} was made with another simulator of {entry.robot!r} than this mbo_hub has; "
            "install the mbo_hub that it was published with, or use its surrogate"
        )
    return oracle


def _open_training(folder: Folder, entry: TrainingEntry) -> Oracle:
    from mbo_hub.oracles.digits import RECIPE, SPACE, TrainingOracle, require

    require()
    x, y = _golden(folder, entry)
    oracle = TrainingOracle(
        SPACE.validate(x), y, tolerance=entry.tolerance, made_with=entry.made_with
    )
    if entry.recipe_sha256 != RECIPE.sha256:
        raise OracleUnavailable(
            f"{folder} was made with another recipe of training than this mbo_hub has; "
            "install the mbo_hub that it was published with, or use its surrogate"
        )
    return oracle


def _open_table(folder: Folder, declared: Manifest, entry: TableEntry, visible: Rows) -> Oracle:
    from mbo_hub.oracles.table import TableOracle

    hidden = read_split(folder, declared, TEST)
    x, y = (np.concatenate(pair) for pair in zip(visible, hidden, strict=True))
    return TableOracle(declared.space, x, y, exact=entry.exact)
