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
from contextlib import ExitStack
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
from mbo_hub.results.collection import read_runs
from mbo_hub.results.engines import LocalEngine, engine
from mbo_hub.results.runs import plans, sweep
from mbo_hub.results.shared import shared_out

distributed = pytest.importorskip("distributed", reason="the extra 'results' is not installed")

from mbo_hub.results import dask_engine  # noqa: E402
from mbo_hub.results.dask_engine import DaskEngine  # noqa: E402

# Scheduler and workers end with the process that holds their stdin.
SERVE = """
import os, sys, threading
def wait():
    os.read(0, 1)
    os._exit(1)
threading.Thread(target=wait, daemon=True).start()
{before}
from {module} import main
sys.argv[0] = "dask"
main()
"""


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

    def add_worker(self, before: str = "") -> None:
        self.workers.append(
            serve(
                "distributed.cli.dask_worker", self.address, "--host", "127.0.0.1", "--nthreads",
                "1", "--no-nanny", "--dashboard-address", "127.0.0.1:0", "--local-directory", str(self.folder),
                cwd=self.folder, before=before,
            )
        )  # fmt: skip


@pytest.fixture
def cluster(empty_cluster: Cluster) -> Cluster:
    """A scheduler and two workers, each a process of its own."""
    empty_cluster.add_worker()
    empty_cluster.add_worker()
    return empty_cluster


@pytest.fixture
def empty_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler without workers."""
    (tmp_path / "slowly.py").write_text(
        "import os, time\n"
        "def slow(offline, budget, seed):\n"
        "    with open('started', 'a') as file: file.write(f'{seed}\\n')\n"
        "    time.sleep(1.0)\n"
        "    return offline.x[seed : seed + budget]\n"
        "def long(offline, budget, seed):\n"
        "    with open('started', 'a') as file: file.write(f'{os.getpid()}\\n')\n"
        "    time.sleep(600)\n"
    )
    told = tmp_path / "scheduler.json"
    scheduler = serve(
        "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0",
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
        yield found
    finally:
        for process in (*found.workers, scheduler):
            if process.poll() is None:
                process.terminate()
            process.wait(20)
            process.stdin.close()  # type: ignore[union-attr]


def wait_for(condition: Callable[[], object], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def wait_for_some_worker(cluster: Cluster) -> None:
    with distributed.Client(cluster.address) as client:
        client.wait_for_workers(1, timeout=60)


def wait_for_workers(going: DaskEngine, count: int) -> None:
    going._client.wait_for_workers(count, timeout=60)


def test_a_cluster_on_this_machine_gives_the_same_designs(tmp_path: Path) -> None:
    wanted = plans(["random", "best_logged"], ["tfbind8"], [1], budget=8)
    with engine("dask", 2) as going:
        assert going.slots == 2
        result = sweep(wanted, tmp_path, going)
    assert result.scored == 2
    task = mbo_hub.load("tfbind8")
    for run in read_runs(tmp_path):
        here = find(run.record.method)(task.offline, budget=8, seed=1)
        np.testing.assert_array_equal(run.designs, here.designs)
        np.testing.assert_array_equal(run.y, task.oracle(here.designs))


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


def test_a_scheduler_that_is_gone_is_said_and_what_was_done_stays(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cluster.folder)
    wanted = plans(["slowly:slow"], ["tfbind8"], range(8), budget=8)
    with DaskEngine(cluster.address) as going:
        wait_for_workers(going, 2)
        with pytest.raises(MboHubError, match="engine was lost"):
            sweep(wanted, cluster.folder / "runs", going, tell=lambda _: cluster.scheduler.kill())
    assert 1 <= len(read_runs(cluster.folder / "runs")) < 8


def test_work_waits_for_workers_and_says_so_once(
    empty_cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Before the first one, and when all are gone; a worker that comes late gets what waits."""
    monkeypatch.chdir(empty_cluster.folder)
    monkeypatch.setattr(dask_engine, "LOOK_S", 0.2)
    monkeypatch.setattr(DaskEngine, "look_again", 0.2)

    def all_go(_: object) -> None:
        if len(empty_cluster.workers) == 1:
            empty_cluster.workers[0].kill()
            threading.Timer(2.0, empty_cluster.add_worker).start()

    with DaskEngine(empty_cluster.address) as going:
        assert (going.slots, going.room) == (1, 1 + dask_engine.AHEAD)
        threading.Timer(1.0, empty_cluster.add_worker).start()
        wanted = plans(["random"], ["tfbind8"], range(2), budget=8)
        result = sweep(wanted, empty_cluster.folder / "runs", going, tell=all_go)
    assert result.scored == 2
    said = [r.message for r in caplog.records if r.name.startswith("mbo_hub")]
    assert said == [f"{empty_cluster.address} has no workers now; the work waits for them"] * 2


