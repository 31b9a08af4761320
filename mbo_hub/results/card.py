"""The documents that tell of results: the card of their dataset, and the page in docs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

import mbo_hub.archive.catalog as catalog
import mbo_hub.results.costs as costs
from mbo_hub.dataset.lines import markdown, yaml
from mbo_hub.methods import METHODS
from mbo_hub.results.collection import COLUMNS, DATA
from mbo_hub.results.eligibility import ARCHIVE
from mbo_hub.results.measure import Measure
from mbo_hub.results.record import Record, Run
from mbo_hub.results.rendering import render
from mbo_hub.results.standings import standings
from mbo_hub.results.table import CONTROLS, tabulate

__all__ = ["Documents", "documents"]

REPO = "mbo/results"
TASKS = tuple(task.name for task in catalog.tasks())
# Plots of `mbo plot` that the card shows; scripts/results.py draws them.
PICTURES: Mapping[str, str] = {
    "best-of-k.png": "How good the best of k designs is on average, by task and method",
    "ceiling.png": "How far each method goes from D(best) to the ceiling, by task",
    "seeds.png": "The best design of each seed, by task and method",
}

_ABOUT: Mapping[str, str] = {
    "task": "its name; data and oracle are `mbo/<task>` and `mbo/<task>-oracle`",
    "task_version": "of the dataset",
    "method": "short name",
    "title": "of the method",
    "method_version": "goes up whenever a change of the method changes designs",
    "code": "what was run: `mbo_hub`, or a package.module:attribute of somebody's own",
    "preset": "of the hyper-parameters: `standard` fits two cores, `paper` is the original's size",
    "seed": "of everything that is random in the method",
    "budget": "how many designs could be submitted",
    "status": "`scored`, or `failed`",
    "failure": "why there are no designs",
    "tuned_on_oracle": "hyper-parameters were chosen by the oracle's scores: it is not ranked",
    "best": "100th percentile of the designs, as a score: 0 and 1 are the ends of the full data",
    "median": "50th percentile",
    "mean": "of all valid designs",
    "best_raw": "the same as `best` in the objective's unit",
    "median_raw": "likewise",
    "mean_raw": "likewise",
    "best_visible": "D(best), the best that the method saw, as a score",
    "invalid": "fraction of the designs that are illegal",
    "duplicate": "fraction that repeat an earlier one",
    "visible": "fraction that equal a visible design",
    "novelty": "mean distance to the nearest visible design",
    "diversity": "mean distance between two designs",
    "projected": "how many designs the method had to move to become legal",
    "cpu_seconds": "of the method, all cores together",
    "wall_seconds": "of the method",
    "scoring_seconds": "wall time of the oracle",
    "peak_mb": "the most memory of the run's process, in MiB",
    "designs_sha256": "of the designs, also of those that are not here",
    "y": "objective of each design, raw; empty where it is illegal",
    "record": "the whole record as JSON: every hyper-parameter and where its value comes from, "
    "deviations from the paper's code, versions, machine, and the receipt",
    "designs": "the designs in the order they were submitted; empty where they are not kept here",
    "predicted": "what the method expected of each, raw; empty where it does not say",
}


class Documents(NamedTuple):
    """What is written from runs.

    Attributes:
        card: README.md of the dataset.
        page: docs/results.md.
        standings: what `mbo_hub.making` puts on the tasks' cards, as JSON.
    """

    card: str
    page: str
    standings: str


def documents(runs: Sequence[Run]) -> Documents:
    """Write the documents.

    Args:
        runs: those of the dataset.
    """
    stand = msgspec.json.encode(standings(runs, TASKS))
    return Documents(_card(runs), _page(runs), msgspec.json.format(stand).decode() + "\n")


def _tasks(runs: Iterable[Run]) -> list[str]:
    """The tasks that runs are on, in the archive's order."""
    there = {run.record.problem for run in runs}
    return [*(task for task in TASKS if task in there), *sorted(there - {*TASKS})]


def _standard(runs: Iterable[Run]) -> list[Run]:
    """Those of the preset that all methods have, which tables compare."""
    return [run for run in runs if run.record.preset == "standard"]


def _extent(records: Sequence[Record]) -> str:
    """How much is there, and how much is to come."""
    standard = [r for r in records if r.preset == "standard" and r.method in METHODS]
    methods, tasks = ({getattr(r, what) for r in standard} for what in ("method", "problem"))
    wanted = len(methods) * len(tasks) * len(ARCHIVE.seeds)
    failed = sum(r.status == "failed" for r in records)
    took = costs.total_hours(records)
    missing = wanted - len(standard)
    text = (
        f"{len(records)} runs, of which {failed} failed: {took.core:.1f} core-hours of methods in "
        f"{took.wall:.1f} hours of wall time, waits included, and {took.scoring:.1f} hours of "
        f"scoring on {_machines(records)}."
    )
    if missing:
        text += (
            f" {missing} of the {wanted} runs of {len(methods)} methods on {len(tasks)} tasks with "
            f"{len(ARCHIVE.seeds)} seeds are still to come."
        )
    return text


