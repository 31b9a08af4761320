#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Keep the benchmark's own results: runs in build/runs, and the dataset in dataset_cards/results.

    scripts/results.py unpack     # give build/runs the runs that are in the dataset
    mbo run all --task all --seeds 0-7 --out build/runs   # go on; stop at any time
    scripts/results.py pack       # put what is finished into the dataset, and write its card
    scripts/results.py write      # the card and the pages; `check` says if it is due

docs/findings.md has its sentences from scripts/findings.md. Where one no longer holds, it is named;
write it anew, and then the documents.

Of tasks with large designs (of hopper, 5,126 numbers) the repository keeps those of seed 0, and
names the others by their sha256. What is published has all:

    mbo publish build/runs --to mbo/results
    scripts/results.py publish    # the card and its pictures
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import findings
import numpy as np

import mbo_hub
from mbo_hub.archive import hub
from mbo_hub.atomic import write_file
from mbo_hub.errors import MboHubError
from mbo_hub.making.cards import plotted_data
from mbo_hub.methods import METHODS
from mbo_hub.publishing import metadata
from mbo_hub.reading import encode_designs
from mbo_hub.results.card import PICTURES, REPO, TASKS, documents
from mbo_hub.results.collection import DATA, read_runs, write_collection
from mbo_hub.results.drawing import looks
from mbo_hub.results.eligibility import ARCHIVE
from mbo_hub.results.plots import PLOTS, prepare
from mbo_hub.results.record import RECORD, Record, Run, write_run
from mbo_hub.results.schema import problems
from mbo_hub.task import Task
from mbo_hub.tasks import TASKS as SPECS

ROOT = Path(__file__).parent.parent
DATASET = ROOT / "dataset_cards" / "results"
RUNS = ROOT / "build" / "runs"
STANDINGS = ROOT / "mbo_hub" / "making" / "standings.json"  # for the tasks' cards: documents.py
PAGE = ROOT / "docs" / "results.md"
FINDINGS = ROOT / "docs" / "findings.md"
LARGE = 1000  # numbers of a design, from which on the repository keeps the designs of one seed


def unpack(runs: Path) -> None:
    """Write the dataset's runs as folders, so that they are not run again."""
    tasks: dict[str, Task] = {}
    count = 0
    for run in _there():
        record = run.record
        if (runs / record.place / RECORD).exists():
            continue
        designs = None
        if run.designs is not None:
            if record.task not in tasks:
                tasks[record.task] = mbo_hub.load(record.task)
            known = {} if run.predicted is None else {"predicted": run.predicted}
            if record.report is not None:
                known["y"] = run.y.astype(np.float32)
            designs = encode_designs(tasks[record.task].manifest, run.designs, known)
        write_run(runs, record, designs)
        count += 1
    print(f"{runs}: {count} runs unpacked")


def pack(runs: Path) -> None:
    """Put finished runs into the dataset, beside those that are there.

    A seed of a task waits until all methods of the package that have runs on the task have it: a
    table ranks who has every seed.
    """
    merged = {run.record.place: run for run in _there()}
    before = len(merged)
    finished = [run for run in read_runs(runs) if run.record.status != "proposed"]
    waiting = _waiting(run.record for run in [*merged.values(), *finished])
    for run in finished:
        if (run.record.problem, run.record.seed) in waiting and run.record.preset == "standard":
            continue
        known = merged.get(run.record.place)
        if known is not None and known.record == run.record:
            continue  # its designs may be in the dataset alone
        merged[run.record.place] = run if _is_kept(run) else Run(run.record, run.where)
    write_collection(merged.values(), DATASET)
    print(f"{DATASET}: {len(merged)} runs, {len(merged) - before} of them new")
    write(runs)


def _waiting(records: Iterable[Record]) -> set[tuple[str, int]]:
    """The tasks and seeds that a method lacks, of those of the package that run on the task."""
    methods: dict[str, set[str]] = defaultdict(set)  # by task
    done: dict[tuple[str, int], set[str]] = defaultdict(set)
    for record in records:
        if record.preset == "standard" and record.method in METHODS:
            methods[record.problem].add(record.method)
            done[record.problem, record.seed].add(record.method)
    return {(task, seed) for (task, seed), some in done.items() if some < methods[task]}


