from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbo_hub import InvalidDesign, InvalidFile, OracleUnavailable, Report, Sequence, Task
from mbo_hub.oracles.protocol import Answer, Oracle
from mbo_hub.scoring.evaluate import _whole, figures
from mbo_hub.task import Oracles

BEST = "GCTAATTA"


def test_a_report_by_hand(tfbind8: Task) -> None:
    """Three designs, one of them twice, one illegal: every figure worked out here."""
    designs = tfbind8.space.encode(["AAAAAAAA", "CCCCCCCC", "AAAAAAAA"]).astype(float)
    designs = np.vstack([designs, [np.nan] * 8])
    report = tfbind8.evaluate(designs)
    a, c = tfbind8.oracle(designs[:2]).tolist()
    assert report.y == (a, c, a, None)
    assert (report.given, report.budget) == (4, 128)
    assert (report.invalid, report.duplicate) == (0.25, 0.25)
    assert report.raw.best == max(a, c)
    assert report.raw.mean == pytest.approx((a + c + a) / 3)
    assert report.raw.median == a
    assert report.raw.p90 == pytest.approx(np.percentile([a, c, a], 90))
    assert report.raw.p80 == pytest.approx(np.percentile([a, c, a], 80))
    assert report.normalized == report.raw  # y already spans 0 to 1 on this task
    assert report.best_visible == tfbind8.y.max()
    assert report.improvement == pytest.approx(max(a, c) - tfbind8.y.max())
    assert report.diversity == pytest.approx((8 + 0 + 8) / 3)  # the pairs differ in 8, 0, 8 places
    visible = set(tfbind8.space.decode(tfbind8.x))
    seen = [text in visible for text in ("AAAAAAAA", "CCCCCCCC", "AAAAAAAA")]
    assert report.visible == sum(seen) / 4
    near = [0.0 if s else 1.0 for s in seen]
    assert report.novelty == pytest.approx(np.mean(near))
    assert (report.oracle, report.exact, report.projected) == ("exact", True, None)


def test_only_the_budget_counts(tfbind8: Task) -> None:
    designs = tfbind8.space.sample(300, rng=0)
    report = tfbind8.evaluate(designs)
    assert (len(report.y), report.given) == (128, 300)
    assert report.y == tfbind8.evaluate(designs[:128]).y
    assert "128 of 300 designs scored (budget 128)" in str(report)
    assert len(tfbind8.evaluate(designs, budget=256).y) == 256
    assert len(tfbind8.evaluate(designs[:5]).y) == 5


@pytest.mark.parametrize("whole", [int, np.int8, np.int64, np.uint16, np.array])
def test_a_budget_is_any_whole_number(tfbind8: Task, whole: Callable[[int], Any]) -> None:
    report = tfbind8.evaluate(tfbind8.x[:4], budget=whole(2))
    assert (len(report.y), report.budget, type(report.budget)) == (2, 2, int)


@pytest.mark.parametrize(
    "budget", [0, -1, True, np.True_, np.int64(0), 2.0, np.float64(2), "2", None, np.array([1, 2])]
)
def test_other_budgets_are_refused(budget: Any) -> None:
    with pytest.raises(ValueError, match="budget is a whole number of at least 1, got"):
        _whole(budget)


def test_no_designs_are_an_error(tfbind8: Task) -> None:
    with pytest.raises(InvalidDesign, match="no designs to score"):
        tfbind8.evaluate(np.empty((0, 8)))


def test_all_invalid_designs_give_an_empty_summary(tfbind8: Task) -> None:
    report = tfbind8.evaluate(np.full((3, 8), 9))
    assert report.invalid == 1
    assert report.raw.best is None
    assert report.improvement is None
    assert report.novelty is None
    assert "–" in str(report)
    json.dumps(report.to_dict(), allow_nan=False)


def test_project_says_how_many_and_leaves_nan_invalid(tfbind8: Task) -> None:
    designs = np.array([[0] * 8, [9] + [0] * 7, [np.nan] * 8])
    report = tfbind8.evaluate(designs, project=True)
    assert report.projected == 1
    assert report.invalid == pytest.approx(1 / 3)
    assert report.y[1] == tfbind8.oracle([[3] + [0] * 7])[0]
    assert report.y[2] is None
    assert "projected onto the space 1" in str(report)
    assert tfbind8.evaluate(designs).invalid == pytest.approx(2 / 3)


def test_project_of_whole_numbers_keeps_fractions(tmp_path: Path) -> None:
    """A bound of 0.5 is not cut to 0 because the designs came as integers."""
    from mbo_hub import Box
    from mbo_hub.scoring.evaluate import _project

    box = Box(size=2, low=0.0, high=0.5)
    given_designs = np.array([[0, 3]])
    out, fixed = _project(box, given_designs, box.legal(given_designs))
    assert out.tolist() == [[0, 0.5]]
    assert fixed.tolist() == [True]


