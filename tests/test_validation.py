"""A stranger's dataset folder: valid as written, and every way of breaking it named at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
import stranger
from onnx import helper

import mbo_hub
from mbo_hub import InvalidDataset, InvalidDesign, OracleUnavailable, validate
from mbo_hub.archive.export import export
from mbo_hub.publishing.validation import _telling


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "their-task"
    stranger.write(folder)
    return folder


def test_a_strangers_task_is_valid_loads_and_scores(theirs: Path) -> None:
    assert validate(theirs) == []
    task = mbo_hub.load(theirs)
    assert (task.name, task.version, task.oracle_name) == ("vowels", "0.3.0", "theirs")
    x = task.space.encode(["iou", "aaa"])
    assert task.oracle(x).tolist() == stranger.objective(x).tolist()
    assert np.array_equal(task.oracle(task.x), task.y)
    report = task.evaluate(task.space.sample(200, rng=0))
    assert report.exact
    assert report.fingerprint.sha256 == stranger.sha256(theirs / "oracle.onnx")
    assert "raw (dB)" in str(report)
    assert task.verify(report, task.space.sample(200, rng=0)).ok
    with pytest.raises(InvalidDesign, match="this task uses aeiou"):
        task.space.encode(["abc"])


def test_the_commands_work_on_it(theirs: Path) -> None:
    mbo = str(Path(sys.executable).with_name("mbo"))
    (theirs.parent / "words.csv").write_text("word,note\niou,mine\naaa,theirs\n")

    def run(*arguments: str) -> str:
        return subprocess.run(
            [mbo, *arguments], cwd=theirs.parent, check=True, capture_output=True, text=True
        ).stdout

    assert "valid" in run("validate", "their-task")
    assert "tunefulness" in run("info", "./their-task")
    assert "Vowels v0.3.0" in run("score", "./their-task", "words.csv", "--receipt", "r.json")
    assert "holds" in run("verify", "r.json", "words.csv", "--task", "./their-task")


def edit(theirs: Path, change: Callable[[dict], object]) -> None:
    document = json.loads((theirs / "task.json").read_text())
    change(document)
    (theirs / "task.json").write_text(json.dumps(document))


def replace_rows(theirs: Path, frame: pl.DataFrame) -> None:
    """Write other rows and declare them honestly."""
    path = theirs / "data" / "train.parquet"
    frame.write_parquet(path)
    edit(theirs, lambda d: d["files"]["data/train.parquet"].update(
        sha256=stranger.sha256(path), bytes=path.stat().st_size, rows=len(frame)))  # fmt: skip


def test_every_violation_is_listed_with_row_column_check_and_value(theirs: Path) -> None:
    frame = pl.read_parquet(theirs / "data" / "train.parquet")
    x = frame["x"].to_numpy().copy()
    x[4, 1], x[9, 0] = 5, -1
    y = frame["y"].to_numpy().copy()
    y[2], y[3] = np.nan, 1e9
    words = frame["word"].to_list()
    words[6] = "zzz"
    replace_rows(theirs, frame.with_columns(
        x=pl.Series(x, dtype=pl.Array(pl.Int8, 3)), y=pl.Series(y, dtype=pl.Float32),
        word=pl.Series(words)))  # fmt: skip
    found = validate(theirs)
    for start, part in [
        ("data/train.parquet: row 4: column x: design is legal", f"[{x[4, 0]},5,{x[4, 2]}]"),
        ("data/train.parquet: row 9: column x: design is legal", "[-1,"),
        ("data/train.parquet: row 2: column y: not_nullable", "NaN"),
        ("data/train.parquet: row 3: column y: in_range(", "1000000000.0"),
        ("data/train.parquet: row 6: word says the same as x", '"zzz"'),
    ]:
        assert any(p.startswith(start) and part in p for p in found), (start, found)


@pytest.mark.parametrize("spoiled", ["train", "test"])
def test_labels_of_an_oracle_are_compared_in_every_split(theirs: Path, spoiled: str) -> None:
    edit(theirs, lambda d: d.update(y_oracle="theirs"))
    for split in ("train", "test"):
        path = theirs / "data" / f"{split}.parquet"
        frame = pl.read_parquet(path)
        labels = frame["y"].to_numpy().copy()
        if split == spoiled:
            labels[7] += 387_569
        pl.DataFrame([*frame.get_columns(), pl.Series("y_oracle", labels)]).write_parquet(path)
        facts = {"sha256": stranger.sha256(path), "bytes": path.stat().st_size}
        edit(theirs, lambda d, s=split, f=facts: d["files"][f"data/{s}.parquet"].update(f))
    found = [problem for problem in validate(theirs) if "y_oracle" in problem]
    assert found == [f"data/{spoiled}.parquet: row 7: y_oracle is not what theirs gives"]


@pytest.mark.parametrize("row", [0, 1, 777_777, 999_999])
@pytest.mark.parametrize("label", [1e6, -1e6, 2.9])
def test_of_a_million_labels_those_are_compared_that_a_cheat_would_change(
    row: int, label: float
) -> None:
    y = np.linspace(0, 1, 1_000_000, dtype=np.float32)
    said = y.copy()
    said[row] = label
    chosen = _telling(said, y)
    assert row in chosen
    assert len(chosen) <= 400


def with_support(
    folder: Path, which: str, change: Callable[[list[float]], list[float]]
) -> list[str]:
    """Let the stranger's oracle say how far its designs are apart, and validate."""
    files = ("train", "test") if which == "all" else ("train",)
    x = np.concatenate([
        pl.read_parquet(folder / "data" / f"{name}.parquet")["x"].to_numpy() for name in files
    ])  # fmt: skip
    apart = (x[:, None] != x[None]).sum(axis=2).astype(float)
    np.fill_diagonal(apart, np.inf)
    levels = np.percentile(apart.min(axis=1), range(101)).tolist()
    declared = json.loads((folder / "task.json").read_text())
    declared["oracles"]["theirs"]["support"] = {"designs": len(x), "distances": change(levels)}
    (folder / "task.json").write_text(json.dumps(declared))
    return validate(folder)


