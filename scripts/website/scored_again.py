"""Which runs were scored again while the site is built: those whose oracles answer at once."""

from __future__ import annotations

from collections.abc import Container, Iterable

import mbo_hub
from mbo_hub.errors import InvalidFile
from mbo_hub.results.record import Run
from mbo_hub.results.verify import verify_runs

# Kinds of oracle that answer in well under a second for 128 designs; a robot takes half a minute,
# a network that is trained longer. `mbo verify mbo/results` scores all of them.
QUICK = frozenset({"table", "onnx"})
AGAIN, HERE, ELSEWHERE = "again", "here", "elsewhere"
WORDS = {
    AGAIN: "scored again when this page was built, and every score holds",
    HERE: "designs are in the dataset, and not scored again here: the oracle takes too long, or "
    "its data are not here",
    ELSEWHERE: "of some seeds only the sha256 of the designs is in the dataset",
}


def quick() -> frozenset[str]:
    """The tasks whose runs can be scored again here, quickly."""
    return frozenset(
        task.name
        for task in mbo_hub.tasks()
        if next(iter(task.oracles.values())).kind in QUICK and task.data != "not built"
    )


def held(runs: Iterable[Run]) -> list[str]:
    """Score runs again, and name those whose scores hold.

    Raises:
        InvalidFile: a score does not hold; a site that shows it must not be built.
    """
    verdict = verify_runs(run for run in runs if run.record.status == "scored")
    if any(one.verdict in ("wrong", "unchecked") for one in verdict.checked):
        raise InvalidFile(f"results that do not hold: {verdict}")
    return [str(one.record) for one in verdict.checked if one.verdict == "holds"]


def of_cells(runs: Iterable[Run], held: Container[str]) -> dict[str, str]:
    """Tell what was done about the runs of each method, preset and task.

    Args:
        runs: those of the dataset.
        held: those whose scores hold, as `held` names them.

    Returns:
        By `key`: AGAIN, HERE or ELSEWHERE.
    """
    scored = [run for run in runs if run.record.status == "scored"]
    found: dict[str, str] = {}
    for run in scored:
        not_again = ELSEWHERE if run.designs is None else HERE
        own = AGAIN if str(run.record) in held else not_again
        where = key(run)
        found[where] = max(found.get(where, AGAIN), own, key=list(WORDS).index)
    return found


def key(run: Run) -> str:
    """Name a method, preset and task."""
    record = run.record
    return f"{record.method}/{record.preset}/{record.problem}"
