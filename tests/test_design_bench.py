"""Design-Bench's interface: what its callers rely on, on dtypes, shapes, states and errors."""

# ruff: noqa: NPY002 -- scripts written for Design-Bench seed the global generator
from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

import mbo_hub
import mbo_hub.compat.design_bench as design_bench
from mbo_hub import InvalidFile
from mbo_hub.compat.design_bench.datasets import _archive
from mbo_hub.compat.design_bench.datasets.continuous_dataset import ContinuousDataset
from mbo_hub.compat.design_bench.datasets.dataset_builder import DISTRIBUTIONS, DatasetBuilder
from mbo_hub.compat.design_bench.datasets.discrete.tf_bind_8_dataset import TFBind8Dataset
from mbo_hub.compat.design_bench.datasets.discrete.tf_bind_10_dataset import TFBind10Dataset
from mbo_hub.compat.design_bench.datasets.discrete_dataset import DiscreteDataset
from mbo_hub.compat.design_bench.oracles.exact import AntMorphologyOracle, TFBind8Oracle
from mbo_hub.compat.design_bench.oracles.exact_oracle import ExactOracle
from mbo_hub.compat.design_bench.oracles.sklearn import RandomForestOracle
from mbo_hub.compat.design_bench.registration import TASK_PATTERN, TASKS
from mbo_hub.compat.design_bench.task import Task

