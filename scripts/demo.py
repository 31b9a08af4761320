"""Offline optimization in twenty lines: fit a linear model to what is visible and climb it."""

from __future__ import annotations

import numpy as np

import mbo_hub
from mbo_hub import Offline


def climb_a_linear_model(offline: Offline, budget: int = 128) -> np.ndarray:
    """Fit normalized y to one-hot tokens; return the designs that the fit ranks highest.

    Args:
        offline: the visible data; there is no oracle in it.
        budget: how many designs to propose.

    Returns:
        Designs, (budget, d).
    """
    rng = np.random.default_rng(0)
    features = offline.space.one_hot(offline.x).reshape(len(offline.x), -1)
    target = offline.normalization.y.apply(offline.y)
    weights = np.linalg.lstsq(features, target, rcond=None)[0]
    pool = np.unique(offline.space.sample(20_000, rng), axis=0)
    predicted = offline.space.one_hot(pool).reshape(len(pool), -1) @ weights
    return pool[np.argsort(-predicted, kind="stable")[:budget]]


def main() -> None:
    """Compare random designs with those of the linear model."""
    task = mbo_hub.load("tfbind8")
    print(f"{task.manifest.title}: {task.manifest.summary}")
    print(f"A method sees {len(task.x):,} designs, such as:")
    for design, y in zip(task.space.decode(task.x[:3]), task.y[:3], strict=True):
        print(f"  {design}  y = {y:.4f}")
    for name, designs in {
        "128 random designs": task.space.sample(128, rng=0),
        "128 designs of a linear model, fitted on the visible data": climb_a_linear_model(
            task.offline
        ),
    }.items():
        print(f"\n--- {name} ---\n")
        print(task.evaluate(designs))


if __name__ == "__main__":
    main()
