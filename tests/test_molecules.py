from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

import mbo_hub
from mbo_hub import MissingExtra, Report, Task
from mbo_hub.scoring.molecules import describe, is_available, morgan_counts, scaffolds

needs_rdkit = pytest.mark.skipif(
    not is_available(), reason="RDKit is not installed: pip install 'mbo-hub[chem]'"
)


@pytest.fixture(scope="module")
def task() -> Task:
    return mbo_hub.load("chembl")


@needs_rdkit
def test_designs_are_told_apart(capfd: pytest.CaptureFixture[str]) -> None:
    found = describe(["CCO", None, "C1CC", "OCC", "c1ccccc1", "("], ["C(O)C", "CC"])
    assert found.readable == (True, None, False, True, True, False)
    assert found.molecules == pytest.approx(3 / 5)
    assert found.new == pytest.approx(1 / 3)  # ethanol is known, however it is written
    assert 0 < (found.diversity or 0) < 1
    assert found.toolkit.startswith("rdkit ")
    assert capfd.readouterr().err == ""  # RDKit says nothing of what it cannot read


@needs_rdkit
def test_equal_molecules_are_not_apart() -> None:
    assert describe(["CCO", "OCC"], []).diversity == pytest.approx(0)


@needs_rdkit
def test_nothing_to_judge() -> None:
    found = describe([None, "C1"], [])
    assert (found.molecules, found.new, found.diversity) == (0, None, None)
    assert describe([None], []).molecules is None


@needs_rdkit
def test_scaffolds_are_ring_systems() -> None:
    numbers = scaffolds(["c1ccccc1CC", "Cc1ccccc1", "C1CCCCC1", "CC", "CCO"])
    assert numbers[0] == numbers[1]
    assert numbers[3] == numbers[4]  # both have no ring
    assert len(set(numbers.tolist())) == 3


@needs_rdkit
def test_fingerprints_do_not_depend_on_how_a_molecule_is_written() -> None:
    counts = morgan_counts(["CCO", "OCC", "CCN"])
    assert counts.shape == (3, 2048)
    assert np.array_equal(counts[0], counts[1])
    assert not np.array_equal(counts[0], counts[2])


@needs_rdkit
@pytest.mark.parametrize("function", [scaffolds, morgan_counts])
def test_what_is_no_molecule_is_named(function: object) -> None:
    with pytest.raises(ValueError, match="'C1' is not a molecule"):
        function(["CC", "C1"])  # type: ignore[operator]


def test_without_rdkit_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(MissingExtra, match=r"pip install 'mbo-hub\[chem\]'"):
        describe(["CC"], [])


def designs(task: Task) -> np.ndarray:
    """Two visible molecules, a hidden one, two strings that are none, and an illegal design."""
    none = task.space.encode(["C1CC", "(((("])
    illegal = np.full((1, task.space.dim), 99, np.int8)
    return np.concatenate([task.x[:2], task.hidden[0][:1], none, illegal])


@needs_rdkit
def test_a_report_flags_what_is_no_molecule_and_scores_it(task: Task, tmp_path: Path) -> None:
    report = task.evaluate(designs(task))
    assert report.molecules is not None
    assert report.molecules.readable == (True, True, True, False, False, None)
    assert [value is None for value in report.y] == [False] * 5 + [True]
    assert report.molecules.new == pytest.approx(1 / 3)
    assert "molecules 60.0%, new among these 33.3%" in str(report)
    receipt = report.save(tmp_path / "receipt.json")
    assert Report.read(receipt) == report
    assert task.verify(receipt, designs(task)).ok


@needs_rdkit
def test_verification_without_rdkit_says_what_was_not_checked(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = task.evaluate(designs(task))
    monkeypatch.setattr("mbo_hub.scoring.molecules.is_available", lambda: False)
    bare = task.evaluate(designs(task))
    assert bare.molecules is None
    assert bare.y == report.y
    checked = task.verify(report, designs(task))
    assert checked.ok
    assert "molecules were judged there only; RDKit is not installed here" in checked.notes
    assert "\nmolecules: not judged (pip install 'mbo-hub[chem]')\n" in str(bare)
    older = msgspec.structs.replace(report, notation=None)  # as receipts were before
    assert task.verify(older, designs(task)).ok
    assert "not judged" not in str(msgspec.structs.replace(older, molecules=None))


@needs_rdkit
def test_a_forged_judgement_is_found(task: Task) -> None:

    report = task.evaluate(designs(task))
    assert report.molecules is not None
    forged = msgspec.structs.replace(
        report, molecules=msgspec.structs.replace(report.molecules, molecules=1.0)
    )
    found = task.verify(forged, designs(task))
    assert found.differences == ("molecules.molecules: the receipt says 1.0, here it is 0.6",)
    other = msgspec.structs.replace(
        report, molecules=msgspec.structs.replace(report.molecules, toolkit="rdkit 1.0")
    )
    assert task.verify(other, designs(task)).ok
    assert "molecules were judged with rdkit 1.0" in task.verify(other, designs(task)).notes[0]


def test_other_tasks_have_no_molecules(tfbind8: Task) -> None:
    assert "molecules" not in str(tfbind8.evaluate(tfbind8.x[:3]))
    assert tfbind8.evaluate(tfbind8.x[:2]).molecules is None
