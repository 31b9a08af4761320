"""How far a design is from what a learned oracle was trained on, and what a report says of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mbo_hub import Box, InvalidFile, Report, Sequence, Task
from mbo_hub.dataset.manifest import Support
from mbo_hub.scoring import trust
from mbo_hub.scoring.evaluate import figures

BOX = Box(size=3)
WORDS = Sequence(length=4, alphabet=tuple("abc"))
ONES = np.ones(3)

# Whole numbers, so that many distances are the same.
rows = st.integers(2, 12).flatmap(
    lambda n: arrays(np.float32, (n, 3), elements=st.integers(-3, 3).map(float), unique=False)
).filter(lambda x: len(np.unique(x, axis=0)) > 1)  # fmt: skip


def direct(a: np.ndarray, b: np.ndarray, scale: np.ndarray = ONES) -> np.ndarray:
    """All distances, the plain way."""
    return np.linalg.norm((a[:, None].astype(float) - b[None]) / scale, axis=2)


@given(rows, rows, st.floats(0.1, 10))
def test_nearest_is_the_smallest_distance(a: np.ndarray, b: np.ndarray, unit: float) -> None:
    found = BOX.nearest(a, b, ONES * unit)
    assert np.allclose(found, direct(a, b, ONES * unit).min(axis=1))


def test_nearest_of_many_rows_is_that_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are taken a few at a time, and the last part may be short."""
    known = np.random.default_rng(0).normal(size=(2**21, 3)).astype(np.float32)
    designs = BOX.sample(5, rng=1)
    whole = BOX.nearest(designs, known, ONES)
    each = [BOX.nearest(d[None], known, ONES)[0] for d in designs]
    assert np.array_equal(whole, each)
    assert BOX.nearest(designs[:0], known, ONES).shape == (0,)


@given(rows, st.floats(0.1, 10))
def test_measured_distances_are_those_to_the_nearest_other_design(
    x: np.ndarray, unit: float
) -> None:
    support = trust.measure(BOX, x, ONES * unit)
    distinct = np.unique(x, axis=0)
    apart = direct(distinct, distinct, ONES * unit)
    np.fill_diagonal(apart, np.inf)
    own = apart.min(axis=1)
    assert support.designs == len(distinct)
    assert len(support.distances) == 101
    assert np.allclose(support.distances, np.percentile(own, range(101)))
    again = trust.measure(BOX, np.vstack([x, x[::-1]]), ONES * unit)
    assert again == support  # rows that repeat a design, and their order, change nothing


@given(
    st.lists(st.floats(0, 1e6), min_size=101, max_size=101).map(sorted),
    st.integers(0, 100),
    st.sampled_from(["negative", "unsorted", "nan", "short"]),
)
def test_distances_of_support_are_percentiles_of_distances(
    levels: list[float], at: int, spoiled: str
) -> None:
    good = msgspec.json.encode({"designs": 5, "distances": levels})
    assert msgspec.json.decode(good, type=Support).distances == tuple(levels)
    bad: list[float | None] = list(levels)
    if spoiled == "negative":
        bad[at] = -1e-9
    elif spoiled == "unsorted":
        bad[at] = levels[at + 1] + 1 if at < 100 else levels[99] / 2 - 1
    elif spoiled == "nan":
        bad[at] = None
    else:
        del bad[at]
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode({"designs": 5, "distances": bad}), type=Support)


@given(rows, st.data())
def test_percentiles_are_ordered_whole_and_cover_0_to_100(
    x: np.ndarray, data: st.DataObject
) -> None:
    support = trust.measure(BOX, x, ONES)
    far = support.distances[-1]
    distances = np.sort(data.draw(arrays(float, 9, elements=st.floats(0, 2 * far))))
    found = trust.percentiles(support, distances)
    assert (np.diff(found) >= 0).all()
    assert np.array_equal(found, found.astype(int))
    assert ((found >= 0) & (found <= 100)).all()
    assert trust.percentiles(support, np.array([far * 1.001])) == 100
    assert trust.percentiles(support, np.array([support.distances[0] * 0.999])) == 0


@given(rows)
def test_training_designs_are_inside_and_far_ones_outside(x: np.ndarray) -> None:
    support = trust.measure(BOX, x, ONES)
    assert (trust.percentiles(support, BOX.nearest(x, x, ONES)) == 0).all()
    away = x + np.float32(100)
    assert (trust.percentiles(support, BOX.nearest(away, x, ONES)) >= trust.OUTSIDE).all()


def test_between_two_percentiles_the_lower_one_is_told() -> None:
    support = Support(designs=101, distances=tuple(float(i) for i in range(1, 102)))
    distances = np.array([0.5, 1.0, 1.5, 50.0, 50.99, 99.99, 100.0, 101.0, 500.0])
    assert trust.percentiles(support, distances).tolist() == [0, 0, 0, 49, 49, 98, 99, 100, 100]
    # In its last bits a distance may be another on another machine.
    for factor in (1 - 1e-12, 1 + 1e-12):
        assert trust.percentiles(support, np.array([50.0 * factor])) == 49


def test_a_distance_that_is_common_among_training_designs_is_not_far() -> None:
    """All pairs of neighbours differ in one letter: so does a new design, which is inside."""
    known = WORDS.encode(["aaaa", "aaab", "aaac", "aabc"])
    support = trust.measure(WORDS, known, np.ones(4))
    assert set(support.distances) == {1.0}
    new = WORDS.encode(["aaaa", "abab", "bbbb"])
    apart = WORDS.nearest(new, known, np.ones(4))
    assert apart.tolist() == [0, 1, 3]
    assert trust.percentiles(support, apart).tolist() == [0, 0, 100]


