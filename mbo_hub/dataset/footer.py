"""How much a parquet file says to hold, read from its footer alone, before anything is decoded.

pyarrow tells the same (`ParquetFile.metadata.row_group(i).column(j)`), but of a damaged footer this
call of pyarrow 26 ends the process: its C++ exception is not caught. The footer is a structure of
Thrift's compact protocol, a page of which is read here:
https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

import struct
from typing import Any

__all__ = ["declared_values"]

_END = struct.Struct("<I4s")  # of the file: size of the footer, and the mark
_ROW_GROUPS, _COLUMNS, _META_DATA, _PATH, _NUM_VALUES = 4, 1, 3, 3, 5  # numbers of parquet.thrift
_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)


def declared_values(raw: bytes) -> dict[str, int]:
    """How many values the columns of a parquet file hold, by the name of the outermost column.

    Raises:
        ValueError: the footer is damaged.
    """
    try:
        size, mark = _END.unpack(raw[-_END.size :])
        if mark != b"PAR1" or size > len(raw) - _END.size:
            raise ValueError("no footer at its end")
        footer = _Compact(raw[len(raw) - _END.size - size : -_END.size]).structure()
        values: dict[str, int] = {}
        for group in footer[_ROW_GROUPS]:
            for column in group[_COLUMNS]:
                declared = column[_META_DATA]
                name = declared[_PATH][0].decode()
                values[name] = values.get(name, 0) + max(0, declared[_NUM_VALUES])
    except (struct.error, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"damaged footer ({type(error).__name__})") from None
    return values


class _Compact:
    """Reads values of Thrift's compact protocol, one after the other."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

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
        self._at += 1
        return self._raw[self._at - 1]

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
        if size > len(self._raw) - self._at:
            raise IndexError("beyond the end")
        self._at += size
        return self._raw[self._at - size : self._at]

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
