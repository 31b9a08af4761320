"""Tell what a file is by its first bytes, and unpack gzip; what cannot be read gets its name."""

from __future__ import annotations

import re
import zlib
from typing import Literal

import msgspec

from mbo_hub.errors import InvalidFile
from mbo_hub.spaces import Box, Sequence

__all__ = ["LIMIT", "Format", "most_designs", "recognize", "too_large", "unzip"]

LIMIT = 2**27  # bytes that a file of designs may be, or become when it is unpacked: 128 MiB

_ZEROS = re.compile(rb"\0*")  # between members of a gzip file
Format = Literal["parquet", "npy", "npz", "fasta", "text"]
_READ: tuple[tuple[bytes, Format], ...] = (
    (b"PAR1", "parquet"),
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "npz"),
    (b"PK\x05\x06", "npz"),
)
# What else people hand in: its first bytes, its name, and the way out.
_CSV = "write the designs as CSV, .npy or parquet"
_REFUSED = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file", "get that with  git lfs pull"),
    (b"\xff\xfe\0\0", "text in UTF-32", "save it as UTF-8"),
    (b"\0\0\xfe\xff", "text in UTF-32", "save it as UTF-8"),
    (b"\xff\xfe", "text in UTF-16, as Windows writes it", "save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16, as Windows writes it", "save it as UTF-8"),
    (b"BZh91AY&SY", "compressed with bzip2", "unpack it, or compress it with gzip"),
    (b"\xfd7zXZ\0", "compressed with xz", "unpack it, or compress it with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it, or compress it with gzip"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it"),
    (b"\x89HDF\r\n\x1a\n", "HDF5", _CSV),
    (b"ARROW1\0\0", "Arrow (Feather)", _CSV),
    (b"\xff\xff\xff\xff", "an Arrow stream", _CSV),
    (b"MATLAB 5.0", "MATLAB's .mat", _CSV),
    (b"SQLite format 3\0", "an SQLite database", _CSV),
    (b"\xd0\xcf\x11\xe0", "an old Office document", "save the sheet as CSV"),
    (b"Obj\x01", "Avro", _CSV),
    (b"%PDF-", "a PDF", _CSV),
    (b"\x89PNG", "a picture", _CSV),
    (b"\x80\x02", "a Python pickle, which is never opened", _CSV),
    (b"\x80\x03", "a Python pickle, which is never opened", _CSV),
    (b"\x80\x04", "a Python pickle, which is never opened", _CSV),
    (b"\x80\x05", "a Python pickle, which is never opened", _CSV),
)  # fmt: skip
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


def too_large(name: str) -> InvalidFile:
    """The error for a file that is, or would become, larger than `LIMIT`."""
    return InvalidFile(
        f"{name}: more than {LIMIT // 2**20} MiB of designs; score them in several files"
    )


def most_designs(space: Sequence | Box) -> int:
    """How many designs of a space take `LIMIT` bytes."""
    return LIMIT // (space.dim * space.dtype.itemsize)


def recognize(raw: bytes, name: str) -> Format:
    """Tell the format of a file that is not compressed.

    Raises:
        InvalidFile: it is none that designs are read from; says which, and the way out.
    """
    for start, kind in _READ:
        if raw.startswith(start):
            return kind
    for start, what, advice in _REFUSED:
        if raw.startswith(start):
            raise InvalidFile(f"{name}: this is {what}; {advice}")
    head = raw[:1000].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(_PAGES):
        raise InvalidFile(
            f"{name}: this is a web page, not the file itself; on the Hub, download the file from "
            "…/resolve/…, not from …/blob/…"
        )
    if head.startswith((b"{", b"[")) and _is_json(raw):
        raise InvalidFile(f"{name}: this is JSON; {_CSV}")
    return "fasta" if head.startswith(b">") else "text"


def _is_json(raw: bytes) -> bool:
    """Whether the file, or its first line, is JSON; a SMILES may begin with a bracket, too."""
    for part in (raw, raw.lstrip().partition(b"\n")[0]):
        try:
            msgspec.json.decode(part.removeprefix(b"\xef\xbb\xbf"))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            continue
        return True
    return False


def unzip(raw: bytes, name: str) -> bytes:
    """Unpack gzip, one level of it; anything else comes back as it is.

    Raises:
        InvalidFile: damaged, or it would become larger than `LIMIT`.
    """
    if not raw.startswith(b"\x1f\x8b"):
        return raw
    parts, size, at = [], 0, 0
    try:
        while at < len(raw):
            stream, step = zlib.decompressobj(wbits=31), 2**10  # there may be many small members
            while not stream.eof:
                if at == len(raw):
                    raise InvalidFile(f"{name}: the gzip file is cut off; get it again")
                piece = raw[at : at + step]
                part = stream.decompress(piece, LIMIT + 1 - size)
                size += len(part)
                if size > LIMIT:
                    raise too_large(name)
                parts.append(part)
                at += len(piece) - len(stream.unused_data)
                step = min(4 * step, 2**20)
            zeros = _ZEROS.match(raw, at)
            at = zeros.end() if zeros else at
    except zlib.error as error:
        raise InvalidFile(f"{name}: a damaged gzip file: {error}") from None
    unpacked = b"".join(parts)
    if unpacked.startswith(b"\x1f\x8b"):
        raise InvalidFile(f"{name}: compressed with gzip twice; unpack it once")
    return unpacked
