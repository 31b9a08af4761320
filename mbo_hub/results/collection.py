"""The dataset of results: a folder with a parquet file for each task and method, a row a run.

    data/<task>/<method>.parquet

Its columns tell of a run what people ask for; `record` is the whole record as JSON, which the other
columns follow from, and `designs` are the designs themselves, so that anybody can score them again.
Who joins adds a file and changes none.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mbo_hub.archive import folders
from mbo_hub.atomic import write_file
from mbo_hub.dataset import files, parquet
from mbo_hub.errors import InvalidDataset, InvalidFile, MboHubError, quoted
from mbo_hub.results.record import LARGEST, RECORD, Record, Run, Submitted, read_run

__all__ = [
    "COLUMNS",
    "DATA",
    "KNOWN",
    "decode",
    "encode",
    "file_of",
    "read_runs",
    "row",
    "runs_of",
    "table_of",
    "write_collection",
]

DATA = "data"
SHOWN = 5  # damaged runs that an error names
MOST_ROWS = 4096  # runs of a method on a task
_FIGURES = ("best", "median", "mean")
# Columns of a run beside its designs, with their Arrow types; all follow from the record.
COLUMNS: Mapping[str, pa.DataType] = {
    "task": pa.string(),
    "task_version": pa.string(),
    "method": pa.string(),
    "title": pa.string(),
    "method_version": pa.string(),
    "code": pa.string(),
    "preset": pa.string(),
    "seed": pa.int64(),
    "budget": pa.int64(),
    "status": pa.string(),
    "failure": pa.string(),
    "tuned_on_oracle": pa.bool_(),
    **{name: pa.float64() for name in _FIGURES},
    **{f"{name}_raw": pa.float64() for name in _FIGURES},
    "best_visible": pa.float64(),
    "invalid": pa.float64(),
    "duplicate": pa.float64(),
    "visible": pa.float64(),
    "novelty": pa.float64(),
    "diversity": pa.float64(),
    "projected": pa.int64(),
    "cpu_seconds": pa.float64(),
    "wall_seconds": pa.float64(),
    "scoring_seconds": pa.float64(),
    "peak_mb": pa.int64(),
    "designs_sha256": pa.string(),
    "y": pa.list_(pa.float64()),
    "record": pa.string(),
}
_DESIGNS = {"designs": 2, "predicted": 1}  # further columns, and how deep their lists are
KNOWN = (*COLUMNS, *_DESIGNS)


def row(record: Record) -> dict[str, Any]:
    """The columns that follow from a record, by name; None where there is nothing to say."""
    report = record.report
    of_report: dict[str, Any] = {}
    if report is not None:
        of_report = {name: getattr(report.normalized, name) for name in _FIGURES}
        of_report |= {f"{name}_raw": getattr(report.raw, name) for name in _FIGURES}
        of_report |= {"best_visible": report.best_visible_normalized, "y": list(report.y)}
        same = ("invalid", "duplicate", "visible", "novelty", "diversity")
        of_report |= {name: getattr(report, name) for name in same}
    own = {name: getattr(record, name, None) for name in COLUMNS}
    return own | of_report | {"record": record.encode().decode()}


def encode(runs: Iterable[Run]) -> bytes:
    """Write runs of one method on one task as a parquet file.

    Args:
        runs: in the order of the rows.
    """
    listed = list(runs)
    rows = [row(run.record) for run in listed]
    columns = {
        name: pa.array([r[name] for r in rows], pa.list_(_element(pa.float64())))
        if name == "y"
        else pa.array([r[name] for r in rows], kind)
        for name, kind in COLUMNS.items()
    }
    submitted = [(run.designs, run.predicted) for run in listed]
    kind = pa.from_numpy_dtype(_dtype(listed))
    columns["designs"] = _lists([designs for designs, _ in submitted], pa.list_(_element(kind)))
    columns["predicted"] = _lists([predicted for _, predicted in submitted], pa.float32())
    sink = pa.BufferOutputStream()
    table = pa.table(columns)
    numbers = {
        "designs": "designs.list.element.list.element",
        "predicted": "predicted.list.element",
    }
    floating = [
        leaf
        for name, leaf in numbers.items()
        if "float" in str(_leaf(table.schema.field(name).type))
    ]
    texts = [name for name, kind in COLUMNS.items() if pa.types.is_string(kind)]
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=9,
        data_page_version="2.0",  # values by themselves: git finds those that stay
        row_group_size=max(1, len(listed)),
        use_dictionary=texts,
        use_byte_stream_split=floating,
    )
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def _leaf(kind: pa.DataType) -> pa.DataType:
    return _leaf(kind.value_type) if pa.types.is_list(kind) else kind


def _element(kind: pa.DataType) -> pa.Field:
    """The child of a list, by the one name that every reader knows."""
    return pa.field("element", kind)


def _dtype(runs: list[Run]) -> np.dtype[Any]:
    """What designs of a task are made of, even where these runs have none."""
    for run in runs:
        if run.designs is not None:
            return run.designs.dtype
    try:
        return np.dtype(folders.find_declared(runs[0].record.task, None)[1].manifest.space.dtype)
    except MboHubError:  # not a task of the archive
        return np.dtype(np.float32)


def _lists(arrays: list[np.ndarray | None], kind: pa.DataType) -> pa.Array:
    """A column with an array a row, (n,) or (n, d), or nothing.

    Args:
        arrays: one a row.
        kind: of an item of the lists.
    """
    there = [a for a in arrays if a is not None]
    if not there:
        return pa.array([None] * len(arrays), pa.list_(_element(kind)))
    inner: pa.Array = pa.array(np.concatenate([a.reshape(-1) for a in there]))
    if there[0].ndim == 2:
        offsets = np.arange(0, len(inner) + 1, there[0].shape[1], dtype=np.int32)
        inner = pa.ListArray.from_arrays(offsets, inner, type=kind)
    lengths = [0 if a is None else len(a) for a in arrays]
    return pa.ListArray.from_arrays(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        inner,
        type=pa.list_(_element(kind)),
        mask=pa.array([a is None for a in arrays]),
    )


def decode(raw: bytes, where: str) -> list[Run]:
    """Read runs that anybody may have written.

    Args:
        raw: content of a file of a collection.
        where: what to call it in messages.

    Raises:
        InvalidFile: not parquet, a known column is missing or of another type, too many rows, far
            too large, or a record that is not one; names the column or the row.
    """
    return runs_of(table_of(raw, where), where)


def table_of(raw: bytes, where: str, most: int = LARGEST) -> pa.Table:
    """Read the known columns of a file of runs; others are not decoded.

    Args:
        raw: content of the file, which anybody may have written.
        where: what to call it in messages.
        most: bytes that they may become in memory.

    Raises:
        InvalidFile: as `decode`, as far as no record is read.
    """
    try:
        there = parquet.names(raw, where)
        missing = sorted({*KNOWN} - {*there})
        if missing:
            raise InvalidFile(f"{where}: not a file of results: it has no column {missing[0]}")
        rows = parquet.rows(raw, where)
        if rows > MOST_ROWS:
            raise InvalidFile(f"{where}: has {rows:,} rows; a method has at most {MOST_ROWS:,} "
                              "runs on a task")  # fmt: skip
        table = parquet.read_bounded(raw, dict.fromkeys(KNOWN, ()), most, where)
    except InvalidDataset as error:
        raise InvalidFile(f"{where}: {error.problems[0]}") from None
    for name, kind in COLUMNS.items():
        found = table.schema.field(name).type
        if not _same(found, kind):
            raise InvalidFile(f"{where}: column {name} is {found}, not {kind}")
    for name, depth in _DESIGNS.items():
        found = table.schema.field(name).type
        if not _is_lists(found, depth):
            raise InvalidFile(
                f"{where}: column {name} is {found}, not {'lists of ' * depth}numbers"
            )
    kinds = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in table.schema]
    return table.cast(pa.schema(list(zip(table.column_names, kinds, strict=True))))


def runs_of(table: pa.Table, where: str) -> list[Run]:
    """Read the runs of a table, as `table_of` gives it.

    Raises:
        InvalidFile: a record is not one, or says other than a column; names the row.
    """
    runs = []
    for number, cells in enumerate(table.select(list(COLUMNS)).to_pylist()):
        place = f"{where}, row {number}"
        record = Record.decode((cells["record"] or "").encode(), place)
        for name, value in row(record).items():
            if value != cells[name]:
                raise InvalidFile(
                    f"{place}: column {name} says {quoted(cells[name])}, its record {quoted(value)}"
                )
        load = partial(_submitted, table["designs"], table["predicted"], number, place)
        runs.append(Run(record, place, load))
    return runs


def _is_lists(kind: pa.DataType, depth: int) -> bool:
    """Whether cells are numbers in lists, so many deep."""
    for _ in range(depth):
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            return False
        kind = kind.value_type
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _same(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Compare types, whatever a list's child is called and equal texts are shared by."""
    if pa.types.is_dictionary(found):
        return _same(found.value_type, wanted)
    if pa.types.is_list(found) and pa.types.is_list(wanted):
        return _same(found.value_type, wanted.value_type)
    return bool(found == wanted)


