"""`validate`: tell the author of a dataset folder everything that is wrong with it, at once."""

from __future__ import annotations

import io
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mbo_hub import extras
from mbo_hub.archive.folders import Folder
from mbo_hub.arrays import Float32, Int64, Num
from mbo_hub.dataset import figures, manifest, parquet, schema
from mbo_hub.dataset.layout import CARD, DECLARATION, TRAIN, split_of
from mbo_hub.dataset.manifest import ANOTHER_RUNTIME, Manifest, OracleEntry, json_schema
from mbo_hub.errors import InvalidDataset, MboHubError, UnsupportedFormat
from mbo_hub.offline import Affine
from mbo_hub.oracles import Oracle
from mbo_hub.oracles.golden import CheckedOracle
from mbo_hub.oracles.kinds import XY, Deposit, kind_of, open_oracle
from mbo_hub.oracles.protocol import Limits
from mbo_hub.publishing import metadata
from mbo_hub.publishing.new import depends_on_batch, unfinished
from mbo_hub.scoring import trust

if TYPE_CHECKING:
    import polars as pl

__all__ = ["validate"]

LIMITS = Limits()  # what trying a stranger's graph may take, if nothing else is said
# Differences between two numbers that are taken to measure distances again: seconds.
MEASURED = 3e10


def validate(path: str | os.PathLike[str], *, limits: Limits = LIMITS) -> list[str]:
    """Check a dataset folder against its own task.json.

    Checks task.json against its JSON Schema, each data file's sha256, size and rows, every row
    against the pandera schema, the statistics against the data, the rule of visibility, that
    README.md tells `datasets` where the splits are, and that each oracle loads, scores, repeats
    itself, and, where it is exact, gives the stored values; and, where the designs that one was
    trained on are those of the data, that they lie as far apart as it says. A graph runs in a
    process of its own.

    Args:
        path: the folder.
        limits: what such a process may take; it is said when one is reached.

    Returns:
        One sentence for each thing that is wrong; empty when the folder is valid.

    Raises:
        MissingExtra: the extra `publish` is not installed.
    """
    extras.require("publish", "checking a dataset folder")
    folder = Folder(Path(path).expanduser())
    name = str(folder)
    try:
        raw = folder.read(DECLARATION, None)
    except MboHubError:
        what = "has no task.json" if folder.path.is_dir() else "is not a folder"
        return [f"{name} {what}; it is not a dataset folder"]
    try:
        declared = manifest.read(raw, name)
    except UnsupportedFormat as error:
        return error.problems
    except InvalidDataset as error:
        return schema_problems(raw) or error.problems
    found = schema_problems(raw)
    frames, of_data = {}, []
    for file in declared.files:
        frame, problems = _read(folder, declared, file)
        of_data += problems
        if frame is not None:
            frames[file] = frame
    found += of_data + _card(folder, declared)
    if not of_data:  # figures and oracles of broken data would only repeat what is said above
        found += _statistics(declared, frames)
        found += _oracles(folder, declared, frames, limits)
        found += _labels(folder, declared, frames, limits)
        found += _supports(declared, frames)
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
    rules = schema.split_schema(declared, split_of(file))
    return frame, found + schema.problems(frame, rules, file)


def schema_problems(raw: bytes) -> list[str]:
    """List every violation of the JSON Schema in the content of a `task.json`.

    Args:
        raw: content of the file.

    Returns:
        One sentence each, in the order of the file; empty where there is none.
    """
    from jsonschema import Draft202012Validator

    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return [f"{DECLARATION}: {error}"]
    found = Draft202012Validator(json_schema()).iter_errors(document)
    return [
        f"{DECLARATION}: {error.message} - at `{error.json_path}`"
        for error in sorted(found, key=lambda error: [str(part) for part in error.absolute_path])
    ]


def _card(folder: Folder, declared: Manifest) -> list[str]:
    """Check the card's metadata, by which the Hub and `datasets` know the repository."""
    try:
        text = folder.read(CARD, None).decode()
    except MboHubError:
        return ["README.md: not there; `datasets` reads the splits from its metadata"]
    data = (p.relative_to(folder.path) for p in folder.path.rglob("*.parquet") if p.is_file())
    present = [p.as_posix() for p in data if not any(part.startswith(".") for part in p.parts)]
    found = metadata.problems(text, "dataset", list(declared.files), present)
    return found + unfinished(text)


def _arrays(
    frame: pl.DataFrame, declared: Manifest
) -> tuple[Num[np.ndarray, "n d"], Float32[np.ndarray, " n"]]:
    return schema.matrix(frame["x"], declared.space), frame["y"].to_numpy()


