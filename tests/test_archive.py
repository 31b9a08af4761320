from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mbo_hub import ExportConflict, UnknownTask, validate
from mbo_hub.archive.export import export
from mbo_hub.publishing.mirror import export_git


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_export_writes_what_is_published(tmp_path: Path) -> None:
    written = export(["tfbind8"], tmp_path / "mbo")
    assert [(e.path.name, e.is_new) for e in written] == [
        ("tfbind8", True),
        ("tfbind8-oracle", True),
    ]
    assert set(files(tmp_path / "mbo")) == {
        "tfbind8/README.md", "tfbind8/croissant.json", "tfbind8/task.json", "tfbind8/y.png",
        "tfbind8/data/train.parquet", "tfbind8/data/test.parquet",
        "tfbind8-oracle/README.md", "tfbind8-oracle/golden.json",
        "tfbind8-oracle/model.onnx", "tfbind8-oracle/surrogate.onnx",
    }  # fmt: skip
    assert validate(tmp_path / "mbo" / "tfbind8") == []
    again = export(["mbo/tfbind8"], tmp_path / "mbo")
    assert not any(e.is_new for e in again)


@pytest.mark.parametrize("place", ["tfbind8/notes.txt", "tfbind8-oracle/model.onnx"])
def test_export_leaves_other_content_alone(tmp_path: Path, place: str) -> None:
    (tmp_path / place).parent.mkdir()
    (tmp_path / place).write_text("mine")
    with pytest.raises(
        ExportConflict, match=rf"differs in .*{Path(place).name}.*nothing was written"
    ):
        export(["tfbind8"], tmp_path)
    assert files(tmp_path) == {place: b"mine"}


def test_export_of_an_unknown_task_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownTask):
        export(["tfbind8", "nonsense"], tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["someone/x", "./nowhere", "a/b/c", "mbo/"])
def test_only_embedded_tasks_are_exported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    export(["tfbind8", "mbo/tfbind8"], tmp_path / "mine-too")
    (tmp_path / "mine-too" / "tfbind8").rename(tmp_path / "mine")
    before = files(tmp_path)
    for write in (export, export_git):
        with pytest.raises(UnknownTask):
            write([name], tmp_path / "out")
    assert files(tmp_path) == before


def test_an_interrupted_export_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, raw: bytes) -> int:
        if self.name == "train.parquet":
            raise OSError(28, "No space left on device", str(self))
        return write(self, raw)

    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export(["tfbind8"], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_datasets_loads_an_export_offline(tmp_path: Path) -> None:
    """The real client, in its own process, in a folder that holds ./mbo."""
    export(["tfbind8"], tmp_path / "mbo")
    code = """
import numpy as np
from datasets import load_dataset
from huggingface_hub import DatasetCard
import mbo_hub

ds = load_dataset("mbo/tfbind8")
assert list(ds) == ["train", "test"], ds
assert {k: len(v) for k, v in ds.items()} == {"train": 32_898, "test": 32_894}
features = ds["train"].features
assert list(features) == ["sequence", "x", "y"], features
assert features["sequence"].dtype == "string"
assert (features["x"].feature.dtype, features["x"].length) == ("int8", 8), features
assert features["y"].dtype == "float32"
task = mbo_hub.load("tfbind8")
assert np.array_equal(np.array(ds["train"][:100]["x"]), task.x[:100])
assert np.array_equal(np.array(ds["train"]["y"], np.float32), task.y)
assert ds["train"][0]["sequence"] == task.space.decode(task.x[:1])[0]
assert max(ds["test"]["y"]) == 1.0
card = DatasetCard.load("mbo/tfbind8/README.md")
assert card.data.pretty_name == "TF Bind 8"
assert card.data.size_categories == ["10K<n<100K"]
assert [d["split"] for d in card.data.configs[0]["data_files"]] == ["train", "test"]
print("loaded")
"""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("loaded")