@pytest.mark.parametrize("which", ["all", "visible"])
def test_distances_of_support_are_measured_again(theirs: Path, which: str) -> None:
    """FAULTS 7: they were believed, whatever they were."""
    assert with_support(theirs, which, lambda levels: levels) == []
    for change in (lambda v: [d * 2 for d in v], lambda v: [*v[:-1], 9.0], lambda v: [0.0, *v[1:]]):
        (problem,) = with_support(theirs, which, change)
        assert "oracles.theirs.support.distances: percentile" in problem
        assert "the data give 1 (Hamming distance" in problem
    for change in (lambda v: [-1.0, *v[1:]], lambda v: [*v[:50], 5.0, *v[51:]]):
        assert any("distances" in p for p in with_support(theirs, which, change))


def test_distances_among_designs_that_are_not_here_are_believed(theirs: Path) -> None:
    declared = json.loads((theirs / "task.json").read_text())
    support = {"designs": 7, "distances": [3.0] * 101}
    declared["oracles"]["theirs"]["support"] = support
    (theirs / "task.json").write_text(json.dumps(declared))
    assert validate(theirs) == []


def test_many_violations_of_one_check_are_counted(theirs: Path) -> None:
    frame = pl.read_parquet(theirs / "data" / "train.parquet")
    replace_rows(theirs, frame.with_columns(y=pl.lit(99.0, pl.Float32)))
    found = [p for p in validate(theirs) if "in_range" in p]
    assert len(found) == 21
    assert found[-1].endswith(f"{len(frame) - 20} more rows")


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        (lambda d: (d.pop("title"), d.update(version="one"), d["space"].pop("length")),
         ["'title' is a required property", "'one' does not match", "$.space"]),
        (lambda d: d.update(format=3), ["task.json has format 3, this mbo_hub reads up to 1"]),
        (lambda d: d["statistics"].update(y_mean=0.0, best_visible=99.0),
         ["statistics.y_mean is 0.0, the data give", "statistics.best_visible is 99.0"]),
        (lambda d: d["split"].update(y_high=9.5), ["split.y_high is 9.5, the data give"]),
        (lambda d: d["files"]["data/test.parquet"].update(sha256="0" * 64, bytes=1, rows=2),
         ["data/test.parquet: its sha256 is not", "bytes, task.json says 1", "rows, task.json says 2"]),
        (lambda d: d["files"].update({"data/extra.parquet": d["files"]["data/test.parquet"]}),
         ["data/extra.parquet: is neither data/train.parquet nor data/test.parquet", "`configs` does not name data/extra"]),
        (lambda d: d["oracles"]["theirs"].update(sha256="0" * 64), ["oracle theirs:", "sha256 expected"]),
        (lambda d: d["oracles"]["theirs"].update(file="no.onnx"), ["no.onnx cannot be read"]),
        (lambda d: d["oracles"].update(table={"kind": "table"}), []),
    ],
)  # fmt: skip
def test_a_task_json_that_does_not_fit_the_data(
    theirs: Path, change: Callable[[dict], object], messages: list[str]
) -> None:
    edit(theirs, change)
    found = validate(theirs)
    assert bool(found) == bool(messages), found
    for message in messages:
        assert any(message in problem for problem in found), (message, found)


def test_broken_files(theirs: Path) -> None:
    (theirs / "README.md").unlink()
    path = theirs / "data" / "train.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    found = validate(theirs)
    assert any(p.startswith("README.md: not there") for p in found)
    assert any("data/train.parquet: not a readable parquet file" in p for p in found)
    assert any("data/train.parquet: its sha256" in p for p in found)
    (theirs / "README.md").write_text("---\nlicense: [\n---\n")
    assert any("its metadata are not YAML" in p for p in validate(theirs))
    (theirs / "README.md").write_text("# No metadata\n")
    assert any("does not start with metadata" in p for p in validate(theirs))
    shutil.rmtree(theirs)
    assert validate(theirs) == [f"{theirs} is not a folder; it is not a dataset folder"]
    theirs.mkdir()
    assert validate(theirs) == [f"{theirs} has no task.json; it is not a dataset folder"]