@pytest.mark.parametrize("late", [False, True])
def test_a_worker_that_lacks_mbo_hub_is_named(late: bool, empty_cluster: Cluster) -> None:
    lacks = r"worker tcp://\S+ lacks mbo_hub\S*; install mbo-hub"
    with ExitStack() as stack:
        if not late:
            empty_cluster.add_worker("sys.modules['mbo_hub'] = None")
            wait_for_some_worker(empty_cluster)
            stack.enter_context(pytest.raises(MboHubError, match=lacks))
        with DaskEngine(empty_cluster.address) as going:
            empty_cluster.add_worker("sys.modules['mbo_hub'] = None")
            with pytest.raises(MboHubError, match=lacks):
                going.result(going.submit(max, 1, 2))


def test_a_step_that_kills_its_workers_is_still_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dask

    (tmp_path / "worse.py").write_text(
        "import os, signal, time\n"
        "def kills(offline, budget, seed):\n"
        "    os.kill(os.getppid(), signal.SIGKILL)\n"
        "    time.sleep(60)\n"
    )
    monkeypatch.chdir(tmp_path)
    wanted = plans(["worse:kills", "random"], ["tfbind8"], [0], budget=8)
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        engine("dask", 1) as going,
    ):
        result = sweep(wanted, tmp_path / "runs", going)
    assert list(result.lost) == ["tfbind8/kills/standard/seed-0"]
    assert "1 workers died while they had it" in result.lost["tfbind8/kills/standard/seed-0"]
    assert [run.record.method for run in read_runs("runs")] == ["random"]


@pytest.mark.parametrize(
    ("where", "kill"),
    [("here", signal.SIGINT), ("there", signal.SIGINT), ("there", signal.SIGKILL)],
)
def test_steps_end_with_the_program_that_wants_them(
    where: str, kill: signal.Signals, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on workers that stay, which would be busy for hours otherwise."""
    name = "dask" if where == "here" else f"dask:{cluster.address}"
    program = subprocess.Popen(
        [sys.executable, "-m", "mbo_hub", "run", "slowly:long", "--task", "tfbind8", "--seeds", "0-3",
         "--out", "runs", "--jobs", "2", "--engine", name],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cluster.folder,
        start_new_session=True,
    )  # fmt: skip
    started = cluster.folder / "started"
    wait_for(lambda: started.exists() and len(started.read_text().split()) == 2)
    steps = [int(pid) for pid in started.read_text().split()]
    os.killpg(program.pid, kill)
    said, _ = program.communicate(timeout=30)
    wait_for(lambda: not any(map(psutil.pid_exists, steps)), 15)
    if kill == signal.SIGINT:
        assert (program.returncode, said.strip()) == (1, "Aborted!")
    assert [worker.poll() for worker in cluster.workers] == [None, None]
    assert not list(cluster.folder.rglob("record.json"))


def test_workers_find_a_task_that_was_named_by_a_relative_path(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mbo_hub.archive.export import export

    elsewhere = cluster.folder / "elsewhere"
    export(["tfbind8"], elsewhere)
    monkeypatch.chdir(elsewhere)
    with DaskEngine(cluster.address) as going:
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


def test_an_address_where_nobody_answers_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_engine, "PATIENCE_S", 0.5)
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
        with pytest.raises(MboHubError, match=r"it has mbo-hub \S+, here is 9\.9\.9"):
            going.result(going.submit(max, 1, 2))  # as on a worker that comes later
    with pytest.raises(MboHubError, match=r"worker tcp://\S+: it has mbo-hub \S+, here is 9\.9\.9"):
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
