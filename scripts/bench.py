#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Measure speed as ratios: ours against the alternative, in one run, alternating.

Times are medians. Absolute times belong to the machine and its load; the ratios are what to quote.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import mujoco
import numpy as np
import pyarrow.parquet as pq
from mujoco import rollout

import mbo_hub
from mbo_hub.making import build
from mbo_hub.making.build import ROOT
from mbo_hub.making.forests import forest_features, train_forest
from mbo_hub.oracles.digits import objective
from mbo_hub.oracles.mujoco import ant
from mbo_hub.oracles.mujoco.rollout import Network
from mbo_hub.oracles.onnx import Forest
from mbo_hub.oracles.threads import cores
from mbo_hub.tasks import TASKS

BARE = "import numpy, pyarrow.parquet"
COLD = "import mbo_hub; task = mbo_hub.load('tfbind8'); task.oracle(task.x[:128])"


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        what: is measured.
        ours: figure of this library.
        theirs: figure of the alternative; None where the target is absolute.
        unit: of both.
        ratio: of the two times, so that the target says which way is better.
        target: what the design asks of the ratio, or of `ours`.
        met: whether it does.
    """

    what: str
    ours: float
    theirs: float | None
    unit: str
    ratio: float | None
    target: str
    met: bool | None


def process(*command: str) -> tuple[float, float, float]:
    """Run a process; return its wall seconds, CPU seconds and peak memory in MB.

    Its first run leaves bytecode behind, as `pip install` does of every package: without, ours
    alone would be compiled anew each time.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT, env=environment)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{' '.join(command)} failed with exit code {child.returncode}")
    wall = time.perf_counter() - started
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def alternate(runs: int, *measures: Callable[[], float]) -> list[float]:
    """Measure in turn, A B A B …, after one warm-up each; return the medians."""
    seen: list[list[float]] = [[] for _ in measures]
    for measure in measures:
        measure()
    for _ in range(runs):
        for values, measure in zip(seen, measures, strict=True):
            values.append(measure())
    return [statistics.median(values) for values in seen]


def seconds(call: Callable[[], object], calls: int = 1) -> float:
    """Time a call, as the mean of several in a row."""
    started = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - started) / calls


def cold_start(runs: int) -> list[Row]:
    """Compare a cold process that loads and scores with one that imports numpy and pyarrow."""
    python = sys.executable
    pairs = [(process(python, "-c", COLD), process(python, "-c", BARE)) for _ in range(runs + 1)][
        1:
    ]
    wall = statistics.median(ours[0] / bare[0] for ours, bare in pairs)
    memory = statistics.median(ours[2] for ours, _ in pairs)
    return [
        Row(
            "cold process: import, load tfbind8, score 128",
            statistics.median(ours[0] for ours, _ in pairs),
            statistics.median(bare[0] for _, bare in pairs),
            "s wall (alternative: import numpy, pyarrow.parquet)",
            wall,
            "ratio at most 1.3",
            wall <= 1.3,
        ),
        Row("… its peak memory", memory, None, "MB", None, "under 250", memory < 250),
    ]


def command_line(runs: int) -> list[Row]:
    """Measure how much CPU the commands need that must start at once."""
    rows = []
    mbo = os.path.join(os.path.dirname(sys.executable), "mbo")  # noqa: PTH118, PTH120
    for verb in ("--help", "list"):
        cpu = statistics.median(process(mbo, verb)[1] for _ in range(runs))
        rows.append(Row(f"mbo {verb}", cpu, None, "s CPU", None, "under 0.3", cpu < 0.3))
    return rows


