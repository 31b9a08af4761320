"""How much a parquet file says to hold, read before anything of it is decoded.

The rows and columns come from the footer; the values and bytes of each column from the heads of its
pages, which is what a reader goes by: a footer may promise less. pyarrow tells the former as well,
but of a damaged footer that call of pyarrow 26 ends the process: its C++ exception is not caught.
All of it are structures of Thrift's compact protocol, a page of which is read here:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

__all__ = ["Column", "Contents", "contents", "declared_values"]

_BYTE_ARRAY = 6  # the physical type of texts

_END = struct.Struct("<I4s")  # of the file: size of the footer, and the mark
# Numbers of fields in parquet.thrift.
_ROWS, _ROW_GROUPS, _COLUMNS, _META_DATA, _GROUP_ROWS = 3, 4, 1, 3, 3  # FileMetaData, RowGroup
_PATH, _NUM_VALUES, _COMPRESSED, _DATA_PAGE, _DICTIONARY_PAGE = 3, 5, 7, 9, 11  # ColumnMetaData
_PHYSICAL = 1  # ColumnMetaData
_TYPE, _BYTES, _BYTES_COMPRESSED, _V1, _V2 = 1, 2, 3, 5, 8  # PageHeader
_DATA_V1, _DATA_V2 = 0, 3  # types of pages
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


@dataclass(frozen=True)
class Column:
    """What the heads of a column's pages say.

    Attributes:
        values: how many there are, empty ones included.
        bytes: how many its pages have once they are unpacked.
        texts: paths of its leaves that hold texts or bytes, whose lengths no page tells.
    """

    values: int
    bytes: int
    texts: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Contents:
    """How much a parquet file says to hold.

    Attributes:
        rows: how many.
        columns: each by the name of the outermost column.
    """

    rows: int
    columns: dict[str, Column]


def contents(raw: bytes) -> Contents:
    """Read how much a parquet file says to hold.

    Raises:
        ValueError: the footer, or the head of a page, is damaged, or they contradict each other.
    """
    try:
        footer = _footer(raw)
        columns: dict[str, Column] = {}
        for group in footer[_ROW_GROUPS]:
            for column in group[_COLUMNS]:
                declared = column[_META_DATA]
                name = declared[_PATH][0].decode()
                values, size = _pages(raw, declared)
                path = b".".join(declared[_PATH]).decode()
                texts = {path} if declared[_PHYSICAL] == _BYTE_ARRAY else set()
                before = columns.get(name, Column(0, 0))
                columns[name] = Column(
                    before.values + values, before.bytes + size, before.texts | texts
                )
        rows = footer[_ROWS]
        in_groups = sum(group[_GROUP_ROWS] for group in footer[_ROW_GROUPS])
    except (struct.error, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"damaged ({type(error).__name__})") from None
    if rows != in_groups or rows < 0:
        raise ValueError(f"damaged: {rows} rows, but {in_groups} in its row groups")
    return Contents(rows, columns)


def declared_values(raw: bytes) -> dict[str, int]:
    """How many values the columns of a parquet file hold, by the name of the outermost column.

    Raises:
        ValueError: as `contents`.
    """
    return {name: column.values for name, column in contents(raw).columns.items()}


def _footer(raw: bytes) -> dict[int, Any]:
    size, mark = _END.unpack(raw[-_END.size :])
    if mark != b"PAR1" or size > len(raw) - _END.size:
        raise ValueError("no footer at its end")
    return _Compact(raw, len(raw) - _END.size - size, len(raw) - _END.size).structure()


def _pages(raw: bytes, declared: dict[int, Any]) -> tuple[int, int]:
    """Add up the values and the unpacked bytes of a column's pages in one row group."""
    if not declared[_NUM_VALUES]:
        return 0, 0  # some writers then name no page, others one at 0
    at = min(declared[_DATA_PAGE], declared.get(_DICTIONARY_PAGE) or declared[_DATA_PAGE])
    end = at + declared[_COMPRESSED]
    if not 0 <= at <= end <= len(raw):
        raise ValueError("damaged: a column lies outside of the file")
    values = size = 0
    while at < end:
        reader = _Compact(raw, at, end)
        head = reader.structure()
        packed, unpacked = head[_BYTES_COMPRESSED], head[_BYTES]
        if packed < 0 or unpacked < 0:
            raise ValueError("damaged: a page of negative size")
        size += unpacked
        if head[_TYPE] in (_DATA_V1, _DATA_V2):
            inside = head[_V1 if head[_TYPE] == _DATA_V1 else _V2][1]
            if inside < 0:
                raise ValueError("damaged: a page of negative length")
            values += inside
        at = reader.at + packed
    if values != declared[_NUM_VALUES]:
        raise ValueError(f"damaged: {declared[_NUM_VALUES]} values, but {values} in its pages")
    return values, size


class _Compact:
    """Reads values of Thrift's compact protocol, one after the other."""

    def __init__(self, raw: bytes, at: int, end: int) -> None:
        self._raw = raw
        self._end = end
        self.at = at

    def structure(self) -> dict[int, Any]:
        """Fields by their number."""
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            delta = kind >> 4
            number = number + delta if delta else self._integer()
            fields[number] = self._value(kind & 15)
        return fields

    def _byte(self) -> int:
        if self.at >= self._end:
            raise IndexError("beyond the end")
        self.at += 1
        return self._raw[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128 or shift > 63:
                return value

    def _integer(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)  # zigzag

    def _bytes(self, size: int) -> bytes:
        if size > self._end - self.at:
            raise IndexError("beyond the end")
        self.at += size
        return self._raw[self.at - size : self.at]

    def _value(self, kind: int, *, in_list: bool = False) -> Any:
        if kind in (_TRUE, _FALSE):
            return self._byte() == _TRUE if in_list else kind == _TRUE
        if kind == _BYTE:
            return self._byte()
        if kind in (_I16, _I32, _I64):
            return self._integer()
        if kind == _DOUBLE:
            return self._bytes(8)
        if kind == _BINARY:
            return self._bytes(self._varint())
        if kind in (_LIST, _SET):
            head = self._byte()
            size = head >> 4 if head >> 4 < 15 else self._varint()
            return [self._value(head & 15, in_list=True) for _ in range(size)]
        if kind == _MAP:
            size = self._varint()
            kinds = self._byte() if size else 0
            return [
                (self._value(kinds >> 4, in_list=True), self._value(kinds & 15, in_list=True))
                for _ in range(size)
            ]
        if kind == _STRUCT:
            return self.structure()
        raise LookupError(f"no kind {kind}")
