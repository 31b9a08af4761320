"""Parquet files: one writer for those of a dataset, one bounded reader for everybody's.

`x` is a fixed-size list (int8 tokens, dictionary-coded, or float32, byte-stream-split), `y` and
`y_oracle` are float32; zstd level 3, one row group. Two writes of the same table give identical
bytes (pyarrow 26.0.1; another pyarrow writes its own name into the footer). Reading flattens the
Arrow buffer: `datasets.with_format("numpy")` turns int8 into int64 and takes 250 times as long.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mbo_hub.arrays import Float32, Num
from mbo_hub.dataset import files, footer
from mbo_hub.errors import InvalidDataset, InvalidFile

if TYPE_CHECKING:
    from mbo_hub.spaces import Space

__all__ = [
    "arrow_bytes",
    "cells",
    "content_sha256",
    "encode",
    "has_content",
    "index",
    "is_plain",
    "names",
    "read",
    "read_bounded",
    "rows",
    "some",
    "table",
    "write",
]

Types: TypeAlias = "pa.DataType | tuple[pa.DataType, ...]"
# A table may take this many bytes in memory, and else this many for each byte of its file: what
# becomes larger holds the same values over and over, and is no data.
PLENTY, RATIO = 2**28, 50


def write(table: pa.Table, sink: Any) -> None:
    """Write a table of designs.

    Args:
        table: columns `x` and `y`, and any other; types are reduced to those every reader knows.
        sink: a path or an Arrow output stream.
    """
    table = table.cast(pa.schema([pa.field(f.name, _plain(f.type)) for f in table.schema]))
    leaves = {name: name for name in table.column_names} | {"x": "x.list.element"}
    floating = {leaves[f.name] for f in table.schema if _is_floating(f.type)}
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=3,
        row_group_size=max(1, table.num_rows),
        use_dictionary=[leaf for leaf in leaves.values() if leaf not in floating],
        use_byte_stream_split=sorted(floating),
        store_schema=True,
    )


def encode(
    x: Num[np.ndarray, "n d"],
    numbers: Mapping[str, Float32[np.ndarray, " n"]],
    texts: Mapping[str, list[str]] | None = None,
) -> bytes:
    """Write designs as a parquet file.

    Args:
        x: designs, int8 tokens or float32.
        numbers: columns of what is known of them, by name, such as y.
        texts: columns that write the designs for people, n strings each, by name.
    """
    values = pa.array(np.ascontiguousarray(x).reshape(-1))
    lists = pa.FixedSizeListArray.from_arrays(values, x.shape[1])
    columns = {name: pa.array(text, pa.string()) for name, text in (texts or {}).items()}
    sink = pa.BufferOutputStream()
    known = {name: pa.array(values) for name, values in numbers.items()}
    write(pa.table(columns | {"x": lists} | known), sink)
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def _plain(kind: pa.DataType) -> pa.DataType:
    """The Arrow type that every reader knows, with the one name for a list's child."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(pa.field("element", kind.value_type), kind.list_size)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


def _is_floating(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(_inner(kind)))


def content_sha256(raw: bytes, declared_rows: int | None = None) -> str:
    """Hash the values of a parquet file, whatever program wrote it.

    For each column in order: its name and a zero byte, then its numbers in little-endian bytes, row
    after row, or its texts in UTF-8, each with a zero byte behind it.

    Args:
        raw: content of the file.
        declared_rows: how many it should hold.

    Raises:
        InvalidDataset: not a parquet file, with other rows, with columns of other kinds or empty
            cells, or it would become huge.
    """
    digest = sha256()
    found = table(raw, None, "the file", declared_rows)
    for name in found.column_names:
        column = found[name]
        digest.update(name.encode() + b"\0")
        if _nulls(column):
            raise InvalidDataset("the file", [f"column {name} has empty cells"])
        if pa.types.is_string(_plain(column.type)):
            digest.update(b"".join(t.encode() + b"\0" for t in column.to_pylist()))
            continue
        dtype = np.dtype(_inner(column.type).to_pandas_dtype())
        digest.update(_values(column, dtype).astype(dtype.newbyteorder("<"), copy=False).tobytes())
    return digest.hexdigest()


def arrow_bytes(raw: bytes) -> int:
    """Size in memory of the table in a parquet file."""
    return int(table(raw, None, "the file").nbytes)


def has_content(raw: bytes, wanted: str | None, rows: int | None = None) -> bool:
    """Tell whether a parquet file holds the values of this `content_sha256`.

    Args:
        raw: content of the file.
        wanted: the hash; None: it does not.
        rows: how many it should hold; with another number it is not decoded.
    """
    try:
        return wanted is not None and content_sha256(raw, rows) == wanted
    except InvalidDataset:
        return False


