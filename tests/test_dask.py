"""Runs and scores on Dask clusters: one of this process, and one of processes of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub.errors import MboHubError
from mbo_hub.methods import find
from mbo_hub.oracles.protocol import Answer
from mbo_hub.results import dask_engine
from mbo_hub.results.collection import read_runs
from mbo_hub.results.dask_engine import DaskEngine
from mbo_hub.results.engines import LocalEngine, engine
from mbo_hub.results.runs import plans, sweep
from mbo_hub.results.shared import shared_out

pytest.importorskip("distributed", reason="the extra 'results' is not installed")

# Scheduler and workers end with the process that holds their stdin.
SERVE = """
{before}
import os, sys, threading
def wait():
    os.read(0, 1)
    os._exit(1)
threading.Thread(target=wait, daemon=True).start()
from {module} import main
sys.argv[0] = "dask"
main()
"""


LACKING = "import sys; sys.modules['mbo_hub'] = None"  # as if it were not installed


def serve(module: str, *arguments: str, cwd: Path, before: str = "") -> subprocess.Popen[bytes]:
    with (cwd / f"{module}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", SERVE.format(module=module, before=before), *arguments],
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

    def add_worker(self, threads: int = 1, before: str = "") -> None:
        self.workers.append(
            serve(
                "distributed.cli.dask_worker", self.address, "--host", "127.0.0.1", "--nthreads",
                str(threads), "--no-nanny", "--dashboard-address", "127.0.0.1:0", "--local-directory", str(self.folder),
                cwd=self.folder, before=before,
            )
        )  # fmt: skip


@contextmanager
def started(folder: Path, *threads: int) -> Iterator[Cluster]:
    """A scheduler and workers with so many threads, each a process of its own."""
    (folder / "slowly.py").write_text(
        "import os, time\n"
        "def slow(offline, budget, seed):\n"
        "    with open('started', 'a') as file: file.write(f'{seed}\\n')\n"
        "    time.sleep(0.7)\n"
        "    return offline.x[seed : seed + budget]\n"
        "def sleeps(offline, budget, seed):\n"
        "    open('asleep', 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
        "def kills(offline, budget, seed):\n"
        "    os.kill(os.getppid(), 9)\n"
        "    time.sleep(600)\n"
    )
    told = folder / "scheduler.json"
    scheduler = serve(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0",
        "--scheduler-file", str(told), cwd=folder,
    )  # fmt: skip
    found = Cluster("", folder, scheduler, [])
    try:
        last = time.monotonic() + 60
        while not found.address:
            log = folder / "distributed.cli.dask_scheduler.log"
            assert time.monotonic() < last, log.read_text()
            time.sleep(0.1)
            if told.exists() and told.read_bytes():
                found.address = json.loads(told.read_bytes())["address"]
        for count in threads:
            found.add_worker(count)
        yield found
    finally:
        for process in (*found.workers, scheduler):
            end(process)  # a worker without a scheduler would take its time


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(20)
    process.stdin.close()  # type: ignore[union-attr]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler and two workers, to be broken."""
    with started(tmp_path, 1, 1) as found:
        yield found


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A scheduler and two workers for all tests that leave them as they are."""
    with started(tmp_path_factory.mktemp("standing"), 1, 1) as found:
        yield found


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def wait_for_workers(going: DaskEngine, count: int) -> None:
    going._client.wait_for_workers(count, timeout=60)


KILLS = pytest.mark.slow(
    "5 core-seconds each: a cluster is started to be broken; test_runs.py kills steps and programs"
)


def test_a_cluster_on_this_machine_gives_the_same_designs(tmp_path: Path) -> None:
    wanted = plans(["random", "best_logged"], ["tfbind8"], [1], budget=8)
    with engine("dask", 2) as going:
        assert going.slots == 2
        result = sweep(wanted, tmp_path / "runs", going)
    assert result.scored == 2
    task = mbo_hub.load("tfbind8")
    for run in read_runs(tmp_path / "runs"):
        alone = find(run.record.method)(task.offline, budget=8, seed=1)
        assert run.designs is not None
        np.testing.assert_array_equal(run.designs, alone.designs)
        np.testing.assert_array_equal(run.y, task.oracle(alone.designs))


@KILLS
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
            while not started.exists() or len(started.read_text().split()) < 2:
                time.sleep(0.05)
            cluster.workers[0].send_signal(signal.SIGKILL)

        killer = threading.Thread(target=kill_one)
        killer.start()
        wanted = plans(["slowly:slow"], ["tfbind8"], range(4), budget=8)
        told = []
        result = sweep(wanted, cluster.folder / "runs", going, tell=told.append)
        killer.join()
    assert cluster.workers[0].poll() == -signal.SIGKILL
    assert (result.scored, result.failed) == (4, 0)
    assert [t.done for t in told] == list(range(1, 5)), "none twice"
    x = mbo_hub.load("tfbind8").x
    for run in read_runs(cluster.folder / "runs"):
        seed = run.record.seed
        np.testing.assert_array_equal(run.designs, x[seed : seed + 8])
    assert len(started.read_text().split()) >= 4


@KILLS
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
    standing: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DaskEngine(standing.address) as going:
        wait_for_workers(going, 2)
    monkeypatch.setattr(dask_engine, "__version__", "9.9.9")
    with pytest.raises(MboHubError, match=r"worker tcp://\S+ has mbo-hub \S+, here is 9\.9\.9"):
        DaskEngine(standing.address)


def test_a_worker_that_lacks_mbo_hub_is_named_early_and_late(
    standing: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(standing.folder)
    wanted = plans(["random"], ["tfbind8"], range(8), budget=8)
    lacks = r"worker tcp://\S+ lacks mbo_hub\S*; install mbo-hub"
    with DaskEngine(standing.address) as going:
        wait_for_workers(going, 2)
        standing.add_worker(before=LACKING)
        try:
            wait_for_workers(going, 3)
            with pytest.raises(MboHubError, match=lacks):
                sweep(wanted, standing.folder / "runs", going)
            with pytest.raises(MboHubError, match=lacks):
                DaskEngine(standing.address)
        finally:
            end(standing.workers.pop())
        wait_for(lambda: going.slots == 2)


@KILLS
def test_work_waits_while_nobody_is_there_and_says_so(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(cluster.folder)
    monkeypatch.setattr(DaskEngine, "look_again", 0.2)
    with DaskEngine(cluster.address) as going:
        wait_for_workers(going, 2)
        caplog.clear()

        def change_workers() -> None:
            wait_for(lambda: (cluster.folder / "started").exists())
            for worker in cluster.workers:
                worker.kill()
            wait_for(lambda: "no workers" in caplog.text)
            cluster.add_worker()

        changes = threading.Thread(target=change_workers)
        changes.start()
        wanted = plans(["slowly:slow"], ["tfbind8"], [0], budget=8)
        result = sweep(wanted, cluster.folder / "runs", going)
        changes.join()
    assert result.scored == 1
    assert caplog.text.count("has no workers now; the work waits for them") == 1


@KILLS
def test_a_run_that_kills_its_workers_is_left_and_the_others_go_on(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dask gives a step up when four workers died of it, by itself with the scheduler's default."""
    monkeypatch.chdir(cluster.folder)
    for _ in range(3):
        cluster.add_worker()
    with DaskEngine(cluster.address) as going:
        wait_for_workers(going, 5)
        wanted = plans(["slowly:kills", "random"], ["tfbind8"], [0], budget=8)
        result = sweep(wanted, cluster.folder / "runs", going)
    assert (result.scored, result.failed) == (1, 0)
    assert list(result.lost) == ["tfbind8/kills/standard/seed-0"]
    assert "4 workers died while they had it" in next(iter(result.lost.values()))
    assert [run.record.method for run in read_runs(cluster.folder / "runs")] == ["random"]