TF8 = "TFBind8-Exact-v0"
CHEMBL = "ChEMBL_MCHC_CHEMBL3885882_MorganFingerprint-RandomForest-v0"
Array = np.ndarray


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The warning was given, and nobody has consented to other tasks."""
    monkeypatch.setattr(_archive, "_said", {"warned": True})
    monkeypatch.setenv(_archive.ACCEPTED, "")  # so that it is as it was afterwards
    monkeypatch.delenv(_archive.ACCEPTED)


@pytest.fixture
def task() -> Task:
    return design_bench.make(TF8)


@pytest.fixture
def numbers() -> ContinuousDataset:
    """Fifty designs of three numbers; the second never varies."""
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, (50, 3)).astype(np.float32)
    x[:, 1] = 0.1
    return ContinuousDataset(x, x.sum(axis=1, keepdims=True))


@pytest.fixture
def tokens() -> DiscreteDataset:
    """Forty sequences of four tokens out of three."""
    x = np.random.default_rng(0).integers(0, 3, (40, 4))
    return DiscreteDataset(x, x.sum(axis=1, keepdims=True).astype(np.float32), num_classes=3)


class SumOracle(ExactOracle):
    """As somebody writes one for a task of their own."""

    name = "sum"

    @classmethod
    def supported_datasets(cls) -> set[Any]:
        return {ContinuousDataset, DiscreteDataset}

    @classmethod
    def fully_characterized(cls) -> bool:
        return True

    @classmethod
    def is_simulated(cls) -> bool:
        return False

    def protected_predict(self, x: Array, **options: Any) -> Array:
        assert x.ndim == 1
        return np.array([x.sum()])


def plain(dataset: DatasetBuilder) -> Task:
    return Task(dataset, SumOracle)


# Names


@pytest.mark.parametrize("name", ["x", "TFBind8", "TFBind8-Exact", "TFBind8-Exact-v", ""])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a task"):
        design_bench.make(name)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("TFBind8-Exact-v1", "there is another version, TFBind8-Exact-v0"),
        ("TFBind8-ResNet-v0", "there is no oracle ResNet for the dataset TFBind8; there is TFBind8-Exact-v0"),
        ("UTR-ResNet-v0", "no task is called UTR-ResNet-v0; mbo_hub has TFBind8-Exact-v0, "),
    ],
)  # fmt: skip
def test_an_unknown_name_says_what_there_is(name: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        design_bench.spec(name)


def test_specifications_name_their_classes_as_strings() -> None:
    assert isinstance(TASK_PATTERN, re.Pattern)
    listed = list(design_bench.registry.all())
    assert [spec.task_name for spec in listed][: len(TASKS)] == list(TASKS)
    for spec in listed[: len(TASKS)]:
        module, _, name = spec.dataset.partition(":")
        assert issubclass(getattr(import_module(module), name), DatasetBuilder)
        assert isinstance(spec.oracle, str)
    spec = design_bench.spec(TF8)
    assert (spec.dataset_name, spec.oracle_name) == ("TFBind8", "Exact")
    assert spec.dataset_kwargs["max_percentile"] == 50
    assert spec.make().dataset_size == 32_898


@pytest.mark.parametrize(
    ("name", "percentile"),
    [(TF8, 50), ("TFBind10-Exact-v0", 50), ("Superconductor-RandomForest-v0", 80),
     ("AntMorphology-Exact-v0", 40), ("DKittyMorphology-Exact-v0", 40),
     ("HopperController-Exact-v0", 100), ("CIFARNAS-Exact-v0", 50), (CHEMBL, 40)],
)  # fmt: skip
def test_the_registered_defaults(name: str, percentile: int) -> None:
    assert design_bench.spec(name).dataset_kwargs == {
        "max_samples": None, "distribution": None, "max_percentile": percentile,
        "min_percentile": 0,
    }  # fmt: skip


def test_options_replace_single_defaults() -> None:
    task = design_bench.make(TF8, dataset_kwargs={"max_samples": 100, "min_percentile": 10})
    assert task.dataset_size == 100
    assert (task.dataset_min_percentile, task.dataset_max_percentile) == (10, 50)
    assert task.y.max() <= 0.43929616


def test_a_task_of_ones_own(monkeypatch: pytest.MonkeyPatch, numbers: ContinuousDataset) -> None:
    monkeypatch.setattr(design_bench.registry, "task_specs", dict(design_bench.registry.task_specs))

    class Mine(ContinuousDataset):
        name = "mine/mine"

        def __init__(self, **options: Any) -> None:
            super().__init__(numbers.x, numbers.y, **options)

    design_bench.register("Mine-Exact-v0", Mine, SumOracle, dataset_kwargs={"max_percentile": 50})
    task = design_bench.make("Mine-Exact-v0")
    assert task.dataset_size == 25
    assert task.dataset_name == "mine/mine"
    np.testing.assert_allclose(task.predict(task.x), task.y, rtol=1e-6)
    with pytest.raises(ValueError, match="called Mine-Exact-v0 already"):
        design_bench.register("Mine-Exact-v0", Mine, SumOracle)
    with pytest.raises(ValueError, match="is not the name of a task"):
        design_bench.register("mine", Mine, SumOracle)


# What is visible


@pytest.mark.parametrize(
    ("dataset", "oracle"),
    [
        (TFBind8Dataset, TFBind8Oracle),
        ("design_bench.datasets.discrete.tf_bind_8_dataset:TFBind8Dataset",
         "design_bench.oracles.exact:TFBind8Oracle"),
    ],
)  # fmt: skip
def test_a_task_is_made_of_classes_or_their_names(dataset: Any, oracle: Any) -> None:
    made = Task(dataset, oracle, dataset_kwargs={"max_percentile": 50})
    assert made.dataset_size == 32_898
    ready = Task(made.dataset, made.oracle)
    assert ready.dataset is made.dataset
    assert ready.oracle is made.oracle
    with pytest.raises(ValueError, match="module:class"):
        Task("TFBind8Dataset", oracle)


@pytest.mark.parametrize(
    ("name", "visible", "best"),
    [(TF8, 32_898, 0.43929616), ("AntMorphology-Exact-v0", 10_004, None),
     ("DKittyMorphology-Exact-v0", 10_004, None), ("TFBind10-Exact-v0", 524_288, None)],
)  # fmt: skip
def test_how_many_are_visible(name: str, visible: int, best: float | None) -> None:
    task = design_bench.make(name)
    assert task.dataset_size == visible == len(task.x) == len(task.y)
    if best is not None:
        assert task.y.max() == np.float32(best)
    assert task.dataset_max_output >= task.y.max()
    assert task.dataset_min_output == -np.inf


def test_superconductor(available: Callable[[str], Path]) -> None:
    available("superconductor")
    task = design_bench.make("Superconductor-RandomForest-v0")
    assert task.x.shape == (17_014, 86)
    assert task.y.max() == 74
    assert task.comparable_with_literature
    assert task.oracle_name == "random_forest"
    relabelled = design_bench.make("Superconductor-RandomForest-v0", relabel=True)
    predicted = relabelled.predict(relabelled.x)
    np.testing.assert_array_equal(predicted, relabelled.y)
    np.testing.assert_array_equal(
        relabelled.oracle.internal_dataset.y[:9],
        relabelled.predict(relabelled.oracle.internal_dataset.x[:9]),
    )
    assert abs(relabelled.dataset_size - 17_010) < 10
    assert not np.array_equal(relabelled.y, task.y)
    with pytest.raises(ValueError, match="there is no random forest for TFBind8Dataset"):
        RandomForestOracle(TFBind8Dataset(max_samples=5))


def test_a_forest_scores_any_numbers(available: Callable[[str], Path]) -> None:
    """As its trees do by themselves; the graph gives NaN for what is no material."""
    onnx = pytest.importorskip("onnx", reason="takes a graph apart: pip install '.[build]'")
    import onnxruntime

    available("superconductor")
    model = onnx.load(ROOT / "oracles_onnx" / "superconductor" / "model.onnx")
    model.graph.output.append(onnx.ValueInfoProto(name="value"))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    task = design_bench.make("Superconductor-RandomForest-v0")
    rng = np.random.default_rng(0)
    designs = np.concatenate(
        [-task.x[:50], task.x[:50] + rng.normal(0, 1, (50, 86)), np.zeros((1, 86)),
         task.denormalize_x(task.normalize_x(task.x[:50]))]
    ).astype(np.float32)  # fmt: skip
    (bare,) = session.run(["value"], {"x": designs})
    np.testing.assert_array_equal(task.predict(designs)[:, 0], bare.ravel())
    assert len(np.unique(bare)) > 80


def test_relabelling_changes_nothing_with_an_exact_oracle(task: Task) -> None:
    np.testing.assert_array_equal(design_bench.make(TF8, relabel=True).y, task.y)


def test_the_visible_rows_are_those_of_the_task_here(task: Task, tfbind8: mbo_hub.Task) -> None:
    np.testing.assert_array_equal(task.x, tfbind8.x)
    np.testing.assert_array_equal(task.y[:, 0], tfbind8.y)
    assert (task.dataset_max_percentile, task.dataset_min_percentile) == (50, 0)


def test_cuts_are_inclusive_and_the_order_is_kept() -> None:
    y = np.array([3, 1, 2, 5, 4, 3], np.float32)[:, None]
    dataset = ContinuousDataset(np.arange(6.0)[:, None], y, max_percentile=60, min_percentile=20)
    assert dataset.dataset_max_output == 3
    assert dataset.dataset_min_output == 2
    assert dataset.x[:, 0].tolist() == [0, 2, 5]
    dataset.subsample()
    assert dataset.x[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    assert (dataset.dataset_min_output, dataset.dataset_max_output) == (-np.inf, np.inf)


def test_a_sample_follows_numpys_global_generator(task: Task) -> None:
    np.random.seed(3)
    drawn = np.sort(np.random.choice(32_898, 100, replace=False, p=np.full(32_898, 1 / 32_898, np.float32)))  # fmt: skip
    np.random.seed(3)
    sampled = design_bench.make(TF8, dataset_kwargs={"max_samples": 100})
    np.testing.assert_array_equal(sampled.x, task.x[drawn])
    np.random.seed(3)
    design_bench.make(TF8)
    after = np.random.random()
    np.random.seed(3)
    for rows in (32_898, 65_792):  # it is consumed where all rows are taken, too, and by the oracle
        np.random.choice(rows, rows, replace=False, p=np.full(rows, 1, np.float32) / rows)
    assert np.random.random() == after


@pytest.mark.parametrize("name", ["uniform", "linear", "quadratic", "circular", "exponential"])
def test_samples_by_rank(numbers: ContinuousDataset, name: str) -> None:
    ranks = np.arange(50)
    r = ranks / 49
    weights = {"uniform": np.ones(50), "linear": 1 - r, "quadratic": (1 - r) ** 2,
               "circular": 1 - np.sqrt(1 - (r - 1) ** 2), "exponential": np.exp(-3 * r)}[name]  # fmt: skip
    np.testing.assert_allclose(DISTRIBUTIONS[name](ranks), weights)
    numbers.subsample(20, name)
    assert numbers.dataset_size == 20
    assert numbers.dataset_distribution is DISTRIBUTIONS[name]
    if name in ("linear", "quadratic", "circular"):
        with pytest.raises(ValueError, match=r"[Ff]ewer non-zero entries"):
            numbers.subsample(50, name)
    numbers.subsample(5, lambda ranks: ranks >= 45)  # a function of whole ranks
    assert sorted(numbers.y[:, 0]) == sorted(numbers._all_y[:, 0])[45:]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_samples": 0}, "dataset cannot be made empty"),
        ({"max_percentile": 10, "min_percentile": 20}, "invalid arguments"),
        ({"distribution": "best"}, "distribution is one of uniform"),
    ],
)
def test_what_cannot_be_visible(numbers: ContinuousDataset, options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        numbers.subsample(**options)


# Access to data


def test_arrays_are_fresh_writable_and_contiguous(task: Task) -> None:
    def check(x_dtype: type, shape: tuple[int, ...]) -> None:
        for name, dtype, wanted in (("x", x_dtype, shape), ("y", np.float32, (32_898, 1))):
            array = getattr(task, name)
            assert array.dtype == dtype
            assert array.shape == wanted
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert getattr(task, name) is not array
            before = array.copy()
            array[:] = 0
            np.testing.assert_array_equal(getattr(task, name), before)
        assert task.input_shape == shape[1:]
        assert isinstance(task.input_shape, tuple)
        assert task.input_size == int(np.prod(shape[1:]))
        assert task.input_dtype is x_dtype

    check(np.int32, (32_898, 8))
    task.map_to_logits()
    check(np.float32, (32_898, 8, 3))
    task.map_normalize_x()
    task.map_normalize_y()
    check(np.float32, (32_898, 8, 3))


def test_a_continuous_task() -> None:
    task = design_bench.make("AntMorphology-Exact-v0")
    assert (task.x.dtype, task.x.shape, task.y.shape) == (np.float32, (10_004, 60), (10_004, 1))
    assert not task.is_discrete
    assert (task.dataset_name, task.y_name) == ("ant_morphology/ant_morphology", "average_return")
    for name in ("is_logits", "num_classes"):
        with pytest.raises(ValueError, match="only supported on discrete datasets"):
            getattr(task, name)
    for use in (task.map_to_logits, task.map_to_integers, lambda: task.to_logits(task.x),
                lambda: task.to_integers(task.x)):  # fmt: skip
        with pytest.raises(ValueError, match="only supported on discrete datasets"):
            use()
    assert not task.comparable_with_literature


def test_what_a_task_says_of_itself(task: Task) -> None:
    assert task.is_discrete is True
    assert task.num_classes == 4
    assert task.is_logits is task.is_normalized_x is task.is_normalized_y is False
    assert (task.output_shape, task.output_size, task.output_dtype) == ([1], 1, np.float32)
    assert task.dataset_name == "tf_bind_8-SIX6_REF_R1/tf_bind_8"
    assert (task.x_name, task.y_name) == ("dna_sequence", "enrichment_score")
    assert task.oracle_name == "exact_enrichment_score"
    assert callable(task.dataset_distribution)
    assert task.comparable_with_literature
    with pytest.raises(TypeError):
        len(task)  # type: ignore[arg-type]


def test_going_through_a_task(task: Task) -> None:
    batches = list(task)
    assert [x.shape for x, _ in batches[:2]] == [(32, 8), (32, 8)]
    np.testing.assert_array_equal(np.concatenate([y for _, y in batches]), task.y)
    short = [len(x) for x in task.iterate_batches(10_000, return_y=False)]
    assert short == [10_000, 10_000, 10_000, 2_898]
    assert len(list(task.iterate_batches(10_000, drop_remainder=True))) == 3
    x, y = next(task.iterate_samples())
    assert (x.shape, y.shape) == ((8,), (1,))
    assert next(task.iterate_samples(return_x=False)).shape == (1,)
    with pytest.raises(ValueError, match="invalid arguments"):
        next(task.iterate_batches(5, return_x=False, return_y=False))


def test_tasks_are_pickled_in_their_state(task: Task) -> None:
    task.map_to_logits()
    task.map_normalize_x()
    task.predict(task.x[:2])
    other = pickle.loads(pickle.dumps(task))  # noqa: S301 -- its own
    np.testing.assert_array_equal(other.x, task.x)
    np.testing.assert_array_equal(other.predict(task.x[:5]), task.predict(task.x[:5]))


def test_a_task_is_wrapped_without_its_constructor(task: Task) -> None:
    class Wrapper(Task):
        def __init__(self, name: str) -> None:
            self.wrapped = design_bench.make(name)

        @property
        def x(self) -> Array:
            return self.wrapped.x

        @property
        def is_discrete(self) -> bool:
            return self.wrapped.is_discrete

    wrapper = Wrapper(TF8)
    np.testing.assert_array_equal(wrapper.x, task.x)
    assert wrapper.is_discrete


# Normalization


def test_statistics_are_of_the_visible_rows(numbers: ContinuousDataset) -> None:
    numbers.subsample(max_percentile=60)
    task, x = plain(numbers), numbers.x
    normal = task.normalize_x(x)
    deviation = x.std(axis=0)
    deviation[1] = 1  # it does not vary
    np.testing.assert_allclose(normal, (x - x.mean(axis=0)) / deviation, atol=1e-5)
    assert normal.dtype == np.float32
    dataset: Any = task.dataset
    assert dataset.x_mean.shape == dataset.x_standard_dev.shape == (1, 3)
    assert dataset.x_mean.dtype == np.float32
    assert dataset.x_standard_dev[0, 1] == 1
    task.normalize_y(task.y)
    assert dataset.y_mean.shape == dataset.y_standard_dev.shape == (1, 1)
    assert not task.is_normalized_x


def test_statistics_of_sequences_are_those_of_logits(task: Task) -> None:
    task.normalize_x(task.to_logits(task.x))
    assert task.dataset.x_mean.shape == (1, 8, 3)
    np.testing.assert_allclose(
        task.dataset.x_mean[0], task.to_logits(task.x).mean(axis=0), atol=1e-4
    )


def test_results_have_numpys_types_and_shapes(numbers: ContinuousDataset) -> None:
    task = plain(numbers)
    for use in (task.normalize_x, task.denormalize_x):
        assert use(task.x).dtype == np.float32
        assert use(task.x.astype(np.float64)).dtype == np.float64
        assert use(task.x[0]).shape == (1, 3)
    for use in (task.normalize_y, task.denormalize_y):
        assert use(np.float32(1)).shape == (1, 1)
        assert use(task.y).dtype == np.float32
        assert use([1.0, 2.0]).shape == (1, 2)
    np.testing.assert_allclose(task.denormalize_x(task.normalize_x(task.x)), task.x, rtol=1e-5)
    np.testing.assert_allclose(task.denormalize_y(task.normalize_y(task.y)), task.y, rtol=1e-5)


def test_integers_cannot_be_normalized(task: Task) -> None:
    with pytest.raises(ValueError, match="cannot normalize discrete design values"):
        task.normalize_x(task.x)
    with pytest.raises(ValueError, match="cannot denormalize discrete design values"):
        task.denormalize_x(task.x)
    with pytest.raises(ValueError, match="cannot normalize discrete"):
        task.map_normalize_x()
    with pytest.raises(ValueError, match="cannot denormalize discrete"):
        task.map_denormalize_x()
    task.map_to_logits()
    task.map_normalize_x()
    assert task.is_normalized_x


def test_states_are_set_and_cleared(task: Task) -> None:
    raw = task.y
    for _ in range(2):  # doing it again changes nothing
        assert task.map_normalize_y() is None
        assert task.is_normalized_y
        assert task.y.mean() == pytest.approx(0, abs=1e-5)
        assert task.y.std() == pytest.approx(1, abs=1e-5)
    for _ in range(2):
        assert task.map_denormalize_y() is None
        np.testing.assert_array_equal(task.y, raw)
    task.map_to_logits()
    logits = task.x
    task.map_normalize_x()
    np.testing.assert_allclose(task.x, task.normalize_x(logits))
    task.map_denormalize_x()
    np.testing.assert_array_equal(task.x, logits)


def test_subsample_measures_anew_only_what_is_normalized(numbers: ContinuousDataset) -> None:
    numbers.map_normalize_x()
    numbers.normalize_y(numbers.y)
    x_before, y_before = numbers.x_mean, numbers.y_mean
    numbers.subsample(max_percentile=30)
    assert not np.array_equal(numbers.x_mean, x_before)  # type: ignore[arg-type]
    assert numbers.y_mean is y_before, "stale, as in Design-Bench"
    assert numbers.x.mean() == pytest.approx(0, abs=1e-5)


# Logits and integers


@pytest.mark.parametrize(("classes", "sure"), [(4, 1.9459), (5, 2.1401), (591, 6.788)])
def test_logits(classes: int, sure: float) -> None:
    x = np.array([[0, 1, classes - 1]], np.int64)
    dataset = DiscreteDataset(x, np.zeros((1, 1)), num_classes=classes)
    logits = dataset.to_logits(x)
    assert logits.shape == (1, 3, classes - 1)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits[0, 0], -sure, rtol=1e-4)
    for place, token in ((1, 1), (2, classes - 1)):
        expected = np.zeros(classes - 1)
        expected[token - 1] = sure
        np.testing.assert_allclose(logits[0, place], expected, rtol=1e-4)
    assert dataset.to_integers(logits).dtype == np.int32
    np.testing.assert_array_equal(dataset.to_integers(logits), x)


def test_any_integers_and_any_leading_shape(task: Task) -> None:
    for dtype in (np.int8, np.uint8, np.int32, np.int64):
        np.testing.assert_array_equal(
            task.to_integers(task.to_logits(task.x[:5].astype(dtype))), task.x[:5]
        )
    assert task.to_logits(task.x[0]).shape == (8, 3)
    assert task.to_integers(np.zeros((2, 5, 8, 3))).shape == (2, 5, 8)
    assert task.to_integers(np.zeros((8, 3), np.float32)).tolist() == [0] * 8, "ties go low"
    with pytest.raises(ValueError, match="cannot convert non-integers to logits"):
        task.to_logits(task.x.astype(np.float32))
    with pytest.raises(ValueError, match="cannot convert non-floats to integers"):
        task.to_integers(task.x)
    with pytest.raises(ValueError, match="tokens are 0 to 3"):
        task.to_logits(np.full((1, 8), 4))


def test_mapping_between_integers_and_logits(task: Task) -> None:
    integers = task.x
    for _ in range(2):
        task.map_to_logits()
        assert task.is_logits
    np.testing.assert_array_equal(task.x, task.to_logits(integers))
    task.map_normalize_x()
    for _ in range(2):
        task.map_to_integers()
        assert not task.is_logits
        assert not task.is_normalized_x
    np.testing.assert_array_equal(task.x, integers)


# Predictions


def test_predictions_follow_the_state(task: Task) -> None:
    y = task.y[:50]
    for dtype in (np.int32, np.int64, np.float32):
        predicted = task.predict(task.x[:50].astype(dtype))
        assert predicted.dtype == np.float32
        np.testing.assert_array_equal(predicted, y)
    task.map_to_logits()
    np.testing.assert_array_equal(task.predict(task.x[:50]), y)
    task.map_normalize_x()
    np.testing.assert_array_equal(task.predict(task.x[:50]), y)
    np.testing.assert_array_equal(task.predict(task.x[:50].astype(np.float64)), y)
    task.map_normalize_y()
    predicted = task.predict(task.x[:50])
    np.testing.assert_array_equal(predicted, task.y[:50])
    assert predicted.dtype == np.float32
    np.testing.assert_allclose(task.denormalize_y(predicted), y, rtol=1e-5)
    assert task.oracle.num_evaluations == 32_898 + 350


def test_designs_of_another_shape_are_refused(task: Task) -> None:
    with pytest.raises(ValueError, match=r"designs have shape \('n', 8\)"):
        task.predict(task.x[0])
    task.map_to_logits()
    with pytest.raises(ValueError, match=r"designs have shape \('n', 8, 3\)"):
        task.predict(task.x[:5].reshape(5, 24))


def test_what_no_table_has_gets_minus_infinity(task: Task) -> None:
    x = task.x[:4].astype(np.float64)
    x[0, 0], x[1, 0], x[2, 0] = 4, -1, 0.5
    predicted = task.predict(x)[:, 0]
    assert predicted[:3].tolist() == [-np.inf] * 3
    assert predicted[3] == task.y[3, 0]
    x[0, 0] = np.nan
    assert task.predict(x)[0, 0] == 0, "the smallest y of the full data"


def test_noise_follows_numpys_global_generator(task: Task) -> None:
    noisy = design_bench.make(TF8, oracle_kwargs={"noise_std": 0.5})
    np.random.seed(0)
    found = noisy.predict(task.x[:9])
    np.random.seed(0)
    expected = task.y[:9] + 0.5 * np.random.normal(0, 1, (9, 1)).astype(np.float32)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_robots_are_clipped_and_nan_is_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    ant = mbo_hub.load("ant")
    seen = []

    class Judge:
        space = ant.space

        def answer(self, legal: Array) -> Any:
            seen.append(legal)
            y = np.arange(len(legal), dtype=np.float32)
            y[-1] = np.nan  # MuJoCo cannot build that one
            return mbo_hub.oracles.protocol.Answer(y)

    task = design_bench.make("AntMorphology-Exact-v0")
    assert isinstance(task.oracle, AntMorphologyOracle)
    task.oracle._judge = Judge()
    x = task.x[:5]
    x[0], x[1, 3] = 1e6, np.nan
    predicted = task.predict(x)[:, 0]
    np.testing.assert_array_equal(seen[0][0], ant.space.bounds[1])  # type: ignore[union-attr]
    assert seen[0].shape == (4, 60)
    worst = np.float32(ant.manifest.statistics.y_min)
    assert predicted.tolist() == [0, worst, 1, 2, worst]


def test_whatever_becomes_an_array_is_scored(task: Task) -> None:
    class Tensor:
        def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
            return task.x[:3]

    np.testing.assert_array_equal(task.predict(Tensor()), task.y[:3])
    np.testing.assert_array_equal(task.predict(task.x[:3].tolist()), task.y[:3])


# The objects behind


def test_the_oracles_own_dataset(task: Task) -> None:
    task.map_to_logits()
    task.map_normalize_y()
    inner = task.oracle.internal_dataset
    assert inner.x.shape == (65_792, 8)
    assert inner.x.dtype == np.int32
    assert (inner.y.min(), inner.y.max()) == (0, 1)
    assert task.oracle.external_dataset is task.dataset
    for use in (inner.map_normalize_y, inner.map_normalize_x, inner.map_to_logits,
                inner.map_denormalize_y, inner.map_to_integers, inner.subsample,
                lambda: inner.relabel(lambda x, y: y)):  # fmt: skip
        with pytest.raises(ValueError, match=r"cannot (update dataset|normalize discrete)"):
            use()


def test_a_dataset_class_shows_all_rows() -> None:
    dataset = TFBind8Dataset()
    assert dataset.x.shape == (65_792, 8)
    assert (dataset.y.min(), dataset.y.max()) == (0, 1)
    assert TFBind8Dataset(max_percentile=50).dataset_size == 32_898
    assert TFBind8Dataset(max_samples=7).dataset_size == 7
    assert TFBind8Dataset(transcription_factor="SIX6_REF_R1", max_samples=5).dataset_size == 5
    with pytest.raises(ValueError, match="transcription_factor='SIX6_REF_R1' only"):
        TFBind8Dataset(transcription_factor="VAX2_REF_R1")
    assert TFBind10Dataset(max_samples=50_000).x.shape == (50_000, 10)


def test_unhiding_everything(task: Task) -> None:
    task.dataset.subsample()
    assert (task.y.min(), task.y.max()) == (0, 1)
    assert len(task.dataset.x) == 65_792


def test_splitting(tokens: DiscreteDataset) -> None:
    tokens.subsample(max_samples=30)
    tokens.map_to_logits()
    tokens.map_normalize_x()
    training, validation = tokens.split(0.25)
    assert (training.dataset_size, validation.dataset_size) == (23, 7)
    assert type(training) is DiscreteDataset
    rows = np.concatenate([training.x, validation.x])
    assert {row.tobytes() for row in rows} == {row.tobytes() for row in tokens.x}
    for part in (training, validation):
        with pytest.raises(ValueError, match="cannot update dataset when it is frozen"):
            part.map_normalize_y()
    tokens.map_denormalize_x()  # the whole is not
    kind, _ = TFBind8Dataset(max_samples=40).split()
    assert type(kind) is DiscreteDataset
    with pytest.raises(ValueError, match="empty subset"):
        tokens.clone([])
    np.testing.assert_array_equal(tokens.clone().x, tokens.x)
    assert tokens.clone().subclass_kwargs == {"num_classes": 3, "soft_interpolation": 0.6}


def test_relabelling_chooses_the_visible_rows_anew(numbers: ContinuousDataset) -> None:
    numbers.subsample(max_percentile=50)
    worst = set(map(bytes, numbers.x))
    numbers.relabel(lambda x, y: -y)
    assert numbers.dataset_size == 25
    assert not worst & set(map(bytes, numbers.x))
    numbers.map_normalize_x()
    numbers.map_normalize_y()
    seen = []

    def same(x: Array, y: Array) -> Array:
        seen.append((x, y))
        return y

    before = numbers._all_y
    numbers.relabel(same)  # gets and gives what the present state shows
    assert (len(seen[0][0]), seen[0][1].dtype) == (50, np.float32)
    assert abs(seen[0][1].mean()) < 3
    np.testing.assert_allclose(numbers._all_y, before, rtol=1e-5)


def test_plain_datasets(tokens: DiscreteDataset) -> None:
    assert DiscreteDataset(tokens.x, tokens.y).num_classes == 3, "as many as occur"
    shards = DiscreteDataset([tokens.x[:9], tokens.x[9:]], [tokens.y[:9], tokens.y[9:]])
    np.testing.assert_array_equal(shards.x, tokens.x)
    started = DiscreteDataset(tokens.x, tokens.y, is_logits=True, is_normalized_x=True,
                              is_normalized_y=True)  # fmt: skip
    assert started.x.shape == (40, 4, 2)
    assert started.is_normalized_x
    assert started.is_normalized_y
    with pytest.raises(ValueError, match=r"predictions must have shape \[N, 1\]"):
        ContinuousDataset(np.zeros((4, 2)), np.zeros(4))
    with pytest.raises(ValueError, match="are integers, got float64"):
        DiscreteDataset(np.zeros((4, 2)), np.zeros((4, 1)))
    source = np.ones((3, 2), np.float32)
    kept = ContinuousDataset(source, np.zeros((3, 1)))
    source[:] = 7
    assert kept.x.max() == 1


def test_an_exact_oracle_of_ones_own(numbers: ContinuousDataset, tokens: DiscreteDataset) -> None:
    for dataset in (numbers, tokens):
        task = plain(dataset)
        np.testing.assert_allclose(task.predict(task.x), task.y, rtol=1e-6)
        assert task.predict(task.x).dtype == np.float32
        assert not task.comparable_with_literature
    tokens.map_to_logits()
    tokens.map_normalize_x()
    tokens.map_normalize_y()
    task = plain(tokens)
    np.testing.assert_allclose(task.predict(task.x), task.y, rtol=1e-6)
    oracle = SumOracle(numbers, expect_normalized_x=True, expect_normalized_y=True)
    assert oracle.internal_dataset.is_normalized_x
    there = oracle.dataset_to_oracle_x(numbers.x)
    np.testing.assert_allclose(oracle.oracle_to_dataset_x(there), numbers.x, rtol=1e-4)
    y = oracle.dataset_to_oracle_y(numbers.y)
    np.testing.assert_allclose(oracle.oracle_to_dataset_y(y), numbers.y, rtol=1e-4)
    taking = SumOracle(tokens, expect_logits=True)
    assert taking.dataset_to_oracle_x(tokens.x).shape == (40, 4, 2)
    with pytest.raises(ValueError, match="expect_logits is only supported on discrete"):
        SumOracle(numbers, expect_logits=True)
    with pytest.raises(ValueError, match="TFBind8Oracle scores designs of TFBind8Dataset, not of"):
        TFBind8Oracle(numbers)
    assert TFBind8Oracle.fully_characterized()
    assert AntMorphologyOracle.is_simulated()


# What must be told


def test_one_warning_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_archive, "_said", {"warned": False})
    design_bench.make(TF8)  # comparable: silent
    with pytest.warns(
        design_bench.NotComparable, match="not Design-Bench's.*Only scores on TFBind8"
    ):
        design_bench.make("AntMorphology-Exact-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design_bench.make("DKittyMorphology-Exact-v0")


@pytest.mark.parametrize("name", ["CIFARNAS-Exact-v0", CHEMBL, "HopperController-Exact-v0"])
def test_other_tasks_have_to_be_asked_for(name: str) -> None:
    with pytest.raises(ValueError, match="accept_different_tasks"):
        design_bench.make(name)
    design_bench.accept_different_tasks()
    task = design_bench.make(name)
    assert not task.comparable_with_literature
    assert task.dataset_size > 100
    if name == CHEMBL:
        np.testing.assert_allclose(task.predict(task.x[:4]), task.y[:4], atol=1e-4)


MISSING = [
    "datasets.discrete.nas_bench_dataset:NASBenchDataset",
    "datasets.discrete.utr_dataset:UTRDataset",
    "datasets.discrete.gfp_dataset:GFPDataset",
    "datasets.discrete.toy_discrete_dataset:ToyDiscreteDataset",
    "datasets.continuous.toy_continuous_dataset:ToyContinuousDataset",
    "oracles.exact.nas_bench_oracle:NASBenchOracle",
    "oracles.exact:ToyDiscreteOracle",
    "oracles.sklearn:GaussianProcessOracle",
    "oracles.tensorflow:TransformerOracle",
    "oracles.tensorflow:ResNetOracle",
    "oracles.tensorflow:LSTMOracle",
    "oracles.tensorflow:FullyConnectedOracle",
    "oracles.feature_extractors.morgan_fingerprint_features:MorganFingerprintFeatures",
]


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_imported_and_fails_when_it_is_used(name: str) -> None:
    from mbo_hub.compat.design_bench.task import import_name

    kind = import_name(f"design_bench.{name}")
    with pytest.raises(ValueError, match=r"mbo_hub has no \w+: .* It has TFBind8"):
        kind()


def test_the_storage_is_gone() -> None:
    from mbo_hub.compat.design_bench.disk_resource import DATA_DIR, DiskResource

    assert DATA_DIR
    with pytest.raises(ValueError, match="import_design_bench"):
        DiskResource("superconductor/superconductor-x-0.npy", is_absolute=False)


def test_the_ranges_that_scripts_read(tmp_path: Path, tfbind8: mbo_hub.Task) -> None:
    path = design_bench.write_ranges(tmp_path / "npy" / "dic2y.npy")
    found = np.load(path, allow_pickle=True).item()
    assert found.keys() == TASKS.keys()
    assert found[TF8] == (0, 1)
    low, high = found["Superconductor-RandomForest-v0"]
    assert (low, high) == (pytest.approx(0.00021), 185)
    assert all(low < high for low, high in found.values())
    with pytest.raises(ValueError, match="cannot be written"):
        design_bench.write_ranges(path / "below" / "dic2y.npy")


def test_visible_rows_are_found_in_all_rows_by_their_bytes(task: Task) -> None:
    """As Offline-RaM and UniSO do, through a view as records."""
    whole, part = TFBind8Dataset().x, task.x
    record = [("", whole.dtype)] * whole.shape[1]
    assert whole.dtype == part.dtype
    found = np.isin(whole.view(record), part.view(record)).ravel()
    assert found.sum() >= len(part)


# Code that is not to be touched

SCRIPT = """
import sys
import design_bench as db
import design_bench.task
from design_bench.datasets.discrete.tf_bind_8_dataset import TFBind8Dataset
from design_bench.datasets.discrete.gfp_dataset import GFPDataset
from design_bench.datasets.continuous.hopper_controller_dataset import HopperControllerDataset
from design_bench.oracles.exact_oracle import ExactOracle
from design_bench.disk_resource import DATA_DIR
from design_bench import registration
import beside
task = db.make("TFBind8-Exact-v0")
assert isinstance(task.dataset, TFBind8Dataset) and isinstance(task, design_bench.task.Task)
assert registration.registry is db.registry and __name__ == "__main__"
print(sys.argv, len(task.y), beside.VALUE)
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "beside.py").write_text("VALUE = 5\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mbo_hub.compat.design_bench", *arguments],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


