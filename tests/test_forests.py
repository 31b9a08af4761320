from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import numpy as np
import onnx
import onnx.reference
import polars as pl
import pytest
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from mbo_hub import Box, OracleUnavailable, Sequence
from mbo_hub.making.forests import (
    _round_down,
    forest_features,
    forest_graph,
    hold_out,
    make,
    train_forest,
)
from mbo_hub.making.graphs import finish
from mbo_hub.oracles.onnx import Forest, OnnxOracle
from mbo_hub.oracles.table import TableOracle
from mbo_hub.tasks import TASKS
from mbo_hub.tasks.spec import TaskSpec

SPEC = TASKS["tfbind8"]
RNG = np.random.default_rng(0)


def export(space: Sequence | Box, forest: object) -> OnnxOracle:
    return OnnxOracle(space, finish(forest_graph(space, forest), SPEC, {}), "test", exact=False)


@pytest.mark.parametrize("kind", [RandomForestRegressor, ExtraTreesRegressor])
@pytest.mark.parametrize("leaves", [None, 2, 17])
def test_forests_on_real_numbers_agree_with_scikit_learn(kind: type, leaves: int | None) -> None:
    """Values on a coarse grid hit thresholds exactly; a threshold rounded up would misroute them."""
    space = Box(size=4)
    x = (RNG.integers(0, 50, (3000, 4)) / 10).astype(np.float32)
    y = x[:, 0] * 3 - np.abs(x[:, 1] - 2) + RNG.normal(size=3000) * 0.1 + 1000
    forest = kind(7, max_leaf_nodes=leaves, random_state=0).fit(x, y)
    assert np.allclose(export(space, forest)(x), forest.predict(x), rtol=1e-6, atol=0)


def test_thresholds_are_rounded_down() -> None:
    exact = np.array([0.1, 0.5, -0.1, 1 / 3, 1e-300, 74.00000001])
    rounded = _round_down(exact)
    assert rounded.dtype == np.float32
    assert (rounded <= exact).all()
    assert (np.nextafter(rounded, np.float32(np.inf)) > exact).all()


def test_forests_on_tokens_agree_with_scikit_learn_and_the_reference() -> None:
    space = Sequence(length=5, alphabet=tuple("abc"))
    x = space.sample(800, rng=0)
    y = RNG.normal(size=800)
    forest = RandomForestRegressor(5, random_state=0).fit(space.one_hot(x).reshape(800, -1), y)
    predicted = forest.predict(space.one_hot(x).reshape(800, -1))
    assert np.allclose(export(space, forest)(x), predicted, atol=1e-5)
    raw = finish(forest_graph(space, forest), SPEC, {})
    reference = onnx.reference.ReferenceEvaluator(onnx.load_from_string(raw))
    (again,) = reference.run(None, {"x": x[:20].astype(np.int64)})
    assert np.allclose(again, predicted[:20], atol=5e-5)


def test_forests_that_count_tokens_by_period_agree_with_scikit_learn_and_the_reference() -> None:
    space = Sequence(length=6, alphabet=tuple("abc"))
    x = space.sample(800, rng=0)
    features = forest_features(space, x, None, period=2)
    assert features.shape == (800, 6 * 3 + 2 * 3)
    even, odd = (x[:, [start, start + 2, start + 4]] for start in (0, 1))
    for token in range(3):
        assert np.array_equal(features[:, 18 + token], (even == token).sum(1))
        assert np.array_equal(features[:, 21 + token], (odd == token).sum(1))
    forest = RandomForestRegressor(5, random_state=0).fit(features, features[:, 18] ** 2)
    raw = finish(forest_graph(space, forest, period=2), SPEC, {})
    predicted = forest.predict(features)
    assert np.allclose(OnnxOracle(space, raw, "test", exact=False)(x), predicted, atol=1e-5)
    reference = onnx.reference.ReferenceEvaluator(onnx.load_from_string(raw))
    (again,) = reference.run(None, {"x": x[:20].astype(np.int64)})
    assert np.allclose(again, predicted[:20], atol=5e-5)


def test_a_single_leaf_is_nothing_to_export() -> None:
    forest = RandomForestRegressor(2, random_state=0).fit(np.zeros((9, 4)), np.ones(9))
    with pytest.raises(OracleUnavailable, match="single leaf"):
        forest_graph(Box(size=4), forest)


