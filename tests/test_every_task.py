"""The contract that every task of the archive keeps; the task's name is the test's id."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime as ort
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub import Box, InvalidDesign, Offline, Sequence, Task, loader
from mbo_hub.archive import folders
from mbo_hub.dataset import layout, manifest, parquet, schema
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.making import build, cards, forests, graphs
from mbo_hub.oracles import Oracle, digits
from mbo_hub.oracles import onnx as onnx_oracle
from mbo_hub.oracles.kinds import Deposit, open_oracle
from mbo_hub.oracles.mujoco import oracle as mujoco
from mbo_hub.oracles.onnx import Forest, OnnxOracle
from mbo_hub.publishing import pictures, publish
from mbo_hub.tasks import TASKS

pytestmark = pytest.mark.parametrize("name", sorted(TASKS))
CHECKED: dict[Any, Any] = {}  # golden values that came out again here, without trainings


@cache
def published(name: str) -> dict[bytes, int]:
    """How many test digits the networks of golden and stored designs read right, by design."""
    said, frame = golden(name), build.read_frame(TASKS[name])
    x = np.concatenate([np.array(said["x"], np.int8), frame["x"].to_numpy()])
    y = np.concatenate([np.array(said["y"]["training"], np.float32), frame["y"].to_numpy()])
    right = (y.astype(np.float64) * digits.RECIPE.test * len(digits.RECIPE.seeds) / 100).round()
    return {design.tobytes(): int(total) for design, total in zip(x, right, strict=True)}


@pytest.fixture(autouse=True)
def no_trainings(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Remember what training gave; skip what opens an oracle that trains, where torch is not.

    test_nas.py trains golden and stored designs, test_digits.py the same ones in several ways.
    """
    if not any(oracle.kind == "training" for oracle in TASKS[name].oracles.values()):
        return
    if {"task", "oracles"} & set(request.fixturenames):
        pytest.importorskip("torch", reason="the exact oracle needs torch: pip install '.[nas]'")

    def train_all(
        designs: list[list[int]], *, processes: int, seeds: tuple[int, ...] = digits.RECIPE.seeds
    ) -> Iterator[tuple[int, digits.Outcome]]:
        for row, design in reversed(list(enumerate(designs))):
            right = published(name).get(bytes(design), sum(design))
            yield row, digits.Outcome((right, *[0 for _ in seeds[1:]]), 0.0)

    monkeypatch.setattr(digits, "train_all", train_all)
    monkeypatch.setattr("mbo_hub.oracles.golden._checked", CHECKED)


@pytest.fixture
def data(name: str, available: Callable[[str], Path]) -> Path:
    """The folder of a task's parquet files; a skip where its raw file is not here."""
    return available(name) / "data"


@pytest.fixture
def task(name: str, data: Path, loaded: Callable[[str], Task]) -> Task:
    return loaded(name)


@pytest.fixture
def declared(name: str) -> Manifest:
    """What task.json says; needs no data."""
    return manifest.read((ROOT / "dataset_cards" / name / "task.json").read_bytes(), name)


@pytest.fixture
def oracles(name: str) -> dict[str, Oracle]:
    """A task's oracles, opened without its data; of a table, the package has these."""
    return opened(name)


@cache
def opened(name: str) -> dict[str, Oracle]:
    """The same in all tests."""
    folder = folders.embedded(name)
    declared = manifest.read((ROOT / "dataset_cards" / name / "task.json").read_bytes(), name)

    def rows() -> tuple[np.ndarray, np.ndarray]:
        parts = [loader.read_split(folder, declared, file) for file in layout.SPLITS.values()]
        return tuple(np.concatenate(each) for each in zip(*parts, strict=True))

    return {
        oracle: open_oracle(Deposit(folder, declared, entry, rows))
        for oracle, entry in declared.oracles.items()
    }


