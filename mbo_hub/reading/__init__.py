"""Read designs from the files that people have: text, arrays, tables; write those of a method."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from mbo_hub.arrays import Float32, Num
from mbo_hub.atomic import write_file
from mbo_hub.dataset import parquet
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidDataset, InvalidDesign, InvalidFile, quoted
from mbo_hub.reading import arrays, text
from mbo_hub.reading.columns import Found, Source, sources
from mbo_hub.reading.recognition import LIMIT, most_designs, recognize, too_large, unzip
from mbo_hub.spaces import Box, Sequence

__all__ = ["LIMIT", "encode_designs", "read_designs", "write_designs"]

FORMULAS = 2**24  # letters of all formulas of a file: reading them takes seconds


def read_designs(
    path: str | os.PathLike[str],
    manifest: Manifest,
    *,
    column: str | None = None,
    strict: bool = True,
) -> Num[np.ndarray, "n d"]:
    """Read designs of a task.

    The first bytes say what the file is, whatever its name: parquet, .npy, .npz with one array,
    FASTA, or UTF-8 text, each also compressed with gzip. Text is CSV if its name ends so or its
    first line names the columns, and one design a line otherwise: a sequence, numbers with commas,
    tabs or blanks between them, or, where the values are amounts of chemical elements, a formula
    such as ``YBa2Cu3O7``. Of a .smi file the first field of each line counts. A CSV or parquet file
    has, of a sequence task, its text column (for example `sequence`), or a column `x`, or one
    column for each value; where it has several of these, they must agree. Sequences are read as
    they are written: case matters, and surrounding blanks and empty lines do not count.

    Args:
        path: the file, or `-` for standard input; at most 128 MiB of designs.
        manifest: of the task.
        column: the column to read instead, or the array of an .npz file.
        strict: refuse illegal designs; otherwise they come back as rows of NaN or as they are, so
            that `Task.evaluate` counts them as invalid.

    Returns:
        (n, d) designs, n ≥ 1.

    Raises:
        InvalidFile: not readable, empty, of a format or content that leaves doubt, no column of
            designs, or an illegal design, named by its line or row.
    """
    given = os.fspath(path)
    name = "standard input" if given == "-" else given
    raw = unzip(_content(path, name), name)
    if not raw.strip():
        raise InvalidFile(f"{name}: the file is empty; it should hold at least one design")
    ending = Path(given.lower().removesuffix(".gz")).suffix
    found = _read(raw, name, ending, manifest, column)
    if not len(found.rows):
        raise InvalidFile(f"{name}: it holds no designs (0 rows)")
    if isinstance(found.rows, list):
        _see_that_it_is_not_too_much(found.rows, name, manifest.space)
    with _named(name, found.place):
        designs = _designs(found.rows, manifest.space, strict)
    _see_that_they_agree(found, designs, name, manifest.space)
    return designs


def _see_that_it_is_not_too_much(rows: list[Any], name: str, space: Sequence | Box) -> None:
    if len(rows) > most_designs(space):
        raise too_large(name)
    if isinstance(space, Box) and sum(len(r) for r in rows if isinstance(r, str)) > FORMULAS:
        raise InvalidFile(
            f"{name}: its formulas have more than {FORMULAS:,} letters; score them in several files"
        )


def _content(path: str | os.PathLike[str], name: str) -> bytes:
    def limited(stream: Any) -> bytes:
        raw = stream.read(LIMIT + 1)
        if len(raw) > LIMIT:
            raise too_large(name)
        return raw

    try:
        if os.fspath(path) == "-":
            return limited(sys.stdin.buffer)
        with Path(path).open("rb") as stream:
            return limited(stream)
    except OSError as error:
        raise InvalidFile(f"{name}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # a null byte in the name
        raise InvalidFile(f"{quoted(name)}: cannot be read: {error}") from None


def _read(raw: bytes, name: str, ending: str, manifest: Manifest, column: str | None) -> Found:
    """Read a file as what it is."""
    kind = recognize(raw, name)
    if column is not None and (kind in ("npy", "fasta") or ending in (".smi", ".smiles")):
        raise InvalidFile(f"{name}: a file of this kind has no columns; leave out --column")
    if kind == "parquet":
        return _parquet(raw, name, manifest, column)
    if kind in ("npy", "npz"):
        array = arrays.npy(raw, name) if kind == "npy" else arrays.npz(raw, name, column)
        if not array.ndim:
            raise InvalidFile(f"{name}: a single number, not designs")
        return Found(array.tolist() if array.dtype.kind == "U" and array.ndim == 1 else array)
    if ending in (".npy", ".npz", ".parquet"):
        raise InvalidFile(f"{name}: not a {ending} file, as its first bytes say; get it again")
    if kind == "fasta" and not _starts_with(">", manifest.space):
        return text.fasta(raw, name, manifest)
    return text.text(raw, name, ending, manifest, column)


def _starts_with(letter: str, space: Sequence | Box) -> bool:
    return isinstance(space, Sequence) and any(t.startswith(letter) for t in space.alphabet)


@contextmanager
def _named(name: str, place: Callable[[int], str]) -> Iterator[None]:
    """Turn a design's number into the place in the file where a person finds it."""
    try:
        yield
    except InvalidDesign as error:
        if error.row is None:
            raise InvalidFile(f"{name}: {error.detail}") from None
        more = str(error).removeprefix(f"design {error.row} {error.detail}")
        raise InvalidFile(f"{name}, {place(error.row)}: the design {error.detail}{more}") from None


