"""Keep the benchmark's own results: runs in build/runs, and the dataset in dataset_cards/results.

    python scripts/results.py unpack     # give build/runs the runs that are in the dataset
    mbo run all --task all --seeds 0-7 --out build/runs   # go on; stop at any time
    python scripts/results.py pack       # put what is finished into the dataset

A hopper design is 5,126 numbers: the repository keeps those of seed 0, and names the others by
their sha256. What is published has all: mbo publish build/runs --to mbo/results
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import mbo_hub
from mbo_hub.reading import encode_designs
from mbo_hub.results.collection import DATA, read_runs, write_collection
from mbo_hub.results.record import RECORD, Run, write_run
from mbo_hub.task import Task

ROOT = Path(__file__).parent.parent
DATASET = ROOT / "dataset_cards" / "results"
RUNS = ROOT / "build" / "runs"
LARGE = {"hopper"}  # tasks of whose designs the repository keeps one seed


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
    """Put finished runs into the dataset, beside those that are there."""
    merged = {run.record.place: run for run in _there()}
    before = len(merged)
    for run in read_runs(runs):
        if run.record.status == "proposed":
            continue
        known = merged.get(run.record.place)
        if known is not None and known.record == run.record:
            continue  # its designs may be in the dataset alone
        kept = run.record.task not in LARGE or run.record.seed == 0
        merged[run.record.place] = run if kept else Run(run.record, run.where)
    write_collection(merged.values(), DATASET)
    print(f"{DATASET}: {len(merged)} runs, {len(merged) - before} of them new")


def _there() -> tuple[Run, ...]:
    return read_runs(DATASET) if (DATASET / DATA).is_dir() else ()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=["pack", "unpack"])
    parser.add_argument("--runs", type=Path, default=RUNS)
    asked = parser.parse_args()
    {"pack": pack, "unpack": unpack}[asked.verb](asked.runs)


if __name__ == "__main__":
    main()
