"""Tables of results as the page reads them: short numbers, by task and method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np

from mbo_hub.results import intervals
from mbo_hub.results.intervals import Estimate
from mbo_hub.results.measure import exploit_gap
from mbo_hub.results.record import Run
from mbo_hub.results.table import Compared, Table

DIGITS = 6  # that are significant
AT = np.linspace(-0.5, 1.0, 76)  # where profiles are told


def short(value: float | None) -> float | None:
    """Write no more digits than anybody reads."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


def three(estimate: Estimate | None) -> list[float | None] | None:
    """A value and the ends of its interval."""
    if estimate is None:
        return None
    return [short(estimate.value), short(estimate.low), short(estimate.high)]


def cells(one: Table) -> dict[str, dict[str, Any]]:
    """By task and method: mean, low, high, sd, whether it cannot be told from the best, seeds."""
    found: dict[str, dict[str, Any]] = {task.name: {} for task in one.tasks}
    for row in one.rows:
        for cell in row.cells:
            if cell is not None:
                found[cell.task][row.entrant.method] = [
                    *(three(cell.mean) or ()), short(cell.sd), int(cell.best),
                    [short(value) for value in cell.values],
                ]  # fmt: skip
    return found


def scales(one: Table) -> dict[str, list[float | None]]:
    """By task: between which scores intervals are drawn, D(best) included."""
    return {
        task.name: _scale([row.cells[i].mean for row in one.rows if row.cells[i]],  # type: ignore[union-attr]
                          task.best_visible)
        for i, task in enumerate(one.tasks)
    }  # fmt: skip


def iqm_scale(one: Table) -> list[float | None]:
    """Between which values interquartile means are drawn, D(best) included."""
    return _scale([row.iqm for row in one.rows if row.iqm], 0.0)


def _scale(estimates: Sequence[Estimate], reference: float) -> list[float | None]:
    """Leave out what lies so far below that all else would be one place."""
    if not estimates:
        return [0.0, 1.0]
    highs = [reference, *(e.value if e.high is None else e.high for e in estimates)]
    lows = [reference, *(e.value if e.low is None else e.low for e in estimates)]
    high = max(highs)
    quarter = sorted(e.value for e in estimates)[len(estimates) // 4]
    low = max(min(lows), high - 2.5 * (high - min(quarter, reference)))
    margin = 0.04 * (high - low) or 0.01
    return [short(low - margin), short(high + margin)]


def designs(best: Table, some: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """By task and method: what does not depend on the measure."""
    own: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in sorted(some, key=lambda run: run.record.seed):
        if best.counts(run):
            own[run.record.problem, run.record.method].append(run)
    found: dict[str, dict[str, Any]] = {task.name: {} for task in best.tasks}
    for row in best.rows:
        for cell in row.cells:
            if cell is None:
                continue
            mine = own[cell.task, row.entrant.method]
            found[cell.task][row.entrant.method] = {
                "above": short(cell.above), "visible": short(cell.visible),
                "novelty": short(cell.novelty), "gap": short(cell.gap),
                "gaps": [short(exploit_gap(run)) for run in mine],
                "seconds": short(median(run.record.cpu_seconds for run in mine)),
                "mb": max(run.record.peak_mb for run in mine),
            }  # fmt: skip
    return found


def aggregates(one: Table) -> list[dict[str, Any]]:
    """The rows of a table in its order."""
    return [
        {
            "method": row.entrant.method, "rank": three(row.rank), "iqm": three(row.iqm),
            "over": {name: three(value) for name, value in row.improvement.items()},
        }
        for row in one.rows
    ]  # fmt: skip


def compared(entry: Compared) -> dict[str, Any]:
    """Published figures beside ours: mean, spread and source."""
    return {
        "task": entry.task, "method": entry.method, "differs": list(entry.differs),
        **{
            which: None if other is None else [other.mean, other.spread, other.source]
            for which, other in (("paper", entry.paper), ("rerun", entry.rerun))
        },
    }  # fmt: skip


def profiles(best: Table) -> dict[str, Any]:
    """Performance profiles of the methods that have every task with room above D(best)."""
    tasks = [task for task in best.tasks if task.has_room]
    shares = {}
    for row in best.rows if len(tasks) > 1 else ():
        cells = {cell.task: np.array(cell.values) for cell in row.cells if cell is not None}
        if row.complete:
            scaled = [intervals.rescaled(cells[t.name], t.best_visible, t.ceiling) for t in tasks]
            shares[row.entrant.method] = [
                short(share) for share in intervals.profile(scaled, AT).tolist()
            ]
    return {"at": [round(x, 3) for x in AT.tolist()], "shares": shares}
