#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Measure how far one return of an Ant can be trusted, to choose how many starts to average over.

A walking ant amplifies any difference until it has grown as large as the ant. So the return of a
design has a part that says nothing about the design, and the objective of the task is the mean over
K episodes that start a little apart. This script measures, for joints turned at the start by
± `size`, how much of the variance between designs (default + N(0, 0.02) in coordinates in which the
bounds are −1 and 1) is not within a design: the reliability of one episode is the intraclass
correlation ICC(1) (Shrout and Fleiss 1979), that of the mean over K episodes follows by Spearman
and Brown's formula. `--check` measures it directly for the objective as it is (`ant.STARTS`), with
each design in several copies that differ by about one float32 rounding.

It writes ant_reliability.json and .md to the folder of `--out`, and the table to stdout.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from mbo_hub.arrays import Float64
from mbo_hub.oracles.mujoco import ant, rollout
from mbo_hub.oracles.mujoco.rollout import Network

NOISE = 0.02  # of the designs, in normalized coordinates: that of CMA-ES when it made the data
WANTED = 0.95
SIZES = (1e-9, 1e-6, 1e-3)  # rad
COUNTS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)
ROUNDING = 1e-7  # relative, about half the distance between neighbouring float32 numbers


def designs_near_default(count: int, random: np.random.Generator) -> Float64[np.ndarray, "n 60"]:
    """Draw designs; what leaves the bounds is projected onto them."""
    noise = NOISE * random.standard_normal((count, len(ant.NAMES)))
    return ant.denormalize(np.clip(ant.normalize(ant.DEFAULT) + noise, -1.0, 1.0))


def signs(count: int, random: np.random.Generator) -> Float64[np.ndarray, "k 19"]:
    """Draw which way each joint is turned at the start; the torso stays."""
    turns = np.zeros((count, 19))
    turns[:, 7:] = random.choice([-1.0, 1.0], size=(count, 12))
    return turns


def reliability(values: Float64[np.ndarray, "n m"]) -> tuple[float, float, float]:
    """ICC(1) of n designs with m values each, and the deviations within and between designs."""
    within = float(values.var(axis=1, ddof=1).mean())
    between = max(float(values.mean(axis=1).var(ddof=1)) - within / values.shape[1], 0.0)
    return between / (between + within), within**0.5, between**0.5


def episodes(
    designs: Float64[np.ndarray, "n 60"],
    policy: Network,
    offsets: Float64[np.ndarray, "k 19"],
    threads: int,
) -> Float64[np.ndarray, "n k"]:
    """Return of each episode."""
    return rollout.returns(
        ant.CONTROL,
        ant.Ant(),
        designs,
        lambda state: policy(ant.observe(state)),
        offsets=offsets,
        threads=threads,
    )


def main() -> None:
    """Read the command line, measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  scripts/measure_ant_reliability.py build/ant/best.npz --check",
    )
    parser.add_argument("policy", type=Path, help="the policy, a .npz file")
    parser.add_argument("--out", type=Path, default=Path("build/ant"), help="folder (%(default)s)")
    parser.add_argument("--designs", type=int, default=48, help="designs (%(default)s)")
    parser.add_argument("--starts", type=int, default=12, help="episodes of each (%(default)s)")
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="rad (%(default)s)")
    parser.add_argument("--check", action="store_true", help="measure the objective directly, too")
    parser.add_argument("--copies", type=int, default=4, help="of a design, then (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    random = np.random.default_rng(arguments.seed)
    policy = Network.load(arguments.policy)
    designs = designs_near_default(arguments.designs, random)
    turns = signs(arguments.starts, random)
    rows: list[dict[str, Any]] = []
    begin, done = time.monotonic(), 0
    for size in arguments.sizes:
        values = episodes(designs, policy, size * turns, arguments.threads)
        done += values.size
        one, within, between = reliability(values)
        expected = {k: k * one / (1.0 + (k - 1) * one) for k in COUNTS}
        fewest = next((k for k in range(1, 1000) if k * one / (1 + (k - 1) * one) >= WANTED), None)
        rows.append(
            {
                "size": size,
                "mean": values.mean(),
                "within": within,
                "between": between,
                "reliability": expected,
                "fewest": fewest,
            }
        )
    result: dict[str, Any] = {
        "settings": {name: str(value) for name, value in vars(arguments).items()},
        "noise": NOISE,
        "rows": rows,
        "episodes_per_s": done / (time.monotonic() - begin),
    }
    if arguments.check:
        nudge = 1.0 + ROUNDING * random.uniform(-1, 1, (arguments.copies, *designs.shape))
        copies = np.clip(designs * nudge, ant.LOW, ant.HIGH)
        scores = [
            episodes(copy, policy, ant.OFFSETS, arguments.threads).mean(axis=1) for copy in copies
        ]
        share, within, between = reliability(np.stack(scores, axis=1))
        result["check"] = {"reliability": share, "within": within, "between": between}
    arguments.out.mkdir(parents=True, exist_ok=True)
    table = written(result)
    (arguments.out / "ant_reliability.json").write_text(json.dumps(result, indent=2) + "\n")
    (arguments.out / "ant_reliability.md").write_text(table)
    print(table, end="")


def written(result: dict[str, Any]) -> str:
    """The result as a Markdown table."""
    heads = ["turn, rad", "mean", "within", "between", *(f"K = {k}" for k in COUNTS)]
    lines = [[*heads, f"fewest for {WANTED}"], ["---:"] * (len(heads) + 1)]
    for row in result["rows"]:
        figures = [f"{row[name]:.1f}" for name in ("mean", "within", "between")]
        shares = [f"{share:.3f}" for share in row["reliability"].values()]
        lines.append([f"{row['size']:g}", *figures, *shares, str(row["fewest"])])
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    if "check" in result:
        check = result["check"]
        text += (
            f"\nThe objective, K = {len(ant.STARTS)}, ± {ant.TURN:g} rad: reliability "
            f"{check['reliability']:.3f} (within {check['within']:.1f}, between "
            f"{check['between']:.1f})\n"
        )
    return text + f"\n{result['episodes_per_s']:.1f} episodes/s\n"


if __name__ == "__main__":
    main()
