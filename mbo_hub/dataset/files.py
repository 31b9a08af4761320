"""Open files that strangers wrote: regular ones, of bounded size, and named for what they are.

Every file of a dataset folder, a receipt, a card comes in through `read`, and every JSON document
through `json`. What they refuse they name in a sentence without a subject ("is a Git LFS pointer"),
so that the caller says which file it was and what to do.
"""

from __future__ import annotations

import os
import re
import stat
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

from mbo_hub.errors import InvalidFile

__all__ = ["LARGEST", "is_there", "json", "limit_of", "mistaken", "read", "text", "what_happened"]

LARGEST = 2**31  # bytes of a file whose size nobody declared: as much as protobuf allows a model
_DOCUMENT = 2**25  # … of a document: JSON, Markdown
_DEPTH = 50  # of JSON; task.json has 6

# First bytes of what is often found in a file's place, what it is, and the way out.
_DOWNLOAD = "download the file itself: …/resolve/…, not …/blob/…"
_MISTAKEN = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file; get that with  git lfs pull"),
    (b"\xff\xfe", "is text in UTF-16 or UTF-32, as Windows writes it; save it as UTF-8"),
    (b"\xfe\xff", "is text in UTF-16, as Windows writes it; save it as UTF-8"),
    (b"\0\0\xfe\xff", "is text in UTF-32; save it as UTF-8"),
    (b"\x1f\x8b", "is compressed with gzip; unpack it"),
    (b"PK\x03\x04", "is a zip archive; unpack it"),
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it"),
    (b"BZh91AY&SY", "is compressed with bzip2; unpack it"),
    (b"\xfd7zXZ\0", "is compressed with xz; unpack it"),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")
_KINDS: dict[int, str] = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def read(path: Path, at_most: int | None = None) -> bytes:
    """Read a regular file.

    Args:
        path: of the file; links are followed.
        at_most: bytes that it may have; None: 32 MiB of JSON and Markdown, 2 GiB of anything else.

    Raises:
        InvalidFile: not there, not readable, not a regular file, or larger; without its name.
    """
    limit = limit_of(path) if at_most is None else at_most
    try:
        # A pipe would keep us waiting for whoever writes into it, and opening a device may act.
        _must_be_regular(path.stat())
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as stream:
            there = os.fstat(stream.fileno())
            _must_be_regular(there)
            if there.st_size > limit:
                raise _too_large(there.st_size, limit)
            raw = stream.read(there.st_size + 1)
            while len(raw) <= limit and (more := stream.read(2**20)):  # it grows as we read
                raw += more
    except InvalidFile:
        raise
    except OSError as error:
        raise InvalidFile(f"cannot be read ({error.strerror})") from None
    except ValueError as error:  # a null character in its name
        raise InvalidFile(f"cannot be read ({error})") from None
    if len(raw) > limit:
        raise _too_large(len(raw), limit)
    return raw


def limit_of(path: Path) -> int:
    """How many bytes a file may have of which nobody says more than its name."""
    return _DOCUMENT if path.suffix in (".json", ".md") else LARGEST


def is_there(path: Path) -> bool:
    """Whether something is there to be read, or to be told that it may not be read."""
    try:
        return path.exists()
    except PermissionError:
        return True
    except OSError:  # a name too long, for example
        return False


def _must_be_regular(found: os.stat_result) -> None:
    kind = stat.S_IFMT(found.st_mode)
    if kind != stat.S_IFREG:
        raise InvalidFile(f"is {_KINDS.get(kind, 'something else')}, not a regular file")


def _too_large(size: int, limit: int) -> InvalidFile:
    return InvalidFile(f"has {size:,} bytes, more than the {limit:,} that it may have")


def mistaken(raw: bytes) -> str | None:
    """Say what content is that was meant to be a file of some format, where that is clear.

    Returns:
        A sentence without its subject, with the way out; None where nothing is clear.
    """
    if not raw:
        return "is empty; get it again"
    for start, what in _MISTAKEN:
        if raw.startswith(start):
            return what
    if raw[:1000].removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_PAGES):
        return f"is a web page; {_DOWNLOAD}"
    return None


def what_happened(raw: bytes, expected: str) -> str | None:
    """Say how content came to have another sha256, where that is clear; else None."""
    if sha256(raw.replace(b"\r\n", b"\n")).hexdigest() == expected:
        return (
            "has other line ends, as git with core.autocrlf makes them; clone again with  "
            "git clone -c core.autocrlf=false"
        )
    return mistaken(raw)