def _designs(rows: Any, space: Sequence | Box, strict: bool) -> Num[np.ndarray, "n d"]:
    if not isinstance(rows, np.ndarray) and isinstance(rows[0], str):
        if isinstance(space, Box) and not space.takes_formulas:
            raise InvalidDesign("this task's designs are numbers, not text")
        try:
            return space.encode(rows)
        except InvalidDesign:
            if strict:
                raise
            return space.encode_legal(rows)
    if not strict and isinstance(rows, list):
        rows = [_without_gaps(row) for row in rows]
    return space.validate(rows) if strict else space.as_array(rows)


def _without_gaps(row: Any) -> Any:
    """A row with NaN for values that are missing, which every space counts as invalid."""
    return [np.nan if v is None else v for v in row] if isinstance(row, list) else row


def _see_that_they_agree(
    found: Found, designs: Num[np.ndarray, "n d"], name: str, space: Sequence | Box
) -> None:
    """Refuse a file that writes a design twice, and differently; what is illegal says nothing."""
    for other, rows in found.others.items():
        with _named(name, found.place):
            again = _designs(rows, space, strict=False)
        differ = space.legal(designs) & space.legal(again)
        differ[differ] = ~np.isclose(designs[differ], again[differ], rtol=1e-6, atol=0).all(axis=1)
        if differ.any():
            row = int(np.flatnonzero(differ)[0])
            raise InvalidFile(
                f"{name}, {found.place(row)}: {found.name} and {other} hold different designs; "
                "leave out what does not count, or name the column with --column"
            )


def _parquet(raw: bytes, name: str, manifest: Manifest, column: str | None) -> Found:
    try:
        used = sources(parquet.names(raw, name), name, manifest, column)
        columns = list(dict.fromkeys(c for source in used for c in source.columns))
        cells = dict(zip(columns, parquet.cells(raw, columns, name, LIMIT), strict=True))
    except InvalidDataset as error:
        raise InvalidFile(f"{name}: {error.problems[0].splitlines()[0]}") from None
    read = [_of_source(source, cells, name) for source in used]
    others = {s.name: r for s, r in zip(used[1:], read[1:], strict=True)}
    return Found(read[0], others=others, name=used[0].name)


def _of_source(source: Source, cells: dict[str, Any], name: str) -> Any:
    if source.kind == "values":
        each = [_numbers_of(cells[c], f"{name}: column {quoted(c)}") for c in source.columns]
        return np.column_stack(each)
    (column,) = source.columns
    rows = cells[column]
    if isinstance(rows, list) and None in rows:
        raise InvalidFile(f"{name}, row {rows.index(None)}: column {column} is empty")
    return rows


def _numbers_of(cells: Any, what: str) -> Num[np.ndarray, " n"]:
    """The numbers of a column that holds one value of each design; NaN where a cell is empty."""
    if isinstance(cells, list) and all(type(c) in (int, float, Decimal, type(None)) for c in cells):
        cells = np.array(cells, np.float64)
    if isinstance(cells, list) or cells.ndim != 1:
        raise InvalidFile(f"{what} does not hold numbers")
    return np.asarray(cells)


def write_designs(
    path: str | os.PathLike[str],
    manifest: Manifest,
    designs: Num[np.ndarray, "n d"],
    predicted: Float32[np.ndarray, " n"] | None = None,
) -> None:
    """Write designs as a parquet file that `read_designs` reads, in their order.

    Args:
        path: the file; what is there is replaced when the new one is whole.
        manifest: of the task.
        designs: (n, d) legal designs.
        predicted: what a method expects of them, (n,) in raw units.

    Raises:
        InvalidDesign: a design is illegal.
        InvalidFile: the path is a folder, or lies in none.
    """
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        what = "is a folder" if target.is_dir() else "lies in no folder that is there"
        raise InvalidFile(f"{target}: {what}; name the file that the designs go to")
    known = {} if predicted is None else {"predicted": predicted}
    write_file(target, encode_designs(manifest, designs, known))


def encode_designs(
    manifest: Manifest,
    designs: Num[np.ndarray, "n d"],
    numbers: Mapping[str, Float32[np.ndarray, " n"]],
) -> bytes:
    """Make the content of a parquet file that `read_designs` reads.

    Args:
        manifest: of the task.
        designs: (n, d) legal designs.
        numbers: columns of what is known of each, by name.

    Raises:
        InvalidDesign: a design is illegal.
    """
    x = manifest.space.validate(designs)
    texts = {}
    if manifest.text and isinstance(manifest.space, Sequence):
        texts[manifest.text] = manifest.space.decode(x)
    return parquet.encode(x, numbers, texts)
