#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Make the datasets of the three robot tasks: designs of a robot and what each of them earned.

ant, dkitty    25,009 designs: the default one, then those that restarts of CMA-ES (Hansen 2016,
               arXiv:1604.00772, by pycma) tried, 16 in each iteration. A restart begins at the
               default plus Gaussian noise, with a step size of 0.02, both in coordinates in which
               the bounds are −1 and 1. It lasts 1 to 250 iterations, log-uniformly drawn, so
               that early and late phases of a search are there, from some tens of starts; the
               original data hold six searches of 250 iterations and a part of a seventh. What
               CMA-ES proposes outside the bounds is projected onto them, and that projected
               design, as float32, is what is scored and what is stored; constant coordinates take
               no part. CMA-ES is told the proposals and the values of their projections.
hopper         the checkpoints that scripts/train_hopper_policies.py left, all of its runs, float16.

Each restart draws from its own random numbers and each design is scored by itself, so that the data
depend on the seed alone, not on --lanes, --threads or interruptions. Stop it with Ctrl-C or
SIGTERM; the same command goes on from what is there.

It writes to the folder of `--out`:
  restart_012.npz     proposals so far of a restart of CMA-ES: x (n, d) float32, y (n,) float64
  labels.npz          values so far of checkpoints: y (n,) float64
  data.npz            the complete dataset: x float32 (hopper: float16), y float32, and settings
"""

from __future__ import annotations

import argparse
import json
import logging
import math
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import cma  # type: ignore[import-untyped]
import numpy as np

from mbo_hub.arrays import Float32, Float64

log = logging.getLogger("generate_robot_data")

ROWS = 25_009  # Design-Bench's AntMorphology and DKittyMorphology: the default + 1563 · POPULATION
POPULATION = 16  # designs in an iteration; pycma's default in 60 dimensions, as in Design-Bench
STEP = 0.02  # first step size in normalized coordinates; Design-Bench
LONGEST = 250  # iterations of a restart; Design-Bench
# Standard deviation of a start around the default, in normalized coordinates. Ant: Design-Bench's.
# D'Kitty: Design-Bench's is 0.1, at which 70 % of designs fall with this controller; at 0.04 16 %
# do, and 70 % earn more than 0.
START = {"ant": 0.075, "dkitty": 0.04}
HOPPER_RUNS = 32
BATCH = 64  # checkpoints scored between two looks at the clock


class Conflict(Exception):
    """What is there was not made in this way."""


@dataclass(frozen=True)
class Settings:
    """What the data depend on besides the code.

    Attributes:
        task: which robot.
        seed: of the starts and of CMA-ES.
        rows: designs in all.
        start: standard deviation of the starts.
        objective: sha256 of the simulator and the policy.
        mujoco: version of the simulator.
        cma: version of pycma.
    """

    task: str
    seed: int
    rows: int
    start: float
    objective: str
    mujoco: str
    cma: str


def save(path: Path, **arrays: Any) -> None:
    """Write arrays to a file, whole or not at all."""
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, allow_pickle=False, **arrays)
    partial.replace(path)


def lengths(settings: Settings) -> list[int]:
    """How many iterations each restart lasts; the last one is cut to make up the rows."""
    random = np.random.default_rng([settings.seed, 0])
    left = (settings.rows - 1) // POPULATION
    planned = []
    while left:
        drawn = math.exp(random.uniform(0.0, math.log(LONGEST + 1)))
        planned.append(min(int(drawn), left))
        left -= planned[-1]
    return planned


@dataclass
class Restart:
    """One search by CMA-ES.

    Attributes:
        robot: the robot's module.
        settings: of the data.
        number: of the restart, from 0.
        length: iterations to do.
        path: of its file.
        x: designs scored so far.
        y: their values.
    """

    robot: Any
    settings: Settings
    number: int
    length: int
    path: Path
    x: list[Float32[np.ndarray, "16 d"]] = field(default_factory=list)
    y: list[Float64[np.ndarray, " 16"]] = field(default_factory=list)

    def __post_init__(self) -> None:
        robot = self.robot
        self._random = np.random.default_rng([self.settings.seed, 1, self.number])
        self._center = robot.normalize(robot.DEFAULT)
        self._free = robot.LOW < robot.HIGH
        noise = self.settings.start * self._random.standard_normal(len(self._center))
        begin = np.clip(self._center + noise, -1.0, 1.0)[self._free]
        options = {
            "popsize": POPULATION,
            "seed": np.nan,  # leaves NumPy's global generator alone
            "randn": lambda *shape: self._random.standard_normal(shape),
            "verbose": -9,
            "verb_log": 0,
        }
        self._search = cma.CMAEvolutionStrategy(begin, STEP, options)
        self._proposals: Any = None
        if self.path.exists():
            self._replay()

    def _replay(self) -> None:
        """Bring CMA-ES to where it was, from the values that were found until then."""
        with np.load(self.path, allow_pickle=False) as file:
            if str(file["settings"]) != json.dumps(asdict(self.settings)):
                raise Conflict(
                    f"{self.path} was made otherwise; move it away, or give another --out"
                )
            x, y = file["x"], file["y"]
        for at in range(0, len(y), POPULATION):
            asked = self.ask()
            if not np.array_equal(asked, x[at : at + POPULATION]):
                raise Conflict(
                    f"{self.path}: CMA-ES no longer proposes what it did; it was started on "
                    "another machine, or with another NumPy or pycma. Move the folder away"
                )
            self.tell(y[at : at + POPULATION])

    @property
    def done(self) -> bool:
        """Whether all iterations are done."""
        return len(self.x) >= self.length

    def ask(self) -> Float32[np.ndarray, "16 d"]:
        """Propose designs: legal ones, in raw units."""
        self._proposals = self._search.ask()
        normalized = np.tile(self._center, (POPULATION, 1))
        normalized[:, self._free] = self._proposals
        robot = self.robot
        raw = robot.LOW + (normalized + 1.0) / 2.0 * (robot.HIGH - robot.LOW)
        self._asked = np.asarray(robot.SPACE.project(raw))
        return self._asked

    def tell(self, y: Float64[np.ndarray, " 16"]) -> None:
        """Take the values of what was proposed.

        A simulation that diverged has no value, NaN; CMA-ES takes it for the worst.
        """
        self._search.tell(self._proposals, np.where(np.isnan(y), np.inf, -y).tolist())
        self.x.append(self._asked)
        self.y.append(y)

    def save(self) -> None:
        """Write what was found so far, if anything was."""
        if not self.x:
            return
        save(
            self.path,
            x=np.concatenate(self.x),
            y=np.concatenate(self.y),
            settings=json.dumps(asdict(self.settings)),
        )


class Stop:
    """Remembers that SIGTERM or SIGINT asked to stop."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGTERM, self._ask)
        signal.signal(signal.SIGINT, self._ask)

    def _ask(self, signum: int, _: object) -> None:
        self.asked = True
        log.info("%s: finishing this batch", signal.Signals(signum).name)