def table(runs: int) -> list[Row]:
    """Compare the table oracle with a dictionary of tuples, the way Design-Bench looks up."""
    task = mbo_hub.load("tfbind8")
    oracle = task.oracle
    hidden_x, hidden_y = task.hidden
    x, y = np.concatenate([task.x, hidden_x]), np.concatenate([task.y, hidden_y])
    known = {tuple(design): value for design, value in zip(x.tolist(), y.tolist(), strict=True)}
    designs = task.space.sample(10_000, rng=0)
    ours, theirs = alternate(
        runs * 5,
        lambda: seconds(lambda: oracle(designs)),
        lambda: seconds(lambda: np.array([known[tuple(d)] for d in designs.tolist()])),
    )
    rate = len(designs) / ours / 1e6
    return [
        Row(
            "table oracle, 10,000 designs",
            rate,
            len(designs) / theirs / 1e6,
            "M designs/s (alternative: dictionary of tuples)",
            theirs / ours,
            "at least 10 M/s",
            rate >= 10,
        )
    ]


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Count differing positions the plain way, one design after the other."""
    return np.array([np.count_nonzero(b != design, axis=1) for design in a], np.float64)


def evaluation(runs: int) -> list[Row]:
    """Time a report, and what most of it was spent on: distances to the visible designs."""
    task = mbo_hub.load("tfbind8")
    designs, scale = task.space.sample(128, rng=0), task.normalization.x.std
    report, every, nearest, plain = alternate(
        runs * 2,
        lambda: seconds(lambda: task.evaluate(designs)),
        lambda: seconds(lambda: task.space.distance(designs, task.x, scale)),
        lambda: seconds(lambda: task.space.nearest(designs, task.x, scale)),
        lambda: seconds(lambda: hamming(designs, task.x)),
    )
    against = "ms (alternative: counting in a loop over the designs)"
    rows = [Row("tfbind8: evaluate 128 designs", 1e3 * report, None, "ms", None, "under 20 ms",
                report < 0.020)]  # fmt: skip
    for what, ours, target in (("all distances", every, 5.0), ("nearest ones", nearest, 20.0)):
        rows.append(
            Row(
                f"… {what}, 128 × {len(task.x):,}",
                1e3 * ours,
                1e3 * plain,
                against,
                plain / ours,
                f"ratio at least {target:g}",
                plain / ours >= target,
            )
        )
    return rows


def loading(runs: int) -> list[Row]:
    """Compare loading the largest dataset, every byte hashed first, with pyarrow's plain reading.

    The reading includes all columns, the loading only x and y. On one thread, as `load` reads, and
    on all, as pyarrow does by default: what `load` does without, because Arrow's threads end some
    processes badly.
    """
    file = ROOT / "dataset_cards" / "hopper" / "data" / "train.parquet"
    ours, one, all_threads = alternate(
        runs * 2,
        lambda: seconds(lambda: mbo_hub.load("hopper")),
        lambda: seconds(lambda: pq.read_table(file, use_threads=False)),
        lambda: seconds(lambda: pq.read_table(file)),
    )
    return [
        Row(
            f"hopper: load, against pyarrow on {threads}",
            1e3 * ours,
            1e3 * theirs,
            f"ms (alternative: pyarrow.parquet.read_table, {how})",
            ours / theirs,
            "ratio at most 1.3",
            ours / theirs <= 1.3,
        )
        for threads, how, theirs in (
            ("one thread", "use_threads=False", one),
            (f"{cores()} threads", "its defaults", all_threads),
        )
    ]


def forest(runs: int) -> list[Row]:
    """Compare exported forests with scikit-learn's own predict."""
    rows = []
    for name, spec in TASKS.items():
        for oracle, kind in spec.oracles.items():
            if not isinstance(kind, Forest) or not (kind.own or name == "tfbind8"):
                continue
            if not build.has_data(spec):
                print(f"{name}: left out, its data are not here: mbo build {name}", file=sys.stderr)
                continue
            rows += forest_rows(name, oracle, kind, runs)
    return rows


def forest_rows(name: str, oracle_name: str, kind: Forest, runs: int) -> list[Row]:
    """Compare one exported forest with scikit-learn's own predict."""
    task = mbo_hub.load(name)
    oracle = task.oracles[oracle_name]
    hidden_x, hidden_y = task.hidden
    x, y = np.concatenate([task.x, hidden_x]), np.concatenate([task.y, hidden_y])
    trained, pairs = train_forest(TASKS[name], kind, x, y, np.zeros(len(x), bool))
    how = "counted by NumPy" if kind.atom_pairs else "given"
    rows = []
    for batch, target, calls in ((1, 50.0, 200), (128, 4.0, 20), (10_000, None, 1)):
        designs = x[np.random.default_rng(0).integers(len(x), size=batch)]
        given = forest_features(task.space, designs, pairs)

        def predict(designs: np.ndarray = designs, given: np.ndarray = given) -> object:
            if kind.atom_pairs:  # as much work as the graph does; else features are almost nothing
                given = forest_features(task.space, designs, pairs)
            return trained.predict(given)

        ours, theirs = alternate(
            runs * 3,
            lambda designs=designs, calls=calls: seconds(lambda: oracle(designs), calls),
            lambda predict=predict, calls=calls: seconds(predict, calls),
        )
        ratio = theirs / ours
        rows.append(
            Row(
                f"{name}: forest in ONNX, batch {batch:,}",
                batch / ours,
                batch / theirs,
                f"designs/s (alternative: scikit-learn predict, features {how})",
                ratio,
                "none" if target is None else f"ratio at least {target:g}",
                None if target is None else ratio >= target,
            )
        )
    return rows


