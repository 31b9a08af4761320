"""Files and folders that are written whole or not at all, and what a killed process leaves."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mbo_hub import atomic
from mbo_hub.atomic import scratch_folder, write_file, write_folder

OLD = time.time() - 2 * atomic.DAY
CODES = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT)


def a_file(place: Path) -> None:
    write_file(place, b"it")


def a_folder(place: Path) -> None:
    write_folder(place, {"data/train.parquet": b"it"})


@pytest.mark.parametrize("code", CODES, ids=errno.errorcode.get)
@pytest.mark.parametrize(
    ("call", "named"), [(a_file, "here"), (a_folder, "here/data/train.parquet")]
)
@pytest.mark.parametrize("where", ["write_bytes", "mkdir", "replace", "rename"])
def test_what_could_not_be_written_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[Path], None],
    named: str,
    where: str,
    code: int,
) -> None:
    """Not the hidden temporary, whether the system names that or, of a full disk, nothing."""
    monkeypatch.chdir(tmp_path)
    before = getattr(Path, where)

    def fail(path: Path, *arguments: object, **options: object) -> object:
        if ".tmp" not in str(path):
            return before(path, *arguments, **options)
        raise OSError(code, os.strerror(code), *([] if code == errno.ENOSPC else [str(path)]))

    monkeypatch.setattr(Path, where, fail)
    if where in ("replace", "rename", "mkdir") and (call is a_file) == (where != "replace"):
        return  # nothing of this kind is called
    with pytest.raises(OSError, match="here") as raised:
        call(Path("here"))
    expected = named if where == "write_bytes" else "here"
    assert (raised.value.errno, raised.value.filename) == (code, expected)
    monkeypatch.undo()
    assert list(tmp_path.iterdir()) == []


def leave(folder: Path, name: str, age: float) -> Path:
    path = folder / name
    if "folder" in name:
        (path / "inside").mkdir(parents=True)
    else:
        path.write_bytes(b"it")
    os.utime(path, (age, age))
    return path


def test_what_a_killed_process_was_writing_goes_a_day_later(tmp_path: Path) -> None:
    """And nothing else: names that others give, links, and what may still be written."""
    digits = "0123456789abcdef" * 2
    gone = [leave(tmp_path, f".{what}.{digits}.tmp", OLD) for what in ("y.json", "a folder", "a.b")]
    kept = [
        leave(tmp_path, f".new.{digits}.tmp", time.time()),
        *(
            leave(tmp_path, name, OLD)
            for name in (
                ".x.tmp", "x.tmp", f"x.{digits}.tmp", f".x.{digits[:-1]}.tmp", f".x.{digits}.tmp2",
                f".x.{digits.upper()}.tmp", f".{digits}.tmp", "folder.tmp",
            )
        ),
    ]  # fmt: skip
    write_file(tmp_path / "new", b"it")
    assert not [path for path in gone if path.exists()]
    assert [path for path in kept if not path.exists()] == []
    assert (tmp_path / "new").read_bytes() == b"it"


def test_a_folder_that_cannot_be_swept_is_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "not for you")

    leave(tmp_path, f".x.{'0' * 32}.tmp", OLD)
    monkeypatch.setattr(os, "unlink", refuse)
    monkeypatch.setattr(atomic.os, "scandir", refuse)
    write_file(tmp_path / "new", b"it")
    assert (tmp_path / "new").read_bytes() == b"it"


@pytest.mark.skipif(sys.platform == "win32", reason="nobody asks for processes there")
def test_the_scratch_of_processes_that_are_gone_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    code = (
        "import os; from mbo_hub.atomic import scratch_folder; "
        "kept = scratch_folder('mbo-run-'); print(kept.name, flush=True); os.kill(os.getpid(), 9)"
    )
    left = Path(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip()
    )
    assert left.is_dir()
    (left / "plan.json").write_bytes(b"{}")
    others = [
        tmp_path / name for name in ("mbo-run-", "mbo-run-x", left.name.replace("mbo", "abc"))
    ]
    others.append(tmp_path / f"mbo-run-another.machine-{left.name.split('-')[-2]}-abcdefgh")
    for path in others:
        path.mkdir()
    with scratch_folder("mbo-run-") as name, scratch_folder("mbo-run-") as second:
        assert not left.exists()
        assert all(path.is_dir() for path in (*others, Path(name), Path(second)))
    assert {path for path in tmp_path.iterdir() if path.is_dir()} == set(others)
