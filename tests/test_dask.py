"""Runs and scores on Dask clusters: one of this process, and one of processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import mbo_hub
from mbo_hub.errors import MboHubError
from mbo_hub.results import dask_engine
from mbo_hub.results.collection import read_runs
from mbo_hub.results.dask_engine import DaskEngine
from mbo_hub.results.engines import engine
from mbo_hub.results.runs import plans, sweep
from mbo_hub.results.shared import shared_out

pytest.importorskip("distributed", reason="the extra 'results' is not installed")

# Scheduler and workers end with the process that holds their stdin.
SERVE = """
import os, sys, threading
def wait():
    os.read(0, 1)
    os._exit(1)
threading.Thread(target=wait, daemon=True).start()
from {module} import main
sys.argv[0] = "dask"
main()
"""


def serve(module: str, *arguments: str, cwd: Path) -> subprocess.Popen[bytes]:
    with (cwd / f"{module}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", SERVE.format(module=module), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            cwd=cwd,
        )


@dataclass
class Cluster:
    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]]

    def add_worker(self) -> None:
        self.workers.append(
            serve(
                "distributed.cli.dask_worker", self.address, "--host", "127.0.0.1", "--nthreads",
                "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.folder),
                cwd=self.folder,
            )
        )  # fmt: skip


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and two workers, each a process of its own."""
    (tmp_path / "slowly.py").write_text(
        "import os, time\n"
        "def slow(offline, budget, seed):\n"
        "    with open('started', 'a') as file: file.write(f'{seed}\\n')\n"
        "    time.sleep(0.7)\n"
        "    return offline.x[seed : seed + budget]\n"
    )
    told = tmp_path / "scheduler.json"
    scheduler = serve(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard",
        "--scheduler-file", str(told), cwd=tmp_path,
    )  # fmt: skip
    found = Cluster("", tmp_path, scheduler, [])
    try:
        end = time.monotonic() + 60
        while not found.address:
            assert time.monotonic() < end, (
                tmp_path / "distributed.cli.dask_scheduler.log"
            ).read_text()
            time.sleep(0.1)
            if told.exists() and told.read_bytes():
                found.address = json.loads(told.read_bytes())["address"]
        found.add_worker()
        found.add_worker()
        yield found
    finally:
        for process in (*found.workers, scheduler):
            if process.poll() is None:
                process.terminate()
            process.wait(20)
            process.stdin.close()  # type: ignore[union-attr]


def wait_for_workers(going: DaskEngine, count: int) -> None:
    going._client.wait_for_workers(count, timeout=60)


def test_a_cluster_on_this_machine_gives_the_same_designs(tmp_path: Path) -> None:
    wanted = plans(["random", "best_logged"], ["tfbind8"], range(2), budget=8)
    with engine("dask", 2) as going:
        assert going.slots == 2
        result = sweep(wanted, tmp_path / "dask", going)
    assert result.scored == 4
    with engine("local", 2) as here:
        sweep(wanted, tmp_path / "local", here)
    for one, other in zip(read_runs(tmp_path / "dask"), read_runs(tmp_path / "local"), strict=True):
        assert one.record.designs_sha256 == other.record.designs_sha256
        np.testing.assert_array_equal(one.y, other.y)


def test_a_worker_that_is_killed_loses_nothing(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its steps are done again elsewhere: each run is recorded once, with the designs it has."""
    monkeypatch.chdir(cluster.folder)
    started = cluster.folder / "started"
    with engine(f"dask:{cluster.address}") as going:
        assert isinstance(going, DaskEngine)
        wait_for_workers(going, 2)

        def kill_one() -> None:
            while not started.exists() or len(started.read_text().split()) < 3:
                time.sleep(0.05)
            cluster.workers[0].send_signal(signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        wanted = plans(["slowly:slow"], ["tfbind8"], range(6), budget=8)
        told = []
        result = sweep(wanted, cluster.folder / "runs", going, tell=told.append)
        killer.join()
    assert cluster.workers[0].poll() == -signal.SIGKILL
    assert (result.scored, result.failed) == (6, 0)
    assert [t.done for t in told] == list(range(1, 7)), "none twice"
    x = mbo_hub.load("tfbind8").x
    for run in read_runs(cluster.folder / "runs"):
        seed = run.record.seed
        np.testing.assert_array_equal(run.designs, x[seed : seed + 8])
    assert len(started.read_text().split()) >= 6


def test_a_scheduler_that_is_gone_is_said_and_what_was_done_stays(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cluster.folder)
    monkeypatch.setattr(dask_engine, "PATIENCE_S", 1)
    wanted = plans(["slowly:slow"], ["tfbind8"], range(8), budget=8)
    with DaskEngine(cluster.address) as going:
        wait_for_workers(going, 2)
        with pytest.raises(MboHubError, match="engine was lost"):
            sweep(wanted, cluster.folder / "runs", going, tell=lambda _: cluster.scheduler.kill())
    assert 1 <= len(read_runs(cluster.folder / "runs")) < 8


def test_an_address_where_nobody_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "PATIENCE_S", 1)
    with pytest.raises(MboHubError, match=r"127\.0\.0\.1:9: no Dask scheduler answers there"):
        DaskEngine("tcp://127.0.0.1:9")
    with pytest.raises(MboHubError, match="no Dask scheduler answers"):
        DaskEngine("nonsense://x")


def test_a_worker_with_another_version_is_named(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DaskEngine(cluster.address) as going:
        wait_for_workers(going, 2)
    monkeypatch.setattr(dask_engine, "__version__", "9.9.9")
    with pytest.raises(MboHubError, match=r"worker tcp://\S+ has mbo-hub \S+, here is 9\.9\.9"):
        DaskEngine(cluster.address)


@pytest.mark.parametrize("name", ["tfbind8", "chembl"])
def test_scores_of_a_cluster_are_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    task = mbo_hub.load(name)
    designs = task.space.sample(100, rng=0).astype(np.float64)
    designs[7] = np.nan
    with engine("dask", 2) as going:
        there = shared_out(task, going, name).evaluate(designs, budget=100)
    here = task.evaluate(designs, budget=100)
    assert there.to_dict() == here.to_dict()


def test_mbo_score_takes_an_engine(cluster: Cluster, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from mbo_hub.cli import main

    (tmp_path / "designs.txt").write_text("GCTAATTA\nACGTACGT\n")
    command = ["score", "tfbind8", str(tmp_path / "designs.txt"), "--json"]
    here = CliRunner().invoke(main, command)
    there = CliRunner().invoke(main, [*command, "--engine", f"dask:{cluster.address}"])
    assert there.exit_code == 0, there.output
    assert there.stdout == here.stdout
    assert os.environ["HF_ENDPOINT"]
