"""Read designs from the files that people have: CSV, text, .npy, parquet, or standard input."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbo_hub.arrays import Num
from mbo_hub.dataset import parquet
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidDataset, InvalidDesign, InvalidFile
from mbo_hub.spaces import Box, Sequence

__all__ = ["read_designs"]


@dataclass(frozen=True)
class _Found:
    """What a file held, before anything is judged.

    Attributes:
        rows: strings to encode, or rows of numbers.
        places: what to call each row in a message; None: by its number.
    """

    rows: Any
    places: list[str] | None = None


def read_designs(
    path: str | os.PathLike[str],
    manifest: Manifest,
    *,
    column: str | None = None,
    strict: bool = True,
) -> Num[np.ndarray, "n d"]:
    """Read designs of a task.

    The ending says what the file is: `.csv`, `.npy`, `.parquet`; any other, and standard input
    (`-`), is text with one design a line, or CSV where the first line names the columns. A CSV or
    parquet file has, of a sequence task, its text column (for example `sequence`), or a column `x`,
    or one column for each value. Sequences are read as they are written: case matters, and
    surrounding blanks and empty lines do not count.

    Args:
        path: the file, or `-`.
        manifest: of the task.
        column: the column to read instead.
        strict: refuse illegal designs; otherwise they come back as rows of NaN or as they are, so
            that `Task.evaluate` counts them as invalid.

    Returns:
        (n, d) designs, n ≥ 1.

    Raises:
        InvalidFile: not readable, empty, no column of designs, or an illegal design, named by its
            line or row.
    """
    name = "standard input" if os.fspath(path) == "-" else os.fspath(path)
    try:
        raw = sys.stdin.buffer.read() if os.fspath(path) == "-" else Path(path).read_bytes()
    except OSError as error:
        raise InvalidFile(f"{name}: cannot be read: {error.strerror}") from None
    if not raw.strip():
        raise InvalidFile(f"{name}: the file is empty; it should hold at least one design")
    ending = Path(os.fspath(path)).suffix.lower()
    readers = {".npy": _npy, ".parquet": _parquet}
    found = readers.get(ending, _text)(raw, name, manifest, column)
    if not len(found.rows):
        raise InvalidFile(f"{name}: it holds no designs (0 rows)")
    with _named(name, found.places):
        return _designs(found.rows, manifest.space, strict)


@contextmanager
def _named(name: str, places: list[str] | None) -> Iterator[None]:
    """Turn a design's number into the place in the file where a person finds it."""
    try:
        yield
    except InvalidDesign as error:
        if error.row is None:
            raise InvalidFile(f"{name}: {error.detail}") from None
        place = places[error.row] if places else f"row {error.row}"
        more = str(error).removeprefix(f"design {error.row} {error.detail}")
        raise InvalidFile(f"{name}, {place}: the design {error.detail}{more}") from None


def _designs(rows: Any, space: Sequence | Box, strict: bool) -> Num[np.ndarray, "n d"]:
    if isinstance(rows, np.ndarray):
        return space.validate(rows) if strict else space.as_array(rows)
    if rows and isinstance(rows[0], str):
        if not isinstance(space, Sequence):
            raise InvalidDesign("this task's designs are numbers, not text")
        return space.encode(rows) if strict else _encode_each(rows, space)
    return space.validate(rows) if strict else space.as_array(rows)


def _encode_each(texts: list[str], space: Sequence) -> Num[np.ndarray, "n d"]:
    designs = np.full((len(texts), space.dim), np.nan)
    for row, text in enumerate(texts):
        try:
            designs[row] = space.encode([text])[0]
        except InvalidDesign:  # stays NaN, which every space counts as invalid
            continue
    return designs


