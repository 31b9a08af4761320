"""Every number of the leaderboard, for each view that a person can choose.

Tables are `mbo_hub.results.tabulate`'s, and so they say what `mbo table` says. They are computed
when the site is built, since a browser could not draw the same bootstrap; build/ keeps them until
runs or code change.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache, partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import scipy

import mbo_hub
import standing
from mbo_hub.atomic import write_file
from mbo_hub.results import intervals
from mbo_hub.results.cautions import cautions
from mbo_hub.results.collection import read_runs
from mbo_hub.results.intervals import Estimate
from mbo_hub.results.plots import draw
from mbo_hub.results.record import Run
from mbo_hub.results.table import CONTROLS, Compared, Measure, Row, Table, exploit_gap, tabulate

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "dataset_cards" / "results"
KEPT = ROOT / "build" / "leaderboard"
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # k of best of k
DIGITS = 6  # that are significant
AT = np.linspace(-0.5, 1.0, 76)  # where profiles are told
PROCESSES = min(4, os.cpu_count() or 1)


class Group(NamedTuple):
    """Tasks that aggregates are made over."""

    name: str
    title: str
    tasks: tuple[str, ...]


def measures() -> dict[str, Measure]:
    """What can be told of a run, by the name that addresses have."""
    return {
        "best": Measure(),
        "median": Measure("median"),
        **{f"best-of-{k}": Measure("best-of-k", k) for k in SIZES},
    }


@cache
def runs() -> tuple[Run, ...]:
    """All runs of the dataset."""
    return read_runs(RESULTS)


def presets() -> list[str]:
    """Those that any run has; the one that all methods have comes first."""
    there = {run.record.preset for run in runs()}
    return sorted(there, key=lambda preset: (preset != "standard", preset))


def of_preset(preset: str) -> list[Run]:
    """The runs of a preset."""
    return [run for run in runs() if run.record.preset == preset]


def tasks_of(some: Sequence[Run]) -> list[str]:
    """The tasks that runs are scored on, in the archive's order."""
    there = {run.record.problem for run in some if run.record.report is not None}
    known = [task.name for task in mbo_hub.tasks() if task.name in there]
    return [*known, *sorted(there - {*known})]


def groups(some: Sequence[Run]) -> list[Group]:
    """The groups of tasks that aggregates are made over: all first; none twice, or of one task."""
    there = tasks_of(some)
    exact = {run.record.problem: run.record.report.exact for run in some if run.record.report}
    sequences = {
        task for task in there if _is_sequence([r for r in some if r.record.problem == task])
    }
    asked: list[tuple[str, str, Callable[[str], bool]]] = [
        ("all", "All tasks", lambda task: True),
        ("exact", "Exact objective", lambda task: exact[task]),
        ("discrete", "Sequences, molecules, networks", lambda task: task in sequences),
        ("continuous", "Designs of numbers", lambda task: task not in sequences),
    ]
    found: dict[tuple[str, ...], Group] = {}
    for name, title, fits in asked:
        members = tuple(task for task in there if fits(task))
        if len(members) > 1 or name == "all":
            found.setdefault(members, Group(name, title, members))
    return list(found.values())


def _is_sequence(some: Sequence[Run]) -> bool:
    designs = next((run.designs for run in some if run.designs is not None), None)
    return designs is not None and np.issubdtype(designs.dtype, np.integer)


def table(preset: str, measure: str, tasks: Sequence[str]) -> Table:
    """Make one table, as `mbo table` does."""
    return tabulate(of_preset(preset), measures()[measure], list(tasks))


@cache
def view(preset: str) -> dict[str, Any]:
    """Every number of a preset, as the page reads it from a file."""
    return _kept(f"{preset}-{digest()}", partial(_computed, preset))


@cache
def stands() -> dict[str, str]:
    """What was scored again, as of `standing.of_cells`."""
    names = "-".join(sorted(standing.quick()))
    code = [*sorted((ROOT / "mbo_hub").rglob("*.py")), Path(standing.__file__)]
    found: dict[str, str] = _kept(f"standing-{_digest(code, names)}", _standing)
    return found


def _standing() -> dict[str, str]:
    made = [_later(held, task) for task in sorted(standing.quick())]
    return standing.of_cells(runs(), {name for one in made for name in one.result()})


