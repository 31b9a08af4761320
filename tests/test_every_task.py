"""The contract that every task of the archive keeps; the task's name is the test's id."""

from __future__ import annotations

import io
import json

import msgspec
import numpy as np
import onnx
import onnx.reference
import onnxruntime as ort
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub import (
    Box,
    InvalidDesign,
    Offline,
    Sequence,
    Task,
    build,
    cards,
    parquet,
    schema,
    surrogates,
)
from mbo_hub.manifest import MujocoEntry, OnnxEntry, TrainingEntry
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.tasks import TASKS

pytestmark = pytest.mark.parametrize("name", sorted(TASKS))


@pytest.fixture
def task(name: str) -> Task:
    return mbo_hub.load(name)


def everything(task: Task) -> tuple[np.ndarray, np.ndarray]:
    x, y = task.hidden
    return np.concatenate([task.x, x]), np.concatenate([task.y, y])


def test_what_is_loaded_is_what_is_declared(task: Task, name: str) -> None:
    spec, said = TASKS[name], task.manifest.statistics
    assert (task.name, task.version, task.space) == (spec.name, spec.version, spec.space)
    x, y = everything(task)
    assert (len(y), len(task.y)) == (said.rows, said.visible)
    assert (y.min(), y.max(), task.y.max()) == (said.y_min, said.y_max, said.best_visible)
    assert x.dtype == task.space.dtype
    assert y.dtype == np.float32
    assert task.space.legal(x).all()
    assert np.isfinite(y).all()


def test_visible_is_what_the_rule_says(task: Task, name: str) -> None:
    _, hidden_y = task.hidden
    full = np.concatenate([task.y, hidden_y]).astype(np.float64)
    low, high = np.percentile(full, TASKS[name].visible)
    assert task.y.min() >= low
    assert task.y.max() <= high
    assert np.count_nonzero((full >= low) & (full <= high)) == len(task.y)


def some_rows(task: Task, entry: object) -> np.ndarray:
    """All rows of a fast oracle; some of one that takes 0.1 s (robots) or 3 s (nas) a design."""
    n = task.manifest.statistics.rows
    few = {MujocoEntry: 40, TrainingEntry: 4}.get(type(entry), n)
    return np.linspace(0, n - 1, few).astype(int)


def test_the_exact_oracle_reproduces_stored_values(task: Task) -> None:
    x, y = everything(task)
    for name, entry in task.manifest.oracles.items():
        if entry.exact:
            rows = some_rows(task, entry)
            apart = np.abs(task.oracles[name](x[rows]).astype(np.float64) - y[rows]).max()
            assert apart <= entry.tolerance, name


def test_an_oracle_gives_a_design_one_value_whatever_the_batch(task: Task) -> None:
    for name, entry in task.manifest.oracles.items():
        n = {MujocoEntry: 12, TrainingEntry: 1}.get(type(entry), 150)
        designs = np.concatenate([task.x[:n], task.space.sample(n, rng=1)])
        oracle = task.oracles[name]
        whole = oracle(designs)
        assert whole.shape == (2 * n,)
        assert whole.dtype == np.float32
        for batch in (1, 7, 128):
            parts = [oracle(designs[i : i + batch]) for i in range(0, len(designs), batch)]
            assert np.array_equal(np.concatenate(parts), whole, equal_nan=True), (name, batch)
        assert np.array_equal(oracle(designs[::-1])[::-1], whole, equal_nan=True), name
        assert oracle(designs[:0]).shape == (0,)


def test_an_onnx_oracle_gives_one_value_whatever_the_number_of_threads(task: Task) -> None:
    designs = task.space.sample(9000, rng=2)  # more than two chunks
    for name, entry in task.manifest.oracles.items():
        if isinstance(entry, OnnxEntry):
            raw = (ROOT / "oracles_onnx" / task.name / entry.file).read_bytes()
            one, two = (
                OnnxOracle(task.space, raw, name, exact=entry.exact, threads=n)(designs)
                for n in (1, 2)
            )
            assert np.array_equal(one, two), name


def test_oracles_refuse_illegal_designs_by_row(task: Task) -> None:
    legal = task.space.sample(3, rng=0).astype(np.float64)
    broken = legal.copy()
    broken[1, 0] = np.nan
    for name in task.oracles:
        with pytest.raises(InvalidDesign, match=r"^design 1 has nan"):
            task.oracles[name](broken)
        with pytest.raises(InvalidDesign, match="shape"):
            task.oracles[name](legal[:, :-1])


def test_oracles_are_described_by_the_manifest(task: Task, name: str) -> None:
    assert list(task.oracles) == list(TASKS[name].oracles)
    assert task.oracle is task.oracles[task.oracle_name]
    assert task.oracle.exact
    for oracle_name, entry in task.manifest.oracles.items():
        oracle = task.oracles[oracle_name]
        assert oracle.exact == entry.exact
        assert oracle.fingerprint.kind == entry.kind
        assert not (entry.exact and getattr(entry, "held_out", None)), oracle_name
        if isinstance(entry, OnnxEntry):
            assert oracle.fingerprint.sha256 == entry.sha256


