"""Read .npy and .npz files, whose headers are checked before numpy sees them."""

from __future__ import annotations

import ast
import io
import math
import re
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

from mbo_hub.errors import InvalidFile, quoted
from mbo_hub.reading.recognition import LIMIT, too_large

__all__ = ["npy", "npz"]

_HEADER = 10_000  # bytes; numpy's own limit for files that are not trusted
_LENGTHS = {b"\1\0": "<H", b"\2\0": "<I", b"\3\0": "<I"}  # of the header, by version of the format
_DTYPE = re.compile(r"[<>|=]?([a-zA-Z?])(\d*)", re.ASCII)
_KINDS = {
    "O": "Python objects, which are never opened",
    "b": "true and false",
    "?": "true and false",
    "c": "complex numbers",
    "S": "bytes",
    "a": "bytes",
    "V": "raw bytes (bfloat16 is written so: convert it to float32 first)",
    "M": "dates",
    "m": "times",
}


def npy(raw: bytes, name: str) -> Any:
    """Read an array of numbers or text.

    Raises:
        InvalidFile: not a .npy file, of another kind of values, or not of the declared size.
    """
    header, at = _header(raw, name)
    try:
        declared = ast.literal_eval(header)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        declared = None
    if not isinstance(declared, dict) or declared.keys() != {"descr", "fortran_order", "shape"}:
        raise InvalidFile(f"{name}: a damaged .npy file: its header is no declaration of an array")
    shape = declared["shape"]
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise InvalidFile(f"{name}: a damaged .npy file: its shape is {quoted(repr(shape))}")
    dtype = _dtype(declared["descr"], name)
    expected, found = math.prod(shape) * dtype.itemsize, len(raw) - at
    if expected != found:
        raise InvalidFile(
            f"{name}: a damaged .npy file: {dtype} of shape {quoted(repr(shape))} are "
            f"{quoted(str(expected))} bytes, but it holds {found}"
        )
    if not expected:
        raise InvalidFile(f"{name}: it holds no designs (its shape is {quoted(repr(shape))})")
    if len(shape) > 3:
        raise InvalidFile(
            f"{name}: designs are an (n, d) array, not one of {len(shape)} dimensions"
        )
    array = np.frombuffer(raw, dtype, offset=at)
    if (
        dtype.kind == "U"
        and (array.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder)) > 0x10FFFF).any()
    ):
        raise InvalidFile(f"{name}: a damaged .npy file: it holds what is no letter")
    array = array.reshape(shape, order="F" if declared["fortran_order"] is True else "C")
    return array.astype(dtype.newbyteorder("="), copy=False)


def _header(raw: bytes, name: str) -> tuple[str, int]:
    """The header's text, and where the values begin."""
    version = raw[6:8]
    length = _LENGTHS.get(version)
    begin = 8 + struct.calcsize(length or "")
    if length is None or len(raw) < begin:
        raise InvalidFile(
            f"{name}: not a .npy file that numpy writes today (format {tuple(version)})"
        )
    (size,) = struct.unpack_from(length, raw, 8)
    if size > _HEADER or begin + size > len(raw):
        raise InvalidFile(f"{name}: a damaged .npy file: its header says to be {size} bytes long")
    return raw[begin : begin + size].decode("latin-1").strip(), begin + size


def _dtype(descr: object, name: str) -> np.dtype[Any]:
    """The type of the values, of which only numbers and text are read."""
    match = _DTYPE.fullmatch(descr) if isinstance(descr, str) else None
    if match is None or not isinstance(descr, str):
        raise InvalidFile(
            f"{name}: an array of records; save the designs alone, as an (n, d) array"
        )
    kind, size = match.groups()
    if kind not in "iufU":
        what = _KINDS.get(kind, f"values of kind {kind!r}")
        raise InvalidFile(f"{name}: it holds {what}; designs are numbers or text")
    try:
        dtype = np.dtype(descr)
    except (TypeError, ValueError, OverflowError):
        dtype = None
    if dtype is None or not dtype.itemsize or not size:
        raise InvalidFile(f"{name}: a damaged .npy file: no values have the type {quoted(descr)}")
    return dtype


def npz(raw: bytes, name: str, column: str | None) -> Any:
    """Read the one array of an archive, or the one that is called x or as `column` says.

    Raises:
        InvalidFile: a damaged or another archive, or several arrays of which none is called so.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entries = archive.infolist()
            content = _member(archive, _choose(entries, name, column), name)
    except (
        zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, LookupError,
        struct.error, OverflowError, MemoryError, ImportError,
    ) as error:  # fmt: skip
        if isinstance(error, InvalidFile):
            raise
        raise InvalidFile(f"{name}: a damaged zip archive: {quoted(str(error))}") from None
    if not content.startswith(b"\x93NUMPY"):
        raise InvalidFile(f"{name}: a damaged .npz file: its array is none")
    return npy(content, name)


def _choose(entries: list[zipfile.ZipInfo], name: str, column: str | None) -> zipfile.ZipInfo:
    names = [entry.filename for entry in entries]
    if "[Content_Types].xml" in names:
        raise InvalidFile(f"{name}: this is an Office document (Excel?); save the sheet as CSV")
    if any(n.endswith("data.pkl") for n in names):
        raise InvalidFile(f"{name}: this is a PyTorch file, which is never opened; save with numpy")
    if not names or not all(n.endswith(".npy") for n in names):
        raise InvalidFile(f"{name}: this is a zip archive; unpack it")
    arrays = [n.removesuffix(".npy") for n in names]
    wanted = column or (arrays[0] if len(arrays) == 1 else "x")
    if arrays.count(wanted) != 1:
        listed = ", ".join(quoted(n, 20) for n in arrays[:8])
        raise InvalidFile(
            f"{name}: this .npz file holds {len(arrays)} arrays ({listed}), "
            f"{'none' if wanted not in arrays else 'several'} of them called {quoted(wanted)}; "
            "name one with --column, or save the designs alone with numpy.save"
        )
    return entries[arrays.index(wanted)]


def _member(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> bytes:
    if entry.file_size > LIMIT:
        raise too_large(name)
    with archive.open(entry) as stream:
        content = stream.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise too_large(name)
    return content
