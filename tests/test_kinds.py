"""A kind of oracle is one file and one line: a new one goes the whole way from declaration to score."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import msgspec
import numpy as np
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub import IntegrityError, OracleUnavailable, validate
from mbo_hub.making import build
from mbo_hub.oracles import kinds
from mbo_hub.oracles.kinds import Bench, Deposit, Kind, Made, OracleSpec
from mbo_hub.oracles.protocol import Answer, Fingerprint, Oracle
from mbo_hub.tasks import TASKS

# ---------------------------------------------------------- what the file of a new kind would hold


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    token: int


class CountOracle(Oracle):
    """Counts how often a design has a token, plus what a file says."""

    def __init__(self, space: Any, token: int, bonus: float) -> None:
        self.space, self.exact, self.token, self.bonus = space, False, token, bonus

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(kind="count", sha256="0" * 64, runtime="numpy")

    def answer(self, legal: np.ndarray) -> Answer:
        return Answer((legal == self.token).sum(axis=1).astype(np.float32) + self.bonus)


@dataclass(frozen=True, kw_only=True)
class Count(OracleSpec):
    kind: ClassVar[str] = "count"
    exact: ClassVar[bool] = False
    file: str = "bonus.txt"
    token: int

    def make(self, bench: Bench) -> Made:
        oracle = CountOracle(bench.space, self.token, 0.5)
        return Made(files={self.file: b"0.5"}, golden=oracle(bench.golden))

    def facts(self, space: Any, model: bytes) -> dict[str, Any]:
        return {"settings": {"token": self.token}}

    def words_on_use(self, task: str) -> str:
        return f"Counting on {task} takes no time."

    def words_on_files(self) -> str:
        return "`bonus.txt` is a number."


def opened(deposit: Deposit) -> CountOracle:
    raw, _ = deposit.model()
    return CountOracle(deposit.manifest.space, deposit.settings(Settings).token, float(raw))


# --------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one task, whose second oracle is of a new kind."""
    module = ModuleType("mbo_hub.oracles.count")
    module.KIND = Kind(open=opened, affordable=7)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(kinds, "KINDS", {**kinds.KINDS, "count": "count"})
    data = Path("dataset_cards/tfbind8/data")
    shutil.copytree(ROOT / data, tmp_path / data)
    (tmp_path / "oracles_onnx" / "tfbind8").mkdir(parents=True)
    spec = TASKS["tfbind8"]
    spec = replace(
        spec,
        oracles={"exact": spec.oracles["exact"], "count": Count(token=2, description="Counts.")},
    )
    build.write_oracles(spec, tmp_path)
    for path, raw in build.documents({"tfbind8": spec}, tmp_path).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    (tmp_path / "oracles_onnx" / "tfbind8").rename(tmp_path / "dataset_cards" / "tfbind8-oracle")
    return tmp_path / "dataset_cards"


def test_a_new_kind_is_made_declared_validated_loaded_and_scored(root: Path) -> None:
    folder = root / "tfbind8"
    assert validate(folder) == []
    task = mbo_hub.load(folder)
    entry = task.manifest.oracles["count"]
    assert (entry.kind, entry.file, entry.settings) == ("count", "bonus.txt", {"token": 2})
    assert set(entry.pinned) == {"bonus.txt", "golden.json"}
    report = task.evaluate(task.space.encode(["GGGGAAAA", "ACTACTAC"]), oracle="count")
    assert report.y == (4.5, 0.5)
    assert report.fingerprint.kind == "count"
    assert task.verify(report, task.space.encode(["GGGGAAAA", "ACTACTAC"])).ok
    assert "Counting on tfbind8 takes no time." in (folder / "README.md").read_text()
    assert "`bonus.txt` is a number." in (root / "tfbind8-oracle" / "README.md").read_text()


def test_its_files_and_settings_are_checked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = root / "tfbind8"
    (root / "tfbind8-oracle" / "bonus.txt").write_text("0.6")
    with pytest.raises(IntegrityError, match=r"bonus\.txt: sha256 expected"):
        mbo_hub.load(folder).oracles["count"]
    assert any("bonus.txt" in problem for problem in validate(folder))
    monkeypatch.undo()  # an older mbo_hub, which does not know the kind
    task = mbo_hub.load(folder)
    assert task.evaluate(task.x[:2]).oracle == "exact"
    with pytest.raises(OracleUnavailable, match=r"no oracle of kind 'count'.*upgrade with"):
        task.oracles["count"]


@pytest.mark.parametrize("name", kinds.KINDS)
def test_each_kind_is_told_in_one_module(name: str) -> None:
    module = import_module(f"mbo_hub.oracles.{kinds.KINDS[name]}")
    assert isinstance(module.KIND, Kind)
    declarations = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, OracleSpec) and value is not OracleSpec
    ]
    assert declarations
    assert {declaration.kind for declaration in declarations} == {name}
    for task in TASKS.values():
        for oracle in task.oracles.values():
            assert oracle.kind in kinds.KINDS


def test_no_module_beyond_its_own_tells_the_kinds_apart() -> None:
    """What depends on the kind is asked of the kind: nobody else compares its name."""
    allowed = {"cli/scoring.py", "making/cards.py"}  # which robots are drawn; which files are ONNX
    told = {
        path.relative_to(ROOT / "mbo_hub").as_posix()
        for path in (ROOT / "mbo_hub").rglob("*.py")
        if re.search(r"\b(entry|oracle|spec|e)\.kind ==", path.read_text("utf-8"))
    }
    assert told <= allowed