def model_with(theirs: Path, change: Callable[[onnx.ModelProto], onnx.ModelProto]) -> None:
    path = theirs / "oracle.onnx"
    onnx.save(change(onnx.load(path)), path)
    edit(theirs, lambda d: d["oracles"]["theirs"].update(sha256=stranger.sha256(path)))


def fixed_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    return model


def other_name(model: onnx.ModelProto) -> onnx.ModelProto:
    model.graph.input[0].name = model.graph.node[0].input[0] = "words"
    return model


def other_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    for tensor in model.graph.initializer:
        if tensor.name == "weights":
            changed = stranger.WEIGHTS.ravel() + 1
            tensor.CopyFrom(onnx.numpy_helper.from_array(changed, "weights"))
    return model


def batch_mean(model: onnx.ModelProto) -> onnx.ModelProto:
    """Subtract the mean over the batch: a design's value then depends on its company."""
    model.graph.node[-1].output[0] = "own"
    model.graph.node.extend(
        [
            helper.make_node("ReduceMean", ["own"], ["mean"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["own", "mean"], ["y"]),
        ]
    )
    return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (fixed_batch, "its batch is fixed at 1"),
        (other_name, "expected one input x, tensor(int64), of shape (n, 3)"),
        (other_weights, "declared exact, but differs from y by 3"),
        (batch_mean, "one value alone and another in a batch"),
    ],
)
def test_an_oracle_that_breaks_its_promise(
    theirs: Path, change: Callable[[onnx.ModelProto], onnx.ModelProto], message: str
) -> None:
    model_with(theirs, change)
    (problem,) = validate(theirs)
    assert message in problem


def test_an_oracle_file_that_is_none(theirs: Path) -> None:
    path = theirs / "oracle.onnx"
    path.write_bytes(b"import os; os.system('true')")
    edit(theirs, lambda d: d["oracles"]["theirs"].update(sha256=stranger.sha256(path)))
    with pytest.raises(OracleUnavailable, match=r"oracle\.onnx: not an ONNX file"):
        mbo_hub.load(theirs).oracle(np.zeros((1, 3)))
    assert any("not an ONNX file" in p for p in validate(theirs))


def test_weights_in_other_files_are_refused(theirs: Path) -> None:
    path = theirs / "oracle.onnx"
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="w.bin", size_threshold=0)
    edit(theirs, lambda d: d["oracles"]["theirs"].update(sha256=stranger.sha256(path)))
    (problem,) = validate(theirs)
    assert "keeps its weights in other files" in problem


def test_all_that_is_wrong_is_said_at_once(theirs: Path) -> None:
    (theirs / "README.md").unlink()
    edit(theirs, lambda d: d["statistics"].update(best_visible=99.0))
    edit(theirs, lambda d: d["oracles"]["theirs"].update(sha256="0" * 64))
    found = validate(theirs)
    for part in ("README.md: not there", "best_visible is 99.0", "sha256 expected"):
        assert any(part in problem for problem in found), part


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g["y"].pop("mujoco"), "golden.json has no values of mujoco"),
        (lambda g: g["x"][0].pop(), "designs of 2 lengths"),
        (lambda g: g["y"]["mujoco"].pop(), "49 values of mujoco for 50 designs"),
        (lambda g: g["x"][0].__setitem__(0, 1e9), "design 0 has 1000000000.0 for"),
        (lambda g: g["x"].clear(), "it holds no designs"),
    ],
)
def test_broken_golden_values_are_named(
    tmp_path: Path, change: Callable[[dict], object], message: str
) -> None:
    export(["dkitty"], tmp_path)
    path = tmp_path / "dkitty-oracle" / "golden.json"
    golden = json.loads(path.read_text())
    change(golden)
    path.write_text(json.dumps(golden))
    edit(
        tmp_path / "dkitty",
        lambda d: d["oracles"]["exact"]["golden"].update(sha256=stranger.sha256(path)),
    )
    with pytest.raises(InvalidDataset, match=message):
        mbo_hub.load(tmp_path / "dkitty").oracles["exact"]


def test_a_table_that_lacks_designs_is_no_oracle(theirs: Path) -> None:
    edit(theirs, lambda d: d.update(oracles={"table": {"kind": "table"}}))
    edit(theirs, lambda d: d["files"].pop("data/test.parquet"))
    with pytest.raises(OracleUnavailable, match=r"the table lacks \d+ of 125 designs"):
        mbo_hub.load(theirs).oracles["table"]


def test_a_task_without_an_oracle_or_hidden_rows_loads(theirs: Path) -> None:
    edit(theirs, lambda d: (d.pop("oracles"), d["files"].pop("data/test.parquet")))
    task = mbo_hub.load(theirs)
    assert [a.shape for a in task.hidden] == [(0, 3), (0,)]
    with pytest.raises(OracleUnavailable, match="published without an oracle"):
        task.evaluate(task.x[:3])