@KILLS
@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("where", ["dask", "dask:elsewhere"])
@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGKILL])
def test_a_command_that_is_stopped_stops_what_it_had_going_on_workers(
    where: str, kill: signal.Signals, cluster: Cluster
) -> None:
    """Ctrl-C comes to all processes of the terminal, a kill to the command alone."""
    address = where.replace("elsewhere", cluster.address)
    command = [
        sys.executable, "-m", "mbo_hub", "run", "slowly:sleeps", "--task", "tfbind8", "--seeds", "0",
        "--out", "runs", "--engine", address, "--jobs", "1",
    ]  # fmt: skip
    program = subprocess.Popen(
        command, cwd=cluster.folder, stderr=subprocess.PIPE, text=True, start_new_session=True
    )  # fmt: skip
    asleep = cluster.folder / "asleep"
    wait_for(lambda: program.poll() is not None or (asleep.exists() and asleep.read_text()))
    (os.kill if kill == signal.SIGKILL else os.killpg)(program.pid, kill)
    _, said = program.communicate(timeout=20)
    assert program.returncode == (-9 if kill == signal.SIGKILL else 1), said
    assert "Traceback" not in said
    wait_for(lambda: not psutil.pid_exists(int(asleep.read_text())), 20)
    assert not list((cluster.folder / "runs").rglob("record.json"))


