"""From runs to a table: what each method gets on each task, how surely, and over all tasks.

Only what is comparable is ranked: a method needs all seeds there on which a task is compared, and
all tasks in the aggregates. What is tuned on an oracle, failed or incomplete is listed apart with
the reason.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

import mbo_hub.results.eligibility as eligibility
import mbo_hub.results.intervals as intervals
import mbo_hub.results.literature as literature
from mbo_hub.errors import InvalidFile
from mbo_hub.extras import require
from mbo_hub.results.cautions import cautions
from mbo_hub.results.eligibility import CONTROLS, Terms
from mbo_hub.results.intervals import Estimate
from mbo_hub.results.measure import Measure, exploit_gap
from mbo_hub.results.record import Record, Run

__all__ = [
    "CONTROLS",
    "Apart",
    "Cell",
    "Compared",
    "Entrant",
    "Row",
    "Table",
    "TaskFacts",
    "tabulate",
]

OPPONENTS = ("best_logged", "grad")  # whom the probability of improvement is over
# Tasks whose data hold every design there is, so that a score of 1 is the largest possible.
COMPLETE = frozenset({"tfbind8", "tfbind10"})


class Entrant(msgspec.Struct, frozen=True):
    """Who competes: a method with a preset."""

    method: str
    preset: str

    def __str__(self) -> str:
        return self.method if self.preset == "standard" else f"{self.method} ({self.preset})"


class TaskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the columns of a task stand on.

    Attributes:
        name: of the task.
        title: of the task, for people.
        version: of its dataset.
        budget: how many designs each run may submit.
        seeds: on which methods are compared, as of `eligibility.seeds`.
        best_visible: score of D(best).
        ceiling: largest score that is possible (`ceiling_known`), or the largest that the full data
            or any run here has.
        ceiling_known: whether it is known.
        exact: whether the oracle defines the objective; else scores are predictions.
    """

    name: str
    title: str
    version: str
    budget: int
    seeds: tuple[int, ...]
    best_visible: float
    ceiling: float
    ceiling_known: bool
    exact: bool

    @property
    def has_room(self) -> bool:
        """Whether the ceiling is above D(best), so that scores can be rescaled."""
        return self.ceiling > self.best_visible


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A method on a task, with all seeds.

    Attributes:
        task: its name.
        further: how many runs it has with other seeds, which do not count.
        values: the measure of each seed, in the order of `TaskFacts.seeds`.
        mean: of these, with its interval.
        sd: standard deviation over seeds, n − 1 in the denominator; None of a single one.
        best: whether it cannot be told from the largest mean of the task (`intervals.separable`).
        above: share of submitted designs that beat D(best), averaged over seeds.
        visible: share of them that equal a visible design.
        novelty: mean distance to the nearest visible design; None without valid designs.
        gap: exploit gap, the mean of predicted − true score; None where nothing was predicted.
    """

    task: str
    further: int
    values: tuple[float, ...]
    mean: Estimate
    sd: float | None
    best: bool
    above: float
    visible: float
    novelty: float | None
    gap: float | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A method on all tasks; aggregates only where it has every cell.

    Attributes:
        entrant: method and preset.
        title: of the method, for people.
        cells: one of each task; None: listed apart.
        iqm: interquartile mean of scores with D(best) at 0 and the ceiling at 1.
        rank: mean rank among the complete methods.
        improvement: probability of improvement over each of `OPPONENTS`.
    """

    entrant: Entrant
    title: str
    cells: tuple[Cell | None, ...]
    iqm: Estimate | None = None
    rank: Estimate | None = None
    improvement: dict[str, Estimate] = {}

    @property
    def complete(self) -> bool:
        """Whether it has every cell."""
        return None not in self.cells


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """What is not ranked, and why.

    Attributes:
        entrant: method and preset.
        task: its name.
        reasons: sentences.
        scored: how many seeds have a measure.
        of: how many seeds there are.
        mean: of those that have one.
    """

    entrant: Entrant
    task: str
    reasons: tuple[str, ...]
    scored: int
    of: int
    mean: float | None


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """A cell beside what was published.

    Attributes:
        task: its name.
        method: its name, or 'D(best)'.
        ours: mean, and None for the spread of D(best).
        sd: of ours.
        paper: as of `literature.Beside`.
        rerun: as of `literature.Beside`.
        differs: from which of these two it is further away than both standard deviations together.
    """

    task: str
    method: str
    ours: float
    sd: float | None
    paper: literature.Published | None
    rerun: literature.Published | None
    differs: tuple[str, ...]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """What runs come to.

    Attributes:
        measure: what is told of each run.
        tasks: the columns.
        rows: by mean rank, then those without one.
        apart: what is not ranked.
        literature: published figures, where they are comparable.
        cautions: sentences on what it cannot say.
    """

    measure: Measure
    tasks: tuple[TaskFacts, ...]
    rows: tuple[Row, ...]
    apart: tuple[Apart, ...]
    literature: tuple[Compared, ...]
    cautions: tuple[str, ...]

    def counts(self, run: Run) -> bool:
        """Whether a run has a seed on which the methods of its task are compared."""
        where, seed = run.record.problem, run.record.seed
        return any(task.name == where and seed in task.seeds for task in self.tasks)


