"""What is known of TF Bind 10, and what its trainer does with measurements."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from conftest import RAW, ROOT, script_module

import mbo_hub
from mbo_hub import IntegrityError, InvalidDataset, Task
from mbo_hub.oracles.table import table_index


@pytest.fixture(scope="module")
def task() -> Task:
    return mbo_hub.load("tfbind10")


@pytest.fixture(scope="module")
def values(task: Task) -> np.ndarray:
    """The value of every flank, in the order of their numbers."""
    x, y = task.hidden
    x, y = np.concatenate([task.x, x]), np.concatenate([task.y, y])
    assert len(y) == 4**10
    by_number = np.full(4**10, np.nan, np.float32)
    by_number[table_index(task.space, x)] = y
    assert not np.isnan(by_number).any()  # so each flank stands there once
    return by_number


def test_50_000_of_the_weaker_half_are_visible(task: Task, values: np.ndarray) -> None:
    assert task.x.shape == (50_000, 10)
    assert task.y.max() <= np.percentile(values.astype(np.float64), 50)


def test_both_strands_have_one_value(task: Task, values: np.ndarray) -> None:
    numbers = np.arange(4**10)
    digits = numbers[:, None] // 4 ** np.arange(9, -1, -1) % 4
    other = table_index(task.space, 3 - digits[:, ::-1])
    assert np.array_equal(values, values[other])
    assert np.count_nonzero(other == numbers) == 1024


def test_the_best_flank_is_the_one_that_the_card_names(task: Task, values: np.ndarray) -> None:
    (best,) = np.flatnonzero(values == values.max())
    flank = task.space.encode(["CCCCCGGGGG"])
    assert table_index(task.space, flank).item() == best
    assert task.score(task.oracle(flank)).tolist() == [1]
    statistics = task.manifest.statistics
    assert (values.min(), values.max()) == (statistics.y_min, statistics.y_max)


def test_larger_is_stronger(task: Task) -> None:
    """GGG behind the motif is a good site (UASp2 of PHO5), a T before it hinders Pho4.

    Fisher and Goding, EMBO Journal 11, 1992.
    """
    strong, weak = task.oracle(task.space.encode(["AAAAAGGGAA", "AAAATAAAAA"]))
    assert strong > weak + 0.2


def test_the_card_states_how_good_the_network_is(task: Task) -> None:
    figures = {f.what: f.value for f in task.manifest.oracles["exact"].findings}
    reached = figures["Pearson correlation with the mean measurements of held-out double strands"]
    ceiling = next(v for what, v in figures.items() if "perfect predictor" in what)
    assert 0.7 < reached < ceiling
    card = (ROOT / "oracles_onnx" / "tfbind10" / "README.md").read_text("utf-8")
    assert f"{reached:.4g}" in card


@pytest.fixture(scope="module")
def trainer() -> Iterator[ModuleType]:
    pytest.importorskip("torch", reason="training needs torch: pip install 'mbo-hub[train]'")
    with pytest.MonkeyPatch.context() as patch:
        yield script_module("train_tfbind10", patch)


def test_the_raw_rows_are_checked(trainer: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match=r"neither pho4_rows\.npz nor tf_bind_10-x-0\.npy"):
        trainer.read_rows(tmp_path)
    codes, values = np.arange(4, dtype=np.uint32), np.zeros(4, np.float32)
    np.savez(tmp_path / "pho4_rows.npz", code=codes, ddG=values)
    with pytest.raises(IntegrityError, match="these are other measurements"):
        trainer.read_rows(tmp_path)


@pytest.mark.skipif(not (RAW / "tfbind10").is_dir(), reason="the rows are not at ../shared/raw")
def test_the_raw_rows_are_the_known_ones(trainer: ModuleType) -> None:
    rows = trainer.read_rows(RAW / "tfbind10")
    assert rows.flank.shape == rows.value.shape == (4_160_533,)
    assert np.count_nonzero(~rows.inside) == 190_790


def test_arrays_of_the_original_are_joined(trainer: ModuleType, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 4, (5, 10))
    for number, rows in enumerate((x[:2], x[2:])):
        np.save(tmp_path / f"tf_bind_10-x-{number}.npy", rows)
        np.save(tmp_path / f"tf_bind_10-y-{number}.npy", np.full((len(rows), 1), number, "f4"))
    codes, values = trainer.join_arrays(tmp_path, 2)
    assert codes.tolist() == (x @ 4 ** np.arange(9, -1, -1)).tolist()
    assert values.tolist() == [0, 0, 1, 1, 1]
    with pytest.raises(InvalidDataset, match=r"tf_bind_10-x-2\.npy and .* are not both there"):
        trainer.join_arrays(tmp_path, 3)


def test_means_tell_noise_from_signal(trainer: ModuleType) -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=2000)
    group = np.repeat(np.arange(2000), 4)
    means = trainer.average(group, truth[group] + random.normal(scale=0.5, size=8000), 2001)
    assert means.rows.tolist() == [4] * 2000 + [0]
    assert means.noise[0] == pytest.approx(0.5**2 / 4, rel=0.05)
    ceiling = (1 - means.noise[:2000].mean() / means.value[:2000].var()) ** 0.5
    assert ceiling == pytest.approx(np.corrcoef(means.value[:2000], truth)[0, 1], abs=0.005)


def test_a_strand_is_never_on_both_sides(trainer: ModuleType) -> None:
    parts = trainer.split(0, np.arange(0, 1000, 2))
    assert [len(part) for part in parts] == [400, 50, 50]
    assert sorted(np.concatenate(parts).tolist()) == list(range(0, 1000, 2))


def test_the_file_says_how_it_was_trained(trainer: ModuleType, task: Task) -> None:
    said = json.loads(task.oracle.metadata["mbo.settings"])  # type: ignore[attr-defined]
    assert said == trainer.asdict(trainer.Settings())