def test_a_table_finds_contradictions_and_gaps() -> None:
    space = Sequence(length=2, alphabet=tuple("ab"))
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.int8)
    y = np.arange(4, dtype=np.float32)
    assert TableOracle(space, x, y)([[1, 0]]).tolist() == [2]
    with pytest.raises(OracleUnavailable, match="lacks 1 of 4 designs"):
        TableOracle(space, x[:3], y[:3])
    with pytest.raises(OracleUnavailable, match="two values for the design of row 0"):
        TableOracle(space, np.vstack([x, x[:1]]), np.append(y, np.float32(9)))
    for other in (Box(size=2), Sequence(length=2, alphabet=("a", "_"), padding="_")):
        with pytest.raises(OracleUnavailable, match="needs a Sequence space without padding"):
            TableOracle(other, other.sample(2, rng=0), y[:2])
    with pytest.raises(OracleUnavailable, match="is too large"):
        TableOracle(Sequence(length=14, alphabet=tuple("ACGT")), np.zeros((1, 14), np.int8), y[:1])


def small_task(rows: int = 400, **chosen: object) -> tuple[TaskSpec, Forest, pl.DataFrame]:
    """Three numbers and their value, and a forest as superconductor's is."""
    random = np.random.default_rng(1)
    x = random.uniform(0, 10, (rows, 3)).astype(np.float32)
    y = (x[:, 0] * 2 + np.abs(x[:, 1] - 4) + random.normal(size=rows) / 5).astype(np.float32)
    frame = pl.DataFrame({"x": pl.Series(x, dtype=pl.Array(pl.Float32, 3)), "y": y})
    spec = dataclasses.replace(
        TASKS["superconductor"], name="small", space=Box(size=3, low=0.0), groups=None
    )
    declared: dict[str, object] = {"trees": 5, "leaves": None, "max_features": 1.0, "own": True}
    return spec, Forest(description="A small one.", **declared | chosen), frame  # type: ignore[arg-type]


def said(model: bytes, name: str) -> dict[str, Any]:
    props = {each.key: each.value for each in onnx.load_from_string(model).metadata_props}
    found: dict[str, Any] = msgspec.json.decode(props[name])
    return found


@pytest.mark.parametrize("own", [False, True])
def test_the_published_forest_is_chosen_whatever_was_trained_last(own: bool) -> None:
    """The file has the trees of the first trial, or of all rows; references are trained after it."""
    spec, kind, frame = small_task(
        own=own, references={"noise": lambda f: np.arange(len(f), dtype=np.float32)[:, None] % 7}
    )
    x, y = np.array(frame["x"].to_list(), np.float32), frame["y"].to_numpy()
    held = hold_out(kind, np.arange(len(x)))
    grown = train_forest(spec, kind, x, y, np.zeros(len(x), bool) if own else held)
    model = make(spec, kind, frame)
    graph = forest_graph(spec.space, *grown, spread=own)
    assert onnx.load_from_string(model).graph == graph


@pytest.mark.parametrize("parts", [1, 4])
def test_held_out_figures_are_those_of_the_trials(parts: int) -> None:
    spec, kind, frame = small_task(parts=parts, held_out=0.25)
    x, y = np.array(frame["x"].to_list(), np.float32), frame["y"].to_numpy()
    errors, inside, rows = [], [], 0
    for part in range(parts):
        held = hold_out(kind, np.arange(len(x)), part)
        predicted = train_forest(spec, kind, x, y, held).forest.predict(x)
        errors.append(np.abs(predicted - y)[held])
        inside.append(np.abs(predicted - y)[~held].mean())
        rows += int(held.sum())
    found = said(make(spec, kind, frame), "mbo.held_out")
    assert found["rows"] == rows
    assert found["mean_absolute_error"] == pytest.approx(np.concatenate(errors).mean(), abs=1e-6)
    assert found["mean_absolute_error_seen"] == pytest.approx(np.mean(inside), abs=2e-6)
    assert sum(band["rows"] for band in found["by_distance"]) == rows


def test_a_forest_that_misses_several_parts_cannot_be_published() -> None:
    spec, kind, frame = small_task(own=False, parts=2)
    with pytest.raises(TypeError, match="misses several parts"):
        make(spec, kind, frame)
