"""Building into a user's cache: whole or not at all."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import RAW, ROOT
from raw_server import RawServer

import mbo_hub
from mbo_hub import (
    DownloadFailed,
    HubUnavailable,
    IntegrityError,
    InvalidDataset,
    InvalidFile,
    UnknownTask,
    validate,
)
from mbo_hub.archive.cache import state_of_data
from mbo_hub.making import assembly, sources
from mbo_hub.making.assembly import build_in_cache
from mbo_hub.publishing import validation
from mbo_hub.tasks import TASKS
from mbo_hub.tasks.spec import TaskSpec

NAME = "superconductor"
SPEC = TASKS[NAME]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of mbo_hub's own."""
    monkeypatch.setenv("MBO_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def built(cache: Path, build_cache: Callable[[str], Path]) -> Path:
    """A cache in which the task is built, to be broken; gives the dataset folder in it."""
    shutil.copytree(build_cache(NAME), cache)
    return cache / NAME / "v1.0.0"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def no_build(*arguments: object) -> None:
    pytest.fail("built, though there was nothing to do")


def test_the_folder_is_the_dataset_as_it_is_on_the_hub(built: Path) -> None:
    """It is valid, too: test_every_task.py."""
    found = contents(built)
    card = contents(ROOT / "dataset_cards" / NAME)
    assert {file: found[file] for file in card} == card
    assert set(found) - set(card) == {"data/train.parquet", "data/test.parquet"}
    assert mbo_hub.load(built).name == NAME  # also as an explicit folder


def test_what_is_there_is_not_built_again(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in built.rglob("*")}
    monkeypatch.setattr(sources, "fetch", no_build)
    monkeypatch.setattr(assembly, "assemble", no_build)
    assert build_in_cache(TASKS, NAME) == built
    assert build_in_cache(TASKS, f"mbo/{NAME}", Path("nowhere")) == built
    assert {path: path.stat().st_mtime_ns for path in built.rglob("*")} == before


def test_two_builds_at_once_are_one(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one leaves what the faster one made, which somebody may be reading."""
    away = built.with_name("away")
    built.rename(away)

    def slow(*arguments: object) -> dict[str, bytes]:
        files = assemble(*arguments)
        away.rename(built)
        return files

    assemble = assembly.assemble
    inode = away.stat().st_ino
    monkeypatch.setattr(assembly, "assemble", slow)
    assert build_in_cache(TASKS, NAME, RAW / NAME) == built
    assert built.stat().st_ino == inode
    assert [p.name for p in built.parent.iterdir()] == ["v1.0.0"]


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize("file", ["data/train.parquet", "data/test.parquet", "task.json"])
def test_a_damaged_build_is_named_and_built_again(built: Path, file: str) -> None:
    """Three ways of damage: a bit, a missing file, a declaration of another release."""
    path, good = built / file, contents(built)
    if file == "data/train.parquet":
        flip(path)
    elif file == "data/test.parquet":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b"Superconductor", b"Semiconductor"))
    (built / "leftover.txt").write_text("of the damaged one")
    with pytest.raises((IntegrityError, InvalidDataset)) as caught:
        mbo_hub.load(NAME).hidden  # noqa: B018
    assert "uild it again with  mbo build superconductor" in str(caught.value)
    assert build_in_cache(TASKS, NAME, RAW / NAME) == built
    assert contents(built) == good
    assert mbo_hub.load(NAME).hidden[0].shape == (4249, 86)


def test_another_writers_bytes_are_the_same_data(
    built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another version of pyarrow writes the same values in other bytes."""
    path = built / "data" / "train.parquet"
    frame = pl.read_parquet(path)
    frame.write_parquet(path, compression="snappy", row_group_size=5000)
    task = mbo_hub.load(NAME)
    assert task.x.shape == (17014, 86)
    monkeypatch.setattr(validation, "MEASURED", 0)  # distances are those of the other bytes
    assert validate(built) == []
    monkeypatch.setattr(sources, "fetch", no_build)
    build_in_cache(TASKS, NAME)  # leaves it alone
    changed = frame.with_columns(y=pl.when(pl.int_range(pl.len()) == 9).then(1.0)
                                 .otherwise(pl.col("y")).cast(pl.Float32))  # fmt: skip
    changed.write_parquet(path)
    with pytest.raises(IntegrityError, match=r"train\.parquet: sha256 expected"):
        mbo_hub.load(NAME)


# --------------------------------------------------------- failures that leave nothing half-built


def small(build: Callable[[bytes], pl.DataFrame] = SPEC.build) -> Mapping[str, TaskSpec]:
    """The registry with another builder of the task, for raw files of a few rows."""
    return {NAME: replace(SPEC, build=build)}


HEADER = ",".join([*SPEC.space.columns, "critical_temp", "material"])
ROW = ",".join(["1"] * 86 + ["74.0", "H1He1"])


def with_raw(specs: Mapping[str, TaskSpec], folder: Path, raw: bytes) -> dict[str, TaskSpec]:
    """Put a raw file into a folder and declare it as the right one."""
    folder.mkdir(parents=True)
    (folder / "unique_m.csv").write_bytes(raw)
    spec = specs[NAME]
    return {NAME: replace(spec, raw=replace(spec.raw, member_sha256=sha256(raw).hexdigest()))}


def test_other_values_than_the_declared_ones_are_refused(cache: Path, tmp_path: Path) -> None:
    """The raw file is the declared one, but what is built from it is not."""
    specs = with_raw(small(), tmp_path / "raw", f"{HEADER}\n{ROW}\n{ROW}\n".encode())
    with pytest.raises(IntegrityError) as caught:
        build_in_cache(specs, NAME, tmp_path / "raw")
    assert str(caught.value).startswith(
        "superconductor: data/train.parquet has other values than those of v1.0.0, though the raw "
    )
    assert str(caught.value).endswith("Nothing was written")
    assert not cache.exists()


def test_one_wrong_value_in_21263_rows_is_refused(
    cache: Path, build_cache: Callable[[str], Path]
) -> None:
    build_cache(NAME)  # skips where there is no raw file

    def other(raw: bytes) -> pl.DataFrame:
        frame = SPEC.build(raw)
        y = frame["y"].to_numpy().copy()
        y[12345] = np.nextafter(y[12345], np.float32(0))
        return frame.with_columns(y=pl.Series(y))

    with pytest.raises(IntegrityError, match="has other values than those of v1"):
        build_in_cache(small(other), NAME, RAW / NAME)
    assert not cache.exists()


def test_rows_that_are_no_designs_are_all_listed(cache: Path, tmp_path: Path) -> None:
    bad = [
        ROW.replace("1", "-1", 1),
        ROW.replace("1", "nan", 1),
        ",".join(["0"] * 86 + ["9.0", "nothing"]),
        ROW.replace("74.0", ""),
    ]
    raw = "\n".join([HEADER, ROW, *bad, ""]).encode()
    specs = with_raw(small(), tmp_path / "raw", raw)
    with pytest.raises(InvalidDataset) as caught:
        build_in_cache(specs, NAME, tmp_path / "raw")
    for row, column in ((1, "x"), (2, "x"), (3, "x"), (4, "y")):
        start = f"superconductor: row {row}: column {column}: "
        assert any(p.startswith(start) for p in caught.value.problems), (start, caught.value)
    assert len(caught.value.problems) == 4
    assert not cache.exists()


@pytest.mark.parametrize("file", ["train.parquet", "task.json"])
def test_a_disk_that_is_full_leaves_nothing(
    built: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    def full(self: Path, content: bytes) -> int:
        if self.name == file:
            raise OSError(28, "No space left on device", str(self))
        return write(self, content)

    write = Path.write_bytes
    shutil.rmtree(built)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            build_in_cache(TASKS, NAME, RAW / NAME)
    assert list(built.parent.iterdir()) == []
    with pytest.raises(HubUnavailable, match="mbo build superconductor"):
        mbo_hub.load(NAME)


def test_a_killed_build_leaves_nothing_that_loads(cache: Path, tmp_path: Path) -> None:
    """What a process was writing when it died lies under another name, and disturbs nobody."""
    (cache / NAME / ".v1.0.0.0123456789abcdef.tmp" / "data").mkdir(parents=True)
    (cache / NAME / ".v1.0.0.0123456789abcdef.tmp" / "data" / "train.parquet").write_bytes(b"PAR1")
    assert state_of_data(NAME) == "not built"


@pytest.mark.parametrize(
    ("raw_dir", "message"),
    [
        ("nowhere", "nowhere: does not exist; --raw-dir names the folder of the raw file"),
        ("file.csv", "file.csv: is not a folder; --raw-dir names the folder of the raw file"),
        ("empty", r"empty: has neither unique_m\.csv nor superconductivty\+data\.zip"),
    ],
)
def test_a_raw_dir_without_the_raw_file(
    cache: Path, tmp_path: Path, raw_dir: str, message: str
) -> None:
    (tmp_path / "file.csv").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidFile, match=message):
        build_in_cache(TASKS, NAME, tmp_path / raw_dir)
    assert not cache.exists()
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_raw_file_with_a_changed_byte(cache: Path, tmp_path: Path) -> None:
    if not (RAW / NAME).is_dir():
        pytest.skip("superconductor's raw file is not at ../shared/raw")
    shutil.copytree(RAW / NAME, tmp_path / "raw")
    flip(tmp_path / "raw" / "unique_m.csv")
    with pytest.raises(IntegrityError, match=r"unique_m\.csv: sha256 expected b68ae6b55ea8…, got "):
        build_in_cache(TASKS, NAME, tmp_path / "raw")
    assert not cache.exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("superconducter", "no task named 'superconducter'; did you mean 'superconductor'?"),
        ("zzz", "no task named 'zzz'  (`mbo list` shows all)"),
        ("tfbind8", "the data of 'tfbind8' are part of the package; nothing is to be built"),
    ],
)
def test_what_cannot_be_built(cache: Path, name: str, message: str) -> None:
    with pytest.raises(UnknownTask) as caught:
        build_in_cache(TASKS, name)
    assert message in str(caught.value)
    assert not cache.exists()