def _statistics(declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Measure every figure of task.json again."""
    hidden = [_arrays(frame, declared)[1] for file, frame in frames.items() if file != TRAIN]
    x, y = _arrays(frames[TRAIN], declared)
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


def _open(
    folder: Folder,
    declared: Manifest,
    entry: OracleEntry,
    frames: dict[str, pl.DataFrame],
    limits: Limits,
) -> tuple[Deposit, Oracle]:
    """Open an oracle of the folder; a table looks designs up in all rows."""

    def rows() -> XY:
        x, y = zip(*(_arrays(frame, declared) for frame in frames.values()), strict=True)
        return np.concatenate(x), np.concatenate(y)

    deposit = Deposit(folder, declared, entry, rows)
    return deposit, open_oracle(deposit, limits)


def _oracles(
    folder: Folder, declared: Manifest, frames: dict[str, pl.DataFrame], limits: Limits
) -> list[str]:
    """Open each oracle and try it on visible designs, and on golden ones."""
    x, y = _arrays(frames[TRAIN], declared)
    found = []
    for name, entry in declared.oracles.items():
        try:
            deposit, oracle = _open(folder, declared, entry, frames, limits)
            some = _some(len(x), kind_of(entry).affordable)
            problem = _oracle_problem(oracle, entry, x[some], y[some]) or _golden_problem(
                oracle, deposit
            )
        except MboHubError as error:
            problem = str(error)
        if problem:
            found.append(f"oracle {name}: {problem}")
    return found


def _some(n: int, few: int) -> Int64[np.ndarray, " m"]:
    """Choose at most a few of n rows, evenly."""
    return np.linspace(0, n - 1, min(n, few)).round().astype(np.int64)


def _labels(
    folder: Folder, declared: Manifest, frames: dict[str, pl.DataFrame], limits: Limits
) -> list[str]:
    """Compare the column y_oracle with what its oracle gives."""
    if declared.y_oracle is None:
        return []
    frame = frames[TRAIN]
    x, _ = _arrays(frame, declared)
    some = _some(len(x), 200)
    entry = declared.oracles[declared.y_oracle]
    try:
        _, oracle = _open(folder, declared, entry, frames, limits)
        scored = oracle(x[some])
    except MboHubError:
        return []  # said already
    said = frame["y_oracle"].to_numpy()[some]
    apart = np.abs(scored.astype(np.float64) - said) > entry.allowance(said)
    if not apart.any():
        return []
    row = some[np.flatnonzero(apart)[0]]
    return [f"{TRAIN}: row {row}: y_oracle is not what {declared.y_oracle} gives"]


def _supports(declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Measure again how far apart the designs are that an oracle was trained on.

    Which these are, task.json does not say. They are taken to be all of the data, or the visible
    ones, where their number is that; any others are not known here.
    """
    designs = {file: _arrays(frame, declared)[0] for file, frame in frames.items()}
    every = np.concatenate(list(designs.values()))
    scale = Affine.fit(designs[TRAIN]).std
    found = []
    for name, entry in declared.oracles.items():
        if entry.support is None:
            continue
        for known in (every, designs[TRAIN]):
            distinct = np.unique(known, axis=0)
            n = len(distinct)
            if n != entry.support.designs or n < 2 or n**2 * declared.space.dim > MEASURED:
                continue
            right = np.array(trust.measure(declared.space, distinct, scale).distances)
            said = np.array(entry.support.distances)
            off = np.flatnonzero(~np.isclose(said, right, rtol=1e-6, atol=1e-6))
            if len(off):
                at = off[0]
                place = f"task.json: oracles.{name}.support.distances"
                found.append(
                    f"{place}: percentile {at} is {said[at]:g}, the data give {right[at]:g} "
                    f"({declared.space.metric}, from each design to the nearest other one)"
                )
            break
    return found


def _oracle_problem(
    oracle: Oracle, entry: OracleEntry, x: Num[np.ndarray, "n d"], y: Float32[np.ndarray, " n"]
) -> str | None:
    scored = oracle(x)
    if not np.isfinite(scored).all():
        design = x[np.flatnonzero(~np.isfinite(scored))[0]].tolist()
        return f"gives no finite value for the visible design {_short(design)}"
    if depends_on_batch(oracle, x):
        return "gives a design one value alone and another in a batch"
    apart = np.abs(scored.astype(np.float64) - y)
    if entry.exact and apart.max() > entry.tolerance:
        design = x[apart.argmax()].tolist()
        return (
            f"declared exact, but differs from y by {apart.max():g} for the visible design "
            f"{_short(design)}; its tolerance is {entry.tolerance:g}"
        )
    return None


def _golden_problem(oracle: Oracle, deposit: Deposit) -> str | None:
    """Compare with the golden values, where task.json names some."""
    entry = deposit.entry
    if entry.golden is None or isinstance(oracle, CheckedOracle):
        return None  # the latter compares them itself before it scores
    x, y = deposit.golden()
    off = np.abs(oracle(x).astype(np.float64) - y)
    allowed = entry.tolerance + ANOTHER_RUNTIME * np.abs(y)
    if (off > allowed).any():
        row = int((off - allowed).argmax())
        return f"its value of golden design {row} is {off[row]:g} off that in {entry.golden.file}"
    return None
