"""Write a file or a folder whole or not at all: beside its place first, then a rename.

A process that is killed leaves what it was writing, and its scratch folder. Both are removed by the
next one that writes to the same folder, or needs scratch: by their names, which nobody else gives.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

__all__ = ["new_folder", "scratch_folder", "write_file", "write_folder"]

DAY = 86_400.0  # seconds
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}\.tmp", re.DOTALL)


def _beside(target: Path) -> Path:
    _sweep(target.parent.absolute())
    return target.with_name(f".{target.name}.{uuid4().hex}.tmp")


@cache
def _sweep(folder: Path) -> None:
    """Remove what a process that was killed a day ago or earlier was writing; once a process."""
    with suppress(OSError):
        for found in os.scandir(folder):
            if _UNFINISHED.fullmatch(found.name) and _is_old(found):
                _remove(Path(found.path))


def _is_old(found: os.DirEntry[str]) -> bool:
    with suppress(OSError):
        return time.time() - found.stat(follow_symlinks=False).st_mtime > DAY
    return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def _named(temporary: Path, target: Path) -> Iterator[None]:
    """Call the target by its name where the system calls it by that of the temporary, or by none.

    A full disk, for example, has no name: the system does not know which file was being written.
    """
    try:
        yield
    except OSError as error:
        known = isinstance(error.filename, str | bytes)
        name = Path(os.fsdecode(error.filename)) if known else temporary
        if error.errno is None or not name.is_relative_to(temporary):
            raise
        told = str(target / name.relative_to(temporary))
        raise OSError(error.errno, error.strerror, told) from None


def write_file(target: Path, content: bytes) -> None:
    """Write a file, replacing the one that is there.

    Raises:
        OSError: the folder is missing or cannot be written, or is full; it names the target. The
            old file is as it was.
    """
    temporary = _beside(target)
    try:
        with _named(temporary, target):
            temporary.write_bytes(content)
            temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it takes its place when the block ends without an error.

    Args:
        target: must not exist, except as an empty folder. Its parents are made.

    Raises:
        OSError: the place cannot be written, or is taken, or full; it names the target, or a file
            in it. Nothing of the new folder stays.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _beside(target)
    with _named(temporary, target):
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
        OSError: the place cannot be written, or is taken, or full; it names the target, or a file
            in it. Nothing of the new folder stays.
    """
    with new_folder(target) as fresh:
        for file, content in files.items():
            with _named(fresh / file, fresh / file):
                (fresh / file).parent.mkdir(parents=True, exist_ok=True)
                (fresh / file).write_bytes(content)


def scratch_folder(prefix: str) -> tempfile.TemporaryDirectory[str]:
    """Make a folder for temporary files, and remove those of processes that are gone.

    Args:
        prefix: of its name, such as ``mbo-run-``; behind it come this machine and process.

    Raises:
        OSError: there is no place for one.
    """
    machine = re.sub(r"[^A-Za-z0-9.]", "", platform.node())[:40]
    own = f"{prefix}{machine}-"
    ours = re.compile(rf"{re.escape(own)}([0-9]+)-\w+")
    with suppress(OSError):
        for found in os.scandir(tempfile.gettempdir()):
            named = ours.fullmatch(found.name)
            if named is not None and not _is_running(int(named[1])):
                _remove(Path(found.path))
    return tempfile.TemporaryDirectory(prefix=f"{own}{os.getpid()}-")


def _is_running(process: int) -> bool:
    if sys.platform == "win32":  # where asking would end it
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # of another user
        return True
    return True
