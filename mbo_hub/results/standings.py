"""Where each task stands: what controls and the best method get. Cards of tasks show it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

import mbo_hub.results.intervals as intervals
from mbo_hub.results.eligibility import ARCHIVE, Terms
from mbo_hub.results.measure import Measure
from mbo_hub.results.record import Run
from mbo_hub.results.table import CONTROLS, Cell, Row, Table, tabulate

__all__ = ["OfTask", "Standing", "standings"]

BASELINE = "grad"  # what every paper compares its method with
DIGITS = 6  # more than are shown: what is rounded twice may differ from the table in its last digit


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A method on a task, as a line of its card.

    Attributes:
        method: its name.
        title: for people.
        control: whether it is one.
        seeds: how many runs.
        best: mean of the 100th percentile, as a score, and its 95 % interval; of a single seed
            without the interval.
        median: likewise of the 50th.
        above: share of the designs that beat D(best).
    """

    method: str
    title: str
    control: bool
    seeds: int
    best: tuple[float, ...]
    median: tuple[float, ...]
    above: float


class OfTask(msgspec.Struct, frozen=True, kw_only=True):
    """What a card says of the runs on its task.

    Attributes:
        methods: how many have all seeds.
        budget: designs of a run.
        best_visible: score of D(best).
        ceiling: largest score that is possible or, where nobody knows it, that was ever seen.
        ceiling_known: which of the two.
        lines: the controls, gradient ascent, and the best of the methods, last.
    """

    methods: int
    budget: int
    best_visible: float
    ceiling: float
    ceiling_known: bool
    lines: tuple[Standing, ...]


def standings(
    runs: Sequence[Run], tasks: Sequence[str], terms: Terms | None = ARCHIVE
) -> dict[str, OfTask]:
    """Say where each task stands, by the runs of the preset that all methods have.

    Args:
        runs: of the archive's own results.
        tasks: names, in the order wanted.
        terms: as for `tabulate`.

    Returns:
        Of each task that anything can be ranked on.
    """
    found = {}
    for task in tasks:
        own = [r for r in runs if r.record.problem == task and r.record.preset == "standard"]
        if any(run.record.report is not None for run in own):
            tables = [tabulate(own, Measure(metric), terms=terms) for metric in ("best", "median")]
            if tables[0].rows:
                found[task] = _of_task(*tables)
    return found


def _of_task(best: Table, median: Table) -> OfTask:
    (task,) = best.tasks
    medians = {row.entrant: row for row in median.rows}
    others = [row for row in best.rows if row.entrant.method not in CONTROLS]
    controls = [row for row in best.rows if row.entrant.method in CONTROLS]
    controls.sort(key=lambda row: CONTROLS.index(row.entrant.method))
    first = max(others, key=lambda row: _cell(row).mean.value, default=None)
    plain = [row for row in others if row.entrant.method == BASELINE and row is not first]
    shown = [*controls, *plain, *([first] if first else [])]
    return OfTask(
        methods=len(others),
        budget=task.budget,
        best_visible=round(task.best_visible, DIGITS),
        ceiling=round(task.ceiling, DIGITS),
        ceiling_known=task.ceiling_known,
        lines=tuple(_standing(row, medians[row.entrant]) for row in shown),
    )


def _standing(row: Row, median: Row) -> Standing:
    cell = _cell(row)
    return Standing(
        method=row.entrant.method,
        title=row.title,
        control=row.entrant.method in CONTROLS,
        seeds=len(cell.values),
        best=_figures(cell.mean),
        median=_figures(_cell(median).mean),
        above=round(cell.above, DIGITS),
    )


def _cell(row: Row) -> Cell:
    (cell,) = row.cells
    if cell is None:
        raise ValueError(f"{row.entrant} is not ranked")
    return cell


def _figures(mean: intervals.Estimate) -> tuple[float, ...]:
    figures = (mean.value, mean.low, mean.high)
    return tuple(round(figure, DIGITS) for figure in figures if figure is not None)