def tabulate(
    runs: Iterable[Run],
    measure: Measure | None = None,
    tasks: Sequence[str] | None = None,
    terms: Terms | None = None,
) -> Table:
    """Make the table of runs.

    Args:
        runs: of any methods, tasks and seeds, as `read_runs` gives them.
        measure: what is told of each; None: the 100th percentile.
        tasks: the columns, in this order, as `Record.problem` names them; None: all that there
            are. One of which no run is scored is no column; its runs are listed apart.
        terms: of a collection that strangers join, as `eligibility` takes them.

    Raises:
        InvalidFile: no run was scored, none is on a task that is asked for, or runs have fewer
            designs than the measure needs.
        MissingExtra: scipy is not installed.
    """
    require("results", "a table of runs", "scipy")
    measure = measure or Measure()
    by_task: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_task[run.record.problem].append(run)
    for name in tasks or ():
        if name not in by_task:
            raise InvalidFile(f"no run is on task {name!r}; there are {', '.join(by_task)}")
    chosen = {name: by_task[name] for name in tasks or by_task}
    odd = {name: eligibility.oddities(of_task, terms) for name, of_task in chosen.items()}
    usual = {
        name: [run for run in of_task if id(run) not in odd[name]]
        for name, of_task in chosen.items()
    }
    seeds = {name: eligibility.seeds(of_task, odd[name], terms) for name, of_task in chosen.items()}
    facts = {
        name: _facts(of_task, seeds[name])
        for name, of_task in usual.items()
        if any(run.record.report for run in of_task)
    }
    if not facts:
        told = [told for of_task in odd.values() for told in of_task.values()]
        if told:
            raise InvalidFile(f"no run can be compared: {told[0]}")
        raise InvalidFile("no run is scored yet; go on with  mbo run")
    few = [task for task in facts.values() if task.budget < (measure.k or 1)]
    if few:
        raise InvalidFile(
            f"there is no {measure}: runs on {few[0].name} have {few[0].budget} designs"
        )
    entrants = sorted(
        {_entrant(run.record) for some in chosen.values() for run in some}, key=_order
    )
    cells: dict[tuple[Entrant, str], Cell] = {}
    apart = []
    for name, of_task in chosen.items():
        for entrant in entrants:
            own = [run for run in of_task if _entrant(run.record) == entrant]
            reasons = eligibility.reasons(own, odd[name], seeds[name])
            if reasons:
                apart.append(_apart(entrant, name, reasons, own, seeds[name], measure))
            else:
                cells[entrant, name] = _cell(own, facts[name], measure)
    titles = {_entrant(run.record): run.record.title for some in chosen.values() for run in some}
    return _table(measure, list(facts.values()), entrants, titles, _marked(cells, facts), apart)


def _entrant(record: Record) -> Entrant:
    return Entrant(record.method, record.preset)


def _order(entrant: Entrant) -> tuple[bool, str, bool, str]:
    """Controls first; the standard preset before others."""
    method, preset = entrant.method, entrant.preset
    return method not in CONTROLS, method, preset != "standard", preset


def _facts(runs: Sequence[Run], seeds: tuple[int, ...]) -> TaskFacts:
    """Gather what the runs of a task have in common; one of them is scored."""
    # A control says best what all runs of the task have in common.
    first = sorted(runs, key=lambda run: run.record.method not in CONTROLS)
    record = first[0].record
    report = next(run.record.report for run in first if run.record.report is not None)
    complete = record.task in COMPLETE
    scores = np.concatenate([[1.0], *(run.score for run in runs)])
    return TaskFacts(
        name=record.problem,
        title=report.title,
        version=report.version,
        budget=report.budget,
        seeds=seeds,
        best_visible=report.best_visible_normalized,
        ceiling=1.0 if complete else float(np.nanmax(scores)),
        ceiling_known=complete,
        exact=report.exact,
    )


def _apart(
    entrant: Entrant,
    task: str,
    reasons: tuple[str, ...],
    runs: Sequence[Run],
    seeds: Sequence[int],
    measure: Measure,
) -> Apart:
    counted = [run for run in runs if run.record.seed in seeds]
    values = [value for run in counted if (value := measure.of(run.score)) is not None]
    return Apart(
        entrant=entrant, task=task, reasons=reasons, scored=len(values), of=len(seeds),
        mean=float(np.mean(values)) if values else None,
    )  # fmt: skip