def act(network: Network, observation: np.ndarray) -> np.ndarray:
    """Ask the controller for the action of one observation, the plain NumPy way."""
    standard = (observation - network.mean) * network.scale
    hidden = np.clip(standard, -network.limit, network.limit)
    *first, last = zip(network.weights, network.biases, strict=True)
    for weight, bias in first:
        hidden = np.tanh(hidden @ weight + bias)
    return hidden @ last[0] + last[1]


def walk_step_by_step(
    designs: np.ndarray, record: Callable[[object, np.ndarray, np.ndarray], object] | None = None
) -> np.ndarray:
    """Simulate ants the plain way: an environment for each episode, a Python loop over its steps.

    Like Design-Bench's oracle, it reads the robot's XML for each episode, steps the simulator once
    at a time, and computes observation and reward after each control step. MuJoCo's settings are
    its defaults: looking for constraint islands is on, which the oracle leaves out to save time.

    Args:
        designs: legal designs.
        record: called after each episode with what `mujoco.rollout` needs to repeat it: the model,
            with the oracle's own settings, the initial state and the motor commands of all
            simulator steps.

    Returns:
        The mean return of each design.
    """
    policy = ant.policy()
    returns = np.zeros((len(designs), len(ant.OFFSETS)))
    for row, design in enumerate(designs.astype(np.float64)):
        for episode, offset in enumerate(ant.OFFSETS):
            model = ant.Ant()(design)
            if record is None:
                model.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_ISLAND)
            data = mujoco.MjData(model)
            data.qpos += offset
            state = np.empty(mujoco.mj_stateSize(model, mujoco.mjtState.mjSTATE_FULLPHYSICS))
            mujoco.mj_getState(model, data, state, mujoco.mjtState.mjSTATE_FULLPHYSICS)
            applied = []
            for _ in range(ant.HORIZON):
                observed = [data.qpos[2:], data.qvel, ant.normalize(design)]
                action = act(policy, np.concatenate(observed))
                before = data.qpos[0]
                data.ctrl[:] = action
                if record:
                    applied += [action] * ant.SUBSTEPS
                for _ in range(ant.SUBSTEPS):
                    mujoco.mj_step(model, data)
                effort = np.square(np.clip(action, -1, 1)).sum()
                speed = (data.qpos[0] - before) / ant.STEP_S
                returns[row, episode] += speed + ant.ALIVE_BONUS - ant.CONTROL_COST * effort
            if record:
                record(model, state, np.array(applied))
    return returns.mean(axis=1)