def _machines(records: Iterable[Record]) -> str:
    kinds = sorted({f"{r.machine.processor}, {r.machine.cores} cores" for r in records})
    return " and ".join(map(markdown, kinds))


def _kept(runs: Sequence[Run]) -> str:
    """Which designs are not in the dataset."""
    missing: dict[str, int] = {}
    for run in runs:
        if run.record.status == "scored" and run.designs is None:
            missing[run.record.problem] = missing.get(run.record.problem, 0) + 1
    if not missing:
        return "The designs of every scored run are here."
    told = ", ".join(f"{count} on {task}" for task, count in sorted(missing.items()))
    return (
        f"Of some runs only the sha256 of the designs is here ({told}): a Hopper design is 5,126 "
        "numbers, and copies of Superconductor's data are left to their source. `mbo run` makes "
        "the same designs again, bit for bit on the same machine and libraries."
    )


def _card(runs: Sequence[Run]) -> str:
    tasks = _tasks(runs)
    records = [run.record for run in runs]
    table = tabulate(_standard(runs), Measure(), tasks, ARCHIVE)
    columns = "\n".join(f"| `{name}` | {_ABOUT[name]} |" for name in [*COLUMNS, "designs",
                                                                       "predicted"])  # fmt: skip
    first = tasks[0]
    return f"""{_metadata(tasks, len(records))}
# Results of offline model-based optimization

Who designs best from data alone? {len({r.method for r in records})} methods on {len(tasks)} tasks,
with the designs that they submitted, so that anybody can score them again. {_extent(records)}

```python
from datasets import load_dataset

runs = load_dataset("{REPO}", "{first}")["train"]   # a row a run
runs[0]["method"], runs[0]["best"], runs[0]["designs"][0]
```

## The table

`mbo table {REPO}` prints it, with other percentiles, as LaTeX, CSV or JSON. {CONTROLS[0]} and
{CONTROLS[1]} are controls: designs drawn at random, and the best visible ones handed in again.

{render(table, "markdown")}
{_plots()}

## What a row holds

| column | what it is |
|---|---|
{columns}

{_kept(runs)}

## Verify it

```
mbo verify {REPO}              # scores every design again
mbo verify {REPO} --sample 20  # … or those of some runs
```

That a record holds proves its scores. It does not prove that a method never looked at an oracle:
that is a promise of whoever ran it, and `tuned_on_oracle` is where to break it honestly.

## Join it

```
pip install 'mbo-hub[methods]'
mbo run my_package.module:MyMethod --task {first} --seeds 0-7 --out runs
mbo publish runs --to {REPO} --pull-request
```

Designs are fixed before an oracle is opened. The pull request adds `{DATA}/<task>/<method>.parquet`
and changes nothing else; whoever keeps this dataset runs
`mbo verify {REPO} --pull-request <number> --comment`, which checks legality, number and sha256 of
the designs and scores all of them again. What was published is never changed: a method whose
designs change raises its version.

## Terms

Records and figures: [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). Designs are under
the terms of the task whose data they were made from (see the cards of `mbo/<task>`), those of
ChEMBL under CC BY-SA 3.0.
"""


def _plots() -> str:
    return "\n\n".join(f"![{about}]({name})" for name, about in PICTURES.items())


def _metadata(tasks: Sequence[str], rows: int) -> str:
    configs = "\n".join(
        f"- config_name: {yaml(task)}\n  data_files:\n  - split: train\n    path: "
        f"{yaml(f'{DATA}/{task}/*.parquet')}"
        for task in tasks
    )
    size = "n<1K" if rows < 1000 else "1K<n<10K"
    return f"""---
license:
- cc-by-4.0
- cc-by-sa-3.0
pretty_name: Results of offline model-based optimization
tags:
- mbo-hub
- offline-model-based-optimization
- black-box-optimization
- benchmark
- leaderboard
size_categories:
- {size}
configs:
{configs}
---
"""


def _page(runs: Sequence[Run]) -> str:
    tasks = _tasks(runs)
    records = [run.record for run in runs]
    standard = _standard(runs)
    best = tabulate(standard, Measure(), tasks, ARCHIVE)
    median = tabulate(standard, Measure(metric="median"), tasks, ARCHIVE)
    measured = costs.costs(records)
    there = {record.method for record in records}
    names = [*(name for name in METHODS if name in there), *sorted(there - {*METHODS})]
    return f"""# Results

This page is made from [`{REPO}`](https://huggingface.co/datasets/{REPO}), which has the designs:
{_extent(records)} Run it yourself with
`mbo run all --task all --seeds 0-7 --out runs`, and make these tables with `mbo table runs`.

## 100th percentile

{render(best, "markdown", literature=True)}
## 50th percentile

{render(median, "markdown", literature=True)}
## What a run costs

Seconds of one core (median over seeds) and peak memory of the process, preset `standard`, on
{_machines(records)}.

{costs.markdown(measured, tasks, names)}"""