def test_onnx_files_score_alone(task: Task) -> None:
    """onnxruntime and the raw designs are enough, in its default settings."""
    folder = ROOT / "oracles_onnx" / task.name
    golden = json.loads((folder / "golden.json").read_text())
    kind = np.int64 if isinstance(task.space, Sequence) else np.float32
    x = np.array(golden["x"], kind)
    files = {p.name for p in folder.glob("*.onnx")} - {"policy.onnx"}
    assert set(golden["y"]) - {"mujoco", "training"} == files
    assert "model.onnx" in files
    for file in sorted(files):
        values = golden["y"][file]
        model = onnx.load(folder / file)
        onnx.checker.check_model(model, full_check=True)
        assert {p.key for p in model.metadata_props} >= {"mbo.task", "mbo.dataset_version"}
        session = ort.InferenceSession(folder / file)
        (y,) = session.run(None, {"x": x})
        assert y.shape == (len(x),)
        assert np.allclose(y, values, rtol=1e-6, atol=0)
        reference = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x[:8]})[0]
        assert np.allclose(reference, values[:8], rtol=5e-5)


def test_onnx_files_give_nan_for_illegal_tokens(task: Task) -> None:
    if not isinstance(task.space, Sequence):
        pytest.skip("only tokens can be outside an alphabet")
    designs = task.space.sample(4, rng=0).astype(np.int64)
    designs[1, 0], designs[2, -1] = -1, len(task.space.alphabet)
    for path in (ROOT / "oracles_onnx" / task.name).glob("*.onnx"):
        (y,) = ort.InferenceSession(path).run(None, {"x": designs})
        assert np.isnan(y).tolist() == [False, True, True, False]


def test_a_surrogate_is_as_good_on_unseen_rows_as_its_card_says(task: Task, name: str) -> None:
    spec = TASKS[name]
    frame = build.read_frame(spec)
    x, y = schema.matrix(frame["x"], task.space), frame["y"].to_numpy()
    groups = np.arange(len(x)) if spec.groups is None else spec.groups.of(frame)
    for oracle_name, entry in task.manifest.oracles.items():
        if not isinstance(entry, OnnxEntry) or entry.held_out is None:
            continue
        kind = spec.oracles[oracle_name]
        held = surrogates.hold_out(kind, groups)
        assert not set(groups[held]) & set(groups[~held])
        rows = np.flatnonzero(held)
        rows = rows[np.unique(x[rows], axis=0, return_index=True)[1]]
        predicted = task.oracles[oracle_name](x[rows])
        assert len(rows) == entry.held_out.rows
        assert rank_correlation(y[rows], predicted) == pytest.approx(
            entry.held_out.spearman, abs=1e-3
        )
        top = y[rows] >= np.quantile(y[rows], 0.9)
        assert rank_correlation(y[rows][top], predicted[top]) == pytest.approx(
            entry.held_out.spearman_top_decile, abs=1e-3
        )
        # The forest knows its own training rows far better: the held-out ones were not among them.
        known = np.flatnonzero(~held)
        seen = np.random.default_rng(0).choice(known, min(2000, len(known)), replace=False)
        inside = rank_correlation(y[seen], task.oracles[oracle_name](x[seen]))
        assert inside > entry.held_out.spearman + 0.01


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic)


def test_normalization_is_fitted_on_the_visible_rows_and_goes_back(task: Task) -> None:
    for scale, values in ((task.normalization.x, task.x), (task.normalization.y, task.y)):
        normal = scale.apply(values)
        assert normal.dtype == np.float32
        spread = values.astype(np.float64).std(axis=0)
        assert np.allclose(normal.mean(axis=0, dtype=np.float64), 0, atol=1e-4)
        assert np.allclose(normal.std(axis=0, dtype=np.float64)[spread > 0], 1, atol=1e-4)
        assert np.allclose(scale.invert(normal), values, rtol=1e-4, atol=1e-5)


def test_scores_span_0_to_1_over_the_full_data_and_are_never_clipped(task: Task) -> None:
    _, y = everything(task)
    scores = task.score(y)
    assert (scores.min(), scores.max()) == (0, 1)
    s = task.manifest.statistics
    assert task.score([2 * s.y_max - s.y_min, 2 * s.y_min - s.y_max]).tolist() == pytest.approx(
        [2, -1]
    )


def test_offline_has_no_oracle_and_cannot_be_changed(task: Task) -> None:
    assert not [n for n in dir(task.offline) if "oracle" in n or "hidden" in n]
    assert isinstance(task.offline, Offline)
    with pytest.raises(AttributeError):
        task.offline.y = task.y  # type: ignore[misc]
    for array in (task.x, task.y):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0


