"""What is known of ChEMBL Sigma-1, and what it makes of illegal molecules."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub import InvalidDesign, Task
from mbo_hub.tasks import chembl


@pytest.fixture(scope="module")
def task() -> Task:
    return mbo_hub.load("chembl")


@pytest.fixture(scope="module")
def rows(task: Task) -> tuple[np.ndarray, np.ndarray]:
    x, y = task.hidden
    return np.concatenate([task.x, x]), np.concatenate([task.y, y])


def test_1168_distinct_molecules_half_of_them_visible(
    task: Task, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = rows
    assert x.shape == (1168, 46)
    assert len(np.unique(x, axis=0)) == 1168
    assert len(task.y) == 584
    assert 4 < y.min() < y.max() < 11  # pKi from 0.1 mM to 10 pM


def test_every_design_is_written_as_the_source_writes_it(task: Task) -> None:
    import polars as pl

    for split in ("train", "test"):
        frame = pl.read_parquet(ROOT / "dataset_cards" / "chembl" / "data" / f"{split}.parquet")
        x = frame["x"].to_numpy()
        assert task.space.decode(x) == frame["smiles"].to_list()
        assert np.array_equal(task.space.encode(frame["smiles"].to_list()), x)


def test_tokens_are_those_of_the_standard_expression(
    task: Task, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    """Schwaller et al. 2019, as published; the task's own is shorter and says the same here."""
    published = re.compile(
        r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|/|:|~|@|\?|>|\*|\$|%[0-9]{2}|[0-9])"
    )
    used = set()
    for smiles, x in zip(task.space.decode(rows[0]), rows[0], strict=True):
        tokens = published.findall(smiles)
        assert tokens == chembl.TOKEN.findall(smiles)
        assert tokens == [task.space.alphabet[i] for i in x[: len(tokens)]]
        used |= set(tokens)
    assert used == set(task.space.alphabet) - {task.space.padding}


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("CCP", r"design 1 has letter 'P' at position 2"),
        ("C[Na+]", r"design 1 has letter '\[' at position 1"),
        ("C" * 47, r"design 1 \('C+'\) has 47 tokens; this task's designs have 1 to 46"),
        ("", r"design 1 \(''\) has 0 tokens"),
    ],
)
def test_molecules_that_the_task_cannot_write_are_named(
    task: Task, smiles: str, message: str
) -> None:
    with pytest.raises(InvalidDesign, match=message):
        task.space.encode(["CC", smiles])


def test_illegal_tokens_are_named(task: Task) -> None:
    pad = task.space.alphabet.index("_")
    design = np.full((2, 46), pad)
    design[:, :3] = 5
    late, empty, unknown = design.copy(), design.copy(), design.copy()
    late[1, 10] = 5
    empty[1] = pad
    unknown[1, 2] = 37
    for designs, message in (
        (late, "design 1 has token 5 at position 10, after padding"),
        (empty, "design 1 is nothing but padding"),
        (unknown, "design 1 has token 37 at position 2; this task's tokens are 0 to 36"),
    ):
        with pytest.raises(InvalidDesign, match=message):
            task.oracle(designs)


def test_the_oracle_remembers_every_row_and_says_so(
    task: Task, rows: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = rows
    assert np.abs(task.oracle(x) - y).max() < 1e-4
    entry = task.manifest.oracles["forest"]
    assert entry.held_out is not None
    assert entry.held_out.rows == 1168
    assert entry.held_out.mean_absolute_error > 0.4  # on scaffolds that it did not see
    assert entry.held_out.spearman_random_rows > entry.held_out.spearman > 0.68
    assert not task.oracle.exact
    report = task.evaluate(task.hidden[0][:50])
    assert report.outside == 0
    assert np.allclose(
        np.array(report.spread, float), 0, atol=1e-3
    )  # trees that agree: it has seen these


def test_the_card_compares_with_fingerprints() -> None:
    task_json = json.loads((ROOT / "dataset_cards" / "chembl" / "task.json").read_text("utf-8"))
    *compared, parity = task_json["oracles"]["forest"]["findings"]
    assert [0.5 < finding["value"] < 0.9 for finding in compared] == [True, True]
    assert all("Morgan fingerprints" in finding["what"] for finding in compared)
    assert "scikit-learn" in parity["what"]
    assert 0 <= parity["value"] < 1e-4
