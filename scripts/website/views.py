"""Every number of the leaderboard, for each view that a person can choose.

Tables are `mbo_hub.results.tabulate`'s, and so they say what `mbo table` says. They are computed
when the site is built, since a browser could not draw the same bootstrap; build/ keeps them until
runs or code change.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import figures
import kept
import mbo_hub
import scored_again
from mbo_hub.results import drawing
from mbo_hub.results.cautions import cautions
from mbo_hub.results.collection import read_runs
from mbo_hub.results.eligibility import ARCHIVE
from mbo_hub.results.measure import Measure
from mbo_hub.results.plots import PLOTS, prepare
from mbo_hub.results.record import Run
from mbo_hub.results.table import CONTROLS, Row, Table, TaskFacts, tabulate

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "dataset_cards" / "results"
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)  # k of best of k


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
    return tabulate(of_preset(preset), measures()[measure], list(tasks), ARCHIVE)


@cache
def view(preset: str) -> dict[str, Any]:
    """Every number of a preset, as the page reads it from a file."""
    return kept.kept(f"{preset}-{digest()}", partial(_computed, preset))


@cache
def what_was_scored_again() -> dict[str, str]:
    """What was scored again, as of `scored_again.of_cells`."""
    names = "-".join(sorted(scored_again.quick()))
    code = [*sorted((ROOT / "mbo_hub").rglob("*.py")), Path(scored_again.__file__)]
    found: dict[str, str] = kept.kept(
        f"standing-{kept.digest([*_sources(), *code], names)}", _standing
    )
    return found


def _standing() -> dict[str, str]:
    made = [kept.later(held, task) for task in sorted(scored_again.quick())]
    return scored_again.of_cells(runs(), {name for one in made for name in one.result()})


def held(task: str) -> list[str]:
    """The runs on a task whose scores hold, as `scored_again.held` finds them."""
    return scored_again.held([run for run in runs() if run.record.problem == task])


@cache
def pictures() -> dict[str, bytes]:
    """Each plot of `mbo plot`, as PNG, by the name of its file."""
    folder = kept.FOLDER / f"pictures-{digest()}"
    if not folder.is_dir():
        kept.later(draw_into, str(folder)).result()
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def draw_into(folder: str) -> None:
    """Draw the plots of the first preset into a folder that appears once all are there.

    As PNG alone: `mbo_hub.results.draw` writes SVG, too, which no page shows.
    """
    some = of_preset(presets()[0])
    drawn = prepare(some, tasks_of(some), ARCHIVE)
    with tempfile.TemporaryDirectory(dir=kept.FOLDER) as made, drawing.looks():
        there = Path(made) / "pictures"
        there.mkdir()
        for name, plot in PLOTS.items():
            if (figure := plot(drawn)) is not None:
                figure.savefig(there / f"{name}.png", dpi=150)
        there.rename(folder)


# --------------------------------------------------------------------------------- making them once


def begin() -> None:
    """Let all that is missing be computed side by side."""
    kept.FOLDER.mkdir(parents=True, exist_ok=True)
    missing = [
        name for name in presets() if not (kept.FOLDER / f"{name}-{digest()}.json").is_file()
    ]
    if missing:
        for task in sorted(scored_again.quick()):
            kept.later(held, task)
        kept.later(draw_into, str(kept.FOLDER / f"pictures-{digest()}"))
    for preset in missing:
        _tables(preset)


@cache
def digest() -> str:
    """Name the runs, and the code and libraries that make tables and plots of them."""
    return kept.digest([*_sources(), *_CODE])


def _sources() -> list[Path]:
    return sorted(RESULTS.rglob("*.parquet"))


_CODE = [
    *sorted((ROOT / "mbo_hub" / "results").glob("*.*")),
    ROOT / "mbo_hub" / "scoring" / "plot.py",
    Path(__file__),
    Path(figures.__file__),
]


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
        (group.name, name): kept.later(table, preset, same.get(name, name), group.tasks)
        for group in groups(some)
        for name in _measures(some)
    }


def _computed(preset: str) -> dict[str, Any]:
    some = of_preset(preset)
    over, told = groups(some), _measures(some)
    tables = {where: later.result() for where, later in _tables(preset).items()}
    whole = {name: tables["all", name] for name in told}
    best = whole["best"]
    pool: dict[str, int] = {}  # sentences, most of which many views have
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
                "d_best": figures.short(task.best_visible),
                "ceiling": figures.short(task.ceiling),
                "ceiling_known": task.ceiling_known,
                "exact": task.exact,
                "room": task.has_room,
                "cautions": _cautions(pool, [task], whole, told),
            }
            for task in best.tasks
        ],
        "cells": {name: figures.cells(one) for name, one in whole.items()},
        "scale": {name: figures.scales(one) for name, one in whole.items()},
        "designs": figures.designs(best, some),
        "groups": [
            {
                "name": group.name,
                "title": group.title,
                "tasks": list(group.tasks),
                "cautions": _cautions(
                    pool,
                    tables[group.name, "best"].tasks,
                    {name: tables[group.name, name] for name in told},
                    told,
                ),
                "rows": {name: figures.aggregates(tables[group.name, name]) for name in told},
                "iqm": {name: figures.iqm_scale(tables[group.name, name]) for name in told},
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
            name: [figures.compared(entry) for entry in one.literature]
            for name, one in whole.items()
        },
        "profiles": figures.profiles(best),
        "sentences": list(pool),
    }


def _cautions(
    pool: dict[str, int],
    facts: Sequence[TaskFacts],
    tables: Mapping[str, Table],
    told: Mapping[str, Measure],
) -> dict[str, list[int]]:
    """What to keep in mind by measure: places of sentences in a pool, which takes new ones."""
    return {
        name: [
            pool.setdefault(sentence, len(pool))
            for sentence in cautions(facts, tables[name].rows, measure)
        ]
        for name, measure in told.items()
    }


def _order(row: Row) -> tuple[bool, str]:
    return row.entrant.method not in CONTROLS, row.entrant.method