@pytest.mark.parametrize("oracle", ["exact", "surrogate"])
def test_what_has_no_value_is_not_counted_as_scored(tfbind8: Task, oracle: str) -> None:
    designs = tfbind8.x[:6].astype(float)
    designs[[1, 4]] = [[np.nan] * 8, [9] * 8]
    for budget, scored in ((128, 4), (5, 3), (2, 1)):
        report = tfbind8.evaluate(designs, budget=budget, oracle=oracle)
        for shown in (str(report), report._repr_html_()):
            assert f": {scored} of 6 designs scored (budget {budget})" in shown


def test_print_is_readable(tfbind8: Task) -> None:
    text = str(tfbind8.evaluate(tfbind8.space.encode([BEST])))
    assert text.splitlines()[0] == (
        "TF Bind 8 v1.0.0: 1 of 1 designs scored (budget 128) by oracle 'exact' (table, exact)"
    )
    for words in ("best (100th percentile)", "D(best), best visible", "0.4393", "invalid 0.0%"):
        assert words in text
    surrogate = str(tfbind8.evaluate(tfbind8.x[:3], oracle="surrogate"))
    assert "(onnx, not exact: these are predictions)" in surrogate
    with pytest.raises(OracleUnavailable, match="no oracle named 'x'"):
        tfbind8.evaluate(tfbind8.x[:3], oracle="x")


@given(st.data())
def test_a_receipt_survives_saving_and_verifies(tfbind8: Task, data: st.DataObject) -> None:
    import tempfile

    seed = data.draw(st.integers(0, 2**32 - 1))
    designs = tfbind8.space.sample(data.draw(st.integers(1, 140)), rng=seed).astype(float)
    designs[data.draw(st.integers(0, len(designs) - 1))] = data.draw(
        st.sampled_from([np.nan, 7.0, 1.0])
    )
    report = tfbind8.evaluate(designs, project=data.draw(st.booleans()))
    with tempfile.TemporaryDirectory() as folder:
        path = report.save(Path(folder) / "r.json")
        assert Report.read(path) == report
        verification = tfbind8.verify(path, designs)
    assert verification.ok, verification
    assert verification.notes == ()
    assert str(verification) == "The receipt holds."


def test_a_receipt_says_what_differs(tfbind8: Task, tmp_path: Path) -> None:
    designs = tfbind8.space.sample(10, rng=0)
    report = tfbind8.evaluate(designs)
    changed = designs.copy()
    changed[3, 0] = (changed[3, 0] + 1) % 4
    verification = tfbind8.verify(report, changed)
    assert not verification.ok
    said = str(verification)
    assert "designs_sha256: the receipt says" in said
    assert "score of 1 designs, first design 3: the receipt says" in said
    assert not tfbind8.verify(report, designs[:9]).ok
    assert not tfbind8.verify(report, np.vstack([designs, designs])).ok  # other number given


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("exact", False), ("title", "Other"), ("unit", "m"), ("metric", "zzz"), ("given", 5),
        ("best_visible_normalized", 0.0), ("best_visible", 0.1), ("improvement", 40.0),
        ("invalid", 0.25), ("duplicate", 0.25), ("visible", 0.0), ("diversity", 50.0),
        ("novelty", 30.0), ("dataset_sha256", "0" * 64), ("oracle", "onnx"),
    ],
)  # fmt: skip
def test_no_field_of_a_receipt_can_be_forged(
    tfbind8: Task, tmp_path: Path, field: str, value: object
) -> None:
    report = tfbind8.evaluate(tfbind8.x[:4])
    forged = msgspec.structs.replace(report, **{field: value})
    verification = tfbind8.verify(forged.save(tmp_path / "r.json"), tfbind8.x[:4])
    assert not verification.ok
    best = msgspec.structs.replace(report.normalized, best=0.9)
    forged = msgspec.structs.replace(report, normalized=best)
    assert "normalized.best: the receipt says 0.9" in str(tfbind8.verify(forged, tfbind8.x[:4]))


def test_a_surrogate_may_differ_in_its_last_bits_elsewhere(tfbind8: Task) -> None:
    report = tfbind8.evaluate(tfbind8.x[:4], oracle="surrogate")
    first = report.y[0]
    assert first is not None
    for change, holds in ((1e-7, True), (1e-4, False)):
        y = (first * (1 + change), *report.y[1:])
        other = msgspec.structs.replace(report, y=y, **figures(y, tfbind8.manifest.statistics))
        assert tfbind8.verify(other, tfbind8.x[:4]).ok == holds


def test_what_an_oracle_cannot_score_is_invalid_and_designs_are_checked_once(
    tfbind8: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Oracle):
        space, exact = tfbind8.space, True
        fingerprint = tfbind8.oracle.fingerprint

        def answer(self, legal: np.ndarray) -> Answer:
            return Answer(np.array([np.inf, np.nan, 0.5], np.float32))

    checks = []
    legal_values = type(tfbind8.space)._legal_values

    def counted(space: Sequence, designs: np.ndarray) -> np.ndarray:
        checks.append(len(designs))
        return legal_values(space, designs)

    monkeypatch.setattr(type(tfbind8.space), "_legal_values", counted)
    report = replace(tfbind8, oracles=Oracles({"exact": Broken})).evaluate(tfbind8.x[:3])
    assert checks == [3]
    assert report.y == (None, None, 0.5)
    assert report.invalid == pytest.approx(2 / 3)
    assert report.raw.best == 0.5


