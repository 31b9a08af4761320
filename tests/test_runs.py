"""Sweeps: every run once, whatever happens in between; designs before scores; failures kept."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import msgspec
import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from made_runs import in_this_process

import mbo_hub
from mbo_hub import errors
from mbo_hub.cli import main
from mbo_hub.cli.options import numbers
from mbo_hub.dataset import parquet
from mbo_hub.errors import InvalidFile, MboHubError, UnknownMethod, UnknownTask
from mbo_hub.methods import find
from mbo_hub.oracles.protocol import Answer
from mbo_hub.results import child, runs, work
from mbo_hub.results.collection import read_runs
from mbo_hub.results.engines import LocalEngine
from mbo_hub.results.record import (
    DESIGNS,
    RECORD,
    Plan,
    Record,
    Run,
    folder_of,
    read_run,
    write_run,
)
from mbo_hub.results.runs import Told, plans, sweep
from mbo_hub.task import Oracles

MINE = '''
"""Methods of somebody's own, as they go wrong."""
import os, signal, time
from pathlib import Path
from mbo_hub.errors import MethodFailed

def good(offline, budget, seed):
    return offline.x[seed : seed + budget]

def diverges(offline, budget, seed):
    if Path("mended").exists():
        return offline.x[:budget]
    raise MethodFailed("the model diverged")

def has_a_bug(offline, budget, seed):
    return offline.nothing

def dies(offline, budget, seed):
    os.kill(os.getpid(), signal.SIGKILL)

def raves(offline, budget, seed):
    raise MethodFailed("\\x1b[31mred\\r\\0 " + 9999 * "more ")

def is_ended(offline, budget, seed):
    if not Path("mended").exists():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    return offline.x[:budget]

def aux(offline, budget, seed):
    return offline.x[:budget]

Good = good

def tells_threads(offline, budget, seed):
    from mbo_hub.oracles.threads import cores
    Path("threads").write_text(str(cores()))
    return offline.x[:budget]

def illegal(offline, budget, seed):
    return offline.x[:budget] + 9

def counts(offline, budget, seed):
    with open("count", "a") as file:
        file.write(f"{os.getpid()} {seed}\\n")
    time.sleep(0.5)
    return offline.x[:budget]

def sleeps(offline, budget, seed):
    Path(f"asleep-{seed}").write_text(str(os.getpid()))
    time.sleep(600)
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with somebody's methods, which we are in."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def inside(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same folder, where this process does the steps: for tests of what surrounds them."""
    monkeypatch.setattr(child, "run", in_this_process)
    return here


def go(*methods: str, seeds: int = 1, tasks: tuple[str, ...] = ("tfbind8",), **options: Any) -> Any:
    told: list[Told] = []
    with LocalEngine(2) as engine:
        wanted = plans(methods, tasks, range(seeds), budget=8)
        return sweep(wanted, Path("runs"), engine, tell=told.append, **options), told