def _submitted(
    designs: pa.ChunkedArray, predicted: pa.ChunkedArray, number: int, where: str
) -> Submitted | None:
    """The designs of a row, and what was expected of them."""
    cell = designs[number]
    if not cell.is_valid:
        return None
    lists = cell.values
    width = len(lists[0]) if len(lists) else 0
    flat = lists.flatten()
    if not width or flat.null_count or len(flat) != width * len(lists):
        raise InvalidFile(f"{where}: its designs are not lists of as many numbers")
    x = flat.to_numpy(zero_copy_only=False).reshape(len(lists), width)
    expected = predicted[number]
    if not expected.is_valid:
        return Submitted(x, None)
    predictions = expected.values.to_numpy(zero_copy_only=False)
    if len(predictions) != len(x):
        raise InvalidFile(f"{where}: {len(predictions)} predictions for {len(x)} designs")
    return Submitted(x, np.asarray(predictions, np.float32))


def file_of(record: Record) -> str:
    """Path of the file that a run is in, below the folder of the collection."""
    return f"{DATA}/{record.problem}/{record.method}.parquet"


def write_collection(runs: Iterable[Run], folder: Path) -> list[str]:
    """Write runs as the data of a collection; files of other methods and tasks stay.

    Args:
        runs: those of one method on one task replace all that are there.
        folder: of the collection.

    Returns:
        The files, below that folder.

    Raises:
        InvalidFile: the place cannot be written.
    """
    grouped: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        grouped[file_of(run.record)].append(run)
    for file, listed in sorted(grouped.items()):
        listed.sort(key=lambda run: (run.record.preset, run.record.seed))
        try:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            write_file(folder / file, encode(listed))
        except OSError as error:
            raise InvalidFile(f"{folder / file}: cannot be written: {error.strerror}") from None
    return sorted(grouped)