def rows(raw: bytes, where: str) -> int:
    """How many rows a parquet file says to hold; nothing is decoded.

    Raises:
        InvalidDataset: not a parquet file.
    """
    return _contents(raw, where).rows


def table(
    raw: bytes,
    columns: list[str] | Mapping[str, Types] | None,
    where: str,
    declared_rows: int | None = None,
) -> pa.Table:
    """Read some columns of a dataset's parquet file, or all, as one chunk.

    Args:
        raw: content of the file.
        columns: of texts, numbers, or lists of a fixed number of numbers, and of which type where
            that is known; None: all.
        where: what to call the file in messages.
        declared_rows: how many it should hold.

    Raises:
        InvalidDataset: not a parquet file, with other rows, without these columns, with such of
            other kinds, or it would become huge.
    """
    if not isinstance(columns, Mapping):
        kinds = _kinds(raw, where)
        wanted = list(kinds) if columns is None else columns
        problems = [
            f"column {name} is {kinds[name]}, neither numbers nor text"
            for name in wanted
            if name in kinds and not (_is_text(kinds[name]) or _is_numeric(kinds[name]))
        ]
        if problems:
            raise InvalidDataset(where, problems)
        columns = dict.fromkeys(wanted, ())
    budget = max(PLENTY, RATIO * len(raw))
    return _bounded(raw, columns, budget, where, declared_rows=declared_rows)


def read_bounded(raw: bytes, columns: Mapping[str, Types], budget: int, where: str) -> pa.Table:
    """Read columns of a parquet file that anybody may have written, as one chunk.

    Sizes count as they are in memory: a text that stands in many rows counts in each of them. The
    heads of the pages are asked first, then the lengths of the texts; only then is the rest
    decoded. Columns that are not named are never decoded. Of several files that share a budget,
    the next one has what `Table.nbytes` of this one leaves.

    Args:
        raw: content of the file.
        columns: the type of each, by its name; one of several, or () for any. How the child of a
            list is called does not count.
        budget: how many bytes they may become in memory.
        where: what to call the file in messages.

    Raises:
        InvalidDataset: not a parquet file, two columns have one name, one is missing or of another
            type, a text is not UTF-8, or they are larger than the budget.
    """
    return _bounded(raw, columns, budget, where)


def _bounded(
    raw: bytes,
    columns: Mapping[str, Types],
    budget: int,
    where: str,
    *,
    declared_rows: int | None = None,
    share: bool = False,
) -> pa.Table:
    """As `read_bounded`; `share` keeps equal texts once, with a number in each row."""
    held = _contents(raw, where)
    if declared_rows not in (None, held.rows):
        raise InvalidDataset(where, [f"has {held.rows:,} rows, task.json says {declared_rows:,}"])
    kinds = _kinds(raw, where)
    problems = [f"no column {name}" for name in columns if name not in kinds]
    for name, wanted in columns.items():
        allowed = wanted if isinstance(wanted, tuple) else (wanted,)
        if name in kinds and allowed and not any(_same(kinds[name], kind) for kind in allowed):
            listed = " or ".join(map(str, allowed))
            problems.append(f"column {name} is {kinds[name]}, not {listed}")
    if problems:
        raise InvalidDataset(where, problems)
    here = {name: held.columns[name] for name in columns if name in held.columns}
    size = sum(max(c.bytes, c.values * _each(kinds[name])) for name, c in here.items())
    texts = sorted(path for column in here.values() for path in column.texts)
    _see_that_it_fits(size, budget, raw, where)
    with _readable(where):
        # A text that stands in many rows is read once, and counted before it is repeated.
        shared = _file(raw, texts)
        for name, column in here.items():
            if column.texts:
                chunks = shared.read(columns=[name], use_threads=False)[name].chunks
                size += sum(_length(chunk) for chunk in chunks)
                _see_that_it_fits(size, budget, raw, where)
        found = _file(raw, texts if share else None).read(columns=list(columns), use_threads=False)
        found = (found.unify_dictionaries() if share else found).combine_chunks()
        found.validate(full=True)
    return found


def _kinds(raw: bytes, where: str) -> dict[str, pa.DataType]:
    """The type of each column, by its name."""
    _see_what_it_is(raw, where)
    with _readable(where):
        schema = _file(raw).schema_arrow
    return {name: schema.field(name).type for name in _unique(schema.names, where)}


def _see_what_it_is(raw: bytes, where: str) -> None:
    what = files.mistaken(raw)
    if what is not None:
        raise InvalidDataset(where, [what])