def _npy(raw: bytes, name: str, manifest: Manifest, column: str | None) -> _Found:
    if raw.startswith(b"PK"):
        raise InvalidFile(f"{name}: an .npz archive; save the designs alone with numpy.save")
    try:
        array = np.load(io.BytesIO(raw), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise InvalidFile(f"{name}: not a .npy file of numbers or text: {error}") from None
    if not array.ndim:
        raise InvalidFile(f"{name}: a single number, not designs")
    return _Found(array.tolist() if array.dtype.kind == "U" and array.ndim == 1 else array)


def _parquet(raw: bytes, name: str, manifest: Manifest, column: str | None) -> _Found:
    try:
        chosen = _choose(parquet.names(raw, name), name, manifest, column)
        columns = [chosen] if isinstance(chosen, str) else chosen
        cells = parquet.cells(raw, columns, name)
    except InvalidDataset as error:
        raise InvalidFile(f"{name}: {error.problems[0].splitlines()[0]}") from None
    if isinstance(chosen, list):
        named = zip(columns, cells, strict=True)
        return _Found(np.column_stack([_numbers_of(c, f"{name}: column {n}") for n, c in named]))
    (rows,) = cells
    if isinstance(rows, list) and None in rows:
        raise InvalidFile(f"{name}, row {rows.index(None)}: column {chosen} is empty")
    return _Found(rows)


def _numbers_of(cells: Any, what: str) -> Num[np.ndarray, " n"]:
    """The numbers of a column that holds one value of each design; NaN where a cell is empty."""
    if isinstance(cells, list) and all(type(c) in (int, float, type(None)) for c in cells):
        cells = np.array(cells, np.float64)
    if isinstance(cells, list) or cells.ndim != 1:
        raise InvalidFile(f"{what} does not hold numbers")
    return np.asarray(cells)


def _text(raw: bytes, name: str, manifest: Manifest, column: str | None) -> _Found:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{name}: not UTF-8 text (byte {error.start})") from None
    limit = csv.field_size_limit(max(len(text), 131_072))  # a controller is one long cell
    try:
        lines = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise InvalidFile(f"{name}: not CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)
    numbered = [
        (number, line) for number, line in enumerate(lines, 1) if any(c.strip() for c in line)
    ]
    header = [cell.strip() for cell in numbered[0][1]] if numbered else []
    is_csv = name.lower().endswith(".csv") or column is not None
    if is_csv or _is_header(header, manifest):
        return _table(header, numbered[1:], name, manifest, column)
    places = [f"line {number}" for number, _ in numbered]
    if isinstance(manifest.space, Sequence) and all(len(line) == 1 for _, line in numbered):
        return _Found([line[0].strip() for _, line in numbered], places)
    return _Found(_numbers([line for _, line in numbered], places, name), places)


def _is_header(cells: list[str], manifest: Manifest) -> bool:
    """Tell whether a text's first line names columns of designs."""
    names = {manifest.text, "x", *_value_columns(manifest.space)} - {None}
    return bool(cells) and all(cell in names or cell == "y" for cell in cells)


def _value_columns(space: Sequence | Box) -> tuple[str, ...]:
    return space.columns if isinstance(space, Box) else tuple(f"x{i}" for i in range(space.dim))


def _choose(
    columns: list[str], name: str, manifest: Manifest, column: str | None
) -> str | list[str]:
    """Find the column that holds the designs, or one column for each value."""
    # What is written for people is only read back of sequences: a formula is no list of amounts.
    text = manifest.text if isinstance(manifest.space, Sequence) else None
    wanted = [column] if column else [c for c in (text, "x") if c]
    for candidate in wanted:
        if candidate in columns:
            return candidate
    values = list(_value_columns(manifest.space))
    if not column and all(value in columns for value in values):
        return values
    expected = " or ".join(repr(c) for c in wanted)
    each = "" if column else f", nor {values[0]} … {values[-1]}"
    raise InvalidFile(
        f"{name}: no column {expected}{each}; it has {', '.join(map(repr, columns[:8])) or 'none'}"
        f"{', …' if len(columns) > 8 else ''}. Name the column with --column"
    )


def _table(
    header: list[str],
    numbered: list[tuple[int, list[str]]],
    name: str,
    manifest: Manifest,
    column: str | None,
) -> _Found:
    chosen = _choose(header, name, manifest, column)
    places = [f"line {number}" for number, _ in numbered]
    for number, line in numbered:
        if len(line) != len(header):
            raise InvalidFile(
                f"{name}, line {number}: {len(line)} cells; the first line names {len(header)}"
            )
    if isinstance(chosen, list):
        at = [header.index(value) for value in chosen]
        return _Found(
            _numbers([[line[i] for i in at] for _, line in numbered], places, name), places
        )
    cells = [line[header.index(chosen)].strip() for _, line in numbered]
    if chosen == "x" or not isinstance(manifest.space, Sequence):
        split = [cell.strip("[]() ").replace(",", " ").split() for cell in cells]
        return _Found(_numbers(split, places, name), places)
    return _Found(cells, places)


def _numbers(rows: list[list[str]], places: list[str], name: str) -> list[list[float]]:
    numbers = []
    for place, row in zip(places, rows, strict=True):
        try:
            numbers.append([float(cell) for cell in row])
        except ValueError:
            bad = next(cell for cell in row if not _is_number(cell))
            raise InvalidFile(f"{name}, {place}: {bad!r} is not a number") from None
    return numbers


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