class Clock:
    """Tells how far it is, and how long it will take, at most once in `every` seconds."""

    def __init__(self, done: int, rows: int, every: float) -> None:
        self.start, self.first, self.rows, self.every = time.monotonic(), done, rows, every
        self.told = self.start

    def due(self) -> bool:
        """Whether it is time to save and tell."""
        return time.monotonic() - self.told >= self.every

    def tell(self, done: int, best: float, *, end: bool = False) -> None:
        """Write a line."""
        self.told = time.monotonic()
        speed = (done - self.first) / max(self.told - self.start, 1e-9)
        left = "" if end or not speed else f", {(self.rows - done) / speed / 60:.0f} min left"
        log.info(
            "%d of %d designs, best %.1f; %.1f designs/s%s", done, self.rows, best, speed, left
        )


def generate(
    robot: Any, settings: Settings, out: Path, *, lanes: int, threads: int, every: float
) -> bool:
    """Search, some restarts side by side, until all are done or a signal asks to stop.

    Returns:
        Whether the dataset is complete.
    """
    stop = Stop()
    planned = lengths(settings)
    waiting: Iterator[tuple[int, int]] = iter(enumerate(planned))
    running: list[Restart] = []
    finished: dict[int, Restart] = {}
    best = -np.inf
    clock: Clock | None = None
    log.info("%d restarts of %s iterations", len(planned), " ".join(map(str, planned)))
    while True:
        while len(running) < lanes and (following := next(waiting, None)) is not None:
            number, length = following
            path = out / f"restart_{number:03d}.npz"
            running.append(Restart(robot, settings, number, length, path))
            best = max([best, *(float(np.nanmax(y)) for y in running[-1].y)])
            if running[-1].done:
                finished[number] = running.pop()
        clock = clock or Clock(count(running, finished), settings.rows, every)
        if not running or stop.asked:
            break
        asked = np.concatenate([restart.ask() for restart in running])
        scored = robot.objective(asked, threads=threads)
        best = max(best, float(np.nanmax(scored)))
        for restart, y in zip(running, scored.reshape(len(running), POPULATION), strict=True):
            restart.tell(y)
        for restart in [r for r in running if r.done]:
            restart.save()
            finished[restart.number] = restart
        running = [r for r in running if not r.done]
        if clock.due():
            for restart in running:
                restart.save()
            clock.tell(count(running, finished), best)
    for restart in running:
        restart.save()
    clock.tell(count(running, finished), best, end=True)
    if running:
        return False
    default = robot.DEFAULT.astype(np.float32)[None]
    restarts = [finished[number] for number in range(len(planned))]
    while sum(np.isfinite(y).sum() for r in restarts for y in r.y) + 1 < settings.rows:
        number = len(restarts)  # replaces what diverged
        more = Restart(robot, settings, number, 1, out / f"restart_{number:03d}.npz")
        if not more.done:
            more.tell(robot.objective(more.ask(), threads=threads))
            more.save()
        restarts.append(more)
    x = np.concatenate([default, *(x for restart in restarts for x in restart.x)])
    y = np.concatenate([robot.objective(default), *(y for restart in restarts for y in restart.y)])
    origin = np.repeat(
        [-1, *(r.number for r in restarts)], [1, *(len(r.x) * POPULATION for r in restarts)]
    )
    known = np.flatnonzero(~np.isnan(y))[: settings.rows]
    write(out, settings, x[known], y[known], restart=origin[known].astype(np.int16))
    return True