def _see_that_it_fits(size: int, budget: int, raw: bytes, where: str) -> None:
    if size > budget:
        raise InvalidDataset(
            where,
            [
                f"its {len(raw):,} bytes would become {size:,} in memory, where {budget:,} are "
                "allowed; it was not read further"
            ],
        )


def _length(array: pa.Array) -> int:
    """Bytes of all texts of an array, which are numbers and a dictionary, at any depth."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        used, each = _without_nulls(array.indices), _lengths(array.dictionary)
        return int(np.bincount(used, minlength=len(each)) @ each) if len(used) else 0
    if pa.types.is_struct(kind):
        return sum(_length(array.field(at)) for at in range(kind.num_fields))
    if pa.types.is_map(kind):
        return _length(array.keys) + _length(array.items)
    if _is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _length(array.values)
    return 0


def _without_nulls(array: pa.Array) -> Num[np.ndarray, " n"]:
    """The numbers of an array, from its buffers: Arrow's own way imports pandas."""
    known, values = array.buffers()
    if values is None:
        return np.empty(0, np.int32)
    shown = slice(array.offset, array.offset + len(array))
    numbers = np.frombuffer(values, np.dtype(array.type.to_pandas_dtype()))[shown]
    if not array.null_count:
        return numbers
    bits = np.unpackbits(np.frombuffer(known, np.uint8), bitorder="little")[shown]
    return numbers[bits.astype(bool)]


