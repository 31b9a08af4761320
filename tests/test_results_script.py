"""scripts/results.py: from finished runs to the dataset in the repository, and back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, script_module

from mbo_hub.results.collection import read_runs
from mbo_hub.results.record import RECORD

pytest.importorskip("jinja2", reason="the extra 'build' is not installed")
TASK = "tfbind8"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with the results of one task for a dataset, and no documents to write."""
    module = script_module("results", monkeypatch)
    dataset = tmp_path / "results"
    shutil.copytree(module.DATASET / "data" / TASK, dataset / "data" / TASK)
    monkeypatch.setattr(module, "DATASET", dataset)
    monkeypatch.setattr(module, "write", lambda runs: None)
    return module


def contents(folder: Path) -> dict[str, bytes | list[dict[str, object]]]:
    """The bytes of each file; its rows where another version of pyarrow wrote what is stored."""
    stored = ROOT / "dataset_cards" / "results" / "data" / TASK / "random.parquet"
    same = pq.ParquetFile(stored).metadata.created_by.endswith(f" {pa.__version__}")
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() if same else pq.read_table(p).to_pylist()
        for p in folder.rglob("*.parquet")
    }


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "results.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_what_is_unpacked_is_packed_to_the_same_bytes(script: ModuleType, tmp_path: Path) -> None:
    before = contents(script.DATASET)
    count = len(read_runs(script.DATASET))
    script.unpack(tmp_path / "runs")
    assert len(list((tmp_path / "runs").rglob(RECORD))) == count
    script.pack(tmp_path / "runs")  # again, which adds nothing
    assert contents(script.DATASET) == before
    shutil.rmtree(script.DATASET)
    script.pack(tmp_path / "runs")
    assert contents(script.DATASET) == before


def test_a_seed_waits_for_all_methods_that_have_runs(script: ModuleType, tmp_path: Path) -> None:
    """Who lacks a seed of a task would not be ranked on it; nobody waits for who has no run there."""
    runs = tmp_path / "runs"
    script.unpack(runs)
    shutil.rmtree(runs / TASK / "grad")
    shutil.rmtree(runs / TASK / "mins" / "standard")  # it has runs of the preset paper alone
    (lacking,) = runs.glob(f"{TASK}/coms/standard/seed-3")
    shutil.rmtree(lacking)
    shutil.rmtree(script.DATASET)
    script.pack(runs)
    there = [r.record for r in read_runs(script.DATASET) if r.record.preset == "standard"]
    assert {record.seed for record in there} == {*range(8)} - {3}
    left = {path.parent.name for path in (runs / TASK).glob("*/standard")}
    assert {record.method for record in there} == left
    assert len(left) > 2
    assert not {"grad", "mins"} & left


def test_a_broken_record_is_named_and_nothing_changes(tmp_path: Path) -> None:
    place = tmp_path / "tfbind8" / "grad" / "standard" / "seed-0"
    place.mkdir(parents=True)
    (place / RECORD).write_text("{")
    before = (ROOT / "docs" / "results.md").stat().st_mtime_ns
    done = run("pack", "--runs", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(place / RECORD) in done.stderr
    assert (ROOT / "docs" / "results.md").stat().st_mtime_ns == before


def test_without_a_network_publishing_says_so_in_a_line() -> None:
    done = run("publish")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "cannot be reached" in done.stderr
