#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Offline optimization in ten lines: let methods see what is visible, score what they propose."""

from __future__ import annotations

import mbo_hub
from mbo_hub.methods import BestLogged, GradientAscent, Random


def main() -> None:
    """Compare random designs, the best visible ones, and those of a learned method."""
    task = mbo_hub.load("tfbind8")
    print(f"{task.manifest.title}: {task.manifest.summary}")
    print(f"A method sees {len(task.x):,} designs, such as:")
    for design, y in zip(task.space.decode(task.x[:3]), task.y[:3], strict=True):
        print(f"  {design}  y = {y:.4f}")
    for method in (Random(), BestLogged(), GradientAscent(epochs=10)):
        proposal = method(task.offline, budget=128, seed=0)  # no oracle is in task.offline
        print(f"\n--- {method.title}: {len(proposal)} designs ---\n")
        print(task.evaluate(proposal.designs))


if __name__ == "__main__":
    main()
