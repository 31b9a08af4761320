"""What a table of a few tasks and seeds cannot say, in sentences with the figures of that table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import mbo_hub.results.intervals as intervals
from mbo_hub.results.eligibility import CONTROLS

if TYPE_CHECKING:
    from mbo_hub.results.measure import Measure
    from mbo_hub.results.table import Cell, Row, TaskFacts

__all__ = ["cautions"]

FEW = 6  # seeds, from which on their range holds the median in 95 of 100 cases
ENOUGH = 20  # tasks, from which on tests over tasks begin to tell methods apart


def cautions(facts: Sequence[TaskFacts], rows: Sequence[Row], measure: Measure) -> tuple[str, ...]:
    """Say what to keep in mind.

    Args:
        facts: of the table's tasks.
        rows: of the table, which may have more tasks.
        measure: what the table tells of each run.
    """
    methods = sum(row.complete for row in rows)
    return (
        *_of_seeds([len(task.seeds) for task in facts]),
        *_of_further(facts, rows),
        *_of_agreement(facts, rows, measure),
        "Best of all designs rewards spread, the median rewards copies of the data: read both, and "
        "novelty and the share already visible beside them.",
        *_of_oracles(facts),
        *(_of_tasks(facts, methods) if len(facts) > 1 and methods > 1 else ()),
    )


def _of_seeds(counts: Sequence[int]) -> Iterator[str]:
    if min(counts) < 2:
        yield "Of one seed there is no interval, and nothing can be told apart."
    seeds = min((count for count in counts if count > 1), default=None)
    if seeds is None:
        return
    low, high = intervals.sd_factors(seeds)
    most = max(counts)
    some = f"{seeds}" if seeds == most else f"{seeds} to {most}"
    yield (
        f"Intervals are 95 % bootstrap intervals over {some} seeds, at a level that is widened "
        "for so few; where a method rarely succeeds, they still promise too much."
    )
    if seeds < FEW:
        yield (
            f"No interval of {seeds} seeds reaches beyond the smallest and the largest, between "
            f"which their median lies in {1 - 0.5 ** (seeds - 1):.0%} of cases only: these are "
            "too narrow, and methods look different that are not."
        )
    yield (
        f"The standard deviation (n − 1) of {seeds} seeds is known up to a factor of {low:.2f} to "
        f"{high:.2f}."
    )
    yield (
        "Bold (*) is what a paired bootstrap over seeds cannot tell from the best of its task; it "
        "is not corrected for the number of comparisons."
    )


def _of_further(facts: Sequence[TaskFacts], rows: Sequence[Row]) -> tuple[str, ...]:
    cases = _cases(facts, rows, lambda cell: cell.further > 0)
    if not cases:
        return ()
    return (f"Compared are the seeds that all have; left out are further ones of {cases}.",)


def _of_agreement(
    facts: Sequence[TaskFacts], rows: Sequence[Row], measure: Measure
) -> tuple[str, ...]:
    methods = [row for row in rows if row.entrant.method not in CONTROLS]
    cases = _cases(facts, methods, lambda cell: len({*cell.values}) == 1 < len(cell.values))
    if not cases:
        return ()
    return (
        f"All seeds get the same {measure} with {cases}. An interval without width is "
        "no certainty: other seeds, or other data of the task, may get another.",
    )


def _cases(facts: Sequence[TaskFacts], rows: Sequence[Row], is_one: Callable[[Cell], bool]) -> str:
    """Name the methods and tasks of some cells."""
    names = {task.name for task in facts}
    where = {
        row.entrant: [c.task for c in row.cells if c and c.task in names and is_one(c)]
        for row in rows
    }
    return "; ".join(f"{method} on {_listed(tasks)}" for method, tasks in where.items() if tasks)


def _of_oracles(facts: Sequence[TaskFacts]) -> tuple[str, ...]:
    learned = [task.title for task in facts if not task.exact]
    if not learned:
        return ()
    return (
        f"{_listed(learned)}: the oracle is a learned model, so scores are predictions; another "
        "model may order methods otherwise.",
    )


def _of_tasks(facts: Sequence[TaskFacts], methods: int) -> tuple[str, ...]:
    scaled = [task for task in facts if task.has_room]
    told = [
        "Over tasks, scores are rescaled: 0 is D(best) and 1 the ceiling "
        f"({'; '.join(_ceiling(task) for task in scaled)}). The interquartile mean still trims "
        "whole tasks, not only odd runs: read the columns of the tasks first."
    ]
    full = [task.title for task in facts if not task.has_room]
    if full:
        told.append(f"{_listed(full)}: nothing here is above D(best), so that scores cannot be "
                    "rescaled; left out of the interquartile mean.")  # fmt: skip
    if len(facts) < ENOUGH:
        distance = intervals.critical_difference(methods, len(facts))
        p = intervals.smallest_p(len(facts))
        corrected = min(1.0, p * (methods - 1))
        verdict = (
            "so that none can be significant" if corrected > 0.05 else "which is hardly enough"
        )
        told.append(
            f"{len(facts)} tasks do not order {methods} methods: by Nemenyi's test mean ranks have "
            f"to differ by {distance:.2f}, and the smallest p of a Wilcoxon test is {p:.2g}, after "
            f"Holm's correction for {methods - 1} comparisons {corrected:.2g}, {verdict}. Runs of "
            "one task are not tasks of their own."
        )
    return tuple(told)


def _ceiling(task: TaskFacts) -> str:
    kind = "known" if task.ceiling_known else "best known"
    return f"{task.name} {task.best_visible:.3f} to {task.ceiling:.3f}, {kind}"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