def read_runs(place: str | os.PathLike[str]) -> tuple[Run, ...]:
    """Read runs, from the folder that `mbo run` fills or from a collection.

    Args:
        place: the folder.

    Returns:
        By task, method, preset and seed.

    Raises:
        InvalidFile: there is no run, or one cannot be read; says which.
    """
    folder = Path(place)
    if not folder.is_dir():
        raise InvalidFile(f"{folder}: there is no such folder")
    runs = list(_of_collection(folder) if (folder / DATA).is_dir() else _of_folder(folder))
    if not runs:
        raise InvalidFile(f"{folder}: there are no runs in it; make some with  mbo run")
    return tuple(sorted(runs, key=_order))


def _order(run: Run) -> tuple[str, str, str, int]:
    record = run.record
    return record.problem, record.method, record.preset, record.seed


def _of_folder(folder: Path) -> Iterator[Run]:
    """Read all runs of a folder.

    Raises:
        InvalidFile: one or more cannot be read; names them all, and the way out.
    """
    damaged = []
    for record in sorted(folder.glob(f"*/*/*/*/{RECORD}")):
        if any(part.startswith((".", "@")) for part in record.relative_to(folder).parts):
            continue  # what is being written, and what a file server keeps for itself
        try:
            run = read_run(record.parent)
        except InvalidFile as error:
            damaged.append(str(error))
        else:
            yield run
    if damaged:
        more = f"\n… and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
        raise InvalidFile("\n".join(damaged[:SHOWN]) + more)


def _of_collection(folder: Path) -> Iterator[Run]:
    for path in sorted((folder / DATA).glob("*/*.parquet")):
        file = path.relative_to(folder).as_posix()
        try:
            raw = files.read(path)
        except InvalidFile as error:
            raise InvalidFile(f"{path}: {error}") from None
        for run in decode(raw, str(path)):
            if file_of(run.record) != file:
                raise InvalidFile(f"{run.where}: {run.record} belongs in {file_of(run.record)}")
            yield run