def robots(runs: int) -> list[Row]:
    """Compare the Ant's oracle with a plain Python loop and with replaying known motor commands."""
    task = mbo_hub.load("ant")
    designs = task.x[:: len(task.x) // 32][:32]
    width = cores()
    episodes: list[tuple[object, np.ndarray, np.ndarray]] = []
    returns = walk_step_by_step(designs, lambda *episode: episodes.append(episode))
    models, states, controls = zip(*episodes, strict=True)
    same = np.allclose(returns, task.oracle(designs), rtol=1e-3)
    print(f"the plain loop {'agrees' if same else 'DISAGREES'} with the oracle", file=sys.stderr)
    replayed = {"initial_state": np.array(states), "control": np.array(controls)}
    data = [mujoco.MjData(models[0]) for _ in range(width)]
    mine, plain, replay = alternate(
        max(3, runs // 2),
        lambda: seconds(lambda: task.oracle(designs)),
        lambda: seconds(lambda: walk_step_by_step(designs)),
        lambda: seconds(lambda: rollout.rollout(list(models), data, **replayed)),
    )
    rate = len(designs) / mine
    return [
        Row(
            f"ant oracle, {width} threads, against a Python loop",
            rate,
            len(designs) / plain,
            "designs/s, four episodes each (alternative: mj_step in a loop, one thread)",
            plain / mine,
            "ratio at least 2.5",
            plain / mine >= 2.5,
        ),
        Row(
            f"ant oracle, {width} threads, against open loop",
            rate,
            len(designs) / replay,
            "designs/s (alternative: mujoco.rollout with the same commands, given)",
            replay / mine,
            "ratio at least 0.9",
            replay / mine >= 0.9,
        ),
        *[robot_rate(name) for name in ("dkitty", "hopper")],
    ]


def robot_rate(name: str) -> Row:
    """Measure a robot's oracle by itself."""
    task = mbo_hub.load(name)
    designs = task.x[:: len(task.x) // 64][:64]
    task.oracle(designs[:1])
    rate = len(designs) / seconds(lambda: task.oracle(designs))
    return Row(f"{name} oracle", rate, None, "designs/s", None, "none", None)


def nas(runs: int) -> list[Row]:
    """Measure how many networks are trained in a minute, and whether searching with them pays."""
    task = mbo_hub.load("nas")
    task.oracle(task.x[:1])  # golden designs are trained once in a process
    designs = task.x[:: len(task.x) // 8][:8]
    two, one = alternate(
        max(1, runs // 4),
        lambda: seconds(lambda: objective(designs, processes=2)),
        lambda: seconds(lambda: objective(designs, processes=1)),
    )
    found, trained = evolve(task)
    best = float(task.y.max())
    return [
        Row(
            "nas oracle, 2 processes, against 1",
            60 * len(designs) / two,
            60 * len(designs) / one,
            "designs/minute, three networks each, start of processes included",
            one / two,
            "none",
            None,
        ),
        Row(
            f"nas: best of {trained} designs that evolution tries on the exact oracle",
            found,
            best,
            "% test accuracy (alternative: the best visible design, where it starts)",
            found / best,
            "ratio above 1",
            found > best,
        ),
    ]


def evolve(task: mbo_hub.Task, generations: int = 4, children: int = 16) -> tuple[float, int]:
    """Search from the best eight visible designs with the exact oracle; give the best value."""
    random = np.random.default_rng(0)
    top = np.argsort(-task.y, kind="stable")[:8]
    x, y = task.x[top], task.y[top]
    tried = []
    for generation in range(1, generations + 1):
        one, other = (x[random.integers(len(x), size=children)] for _ in range(2))
        crossed = random.random(one.shape) < 0.5
        mutated = random.random(one.shape) < 2 / task.space.dim
        drawn = task.space.sample(children, rng=random)
        bred = np.where(mutated, drawn, np.where(crossed, other, one)).astype(x.dtype)
        tried.append(task.oracle(bred))
        print(f"generation {generation}: best of {children} {tried[-1].max():.2f} %, best visible "
              f"{task.y.max():.2f} %", file=sys.stderr)  # fmt: skip
        x, y = np.concatenate([x, bred]), np.concatenate([y, tried[-1]])
        kept = np.argsort(-y, kind="stable")[:8]
        x, y = x[kept], y[kept]
    values = np.concatenate(tried)
    return float(values.max()), len(values)


PARTS = {
    "cold": cold_start,
    "commands": command_line,
    "table": table,
    "evaluation": evaluation,
    "loading": loading,
    "forest": forest,
    "robots": robots,
    "nas": nas,
}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: scripts/bench.py --runs 5 --json"
    )
    parser.add_argument("--runs", type=int, default=9, help="repetitions (default: 9)")
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="default: all of them")
    arguments = parser.parse_args()
    parts = arguments.parts or list(PARTS)
    rows = [row for part in parts for row in PARTS[part](arguments.runs)]
    if arguments.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
        return
    print(f"{'':46}{'ours':>12}{'alternative':>12}{'ratio':>8}  target")
    for row in rows:
        theirs = "" if row.theirs is None else f"{row.theirs:,.3g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        verdict = {True: "met", False: "NOT MET", None: "–"}[row.met]
        print(f"{row.what:46}{row.ours:>12,.4g}{theirs:>12}{ratio:>8}  {row.target}: {verdict}")
        print(f"  {row.unit}")


if __name__ == "__main__":
    main()
