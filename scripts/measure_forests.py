#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""How much of a score on Superconductor is the forest's: the same designs, by other forests.

The task's oracle is a forest of extremely randomized trees. Published figures come from a random
forest (100 trees, depth at most 100, all features at each split) that was trained on 1,000 rows,
half of a sample of 2,000. Trains such forests on all rows, and on samples of 1,000, and scores the
designs that runs have submitted with each. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestRegressor

import mbo_hub
from mbo_hub.results import Run, read_runs

RUNS = Path(__file__).parent.parent / "build" / "runs"
SEEDS = range(2)
SAMPLE = 1000  # rows that the original's forest was trained on


def main() -> None:
    """Train, score, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=Path, default=RUNS)
    asked = parser.parse_args()
    task = mbo_hub.load("superconductor")
    hidden_x, hidden_y = task.hidden
    x, y = np.concatenate([task.x, hidden_x]), np.concatenate([task.y, hidden_y])
    by_method: dict[str, list[Run]] = defaultdict(list)
    for run in read_runs(asked.runs):
        record = run.record
        if (record.task, record.preset) == (
            "superconductor",
            "standard",
        ) and run.designs is not None:
            by_method[record.method].append(run)
    forests = {}
    for rows in (len(y), SAMPLE):
        for seed in SEEDS:
            chosen = np.random.default_rng(seed).permutation(len(y))[:rows]
            forest = RandomForestRegressor(100, max_depth=100, max_features=1.0, random_state=seed)
            forests[f"random forest {seed}, {rows:,} rows"] = forest.fit(x[chosen], y[chosen])
    print(f"| method | runs | this oracle | {' | '.join(forests)} |")
    print(f"|---|---|---|{'---|' * len(forests)}")
    for method, runs in sorted(by_method.items()):
        cells = [_told([run.score for run in runs])]
        cells += [
            _told([task.score(forest.predict(run.designs)) for run in runs])
            for forest in forests.values()
        ]
        print(f"| {method} | {len(runs)} | {' | '.join(cells)} |", flush=True)


def _told(scores: list[np.ndarray]) -> str:
    """100th and 50th percentile, means over runs."""
    best = np.mean([np.nanmax(s) for s in scores])
    return f"{best:.3f}, {np.mean([np.nanmedian(s) for s in scores]):.3f}"


if __name__ == "__main__":
    main()
