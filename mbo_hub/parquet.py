"""The parquet files of a dataset: one writer, one reader.

`x` is a fixed-size list (int8 tokens, dictionary-coded, or float32, byte-stream-split), `y` is
float32; zstd level 3, one row group. Two writes of the same table give identical bytes (pyarrow
26.0.1; another pyarrow writes its own name into the footer). Reading flattens the Arrow buffer:
`datasets.with_format("numpy")` turns int8 into int64 and takes 250 times as long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mbo_hub.errors import InvalidDataset
from mbo_hub.typing import Float32, Num

if TYPE_CHECKING:
    from mbo_hub.spaces import Space

__all__ = ["read", "write"]


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


def _plain(kind: pa.DataType) -> pa.DataType:
    """The Arrow type that every reader knows, with the one name for a list's child."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(pa.field("element", kind.value_type), kind.list_size)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    return kind


def _is_floating(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_fixed_size_list(kind) else kind
    return bool(pa.types.is_floating(inner))


def read(
    raw: bytes, space: Space, where: str
) -> tuple[Num[np.ndarray, "n d"], Float32[np.ndarray, " n"]]:
    """Read designs and objective of one split.

    Args:
        raw: content of the file, already checked against its sha256.
        space: gives the width and dtype of x.
        where: what to call the file in messages.

    Returns:
        x, (n, d) in the space's dtype, and y, (n,) float32.

    Raises:
        InvalidDataset: not a parquet file, or without columns x and y of the right type.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(raw), pre_buffer=False)
        table = file.read(columns=["x", "y"], use_threads=False).combine_chunks()
    except (pa.ArrowException, OSError) as error:
        raise InvalidDataset(where, [f"not a readable parquet file: {error}"]) from None
    wanted = pa.list_(pa.from_numpy_dtype(space.dtype), space.dim)
    problems = [
        f"no column {name}" for name in ("x", "y") if name not in table.column_names
    ] or [
        f"column {name} is {table.schema.field(name).type}, not {kind}"
        for name, kind in (("x", wanted), ("y", pa.float32()))
        if not _same(table.schema.field(name).type, kind)
    ]  # fmt: skip
    if not problems:
        problems = [f"column {n} has empty cells" for n in ("x", "y") if _nulls(table[n])]
    if problems:
        raise InvalidDataset(where, problems)
    return _values(table["x"], space.dtype).reshape(-1, space.dim), _values(table["y"], np.float32)


def _same(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Compare types, whatever the list's child is called."""
    if pa.types.is_fixed_size_list(found) and pa.types.is_fixed_size_list(wanted):
        return bool(found.list_size == wanted.list_size and found.value_type == wanted.value_type)
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
