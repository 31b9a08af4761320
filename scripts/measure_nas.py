#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Measure the architectures of the task nas: train the networks of 1,771 designs and test them.

The first 1,051 designs are drawn uniformly. Twelve generations of 60 follow: each child is bred
from two designs of earlier generations, each the best of eight drawn ones, block by block or not at
all, and is then mutated, so that good architectures are there, too, and not only what chance gives.
A generation is bred when all earlier ones are measured, so the designs depend on the seed and on
the measured values alone, not on --processes or interruptions. Each design is measured by itself.

Stop it with Ctrl-C or SIGTERM; the same command goes on from what is there. It writes to --out:
  measurements.jsonl   a line that says how it was made, then a line for each design, as they come:
                       row, x (64 digits), right (test digits read right, by seed), seconds
  noise.jsonl          with --noise: the first 100 designs again, with as many other seeds

Where --out has no measurements.jsonl yet, it begins with scripts/nas_measurements.jsonl.gz. If that
is complete, nothing is left but to write it there. Its times are those of one run, so the file as a
whole cannot come out again; everything else does.
"""

from __future__ import annotations

import argparse
import gzip
import json
import logging
import sys
import time
from collections.abc import Callable
from importlib import metadata
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from mbo_hub.arrays import Int8
from mbo_hub.atomic import write_file
from mbo_hub.oracles.digits import RECIPE, SPACE, Outcome, accuracy, train_all

log = logging.getLogger("measure_nas")

RANDOM = 1_051
GENERATIONS = 12
CHILDREN = 60
ROWS = RANDOM + GENERATIONS * CHILDREN  # 1,771, as in Design-Bench's CIFARNAS
TOURNAMENT = 8  # designs drawn for each parent, of which the best is taken
CROSSED = 0.75  # share of children that have two parents
MUTATIONS = 3.0  # tokens drawn anew in each child, on average; one in five stays what it was
NOISE_ROWS = 100
KEPT = Path(__file__).with_name("nas_measurements.jsonl.gz")
WHAT = ("made", "seed", "recipe")  # must agree always; versions, where anything is left to measure
EVERY_S = 60.0  # between two lines about progress


class Conflict(Exception):
    """What is there was not made in this way."""


def drawn(seed: int) -> list[Int8[np.ndarray, " 64"]]:
    """Draw the first designs: distinct ones."""
    random = np.random.default_rng([seed, 0])
    designs: dict[bytes, Int8[np.ndarray, " 64"]] = {}
    while len(designs) < RANDOM:
        design = SPACE.sample(1, random)[0]
        designs.setdefault(design.tobytes(), design)
    return list(designs.values())


def bred(
    seed: int, generation: int, designs: list[Int8[np.ndarray, " 64"]], values: list[float]
) -> list[Int8[np.ndarray, " 64"]]:
    """Breed one generation from all designs before it.

    Args:
        seed: of the search.
        generation: its number, from 1.
        designs: all earlier ones, in order.
        values: theirs; of equal ones, the earlier design wins.
    """
    random = np.random.default_rng([seed, generation])
    known = {design.tobytes() for design in designs}
    children: list[Int8[np.ndarray, " 64"]] = []

    def parent() -> Int8[np.ndarray, " 64"]:
        entered = random.integers(len(designs), size=TOURNAMENT).tolist()
        return designs[max(entered, key=lambda row: (values[row], -row))]

    while len(children) < CHILDREN:
        one, other = parent().reshape(16, 4), parent().reshape(16, 4)
        crossed = random.random() < CROSSED
        from_other = (random.random(16) < 0.5) & crossed
        child = np.where(from_other[:, None], other, one).reshape(-1)
        mutated = random.random(SPACE.dim) < MUTATIONS / SPACE.dim
        child = np.where(mutated, SPACE.sample(1, random)[0], child).astype(np.int8)
        if child.tobytes() not in known:
            known.add(child.tobytes())
            children.append(child)
    return children


def settings(seed: int, kind: str) -> dict[str, Any]:
    """Say what the measurements depend on."""
    versions = {name: metadata.version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"made": kind, "seed": seed, "recipe": RECIPE.sha256, **versions}


class Lines:
    """A file of measurements that grows by a line at a time.

    Attributes:
        found: what is in it, by row.
    """

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self.found: dict[int, dict[str, Any]] = {}
        if not path.exists():
            write_file(path, (json.dumps(head) + "\n").encode())
        raw = path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        if whole != raw:
            log.info("%s: its last line is torn and is measured again", path)
            write_file(path, whole)
        self._made, *lines = (json.loads(line) for line in whole.splitlines())
        self._here = head
        if [self._made[name] for name in WHAT] != [head[name] for name in WHAT]:
            raise self._otherwise()
        for line in lines:
            self.found[line["row"]] = line

    def _otherwise(self) -> Conflict:
        return Conflict(
            f"{self.path} was made otherwise, with {self._made}, not {self._here}; move it away, "
            "or give another --out"
        )

    def add(self, row: int, design: Int8[np.ndarray, " 64"], trained: Outcome) -> None:
        """Write what came of a design."""
        line = {
            "row": row,
            "x": SPACE.decode(design[None])[0],
            "right": list(trained.right),
            "seconds": round(trained.seconds, 3),
        }
        self.found[row] = line
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def check(self, first: int, designs: list[Int8[np.ndarray, " 64"]]) -> None:
        """See that what is there from row `first` on are these designs, and may be gone on with."""
        if self._made != self._here and len(self.found) < first + len(designs):
            raise self._otherwise()
        for row, text in enumerate(SPACE.decode(np.array(designs)), first):
            if row in self.found and self.found[row]["x"] != text:
                raise Conflict(
                    f"{self.path}: row {row} is another design than is proposed now; was it "
                    "started with another NumPy or code? Move it away, or give another --out"
                )


class Clock:
    """Tells how far it is, and how long it will take, now and then."""

    def __init__(self, total: int, done: int) -> None:
        self.total, self.first = total, done
        self.start = time.monotonic()
        self.told = self.start - EVERY_S + 10.0

    def tell(self, done: int, what: Callable[[], str]) -> None:
        """Write a line, if it is time."""
        now = time.monotonic()
        if now - self.told < EVERY_S and done < self.total:
            return
        self.told = now
        pace = (now - self.start) / max(done - self.first, 1)
        log.info("%d of %d designs, %s; %.2f s each, %.0f min left",
                 done, self.total, what(), pace, pace * (self.total - done) / 60)  # fmt: skip


def measure(
    lines: Lines,
    first: int,
    designs: list[Int8[np.ndarray, " 64"]],
    clock: Clock,
    *,
    processes: int,
    seeds: tuple[int, ...] = RECIPE.seeds,
) -> None:
    """Measure those designs of a list that are not measured yet."""
    lines.check(first, designs)
    left = [row for row in range(first, first + len(designs)) if row not in lines.found]
    asked = [designs[row - first].tolist() for row in left]

    def best() -> str:
        return f"best {max(value(line) for line in lines.found.values()):.2f} %"

    for at, trained in train_all(asked, processes=processes, seeds=seeds):
        row = left[at]
        lines.add(row, designs[row - first], trained)
        clock.tell(len(lines.found), best)


def value(line: dict[str, Any]) -> float:
    """Objective value of a measured design, in %."""
    return float(accuracy(np.array(line["right"])))


def search(lines: Lines, seed: int, processes: int) -> None:
    """Measure all designs, generation by generation."""
    clock = Clock(ROWS, len(lines.found))
    designs = drawn(seed)
    measure(lines, 0, designs, clock, processes=processes)
    for generation in range(1, GENERATIONS + 1):
        values = [value(lines.found[row]) for row in range(len(designs))]
        log.info("generation %d: the best so far has %.2f %%", generation, max(values))
        children = bred(seed, generation, designs, values)
        measure(lines, len(designs), children, clock, processes=processes)
        designs += children


def noise(lines: Lines, again: Lines, seed: int, processes: int) -> None:
    """Measure the first designs with other seeds, and tell how well both groups agree."""
    from scipy.stats import spearmanr

    count = len(RECIPE.seeds)
    others = tuple(range(1000, 1000 + count))
    designs = drawn(seed)[:NOISE_ROWS]
    clock = Clock(2 * NOISE_ROWS, len(again.found))
    measure(lines, 0, designs, clock, processes=processes)
    measure(again, 0, designs, Clock(NOISE_ROWS, len(again.found)), processes=processes,
            seeds=others)  # fmt: skip
    right = [
        np.array([file.found[row]["right"] for row in range(NOISE_ROWS)]) for file in (lines, again)
    ]
    percent = 100.0 * np.concatenate(right, axis=1) / RECIPE.test
    print(f"{NOISE_ROWS} uniformly random architectures, seeds {RECIPE.seeds} and {others}")
    print(f"mean of a seed: {' '.join(f'{mean:.1f}' for mean in percent.mean(0))} %")
    print(f"spread over architectures (mean of {count} seeds): {accuracy(right[0]).std():.2f} %")
    for used in range(1, count + 1):
        found = [
            spearmanr(percent[:, one].mean(1), percent[:, other].mean(1)).statistic
            for one in combinations(range(2 * count), used)
            for other in combinations(sorted({*range(2 * count)} - {*one}), used)
            if one < other
        ]
        print(
            f"Spearman of two groups of {used}: {np.mean(found):.3f} "
            f"({min(found):.3f} to {max(found):.3f}, {len(found)} ways to choose them)"
        )
    own = spearmanr(accuracy(right[0]), accuracy(right[1])).statistic
    print(f"the seeds of the recipe against the others: {own:.3f}")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  scripts/measure_nas.py --processes 2",
    )
    parser.add_argument("--out", type=Path, default=Path("build/nas"), help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the designs (%(default)s)")
    parser.add_argument("--processes", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--noise", action="store_true", help="measure the noise of seeds instead")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")
    path = out / "measurements.jsonl"
    if not path.exists() and KEPT.exists():
        write_file(path, gzip.decompress(KEPT.read_bytes()))
    try:
        lines = Lines(path, settings(arguments.seed, "measurements"))
        if arguments.noise:
            again = Lines(out / "noise.jsonl", settings(arguments.seed, "noise"))
            noise(lines, again, arguments.seed, arguments.processes)
        else:
            search(lines, arguments.seed, arguments.processes)
    except Conflict as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "stopped; the same command goes on\n")


if __name__ == "__main__":
    main()
