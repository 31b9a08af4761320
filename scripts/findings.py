"""Write docs/findings.md: scripts/findings.md with the figures of the results.

Figures stand in the text as expressions, such as `{{ best.ant.grad }}`, and so does what a sentence
rests on: `{% do claim(best.ant.grad.value < 1, "…") %}`. Where other results make a claim untrue,
the page is not written before somebody has written the sentence anew. scripts/results.py calls it.
"""

from __future__ import annotations

import re
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np

from mbo_hub.errors import InvalidFile
from mbo_hub.results.card import TASKS
from mbo_hub.results.eligibility import ARCHIVE
from mbo_hub.results.intervals import critical_difference
from mbo_hub.results.measure import Measure
from mbo_hub.results.record import Run
from mbo_hub.results.table import CONTROLS, Cell, Table, tabulate

TEXT = Path(__file__).parent / "findings.md"
WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
ORDINALS = ("", "second ", "third ", "fourth ", "fifth ", "sixth ", "seventh ", "eighth ", "ninth ",
            "tenth ", "eleventh ", "twelfth ")  # fmt: skip
WIDTH = 112  # of the page's lines
LEVEL = 0.005  # scores nearer than this are called level


class Untrue(InvalidFile):
    """The results do not say what the page claims."""


@dataclass(frozen=True)
class Figure:
    """What a method gets on a task; written with its interval where all seeds are there."""

    method: str
    cell: Cell

    @property
    def value(self) -> float:
        """Mean over seeds."""
        return self.cell.mean.value

    @property
    def low(self) -> float:
        """Lower end of its interval; the mean of a single seed."""
        return self._end(self.cell.mean.low)

    @property
    def high(self) -> float:
        """Upper end of its interval; the mean of a single seed."""
        return self._end(self.cell.mean.high)

    @property
    def short(self) -> str:
        """Without the interval."""
        return f"{self.value:.3f}"

    def __str__(self) -> str:
        if len(self.cell.values) < len(ARCHIVE.seeds) or self.low == self.high:
            return self.short
        return f"{self.short} [{self.low:.3f}, {self.high:.3f}]"

    def _end(self, end: float | None) -> float:
        return self.value if end is None else end


Column = dict[str, Figure]  # of a task, by method


