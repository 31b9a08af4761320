"""Runs with scores of one's choosing, and steps of runs that need no process of their own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from conftest import ROOT

import mbo_hub
from mbo_hub.dataset.subset import Subset
from mbo_hub.results import child, read_runs, work
from mbo_hub.results.record import Plan, Record, Run, Submitted
from mbo_hub.results.work import propose
from mbo_hub.scoring.report import Report

PUBLISHED = ROOT / "dataset_cards" / "results"
Y_RANGE = (-10.0, 30.0)  # raw, so that no test can mistake a score for an objective


@cache
def published_runs() -> tuple[Run, ...]:
    """All runs that are published: read once, for it takes seconds."""
    return read_runs(PUBLISHED)


@cache
def _example() -> tuple[Record, Report]:
    task = mbo_hub.load("tfbind8")
    return propose(Plan(task="tfbind8", method="random", budget=4)).record, task.evaluate(
        task.x[:4]
    )


def made(
    task: str,
    method: str,
    seed: int,
    scores: Sequence[float | None],
    *,
    best_visible: float = 0.5,
    predicted: Sequence[float] | None = None,
    novelty: float | None = 1.0,
    visible: float = 0.0,
    exact: bool = True,
    subset: Subset | None = None,
    **fields: Any,
) -> Run:
    """A scored run; `predicted` are scores, too; `fields` are those of its record."""
    low, high = Y_RANGE
    record, report = _example()
    y = tuple(None if s is None else low + s * (high - low) for s in scores)
    report = msgspec.structs.replace(
        report, task=task, title=task.upper(), budget=len(scores), y=y, visible=visible, exact=exact,
        best_visible=low + best_visible * (high - low), best_visible_normalized=best_visible,
        novelty=novelty, subset=subset,
    )  # fmt: skip
    common: dict[str, Any] = {
        "task": task, "method": method, "title": method.title(), "seed": seed, "status": "scored",
        "budget": len(scores), "designs": len(scores), "y_range": Y_RANGE, "report": report,
        "subset": subset,
    }  # fmt: skip
    record = msgspec.structs.replace(record, **(common | fields))
    expected = None if predicted is None else np.float32(low + np.array(predicted) * (high - low))
    return Run(record, "made", lambda: Submitted(np.zeros((len(scores), 2), np.float32), expected))


def unscored(task: str, method: str, seed: int, failure: str | None = None) -> Run:
    """A run that failed, or waits for the oracle."""
    run = made(task, method, seed, [0.0] * 4)
    status = "proposed" if failure is None else "failed"
    record = msgspec.structs.replace(run.record, status=status, failure=failure, report=None)
    return Run(record, "made")


def in_this_process(folder: Path, *_: Any) -> child.Ended:
    """Do the step that a folder asks for, as another process would, without starting one."""
    return child.Ended(work._serve(folder), "", 0.0)
