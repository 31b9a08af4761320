"""Raw file → validated frame → parquet files, for maintainers and in a user's own cache."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mbo_hub import extras
from mbo_hub.archive import export, folders
from mbo_hub.archive.folders import Declaration
from mbo_hub.atomic import write_folder
from mbo_hub.dataset import figures, parquet, schema
from mbo_hub.dataset.layout import DECLARATION, TEST, TRAIN
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import IntegrityError, InvalidDataset, InvalidFile, UnknownTask
from mbo_hub.making import sources
from mbo_hub.oracles import Oracle
from mbo_hub.oracles.kinds import XY, Deposit, open_oracle
from mbo_hub.tasks.spec import Download, TaskSpec

if TYPE_CHECKING:
    import polars as pl

__all__ = ["assemble", "build_in_cache", "split"]

log = logging.getLogger(__name__)


def assemble(spec: TaskSpec, raw: bytes, oracle: Oracle | None) -> dict[str, bytes]:
    """Build, validate, split and encode the data of a task.

    Args:
        spec: of the task.
        raw: content of its raw file.
        oracle: gives the column `y_oracle`, where the task has one.

    Returns:
        Content of each parquet file, by its path in the dataset folder.

    Raises:
        InvalidDataset: the frame breaks its schema; all violations.
    """
    import polars as pl

    frame = spec.build(raw)
    _validate(spec, frame, labelled=False)
    if oracle is not None:
        x = schema.matrix(frame["x"], spec.space)
        frame = frame.insert_column(
            frame.columns.index("y") + 1, pl.Series("y_oracle", oracle(x), pl.Float32)
        )
        _validate(spec, frame, labelled=True)
    splits = zip((TRAIN, TEST), split(spec, frame), strict=True)
    return {file: _encode(part) for file, part in splits if len(part)}


def _validate(spec: TaskSpec, frame: pl.DataFrame, *, labelled: bool) -> None:
    wanted = schema.frame_schema(spec.space, spec.columns(labelled=labelled), text=spec.text)
    found = schema.problems(frame, wanted, spec.name)
    if found:
        raise InvalidDataset(spec.name, found)


def split(spec: TaskSpec, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the rows of a task's full data into the visible and the hidden ones."""
    import polars as pl

    y = frame["y"].to_numpy()
    visible = figures.visible_rows(figures.rule_of(spec.visible, y, spec.sampled), y)
    return frame.filter(pl.Series(visible)), frame.filter(pl.Series(~visible))


def _encode(frame: pl.DataFrame) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    parquet.write(frame.to_arrow(), sink)
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def build_in_cache(
    specs: Mapping[str, TaskSpec], name: str, raw_dir: Path | None = None, url: str | None = None
) -> Path:
    """Build the data of a task from their public source into the user's cache.

    The result is the dataset folder as it is on the Hub, and `mbo_hub.load` finds it. Its values
    are compared with those that this release declares before anything is written; nothing is done
    where it is there already, intact.

    Args:
        specs: the registry.
        name: of the task, 'superconductor' or 'mbo/superconductor'.
        raw_dir: a folder that has the raw file, or its archive; then nothing is downloaded.
        url: another address to download the archive from.

    Returns:
        The folder.

    Raises:
        UnknownTask: no such task, or one whose data are part of the package.
        DownloadFailed: the source cannot be reached.
        IntegrityError: the raw file, or what was built from it, is not the declared one.
        InvalidFile: the raw file is not in `raw_dir`.
        OSError: the cache cannot be written.
        MissingExtra: the extra `publish` is not installed.
    """
    if folders.is_folder_name(name):
        raise UnknownTask(
            f"{name}: a folder holds its data; only tasks of the archive whose data the package "
            "does not carry are built"
        )
    name = name.removeprefix(f"{folders.ORG}/")
    if name not in specs:
        raise UnknownTask(folders.unknown(name))
    spec = specs[name]
    if spec.embedded or not isinstance(spec.raw, Download):
        raise UnknownTask(f"the data of {name!r} are part of the package; nothing is to be built")
    card, target = folders.embedded(name), folders.built(name).path
    declaration = card.declaration()
    declared = declaration.manifest
    if _holds(target, declaration):
        return target
    extras.require("publish", "building a dataset")
    if raw_dir is not None and not raw_dir.is_dir():
        what = "is not a folder" if raw_dir.exists() else "does not exist"
        raise InvalidFile(f"{raw_dir}: {what}; --raw-dir names the folder of the raw file")
    place = raw_dir or folders.cache_root() / "raw"
    raw = sources.fetch(spec.raw, place, url=url, download=raw_dir is None)
    files = assemble(spec, raw, _labeller(spec, declared))
    for file, entry in declared.files.items():
        if not parquet.has_content(files.get(file, b""), entry.content_sha256):
            raise IntegrityError(
                f"{name}: {file} has other values than those of v{declared.version}, though the "
                "raw file is the right one; please report this with your versions of polars, "
                "pyarrow and onnxruntime. Nothing was written"
            )
    if _holds(target, declaration):
        return target  # another process was faster
    if target.exists():
        shutil.rmtree(target)  # it is damaged
    folder = {**export.files_of(card.path), **files}
    write_folder(target, folder)
    log.info("Built %s in %s (%.1f MB)", name, target, sum(map(len, folder.values())) / 1e6)
    return target


def _holds(folder: Path, declaration: Declaration) -> bool:
    """Tell whether a folder has this task.json and all values that it declares."""
    said = folder / DECLARATION
    return (
        said.is_file()
        and said.read_bytes() == declaration.raw
        and all(
            (folder / file).is_file()
            and parquet.has_content((folder / file).read_bytes(), entry.content_sha256)
            for file, entry in declaration.manifest.files.items()
        )
    )


def _labeller(spec: TaskSpec, declared: Manifest) -> Oracle | None:
    """Open the embedded oracle that gives the column `y_oracle`."""
    if declared.y_oracle is None:
        return None
    entry = declared.oracles[declared.y_oracle]

    def no_rows() -> XY:
        raise TypeError(f"{spec.name}: an oracle that needs the data cannot label them")

    return open_oracle(Deposit(folders.embedded(spec.name), declared, entry, no_rows))