def golden(name: str) -> dict:
    return json.loads((ROOT / "oracles_onnx" / name / "golden.json").read_text("utf-8"))


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
    spec = TASKS[name]
    _, hidden_y = task.hidden
    full = np.concatenate([task.y, hidden_y]).astype(np.float64)
    low, high = np.percentile(full, spec.visible)
    assert task.y.min() >= low
    assert task.y.max() <= high
    among = full[(full >= low) & (full <= high)]
    if spec.sampled is None:
        assert len(among) == len(task.y)
        return
    assert len(task.y) == spec.sampled < len(among)
    # A random part of them: its mean is as near to theirs as that of such a part is.
    error = among.std() / np.sqrt(spec.sampled)
    assert abs(task.y.mean(dtype=np.float64) - among.mean()) < 4 * error


def some_rows(task: Task, entry: object) -> np.ndarray:
    """All rows where they are few or looked up; else a sample, small where a design takes long."""
    n = task.manifest.statistics.rows
    few = 8 if entry.kind == "mujoco" else n  # test_robots.py: more robots
    if entry.kind == "onnx" and n > 100_000:
        few = 20_000
    return np.linspace(0, n - 1, few).round().astype(int)


def test_the_exact_oracle_reproduces_stored_values(task: Task) -> None:
    x, y = everything(task)
    for name, entry in task.manifest.oracles.items():
        if entry.exact:
            rows = some_rows(task, entry)
            apart = np.abs(task.oracles[name](x[rows]).astype(np.float64) - y[rows]).max()
            assert apart <= entry.tolerance, name


def test_an_oracle_gives_a_design_one_value_whatever_the_batch(
    name: str, declared: Manifest, oracles: dict[str, Oracle]
) -> None:
    seen = np.array(golden(name)["x"], declared.space.dtype)
    for oracle_name, oracle in oracles.items():
        is_robot = declared.oracles[oracle_name].kind == "mujoco"  # which takes 0.1 s
        n, batches = (2, (1, 3)) if is_robot else (50, (1, 7, 64))
        designs = np.concatenate([seen[:n], declared.space.sample(n, rng=1)])
        whole = oracle(designs)
        assert whole.shape == (len(designs),)
        assert whole.dtype == np.float32
        for batch in batches:
            parts = [oracle(designs[i : i + batch]) for i in range(0, len(designs), batch)]
            assert np.array_equal(np.concatenate(parts), whole, equal_nan=True), oracle_name
        assert np.array_equal(oracle(designs[::-1])[::-1], whole, equal_nan=True), oracle_name
        assert oracle(designs[:0]).shape == (0,)


def test_an_onnx_oracle_gives_one_value_whatever_the_number_of_threads(
    name: str, declared: Manifest
) -> None:
    designs = declared.space.sample(2 * onnx_oracle.CHUNK + 100, rng=2)  # more than two chunks
    for oracle, entry in declared.oracles.items():
        if entry.kind == "onnx":
            raw = (ROOT / "oracles_onnx" / name / entry.file).read_bytes()
            one, two = (
                OnnxOracle(declared.space, raw, oracle, exact=entry.exact, threads=n)(designs)
                for n in (1, 2)
            )
            assert np.array_equal(one, two), oracle


def test_oracles_refuse_illegal_designs_by_row(
    declared: Manifest, oracles: dict[str, Oracle]
) -> None:
    legal = declared.space.sample(3, rng=0).astype(np.float64)
    broken = legal.copy()
    broken[1, 0] = np.nan
    for oracle in oracles.values():
        with pytest.raises(InvalidDesign, match=r"^design 1 has nan"):
            oracle(broken)
        with pytest.raises(InvalidDesign, match="shape"):
            oracle(legal[:, :-1])


def test_oracles_are_described_by_the_manifest(
    name: str, declared: Manifest, oracles: dict[str, Oracle]
) -> None:
    assert list(oracles) == list(TASKS[name].oracles)
    for oracle_name, entry in declared.oracles.items():
        oracle = oracles[oracle_name]
        assert oracle.exact == entry.exact
        assert oracle.fingerprint.kind == entry.kind
        assert not (entry.exact and entry.held_out), oracle_name
        if entry.kind == "onnx":
            assert oracle.fingerprint.sha256 == entry.sha256


