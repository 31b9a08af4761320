#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""How often an interval from 8 seeds holds the true mean, on simulated seeds; a minute or two.

Each line: a distribution of scores, and for each way to make a 95 % interval the share of simulated
experiments in which it holds the true mean, with its width as a multiple of Student's t. The table
stands in `mbo_hub/results/intervals.py`, whose way is "widened". The last lines do the same for the
interquartile mean and the probability of improvement over 8 tasks with 8 seeds each.

    scripts/interval_coverage.py [experiments, 4000 without]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from mbo_hub.results import intervals

SEEDS, TASKS, RESAMPLES = 8, 8, 1999
RNG = np.random.default_rng(0)
Draw = Callable[[tuple[int, ...]], Any]
TRUTHS: dict[str, Draw] = {
    "normal": lambda shape: RNG.normal(size=shape),
    "best of 128 normal": lambda shape: RNG.normal(size=(*shape, 128)).max(-1),
    "normal, cut at a ceiling": lambda shape: np.minimum(1, RNG.normal(0.97, 0.05, shape)),
    "Student's t, 3 degrees": lambda shape: RNG.standard_t(3, shape),
    "exponential": lambda shape: RNG.exponential(size=shape),
    "log-normal": lambda shape: RNG.lognormal(size=shape),
    # the largest of 128 has the distribution function F^128
    "best of 128 Pareto(3)": lambda shape: (1 - RNG.random(shape) ** (1 / 128)) ** (-1 / 3),
    "1 in 5 seeds succeeds": lambda shape: (RNG.random(shape) < 0.2) + RNG.normal(0, 0.05, shape),
}


def intervals_of(x: Any) -> dict[str, tuple[Any, Any]]:
    """Make each kind of interval of experiments x (experiments, seeds)."""
    indices = RNG.integers(0, SEEDS, (len(x), RESAMPLES, SEEDS))
    drawn = np.take_along_axis(x[:, None], indices, -1)
    means, errors = drawn.mean(-1), drawn.std(-1, ddof=1) / np.sqrt(SEEDS)
    centre, error = x.mean(-1), x.std(-1, ddof=1) / np.sqrt(SEEDS)
    found = {}
    for name, level in (("plain", 0.95), ("widened", intervals.widened_level(SEEDS))):
        found[name] = tuple(np.quantile(means, [(1 - level) / 2, (1 + level) / 2], axis=1))
    found["BCa"] = bca(x, means)
    ratio = np.divide(means - centre[:, None], errors, out=np.zeros_like(means), where=errors > 0)
    low, high = np.quantile(ratio, [0.025, 0.975], axis=1)
    found["studentized"] = (centre - high * error, centre - low * error)
    reach = stats.t.ppf(0.975, SEEDS - 1) * error
    found["Student t"] = (centre - reach, centre + reach)
    return found


def bca(x: Any, means: Any) -> tuple[Any, Any]:
    """Bias-corrected and accelerated interval (Efron 1987), as scipy's method 'BCa'."""
    away = x - x.mean(-1, keepdims=True)
    bent = (away**3).sum(-1) / (6 * (away**2).sum(-1) ** 1.5)
    below = ((means < x.mean(-1)[:, None]).mean(-1) + (means <= x.mean(-1)[:, None]).mean(-1)) / 2
    bias = stats.norm.ppf(below)
    ends = []
    for z in stats.norm.ppf([0.025, 0.975]):
        levels = stats.norm.cdf(bias + (bias + z) / (1 - bent * (bias + z)))
        ends.append([np.quantile(row, level) for row, level in zip(means, levels, strict=True)])
    return np.array(ends[0]), np.array(ends[1])


def of_seeds(name: str, experiments: int) -> None:
    """Print the line of one distribution."""
    draw = TRUTHS[name]
    truth = np.mean([draw((20_000,)).mean() for _ in range(100)])
    held: dict[str, list[Any]] = {}
    width: dict[str, list[Any]] = {}
    for _ in range(experiments // 200):
        for kind, (low, high) in intervals_of(draw((200, SEEDS))).items():
            held.setdefault(kind, []).append((low <= truth) & (truth <= high))
            width.setdefault(kind, []).append(high - low)
    unit = np.mean(width["Student t"])
    told = (f"{k} {100 * np.mean(held[k]):.1f} ({np.mean(width[k]) / unit:.2f})" for k in held)
    print(f"{name:26}", "  ".join(told), flush=True)


def over_tasks(experiments: int) -> None:
    """Print how often the functions of the package hold the truth over tasks of other scales."""
    level = RNG.permutation(np.linspace(0.1, 1.4, TASKS))[:, None]
    scale = RNG.permutation(np.geomspace(0.05, 0.5, TASKS))[:, None]
    for name in ("normal", "exponential", "best of 128 Pareto(3)"):
        draw = TRUTHS[name]
        ours = level + scale * draw((TASKS, 20_000))
        theirs = level - 0.3 * scale + scale * draw((TASKS, 20_000))
        middle = stats.trim_mean(ours, 0.25, axis=None)
        wins = np.mean([(x > y).mean() for x, y in zip(ours, theirs, strict=True)])
        held: dict[str, list[bool]] = {}
        for _ in range(experiments):
            mine = list(level + scale * draw((TASKS, SEEDS)))
            yours = list(level - 0.3 * scale + scale * draw((TASKS, SEEDS)))
            for way, width in (("plain", 0.95), ("widened", intervals.widened_level(SEEDS))):
                for what, truth, found in (
                    ("IQM", middle, intervals.iqm(mine, width)),
                    ("improvement", wins, intervals.improvement(mine, yours, width)),
                ):
                    held.setdefault(f"{what} {way}", []).append(found.low <= truth <= found.high)
        told = (f"{what} {100 * np.mean(held[what]):.1f}" for what in held)
        print(f"{name:26}", "  ".join(told), flush=True)


def main() -> None:
    """Print all lines."""
    experiments = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    for name in TRUTHS:
        of_seeds(name, experiments)
    over_tasks(experiments // 10)


if __name__ == "__main__":
    main()
