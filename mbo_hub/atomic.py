"""Write a file or a folder whole or not at all: beside its place first, then a rename."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

__all__ = ["new_folder", "write_file", "write_folder"]


def _beside(target: Path) -> Path:
    return target.with_name(f".{target.name}.{uuid4().hex}.tmp")


def write_file(target: Path, content: bytes) -> None:
    """Write a file, replacing the one that is there.

    Raises:
        OSError: the folder is missing or cannot be written; the old file is as it was.
    """
    temporary = _beside(target)
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it takes its place when the block ends without an error.

    Args:
        target: must not exist, except as an empty folder. Its parents are made.

    Raises:
        OSError: the place cannot be written, or is taken; nothing of the new folder stays.
    """
    import shutil

    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder.

    Args:
        target: must not exist, except as an empty folder. Its parents are made.
        files: contents by path inside the folder, with forward slashes.

    Raises:
        OSError: the place cannot be written, or is taken; nothing of the new folder stays.
    """
    with new_folder(target) as fresh:
        for file, content in files.items():
            (fresh / file).parent.mkdir(parents=True, exist_ok=True)
            (fresh / file).write_bytes(content)