def count(running: list[Restart], finished: dict[int, Restart]) -> int:
    """Designs scored so far."""
    return sum(len(r.y) for r in [*running, *finished.values()]) * POPULATION


def label(robot: Any, settings: Settings, out: Path, *, threads: int, every: float) -> bool:
    """Score the checkpoints of the Hopper runs.

    Returns:
        Whether the dataset is complete.

    Raises:
        FileNotFoundError: a run is missing.
    """
    stop = Stop()
    runs = [np.load(out / f"run_{number:02d}.npz") for number in range(HOPPER_RUNS)]
    x = np.concatenate([run["checkpoints"] for run in runs])
    y = np.empty(0)
    if (out / "labels.npz").exists():
        with np.load(out / "labels.npz", allow_pickle=False) as file:
            if str(file["settings"]) != json.dumps(asdict(settings)):
                raise Conflict(f"{file} was made otherwise; move it away")
            y = file["y"]
    clock = Clock(len(y), len(x), every)
    while len(y) < len(x) and not stop.asked:
        y = np.append(y, robot.objective(x[len(y) : len(y) + BATCH], threads=threads))
        if clock.due():
            save(out / "labels.npz", y=y, settings=json.dumps(asdict(settings)))
            clock.tell(len(y), float(np.nanmax(y)))
    save(out / "labels.npz", y=y, settings=json.dumps(asdict(settings)))
    clock.tell(len(y), float(np.nanmax(y)), end=True)
    if len(y) < len(x):
        return False
    steps = np.concatenate([run["steps"] for run in runs])
    origin = np.repeat(np.arange(HOPPER_RUNS, dtype=np.int16), [len(run["steps"]) for run in runs])
    write(out, settings, x, y, run=origin, steps=steps)
    return True


def write(
    out: Path, settings: Settings, x: np.ndarray, y: np.ndarray, **columns: np.ndarray
) -> None:
    """Write the complete dataset and say what is in it."""
    save(
        out / "data.npz",
        x=x,
        y=y.astype(np.float32),
        **columns,
        settings=json.dumps(asdict(settings)),
    )
    quantiles = np.quantile(y, [0.0, 0.05, 0.4, 0.5, 0.95, 1.0])
    log.info(
        "%s: %d × %d, %d distinct; y at 0, 5, 40, 50, 95, 100 %%: %s",
        out / "data.npz",
        *x.shape,
        len(np.unique(x, axis=0)),
        " ".join(f"{value:.1f}" for value in quantiles),
    )


def main() -> None:
    """Read the command line and make the data of one task."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  OMP_NUM_THREADS=1 scripts/generate_robot_data.py dkitty",
    )
    parser.add_argument("task", choices=["ant", "dkitty", "hopper"])
    parser.add_argument("--out", type=Path, help="folder for the results (build/TASK)")
    parser.add_argument("--seed", type=int, default=0, help="of starts and CMA-ES (%(default)s)")
    parser.add_argument("--rows", type=int, default=ROWS, help="1 + a multiple of 16 (%(default)s)")
    parser.add_argument("--lanes", type=int, default=8, help="restarts side by side (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads (%(default)s)")
    parser.add_argument(
        "--every", type=float, default=30.0, help="seconds between saves and lines (%(default)s)"
    )
    arguments = parser.parse_args()
    if (arguments.rows - 1) % POPULATION:
        parser.error(f"--rows is 1 + a multiple of {POPULATION}")
    task: str = arguments.task
    out: Path = arguments.out or Path("build") / task
    out.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s")

    robot = import_module(f"mbo_hub.oracles.mujoco.{task}")
    settings = Settings(
        task=task,
        seed=arguments.seed,
        rows=arguments.rows,
        start=START.get(task, 0.0),
        objective=robot.ROBOT.sha256,
        mujoco=import_module("mujoco").__version__,
        cma=metadata.version("cma"),
    )
    speed = {"threads": arguments.threads, "every": arguments.every}
    try:
        if task == "hopper":
            complete = label(robot, settings, out, **speed)
        else:
            complete = generate(robot, settings, out, lanes=arguments.lanes, **speed)
    except (Conflict, FileNotFoundError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    log.info("done" if complete else "stopped; the same command goes on")


if __name__ == "__main__":
    main()