@pytest.mark.parametrize(
    "how",
    [
        ["script.py"],
        pytest.param(["-m", "script"], marks=pytest.mark.slow("1 core-second: as the other")),
    ],
)
def test_an_unchanged_program_runs(scripts: Path, how: list[str]) -> None:
    done = run(scripts, *how, "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert "'--seed', '1'] 32898 5" in done.stdout


@pytest.mark.slow("6 core-seconds: nine processes; one program runs always")
def test_the_programs_options(scripts: Path) -> None:
    (scripts / "nas.py").write_text("import design_bench\nprint(design_bench.make('CIFARNAS-Exact-v0').x.shape)")  # fmt: skip
    assert "accept-different-tasks" in run(scripts, "nas.py").stderr
    assert "(887, 64)" in run(scripts, "--accept-different-tasks", "nas.py").stdout
    done = run(scripts, "--ranges", "npy/dic2y.npy")
    assert (done.returncode, done.stdout.strip()) == (0, "npy/dic2y.npy")
    assert (scripts / "npy" / "dic2y.npy").exists()
    assert run(scripts, "--ranges", "script.py/x").returncode == 1
    assert run(scripts, "missing.py").returncode == 1
    assert "Example:" in run(scripts, "--help").stdout
    assert run(scripts, "--nonsense").returncode == 2
    (scripts / "fails.py").write_text("import sys\nsys.exit(7)")
    assert run(scripts, "fails.py").returncode == 7


