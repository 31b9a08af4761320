"""Score the designs of runs again, and say which records hold.

That a record holds proves its scores, and nothing about how the designs were found: nobody can see
from designs whether a method looked at the oracle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np

import mbo_hub
from mbo_hub.errors import (
    DownloadFailed,
    HubUnavailable,
    InvalidDesign,
    InvalidFile,
    MboHubError,
    NotPermitted,
)
from mbo_hub.results.record import Record, Run
from mbo_hub.scoring.evaluate import BUDGET, designs_sha256
from mbo_hub.scoring.verify import verify
from mbo_hub.task import Task

VERDICTS = ("holds", "wrong", "failed", "unseen", "unchecked")
__all__ = ["Checked", "Verdict", "sample", "verify_runs"]


@dataclass(frozen=True)
class Checked:
    """What was found about one run.

    Attributes:
        record: of the run.
        verdict: 'holds'; 'wrong'; 'failed': it says to have failed, which cannot be checked;
            'unseen': its designs are not here; 'unchecked': its task is not here and cannot be had.
        problems: what is wrong, a sentence each.
        seen: whether there are designs, or should be none.
        unchecked: why it could not be checked.
    """

    record: Record
    problems: tuple[str, ...] = ()
    seen: bool = True
    unchecked: str | None = None

    @property
    def verdict(self) -> str:
        """In one word."""
        if self.problems:
            return "wrong"
        if self.unchecked:
            return "unchecked"
        if self.record.status == "failed":
            return "failed"
        return "holds" if self.seen else "unseen"


@dataclass(frozen=True)
class Verdict:
    """What became of scoring runs again.

    Attributes:
        checked: each run that was looked at.
    """

    checked: tuple[Checked, ...] = field(repr=False)

    @property
    def ok(self) -> bool:
        """Whether every score was computed again and holds; runs that failed have none."""
        return all(one.verdict in ("holds", "failed") for one in self.checked)

    def counts(self) -> dict[str, int]:
        """How many runs there are of each verdict."""
        verdicts = [one.verdict for one in self.checked]
        return {name: verdicts.count(name) for name in VERDICTS}

    def __str__(self) -> str:
        of = self.counts()
        lines = [
            f"{len(self.checked)} runs: {of['holds']} hold, {of['wrong']} are wrong, "
            f"{of['failed']} say that they failed, and of {of['unseen']} the designs are not here."
        ]
        if of["unseen"]:
            lines[0] += " Nothing says that scores hold whose designs nobody has."
        if of["unchecked"]:
            lines[0] += f" {of['unchecked']} could not be checked."
        lines += [
            f"  - {one.record}: {problem}" for one in self.checked for problem in one.problems
        ]
        lines += [
            f"  - {one.record}: not checked: {one.unchecked}"
            for one in self.checked
            if one.unchecked
        ]
        return "\n".join(lines)


def verify_runs(
    runs: Iterable[Run],
    *,
    only: Callable[[Record], bool] = lambda record: True,
    to_the_bit: bool = False,
    tell: Callable[[Checked], object] = lambda checked: None,
) -> Verdict:
    """Check runs: designs, their number, legality and sha256, and their scores, computed again.

    Args:
        runs: all that are there; those that are not checked are still compared with the others.
        only: which of them to check.
        to_the_bit: where golden values come out exact here, scores have to be those computed here.
        tell: is called with each when it is done.

    Raises:
        OracleUnavailable: an oracle cannot run here.
    """
    listed = list(runs)
    twins = _twins(listed)
    load = cache(_load)
    checked = []
    for number, run in enumerate(listed):
        if not only(run.record):
            continue
        problems, unchecked = twins.get(number, []), None
        try:
            problems = [*problems, *_problems(run, load, to_the_bit)]
        except (HubUnavailable, NotPermitted, DownloadFailed) as error:
            unchecked = str(error)
        seen = run.record.status == "failed" or _seen(run)
        one = Checked(run.record, tuple(problems), seen, unchecked)
        checked.append(one)
        tell(one)
    return Verdict(tuple(checked))


def sample(runs: Sequence[Run], count: int, seed: int = 0) -> frozenset[str]:
    """Choose runs to check, of each task about as many.

    Args:
        runs: to choose from; those without designs here are left out.
        count: how many, at most.
        seed: of the choice.

    Returns:
        What `str` makes of their records.
    """
    by_task: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        if run.record.status == "scored" and _seen(run):
            by_task[run.record.problem].append(str(run.record))
    rng = np.random.default_rng(seed)
    shuffled = [list(rng.permutation(sorted(names))) for names in by_task.values()]
    chosen = [names[i] for i in range(count) for names in shuffled if i < len(names)]
    return frozenset(chosen[:count])


def _load(name: str, version: str) -> Task:
    return mbo_hub.load(name, f"v{version}")


def _seen(run: Run) -> bool:
    try:
        return run.designs is not None
    except MboHubError:
        return True  # there is something, which `_problems` names


def _problems(run: Run, load: Callable[[str, str], Task], to_the_bit: bool) -> list[str]:
    """What is wrong with a run by itself."""
    record = run.record
    if record.status == "failed":
        return []
    if record.status == "proposed" or record.report is None:
        return ["it has no scores yet; `mbo run` into its folder goes on with it"]
    if record.budget > BUDGET:
        return [f"its budget of {record.budget} designs is more than the field's {BUDGET}"]
    try:
        task = load(record.task, record.task_version).showing(record.subset)
    except (HubUnavailable, NotPermitted, DownloadFailed):
        raise  # which says nothing about the run
    except MboHubError as error:
        return [str(error)]
    if task.dataset_sha256 != record.dataset_sha256:
        return [
            f"it speaks of a {record.task} v{record.task_version} with sha256 "
            f"{record.dataset_sha256[:12]}…; the published one has {task.dataset_sha256[:12]}…"
        ]
    s = task.manifest.statistics
    if record.y_range != (s.y_min, s.y_max):
        return [f"it rescales by {record.y_range}, the task by {(s.y_min, s.y_max)}"]
    try:
        designs = run.designs
        if designs is None:
            return []
        if len(designs) != record.designs:
            return [f"it says {record.designs} designs, there are {len(designs)}"]
        task.space.validate(designs)
    except (InvalidDesign, InvalidFile) as error:
        return [str(error)]
    found = designs_sha256(designs, task.space)
    if found != record.designs_sha256:
        return [
            f"its designs have sha256 {found[:12]}…, the record says "
            f"{str(record.designs_sha256)[:12]}…"
        ]
    if record.report.oracle != task.oracle_name:
        return [f"it was scored by {record.report.oracle!r}, not by the task's own oracle"]
    if record.report.projected is not None:
        return ["its designs were moved before they were scored"]
    return list(verify(task, record.report, designs, to_the_bit=to_the_bit).differences)


def _twins(runs: list[Run]) -> dict[int, list[str]]:
    """Find runs that are there twice, and designs that two methods hand in; by their number."""
    told: dict[int, list[str]] = defaultdict(list)
    places: dict[str, int] = {}
    owners: dict[tuple[str, str], int] = {}
    for number, run in enumerate(runs):
        record = run.record
        first = places.setdefault(record.place.as_posix(), number)
        if first != number:
            told[number].append(f"it is there twice, also in {runs[first].where}")
        if record.designs_sha256 is None:
            continue
        owner = owners.setdefault((record.task, record.designs_sha256), number)
        other = runs[owner].record
        if other.method != record.method:
            told[number].append(f"its designs are those of {other}")
            told[owner].append(f"its designs are those of {record}")
    return told
