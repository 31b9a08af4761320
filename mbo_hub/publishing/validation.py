"""`validate`: tell the author of a dataset folder everything that is wrong with it, at once."""

from __future__ import annotations

import io
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mbo_hub import loader
from mbo_hub.archive import folders
from mbo_hub.archive.folders import Folder
from mbo_hub.arrays import Float32, Num
from mbo_hub.dataset import figures, manifest, parquet, schema
from mbo_hub.dataset.manifest import (
    Manifest,
    MujocoEntry,
    OnnxEntry,
    OracleEntry,
    TableEntry,
    TrainingEntry,
)
from mbo_hub.errors import InvalidDataset, MboHubError, UnsupportedFormat
from mbo_hub.oracles import Oracle
from mbo_hub.publishing import metadata

if TYPE_CHECKING:
    import polars as pl

__all__ = ["validate"]

# Visible designs that an oracle is tried on, if not 200: a rollout takes 0.1 s, a training 3 s.
FEW = {MujocoEntry: 20, TrainingEntry: 2}


def validate(path: str | os.PathLike[str]) -> list[str]:
    """Check a dataset folder against its own task.json.

    Checks task.json against its JSON Schema, each data file's sha256, size and rows, every row
    against the pandera schema, the statistics against the data, the rule of visibility, that
    README.md tells `datasets` where the splits are, and that each oracle loads, scores, repeats
    itself, and, where it is exact, gives the stored values.

    Args:
        path: the folder.

    Returns:
        One sentence for each thing that is wrong; empty when the folder is valid.
    """
    folder = Folder(Path(path).expanduser())
    name = str(folder)
    try:
        raw = folder.read("task.json", None)
    except MboHubError:
        what = "has no task.json" if folder.path.is_dir() else "is not a folder"
        return [f"{name} {what}; it is no dataset folder"]
    try:
        declared = manifest.read(raw, name)
    except UnsupportedFormat as error:
        return error.problems
    except InvalidDataset as error:
        return manifest.schema_problems(raw) or error.problems
    found = manifest.schema_problems(raw)
    frames, of_data = {}, []
    for file in declared.files:
        frame, problems = _read(folder, declared, file)
        of_data += problems
        if frame is not None:
            frames[file] = frame
    found += of_data + _card(folder, declared)
    if not of_data:  # figures and oracles of broken data would only repeat what is said above
        found += _statistics(declared, frames)
        found += _oracles(folder, declared, frames)
        found += _labels(folder, declared, frames)
    return found


def _read(folder: Folder, declared: Manifest, file: str) -> tuple[pl.DataFrame | None, list[str]]:
    """Read one data file and check its bytes and its rows."""
    import polars as pl

    entry = declared.files[file]
    found: list[str] = []
    try:
        raw = folder.read(file, None)
        folder.read(file, entry.sha256, partial(parquet.has_content, wanted=entry.content_sha256))
    except InvalidDataset:
        return None, [f"{file}: named in task.json but not there"]
    except MboHubError:
        found.append(f"{file}: its sha256 is not the one in task.json")
    same = parquet.has_content(raw, entry.content_sha256)
    if len(raw) != entry.bytes and not same:
        found.append(f"{file}: {len(raw):,} bytes, task.json says {entry.bytes:,}")
    try:
        frame = pl.read_parquet(io.BytesIO(raw))
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0]
        return None, [*found, f"{file}: not a readable parquet file: {first}"]
    if len(frame) != entry.rows:
        found.append(f"{file}: {len(frame):,} rows, task.json says {entry.rows:,}")
    split = "train" if file == loader.TRAIN else "test"
    return frame, found + schema.problems(frame, schema.split_schema(declared, split), file)


def _card(folder: Folder, declared: Manifest) -> list[str]:
    """Check the card's metadata, by which the Hub and `datasets` know the repository."""
    try:
        text = folder.read("README.md", None).decode()
    except MboHubError:
        return ["README.md: not there; `datasets` reads the splits from its metadata"]
    return metadata.problems(text, "dataset", list(declared.files))


def _arrays(
    frame: pl.DataFrame, declared: Manifest
) -> tuple[Num[np.ndarray, "n d"], Float32[np.ndarray, " n"]]:
    return schema.matrix(frame["x"], declared.space), frame["y"].to_numpy()