CHILDREN = """
import atexit, multiprocessing, pickle, subprocess, sys
from concurrent.futures import ProcessPoolExecutor

import design_bench
import beside


class Design:
    def __init__(self, size): self.size = size


def last():
    kept = pickle.loads(pickle.dumps(Design(7)))
    print("at exit", kept.size, sys.modules["__main__"].beside.VALUE, flush=True)


if __name__ == "__main__":
    atexit.register(last)
    print(design_bench.make("TFBind8-Exact-v0").y.shape, sys.argv[1:])
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        print("spawned", *pool.map(beside.rows, [1]), flush=True)
    code = "import design_bench.oracles.exact_oracle as e, design_bench as d; print('started', d.make('CIFARNAS-Exact-v0').y.shape)"
    subprocess.run([sys.executable, "-c", code], check=True)
"""


BESIDE = """
VALUE = 5


def rows(_):
    import design_bench
    from design_bench.datasets.discrete.tf_bind_8_dataset import TFBind8Dataset
    return [len(TFBind8Dataset().x), design_bench.__name__, VALUE]
"""


@pytest.mark.parametrize("form", [
    "script",
    *(pytest.param(form, marks=pytest.mark.slow("5 core-seconds: four processes, as a script"))
      for form in ("folder", "module", "package", "archive")),
])  # fmt: skip
def test_processes_that_a_program_starts_find_design_bench(tmp_path: Path, form: str) -> None:
    """However the program is started, and whatever PYTHONPATH was before."""
    home = tmp_path / "program"
    home.mkdir()
    name = "__main__.py" if form in ("folder", "package", "archive") else "program.py"
    (home / name).write_text(CHILDREN)
    (home / "beside.py").write_text(BESIDE)
    command = {"script": "program/program.py", "folder": "program", "archive": "program.zip"}
    if form == "archive":
        shutil.make_archive(str(home), "zip", home)
    elif form == "module":
        command[form], home = "-m program", tmp_path
        (tmp_path / "program" / "program.py").rename(tmp_path / "program.py")
        (tmp_path / "program" / "beside.py").rename(tmp_path / "beside.py")
        (tmp_path / "program").rmdir()
    elif form == "package":
        command[form] = "-m program"
        (home / "__init__.py").touch()
        (home / "beside.py").rename(tmp_path / "beside.py")
    done = run(tmp_path, "--accept-different-tasks", *command[form].split(), "--seed", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "(32898, 1) ['--seed', '1']",
        "spawned [65792, 'mbo_hub.compat.design_bench', 5]",
        "started (887, 1)",
        "at exit 7 5",
    ]