def page(runs: Sequence[Run]) -> str:
    """Write the page.

    Args:
        runs: of the archive's own results. Tasks and methods without any are not spoken of.

    Raises:
        Untrue: a claim does not hold, or is about a method or a task that has no figure.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError

    standard = [run for run in runs if run.record.preset == "standard"]
    there = {run.record.problem for run in standard}
    tasks = [task for task in TASKS if task in there]
    best, median = (
        tabulate(standard, Measure(metric=m), tasks, ARCHIVE) for m in ("best", "median")
    )
    rank, median_rank = _ranks(best), _ranks(median)
    environment = Environment(  # noqa: S701 -- Markdown, no page of HTML
        loader=FileSystemLoader(TEXT.parent),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.do"],
        trim_blocks=True,
    )
    try:
        text = environment.get_template(TEXT.name).render(
            best=_columns(best),
            median=_columns(median),
            d_best={task.name: task.best_visible for task in best.tasks},
            rank=rank,
            median_rank=median_rank,
            improvement={
                row.entrant.method: {name: e.value for name, e in row.improvement.items()}
                for row in best.rows
            },
            nemenyi=critical_difference(len(rank), len(best.tasks)),
            seeds=_seeds(best),
            complete=all(len(task.seeds) == len(ARCHIVE.seeds) for task in best.tasks),
            tops=_tops(best),
            returns=lambda task, method: _returns(standard, task, method),
            shared=_shared(standard),
            at_bounds=lambda task, method: _at_bounds(standard, task, method),
            order=order,
            below=below,
            level=level,
            above=above,
            names=names,
            words=words,
            ordinal=lambda table, method: _ordinal(sorted(table.values()).index(table[method])),
            claim=claim,
        )
    except UndefinedError as error:
        raise Untrue(f"scripts/findings.md claims what the results do not say: {error}") from None
    return "\n\n".join(map(_folded, re.split(r"\n\s*\n", text.strip()))) + "\n"


def _folded(block: str) -> str:
    """Break the lines of a paragraph or a list where they are full; leave tables and titles."""
    if block.startswith(("|", "#")):
        return block
    items = re.split(r"\n(?=- )", block)
    return "\n".join(
        textwrap.fill(" ".join(item.split()), WIDTH, break_on_hyphens=False, break_long_words=False,
                      subsequent_indent="  " if item.startswith("- ") else "")
        for item in items
    )  # fmt: skip


def claim(holds: bool, words: str) -> None:
    """See that a claim holds.

    Raises:
        Untrue: it does not.
    """
    if not holds:
        raise Untrue(f"scripts/findings.md claims what the results do not say: {words}")


def order(column: Column) -> list[str]:
    """Order the methods but the controls by what they get, the best first."""
    ranked = sorted(column.values(), key=lambda figure: -figure.value)
    return [figure.method for figure in ranked if figure.method not in CONTROLS]


def below(column: Column, other: str) -> list[str]:
    """Name the methods, the best first, that have less than another by more than `LEVEL`."""
    limit = column[other].value - LEVEL
    return [method for method in order(column) if column[method].value < limit]


def level(column: Column, other: str) -> list[str]:
    """Name the methods, the best first, that are no further than `LEVEL` from another."""
    value = column[other].value
    return [m for m in order(column) if abs(column[m].value - value) <= LEVEL]


def above(column: Column, other: str) -> list[str]:
    """Name the methods, the best first, whose interval lies above that of another."""
    limit = column[other].high
    return [method for method in order(column) if column[method].low > limit]


def names(methods: Iterable[str]) -> str:
    """List methods as a sentence does.

    Raises:
        Untrue: there are none.
    """
    claim(bool(methods := list(methods)), "of a list of methods that there are any")
    return _listed([f"`{method}`" for method in methods])


def words(number: int) -> str:
    """Write a number as a sentence does: a word up to ten, figures from then on."""
    return WORDS[number] if number < len(WORDS) else str(number)


def _ordinal(place: int) -> str:
    """Name a place among others, 0 for the first: best, second best …, 13th best."""
    return f"{ORDINALS[place] if place < len(ORDINALS) else f'{place + 1}th '}best"


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _columns(table: Table) -> dict[str, Column]:
    found: dict[str, Column] = {task.name: {} for task in table.tasks}
    for row in table.rows:
        for task, cell in zip(table.tasks, row.cells, strict=True):
            if cell is not None:
                method = row.entrant.method
                found[task.name][method] = Figure(method, cell)
    return found


def _ranks(table: Table) -> dict[str, float]:
    """The mean rank of each method that has runs on every task of the table."""
    return {row.entrant.method: row.rank.value for row in table.rows if row.rank is not None}


def _seeds(table: Table) -> str:
    """Say how many seeds there are of which tasks."""
    by_number: dict[int, list[str]] = defaultdict(list)
    for task in table.tasks:
        by_number[len(task.seeds)].append(task.title)
    if set(by_number) == {len(ARCHIVE.seeds)}:
        return f"All {words(len(ARCHIVE.seeds))} seeds of all tasks are there."
    parts = [f"{words(n)} of {_listed(tasks)}" for n, tasks in sorted(by_number.items())[::-1]]
    number, _, rest = ", ".join(parts).partition(" ")
    return f"{number.capitalize()} seeds are there {rest}."


def _tops(table: Table) -> dict[str, list[str]]:
    """Titles of the tasks that a method has the largest mean on, where any beats D(best)."""
    found: dict[str, list[str]] = defaultdict(list)
    columns = _columns(table)
    for task in table.tasks:
        for first in order(columns[task.name])[:1]:  # none where controls alone have runs
            if columns[task.name][first].value > task.best_visible:
                found[first].append(task.title)
    return dict(found)


def _best_of(runs: Iterable[Run], task: str, method: str) -> list[tuple[Run, int]]:
    """Each seed's run, and the row of its best design."""
    own = [r for r in runs if (r.record.problem, r.record.method) == (task, method)]
    own.sort(key=lambda run: run.record.seed)
    return [(run, int(np.nanargmax(run.y))) for run in own]


def _returns(runs: Iterable[Run], task: str, method: str) -> list[float]:
    """The best raw value of each seed."""
    return [float(run.y[row]) for run, row in _best_of(runs, task, method)]


def _shared(runs: Iterable[Run]) -> list[tuple[float, str, str]]:
    """What share of their designs two seeds of a method have in common, on average.

    Returns:
        (share, method, title of the task), the largest first; of methods other than controls, on
        tasks whose designs are tokens.
    """
    seeds: dict[tuple[str, str], list[set[bytes]]] = defaultdict(list)
    for run in runs:
        designs, report = run.designs, run.record.report
        if report is None or designs is None or not np.issubdtype(designs.dtype, np.integer):
            continue
        if run.record.method not in CONTROLS and run.record.problem in TASKS:
            seeds[run.record.method, report.title].append({row.tobytes() for row in designs})
    return sorted(
        (
            (float(np.mean([len(a & b) / len(a) for a, b in permutations(some, 2)])), *who)
            for who, some in seeds.items()
            if len(some) > 1
        ),
        reverse=True,
    )


def _at_bounds(runs: Iterable[Run], task: str, method: str) -> list[int]:
    """How many numbers of each seed's best design are at a bound of the space."""
    import mbo_hub

    space: Any = mbo_hub.load(task).space
    found = []
    for run, row in _best_of(runs, task, method):
        if run.designs is not None:
            design = run.designs[row]
            found.append(int(((design <= space.low) | (design >= space.high)).sum()))
    return found