# ------------------------------------------------------------------------------- the whole command


@pytest.fixture(scope="session")
def zipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive that has the real raw file as its member; its own bytes are not the origin's."""
    if not (RAW / NAME).is_dir():
        pytest.skip("superconductor's raw file is not at ../shared/raw")
    path = tmp_path_factory.mktemp("zip") / "superconductivty+data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as zip_file:
        zip_file.write(RAW / NAME / "unique_m.csv", "unique_m.csv")
        zip_file.writestr("train.csv", "the other table of the origin")
    return path


def declaring(zipped: Path) -> TaskSpec:
    """The task with this archive as the declared one."""
    return replace(SPEC, raw=replace(SPEC.raw, sha256=sha256(zipped.read_bytes()).hexdigest()))


def mbo_build(zipped: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """`mbo build superconductor` in a process that takes this archive for the origin's."""
    code = (
        "import sys; from dataclasses import replace; from mbo_hub import cli\n"
        "import mbo_hub.tasks as tasks\n"
        f"spec = tasks.TASKS[{NAME!r}]\n"
        f"raw = replace(spec.raw, sha256={sha256(zipped.read_bytes()).hexdigest()!r})\n"
        f"tasks.TASKS = {{**tasks.TASKS, {NAME!r}: replace(spec, raw=raw)}}\n"
        "cli.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "build", NAME, *arguments],
        cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_one_command_downloads_checks_validates_and_builds(
    cache: Path, tmp_path: Path, zipped: Path, raw_server: RawServer
) -> None:
    url = raw_server.serve("/static/public/464/data.zip", zipped.read_bytes())
    with pytest.raises(HubUnavailable, match="mbo build superconductor"):
        mbo_hub.load(NAME)
    done = mbo_build(zipped, "--url", url, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{cache / NAME / 'v1.0.0'}\n"
    assert sorted(p.name for p in cache.iterdir()) == ["raw", NAME]
    assert [p.name for p in (cache / "raw").iterdir()] == ["superconductivty+data.zip"]
    assert mbo_hub.load(NAME).x.shape == (17014, 86)
    # Without the build, the download that is kept is enough; and the server is not asked again.
    shutil.rmtree(cache / NAME)
    build_in_cache({NAME: declaring(zipped)}, NAME, url=url)
    assert len(raw_server.requests) == 1


def test_an_archive_in_a_folder_of_ones_own(
    cache: Path, zipped: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", logger="mbo_hub"):
        build_in_cache({NAME: declaring(zipped)}, NAME, zipped.parent)
    (line,) = caplog.messages
    assert line.startswith(f"Built superconductor in {cache / NAME / 'v1.0.0'} (0.")
    assert [p.name for p in cache.iterdir()] == [NAME]  # nothing is copied or downloaded
    assert mbo_hub.load(NAME).x.shape == (17014, 86)


def test_a_server_with_another_file_is_no_source(cache: Path, raw_server: RawServer) -> None:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as zip_file:
        zip_file.writestr("unique_m.csv", f"{HEADER}\n{ROW}\n")
    url = raw_server.serve("/data.zip", sink.getvalue())
    with pytest.raises(IntegrityError, match=r"data\.zip: sha256 expected 87f4490d7339…, got "):
        build_in_cache(TASKS, NAME, url=url)
    with pytest.raises(DownloadFailed, match="404"):
        build_in_cache(TASKS, NAME, url=raw_server.serve("/gone.zip", b"", status=404))
    assert not cache.exists()
