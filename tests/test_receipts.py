"""What a receipt says of designs: that they are these, as the task sees them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mbo_hub import InvalidFile, Report, Task, load, read_designs
from mbo_hub.cli import main


def old_receipt(task: Task, designs: np.ndarray, **options: object) -> Report:
    """What an mbo_hub of receipt format 1 would have said: its digest is of float64, as given."""
    exact = np.where(np.isnan(designs), np.nan, designs.astype("<f8")) + 0.0
    report = task.evaluate(designs, **options)
    return msgspec.structs.replace(
        report, format=1, designs_sha256=sha256(exact[: report.budget].tobytes()).hexdigest()
    )


def test_receipts_of_format_1_still_verify(tfbind8: Task, tmp_path: Path) -> None:
    designs = tfbind8.space.sample(5, rng=0).astype(float)
    designs[3, 2], designs[4, 1] = np.nan, 7
    for options in ({}, {"project": True}, {"budget": 3}):
        path = old_receipt(tfbind8, designs, **options).save(tmp_path / "r.json")
        assert tfbind8.verify(path, designs).ok
        assert tfbind8.verify(path, designs).notes == ()
        verification = tfbind8.verify(path, designs + 1e-9)
        assert not verification.ok
        assert any("the receipt is of format 1" in note for note in verification.notes)


@pytest.mark.parametrize("options", [
    "tfbind8", "tfbind8 --oracle surrogate --budget 2", "tfbind8 --invalid count",
    "tfbind8 --rows 500 --visible 50", "ant --oracle surrogate --project",
])  # fmt: skip
def test_what_score_prints_for_machines_is_a_receipt(options: str, tmp_path: Path) -> None:
    """`mbo score --json > r.json` and `--receipt r.json` say the same, and both verify."""
    task, *rest = options.split()
    designs = tmp_path / ("x.txt" if "count" in rest else "x.npy")
    if "count" in rest:
        designs.write_text("ACGTACGT\nACGTACGN\n")
    else:
        np.save(designs, load(task).space.sample(4, rng=0) - (0.1 if "--project" in rest else 0))
    saved, printed = tmp_path / "saved.json", tmp_path / "printed.json"
    run = CliRunner().invoke
    done = run(main, ["score", task, str(designs), *rest, "--json", "--receipt", str(saved)])
    assert done.exit_code == 0, done.output
    printed.write_text(done.stdout, "utf-8")
    assert Report.read(printed) == Report.read(saved)
    for receipt in (printed, saved):
        verified = run(main, ["verify", str(receipt), str(designs)])
        assert verified.exit_code == 0, verified.output
    edited = done.stdout.replace('"given": ', '"given": 1')
    printed.write_text(edited, "utf-8")
    with pytest.raises(InvalidFile, match="was edited after it was saved"):
        Report.read(printed)


@pytest.mark.parametrize("number", [0, -1])
def test_no_receipt_has_a_format_below_1(tfbind8: Task, tmp_path: Path, number: int) -> None:
    report = msgspec.structs.replace(tfbind8.evaluate(tfbind8.x[:2]), format=number)
    with pytest.raises(InvalidFile, match=f"no receipt has format {number}"):
        Report.read(report.save(tmp_path / "r.json"))


def test_a_receipt_tells_designs_apart_that_a_task_tells_apart(tfbind8: Task) -> None:
    def digest(designs: object, **options: bool) -> str:
        return tfbind8.evaluate(designs, **options).designs_sha256

    x = tfbind8.space.sample(2, rng=0).astype(float)
    other = x.copy()
    other[1, 3] = (other[1, 3] + 1) % 4
    assert digest(x) != digest(other) != digest(x[::-1])
    assert digest(x) == digest(x.tolist()) == digest(x.astype(np.float16)) == digest(x + 0.0)
    almost = x + 0.2
    assert digest(almost) != digest(x) == digest(almost, project=True)


@given(st.data())
@settings(max_examples=15)
def test_designs_that_went_through_a_file_verify(
    loaded: Callable[[str], Task], data: st.DataObject
) -> None:
    """As pandas, polars and numpy write float32: it is enough that float32 comes back."""
    import tempfile

    import pandas as pd
    import polars as pl

    task = loaded("ant")
    seed = data.draw(st.integers(0, 2**32 - 1))
    x = np.concatenate([task.x[:2], task.space.sample(2, rng=seed)])
    if data.draw(st.booleans()):
        x[1, 5] = data.draw(st.sampled_from([np.nan, np.inf, 1e30, 1e-42, -0.0]))
    columns = list(task.space.columns)
    report = task.evaluate(x, oracle="surrogate")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "designs.csv"
        for write in (
            lambda: pd.DataFrame(x, columns=columns).to_csv(path, index=False, na_rep="nan"),
            lambda: pd.DataFrame(x, columns=columns).to_csv(path, index=False, na_rep="nan", float_format="%.9g"),
            lambda: pl.DataFrame(x, schema=columns).write_csv(path),
            lambda: np.savetxt(path, x, delimiter=",", header=",".join(columns), comments="", fmt="%.9g"),
            lambda: np.savetxt(path, x, delimiter=",", header=",".join(columns), comments=""),
        ):  # fmt: skip
            write()
            back = read_designs(path, task.manifest, strict=False)
            verification = task.verify(report, back)
            assert verification.ok, verification


@pytest.mark.parametrize("name", ["tfbind8", "ant"])
def test_a_copy_of_a_task_is_read_only_too(name: str) -> None:
    task = load(name)
    offline = pickle.loads(pickle.dumps(task.offline))  # noqa: S301
    for again in (offline, copy.deepcopy(offline), copy.deepcopy(task), copy.copy(task)):
        assert np.array_equal(again.x, task.x)
        for array in (again.x, again.y):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