def _cell(runs: Sequence[Run], facts: TaskFacts, measure: Measure) -> Cell:
    """Make the cell of a method on a task from one run of each seed that counts."""
    counted = [run for run in runs if run.record.seed in facts.seeds]
    ordered = sorted(counted, key=lambda run: run.record.seed)
    values = np.array([measure.of(run.score) for run in ordered], np.float64)
    reports = [run.record.report for run in ordered if run.record.report is not None]
    return Cell(
        task=facts.name,
        further=len(runs) - len(counted),
        values=tuple(values.tolist()),
        mean=intervals.mean(values),
        sd=intervals.sd(values),
        best=False,
        above=float(np.mean([np.mean(run.score > facts.best_visible) for run in ordered])),
        visible=float(np.mean([report.visible for report in reports])),
        novelty=_average(report.novelty for report in reports),
        gap=_average(exploit_gap(run) for run in ordered),
    )


def _average(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if there else None


def _marked(
    cells: Mapping[tuple[Entrant, str], Cell], facts: Mapping[str, TaskFacts]
) -> dict[tuple[Entrant, str], Cell]:
    """Mark the cells of each task that cannot be told from its best one."""
    marked = dict(cells)
    for name, task in facts.items():
        column = {key: cell for key, cell in cells.items() if key[1] == name}
        if not column or len(task.seeds) < 2:
            continue
        best = np.array(max(column.values(), key=lambda cell: cell.mean.value).values)
        for key, cell in column.items():
            same = not intervals.separable(best, np.array(cell.values))
            marked[key] = msgspec.structs.replace(cell, best=same)
    return marked


def _table(
    measure: Measure,
    facts: Sequence[TaskFacts],
    entrants: Sequence[Entrant],
    titles: Mapping[Entrant, str],
    cells: Mapping[tuple[Entrant, str], Cell],
    apart: Sequence[Apart],
) -> Table:
    rows = [
        Row(
            entrant=entrant,
            title=titles[entrant],
            cells=tuple(cells.get((entrant, task.name)) for task in facts),
        )
        for entrant in entrants
    ]
    rows = _aggregated([row for row in rows if any(row.cells)], facts)
    return Table(
        measure=measure,
        tasks=tuple(facts),
        rows=tuple(rows),
        apart=tuple(apart),
        literature=tuple(_compared(rows, facts, measure)),
        cautions=cautions(facts, rows, measure),
    )


def _aggregated(rows: Sequence[Row], facts: Sequence[TaskFacts]) -> list[Row]:
    """Add what can be said over all tasks, and sort."""
    complete = [row for row in rows if row.complete]
    values = {
        row.entrant: [np.array(cell.values) for cell in row.cells if cell] for row in complete
    }
    if len(facts) < 2 or not complete:
        return sorted(rows, key=_best_first)
    ranks = intervals.mean_ranks(
        [np.array([values[row.entrant][i] for row in complete]) for i in range(len(facts))]
    )
    opponents = {row.entrant.method: row.entrant for row in reversed(complete)}
    found = []
    for row, rank in zip(complete, ranks, strict=True):
        own = values[row.entrant]
        scaled = [
            intervals.rescaled(scores, task.best_visible, task.ceiling)
            for scores, task in zip(own, facts, strict=True)
            if task.has_room
        ]
        improvement = {
            name: intervals.improvement(own, values[opponents[name]])
            for name in OPPONENTS
            if name in opponents and opponents[name] != row.entrant
        }
        iqm = intervals.iqm(scaled) if scaled else None
        found.append(msgspec.structs.replace(row, iqm=iqm, rank=rank, improvement=improvement))
    found.sort(key=lambda row: row.rank.value if row.rank else 0.0)
    return [*found, *(row for row in rows if not row.complete)]


def _best_first(row: Row) -> float:
    there = [cell.mean.value for cell in row.cells if cell]
    return -there[0] if there else 0.0


def _compared(
    rows: Sequence[Row], facts: Sequence[TaskFacts], measure: Measure
) -> Iterable[Compared]:
    """Put published figures beside the cells that are comparable."""
    percentile = 50 if measure.metric == "median" else 100
    for i, task in enumerate(facts):
        whole = measure.metric != "best-of-k" or measure.k == task.budget
        if task.name not in literature.COMPARABLE or task.budget != 128 or not whole:
            continue
        mine: list[tuple[str, float, float | None]] = [("D(best)", task.best_visible, None)]
        for row in rows:
            cell = row.cells[i]
            if cell is not None and row.entrant.preset == "standard":
                mine.append((row.entrant.method, cell.mean.value, cell.sd))
        for method, ours, sd in mine:
            beside = literature.beside(task.name, method, percentile)
            differs = tuple(
                which
                for which, other in zip(("paper", "rerun"), beside, strict=True)
                if other is not None and sd is not None and other.spread is not None
                and abs(ours - other.mean) > sd + other.spread
            )  # fmt: skip
            if any(beside):
                yield Compared(
                    task=task.name, method=method, ours=ours, sd=sd, paper=beside.paper,
                    rerun=beside.rerun, differs=differs,
                )  # fmt: skip