def mbo(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mbo_hub", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def ended(program: subprocess.Popen[str], seconds: float = 90.0) -> tuple[str, str]:
    """What a program has said by its end, which has to come; its method would sleep for longer."""
    try:
        return program.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(program.pid, signal.SIGKILL)
        program.communicate()
        raise


def wait_for(condition: Any, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


# ------------------------------------------------------------------------------------- what is kept


def test_a_sweep_keeps_a_record_and_the_designs_of_each_run(here: Path) -> None:
    result, told = go("random", "best_logged")
    assert (result.scored, result.failed, result.there) == (2, 0, 0)
    assert [t.done for t in told] == [1, 2]
    assert {t.of for t in told} == {2}
    assert told[-1].left == 0
    found = read_runs(here / "runs")
    assert [r.record.method for r in found] == ["best_logged", "random"]
    task = mbo_hub.load("tfbind8")
    for run in found:
        alone = find(run.record.method)(task.offline, budget=8, seed=run.record.seed)
        assert run.designs is not None
        np.testing.assert_array_equal(run.designs, alone.designs)
        assert run.record.report is not None
        assert task.verify(run.record.report, run.designs).ok
        np.testing.assert_allclose(run.score, task.score(run.y))
        assert run.record.ranked


def test_what_is_there_is_not_done_again(inside: Path) -> None:
    go("mine:counts", seeds=2)
    before = (inside / "count").read_text()
    again, told = go("mine:counts", seeds=3)
    assert (again.scored, again.there) == (1, 2)
    assert [(r.record.method, r.record.seed) for r in read_runs("runs")] == [
        ("counts", 0), ("counts", 1), ("counts", 2),
    ]  # fmt: skip
    assert len((inside / "count").read_text().splitlines()) == 3
    assert (inside / "count").read_text().startswith(before)
    assert told[-1].done == told[-1].of == 3


def test_designs_are_on_disk_before_an_oracle_is_opened(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen at the moment when the second step starts."""
    seen: list[tuple[str, bool, bool]] = []

    def isolated(plan: Plan, outcome: work.Outcome | None = None) -> work.Outcome:
        folder = Path("runs/tfbind8/random/standard/seed-0")
        if outcome is None:
            assert not folder.exists()
            return work.propose(plan)
        record = json.loads((folder / RECORD).read_bytes())
        seen.append((record["status"], "report" in record, (folder / DESIGNS).exists()))
        assert outcome.designs is not None
        return work.score(plan, outcome.record, outcome.designs)

    monkeypatch.setattr(runs, "isolated", isolated)
    result, _ = go("random")
    assert result.scored == 1
    assert seen == [("proposed", False, True)]


def test_the_first_step_opens_no_oracle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even its file is read."""

    def opened(self: Oracles, name: str) -> None:
        raise AssertionError("an oracle was opened")

    monkeypatch.setattr(Oracles, "__getitem__", opened)
    assert work.propose(Plan(task="chembl", method="random")).record.status == "proposed"
    with pytest.raises(AssertionError, match="an oracle was opened"):
        _ = mbo_hub.load("chembl").oracle


def test_designs_that_wait_are_scored_later(inside: Path) -> None:
    plan = Plan(task="tfbind8", method="random", budget=8)
    proposed = work.propose(plan)
    write_run(Path("runs"), proposed.record, proposed.designs)
    result, _ = go("random")
    assert result.scored == 1
    record = read_run(inside / "runs" / proposed.record.place).record
    assert record.started == proposed.record.started, "it was not run again"
    assert record.designs_sha256 == proposed.record.designs_sha256


def test_an_oracle_that_cannot_run_here_leaves_designs_waiting(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def isolated(plan: Plan, outcome: work.Outcome | None = None) -> work.Outcome:
        if outcome is None:
            return work.propose(plan)
        raise mbo_hub.OracleUnavailable("it needs a robot")

    monkeypatch.setattr(runs, "isolated", isolated)
    result, _ = go("random")
    assert result.waiting == {"tfbind8/random/standard/seed-0": "it needs a robot"}
    assert read_runs("runs")[0].record.status == "proposed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"budget": 9}, "the budget of this run is 8, not 9"),
        ({"method": "other:good"}, "the method of this run is mine:good, not other:good"),
        ({"tuned_on_oracle": True}, "the word on tuning of this run is False, not True"),
    ],
)
def test_another_run_in_the_place_of_one_is_refused(
    change: dict[str, Any], why: str, inside: Path
) -> None:
    """It would be taken for done otherwise."""
    go("mine:good")
    (inside / "other.py").write_text(MINE)
    plan = Plan(task="tfbind8", method="mine:good", budget=8)
    wanted = [msgspec.structs.replace(plan, **change)]
    with LocalEngine(1) as engine, pytest.raises(InvalidFile, match=why):
        sweep(wanted, Path("runs"), engine)
    sys.modules.pop("other", None)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"method_version": "0.9"}, "the method's version of this run is 0.9, not "),
        ({"task_version": "0.9.0"}, r"the version of the data of this run is 0\.9\.0, not 1\.0\.0"),
    ],
)
@pytest.mark.parametrize("status", ["scored", "proposed", "failed"])
def test_a_run_of_another_version_is_not_taken_for_done(
    status: str, fields: dict[str, Any], why: str, here: Path
) -> None:
    """A table would not rank seeds of two versions of a method; nothing is run or changed."""
    plan = Plan(task="tfbind8", method="random", budget=8)
    record, designs, _ = work.propose(plan)
    if status == "scored":
        record = work.score(plan, record, designs or b"").record
        version = fields.get("task_version", record.task_version)
        fields = {**fields, "report": msgspec.structs.replace(record.report, version=version)}
    elif status == "failed":
        fields = {
            **fields,
            "failure": "diverged",
            "designs": 0,
            "designs_sha256": None,
            "notes": (),
        }
    older = msgspec.structs.replace(record, status=status, **fields)
    write_run(Path("runs"), older, None if status == "failed" else designs)
    folder = Path("runs") / older.place
    before = (folder / RECORD).read_bytes()
    with pytest.raises(InvalidFile, match=why) as caught:
        go("random", seeds=2, again=True)
    assert str(folder) in str(caught.value)
    assert (folder / RECORD).read_bytes() == before
    assert not (folder.parent / "seed-1").exists()