# ------------------------------------------------------------------------------------- in a report


@pytest.fixture
def report(superconductor: Task) -> Report:
    """Two designs of the data, one that is none, a neighbour of the first, and a strange one."""
    return superconductor.evaluate(designs_of(superconductor))


def designs_of(task: Task) -> np.ndarray:
    designs = np.vstack([task.x[0], task.hidden[0][7], task.x[0], task.x[0], np.full(86, 50.0)])
    designs[2, 3] = -1
    designs[3, task.space.columns.index("O")] += 0.01
    return designs


def test_a_report_tells_support_and_spread_of_each_design(
    superconductor: Task, report: Report
) -> None:
    support, spread = report.support, report.spread
    assert support is not None
    assert spread is not None
    assert support[:3] == (0, 0, None)  # hidden rows were trained on, too
    assert 0 <= support[3] < trust.OUTSIDE
    assert support[4] == 100
    assert report.outside == 1 / 4  # of the valid designs
    assert spread[:3] == (0, 0, None)  # every tree remembers every row
    assert spread[4] > 1
    assert report.y[2] is None
    table = np.array([d for d in report.y if d is not None])
    trees = superconductor.oracle.spread(designs_of(superconductor)[[0, 1, 3, 4]])
    assert [s for s in spread if s is not None] == trees.tolist()
    assert np.isfinite(table).all()


def test_it_is_printed(report: Report, superconductor: Task) -> None:
    text = str(report)
    assert "invalid 20.0%, duplicate 0.0%, already visible 20.0%" in text
    assert "outside the oracle's data 25.0%" in text
    middle = np.median([s for s in report.spread if s is not None])
    assert f"spread of the oracle's trees {middle:.4f} (median)" in text
    none = superconductor.evaluate(np.full((2, 86), -1.0))
    assert (none.support, none.spread, none.outside) == ((None, None), (None, None), None)
    assert "outside" not in str(none)
    assert "spread" not in str(none)


def test_oracles_that_need_no_warning_have_none(tfbind8: Task) -> None:
    for oracle in ("exact", "surrogate"):
        report = tfbind8.evaluate(tfbind8.x[:4], oracle=oracle)
        assert (report.support, report.outside, report.spread) == (None, None, None)
        assert "outside" not in str(report)


def test_projected_designs_are_judged_as_what_they_become(superconductor: Task) -> None:
    designs = designs_of(superconductor)[:3]
    report = superconductor.evaluate(designs, project=True)
    assert report.projected == 1
    designs[2, 3] = 0
    assert report.support == superconductor.evaluate(designs).support
    assert report.support[2] == 0


def test_a_receipt_with_these_fields_holds(
    superconductor: Task, report: Report, tmp_path: Path
) -> None:
    path = report.save(tmp_path / "r.json")
    assert Report.read(path) == report
    verification = superconductor.verify(path, designs_of(superconductor))
    assert verification.ok, verification
    assert verification.notes == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: {"support": (0.0, 1.0, *r.support[2:])},
         "support of 1 designs, first design 1: the receipt says 1.0, here it is 0.0"),
        (lambda r: {"support": (None, *r.support[1:])},
         "support of 1 designs, first design 0: the receipt says None, here it is 0.0"),
        (lambda r: {"support": r.support[:4]}, "supports: the receipt has 4, here there are 5"),
        (lambda r: {"support": None}, "support of designs: the receipt says None, here it is 5"),
        (lambda r: {"outside": 0.0}, "outside: the receipt says 0.0, here it is 0.25"),
        (lambda r: {"spread": (*r.spread[:4], r.spread[4] / 2)},
         "spread of 1 designs, first design 4: the receipt says "),
        (lambda r: {"spread": None}, "spread of designs: the receipt says None, here it is 5"),
    ],
)  # fmt: skip
def test_a_forged_field_is_named(
    superconductor: Task, report: Report, change: Callable[[Report], dict], message: str
) -> None:
    forged = msgspec.structs.replace(report, **change(report))
    verification = superconductor.verify(forged, designs_of(superconductor))
    (difference,) = verification.differences
    assert difference.startswith(message)


def test_last_bits_of_another_runtime_are_no_difference(
    superconductor: Task, report: Report
) -> None:
    """A spread of 0 comes from values that agree to their last bits only."""
    y = tuple(None if v is None else float(np.nextafter(np.float32(v), np.inf)) for v in report.y)
    for change, holds in ((3e-5, True), (0.01, False)):
        spread = tuple(None if s is None else s + change for s in report.spread)
        other = msgspec.structs.replace(
            report, y=y, spread=spread, **figures(y, superconductor.manifest.statistics)
        )
        assert superconductor.verify(other, designs_of(superconductor)).ok == holds


def test_a_receipt_is_not_about_other_designs(superconductor: Task, report: Report) -> None:
    other = designs_of(superconductor)
    other[4] = superconductor.x[5]
    differences = "\n".join(superconductor.verify(report, other).differences)
    for what in ("designs_sha256", "score of 1 designs, first design 4", "support of 1 designs",
                 "outside: the receipt says 0.25, here it is 0.0"):  # fmt: skip
        assert what in differences
    with pytest.raises(InvalidFile, match="about task 'x', not 'superconductor'"):
        superconductor.verify(msgspec.structs.replace(report, task="x"), other)
