"""What runs cost, as docs/results.md tells it."""

from __future__ import annotations

import pytest
from made_runs import made, unscored

from mbo_hub.results import costs
from mbo_hub.results.card import documents
from mbo_hub.results.record import Run


def took(method: str, seed: int, core: float, wall: float, scoring: float, mb: int) -> Run:
    return made("ant", method, seed, [0.5] * 128, cpu_seconds=core, wall_seconds=wall,
                scoring_seconds=scoring, peak_mb=mb)  # fmt: skip


RUNS = (
    took("grad", 0, 3000.0, 3600.0, 10.0, 300),
    took("grad", 1, 600.0, 3600.0, 30.0, 500),
    took("grad", 2, 1200.0, 3600.0, 50.0, 400),
    took("random", 0, 0.2, 0.2, 20.0, 100),
)


def test_a_cell_is_the_median_of_seconds_and_the_most_memory() -> None:
    found = costs.costs(run.record for run in RUNS)
    assert found["ant", "grad"] == costs.Cost(
        runs=3, cpu_seconds=1200.0, peak_mb=500, scoring_seconds=30.0
    )
    table = costs.markdown(found, ["ant", "nas"], ["grad", "random", "coms"]).splitlines()
    assert table[2:] == [
        "| `grad` | 1,200 s, 500 MB | – | 1,200 s |",
        "| `random` | < 1 s, 100 MB | – | 0 s |",
        "| `coms` | – | – | – |",
        "| scoring 128 designs (wall time) | 25.0 s | – | |",
    ]


def test_hours_tell_what_was_waiting() -> None:
    """Failed runs cost, too; what was never scored has no time of an oracle."""
    failed = unscored("ant", "coms", 0)
    hours = costs.total_hours([*(run.record for run in RUNS), failed.record])
    assert hours.core == pytest.approx((4800.2 + failed.record.cpu_seconds) / 3600)
    assert hours.wall == pytest.approx((10800.2 + failed.record.wall_seconds) / 3600)
    assert hours.scoring == pytest.approx(110 / 3600)
    assert "1.3 core-hours of methods in 3.0 hours of wall time, waits included" in (
        documents(RUNS).page
    )