def test_designs_that_are_gone_are_named(here: Path) -> None:
    proposed = work.propose(Plan(task="tfbind8", method="random", budget=8))
    write_run(Path("runs"), proposed.record, None)
    with pytest.raises(InvalidFile, match=r"designs\.parquet: cannot be read \(No such file"):
        go("random")


def test_a_step_of_scoring_that_dies_leaves_its_designs_and_the_others_go_on(
    inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oracle is at fault, or too little memory; not the method."""
    real = child.run

    def run(folder: Path, *rest: Any) -> child.Ended:
        if (folder / DESIGNS).exists() and b'"seed": 1' in (folder / RECORD).read_bytes():
            return child.Ended(-9, "", 0.0)
        return real(folder, *rest)

    monkeypatch.setattr(child, "run", run)
    result, _ = go("random", seeds=3)
    assert (result.scored, result.failed) == (2, 0)
    assert list(result.lost) == ["tfbind8/random/standard/seed-1"]
    monkeypatch.setattr(child, "run", real)
    assert go("random", seeds=3)[0].scored == 1


# ------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("method", "why", "where"),
    [
        ("diverges", "the model diverged", "inside"),
        ("has_a_bug", "AttributeError: 'Offline' object has no attribute 'nothing'", "here"),
        ("dies", "ended by SIGKILL; there may have been too little memory", "here"),
        ("illegal", "it proposed an illegal design", "inside"),
        ("raves", r"\x1b[31mred\r\x00 more more", "inside"),
    ],
)
def test_a_failed_run_is_a_record_with_its_reason(
    method: str, why: str, where: str, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue(where)
    result, _ = go(f"mine:{method}", "random")
    assert (result.scored, result.failed) == (1, 1)
    run = next(r for r in read_runs("runs") if r.record.method == method)
    assert run.record.status == "failed"
    assert why in str(run.record.failure)
    assert run.record.code == f"mine:{method}"
    assert not run.record.ranked
    assert run.designs is None
    assert not (Path(run.where) / DESIGNS).exists()


def test_a_step_that_is_ended_from_outside_is_no_failure_and_still_to_do(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a cluster does that ends a job: the processes of steps may be the first to hear of it."""
    result, _ = go("mine:is_ended", "random")
    assert (result.scored, result.failed) == (1, 0)
    assert result.lost == {"tfbind8/is_ended/standard/seed-0": "its process was ended by SIGTERM"}
    assert [run.record.method for run in read_runs("runs")] == ["random"]
    command = ["run", "mine:is_ended", "--task", "tfbind8", "--seeds", "0", "--out", "runs"]
    ran = CliRunner().invoke(main, command)
    assert ran.exit_code == 1
    assert "tfbind8/is_ended/standard/seed-0: is still to do: its process was" in ran.stderr
    (here / "mended").touch()
    monkeypatch.setattr(child, "run", in_this_process)
    assert CliRunner().invoke(main, command).exit_code == 0


def test_a_step_has_one_thread(here: Path) -> None:
    go("mine:tells_threads")
    assert (here / "threads").read_text() == "1"


def test_names_that_some_system_has_no_folder_for_are_refused_before_anything_runs(
    here: Path,
) -> None:
    with pytest.raises(InvalidFile, match="method 'aux' is the name of a device on Windows"):
        go("mine:counts", "mine:aux")
    with pytest.raises(InvalidFile, match="are one folder on some systems"):
        go("mine:counts", "mine:good", "mine:Good")
    assert not (here / "count").exists()


def test_a_name_that_is_taken_is_said_before_hours_of_work(inside: Path) -> None:
    """A subclass has its parent's name, with which its runs cannot join published results."""
    (inside / "inherits.py").write_text(
        "from mbo_hub.methods import Random\nclass Mine(Random):\n    pass\n"
    )
    common = ["--task", "tfbind8", "--seeds", "0", "--budget", "8", "--out", "runs"]
    ran = CliRunner().invoke(main, ["run", "inherits:Mine", *common])
    assert ran.exit_code == 0, ran.output
    assert ran.stderr.startswith("inherits:Mine is called 'random', as a method of this package is")
    ran = CliRunner().invoke(main, ["run", "mine:good", "best_logged", *common])
    assert "is called" not in ran.stderr


@given(st.text(max_size=12), st.integers(0, 99))
def test_a_folder_is_named_for_every_system_or_refused(name: str, seed: int) -> None:
    with suppress(InvalidFile):
        folder = folder_of("tfbind8@p0-20", name, "standard", seed)
        for kind in (PurePosixPath, PureWindowsPath):
            assert kind(folder.as_posix()).parts[1] == name
            assert kind(folder.as_posix()).parts[3] == f"seed-{seed}"
        assert not set(name) & set('<>:"/\\|?*\0 ')
        assert name.isascii()
        assert name[-1] != "."


def test_failed_runs_are_run_again_only_when_asked(inside: Path) -> None:
    go("mine:diverges")
    (inside / "mended").touch()
    assert go("mine:diverges")[0].there == 1
    assert read_runs("runs")[0].record.status == "failed"
    assert go("mine:diverges", again=True)[0].scored == 1
    assert read_runs("runs")[0].record.status == "scored"


def test_what_cannot_be_run_is_said_before_anything_runs(here: Path) -> None:
    with pytest.raises(UnknownMethod, match="gradd"):
        go("mine:counts", "gradd")
    with pytest.raises(UnknownTask, match="tfbind88"):
        go("mine:counts", tasks=("tfbind8", "tfbind88"))
    assert not (here / "count").exists()


def test_a_run_that_says_it_was_tuned_on_the_oracle_is_not_ranked(inside: Path) -> None:
    ran = CliRunner().invoke(
        main, ["run", "random", "--task", "tfbind8", "--seeds", "0", "--out", "runs",
               "--tuned-on-oracle"],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    record = read_runs("runs")[0].record
    assert record.tuned_on_oracle
    assert not record.ranked


# ----------------------------------------------------------------------- several programs, and kills


def test_two_programs_that_share_a_folder_do_each_run_once(here: Path) -> None:
    command = ["run", "mine:counts", "--task", "tfbind8", "--seeds", "0-3", "--out", "runs",
               "--jobs", "2", "--budget", "8"]  # fmt: skip
    programs = [mbo(*command), mbo(*command)]
    outputs = [ended(program) for program in programs]
    assert [program.returncode for program in programs] == [0, 0], outputs
    lines = (here / "count").read_text().splitlines()
    assert sorted(line.split()[1] for line in lines) == list("0123"), outputs
    assert len(read_runs("runs")) == 4
    assert {run.record.status for run in read_runs("runs")} == {"scored"}


SIGNALS = pytest.mark.slow(
    "3 core-seconds for each pair of a signal and who gets it; SIGKILL, Ctrl-C and a job's SIGTERM run"
)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize(
    ("kill", "whom", "code"),
    [
        (signal.SIGKILL, "program", -9),
        pytest.param(signal.SIGTERM, "program", -15, marks=SIGNALS),
        pytest.param(signal.SIGINT, "program", 1, marks=SIGNALS),
        (signal.SIGINT, "terminal", 1),
        (signal.SIGTERM, "job", -15),
    ],
)
def test_a_killed_program_loses_the_runs_in_hand_and_leaves_no_process(
    kill: signal.Signals, whom: str, code: int, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C comes to all processes of a terminal, SLURM's signal to all of a job."""
    (here / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(here / "tmp"))
    program = mbo("run", "random", "mine:sleeps", "--task", "tfbind8", "--seeds", "0-1",
                  "--out", "runs", "--jobs", "2", "--budget", "8")  # fmt: skip
    wait_for(lambda: (here / "asleep-0").exists() and (here / "asleep-0").read_text())
    wait_for(lambda: (here / "asleep-1").exists() and (here / "asleep-1").read_text())
    children = [int((here / f"asleep-{seed}").read_text()) for seed in (0, 1)]
    (os.kill if whom == "program" else os.killpg)(program.pid, kill)
    _, said = ended(program)
    assert program.returncode == code, said
    assert not {"Traceback", "KeyboardInterrupt", "Error"} & set(re.findall(r"\w+", said)), said
    wait_for(lambda: not any(psutil.pid_exists(child) for child in children))
    found = read_runs("runs")
    assert [(r.record.method, r.record.seed) for r in found] == [("random", 0), ("random", 1)]
    assert not [p for p in (here / "runs").rglob("*") if p.suffix == ".tmp"]
    assert whom == "job" or not list((here / "tmp").glob("mbo-run-*"))
    (here / "mine.py").write_text(MINE.replace("time.sleep(600)", "return offline.x[:budget]"))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setattr(child, "run", in_this_process)
    again, _ = go("random", "mine:sleeps", seeds=2)
    assert (again.there, again.scored, again.elsewhere) == (2, 2, 0), "its locks are gone with it"


# ---------------------------------------------------------------------------------- records and files


@pytest.fixture(scope="module")
def record() -> Record:
    return work.propose(Plan(task="tfbind8", method="random", budget=8)).record


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"format": 2}, "format 2, this mbo_hub reads up to 1"),
        ({"format": 0}, "format"),
        ({"seed": -1}, "seed"),
        ({"nonsense": 1}, "nonsense"),
        ({"status": "won"}, "status"),
        ({"designs": 9}, "9 designs do not fit"),
        ({"designs": 0}, "0 designs do not fit"),
        ({"status": "scored"}, "a run that is scored has a report"),
        ({"failure": "no"}, "a run that is proposed has no failure"),
        ({"method": "../../x"}, "has to be letters"),
        ({"preset": ".."}, "has to be letters"),
        ({"task": "Tf/Bind"}, "task"),
        ({"method": "nul"}, "is the name of a device"),
        ({"y_range": [0.0]}, "y_range"),
        ({"machine": {}}, "machine"),
    ],
)
def test_a_record_that_cannot_be_true_is_refused(
    change: dict[str, Any], why: str, record: Record
) -> None:
    document = json.loads(record.encode()) | change
    with pytest.raises(InvalidFile, match=r"^record\.json: ") as raised:
        Record.decode(json.dumps(document).encode(), "record.json")
    assert why in str(raised.value)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("budget", 9), ("dataset_sha256", "0" * 64), ("designs_sha256", "0" * 64), ("version", "2.0.0"),
        ("task", "ant"), ("y", [0.5]),
    ],
)  # fmt: skip
def test_a_record_whose_receipt_is_of_something_else_is_refused(
    part: str, value: Any, scored: Record
) -> None:
    document = json.loads(scored.encode())
    assert Record.decode(json.dumps(document).encode(), "x") == scored
    document["report"][part] = value
    with pytest.raises(InvalidFile, match=r"^x: its .* is .*, that of its receipt "):
        Record.decode(json.dumps(document).encode(), "x")


