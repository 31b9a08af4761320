"""Tasks and oracles are pickled and copied at any time, and a copy scores the same bits."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mbo_hub import Task
from mbo_hub.oracles import Oracle, golden
from mbo_hub.oracles.mujoco.oracle import ROBOTS
from mbo_hub.tasks import TASKS

each_task = pytest.mark.parametrize("name", sorted(TASKS))
FEW = {"mujoco": 1, "training": 0, "slow": 0}  # designs that a test can afford
WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),  # noqa: S301 -- its own
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}
ALIKE = pytest.mark.slow(
    "every oracle is opened twice more; pickling, which takes the same way, runs"
)
each_way = pytest.mark.parametrize(
    "way", [pytest.param(way, marks=() if way == "pickle" else ALIKE) for way in WAYS]
)


@pytest.fixture
def task(name: str, available: Callable[[str], Path], loaded: Callable[[str], Task]) -> Task:
    if any(oracle.kind == "training" for oracle in TASKS[name].oracles.values()):
        pytest.importorskip("torch", reason="the exact oracle needs torch: pip install '.[nas]'")
    available(name)
    return loaded(name)


@pytest.fixture(autouse=True)
def no_golden_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which takes seconds, and is not what is tested here."""
    monkeypatch.setattr(golden, "_checked", {})
    monkeypatch.setattr(golden.CheckedOracle, "_check", lambda self: golden._Check("exact"))


def said(oracle: Oracle, kind: str, task: Task) -> tuple[object, ...]:
    """What an oracle answers, to the bit, and what it says of itself."""
    n = FEW.get(kind, 50)
    answers = []
    if n:
        designs = oracle.space.validate(task.x[:: len(task.x) // n + 1][:n])
        answers = [None if part is None else part.tobytes() for part in oracle.answer(designs)]
    return type(oracle), answers, oracle.fingerprint, oracle.exact, oracle.space


@each_way
@each_task
def test_an_oracle_is_copied_before_and_after_it_scores(task: Task, way: str) -> None:
    for name, entry in task.manifest.oracles.items():
        oracle = task.oracles._openers[name]()
        kind = "slow" if entry.kind in FEW and way != "pickle" else entry.kind
        before = WAYS[way](oracle)
        expected = said(oracle, kind, task)
        after = WAYS[way](oracle)
        assert said(before, kind, task) == expected
        assert said(after, kind, task) == expected


@pytest.mark.parametrize("way", ["pickle", pytest.param("deepcopy", marks=ALIKE)])
@each_task
def test_a_task_is_copied_before_and_after_it_scores(task: Task, way: str) -> None:
    unused = replace(task, oracles=type(task.oracles)(task.oracles._openers))
    before = WAYS[way](unused)
    for oracle in task.oracles:
        unused.oracles[oracle]
    for found in (before, WAYS[way](unused)):
        assert found.manifest == task.manifest
        assert np.array_equal(found.x, task.x)
        assert np.array_equal(found.y, task.y)
        assert [a.tobytes() for a in found.hidden] == [a.tobytes() for a in task.hidden]
        for oracle, entry in task.manifest.oracles.items():
            kind = "slow" if entry.kind in FEW else entry.kind
            assert said(found.oracles[oracle], kind, task) == said(
                unused.oracles[oracle], kind, task
            )


def score(task: Task, oracle: str, designs: np.ndarray) -> np.ndarray:
    return task.oracles[oracle](designs)


def test_processes_that_are_spawned_score_the_same(tfbind8: Task) -> None:
    designs = tfbind8.x[:50]
    for oracle in tfbind8.oracles:
        here = score(tfbind8, oracle, designs)  # so that sessions are open
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            there = pool.submit(score, tfbind8, oracle, designs).result()
        assert here.tobytes() == there.tobytes()


def test_a_robot_travels_by_its_name() -> None:
    for robot in ROBOTS.values():
        for way in WAYS.values():
            assert way(robot) is robot
        with pytest.raises(TypeError, match=f"not the {robot.name} of mbo_hub"):
            pickle.dumps(replace(robot, check=2.0))


def test_a_copy_does_not_hold_what_is_open(loaded: Callable[[str], Task]) -> None:
    oracle = loaded("tfbind10").oracle
    oracle(loaded("tfbind10").x[:1])
    assert "_session" in vars(oracle)
    for way in WAYS.values():
        assert "_session" not in vars(way(oracle))
