"""Another visible part of a task: which rows, its figures, and receipts that say so."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import mbo_hub
from mbo_hub import InvalidFile, InvalidSubset, Report, Sequence, Subset, Task
from mbo_hub.cli import main
from mbo_hub.dataset.subset import WEIGHTS, subset
from mbo_hub.publishing.new import new_task
from mbo_hub.results.collection import read_runs, write_collection
from mbo_hub.results.record import Plan, Record, write_run
from mbo_hub.results.verify import verify_runs
from mbo_hub.results.work import propose, score
from mbo_hub.tasks import TASKS

percentile = st.integers(0, 100)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Task:
    """A task of 200 rows with many ties in y."""
    dna = Sequence(length=4, alphabet=tuple("ACGT"))
    x = dna.sample(200, rng=0)
    y = np.random.default_rng(1).integers(0, 20, 200).astype(np.float32)
    folder = new_task(
        tmp_path_factory.mktemp("tasks") / "small", x, y, dna, visible=(0.0, 60.0)
    ).path
    return mbo_hub.load(folder)


def full(task: Task) -> tuple[np.ndarray, np.ndarray]:
    hidden_x, hidden_y = task.hidden
    return np.concatenate([task.x, hidden_x]), np.concatenate([task.y, hidden_y])


@given(low=percentile, high=percentile)
@settings(max_examples=25)
def test_the_rows_between_percentiles_with_ties_in_their_order(
    small: Task, low: int, high: int
) -> None:
    low, high = sorted((low, high))
    x, y = full(small)
    cuts = np.percentile(y.astype(np.float64), [low, high])
    wanted = (y >= cuts[0]) & (y <= cuts[1])
    if not wanted.any():
        with pytest.raises(InvalidSubset, match="take a wider range"):
            small.subset((low, high))
        return
    part = small.subset((low, high))
    np.testing.assert_array_equal(part.x, x[wanted])
    np.testing.assert_array_equal(part.y, y[wanted])
    assert {tuple(row) for row in part.hidden[0]} == {tuple(row) for row in x[~wanted]}
    assert len(part.hidden[1]) == np.count_nonzero(~wanted)
    assert not part.x.flags.writeable
    assert not part.y.flags.writeable


@given(rows=st.integers(1, 100), seed=st.integers(0, 9), by=st.sampled_from(sorted(WEIGHTS)))
@settings(max_examples=25)
def test_a_sample_is_of_distinct_rows_in_their_order(
    small: Task, rows: int, seed: int, by: str
) -> None:
    y = full(small)[1]
    chosen = Subset(visible=(0.0, 60.0), rows=rows, seed=seed, by=by).choose(y, len(small.y))  # type: ignore[arg-type]
    assert len(chosen) == rows
    assert (np.diff(chosen) > 0).all()
    assert (y[chosen] <= np.percentile(y, 60)).all()
    again = Subset(visible=(0.0, 60.0), rows=rows, seed=seed, by=by).choose(y, len(small.y))  # type: ignore[arg-type]
    np.testing.assert_array_equal(chosen, again)


def test_weights_prefer_the_worst_rows() -> None:
    ranks = np.linspace(0, 1, 9)
    for by, weight in WEIGHTS.items():
        values = weight(ranks)
        assert (np.diff(values) <= 0).all(), by
        assert (values >= 0).all(), by
    assert WEIGHTS["linear"](ranks)[-1] == WEIGHTS["circular"](ranks)[-1] == 0
    assert WEIGHTS["exponential"](ranks)[-1] == pytest.approx(np.exp(-3))


def test_the_figures_are_of_the_part_and_the_scale_is_of_the_whole(small: Task) -> None:
    part = small.subset((10, 40), 20, seed=3)
    figures = part.manifest.statistics
    assert figures.best_visible == part.y.max() < small.manifest.statistics.best_visible
    assert figures.visible == 20 == len(part.x)
    np.testing.assert_allclose(part.normalization.x.mean, part.x.mean(axis=0))
    np.testing.assert_allclose(part.normalization.y.std, part.y.std(), rtol=1e-6)
    np.testing.assert_array_equal(part.score([1.0, 5.0]), small.score([1.0, 5.0]))
    assert part.manifest.split is not None
    assert part.manifest.split.sampled == 20
    assert part.offline.name == "small"
    assert "20 rows of percentiles 10 to 40" in repr(part)
    assert part.dataset_sha256 == small.dataset_sha256


def test_a_part_of_a_part_is_a_part_of_the_whole(small: Task) -> None:
    again = small.subset((0, 5)).subset((0, 60))
    np.testing.assert_array_equal(again.x, small.x)
    assert again.subset() is small
    assert small.subset() is small
    few = small.subset((0, 5)).subset(rows=7)
    assert {tuple(row) for row in few.x} <= {tuple(row) for row in small.x}
    assert len(few.x) == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"visible": (50, 20)}, "visible is the lower and the upper"),
        ({"visible": (0, 101)}, r"0 to 100, got \(0, 101\)"),
        ({"visible": (0, float("nan"))}, "0 to 100"),
        ({"visible": 50}, "lower and the upper"),
        ({"visible": (1, 2, 3)}, "lower and the upper"),
        ({"rows": 0}, "rows is a whole number of at least 1"),
        ({"rows": 2.5}, "rows is a whole number"),
        ({"rows": True}, "rows is a whole number"),
        ({"rows": 5, "seed": -1}, "seed is a whole number of at least 0"),
        ({"rows": 5, "by": "best"}, "by is one of uniform, linear"),
    ],
)
def test_what_is_no_part_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSubset, match=said):
        subset(**arguments)


def test_more_rows_than_there_are_is_refused(small: Task) -> None:
    with pytest.raises(InvalidSubset, match="there are only"):
        small.subset(rows=10_000)
    with pytest.raises(InvalidSubset, match="only 199 rows"):
        small.subset((0, 100), rows=200, by="linear")


def test_numpys_numbers_will_do(small: Task) -> None:
    assert small.subset(rows=np.int64(5), seed=np.int32(1)).selected == Subset(rows=5, seed=1)


def test_a_receipt_says_which_part_and_is_verified_on_it(small: Task, tmp_path: Path) -> None:
    task = mbo_hub.load("tfbind8")
    part = task.subset((0, 20), 500, seed=4)
    designs = task.x[:9]
    receipt = part.evaluate(designs).save(tmp_path / "receipt.json")
    said = Report.read(receipt)
    assert said.subset == Subset(visible=(0.0, 20.0), rows=500, seed=4)
    assert said.best_visible == part.y.max()
    assert "visible: 500 rows of percentiles 0 to 20" in str(said)
    for holder in (task, part, task.subset((0, 50))):
        assert holder.verify(receipt, designs).ok
    plain = task.evaluate(designs)
    assert "subset" not in plain.to_dict()
    assert part.verify(plain, designs).ok
    other = task.subset((0, 20), 500, seed=5).evaluate(designs)
    assert other != said
    wrong = receipt.read_text().replace('"seed": 4', '"seed": -4')
    receipt.write_text(wrong)
    with pytest.raises(InvalidFile):
        Report.read(receipt)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda task: pickle.loads(pickle.dumps(task))])  # noqa: S301
def test_a_part_is_copied(small: Task, way: Callable[[Task], Task]) -> None:
    part = small.subset((0, 30))
    other = way(part)
    np.testing.assert_array_equal(other.x, part.x)
    np.testing.assert_array_equal(other.hidden[0], part.hidden[0])
    assert other.selected == part.selected
    np.testing.assert_array_equal(other.subset().x, small.x)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_published_rule_gives_the_published_rows(
    name: str, available: Callable[[str], Path], loaded: Callable[[str], Task]
) -> None:
    available(name)
    task = loaded(name)
    rule = task.manifest.split
    assert rule is not None
    part = task.subset(rule.percentiles)
    if rule.sampled is None:
        np.testing.assert_array_equal(part.x, task.x)
        np.testing.assert_array_equal(part.y, task.y)
        np.testing.assert_allclose(part.normalization.y.mean, task.normalization.y.mean)
    else:
        assert len(part.x) > rule.sampled == len(task.x)


def test_labels_of_the_oracle_do_not_change_which_rows_are_visible(
    available: Callable[[str], Path],
) -> None:
    available("superconductor")
    measured = mbo_hub.load("superconductor").subset((0, 20))
    oracles = mbo_hub.load("superconductor", labels="oracle").subset((0, 20))
    np.testing.assert_array_equal(measured.x, oracles.x)
    assert not np.array_equal(measured.y, oracles.y)
    assert measured.manifest.statistics == oracles.manifest.statistics
    np.testing.assert_allclose(oracles.normalization.y.mean, oracles.y.mean(), rtol=1e-6)


def test_the_command_line_takes_parts(tmp_path: Path) -> None:
    runner, receipt = CliRunner(), str(tmp_path / "receipt.json")
    (tmp_path / "designs.txt").write_text("ACGTACGT\nGCTAATTA\n")
    designs = str(tmp_path / "designs.txt")
    part = ["--visible", "0-20", "--rows", "500"]
    done = runner.invoke(main, ["score", "tfbind8", designs, *part, "--receipt", receipt])
    assert "visible: 500 rows of percentiles 0 to 20" in done.stdout
    assert Report.read(receipt).subset == Subset(visible=(0.0, 20.0), rows=500)
    done = runner.invoke(main, ["verify", receipt, designs])
    assert done.exit_code == 0
    assert "The receipt holds" in done.stdout
    done = runner.invoke(
        main, ["run", "best_logged", "--task", "tfbind8", "--visible", "20", "--json"]
    )
    assert json.loads(done.stdout)["subset"] == {"visible": [0.0, 20.0]}
    done = runner.invoke(main, ["run", "random", "--task", "tfbind8", "--visible", "high"])
    assert (done.exit_code, "write a percentile" in done.stderr) == (1, True)
    done = runner.invoke(main, ["run", "random", "--task", "tfbind8", "--visible", "50-20"])
    assert (done.exit_code, done.stderr[:15]) == (1, "InvalidSubset: ")


def test_runs_on_a_part_have_a_place_and_a_record_of_their_own(tmp_path: Path) -> None:
    plan = Plan(task="tfbind8", method="best_logged", budget=9)
    proposed = propose(plan)
    assert proposed.designs is not None
    write_run(tmp_path, score(plan, proposed.record, proposed.designs).record, proposed.designs)
    done = CliRunner().invoke(
        main, ["run", "best_logged", "--task", "tfbind8", "--seeds", "0", "--out", str(tmp_path),
               "--budget", "9", "--jobs", "1", "--visible", "0-20", "--rows", "500"]
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "1 runs scored" in done.stdout
    whole, few = read_runs(tmp_path)
    assert whole.record.subset is None
    assert few.record.subset == Subset(visible=(0.0, 20.0), rows=500)
    assert few.record.place.parts[0] == "tfbind8@p0-20-n500"
    assert few.record.report is not None
    assert few.record.report.best_visible < 0.32 < whole.record.report.best_visible  # type: ignore[union-attr]
    assert verify_runs([whole, few]).ok
    collected = tmp_path / "collection"
    assert write_collection([whole, few], collected) == [
        "data/tfbind8/best_logged.parquet",
        "data/tfbind8@p0-20-n500/best_logged.parquet",
    ]
    assert [run.record for run in read_runs(collected)] == [whole.record, few.record]
    other = few.record.encode().replace(b'"rows": 500', b'"rows": 499', 1)
    with pytest.raises(InvalidFile, match="its subset is"):
        Record.decode(other, "record.json")


@given(
    st.lists(
        st.builds(
            Subset,
            visible=st.tuples(st.floats(0, 50), st.floats(50, 100)),
            rows=st.none() | st.integers(1, 10**6),
            seed=st.integers(0, 99),
            by=st.sampled_from(sorted(WEIGHTS)),
        ),
        min_size=2,
        max_size=2,
        unique=True,
    )
)
def test_no_two_parts_share_a_name(pair: list[Subset]) -> None:
    first, second = pair
    assert first.slug != second.slug
    assert not set(first.slug) & set("/\\ @:")
