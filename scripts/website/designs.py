"""The runs of a method with their figures, and the best designs of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

import numpy as np

import cells
import views
from mbo_hub.archive import folders
from mbo_hub.errors import MboHubError
from mbo_hub.results.record import Run
from mbo_hub.spaces import Box
from mbo_hub.spaces import Sequence as Tokens

BEST = 3  # designs of a run that are shown
HUB = "https://huggingface.co/datasets/mbo/results/blob/main/data"


def of_method(own: Mapping[str, Sequence[Run]], name: str) -> str:
    """Write the runs of a method: a table a task, folded away.

    Args:
        own: its runs by task.
        name: of the method.
    """
    parts = [_of_task(name, task, some) for task, some in own.items()]
    return "\n".join(parts) if parts else "It has no runs yet."


def _of_task(name: str, task: str, some: Sequence[Run]) -> str:
    unit = _unit(task)
    header = ["Seed", "100th percentile", "50th percentile", f"Best{unit}", "Above D(best)",
              "Novelty", "CPU s", "MB", f"Best {BEST} designs, score"]  # fmt: skip
    rows = "".join(_run(run) for run in some)
    link = f'<a href="{HUB}/{task}/{name}.parquet">All designs, with records, on the Hub</a>'
    return (
        f'<details class="lb-seeds" id="{task}"><summary>{escape(_task_title(task))}: '
        f"{len(some)} run{'' if len(some) == 1 else 's'}</summary>"
        f"{cells.boxed(f'Runs on {task}', header, rows)}<p class='lb-note'>{link}</p></details>"
    )


def _run(run: Run) -> str:
    record, report = run.record, run.record.report
    preset = "" if record.preset == views.presets()[0] else f" ({record.preset})"
    head = f'<tr data-seed="{record.seed}" data-preset="{record.preset}">'
    head += f'<th scope="row">{record.seed}{escape(preset)}</th>'
    if report is None:
        return f'{head}<td class="lb-text" colspan="8">{escape(_why_not(run))}</td></tr>'
    best, median = report.normalized.best, report.normalized.median
    above = float(np.mean(run.score > report.best_visible_normalized))
    figures = [
        (best, "{:.3f}"), (median, "{:.3f}"), (report.raw.best, "{:.5g}"), (above, "{:.0%}"),
        (report.novelty, "{:.3g}"), (record.cpu_seconds, "{:,.0f}"), (record.peak_mb, "{:,}"),
    ]  # fmt: skip
    told = "".join(cells.figure(value, form) for value, form in figures)
    return f'{head}{told}<td class="lb-text">{_designs(run)}</td></tr>'


def _why_not(run: Run) -> str:
    return f"failed: {run.record.failure}" if run.record.failure else "waits for the oracle"


def _designs(run: Run) -> str:
    """The best designs of a run as text; long ones, and those kept elsewhere, by their sha256."""
    sha = escape(run.record.designs_sha256 or "")
    by_name = f'{run.record.designs} designs, sha256 <code title="{sha}">{sha[:12]}…</code>'
    space = _space(run.record.task)
    if run.designs is None:
        return f"{by_name}; kept on the Hub, not in this repository"
    write = _writer(space)
    if write is None:
        return f"{by_name}, {run.designs.shape[1]:,} numbers each"
    told: dict[str, float] = {}
    for i in np.argsort(-np.nan_to_num(run.score, nan=-np.inf), kind="stable"):
        if np.isfinite(run.score[i]):
            told.setdefault(write(run.designs[i]), float(run.score[i]))
        if len(told) == BEST:
            break
    lines = (f"<code>{escape(text)}</code> {score:.3f}" for text, score in told.items())
    return "<br>".join(lines)


def _writer(space: Any) -> Any:
    """How a design is written; None where it is too long to be read."""
    if isinstance(space, Tokens):
        return lambda design: str(space.decode(design[None])[0])
    if isinstance(space, Box) and space.takes_formulas:
        return lambda design: " ".join(
            f"{name}{amount:.3g}"
            for name, amount in zip(space.columns, design, strict=True)
            if amount
        )
    return None


@cache
def _space(task: str) -> Any:
    try:
        return folders.find_declared(task, None)[1].manifest.space
    except MboHubError:  # somebody's own task, which is not here
        return None


@cache
def _task_title(task: str) -> str:
    for run in views.runs():
        if run.record.problem == task and run.record.report is not None:
            return run.record.report.title
    return task


def _unit(task: str) -> str:
    try:
        unit = folders.find_declared(task, None)[1].manifest.objective.unit
    except MboHubError:
        return ""
    return f", {escape(unit)}" if unit else ""