def test_evaluating_visible_designs_says_so(task: Task) -> None:
    entry = task.manifest.oracles[task.oracle_name]
    n = 2 if isinstance(entry, TrainingEntry) else 20
    report = task.evaluate(task.x[:n])
    assert report.visible == 1
    assert report.novelty == 0
    assert report.invalid == 0
    assert np.allclose(np.array(report.y, float), task.y[:n], rtol=0, atol=entry.tolerance)


def test_the_schema_accepts_the_parquet_and_rejects_a_corrupted_row(task: Task, name: str) -> None:
    raw = (ROOT / "dataset_cards" / name / "data" / "train.parquet").read_bytes()
    frame = pl.read_parquet(io.BytesIO(raw))
    rules = schema.split_schema(task.manifest, "train")
    assert schema.problems(frame, rules, "train") == []
    at = pl.int_range(pl.len()) == 5
    nan = pl.lit(float("nan"), pl.Float32)
    broken_y = frame.with_columns(y=pl.when(at).then(nan).otherwise(pl.col("y")))
    (problem,) = [p for p in schema.problems(broken_y, rules, "train") if "null" in p]
    assert problem.startswith("train: row 5: column y:")
    x = frame["x"].to_numpy().copy()
    x[7, 0] = 99 if isinstance(task.space, Sequence) else np.nan
    broken_x = frame.with_columns(x=pl.Series(x, dtype=frame["x"].dtype))
    found = schema.problems(broken_x, rules, "train")
    assert any(p.startswith("train: row 7: column x: design is legal") for p in found)


def test_parquet_is_laid_out_as_the_contract_says(name: str) -> None:
    for path in sorted((ROOT / "dataset_cards" / name / "data").glob("*.parquet")):
        assert path.stat().st_size < 40e6
        file = pq.ParquetFile(path)
        assert file.metadata.num_row_groups == 1
        columns = {
            file.metadata.row_group(0).column(i).path_in_schema: file.metadata.row_group(0).column(
                i
            )
            for i in range(file.metadata.num_columns)
        }
        assert {c.compression for c in columns.values()} == {"ZSTD"}
        assert "BYTE_STREAM_SPLIT" in columns["y"].encodings
        tokens = isinstance(TASKS[name].space, Sequence)
        wanted = "RLE_DICTIONARY" if tokens else "BYTE_STREAM_SPLIT"
        assert wanted in columns["x.list.element"].encodings


def test_writing_the_same_rows_gives_the_same_bytes(name: str) -> None:
    path = ROOT / "dataset_cards" / name / "data" / "train.parquet"
    table = pq.ParquetFile(path).read()
    made_by = pq.ParquetFile(path).metadata.created_by
    copies = []
    for _ in range(2):
        sink = pa.BufferOutputStream()
        parquet.write(table, sink)
        copies.append(sink.getvalue().to_pybytes())
    assert copies[0] == copies[1]
    if f"version {pa.__version__} " in f"{made_by} ":
        assert copies[0] == path.read_bytes()


def test_task_json_satisfies_its_published_schema(task: Task, name: str) -> None:
    import jsonschema

    published = json.loads((ROOT / "mbo_hub" / "task.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(published)
    raw = (ROOT / "dataset_cards" / name / "task.json").read_bytes()
    jsonschema.validate(json.loads(raw), published, cls=jsonschema.Draft202012Validator)
    assert task.manifest.to_json() == raw
    assert msgspec.json.decode(raw, type=type(task.manifest)) == task.manifest


def test_cards_are_read_by_huggingface_hub(task: Task, name: str) -> None:
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard, ModelCard

    text = (ROOT / "dataset_cards" / name / "README.md").read_text("utf-8")
    card = DatasetCard(text)
    assert card.data.pretty_name == task.manifest.title
    assert card.data.license
    (config,) = MetadataConfigs.from_dataset_card_data(card.data).values()
    assert {d["path"] for d in config["data_files"]} == set(task.manifest.files)
    assert "{{" not in text
    assert "| None" not in text
    oracle = (ROOT / "oracles_onnx" / name / "README.md").read_text("utf-8")
    assert ModelCard(oracle).data.datasets == [f"mbo/{name}"]
    assert "{{" not in oracle


def test_the_plot_shows_these_data(task: Task, name: str) -> None:
    _, y = everything(task)
    png = (ROOT / "dataset_cards" / name / "y.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    made = cards.histogram(task.manifest, y, task.y)
    assert cards.plotted_data(png) == cards.plotted_data(made) is not None


def test_space_is_a_sequence_or_a_box(task: Task) -> None:
    assert isinstance(task.space, Sequence | Box)
    assert repr(task).startswith(f"<Task {task.name} v{task.version}")
