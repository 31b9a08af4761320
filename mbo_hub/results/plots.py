"""Plots of runs; the title of each asks the one question that it answers."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import mbo_hub.results.drawing as drawing
import mbo_hub.results.intervals as intervals
from mbo_hub.arrays import Float64
from mbo_hub.dataset.lines import figure as figure_text
from mbo_hub.errors import InvalidFile
from mbo_hub.extras import require
from mbo_hub.results.drawing import GREY, INK, SMALL, Style
from mbo_hub.results.eligibility import Terms
from mbo_hub.results.measure import Measure, exploit_gap
from mbo_hub.results.record import Run
from mbo_hub.results.table import CONTROLS, Cell, Entrant, Table, TaskFacts, tabulate
from mbo_hub.scoring.plot import best_of

__all__ = ["PLOTS", "Drawn", "draw", "prepare"]


@dataclass(frozen=True)
class Drawn:
    """What plots are made of: ranked runs only.

    Attributes:
        best: the table of the 100th percentile.
        median: that of the 50th.
        runs: of each entrant and task with a cell, by seed.
        styles: of each entrant.
    """

    best: Table
    median: Table
    runs: Mapping[tuple[Entrant, str], list[Run]]
    styles: Mapping[Entrant, Style]

    @property
    def entrants(self) -> list[Entrant]:
        """All that have a cell: controls last, in the order of the table."""
        there = [row.entrant for row in self.best.rows]
        return sorted(there, key=lambda entrant: entrant.method in CONTROLS)

    def cells(self, task: str, table: Table | None = None) -> dict[Entrant, Cell]:
        """The cells of a task."""
        rows = (table or self.best).rows
        return {r.entrant: c for r in rows for c in r.cells if c is not None and c.task == task}


def prepare(
    runs: Iterable[Run], tasks: Sequence[str] | None = None, terms: Terms | None = None
) -> Drawn:
    """Sort runs as plots need them.

    Args:
        runs: as for `tabulate`.
        tasks: as there.
        terms: as there.

    Raises:
        InvalidFile: as there, or no method can be ranked.
    """
    listed = list(runs)
    best, median = (
        tabulate(listed, Measure(metric), tasks, terms) for metric in ("best", "median")
    )
    if not best.rows:
        raise InvalidFile(
            "no method has all seeds of a task, so that there is nothing to draw; compare those "
            "that are there:  --seeds 0"
        )
    ranked = {(row.entrant, c.task) for row in best.rows for c in row.cells if c is not None}
    grouped: dict[tuple[Entrant, str], list[Run]] = defaultdict(list)
    for run in sorted(listed, key=lambda run: run.record.seed):
        key = Entrant(run.record.method, run.record.preset), run.record.problem
        if key in ranked and best.counts(run):
            grouped[key].append(run)
    return Drawn(best, median, grouped, drawing.styles(row.entrant for row in best.rows))


def draw(
    runs: Iterable[Run],
    folder: str | os.PathLike[str],
    tasks: Sequence[str] | None = None,
    terms: Terms | None = None,
) -> tuple[Path, ...]:
    """Write every plot as PNG and SVG; one that these runs say nothing on is left out.

    Args:
        runs: as for `tabulate`.
        folder: where to; it is made if need be.
        tasks: which, in this order; None: all.
        terms: as for `tabulate`.

    Returns:
        The files.

    Raises:
        InvalidFile: as of `prepare`, or the folder cannot be written.
        MissingExtra: matplotlib or scipy is not installed.
        DrawingFailed: matplotlib cannot draw here.
    """
    require("results", "drawing runs", "matplotlib", "scipy")
    drawn = prepare(runs, tasks, terms)
    written: list[Path] = []
    with drawing.looks():
        for name, plot in PLOTS.items():
            figure = plot(drawn)
            if figure is not None:
                written += drawing.write(figure, Path(folder), name)
    return tuple(written)


def _seeds(table: Table) -> str:
    counts = sorted({len(task.seeds) for task in table.tasks})
    return f"{' or '.join(map(str, counts))} seed{'' if counts == [1] else 's'}"


def _legend(figure: Any, drawn: Drawn) -> None:
    drawing.legend(figure, {str(e): drawn.styles[e] for e in drawn.entrants})


def _without_room(table: Table) -> str:
    full = [task.title for task in table.tasks if not task.has_room]
    return f" Left out: {', '.join(full)}, where nothing is above D(best)." if full else ""


def _reference(ax: Any, task: TaskFacts, *, vertical: bool = False) -> None:
    """Draw the line of D(best)."""
    line = ax.axvline if vertical else ax.axhline
    line(task.best_visible, color=GREY, linewidth=1.0, zorder=1)


# --------------------------------------------------------------------------------- how many designs


def curve(runs: Sequence[Run]) -> Float64[np.ndarray, " k"]:
    """Best of k designs for k = 1, 2, …, as a mean over choices and seeds.

    It ends at the least number of valid designs that a seed has.
    """
    valid = [run.score[np.isfinite(run.score)] for run in runs]
    sizes = np.arange(1, min(map(len, valid)) + 1)
    return np.mean([best_of(scores, sizes)[1] for scores in valid], axis=0)


def _best_of_k(drawn: Drawn) -> Any:
    tasks, height = drawn.best.tasks, 2.9
    figure, axes = drawing.board("How many designs does a method need?", len(tasks), 2, height)
    for ax, task in zip(axes, tasks, strict=True):
        ends = []
        for entrant in drawn.cells(task.name):
            means = curve(drawn.runs[entrant, task.name])
            style = drawn.styles[entrant]
            marks = sorted({int(k) - 1 for k in np.geomspace(1, len(means), 6)})
            ax.plot(np.arange(1, len(means) + 1), means, markevery=marks, **style.line())
            ends.append((str(entrant), float(len(means)), float(means[-1]), style.color))
        _reference(ax, task)
        ax.set_xscale("log", base=2)
        ticks = [1, *(k for k in (2, 8, 32) if k < task.budget), task.budget]
        ax.set_xticks(ticks, list(map(str, ticks)))
        ax.minorticks_off()
        ax.set(title=figure_text(task.title), xlabel="k designs", ylabel="best of k, score")
        ax.set_xlim(0.95, 1.05 * task.budget)
        drawing.label(ax, ends, height)
    drawing.note(
        figure,
        f"Mean over all choices of k designs and {_seeds(drawn.best)}. Grey line: D(best), the "
        "best visible design. A curve that ends early lacks valid designs; one that "
        "stays beside that of random shows no skill.",
    )
    return figure


# ---------------------------------------------------------------------------- one score and another


def _scatter(
    drawn: Drawn,
    title: str,
    told: str,
    place: Callable[[str, Entrant], tuple[float, float] | None],
    finish: Callable[[Any, TaskFacts], None],
) -> Any:
    tasks = drawn.best.tasks
    figure, axes = drawing.board(title, len(tasks), 3, 2.6)
    for ax, task in zip(axes, tasks, strict=True):
        for entrant in drawn.cells(task.name):
            xy = place(task.name, entrant)
            if xy is not None:
                ax.plot(*xy, linestyle="", zorder=3, **drawn.styles[entrant].point(7.0))
        ax.set(title=figure_text(task.title))
        ax.margins(0.12)
        finish(ax, task)
    _legend(figure, drawn)
    drawing.note(figure, told)
    return figure


def _best_and_median(drawn: Drawn) -> Any:
    def place(task: str, entrant: Entrant) -> tuple[float, float]:
        best, median = (drawn.cells(task, t)[entrant] for t in (drawn.best, drawn.median))
        return median.mean.value, best.mean.value

    def finish(ax: Any, task: TaskFacts) -> None:
        _reference(ax, task)
        _reference(ax, task, vertical=True)
        ax.axline((task.best_visible, task.best_visible), slope=1, color=GREY, linewidth=0.8,
                  linestyle=":", zorder=1)  # fmt: skip
        ax.set(xlabel="50th percentile, score", ylabel="100th percentile, score")

    told = (
        f"Means over {_seeds(drawn.best)}. Grey lines: D(best); right of the upright one, a "
        "typical design beats the data. On the dotted diagonal, all designs are alike; far above "
        "it, the best one is a lucky draw."
    )
    title = "Is a good best design typical, or luck?"
    return _scatter(drawn, title, told, place, finish)


def _novelty(drawn: Drawn) -> Any:
    def place(task: str, entrant: Entrant) -> tuple[float, float] | None:
        cell = drawn.cells(task)[entrant]
        return None if cell.novelty is None else (cell.novelty, cell.mean.value)

    def finish(ax: Any, task: TaskFacts) -> None:
        _reference(ax, task)
        found = [c.novelty for c in drawn.cells(task.name).values() if c.novelty]
        if found and max(found) > 20 * min(found):
            near = 10 ** np.floor(np.log10(min(found)))
            ax.set_xscale("symlog", linthresh=near)
            ax.set_xlim(-0.3 * near, 2 * max(found))
        ax.set(xlabel="novelty", ylabel="100th percentile, score")

    told = (
        "Novelty: mean distance from a design to the nearest visible one, in the task's own "
        f"distance. Means over {_seeds(drawn.best)}. Grey line: D(best). Upper left: small, safe "
        "steps from the data; lower right: lost far from it."
    )
    title = "Does leaving the data pay?"
    return _scatter(drawn, title, told, place, finish)


# --------------------------------------------------------------------------------- seeds of methods


def _strips(
    drawn: Drawn,
    title: str,
    told: str,
    xlabel: str,
    values: Callable[[Entrant, str], Sequence[float]],
    finish: Callable[[Any, TaskFacts, float], None],
) -> Any:
    """A panel for each task, a line for each method, a mark for each seed."""
    shown = {
        task: {e: v for e in drawn.cells(task.name) if len(v := values(e, task.name))}
        for task in drawn.best.tasks
    }
    shown = {task: rows for task, rows in shown.items() if rows}
    if not shown:
        return None
    height = 0.75 + 0.17 * max(map(len, shown.values()))
    figure, axes = drawing.board(title, len(shown), 2, height)
    for ax, (task, rows) in zip(axes, shown.items(), strict=True):
        ordered = sorted(rows, key=lambda entrant: float(np.mean(rows[entrant])))
        for y, entrant in enumerate(ordered):
            point = drawn.styles[entrant].point(4.5)
            ax.plot(rows[entrant], [y] * len(rows[entrant]), linestyle="", alpha=0.75, **point)
            if len(rows[entrant]) < 2:
                continue
            mean = float(np.mean(rows[entrant]))
            ax.plot([mean, mean], [y - 0.36, y + 0.36], color=INK, linewidth=1.6, zorder=4)
        ax.set_yticks(range(len(ordered)), list(map(str, ordered)))
        ax.set_ylim(-0.6, len(ordered) - 0.4)
        ax.set(title=figure_text(task.title), xlabel=xlabel)
        finish(ax, task, max(abs(x) for of in rows.values() for x in of))
    drawing.note(figure, told)
    return figure


def _seed_strips(drawn: Drawn) -> Any:
    def finish(ax: Any, task: TaskFacts, _: float) -> None:
        _reference(ax, task, vertical=True)

    told = (
        "A mark for each seed, an upright stroke at their mean; methods by their mean. Grey line: "
        "D(best)."
    )
    return _strips(
        drawn, "Do seeds agree?", told, "100th percentile, score",
        lambda entrant, task: drawn.cells(task)[entrant].values, finish,
    )  # fmt: skip


def _exploit_gaps(drawn: Drawn) -> Any:
    def values(entrant: Entrant, task: str) -> list[float]:
        return [gap for run in drawn.runs[entrant, task] if (gap := exploit_gap(run)) is not None]

    def finish(ax: Any, _: TaskFacts, largest: float) -> None:
        ax.axvline(0, color=GREY, linewidth=1.0, zorder=1)
        if largest > 5:
            ax.set_xscale("symlog", linthresh=1)
            ax.autoscale(axis="x")  # margins of the new scale

    told = (
        "Exploit gap: mean of predicted − true score over the designs of a seed. Right of 0, a "
        "method promises more than it keeps: its designs exploit errors of its model. Methods "
        "that predict nothing are left out; scores span 0 to 1 in the data."
    )
    title = "Does a method get what it expects?"
    return _strips(drawn, title, told, "predicted − true, score", values, finish)


# ----------------------------------------------------------------------------------- over all tasks


def _gap_to_ceiling(drawn: Drawn) -> Any:
    tasks = [task for task in drawn.best.tasks if task.has_room and drawn.cells(task.name)]
    if not tasks:
        return None
    figure, (ax,) = drawing.board("How far is the ceiling?", 1, 1, 0.8 + 0.48 * len(tasks))
    for y, task in enumerate(reversed(tasks)):
        scaled = {
            entrant: float(intervals.rescaled(np.array(cell.mean.value), task.best_visible,
                                              task.ceiling))
            for entrant, cell in drawn.cells(task.name).items()
        }  # fmt: skip
        best = max(scaled, key=lambda entrant: scaled[entrant])
        ax.plot([0, 1], [y, y], color=GREY, linewidth=0.8, zorder=1)
        for entrant, x in scaled.items():
            inside = max(x, -0.32)
            ax.plot(inside, y, linestyle="", **drawn.styles[entrant].point(6.5), zorder=3)
        ax.annotate(
            f"{best} {scaled[best]:.2f}", (scaled[best], y), (0, 7), fontsize=SMALL, color=INK,
            textcoords="offset points", ha="right" if scaled[best] > 0.85 else "center",
        )  # fmt: skip
    names = [
        f"{figure_text(t.title)}\n{'known' if t.ceiling_known else 'best known'}"
        for t in reversed(tasks)
    ]
    ax.set_yticks(range(len(tasks)), names)
    ax.set_ylim(-0.5, len(tasks) - 0.3)
    ax.set_xlim(left=-0.35)
    ax.axvline(0, color=INK, linewidth=1.0)
    ax.axvline(1, color=INK, linewidth=1.0)
    ax.set_xticks(
        [-0.33, 0, 0.25, 0.5, 0.75, 1], ["far\nbelow", "D(best)", "", "halfway", "", "ceiling"]
    )
    ax.grid(visible=False, axis="y")
    _legend(figure, drawn)
    drawing.note(
        figure,
        f"100th percentile, mean over {_seeds(drawn.best)}, rescaled: 0 is D(best), the best "
        "visible design; the best method of each task is named. A ceiling is known, or the best "
        f"that the full data or any run here has.{_without_room(drawn.best)}",
    )
    return figure


def _profiles(drawn: Drawn) -> Any:
    complete = [row for row in drawn.best.rows if row.complete]
    tasks = [task for task in drawn.best.tasks if task.has_room]
    if not complete or len(tasks) < 2:
        return None
    shares: dict[Entrant, Any] = {}
    at = np.linspace(-0.5, 1.0, 301)
    for row in complete:
        cells = {cell.task: np.array(cell.values) for cell in row.cells if cell is not None}
        scaled = [intervals.rescaled(cells[t.name], t.best_visible, t.ceiling) for t in tasks]
        shares[row.entrant] = intervals.profile(scaled, at)
    height = 4.6
    figure, (ax,) = drawing.board("How far do methods get, and how often?", 1, 1, height)
    ends = []
    for number, (entrant, share) in enumerate(shares.items()):
        style = drawn.styles[entrant]
        ax.plot(at, share, drawstyle="steps-post", markevery=(5 * number, 60), **style.line())
        ends.append((str(entrant), 1.0, float(np.mean(share)), style.color))
    ax.axvline(0, color=INK, linewidth=1.0, zorder=1)
    ax.set_xticks([-0.5, 0, 0.5, 1], ["", "D(best)", "halfway", "ceiling"])
    ax.set(xlim=(-0.5, 1.0), ylim=(-0.02, 1.02), xlabel="rescaled score x",
           ylabel="share of runs above x")  # fmt: skip
    _listing(ax, drawn, sorted(ends, key=lambda end: -end[2]))
    drawing.note(
        figure,
        f"Performance profiles of the 100th percentile: mean over {len(tasks)} tasks of the share "
        f"of {_seeds(drawn.best)}. Names by the area below the curve; where curves cross, "
        f"neither method is better everywhere.{_without_room(drawn.best)}",
    )
    return figure


def _listing(ax: Any, drawn: Drawn, ends: Sequence[tuple[str, float, float, str]]) -> None:
    from matplotlib.lines import Line2D

    by_name = {str(entrant): style for entrant, style in drawn.styles.items()}
    handles = [Line2D([], [], label=end[0], **by_name[end[0]].line()) for end in ends]
    ax.legend(handles=handles, loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=3.2)


PLOTS: Mapping[str, Callable[[Drawn], Any]] = {
    "best-of-k": _best_of_k,
    "best-and-median": _best_and_median,
    "novelty": _novelty,
    "exploit-gap": _exploit_gaps,
    "ceiling": _gap_to_ceiling,
    "profiles": _profiles,
    "seeds": _seed_strips,
}