def _statistics(declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Measure every figure of task.json again."""
    hidden = [_arrays(frame, declared)[1] for file, frame in frames.items() if file != loader.TRAIN]
    x, y = _arrays(frames[loader.TRAIN], declared)
    hidden_y = np.concatenate(hidden) if hidden else np.empty(0, np.float32)
    pairs: list[tuple[str, Any, Any]] = [
        ("statistics", declared.statistics, figures.measure(x, y, hidden_y))
    ]
    if declared.split is not None:
        full = np.concatenate([y, hidden_y])
        rule = figures.rule_of(declared.split.percentiles, full, declared.split.sampled)
        pairs.append(("split", declared.split, rule))
    return [
        f"task.json: {part}.{figure} is {_short(said)}, the data give {_short(found)}"
        for part, declared_part, measured in pairs
        for figure in measured.__struct_fields__
        for said, found in [(getattr(declared_part, figure), getattr(measured, figure))]
        if said != found and not np.allclose(said, found, rtol=1e-6, atol=1e-9)
    ]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _oracles(folder: Folder, declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Open each oracle and try it on visible designs, and on the golden ones beside it."""
    x, y = _arrays(frames[loader.TRAIN], declared)
    found = []
    for name, entry in declared.oracles.items():
        try:
            oracle = loader.open_oracle(folder, declared, entry, (x, y))
            many = FEW.get(type(entry), 200)
            some = np.linspace(0, len(x) - 1, min(len(x), many)).round().astype(int)
            problem = _oracle_problem(oracle, entry, x[some], y[some]) or _golden_problem(
                oracle, entry, folder
            )
        except MboHubError as error:
            problem = str(error)
        if problem:
            found.append(f"oracle {name}: {problem}")
    return found


def _labels(folder: Folder, declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Compare the column y_oracle with what its oracle gives."""
    if declared.y_oracle is None:
        return []
    frame, found = frames[loader.TRAIN], []
    x, _ = _arrays(frame, declared)
    some = np.linspace(0, len(x) - 1, min(len(x), 200)).round().astype(int)
    entry = declared.oracles[declared.y_oracle]
    try:
        scored = loader.open_oracle(folder, declared, entry, _arrays(frame, declared))(x[some])
    except MboHubError:
        return []  # said already
    said = frame["y_oracle"].to_numpy()[some]
    apart = np.abs(scored.astype(np.float64) - said) > 1e-6 * np.abs(said) + entry.tolerance
    if apart.any():
        row = some[np.flatnonzero(apart)[0]]
        found.append(f"{loader.TRAIN}: row {row}: y_oracle is not what {declared.y_oracle} gives")
    return found


def _oracle_problem(
    oracle: Oracle, entry: OracleEntry, x: Num[np.ndarray, "n d"], y: Float32[np.ndarray, " n"]
) -> str | None:
    scored = oracle(x)
    if not np.isfinite(scored).all():
        design = x[np.flatnonzero(~np.isfinite(scored))[0]].tolist()
        return f"gives no finite value for the visible design {_short(design)}"
    if not np.array_equal(scored[:5], np.concatenate([oracle(x[i : i + 1]) for i in range(5)])):
        return "gives a design another value alone than in a batch"
    apart = np.abs(scored.astype(np.float64) - y)
    if entry.exact and apart.max() > entry.tolerance:
        design = x[apart.argmax()].tolist()
        return (
            f"declared exact, but differs from y by {apart.max():g} for the visible design "
            f"{_short(design)}; its tolerance is {entry.tolerance:g}"
        )
    return None


def _golden_problem(oracle: Oracle, entry: OracleEntry, folder: Folder) -> str | None:
    """Compare with golden.json beside the file, where the oracle's folder has one."""
    if isinstance(entry, TableEntry | TrainingEntry) or entry.repo is None:
        return None  # the latter compares them itself before it scores
    place = folders.find_oracle(folder, entry.repo, entry.revision)
    path = place.path / "golden.json"
    if not path.is_file():
        return None
    golden = manifest.read_golden(path.read_bytes(), str(place))
    name = entry.file if isinstance(entry, OnnxEntry) else entry.kind
    if name not in golden.y:
        return f"golden.json has no values of {name}"
    apart = np.abs(oracle(golden.x).astype(np.float64) - golden.y[name])
    allowed = 1e-6 * np.abs(golden.y[name]) + entry.tolerance
    if (apart > allowed).any():
        row = int((apart - allowed).argmax())
        return f"gives golden design {row} another value than golden.json, by {apart[row]:g}"
    return None