@pytest.mark.parametrize("name", ["tfbind8", "chembl"])
def test_scores_of_a_cluster_are_the_same_to_the_bit(name: str, standing: Cluster) -> None:
    task = mbo_hub.load(name)
    designs = task.space.sample(100, rng=0).astype(np.float64)
    designs[7] = np.nan
    with DaskEngine(standing.address) as going:
        there = shared_out(task, going, name).evaluate(designs, budget=100)
    here = task.evaluate(designs, budget=100)
    assert there.to_dict() == here.to_dict()


def test_threads_of_a_worker_do_not_disturb_each_other(tmp_path: Path) -> None:
    """A worker may have several threads, which share what it loaded."""
    task = mbo_hub.load("chembl")
    designs = task.space.sample(8, rng=0)
    with started(tmp_path, 4) as cluster, DaskEngine(cluster.address) as going:
        wait_for(lambda: going.slots == 4)
        there = shared_out(task, going, "chembl").oracle(designs)
    np.testing.assert_array_equal(there, task.oracle(designs))


def test_mbo_score_takes_an_engine(standing: Cluster, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from mbo_hub.cli import main

    (tmp_path / "designs.txt").write_text("GCTAATTA\nACGTACGT\n")
    command = ["score", "tfbind8", str(tmp_path / "designs.txt"), "--json"]
    here = CliRunner().invoke(main, command)
    there = CliRunner().invoke(main, [*command, "--engine", f"dask:{standing.address}"])
    assert there.exit_code == 0, there.output
    assert there.stdout == here.stdout
    assert os.environ["HF_ENDPOINT"]


def test_workers_find_a_task_that_was_named_by_a_relative_path(
    standing: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mbo_hub.archive.export import export

    elsewhere = standing.folder / "elsewhere"
    export(["tfbind8"], elsewhere)
    monkeypatch.chdir(elsewhere)
    with DaskEngine(standing.address) as going:
        result = sweep(plans(["random"], ["./tfbind8"], [0], budget=8), Path("runs"), going)
    assert result.scored == 1


def test_large_designs_are_sent_in_parts_that_dask_asks_for() -> None:
    task = mbo_hub.load("hopper")
    sizes: list[int] = []

    class Counts(LocalEngine):
        def submit(self, step: Any, *arguments: Any, first: bool = False) -> Any:
            sizes.append(arguments[-1].nbytes)
            return super().submit(lambda: Answer(np.zeros(len(arguments[-1]), np.float32)))

    with Counts(1) as going:
        shared_out(task, going, "hopper").oracle.answer(task.x)
    assert sum(sizes) == task.x.nbytes
    assert max(sizes) <= 5_000_000


SLURM = """
from distributed import LocalCluster

class SLURMCluster(LocalCluster):
    def __init__(self, *, queue, account, cores, processes, memory, walltime, job_script_prologue):
        assert cores == processes
        super().__init__(n_workers=0, threads_per_worker=1, processes=False, protocol="tcp://",
                         host="127.0.0.1", dashboard_address="127.0.0.1:0")

    def adapt(self, *, maximum_jobs):
        return super().adapt(minimum=0, maximum=2, interval="100ms")
"""


@pytest.mark.slow("ten core-seconds of processes; runs go over a standing cluster in the quick run")
def test_the_script_on_the_page_starts_a_cluster_that_grows_with_the_work(tmp_path: Path) -> None:
    """With a cluster of this machine in the place of SLURM's."""
    page = (ROOT / "docs/on-a-cluster.md").read_text("utf-8")
    (script,) = re.findall(r"<<'END'\n(.*?)END\n", page, re.DOTALL)
    (tmp_path / "cluster.py").write_text(script)
    (tmp_path / "dask_jobqueue.py").write_text(SLURM)
    with subprocess.Popen(
        [sys.executable, "cluster.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as cluster:
        try:
            assert cluster.stdout is not None
            address = cluster.stdout.readline().strip()
            said = subprocess.run(
                [sys.executable, "-m", "mbo_hub", "run", "random", "--task", "tfbind8", "--seeds",
                 "0-1", "--out", "runs", "--engine", f"dask:{address}"],
                cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False,
            )  # fmt: skip
        finally:
            cluster.terminate()
    assert said.returncode == 0, said.stderr
    assert said.stdout == "runs: 2 runs scored, 0 failed, 0 were there\n"
    assert said.stderr.startswith(f"{address} has no workers now; the work waits for them\n")