def test_the_first_oracle_is_exact_or_says_how_far_to_trust_it(
    name: str, declared: Manifest, oracles: dict[str, Oracle]
) -> None:
    first, entry = next(iter(declared.oracles.items()))
    if entry.exact:
        assert declared.y_oracle is None
        return
    assert not any(other.exact for other in declared.oracles.values()), "the exact one goes first"
    assert declared.y_oracle == first
    assert entry.kind == "onnx"
    assert isinstance(oracles[first], OnnxOracle)
    held, support = entry.held_out, entry.support
    assert held is not None
    assert support is not None
    assert held.mean_absolute_error_seen is not None
    assert held.mean_absolute_error_seen < held.mean_absolute_error
    assert sum(band.rows for band in held.by_distance) == held.rows
    assert list(support.distances) == sorted(support.distances)
    assert support.distances[0] > 0
    assert support.designs <= declared.statistics.rows
    spread = oracles[first].spread(declared.space.sample(20, rng=0))
    assert spread is not None
    assert (spread > 0).all()


def test_onnx_files_score_alone(name: str, declared: Manifest) -> None:
    """onnxruntime and the raw designs are enough, in its default settings (test_runtimes.py: others)."""
    folder = ROOT / "oracles_onnx" / name
    said = golden(name)
    kind = np.int64 if isinstance(declared.space, Sequence) else np.float32
    x = np.array(said["x"], kind)
    files = {p.name for p in folder.glob("*.onnx")} - {"policy.onnx"}
    assert set(said["y"]) - {"mujoco", "training"} == files
    assert "model.onnx" in files
    for file in sorted(files):
        values = said["y"][file]
        model = onnx.load(folder / file)
        onnx.checker.check_model(model, full_check=True)
        assert {p.key for p in model.metadata_props} >= {"mbo.task", "mbo.dataset_version"}
        session = ort.InferenceSession(folder / file)
        (y,) = session.run(["y"], {"x": x})
        assert y.shape == (len(x),)
        assert np.allclose(y, values, rtol=1e-6, atol=0)


def test_onnx_files_give_nan_for_illegal_tokens(name: str, declared: Manifest) -> None:
    if not isinstance(declared.space, Sequence):
        pytest.skip("only tokens can be outside an alphabet")
    designs = declared.space.sample(4, rng=0).astype(np.int64)
    designs[1, 0], designs[2, -1] = -1, len(declared.space.alphabet)
    for path in (ROOT / "oracles_onnx" / name).glob("*.onnx"):
        (y,) = ort.InferenceSession(path).run(["y"], {"x": designs})
        assert np.isnan(y).tolist() == [False, True, True, False]


def test_a_surrogate_is_as_good_on_unseen_rows_as_its_card_says(task: Task, name: str) -> None:
    spec = TASKS[name]
    frame = build.read_frame(spec)
    x, y = schema.matrix(frame["x"], task.space), frame["y"].to_numpy()
    groups = np.arange(len(x)) if spec.groups is None else spec.groups.of(frame)
    for oracle_name, entry in task.manifest.oracles.items():
        if entry.held_out is None or entry.support:
            continue
        kind = spec.oracles[oracle_name]
        held = forests.hold_out(kind, groups)
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