@pytest.mark.slow("2 core-seconds: three processes; a missing script is tried always")
def test_what_is_no_program_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "needs.py").write_text("import not_installed_here\n")
    for arguments, said in (
        (["empty"], "empty: it holds no __main__.py"),
        (["-m", "empty"], "empty: there is no such module that can be run"),
        (["-m", "no.such.module"], "no.such.module: there is no such module that can be run"),
        (["-m", "needs"], "ModuleNotFoundError: No module named 'not_installed_here'"),
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 1
        assert done.stderr.strip().splitlines()[-1] == said


def test_install_refuses_where_another_was_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    saved = {name for name in sys.modules if name.split(".")[0] == "design_bench"}
    monkeypatch.setitem(sys.modules, "design_bench", type(sys)("design_bench"))
    with pytest.raises(ValueError, match="another design_bench was imported before"):
        design_bench.install()
    assert {n for n in sys.modules if n.split(".")[0] == "design_bench"} == saved | {"design_bench"}


def test_nothing_of_it_is_imported_by_the_package() -> None:
    code = (
        "import mbo_hub, mbo_hub.cli, sys; mbo_hub.load('tfbind8'); "
        "sys.exit(any('compat' in name for name in sys.modules if name.startswith('mbo_hub')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    code = (
        "import mbo_hub.compat.design_bench as d; d.install(); import sys; "
        "sys.exit(any(name in sys.modules for name in ('torch', 'pandera', 'mujoco', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The original's arrays


def shards(folder: Path, name: str, x: Array, y: Array, parts: int = 2) -> None:
    for number, (a, b) in enumerate(zip(np.array_split(x, parts), np.array_split(y, parts), strict=True)):  # fmt: skip
        np.save(folder / f"{name}-x-{number}.npy", a)
        np.save(folder / f"{name}-y-{number}.npy", b)


def test_the_originals_arrays_become_a_task(tmp_path: Path, tfbind8: mbo_hub.Task) -> None:
    hidden_x, hidden_y = tfbind8.hidden
    x, y = np.concatenate([tfbind8.x, hidden_x]), np.concatenate([tfbind8.y, hidden_y])
    shards(tmp_path, "tf_bind_8", x.astype(np.int32), y[:, None])
    made = design_bench.import_design_bench(tmp_path, tmp_path / "mine")
    mine = mbo_hub.load(made.path)
    np.testing.assert_array_equal(mine.x, tfbind8.x)
    np.testing.assert_array_equal(mine.y, tfbind8.y)
    assert mine.space == tfbind8.space
    assert mine.manifest.objective.name == "enrichment_score"
    x = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    shards(tmp_path, "superconductor", x, x.sum(axis=1, keepdims=True), parts=11)
    with pytest.raises(InvalidFile, match="holds superconductor, tf_bind_8; say which one"):
        design_bench.import_design_bench(tmp_path, tmp_path / "other")
    made = design_bench.import_design_bench(tmp_path, tmp_path / "other", dataset="superconductor")
    other = mbo_hub.load(made.path)
    assert other.x.shape == (48, 5)
    np.testing.assert_array_equal(other.x[0], x[x.sum(axis=1) <= np.percentile(x.sum(axis=1), 80)][0])  # fmt: skip
    few = design_bench.import_design_bench(
        tmp_path, tmp_path / "few", dataset="superconductor", visible=(0, 20)
    )
    assert len(mbo_hub.load(few.path).x) == 12


def test_arrays_that_are_none(tmp_path: Path) -> None:
    def refused(said: str, **options: Any) -> None:
        with pytest.raises(InvalidFile, match=said):
            design_bench.import_design_bench(tmp_path, tmp_path / "out", **options)
        assert not (tmp_path / "out").exists()

    with pytest.raises(InvalidFile, match="cannot be read"):
        design_bench.import_design_bench(tmp_path / "nowhere", tmp_path / "out")
    refused("no array called like")
    x, y = np.arange(20).reshape(10, 2) % 5, np.arange(10.0)[:, None]
    shards(tmp_path, "tf_bind_8", x, y)
    refused("tokens run from 0 to 4, but are 0 to 3")
    refused("there are no arrays of 'utr', but of tf_bind_8", dataset="utr")
    (tmp_path / "tf_bind_8-y-0.npy").unlink()
    refused("tf_bind_8-y-0.npy is missing")
    np.save(tmp_path / "tf_bind_8-y-0.npy", np.zeros((3, 1)))
    refused(r"designs of shape \(10, 2\) and values of shape \(8, 1\)")
    np.save(tmp_path / "tf_bind_8-y-0.npy", np.array([{}], object), allow_pickle=True)
    refused("Python objects, which are never opened")
    (tmp_path / "tf_bind_8-y-0.npy").write_bytes(b"nonsense")
    refused("not a .npy file")
    np.save(tmp_path / "tf_bind_8-y-0.npy", np.array(["a"]))
    refused("holds text")
    shards(tmp_path, "tf_bind_8", x * 100, y)
    (tmp_path / "mine").mkdir()
    shards(tmp_path / "mine", "chembl", x * 100, y)
    with pytest.raises(InvalidFile, match="2 to 127 are possible"):
        design_bench.import_design_bench(tmp_path / "mine", tmp_path / "out")


# One method, written twice


def test_a_method_gives_the_same_designs_on_either_side(tfbind8: mbo_hub.Task) -> None:
    """Gradient ascent, as it is here and as somebody writes it for Design-Bench."""
    torch = pytest.importorskip("torch", reason="methods need torch: pip install '.[methods]'")
    from mbo_hub.methods import GradientAscent, networks

    settings = {"hidden": (32,), "epochs": 3, "steps": 50, "step_size": 0.05}
    ours = GradientAscent(**settings)(tfbind8.offline, budget=64, seed=7)

    task = design_bench.make(TF8)
    task.map_to_logits()
    task.map_normalize_x()
    task.map_normalize_y()
    with networks.alone():
        rng = networks.generator(7)
        x = torch.tensor(task.x.reshape(len(task.x), -1))
        y = torch.tensor(task.y[:, 0])
        model = networks.Ensemble(1, x.shape[1], (32,), 2, rng)
        networks.fit(model, x, y, epochs=3, batch=512, learning_rate=3e-4, rng=rng,
                     weights=networks.bootstrap(1, len(x), rng))  # fmt: skip
        best = np.argsort(-task.y[:, 0], kind="stable")[:64]
        climbing = x[torch.tensor(best)]
        for _ in range(50):
            climbing.requires_grad_()
            value = networks.gaussian(model(climbing))[0].sum()
            (gradient,) = torch.autograd.grad(value, climbing)
            climbing = climbing.detach() + 0.05 * 24**0.5 * gradient
    logits = task.denormalize_x(climbing.numpy().reshape(-1, 8, 3))
    theirs = task.to_integers(logits)
    np.testing.assert_array_equal(theirs, ours.designs)
    task.map_to_integers()
    task.map_denormalize_y()
    scored = task.predict(theirs)[:, 0]
    np.testing.assert_array_equal(scored, tfbind8.oracle(ours.designs))
    low, high = design_bench.ranges()[TF8]
    report = tfbind8.evaluate(ours.designs)
    assert (scored.max() - low) / (high - low) == pytest.approx(report.normalized.best)