@pytest.fixture(scope="module")
def scored() -> Record:
    plan = Plan(task="tfbind8", method="random", budget=8)
    proposed = work.propose(plan)
    return work.score(plan, proposed.record, proposed.designs or b"").record


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"{}"])
def test_a_damaged_record_is_named_and_not_run_over(content: bytes, inside: Path) -> None:
    go("random")
    path = inside / "runs/tfbind8/random/standard/seed-0" / RECORD
    path.write_bytes(content)
    with pytest.raises(InvalidFile, match=r"seed-0.record\.json: "):
        go("random")
    assert path.read_bytes() == content


def test_a_design_without_a_value_has_none_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a simulation breaks: null in the receipt, NaN in the file."""
    plan = Plan(task="tfbind8", method="best_logged", budget=3)
    proposed = work.propose(plan)
    values = np.float32([0.25, np.nan, 0.75])
    kind = type(mbo_hub.load("tfbind8").oracle)
    monkeypatch.setattr(kind, "answer", lambda self, legal: Answer(values))
    outcome = work.score(plan, proposed.record, proposed.designs or b"")
    assert outcome.record.report is not None
    assert outcome.record.report.y == (0.25, None, 0.75)
    run = Run(Record.decode(outcome.record.encode(), "x"), "x")
    np.testing.assert_array_equal(run.y, values)
    assert outcome.designs is not None
    (y,) = parquet.cells(outcome.designs, ["y"], "x", 2**20)
    np.testing.assert_array_equal(y, values)


@given(st.binary(max_size=60) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_anything_else_is_not_a_record(raw: bytes) -> None:
    with pytest.raises(InvalidFile, match=r"^record\.json: "):
        Record.decode(raw, "record.json")


PLAIN = st.text(st.characters(codec="utf-8", exclude_categories=["C"]))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "seed": st.integers(0, 2**40),
            "deviations": st.lists(PLAIN, max_size=3).map(tuple),
            "notes": st.lists(st.text().map(work.one_line), max_size=3).map(tuple),
            "cpu_seconds": st.floats(0, 1e9),
            "tuned_on_oracle": st.booleans(),
            "libraries": st.dictionaries(PLAIN, PLAIN, max_size=3),
        },
    )
)
def test_a_record_comes_back_as_it_was_written(fields: dict[str, Any]) -> None:
    one = msgspec.structs.replace(_RECORD, **fields)
    assert Record.decode(one.encode(), "x") == one


_RECORD = work.propose(Plan(task="tfbind8", method="random", budget=8)).record


def test_a_run_in_another_folder_is_named(inside: Path) -> None:
    go("random")
    (inside / "runs/tfbind8/random").rename(inside / "runs/tfbind8/mine")
    with pytest.raises(InvalidFile, match=r"it belongs in tfbind8/random/standard/seed-0"):
        read_runs("runs")


def test_other_designs_are_not_scored_for_a_record(inside: Path) -> None:
    one, other = (
        work.propose(Plan(task="tfbind8", method="random", seed=s, budget=8)) for s in (0, 1)
    )
    write_run(Path("runs"), one.record, other.designs)
    with pytest.raises(InvalidFile, match="not those that its record was written for"):
        work.score(
            Plan(task="tfbind8", method="random", budget=8), one.record, other.designs or b""
        )
    with pytest.raises(MboHubError, match="not those that its record"):
        go("random")


# -------------------------------------------------------------------------------------- command line


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5)), min_size=1, max_size=5))
def test_seeds_are_read_as_they_are_written(parts: list[tuple[int, int]]) -> None:
    text = ",".join(f"{a}-{a + n}" if n else str(a) for a, n in parts)
    wanted = dict.fromkeys(seed for a, n in parts for seed in range(a, a + n + 1))
    assert numbers(text) == list(wanted)


@pytest.mark.parametrize("text", ["", "a", "1-", "-1", "1..3", "1;2", "3-1", "1,,2", "٣-x"])
def test_other_seeds_are_refused(text: str) -> None:
    ran = CliRunner().invoke(main, ["run", "random", "--task", "tfbind8", "--seeds", text,
                                    "--out", "never"])  # fmt: skip
    assert ran.exit_code == 2
    assert "--seeds" in ran.output


def test_mbo_run_says_what_becomes_of_each_run(inside: Path) -> None:
    command = [
        "run",
        "random",
        "mine:diverges",
        "--task",
        "tfbind8",
        "--seeds",
        "0",
        "--out",
        "runs",
    ]
    ran = CliRunner().invoke(main, command)
    assert ran.exit_code == 0, ran.output
    assert "random (standard) on tfbind8, seed 0: best 0.978" in ran.stderr
    assert (
        "diverges (standard) on tfbind8, seed 0: diverges on tfbind8, seed 0: the model"
        in ran.stderr
    )
    assert ran.stdout == "runs: 1 runs scored, 1 failed, 0 were there\n"
    ran = CliRunner().invoke(main, [*command, "--json"])
    assert json.loads(ran.stdout)["there"] == 2


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["random", "grad", "--task", "tfbind8"], "say which seeds"),
        (["random", "--task", "tfbind8", "--seeds", "0"], "name the folder"),
        (["random", "--task", "tfbind8", "--seeds", "0", "--out", "x.parquet"], "name the folder"),
        (["random", "--task", "tfbind8", "--engine", "dask"], "say which seeds"),
        (
            ["random", "--task", "tfbind8", "--seeds", "0", "--out", "x", "--engine", "ray"],
            "no engine",
        ),
    ],
)
def test_what_does_not_fit_together_is_said(arguments: list[str], why: str, here: Path) -> None:
    ran = CliRunner().invoke(main, ["run", *arguments])
    assert ran.exit_code == 2, ran.output
    assert why in ran.output
    assert not (here / "x").exists()


@pytest.mark.parametrize("name", [n for n, k in vars(errors).items() if isinstance(k, type)
                                  and issubclass(k, MboHubError)])  # fmt: skip
def test_every_error_travels_between_processes(name: str) -> None:
    there = {"InvalidDataset": ("x", ["a", "b"]), "UnsupportedFormat": ("x", ["a"])}
    for error in (work._error(name, "row 3"), getattr(errors, name)(*there.get(name, ("row 3",)))):
        back = pickle.loads(pickle.dumps(error))  # noqa: S301 -- its own
        assert (type(back), str(back), vars(back)) == (type(error), str(error), vars(error))


def test_an_error_of_the_other_process_keeps_its_kind_and_words() -> None:
    for kind in (InvalidFile, UnknownTask, mbo_hub.InvalidDataset, mbo_hub.InvalidDesign):
        error = work._error(kind.__name__, "row 3 is wrong")
        assert isinstance(error, kind)
        assert str(error) == "row 3 is wrong"
    assert type(work._error("OfTomorrow", "x")) is MboHubError