@pytest.mark.slow(
    "chembl's and superconductor's forests: 12 core-seconds; test_forests.py has a small task's"
)
def test_an_own_forest_is_as_good_on_unseen_rows_as_its_card_says(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Trained on all rows itself: a second one is trained here, without the held-out rows."""
    spec = TASKS[name]
    own = {n: k for n, k in spec.oracles.items() if isinstance(k, Forest) and k.own}
    if not own:
        pytest.skip("its own oracle is no forest")
    task: Task = request.getfixturevalue("task")
    ((oracle_name, kind),) = own.items()
    entry = task.manifest.oracles[oracle_name]
    said = entry.held_out
    frame = build.read_frame(spec)
    x, y = schema.matrix(frame["x"], task.space), frame["y"].to_numpy()
    groups = np.arange(len(x)) if spec.groups is None else spec.groups.of(frame)
    rows, apart, seen_errors = [], [], []
    predicted = np.empty(len(x))
    for part in range(kind.parts):
        held = forests.hold_out(kind, groups, part)
        forest, pairs = forests.train_forest(spec, kind, x, y, held)
        values = forest.predict(forests.forest_features(spec.space, x, pairs))
        unseen = np.flatnonzero(held)
        unseen = unseen[np.unique(x[unseen], axis=0, return_index=True)[1]]
        known = np.unique(x[~held], axis=0)
        rows.append(unseen)
        apart.append(task.space.nearest(x[unseen], known, task.normalization.x.std))
        seen_errors.append(np.abs(values - y)[~held].mean())
        predicted[unseen] = values[unseen]
    # Its export agrees with scikit-learn on every row, seen and unseen.
    graph = forests.forest_graph(spec.space, forest, pairs, spread=True)
    exported = OnnxOracle(spec.space, graphs.finish(graph, spec, {}), "second", exact=False)
    assert np.abs(exported(x) - values).max() <= 1e-5 * np.ptp(y)

    rows = np.concatenate(rows)
    assert len(rows) == len(set(rows.tolist())) == said.rows
    # Another scikit-learn may draw other splits: as good as the card says, not the same to the bit.
    error = np.abs(predicted - y)
    assert rank_correlation(y[rows], predicted[rows]) == pytest.approx(said.spearman, abs=0.01)
    assert error[rows].mean() == pytest.approx(said.mean_absolute_error, rel=0.05)
    assert np.mean(seen_errors) == pytest.approx(said.mean_absolute_error_seen, rel=0.05, abs=1e-6)
    order = np.argsort(np.concatenate(apart), kind="stable")
    for band, part in zip(
        said.by_distance, np.array_split(order, len(said.by_distance)), strict=True
    ):
        assert len(part) == band.rows
        assert error[rows[part]].mean() == pytest.approx(band.mean_absolute_error, rel=0.1)
    # The published one knows these rows as well as all others.
    known = np.abs(task.oracles[oracle_name](x[rows]) - y[rows]).mean()
    assert known < 0.8 * said.mean_absolute_error
    assert entry.support.designs == len(np.unique(x, axis=0))


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
    n = 4 if entry.kind == "mujoco" else 20
    report = task.evaluate(task.x[:n])
    assert report.visible == 1
    assert report.novelty == 0
    assert report.invalid == 0
    labels = mbo_hub.load(task.name, labels="oracle").y[:n]  # the measured y, where it is exact
    allowed = entry.tolerance if entry.exact else 1e-6 * np.abs(labels)
    assert (np.abs(np.array(report.y, float) - labels) <= allowed).all()
    assert report.outside == (0 if entry.support else None)


def test_labels_of_the_oracle_are_what_it_gives(task: Task, name: str) -> None:
    other = mbo_hub.load(name, labels="oracle")
    assert np.array_equal(other.x, task.x)
    assert other.manifest == task.manifest
    if task.manifest.y_oracle is None:
        assert np.array_equal(other.y, task.y)
        return
    oracle = task.oracles[task.manifest.y_oracle]
    for (x, y), (_, measured) in zip(
        ((other.x, other.y), other.hidden), ((task.x, task.y), task.hidden), strict=True
    ):
        assert np.allclose(oracle(x), y, rtol=1e-6, atol=0)
        # A forest may remember each row; its card says how far off it is on rows that it has seen.
        remembers = task.manifest.oracles[task.manifest.y_oracle].held_out.mean_absolute_error_seen
        assert np.array_equal(y, measured) == (remembers == 0)
    assert abs(other.normalization.y.apply(other.y).mean()) < 1e-4
    assert not other.y.flags.writeable


def test_the_schema_accepts_the_parquet_and_rejects_a_corrupted_row(task: Task, data: Path) -> None:
    raw = (data / "train.parquet").read_bytes()
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


def test_parquet_is_laid_out_as_the_contract_says(name: str, data: Path) -> None:
    paths = sorted(data.glob("*.parquet"))
    assert "train.parquet" in {path.name for path in paths}
    for path in paths:
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


def test_writing_the_same_rows_gives_the_same_bytes(data: Path) -> None:
    path = data / "train.parquet"
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


def test_task_json_satisfies_its_published_schema(declared: Manifest, name: str) -> None:
    import jsonschema

    published = json.loads((ROOT / "mbo_hub" / "dataset" / "task.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(published)
    raw = (ROOT / "dataset_cards" / name / "task.json").read_bytes()
    jsonschema.validate(json.loads(raw), published, cls=jsonschema.Draft202012Validator)
    assert declared.to_json() == raw
    assert msgspec.json.decode(raw, type=Manifest) == declared


def test_it_is_fit_to_be_published(name: str, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole of `mbo validate`, and what publishing asks of cards and revisions besides."""
    monkeypatch.setattr(mujoco, "KIND", replace(mujoco.KIND, affordable=1))  # stored ones: above
    if any(oracle.kind == "training" for oracle in TASKS[name].oracles.values()):
        pytest.importorskip("torch", reason="the exact oracle needs torch: pip install '.[nas]'")
    prepared = publish._prepare(name)
    assert prepared.dataset.path == data.parent
    assert {place.path.name for place in prepared.oracles.values()} == {name}


def test_the_version_covers_every_file_but_cards_and_pictures(
    name: str, declared: Manifest
) -> None:
    repos = {None: ROOT / "dataset_cards" / name, f"{name}-oracle": ROOT / "oracles_onnx" / name}
    assert {entry.repo for entry in declared.oracles.values()} <= set(repos)
    for repo, folder in repos.items():
        pinned = declared.pinned(repo)
        free = {"README.md", "croissant.json", "task.json"}
        there = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        assert {f for f in there if not f.endswith((".png", ".gif"))} - free <= set(pinned)
        for file, wanted in pinned.items():
            if file in there:  # data that the package may not carry are elsewhere
                assert sha256(there[file].read_bytes()).hexdigest() == wanted, file


def test_what_is_at_its_default_is_not_written(name: str) -> None:
    for path in (
        ROOT / "dataset_cards" / name / "task.json",
        ROOT / "oracles_onnx" / name / "golden.json",
    ):
        raw = path.read_bytes()
        assert b"null" not in raw
        assert b'"tolerance": 0.0' not in raw
        assert b"[]" not in raw
        assert b"{}" not in raw


def test_cards_are_read_by_huggingface_hub(declared: Manifest, name: str) -> None:
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard, ModelCard

    text = (ROOT / "dataset_cards" / name / "README.md").read_text("utf-8")
    card = DatasetCard(text)
    assert card.data.pretty_name == declared.title
    assert card.data.license
    (config,) = MetadataConfigs.from_dataset_card_data(card.data).values()
    assert {d["path"] for d in config["data_files"]} == set(declared.files)
    assert "{{ " not in text  # BibTeX writes {{the name of a group}}
    assert "| None" not in text
    oracle = (ROOT / "oracles_onnx" / name / "README.md").read_text("utf-8")
    assert ModelCard(oracle).data.datasets == [f"mbo/{name}"]
    assert "{{ " not in oracle


def test_the_plot_shows_these_data(task: Task, name: str) -> None:
    _, y = everything(task)
    png = (ROOT / "dataset_cards" / name / "y.png").read_bytes()
    assert png.startswith(b"\x89PNG")
    made = pictures.histogram(task.manifest, y, task.y)
    assert cards.plotted_data(png) == cards.plotted_data(made) is not None


def test_space_is_a_sequence_or_a_box(task: Task) -> None:
    assert isinstance(task.space, Sequence | Box)
    assert repr(task).startswith(f"<Task {task.name} v{task.version}")
