"""`validate`: tell the author of a dataset folder everything that is wrong with it, at once."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mbo_hub import loader, manifest, schema, statistics
from mbo_hub.archive import Folder
from mbo_hub.errors import InvalidDataset, MboHubError, UnsupportedFormat
from mbo_hub.manifest import Manifest
from mbo_hub.typing import Float32, Num

if TYPE_CHECKING:
    import polars as pl

__all__ = ["validate"]


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
    folder = Folder(Path(path), "folder")
    name = str(folder.path)
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
    frames = {}
    for file in declared.files:
        frame, problems = _read(folder, declared, file)
        found += problems
        if frame is not None:
            frames[file] = frame
    found += _card(folder, declared)
    if not found:  # figures and oracles of broken data would only repeat what is said above
        found += _statistics(declared, frames)
        found += _oracles(folder, declared, frames)
    return found


def _read(folder: Folder, declared: Manifest, file: str) -> tuple[pl.DataFrame | None, list[str]]:
    """Read one data file and check its bytes and its rows."""
    import polars as pl

    entry = declared.files[file]
    found: list[str] = []
    try:
        raw = folder.read(file, None)
        folder.read(file, entry.sha256)
    except InvalidDataset:
        return None, [f"{file}: named in task.json but not there"]
    except MboHubError:
        found.append(f"{file}: its sha256 is not the one in task.json")
    if len(raw) != entry.bytes:
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
    """Check that `datasets.load_dataset` will find the splits."""
    import yaml

    try:
        text = folder.read("README.md", None).decode()
    except MboHubError:
        return ["README.md: not there; `datasets` reads the splits from its metadata"]
    parts = text.split("---\n", 2)
    try:
        metadata = yaml.safe_load(parts[1]) if len(parts) == 3 and not parts[0] else None
    except yaml.YAMLError as error:
        return [f"README.md: its metadata are not YAML: {str(error).splitlines()[0]}"]
    configs = metadata.get("configs") if isinstance(metadata, dict) else None
    if not isinstance(configs, list):
        return ["README.md: no `configs` in its metadata; `datasets` reads the splits from them"]
    named = {
        str(data.get("path"))
        for config in configs
        if isinstance(config, dict) and isinstance(config.get("data_files"), list)
        for data in config["data_files"]
        if isinstance(data, dict)
    }
    return [
        f"README.md: `configs` does not name {file}" for file in declared.files if file not in named
    ]


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
        ("statistics", declared.statistics, statistics.measure(x, y, hidden_y))
    ]
    if declared.split is not None:
        rule = statistics.rule_of(declared.split.percentiles, np.concatenate([y, hidden_y]))
        pairs.append(("split", declared.split, rule))
    return [
        f"task.json: {part}.{figure} is {_short(said)}, the data give {_short(found)}"
        for part, declared_part, measured in pairs
        for figure in measured.__struct_fields__
        for said, found in [(getattr(declared_part, figure), getattr(measured, figure))]
        if not np.allclose(said, found, rtol=1e-6, atol=1e-9)
    ]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _oracles(folder: Folder, declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Open each oracle and try it on visible designs."""
    x, y = _arrays(frames[loader.TRAIN], declared)
    some = np.linspace(0, len(x) - 1, min(len(x), 200)).round().astype(int)
    found = []
    for name, entry in declared.oracles.items():
        try:
            oracle = loader.open_oracle(folder, declared, entry, (x, y))
            scored = oracle(x[some])
            single = np.concatenate([oracle(x[i : i + 1]) for i in some[:5]])
        except MboHubError as error:
            found.append(f"oracle {name}: {error}")
            continue
        if not np.isfinite(scored).all():
            bad = int(some[np.flatnonzero(~np.isfinite(scored))[0]])
            found.append(f"oracle {name}: gives no finite value for visible design {bad}")
        elif not np.array_equal(scored[:5], single):
            found.append(f"oracle {name}: gives a design another value alone than in a batch")
        elif entry.exact:
            apart = np.abs(scored.astype(np.float64) - y[some])
            if apart.max() > entry.tolerance:
                row = int(some[apart.argmax()])
                found.append(
                    f"oracle {name}: declared exact, but differs from y by {apart.max():g} at "
                    f"visible design {row}; its tolerance is {entry.tolerance:g}"
                )
    return found