def _is_kept(run: Run) -> bool:
    """Whether the repository keeps the designs of a run."""
    record, spec = run.record, SPECS.get(run.record.task)
    if spec is not None and not spec.embedded:  # nor may copies of its data be in the repository
        return record.report is not None and record.report.visible == 0
    return spec is None or spec.space.dim < LARGE or record.seed == 0


def write(runs: Path) -> None:
    """Write the documents anew, and the pictures of the card where they show other runs."""
    del runs
    there = _there()
    for path, text in _documents(there).items():
        write_file(path, text.encode())
        print(f"wrote {path.relative_to(ROOT)}")
    if _stale_pictures(there):
        for name, png in _pictures(there).items():
            write_file(DATASET / name, png)
            print(f"wrote dataset_cards/results/{name}")


def _shown(runs: Sequence[Run]) -> str:
    """Digest what pictures show; a picture carries it, as its bytes depend on matplotlib."""
    told = [f"{r.record.place} {r.record.designs_sha256}" for r in runs]
    return sha256("\n".join([*PICTURES, *sorted(told)]).encode()).hexdigest()


def _stale_pictures(runs: Sequence[Run]) -> list[str]:
    paths = [DATASET / name for name in PICTURES]
    wanted = _shown(runs)
    return [
        path.name
        for path in paths
        if not path.exists() or plotted_data(path.read_bytes()) != wanted
    ]


def _pictures(runs: Sequence[Run]) -> dict[str, bytes]:
    standard = [run for run in runs if run.record.preset == "standard"]
    there = {run.record.problem for run in standard}
    drawn = prepare(standard, [task for task in TASKS if task in there], ARCHIVE)
    made = {}
    with looks():
        for name in PICTURES:
            sink = io.BytesIO()
            about = {"Software": None, "Description": _shown(runs)}
            figure = PLOTS[Path(name).stem](drawn)
            figure.savefig(sink, format="png", dpi=110, metadata=about)
            made[name] = sink.getvalue()
    return made


def check(runs: Path) -> None:
    """See that the documents say what the data say, and that these are fit to be published."""
    del runs
    there = _there()
    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in _documents(there).items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    stale += [f"dataset_cards/results/{name}" for name in _stale_pictures(there)]
    wrong = [f"{name} is out of date; run  scripts/results.py write" for name in stale]
    files = [path.relative_to(DATASET).as_posix() for path in DATASET.glob(f"{DATA}/*/*.parquet")]
    for file in sorted(files):
        wrong += problems((DATASET / file).read_bytes(), file)
    card = (DATASET / "README.md").read_text("utf-8")
    first = [file for file in files if file.startswith(f"{DATA}/tfbind8/")]
    wrong += metadata.problems(card, "dataset", first)  # of one config; tests load all of them
    for problem in wrong:
        print(problem)
    sys.exit(bool(wrong))


def _documents(runs: Sequence[Run]) -> dict[Path, str]:
    made = documents(runs)
    return {
        DATASET / "README.md": made.card,
        PAGE: made.page,
        STANDINGS: made.standings,
        FINDINGS: findings.page(runs),
    }


def _there() -> tuple[Run, ...]:
    return read_runs(DATASET) if (DATASET / DATA).is_dir() else ()


def publish(runs: Path) -> None:
    """Put the card and its pictures on the Hub; runs go there by `mbo publish`."""
    del runs
    files = {name: (DATASET / name).read_bytes() for name in ("README.md", *PICTURES)}
    url = hub.send(
        REPO, "dataset", files, "Write the card anew", "By scripts/results.py.", pull_request=False
    )
    print(url)


VERBS = {"unpack": unpack, "pack": pack, "write": write, "check": check, "publish": publish}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=list(VERBS))
    parser.add_argument("--runs", type=Path, default=RUNS)
    asked = parser.parse_args()
    try:
        VERBS[asked.verb](asked.runs)
    except MboHubError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
