"""The three robot tasks as published: what their data and oracles must show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from conftest import ROOT
from golden_checks import Checks

import mbo_hub
from mbo_hub import InvalidDesign, OracleUnavailable, Report
from mbo_hub.oracles.golden import _Check
from mbo_hub.oracles.mujoco import ant, dkitty, hopper, oracle
from mbo_hub.oracles.mujoco.oracle import MujocoOracle
from mbo_hub.scoring.evaluate import figures

ROBOTS = {"ant": ant, "dkitty": dkitty, "hopper": hopper}
by_robot = pytest.mark.parametrize("name", sorted(ROBOTS))


@pytest.mark.parametrize(
    ("name", "rows", "visible", "dim"),
    [("ant", 25_009, 10_004, 60), ("dkitty", 25_009, 10_004, 56), ("hopper", 3_200, 3_200, 5_126)],
)
def test_rows_and_dimensions(name: str, rows: int, visible: int, dim: int) -> None:
    task = mbo_hub.load(name)
    assert (task.manifest.statistics.rows, *task.x.shape) == (rows, visible, dim)
    assert len(np.unique(task.x, axis=0)) == visible


@pytest.mark.slow(
    "93 designs of each robot: 15 core-seconds; test_every_task.py scores eight stored ones of each"
)
@by_robot
def test_stored_values_come_out_again_whatever_the_batch_and_the_threads(name: str) -> None:
    task = mbo_hub.load(name)
    oracle = task.oracle
    assert isinstance(oracle, MujocoOracle)
    hidden_x, hidden_y = task.hidden
    x, y = np.concatenate([task.x, hidden_x]), np.concatenate([task.y, hidden_y])
    rows = np.random.default_rng(0).choice(len(y), 66, replace=False)  # more than one chunk
    scored = oracle(x[rows])
    if oracle.agreement == "exact":
        assert np.array_equal(scored, y[rows])
    else:
        assert np.abs(scored - y[rows]).max() <= oracle.tolerance
    for batch, few in ((1, 3), (4, 8)):
        parts = [oracle(x[rows[i : i + batch]]) for i in range(0, few, batch)]
        assert np.array_equal(np.concatenate(parts), scored[:few])
    module = ROBOTS[name]
    for threads in (1, 2):
        again = module.objective(x[rows[:8]], threads=threads).astype(np.float32)
        assert np.array_equal(again, scored[:8])


def test_the_default_robots_walk() -> None:
    (walks,) = ant.objective(ant.DEFAULT[None], threads=2)
    assert walks >= 250
    (walks,) = dkitty.objective(dkitty.DEFAULT[None])
    assert walks >= 200


def test_hoppers_span_untrained_to_good() -> None:
    y = mbo_hub.load("hopper").y
    assert y.max() >= 1_400
    assert y.min() < 100
    assert np.quantile(y, 0.9) > 2 * np.median(y)


@pytest.mark.slow(
    "four to eight core-seconds a robot; stored values come out again in the quick run"
)
@pytest.mark.parametrize("name", ["ant", "dkitty"])
def test_searching_the_oracle_beats_the_best_visible_design(name: str) -> None:
    """The hidden rows are what CMA-ES found on this oracle; the best of them are scored again."""
    task = mbo_hub.load(name)
    hidden_x, hidden_y = task.hidden
    best = hidden_x[np.argsort(hidden_y)[-3:]]
    assert (task.oracle(best) > task.y.max()).all()
    assert task.evaluate(best).improvement > 0


def test_hopper_weights_are_float16_values() -> None:
    x = mbo_hub.load("hopper").x
    assert np.array_equal(x, x.astype(np.float16).astype(np.float32))


def test_dead_dimensions_are_dead() -> None:
    x = mbo_hub.load("dkitty").x
    dead = [i for i, name in enumerate(dkitty.NAMES) if name.endswith("_z")]
    assert len(dead) == 4
    assert (x[:, dead] == 0).all()
    assert (x.std(axis=0) > 0).sum() == 52


@by_robot
def test_illegal_designs_are_refused_and_counted(name: str) -> None:
    task = mbo_hub.load(name)
    designs = task.x[:4].astype(np.float64)
    designs[1, 0], designs[2, 5] = np.nan, np.inf
    with pytest.raises(InvalidDesign, match="design 1 has nan for"):
        task.oracle(designs)
    report = task.evaluate(designs)
    assert report.invalid == 0.5
    assert report.y[0] == pytest.approx(task.y[0], abs=task.manifest.oracles["exact"].tolerance)
    if name != "hopper":
        designs = task.x[:2].astype(np.float64)
        designs[0, 7] = 1e3
        with pytest.raises(InvalidDesign, match=r"design 0 has 1000\.0 for .*hip_range; it lies"):
            task.oracle(designs)
        projected = task.evaluate(designs, project=True)
        assert (projected.projected, projected.invalid) == (1, 0)


def test_a_controller_that_blows_up_is_an_invalid_design_and_harms_no_other() -> None:
    task = mbo_hub.load("hopper")
    designs = task.x[:3].copy()
    designs[1] = 3e38
    report = task.evaluate(designs)
    alone = task.oracle(designs[[0, 2]])
    assert [report.y[0], report.y[2]] == alone.tolist()
    assert report.y[1] is None
    assert report.invalid == pytest.approx(1 / 3)


def test_another_simulator_than_the_tasks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    dearer = replace(
        hopper.ROBOT, constants={**hopper.ROBOT.constants, "CONTROL_COST": 2 * hopper.CONTROL_COST}
    )
    monkeypatch.setitem(oracle.ROBOTS, "hopper", dearer)
    with pytest.raises(OracleUnavailable, match="made with another simulator of 'hopper'"):
        mbo_hub.load("hopper").oracles["exact"]


@pytest.mark.parametrize("name", ["ant", "dkitty"])
def test_the_policy_in_onnx_is_the_policy(name: str) -> None:
    import onnxruntime as ort

    policy = ROBOTS[name].policy()
    seen = np.random.default_rng(0).normal(size=(50, len(policy.mean)))
    session = ort.InferenceSession(ROOT / "oracles_onnx" / name / "policy.onnx")
    (action,) = session.run(None, {"observation": seen})
    assert action.dtype == np.float64
    assert np.allclose(action, policy(seen), rtol=1e-12, atol=1e-12)


def test_receipts_say_how_golden_values_came_out(tmp_path: Path) -> None:
    task = mbo_hub.load("hopper")
    report = task.evaluate(task.x[:5])
    assert report.agreement in ("exact", "compatible")
    assert f"golden values {report.agreement}" in str(report)
    assert task.verify(report.save(tmp_path / "r.json"), task.x[:5]).ok
    assert report.y[0] is not None

    def moved(by: float, agreement: str) -> Report:
        y = (report.y[0] + by, *report.y[1:])
        derived = figures(y, task.manifest.statistics)
        return msgspec.structs.replace(report, y=y, agreement=agreement, **derived)

    here = report.agreement
    assert task.verify(moved(0.5, "exact"), task.x[:5]).ok == (here == "compatible")
    assert task.verify(moved(0.5, "compatible"), task.x[:5]).ok  # the tolerance is 1
    assert not task.verify(moved(2.0, "compatible"), task.x[:5]).ok


def test_what_one_worker_of_the_tests_has_checked_the_others_know(tmp_path: Path) -> None:
    one, other = (Checks(tmp_path / "golden") for _ in range(2))
    key, found = ("MujocoOracle", "hopper", "00", "1.0"), _Check("compatible", "it is off")
    assert key not in one
    one[key] = found
    assert (*key[:-1], "2.0") not in other
    assert key in other
    assert other[key] == found


def test_an_ant_that_begins_inside_the_floor_is_invalid() -> None:
    """It would be thrown: the only random designs that beat the best visible one were such."""
    task = mbo_hub.load("ant")
    sunk = ant.DEFAULT.astype(np.float32)
    names = list(ant.NAMES)
    sunk[names.index("leg0_b")] = 90.0  # straight down, with the longest leg
    sunk[[names.index(f"leg0_{part}_size") for part in ("hip", "thigh", "ankle")]] = 0.4, 0.4, 0.8
    designs = np.stack([task.x[0], sunk, task.x[1]])
    assert task.space.legal(designs).all()
    report = task.evaluate(designs)
    assert report.y[1] is None
    assert report.invalid == pytest.approx(1 / 3)
    assert [report.y[0], report.y[2]] == task.oracle(task.x[:2]).tolist()
    random = task.oracle(task.space.sample(24, rng=1))
    assert 0.1 < np.isnan(random).mean() < 0.6
    assert np.nanmax(random) < task.y.max()