def test_a_large_budget_fits_into_memory(tfbind8: Task) -> None:
    """The pairs of 20,000 designs would take 3 GB; the mean over them is exact."""
    designs = tfbind8.space.sample(20_000, rng=0)
    report = tfbind8.evaluate(designs, budget=20_000)
    assert report.diversity == pytest.approx(6.0, abs=0.01)  # 8 places, 3 in 4 differ
    few = designs[:50]
    direct = tfbind8.space.distance(few, few, np.ones(8)).sum() / (50 * 49)
    assert tfbind8.evaluate(few).diversity == pytest.approx(direct)


def test_a_receipt_leaves_out_what_is_at_its_default_and_reads_what_does_not(
    tfbind8: Task, tmp_path: Path
) -> None:
    """As receipts were written before: every field that says nothing was there as null."""
    report = tfbind8.evaluate(tfbind8.x[:4])
    path = report.save(tmp_path / "new.json")
    document = json.loads(path.read_text())
    left_out = set(Report.__struct_fields__) - set(document)
    assert left_out == {
        "agreement",
        "projected",
        "unit",
        "subset",
        "support",
        "outside",
        "spread",
        "molecules",
        "notation",
    }
    older = {**document, **dict.fromkeys(left_out - {"unit"}), "unit": ""}
    del older["digest"]
    older["digest"] = sha256(json.dumps(older, sort_keys=True, separators=(",", ":"),
                                        ensure_ascii=False).encode()).hexdigest()  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(older))
    assert Report.read(tmp_path / "old.json") == Report.read(path) == report
    assert tfbind8.verify(tmp_path / "old.json", tfbind8.x[:4]).ok


@pytest.mark.parametrize(
    ("where", "value"),
    [("y", 0.99), ("budget", 256), ("version", "1.0.1"), ("task", "nas"), ("invalid", 0.5)],
)
def test_an_edited_receipt_is_refused(
    tfbind8: Task, tmp_path: Path, where: str, value: object
) -> None:
    path = tfbind8.evaluate(tfbind8.x[:4]).save(tmp_path / "r.json")
    document = json.loads(path.read_text())
    if where == "y":
        document["y"][0] = value
    else:
        document[where] = value
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidFile, match="edited after it was saved"):
        tfbind8.verify(path, tfbind8.x[:4])


def test_a_receipt_forged_with_its_digest_does_not_hold(tfbind8: Task, tmp_path: Path) -> None:
    """The digest guards against accidents; recomputing guards against the rest."""
    report = tfbind8.evaluate(tfbind8.x[:4])
    forged = msgspec.structs.replace(report, y=(1.0, *report.y[1:]))
    verification = tfbind8.verify(forged.save(tmp_path / "r.json"), tfbind8.x[:4])
    assert "first design 0: the receipt says 1.0" in str(verification)


def test_layout_and_order_of_a_receipt_do_not_matter(tfbind8: Task, tmp_path: Path) -> None:
    path = tfbind8.evaluate(tfbind8.x[:4]).save(tmp_path / "r.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(document.items())), indent=7))
    assert tfbind8.verify(path, tfbind8.x[:4]).ok


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a receipt"),
        (b"[]", "not a receipt"),
        (b"{}", "not a receipt"),
        (b'{"digest": "x"}', "not a receipt"),
        (b'{"format": 99}', "receipt format 99, this mbo_hub reads up to 2"),
    ],
)
def test_what_is_no_receipt_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(InvalidFile, match=message):
        Report.read(path)
    with pytest.raises(InvalidFile, match=r"cannot be read \(No such file"):
        Report.read(tmp_path / "other.json")


def test_saving_is_all_or_nothing(tfbind8: Task, tmp_path: Path) -> None:
    report = tfbind8.evaluate(tfbind8.x[:4])
    path = tmp_path / "r.json"
    path.write_text("old")
    report.save(path)
    assert Report.read(path) == report
    assert [p.name for p in tmp_path.iterdir()] == ["r.json"]
    assert stat.S_IMODE(path.stat().st_mode) & 0o600 == 0o600
    with pytest.raises(InvalidFile, match="cannot be written"):
        report.save(tmp_path / "missing" / "r.json")
    with pytest.raises(InvalidFile, match="is a folder; name the file"):
        report.save(tmp_path)


def test_many_threads_may_save_at_once(tfbind8: Task, tmp_path: Path) -> None:
    report = tfbind8.evaluate(tfbind8.x[:4])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: report.save(tmp_path / "r.json"), range(200)))
    assert Report.read(tmp_path / "r.json") == report
    assert len(list(tmp_path.iterdir())) == 1


def test_the_same_designs_in_another_dtype_are_the_same(tfbind8: Task) -> None:
    hashes = {
        tfbind8.evaluate(tfbind8.x[:9].astype(dtype)).designs_sha256
        for dtype in (np.int8, np.uint8, np.int64, np.float32, np.float64)
    }
    assert len(hashes) == 1