def text(raw: bytes) -> str:
    """Decode UTF-8.

    Raises:
        InvalidFile: it is something else; names the first such byte and its line.
    """
    what = mistaken(raw) if raw else None
    if what is not None:
        raise InvalidFile(what)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise InvalidFile(
            f"is not UTF-8: line {line} has the byte 0x{byte:02x}; save it as UTF-8"
        ) from None


def json(raw: bytes) -> Any:
    """Read JSON as every parser reads it.

    Refuses what parsers differ in, or what does harm further on: names that stand twice in one
    object, NaN and infinities, nesting beyond 50 levels, control characters, halves of surrogate
    pairs.

    Raises:
        InvalidFile: it is something else; says where.
    """
    from json import JSONDecodeError, loads

    if not raw.strip():
        raise InvalidFile("is empty; get it again")
    written = text(raw)
    if written.startswith("\ufeff"):
        raise InvalidFile("starts with a byte order mark; save it as UTF-8 without one")
    try:
        document = loads(written, object_pairs_hook=_object, parse_constant=_no_number)
    except JSONDecodeError as error:
        raise InvalidFile(
            f"is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        ) from None
    except RecursionError:
        raise InvalidFile("is nested too deeply") from None
    except ValueError as error:  # NaN, or an integer of more than 4,300 digits
        raise InvalidFile(f"is not JSON: {str(error).partition(';')[0]}") from None
    if _is_deep(written):
        raise InvalidFile(f"is nested too deeply: more than {_DEPTH} levels")
    path: list[str | int] = []
    what = _fault(document, path)
    if what is not None:
        raise InvalidFile(f"{what[0]}{_at(path)}{what[1]}")
    return document


# C0 but for tab and line ends, DEL, C1, and halves of surrogate pairs.
_CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


class _Twice(dict[str, Any]):
    """An object in which a name stands twice."""

    name: str


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    twice, seen = _Twice(found), set()
    for name, _ in pairs:
        if name in seen:
            twice.name = name
            break
        seen.add(name)
    return twice


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is not a number there")


def _is_deep(written: str) -> bool:
    """Whether JSON, already known to be some, is nested too deeply."""
    if written.count("[") + written.count("{") <= _DEPTH:
        return False
    depth = 0
    for found in re.finditer(r'"(?:[^"\\]|\\.)*"|[\[\]{}]', written):
        if found[0] in "[{":
            depth += 1
            if depth > _DEPTH:
                return True
        elif found[0] in "]}":
            depth -= 1
    return False


def _fault(value: Any, path: list[str | int]) -> tuple[str, str] | None:
    """Find what a document may not have.

    Args:
        value: the document; nested no deeper than 50 levels.
        path: gets the names and numbers on the way to what is found, which nobody else needs: a
            document may have a million values, and the place of each may be long.

    Returns:
        What it has, and the way out if there is one, around the place; None where all is well.
    """
    if isinstance(value, dict):
        if isinstance(value, _Twice):
            return f"has {_shown(value.name)!r} twice", "; keep one"
        for name, inner in value.items():
            if (found := _CONTROL.search(name)) is not None:
                return _control(found)
            if (what := _fault_inside(name, inner, path)) is not None:
                return what
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            if (what := _fault_inside(at, inner, path)) is not None:
                return what
    elif isinstance(value, str):
        if (found := _CONTROL.search(value)) is not None:
            return _control(found)
    elif isinstance(value, float) and not isfinite(value):
        return "has a number beyond the range of floating point", ""
    return None


def _fault_inside(step: str | int, value: Any, path: list[str | int]) -> tuple[str, str] | None:
    if isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
        return None  # most of what there is
    path.append(step)
    what = _fault(value, path)
    if what is None:
        path.pop()
    return what


def _control(found: re.Match[str]) -> tuple[str, str]:
    return f"has the control character U+{ord(found[0]):04X}", ""


def _shown(name: str) -> str:
    return _CONTROL.sub("�", name[:80])


def _at(path: list[str | int]) -> str:
    steps = (f"[{step}]" if isinstance(step, int) else f".{_shown(step)}" for step in path)
    place = "".join(steps).removeprefix(".")
    return f" at `{place[:80]}`" if place else ""