def _lengths(texts: pa.Array) -> Num[np.ndarray, " n"]:
    """Bytes of each text of a dictionary."""
    kind = texts.type
    if not (_is_text(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
        return np.array([len(str(value)) for value in texts.to_pylist()] or [0], np.int64)
    wide = pa.types.is_large_string(kind) or pa.types.is_large_binary(kind)
    buffer = texts.buffers()[1]
    if buffer is None or not len(texts):
        return np.zeros(1, np.int64)
    ends = np.frombuffer(buffer, np.int64 if wide else np.int32)[texts.offset :]
    return np.diff(ends[: len(texts) + 1]).astype(np.int64)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_numeric(kind: pa.DataType) -> bool:
    inner = _inner(kind)
    return bool(pa.types.is_integer(inner) or pa.types.is_floating(inner))


def is_plain(kind: pa.DataType) -> bool:
    """Whether a column of a type can be taken by any library: texts, numbers, lists of them."""
    if pa.types.is_fixed_size_list(kind):
        return kind.list_size > 0 and is_plain(kind.value_type)
    if _is_list(kind):
        return is_plain(kind.value_type)
    plain = _is_text(kind) or pa.types.is_boolean(kind) or pa.types.is_integer(kind)
    return bool(plain or pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _each(kind: pa.DataType) -> int:
    """Bytes of a value in memory; of a text, of the number that says where it ends."""
    if pa.types.is_dictionary(kind):
        return _each(kind.value_type)
    if pa.types.is_fixed_size_list(kind):
        return _each(kind.value_type)
    if _is_list(kind):
        return 4 + _each(kind.value_type)
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return 8 + max((_each(kind.field(at).type) for at in range(kind.num_fields)), default=0)
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # texts and bytes
        return 8


def _contents(raw: bytes, where: str) -> footer.Contents:
    _see_what_it_is(raw, where)
    with _readable(where):
        return footer.contents(raw)


def _file(raw: bytes, texts: list[str] | None = None) -> pq.ParquetFile:
    return pq.ParquetFile(pa.BufferReader(raw), pre_buffer=False, read_dictionary=texts)


@contextmanager
def _readable(where: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        if isinstance(error, InvalidDataset):
            raise
        first = str(error).partition("\n")[0][:200]
        raise InvalidDataset(where, [f"not a readable parquet file: {first}"]) from None


def names(raw: bytes, where: str) -> list[str]:
    """List the columns of a parquet file.

    Raises:
        InvalidDataset: not a parquet file, or two columns have one name.
    """
    _contents(raw, where)
    return list(_kinds(raw, where))


def index(raw: bytes, where: str) -> list[str]:
    """List the columns of a parquet file that pandas wrote as the index of its rows.

    Raises:
        InvalidDataset: not a parquet file.
    """
    with _readable(where):
        schema = _file(raw).schema_arrow
    try:
        said = files.json((schema.metadata or {}).get(b"pandas", b"{}"))
    except InvalidFile:  # somebody else's words
        said = {}
    told = said.get("index_columns", []) if isinstance(said, dict) else []
    unnamed = re.compile(r"__index_level_\d+__", re.ASCII)
    named = {name for name in told if isinstance(name, str)} if isinstance(told, list) else set()
    return [name for name in schema.names if name in named or unnamed.fullmatch(name)]


def _unique(found: list[str], where: str) -> list[str]:
    name, times = max(Counter(found).items(), key=lambda one: one[1], default=("", 0))
    if times > 1:
        raise InvalidDataset(where, [f"{times} columns are called {name!r}"])
    return found


def cells(
    raw: bytes, columns: list[str], where: str, most: int
) -> list[Num[np.ndarray, "n ..."] | list[Any]]:
    """Read columns of a parquet file that anything may have written.

    Args:
        raw: content of the file.
        columns: their names, as `names` lists them.
        where: what to call the file in messages.
        most: how many bytes they may become in memory.

    Returns:
        For each column an array, (n,) of numbers or (n, d) of lists of d numbers; where cells are
        empty, of different lengths or of another type, a list of Python's own values.

    Raises:
        InvalidDataset: not a parquet file, with text that is not UTF-8, or larger than `most`.
    """
    table = some(raw, columns, where, most)
    with _readable(where):
        return [_cells(table[name]) for name in columns]


def some(raw: bytes, columns: list[str], where: str, most: int) -> pa.Table:
    """As `read_bounded`, of any types; equal texts stay one text, though each of them counts."""
    return _bounded(raw, dict.fromkeys(columns, ()), most, where, share=True)


def _cells(column: pa.ChunkedArray) -> Num[np.ndarray, "n ..."] | list[Any]:
    array, _ = _one(column)
    kind = array.type
    if pa.types.is_dictionary(kind):
        shared = array.dictionary.to_pylist()
        return [None if at is None else shared[at] for at in array.indices.to_pylist()]
    if len(array) and not array.null_count and _is_list(kind):
        try:
            array = array.cast(pa.list_(kind.value_type, len(array[0])))
        except pa.ArrowInvalid:  # lists of different lengths
            return list(array.to_pylist())
        return _cells(pa.chunked_array([array]))
    inner = _inner(kind)
    if _nulls(column) or not (pa.types.is_integer(inner) or pa.types.is_floating(inner)):
        return list(array.to_pylist())
    values = _values(column, np.dtype(inner.to_pandas_dtype()))
    return values if inner is kind else values.reshape(len(array), kind.list_size)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _inner(kind: pa.DataType) -> pa.DataType:
    """The type of a column's numbers."""
    return kind.value_type if pa.types.is_fixed_size_list(kind) else kind


def read(
    raw: bytes, space: Space, where: str, label: str = "y", declared_rows: int | None = None
) -> tuple[Num[np.ndarray, "n d"], Float32[np.ndarray, " n"]]:
    """Read designs and objective of one split.

    Args:
        raw: content of the file, already checked against its sha256.
        space: gives the width and dtype of x.
        where: what to call the file in messages.
        label: the column that holds y.
        declared_rows: how many it should hold.

    Returns:
        x, (n, d) in the space's dtype, and y, (n,) float32.

    Raises:
        InvalidDataset: not a parquet file, with other rows, without these columns of the right
            type, or with empty cells.
    """
    kinds = {"x": pa.list_(pa.from_numpy_dtype(space.dtype), space.dim), label: pa.float32()}
    found = table(raw, kinds, where, declared_rows)
    problems = [f"column {name} has empty cells" for name in kinds if _nulls(found[name])]
    if problems:
        raise InvalidDataset(where, problems)
    x = _values(found["x"], space.dtype).reshape(-1, space.dim)
    return x, _values(found[label], np.float32)


def _same(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Compare types, whatever the child of a list is called."""
    if pa.types.is_fixed_size_list(found) and pa.types.is_fixed_size_list(wanted):
        alike = found.list_size == wanted.list_size
        return bool(alike and _same(found.value_type, wanted.value_type))
    if pa.types.is_list(found) and pa.types.is_list(wanted):
        return _same(found.value_type, wanted.value_type)
    return bool(found == wanted)


def _one(column: pa.ChunkedArray) -> tuple[pa.Array, pa.Array]:
    """A column as one array, and the array of its numbers (`combine_chunks` left one chunk)."""
    array = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    return array, array.values if pa.types.is_fixed_size_list(array.type) else array


def _values(column: pa.ChunkedArray, dtype: Any) -> Num[np.ndarray, " n"]:
    """The numbers of a column, straight from its buffer.

    Arrow's own `flatten` and `to_numpy` import pyarrow.compute and pandas, 0.4 s.
    """
    array, inner = _one(column)
    width = len(inner) // len(array) if len(array) else 1
    buffer = inner.buffers()[1]
    if buffer is None:
        return np.empty(0, dtype)
    start = inner.offset + array.offset * (width if inner is not array else 0)
    return np.frombuffer(buffer, dtype)[start : start + len(array) * width]


def _nulls(column: pa.ChunkedArray) -> bool:
    array, inner = _one(column)
    return bool(array.null_count or inner.null_count)
