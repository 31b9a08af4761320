"""Run methods on tasks with several seeds; keep what each run took and what it found.

One run is one process, so that its memory is its own. Records are lines of JSON; what is there is
not run again, so that an interrupted measurement goes on where it was. `--table` prints them as
Markdown: seconds and memory of each method on each task, and percentiles where there are seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

RECORDS = Path(__file__).with_name("method_measurements.jsonl")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def one(task_name: str, method_name: str, preset: str, seed: int) -> dict[str, Any]:
    """Run a method in this process, then score its designs."""
    import mbo_hub
    from mbo_hub.methods import find

    task = mbo_hub.load(task_name)
    method = find(method_name, preset, task_name)
    run = {
        "task": task_name,
        "task_version": task.manifest.version,
        "method": method_name,
        "method_version": method.version,
        "preset": preset,
        "seed": seed,
    }
    start = time.process_time()
    try:
        proposal = method(task.offline, seed=seed)
    except mbo_hub.MboHubError as error:
        return {**run, "failed": str(error)}
    run |= {
        "seconds": round(time.process_time() - start, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "designs": len(proposal),
        "designs_sha256": sha256(proposal.designs.tobytes()).hexdigest(),
        "projected": proposal.projected,
        "notes": list(proposal.notes),
    }
    report = task.evaluate(proposal.designs).to_dict()
    wanted = ("invalid", "duplicate", "visible", "novelty", "diversity")
    return run | {
        "score": report["normalized"],
        **{key: report[key] for key in wanted if key in report},
    }


def read(path: Path) -> list[dict[str, Any]]:
    """Read the records that are there."""
    return (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []
    )


def table(records: list[dict[str, Any]]) -> str:
    """Write the records as Markdown."""
    tasks = list(dict.fromkeys(r["task"] for r in records))
    methods = list(dict.fromkeys(r["method"] for r in records))
    lines = [
        "| method | " + " | ".join(tasks) + " |",
        "|---|" + "---|" * len(tasks),
    ]
    for method in methods:
        cells = []
        for task in tasks:
            runs = [
                r for r in records if (r["task"], r["method"]) == (task, method) and "score" in r
            ]
            seconds = statistics.median(r["seconds"] for r in runs) if runs else 0
            peak = max((r["peak_mb"] for r in runs), default=0)
            cells.append(f"{seconds:,.0f} s, {peak:,} MB" if runs else "–")
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def scores(records: list[dict[str, Any]]) -> str:
    """Write 100th and 50th percentile over seeds as Markdown: mean ± population std."""
    lines = ["| task | method | preset | seeds | 100th | 50th |", "|---|---|---|---|---|---|"]
    for group in dict.fromkeys((r["task"], r["method"], r["preset"]) for r in records):
        runs = [
            r for r in records if (r["task"], r["method"], r["preset"]) == group and "score" in r
        ]
        cells = []
        for which in ("best", "median"):
            values = [r["score"][which] for r in runs]
            spread = statistics.pstdev(values) if values else 0
            cells.append(f"{statistics.mean(values):.3f} ± {spread:.3f}" if values else "–")
        lines.append(f"| {' | '.join(group)} | {len(runs)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, seed by seed."""
    from mbo_hub.methods import METHODS, find

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["tfbind8", "superconductor"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--table", action="store_true", help="print, run nothing")
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        task, method, preset, seed = asked.one
        print(json.dumps(one(task, method, preset, int(seed))))
        return
    records = read(asked.records)
    if asked.table:
        print(table(records), scores(records), sep="\n\n")
        return
    done = {(r["task"], r["method"], r["method_version"], r["preset"], r["seed"]) for r in records}
    for seed in range(asked.seeds):
        for task in asked.tasks:
            for method in asked.methods:
                version = find(method).version
                if (task, method, version, asked.preset, seed) in done:
                    continue
                command = [sys.executable, __file__, "--one", task, method, asked.preset, str(seed)]
                environment = {**os.environ, **ONE_THREAD}
                ran = subprocess.run(command, env=environment, capture_output=True, text=True)
                if ran.returncode:
                    print(ran.stderr, file=sys.stderr)
                    continue
                record = json.loads(ran.stdout.splitlines()[-1])
                with asked.records.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
                found = record.get("score", {})
                print(
                    f"{task:15} {method:12} seed {seed}: best {found.get('best')}, "
                    f"median {found.get('median')}, {record.get('seconds')} s"
                    f"{record.get('failed', '')}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