def held(task: str) -> list[str]:
    """The runs on a task whose scores hold, as `standing.held` finds them."""
    return standing.held([run for run in runs() if run.record.problem == task])


@cache
def pictures() -> dict[str, bytes]:
    """Each plot of `mbo plot`, as PNG, by the name of its file."""
    folder = KEPT / f"pictures-{digest()}"
    if not folder.is_dir():
        _later(draw_into, str(folder)).result()
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def draw_into(folder: str) -> None:
    """Draw the plots of the first preset into a folder that appears once all are there."""
    some = of_preset(presets()[0])
    with tempfile.TemporaryDirectory(dir=KEPT) as made:
        there = Path(made) / "pictures"
        draw(some, there, tasks_of(some))
        there.rename(folder)


# --------------------------------------------------------------------------------- making them once


def begin() -> None:
    """Let all that is missing be computed side by side."""
    KEPT.mkdir(parents=True, exist_ok=True)
    missing = [name for name in presets() if not (KEPT / f"{name}-{digest()}.json").is_file()]
    if missing:
        for task in sorted(standing.quick()):
            _later(held, task)
        _later(draw_into, str(KEPT / f"pictures-{digest()}"))
    for preset in missing:
        _tables(preset)


@cache
def _later(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    return _pool().submit(function, *arguments)


@cache
def _pool() -> ProcessPoolExecutor:
    here = str(Path(__file__).parent)  # mkdocs forgets it once hooks are loaded
    if here not in sys.path:
        sys.path.append(here)
    return ProcessPoolExecutor(PROCESSES, get_context("spawn"))


@cache
def digest() -> str:
    """Name the runs, and the code and libraries that make tables and plots of them."""
    return _digest(_CODE)


_CODE = [
    *sorted((ROOT / "mbo_hub" / "results").glob("*.*")),
    ROOT / "mbo_hub" / "scoring" / "plot.py",
    Path(__file__),
]


def _digest(code: Sequence[Path], more: str = "") -> str:
    """Name what numbers are made from: runs, code, and the libraries that draw and sum."""
    digest = sha256(f"{np.__version__} {scipy.__version__} {more}".encode())
    for path in [*sorted(RESULTS.rglob("*.parquet")), *code]:
        digest.update(path.name.encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _kept(name: str, make: Callable[[], Any]) -> Any:
    path = KEPT / f"{name}.json"
    if not path.is_file():
        write_file(path, json.dumps(make()).encode())
    return json.loads(path.read_bytes())


def _measures(some: Sequence[Run]) -> dict[str, Measure]:
    """What all these runs have designs enough for."""
    least = min(run.record.budget for run in some)
    return {name: measure for name, measure in measures().items() if (measure.k or 1) <= least}


@cache
def _tables(preset: str) -> dict[tuple[str, str], Future[Table]]:
    """The tables of a preset by group and measure, under way."""
    some = of_preset(preset)
    budgets = {run.record.budget for run in some}
    # The best of k of k designs is the best of them.
    same = {f"best-of-{k}": "best" for k in SIZES if budgets == {k}}
    return {
        (group.name, name): _later(table, preset, same.get(name, name), group.tasks)
        for group in groups(some)
        for name in _measures(some)
    }


def _computed(preset: str) -> dict[str, Any]:
    some = of_preset(preset)
    over, told, tables = groups(some), _measures(some), _tables(preset)
    whole = {name: tables["all", name].result() for name in told}
    best = whole["best"]
    return {
        "preset": preset,
        "measures": {name: str(measure) for name, measure in told.items()},
        "controls": list(CONTROLS),
        "entrants": {row.entrant.method: row.title for row in sorted(best.rows, key=_order)},
        "tasks": [
            {
                "name": task.name,
                "title": task.title,
                "version": task.version,
                "budget": task.budget,
                "seeds": list(task.seeds),
                "d_best": _short(task.best_visible),
                "ceiling": _short(task.ceiling),
                "ceiling_known": task.ceiling_known,
                "exact": task.exact,
                "room": task.has_room,
                "cautions": list(cautions([task], 0)),
            }
            for task in best.tasks
        ],
        "cells": {name: _cells(one) for name, one in whole.items()},
        "scale": {name: _scales(one) for name, one in whole.items()},
        "designs": _designs(best, some),
        "groups": [
            {
                "name": group.name,
                "title": group.title,
                "tasks": list(group.tasks),
                "cautions": list(tables[group.name, "best"].result().cautions),
                "rows": {name: _aggregates(tables[group.name, name].result()) for name in told},
                "iqm": {name: _iqm_scale(tables[group.name, name].result()) for name in told},
            }
            for group in over
        ],
        "apart": [
            {
                "method": a.entrant.method,
                "task": a.task,
                "reasons": "; ".join(a.reasons),
                "scored": a.scored,
                "of": a.of,
            }
            for a in best.apart
        ],
        "literature": {
            name: [_compared(entry) for entry in one.literature] for name, one in whole.items()
        },
        "profiles": _profiles(best),
    }


def _order(row: Row) -> tuple[bool, str]:
    return row.entrant.method not in CONTROLS, row.entrant.method


def _short(value: float | None) -> float | None:
    """Write no more digits than anybody reads."""
    return None if value is None else float(f"{value:.{DIGITS}g}")


def _three(estimate: Estimate | None) -> list[float | None] | None:
    if estimate is None:
        return None
    return [_short(estimate.value), _short(estimate.low), _short(estimate.high)]


def _cells(one: Table) -> dict[str, dict[str, Any]]:
    """By task and method: mean, low, high, sd, whether it cannot be told from the best, seeds."""
    found: dict[str, dict[str, Any]] = {task.name: {} for task in one.tasks}
    for row in one.rows:
        for cell in row.cells:
            if cell is not None:
                found[cell.task][row.entrant.method] = [
                    *(_three(cell.mean) or ()), _short(cell.sd), int(cell.best),
                    [_short(value) for value in cell.values],
                ]  # fmt: skip
    return found


def _scales(one: Table) -> dict[str, list[float | None]]:
    """By task: between which scores intervals are drawn, D(best) included."""
    return {
        task.name: _scale([row.cells[i].mean for row in one.rows if row.cells[i]],  # type: ignore[union-attr]
                          task.best_visible)
        for i, task in enumerate(one.tasks)
    }  # fmt: skip


def _iqm_scale(one: Table) -> list[float | None]:
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
    return [_short(low - margin), _short(high + margin)]


def _designs(best: Table, some: Sequence[Run]) -> dict[str, dict[str, Any]]:
    """By task and method: what does not depend on the measure."""
    own: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in sorted(some, key=lambda run: run.record.seed):
        own[run.record.problem, run.record.method].append(run)
    found: dict[str, dict[str, Any]] = {task.name: {} for task in best.tasks}
    for row in best.rows:
        for cell in row.cells:
            if cell is None:
                continue
            mine = own[cell.task, row.entrant.method]
            found[cell.task][row.entrant.method] = {
                "above": _short(cell.above), "visible": _short(cell.visible),
                "novelty": _short(cell.novelty), "gap": _short(cell.gap),
                "gaps": [_short(exploit_gap(run)) for run in mine],
                "seconds": _short(median(run.record.cpu_seconds for run in mine)),
                "mb": max(run.record.peak_mb for run in mine),
            }  # fmt: skip
    return found


def _aggregates(one: Table) -> list[dict[str, Any]]:
    """The rows of a table in its order."""
    return [
        {
            "method": row.entrant.method, "rank": _three(row.rank), "iqm": _three(row.iqm),
            "over": {name: _three(value) for name, value in row.improvement.items()},
        }
        for row in one.rows
    ]  # fmt: skip


def _compared(entry: Compared) -> dict[str, Any]:
    return {
        "task": entry.task, "method": entry.method, "differs": list(entry.differs),
        **{
            which: None if other is None else [other.mean, other.spread, other.source]
            for which, other in (("paper", entry.paper), ("rerun", entry.rerun))
        },
    }  # fmt: skip


def _profiles(best: Table) -> dict[str, Any]:
    """Performance profiles of the methods that have every task with room above D(best)."""
    tasks = [task for task in best.tasks if task.has_room]
    shares = {}
    for row in best.rows if len(tasks) > 1 else ():
        cells = {cell.task: np.array(cell.values) for cell in row.cells if cell is not None}
        if row.complete:
            scaled = [intervals.rescaled(cells[t.name], t.best_visible, t.ceiling) for t in tasks]
            shares[row.entrant.method] = [
                _short(share) for share in intervals.profile(scaled, AT).tolist()
            ]
    return {"at": [round(x, 3) for x in AT.tolist()], "shares": shares}
