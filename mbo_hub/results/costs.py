"""What runs cost: seconds of a core and memory of each method on each task."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median
from typing import NamedTuple

import msgspec

from mbo_hub.results.record import Record

__all__ = ["Cost", "Hours", "costs", "markdown", "total_hours"]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a method takes on a task.

    Attributes:
        runs: how many were measured.
        cpu_seconds: of a run, median over seeds; all cores together.
        peak_mb: the most memory of any run, in MiB.
        scoring_seconds: wall time of the oracle, median over seeds; None if none was scored.
    """

    runs: int
    cpu_seconds: float
    peak_mb: int
    scoring_seconds: float | None


class Hours(NamedTuple):
    """What runs took altogether.

    Attributes:
        core: of the methods, all cores together.
        wall: that passed meanwhile, summed over runs; a run of one thread waited for the rest.
        scoring: wall time of the oracles.
    """

    core: float
    wall: float
    scoring: float


def costs(records: Iterable[Record], preset: str = "standard") -> dict[tuple[str, str], Cost]:
    """Measure each method on each task; failed runs count, too.

    Returns:
        By task and method.
    """
    grouped: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.preset == preset:
            grouped.setdefault((record.problem, record.method), []).append(record)
    return {key: _cost(some) for key, some in grouped.items()}


def _cost(records: Sequence[Record]) -> Cost:
    scoring = [r.scoring_seconds for r in records if r.scoring_seconds is not None]
    return Cost(
        runs=len(records),
        cpu_seconds=median(r.cpu_seconds for r in records),
        peak_mb=max(r.peak_mb for r in records),
        scoring_seconds=median(scoring) if scoring else None,
    )


def markdown(
    found: dict[tuple[str, str], Cost], tasks: Sequence[str], methods: Sequence[str]
) -> str:
    """Write a table: a row a method, a column a task."""
    lines = [
        f"| method | {' | '.join(tasks)} | mean |",
        f"|---|{'---|' * (len(tasks) + 1)}",
    ]
    for method in methods:
        there = {task: found[task, method] for task in tasks if (task, method) in found}
        cells = [_told(there[task]) if task in there else "–" for task in tasks]
        mean = f"{fmean(c.cpu_seconds for c in there.values()):,.0f} s" if there else "–"
        lines.append(f"| `{method}` | {' | '.join(cells)} | {mean} |")
    scoring = [
        [c.scoring_seconds for (t, _), c in found.items() if t == task and c.scoring_seconds]
        for task in tasks
    ]
    oracle = [f"{median(some):,.1f} s" if some else "–" for some in scoring]
    lines.append(f"| scoring 128 designs (wall time) | {' | '.join(oracle)} | |")
    return "\n".join(lines) + "\n"


def _told(cost: Cost) -> str:
    seconds = f"{cost.cpu_seconds:,.0f}" if cost.cpu_seconds >= 1 else "< 1"
    return f"{seconds} s, {cost.peak_mb:,} MB"


def total_hours(records: Iterable[Record]) -> Hours:
    """Add up what these runs took."""
    listed = list(records)
    return Hours(
        core=sum(r.cpu_seconds for r in listed) / 3600,
        wall=sum(r.wall_seconds for r in listed) / 3600,
        scoring=sum(r.scoring_seconds or 0.0 for r in listed) / 3600,
    )
