"""The pandera schema of a dataset's splits, derived from its manifest.

Pandera's polars back end checks a frame lazily: every violation is found before it reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from mbo_hub.arrays import Num
from mbo_hub.dataset import layout, parquet
from mbo_hub.dataset.layout import Column
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidDataset
from mbo_hub.spaces import Box, Sequence

if TYPE_CHECKING:
    import pandera.polars as pa
    import polars as pl
    import pyarrow as arrow

__all__ = ["frame", "frame_schema", "matrix", "problems", "split_schema"]

FINITE = (-float(np.finfo(np.float32).max), float(np.finfo(np.float32).max))
CHUNK = 2**16  # rows that are written as texts at a time
MOST = 20  # violations of one check that are listed


def frame_schema(
    space: Sequence | Box,
    columns: tuple[Column, ...],
    *,
    text: str | None = None,
    y_between: tuple[float, float] = FINITE,
) -> pa.DataFrameSchema:
    """Describe a frame of designs and objective values.

    Args:
        space: of the task; x is checked by it.
        columns: of the dataset, as `mbo_hub.dataset.layout.columns` lists them.
        text: the one that writes designs for people; of a sequence it must say the same as x.
        y_between: smallest and largest legal y.
    """
    import pandera.polars as pa
    import polars as pl

    def designs_are_legal(data: pa.PolarsData) -> pl.LazyFrame:
        column = data.lazyframe.select(data.key).collect().to_series()
        return pl.LazyFrame({data.key: space.legal(matrix(column, space))})

    def text_says_x(data: pa.PolarsData) -> pl.LazyFrame:
        frame = data.lazyframe.select("x", str(text)).collect()
        x = matrix(frame["x"], space)
        legal = space.legal(x)
        same = ~legal  # illegal designs are reported once, by the check above
        for start in range(0, len(x), CHUNK):  # as Python's own strings they take much room
            part = slice(start, start + CHUNK)
            rows, shown = legal[part], frame[str(text)][part].to_numpy()
            same[part][rows] = np.array(space.decode(x[part][rows]), object) == shown[rows]
        return pl.LazyFrame({"same": same})

    types = {"string": pl.String, "int8": pl.Int8, "int32": pl.Int32, "float32": pl.Float32}
    rules = {  # NaN counts as empty, infinities lie outside
        "x": pa.Check(designs_are_legal, name="design is legal"),
        "y": pa.Check.in_range(*y_between),
        "y_oracle": pa.Check.in_range(*FINITE),
    }
    described = {}
    for column in columns:
        inner = types[column.dtype]
        kind = inner if column.length is None else pl.Array(inner, column.length)
        described[column.name] = pa.Column(kind, rules.get(column.name))
    checks = []
    if text is not None and isinstance(space, Sequence):
        checks.append(pa.Check(text_says_x, name=f"{text} says the same as x"))
    return pa.DataFrameSchema(described, checks=checks, strict=False)


def split_schema(manifest: Manifest, split: str) -> pa.DataFrameSchema:
    """Describe one split of a task: 'train' (visible) or 'test' (hidden)."""
    statistics = manifest.statistics
    low, high = statistics.y_min, statistics.y_max
    rule = manifest.split
    if rule is not None and layout.SPLITS[split] == layout.TRAIN:
        low, high = rule.y_low, rule.y_high
    return frame_schema(manifest.space, manifest.columns, text=manifest.text, y_between=(low, high))


def problems(frame: pl.DataFrame, schema: pa.DataFrameSchema, where: str) -> list[str]:
    """Validate a frame lazily and write down every violation.

    Args:
        frame: one split.
        schema: from `split_schema` or `frame_schema`.
        where: what to call the frame.

    Returns:
        One sentence each: frame, row, column, check and value; at most 20 of one check, and then
        how many more there are.
    """
    from pandera.errors import SchemaErrors

    with _no_panic(where):
        try:
            schema.validate(frame, lazy=True)
        except SchemaErrors as errors:
            return _sentences(errors.failure_cases, where)
    return []


def frame(table: arrow.Table, where: str) -> pl.DataFrame:
    """Take a table of `mbo_hub.dataset.parquet` as a frame.

    Args:
        table: of one split.
        where: what to call it.

    Raises:
        InvalidDataset: a column is of a type that datasets have not; polars, which prints what it
            panics about, does not see it.
    """
    import polars as pl

    odd = [f for f in table.schema if not parquet.is_plain(f.type)]
    if odd:
        raise InvalidDataset(where, [f"column {f.name} has the odd type {f.type}" for f in odd])
    with _no_panic(where):
        found = pl.from_arrow(table)
        if not isinstance(found, pl.DataFrame):
            raise TypeError("a table gives a frame")
        return found


@contextmanager
def _no_panic(where: str) -> Iterator[None]:
    """Tell of a panic in polars, which is no Exception, that the data are not what it reads."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.PanicException, pl.exceptions.PolarsError) as error:
        first = str(error).partition("\n")[0]
        raise InvalidDataset(where, [f"polars cannot read it: {first}"]) from None


def _sentences(cases: pl.DataFrame, where: str) -> list[str]:
    sentences = []
    listed: dict[tuple[Any, Any], int] = {}
    for case in cases.iter_rows(named=True):
        key = (case["column"], case["check"])
        listed[key] = listed.get(key, 0) + 1
        if listed[key] > MOST:
            continue
        row = "" if case["index"] is None else f"row {case['index']}: "
        column = "" if case["column"] is None else f"column {case['column']}: "
        value = str(case["failure_case"])
        shown = value if len(value) <= 80 else value[:77] + "…"
        sentences.append(f"{where}: {row}{column}{case['check']}: {shown}")
    for (column, check), count in listed.items():
        if count > MOST:
            sentences.append(f"{where}: column {column}: {check}: {count - MOST} more rows")
    return sentences


def matrix(column: pl.Series, space: Sequence | Box) -> Num[np.ndarray, "n d"]:
    """An Array column as (n, d); empty cells become NaN, which no space accepts."""
    full = column.is_not_null().to_numpy()
    values = column.drop_nulls().explode().to_numpy().reshape(-1, space.dim)
    if full.all():
        return values
    matrix = np.full((len(column), space.dim), np.nan)
    matrix[full] = values
    return matrix
