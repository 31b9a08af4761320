"""Which runs may be compared: what is odd, tuned on an oracle, failed or missing is said."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mbo_hub.results.record import OURS, Record, Run
from mbo_hub.scoring.evaluate import BUDGET

__all__ = ["ARCHIVE", "CONTROLS", "Terms", "oddities", "reasons", "seeds"]

CONTROLS = ("random", "best_logged")  # what every method is compared with


@dataclass(frozen=True)
class Terms:
    """What the runs of a comparison share, laid down by whoever keeps it.

    Attributes:
        seeds: that a method may be run with.
        budget: designs of a run.
        presets: of hyper-parameters.
    """

    seeds: tuple[int, ...]
    budget: int
    presets: tuple[str, ...]


ARCHIVE = Terms(seeds=tuple(range(8)), budget=BUDGET, presets=("standard", "paper"))


def oddities(runs: Sequence[Run], terms: Terms | None = None) -> dict[int, str]:
    """Say of runs how they differ from the controls of their task in what all should share.

    Where no control is, they are compared with most others.

    Args:
        runs: of a task.
        terms: of a collection that strangers join: their runs have no voice in what is usual.
    """
    asked: dict[str, Callable[[Record], object]] = {
        "version {} of the data": lambda record: record.task_version,
        "data with sha256 {:.12}…": lambda record: record.dataset_sha256,
        "a budget of {}": lambda record: record.budget,
        "the oracle {:.12}…": lambda record: record.report and record.report.fingerprint.sha256,
    }
    found: dict[int, str] = {}
    if terms is not None:
        for run in runs:
            if run.record.budget != terms.budget:
                told = f"a budget of {run.record.budget} where all have a budget of {terms.budget}"
                found[id(run)] = f"seed {run.record.seed} has {told}"
    for words, value in asked.items():
        known = [(run, own) for run in runs if (own := value(run.record)) is not None]
        controls = [own for run, own in known if _is_control(run.record)]
        others = [own for run, own in known if terms is None or run.record.code == OURS]
        who = "the controls" if controls else "most runs"
        for usual, _ in Counter(controls or others).most_common(1):
            for run, own in known:
                if own != usual:
                    told = f"{words.format(own)} where {who} have {words.format(usual)}"
                    found.setdefault(id(run), f"seed {run.record.seed} has {told}")
    return found


def _is_control(record: Record) -> bool:
    return record.method in CONTROLS and record.code == OURS


def seeds(
    runs: Sequence[Run], odd: Mapping[int, str], terms: Terms | None = None
) -> tuple[int, ...]:
    """Tell the seeds on which the methods of a task are compared.

    Of those that the controls have (where no control is, of all) they are as many as at least half
    of the methods have in common, of methods that were run more than once: neither a method with
    more seeds, nor controls with more, nor some with few put the others apart. A run that failed
    was run.

    Args:
        runs: of the task.
        odd: as of `oddities`; these do not count, unless there are no others.
        terms: of a collection that strangers join: only this package's own methods are asked for
            their seeds, and only for seeds of the terms.
    """
    usual = [run.record for run in runs if id(run) not in odd] or [run.record for run in runs]
    if terms is not None:
        usual = [r for r in usual if r.code == OURS and r.seed in terms.seeds]
        if not usual:
            return terms.seeds
    pool = {r.seed for r in usual if _is_control(r)} or {r.seed for r in usual}
    by_method: dict[tuple[str, str], set[int]] = defaultdict(set)
    for record in usual:
        by_method[record.method, record.preset].add(record.seed)
    own = [there & pool for there in by_method.values() if there & pool]
    own = [there for there in own if len(there) > 1] or own

    def worth(chosen: set[int]) -> tuple[bool, int, list[int]]:
        having = sum(chosen <= there for there in own)
        return 2 * having >= len(own), len(chosen), [-seed for seed in sorted(chosen)]

    most = max(own, key=worth)
    return tuple(sorted(most))


def reasons(runs: Sequence[Run], odd: Mapping[int, str], seeds: Sequence[int]) -> tuple[str, ...]:
    """Say why the runs of a method on a task cannot be compared with others; nothing if they can.

    Args:
        runs: of the method; those with other seeds do not count.
        odd: as of `oddities`.
        seeds: that there should be.
    """
    others = sorted({run.record.seed for run in runs} - {*seeds})
    runs = [run for run in runs if run.record.seed in seeds]
    if others and not runs:
        return (f"it was run with other seeds than are compared: {_some(others)}",)
    found = [odd[id(run)] for run in runs if id(run) in odd]
    if any(run.record.tuned_on_oracle for run in runs):
        found.append("its hyper-parameters were chosen by the oracle's scores")
    versions = sorted({f"{r.record.method_version} of {r.record.code}" for r in runs})
    if len(versions) > 1:
        found.append(f"its seeds are of versions {' and '.join(versions)}")
    count = Counter(run.record.seed for run in runs)
    found += [f"seed {seed} was not run" for seed in seeds if not count[seed]]
    found += [f"seed {seed} is there more than once" for seed, n in count.items() if n > 1]
    found += [f"seed {r.record.seed} {what}" for r in runs if (what := _missing(r))]
    return _merged(found, seeds)


def _some(seeds: Sequence[int]) -> str:
    few = ", ".join(map(str, seeds[:3]))
    return few if len(seeds) <= 3 else f"{few}, …"


def _missing(run: Run) -> str | None:
    """Say why a run has no measure."""
    record = run.record
    if record.status == "failed":
        return f"failed: {record.failure}"
    if record.status == "proposed":
        return "waits for the oracle"
    return None if np.isfinite(run.score).any() else "has no valid design"


def _merged(reasons: Sequence[str], seeds: Sequence[int]) -> tuple[str, ...]:
    """Say once what is true of several seeds."""
    groups: dict[str, list[str]] = {}
    for reason in reasons:
        number, _, rest = reason.removeprefix("seed ").partition(" ")
        if reason.startswith("seed "):
            groups.setdefault(rest, []).append(number)
        else:
            groups.setdefault(reason, [])
    merged = []
    for rest, numbers in groups.items():
        if not numbers:
            merged.append(rest)
        elif len(numbers) == len(seeds) and rest == "was not run":
            merged.append("it was not run")
        else:
            many = f"seeds {', '.join(numbers)}" if len(numbers) > 1 else f"seed {numbers[0]}"
            merged.append(f"{many}: {rest}")
    return tuple(merged)
