"""A method runs in one way: single runs and sweeps give the same designs, records and errors."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import psutil
import pytest
from click.testing import CliRunner, Result
from made_runs import in_this_process
from odd_methods import NEIGHBOURS, ODD

import mbo_hub
from mbo_hub import InvalidDesign
from mbo_hub.cli import main
from mbo_hub.cli.options import numbers, seconds
from mbo_hub.errors import DeviceUnavailable, MboHubError, MethodFailed, MissingExtra, UnknownMethod
from mbo_hub.methods import find
from mbo_hub.results import child
from mbo_hub.results.engines import LocalEngine
from mbo_hub.results.record import LOG, Plan, Record, Run, decode_designs, read_run
from mbo_hub.results.runs import Sweep, one, plans, sweep

BUDGET = 8
LIMIT_S = 8.0  # enough to start on a machine that has much else to do
# In every run of the suite; the others are slow.
BRIEF = (
    "lazy", "pool", "shadowed", "leaves_a_thread", "leaves_a_process", "prints", "Fields", "Numbers",
    "generates", "noted", "multiline", "asks", "exits", "ends_at_once", "aborts", "waits",
)  # fmt: skip
REST = tuple(name for name in ODD if name not in BRIEF)
ALONE_IN_BRIEF = ("lazy", "noted", "exits")
SLOW = pytest.mark.slow(
    "15 core-seconds for 22 odd methods in one sweep; the 16 of BRIEF always run"
)
ALONE = pytest.mark.slow(
    "a process each, 20 core-seconds for all; ALONE_IN_BRIEF always run, and all in a sweep"
)


def plan_of(name: str) -> Plan:
    limit = LIMIT_S if name == "waits" else None
    return Plan(task="tfbind8", method=f"odd:{name}", budget=BUDGET, time_limit=limit)


@contextmanager
def among_odd_methods(folder: Path) -> Iterator[Path]:
    """Be in a folder that has them; what is imported there is forgotten."""
    for name, text in NEIGHBOURS.items():
        (folder / name).write_text(text)
    (folder / "odd.py").write_bytes((Path(__file__).parent / "odd_methods.py").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield folder
    for module in ("odd", "odd_sibling", "mine"):
        sys.modules.pop(module, None)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Path]:
    with among_odd_methods(tmp_path):
        yield tmp_path


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Run]:
    """Gives the run of an odd method, from a sweep over it and half of the others."""

    @cache
    def runs_of(names: tuple[str, ...]) -> Path:
        folder = tmp_path_factory.mktemp("odd")
        with among_odd_methods(folder), LocalEngine(4) as engine:
            result = sweep([plan_of(name) for name in names], Path("runs"), engine)
        assert not result.lost
        return folder / "runs" / "tfbind8"

    def run_of(name: str) -> Run:
        place = name.lower() if name in ("Fields", "Numbers") else name
        return read_run(runs_of(BRIEF if name in BRIEF else REST) / place / "standard" / "seed-0")

    return run_of


def log_of(run: Run) -> str:
    path = Path(run.where) / LOG
    return path.read_text("utf-8") if path.exists() else ""


def without_times(record: Record) -> Record:
    return msgspec.structs.replace(
        record, started="", cpu_seconds=0.0, wall_seconds=0.0, peak_mb=0, scoring_seconds=None
    )


# ------------------------------------------------------------------------------------------- sweeps


@pytest.mark.parametrize("name", [*BRIEF, *(pytest.param(name, marks=SLOW) for name in REST)])
def test_a_sweep_keeps_the_designs_of_an_odd_method_or_why_there_are_none(
    name: str, swept: Callable[[str], Run]
) -> None:
    run, reason = swept(name), ODD[name]
    assert run.record.code == f"odd:{name}"
    if reason is not None:
        assert run.record.status == "failed"
        assert reason in str(run.record.failure)
        assert "\n" not in str(run.record.failure)
        return
    assert run.record.status == "scored"
    np.testing.assert_array_equal(run.designs, mbo_hub.load("tfbind8").x[:BUDGET])


def test_what_a_method_prints_is_kept_beside_its_record(swept: Callable[[str], Run]) -> None:
    assert log_of(swept("prints")) == "to stdout ⏎\nto stderr\npast Python \ufffd\n"
    assert log_of(swept("lazy")) == ""


@SLOW
def test_a_log_is_bounded(swept: Callable[[str], Run]) -> None:
    much = log_of(swept("prints_much"))
    assert len(much) < 4 * child.KEPT
    assert much.startswith("the first line\n")
    assert much.endswith("the last line\n")
    assert "characters are left out" in much


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("noted", "ValueError: no such layer\nlayers are counted from 0\n"),
        ("multiline", "wandb: Synced 5 files\nTraceback (most recent call last):\n"),
        ("exits", "in exits\n    sys.exit(0)\nSystemExit: 0\n"),
        ("aborts", "Fatal Python error: Aborted"),
        ("waits", "in waits"),
    ],
)
def test_the_log_of_a_failure_tells_where_it_was(
    name: str, said: str, swept: Callable[[str], Run]
) -> None:
    log = log_of(swept(name))
    assert said in log
    assert "protocol.py" not in log or name in ("aborts", "waits"), "its own frames come first"


@SLOW
def test_a_failure_that_the_method_tells_needs_no_traceback(swept: Callable[[str], Run]) -> None:
    assert log_of(swept("fails")) == ""


def test_nothing_that_a_method_started_is_left(swept: Callable[[str], Run]) -> None:
    folder = Path(swept("leaves_a_process").where).parents[4]
    assert not psutil.pid_exists(int((folder / "left-behind").read_text()))


def test_fields_are_written_as_text_and_numbers(swept: Callable[[str], Run]) -> None:
    record = swept("Fields").record
    assert {name: setting.value for name, setting in record.settings.items()} == {
        "checkpoint": str(Path("models") / "a.pt"), "rate": 0.5, "rounds": 3, "limit": "inf",
        "sizes": [1, 2],
    }  # fmt: skip
    assert {setting.source for setting in record.settings.values()} == {"its author"}
    assert record.libraries.keys() == {"mbo-hub", "numpy", "click", "PyYAML"}
    assert (swept("Numbers").record.projected, swept("Numbers").record.notes) == (2, ("a note",))


# ------------------------------------------------------------------------------------ single runs


@pytest.mark.parametrize(
    "name", [name if name in ALONE_IN_BRIEF else pytest.param(name, marks=ALONE) for name in ODD]
)
def test_a_single_run_is_that_of_a_sweep(
    name: str, swept: Callable[[str], Run], here: Path
) -> None:
    """The same designs and the same record, or the same error; it says what the log has."""
    kept, said, told = list[bytes](), list[str](), list[float]()
    run = swept(name)
    watch = child.Watch(said.append, told.append)
    if run.record.failure is not None:
        with pytest.raises(MethodFailed) as raised:
            one(plan_of(name), kept.append, watch)
        assert str(raised.value) == run.record.failure
        assert not kept
    else:
        record = one(plan_of(name), kept.append, watch)
        assert without_times(record) == without_times(run.record)
        (designs,) = kept
        np.testing.assert_array_equal(decode_designs(designs, "kept").designs, run.designs)
    log = log_of(run)
    if name == "prints_much":
        assert len("".join(said)) > 5_000_000, "a log is bounded, what is shown is not"
    elif name not in ("aborts", "waits"):  # addresses of threads
        assert "".join(said).replace(str(here), "") == log.replace(
            str(Path(run.where).parents[4]), ""
        )


def mbo(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", *arguments, "--task", "tfbind8", "--budget", "8"])


def test_mbo_run_shows_what_a_method_prints_and_saves_its_designs(here: Path) -> None:
    ran = mbo("odd:prints", "--seed", "0", "--out", "d.parquet", "--json")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["task"] == "tfbind8"
    assert ran.stderr == "to stdout ⏎\nto stderr\npast Python \ufffd\n"
    saved = decode_designs((here / "d.parquet").read_bytes(), "d.parquet")
    np.testing.assert_array_equal(saved.designs, mbo_hub.load("tfbind8").x[:8])


def test_a_method_that_calls_sys_exit_ends_no_command_well(here: Path) -> None:
    ran = mbo("odd:exits", "--seed", "0", "--out", "d.parquet")
    assert ran.exit_code == 1
    assert ran.stderr.endswith("SystemExit: 0\nMethodFailed: exits on tfbind8, seed 0: it ended "
                               "by SystemExit(0) instead of returning designs\n")  # fmt: skip
    assert not (here / "d.parquet").exists()


def test_a_bar_of_a_single_run_tells_how_far_its_method_is(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process writes that down, and this one looks."""
    (here / "mine.py").write_text(
        "import time\n"
        "from mbo_hub.methods import Method\n"
        "class Mine(Method):\n"
        "    name, title = 'mine', 'Waits'\n"
        "    def propose(self, offline, budget, seed, progress):\n"
        "        progress(0.25)\n"
        "        time.sleep(1)\n"
        "        return offline.x[:budget]\n"
    )
    told: list[float] = []
    watch = child.Watch(lambda text: None, told.append)
    one(Plan(task="tfbind8", method="mine:Mine", budget=8), lambda designs: None, watch)
    assert told[0] == 0.25


@pytest.mark.slow("2 core-seconds: a command to be killed; test_runs.py kills sweeps in every run")
@pytest.mark.parametrize("kill", ["SIGINT", "SIGKILL"])
def test_a_single_run_that_is_stopped_leaves_no_process(kill: str, here: Path) -> None:
    (here / "mine.py").write_text(
        "import os, time\n"
        "def sleeps(offline, budget, seed):\n"
        "    open('asleep', 'w').write(str(os.getpid()))\n"
        "    time.sleep(600)\n"
    )
    program = subprocess.Popen(
        [sys.executable, "-m", "mbo_hub", "run", "mine:sleeps", "--task", "tfbind8"],
        stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    asleep = here / "asleep"
    wait_for(lambda: asleep.exists() and asleep.read_text() != "")
    program.send_signal(getattr(signal, kill))
    _, said = program.communicate(timeout=90)
    assert program.returncode == (1 if kill == "SIGINT" else -9), said
    assert "Traceback" not in said
    wait_for(lambda: not psutil.pid_exists(int(asleep.read_text())))


def wait_for(condition: Callable[[], bool], seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


# ----------------------------------------------------------------- what is refused before it runs

DECLARED = """
from dataclasses import dataclass
from typing import Any
import numpy as np
from mbo_hub.methods import Method, Preset
open("imported", "w").close()

class Base(Method):
    name, title = "mine", "My method"
    def propose(self, offline, budget, seed, progress):
        open("ran", "w").close()
        return offline.x[:budget]
class Untitled(Base): title = None
class Titled(Base): title = "Two\\nlines"
class Long(Base): title = "x" * 201
class Blank(Base): version = " "
class Wordy(Base): deviations = ("one\\x1b[2J",)
class Nameless(Method):
    title = "No name"
    def propose(self, offline, budget, seed, progress): ...
class Versioned(Base): version = 2
class Deviating(Base): deviations = "one sentence"
class Needy(Base): needs = "torch"
class Lacking(Base): needs = ("no_such_library", "no-such-package")
class Presets(Base): presets = {"mine": Preset()}
class Unknown(Base): presets = {"standard": Preset({"steps": 3})}
class Idle(Method): name, title = "idle", "Does nothing"
@dataclass(frozen=True)
class Called(Base): activation: Any = len
@dataclass(frozen=True)
class Lined(Base): prompt: Any = ("fine", "two\\nlines")
@dataclass(frozen=True)
class Filled(Base): weights: Any = (1, np.zeros)
@dataclass(frozen=True)
class Missing(Base): steps: int = None; width: int = 0
@dataclass(frozen=True)
class Raises(Base):
    def __post_init__(self): raise SystemExit("no")
def other(offline, n): ...
number = 3
array = np.zeros(3)
"""


@pytest.mark.parametrize(
    ("method", "error", "why"),
    [
        ("Untitled", UnknownMethod, "a method has a title, one line of .*; Untitled has none"),
        ("Nameless", UnknownMethod, "a method has a name, one line of .*; Nameless has none"),
        ("Versioned", UnknownMethod, "a method has a version, one line of .*; Versioned has 2"),
        ("Titled", UnknownMethod, r"one line of at most 200 .*; Titled has 'Two\\nlines'"),
        ("Long", UnknownMethod, "one line of at most 200 printable characters; Long has 'xxx"),
        ("Blank", UnknownMethod, "a method has a version, .*; Blank has ' '"),
        ("Wordy", UnknownMethod, r"deviations\[0\] has to be one line .*; it is 'one\\x1b"),
        ("Lined", UnknownMethod, r"Lined.prompt\[1\] is 'two\\nlines', which a record cannot hold"),
        ("Deviating", UnknownMethod, "deviations is a tuple of texts"),
        ("Needy", UnknownMethod, "needs is a tuple of texts"),
        ("Lacking", MissingExtra, "needs no_such_library and no-such-package, not installed here"),
        ("Presets", UnknownMethod, "no preset 'standard'; it has mine"),
        ("Unknown", UnknownMethod, "preset 'standard' cannot be made: TypeError: "),
        ("Idle", UnknownMethod, "Idle has no method propose"),
        ("Called", UnknownMethod, "Called.activation is a builtins.builtin_function_or_method"),
        ("Filled", UnknownMethod, r"Filled.weights\[1\] is a builtins.builtin_function"),
        ("Raises", UnknownMethod, "preset 'standard' cannot be made: SystemExit: no"),
        ("other", UnknownMethod, r"called with offline, budget and seed by name, and takes \(off"),
        ("number", UnknownMethod, r"mine \(.*mine\.py\) has no method or function 'number'"),
        ("array", UnknownMethod, "has no method or function 'array'"),
    ],
)
def test_what_is_wrong_with_a_method_is_said_before_anything_runs(
    method: str, error: type[Exception], why: str, here: Path
) -> None:
    """In the same words, in one sentence, for a single run and for a sweep."""
    (here / "mine.py").write_text(DECLARED)
    plan = Plan(task="tfbind8", method=f"mine:{method}", budget=8)
    watch = child.Watch(lambda text: None, lambda done: None)
    with pytest.raises(error, match=why) as alone:
        one(plan, lambda designs: None, watch)
    with LocalEngine(1) as engine, pytest.raises(error) as together:
        sweep([msgspec.structs.replace(plan, method="random"), plan], Path("runs"), engine)
    assert str(alone.value) == str(together.value)
    assert "\n" not in str(alone.value)
    assert not (here / "ran").exists()
    assert not (here / "runs").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f(:", "SyntaxError: invalid syntax"),
    ],
)
def test_a_module_that_cannot_be_imported_says_why(text: str, why: str, here: Path) -> None:
    (here / "mine.py").write_text(text)
    ran = mbo("mine:f", "--seeds", "0", "--out", "runs")
    assert ran.exit_code == 1
    assert ran.stderr.startswith("UnknownMethod: mine:f: module 'mine' cannot be imported: ")
    assert why in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("form", ["odd:lazy", "odd.py:lazy", "./odd.py:lazy",
                                  "./odd:lazy", "{here}/odd.py:lazy"])  # fmt: skip
def test_a_method_is_named_by_its_module_or_by_its_file(form: str, here: Path) -> None:
    name = form.format(here=here)
    assert find(name).name == "lazy"
    assert str(here) not in sys.path
    assert work_code(name) == "odd:lazy"


def work_code(name: str) -> str:
    from mbo_hub.results.work import code_of

    return code_of(Plan(task="tfbind8", method=name))


def test_a_method_of_another_folder_has_its_neighbours_there(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    with LocalEngine(1) as engine:
        wanted = plans(["../odd.py:lazy"], ["tfbind8"], [0], budget=8)
        assert sweep(wanted, Path("runs"), engine) == Sweep(scored=1)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("random.py:f", r"Python finds another module 'random', .*; give the file another name"),
        ("random:f", r"random \(.*random\.py\) has no method or function 'f'"),
        ("./absent.py:f", r"there is no file .*absent\.py"),
        ("absent:f", "module 'absent' cannot be imported: ModuleNotFoundError"),
    ],
)
def test_a_file_in_the_place_of_another_module_is_said(name: str, why: str, here: Path) -> None:
    with pytest.raises(UnknownMethod, match=why):
        find(name)


def test_prints_of_a_module_are_no_data(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mine.py").write_text("print('hello')\ndef f(offline, budget, seed): ...\n")
    find("mine:f")
    assert capsys.readouterr() == ("", "hello\n")


# ------------------------------------------------------------------------------ devices, libraries


@pytest.mark.parametrize("device", ["gpu", "", "cpu:1", "meta", "cuda:99", "cuda:-1", "cu\nda"])
@pytest.mark.parametrize("method", ["grad", "random"])
def test_a_device_that_is_not_here_is_refused_before_anything_runs(
    method: str, device: str, here: Path
) -> None:
    pytest.importorskip("torch", reason="devices are torch's")
    alone = mbo(method, "--seed", "0", "--device", device)
    together = mbo(method, "--seeds", "0", "--out", "runs", "--device", device)
    assert alone.exit_code == together.exit_code == 1
    assert alone.stderr == together.stderr
    assert alone.stderr.startswith("DeviceUnavailable: ")
    assert repr(device) in alone.stderr
    assert alone.stderr.count("\n") == 1
    assert not (here / "runs").exists()


def test_a_method_refuses_a_device_that_is_not_here_also_without_a_command() -> None:
    pytest.importorskip("torch", reason="devices are torch's")
    with pytest.raises(DeviceUnavailable, match="no device is called 'gpu'"):
        type(find("grad"))(device="gpu")(mbo_hub.load("tfbind8").offline)


def test_a_library_that_is_missing_is_said_before_anything_runs(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    alone = mbo("grad", "--seed", "0")
    together = mbo("random", "grad", "--seeds", "0-1", "--out", "runs")
    assert alone.exit_code == together.exit_code == 1
    assert alone.stderr == together.stderr == (
        "MissingExtra: the method 'grad' needs torch; install it with  pip install "
        "'mbo-hub[methods]'\n"
    )  # fmt: skip
    assert not (here / "runs").exists()


def test_a_record_names_the_device_and_another_one_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="devices are torch's")
    monkeypatch.setattr(child, "run", in_this_process)
    (here / "mine.py").write_text(DECLARED)
    go = ("mine:Base", "odd:floats", "random", "--seeds", "0", "--out", "runs")
    assert mbo(*go, "--device", "cpu:0").exit_code == 0
    of = {
        name: read_run(here / "runs" / "tfbind8" / name / "standard" / "seed-0").record
        for name in ("mine", "floats", "random")
    }
    assert of["mine"].device == "cpu:0"
    assert b'"device": "cpu:0"' in of["mine"].encode()
    assert of["floats"].device == of["random"].device == "cpu", "neither computes on one"
    assert b"device" not in of["random"].encode(), "records of the CPU are as they were"
    ran = mbo("mine:Base", "--seeds", "0-1", "--out", "runs")
    assert ran.exit_code == 1
    assert "the device of this run is cpu:0, not cpu; keep the others in another" in ran.stderr


# ------------------------------------------------------------------------------------------- Dask


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("tls://127.0.0.1:9", "certificates are named in Dask's configuration"),
        ("ucx://127.0.0.1:9", "ucx://127.0.0.1:9: no Dask scheduler answers there: "),
        ("tcp://127.0.0.1", "missing port number"),
        ("nonsense://x", "nonsense://x: no Dask scheduler answers there: "),
    ],
)
def test_an_address_that_dask_cannot_use_is_said(
    address: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask_engine = pytest.importorskip("mbo_hub.results.dask_engine")
    pytest.importorskip("distributed", reason="the extra 'results' is not installed")
    monkeypatch.setattr(dask_engine, "PATIENCE_S", 1)
    with pytest.raises(MboHubError, match=re.escape(why)) as raised:
        dask_engine.DaskEngine(address)
    assert "\n" not in str(raised.value)


def test_a_cluster_that_cannot_start_here_says_why() -> None:
    dask = pytest.importorskip("dask", reason="the extra 'results' is not installed")
    from mbo_hub.results.dask_engine import DaskEngine

    with (
        dask.config.set({"temporary-directory": "/proc/nowhere"}),
        pytest.raises(MboHubError, match=r"does not start on this machine: .*/proc/nowhere"),
    ):
        DaskEngine(None, 1)


def test_what_a_worker_lacks_is_said_to_be_a_workers() -> None:
    pytest.importorskip("distributed", reason="the extra 'results' is not installed")
    from mbo_hub.results.dask_engine import DaskEngine

    engine, future = DaskEngine.__new__(DaskEngine), Future[None]()
    engine._address = "tcp://there:8786"
    future.set_exception(UnknownMethod("mine:f: module 'mine' cannot be imported"))
    with pytest.raises(UnknownMethod, match=r"^tcp://there:8786: on a worker: mine:f: module"):
        engine.result(future)


# -------------------------------------------------------------------------------- seeds and options


@pytest.mark.parametrize("seed", [-1, 2**63, 2**64 + 1, True])
def test_a_seed_out_of_range_is_refused_at_the_start(seed: Any, here: Path) -> None:
    method = find("random")
    with pytest.raises(ValueError, match=r"seed is a whole number of at (least 0|most 2)"):
        method(mbo_hub.load("tfbind8").offline, budget=1, seed=seed)
    with LocalEngine(1) as engine, pytest.raises(ValueError, match="seed is a whole number"):
        sweep([Plan(task="tfbind8", method="random", seed=seed)], Path("runs"), engine)
    assert not (here / "runs").exists()


def test_the_largest_seed_works(here: Path) -> None:
    assert len(find("random")(mbo_hub.load("tfbind8").offline, budget=2, seed=2**63 - 1)) == 2
    assert numbers(str(2**63 - 1)) == [2**63 - 1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0-999999999", "more than 100000 seeds"),
        ("0-99999,7,200000", "more than 100000 seeds"),
        (str(2**63), "larger than 2**63 - 1"),
        ("9" * 5000, "is not like 0-7"),
        ("٣", "is not like 0-7"),
    ],
)
def test_seeds_that_no_machine_could_do_are_refused(text: str, why: str, here: Path) -> None:
    ran = mbo("random", "--seeds", text, "--out", "runs")
    assert ran.exit_code == 2
    assert why in ran.stderr
    assert len(ran.stderr) < 600


def test_a_seed_option_out_of_range_is_refused() -> None:
    for seed in ("-1", str(2**63)):
        assert mbo("random", "--seed", seed).exit_code == 2


@pytest.mark.parametrize(
    ("text", "wanted"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1.5h", 5400), (" 1s ", 1)]
)
def test_a_time_limit_is_read(text: str, wanted: float) -> None:
    command = click.Command("run")
    assert seconds(click.Context(command), click.Option(["--time-limit"]), text) == wanted


@pytest.mark.parametrize("text", ["", "90", "s", "0s", "-1s", "1d", "inf", "nan", "1e3s", "9" * 99])
def test_another_time_limit_is_refused(text: str, here: Path) -> None:
    ran = mbo("random", "--time-limit", text)
    assert ran.exit_code == 2
    assert "is not like 90s, 10m or 2h" in ran.stderr


def test_a_command_whose_runs_all_failed_fails(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "run", in_this_process)
    failing = ("odd:fails", "odd:nothing", "--seeds", "0", "--out", "runs")
    ran = mbo(*failing)
    assert ran.exit_code == 1
    assert ran.stderr.endswith("runs: every run has failed; what each printed is in its log.txt\n")
    ran = mbo(*failing)
    assert ran.exit_code == 1, "the second time as well"
    assert ran.stdout == "runs: 0 runs scored, 0 failed, 2 were there (2 failed; --again)\n"
    assert mbo("random", *failing).exit_code == 0


# --------------------------------------------------------------------- what is passed in its place


def test_a_proposal_in_the_place_of_its_designs_is_said() -> None:
    task = mbo_hub.load("tfbind8")
    proposal = find("best_logged")(task.offline, budget=2)
    with pytest.raises(InvalidDesign, match=r"pass these:  proposal\.designs"):
        task.evaluate(proposal)


@pytest.mark.parametrize("fraction", ["0.2", None, 0, 1, float("nan"), [0.2]])
def test_a_fraction_that_is_no_number_is_refused(fraction: Any) -> None:
    offline = mbo_hub.load("tfbind8").offline
    with pytest.raises((ValueError, TypeError), match="fraction"):
        offline.holdout(fraction)


def test_no_place_for_temporary_files_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: Any) -> None:
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr("tempfile.TemporaryDirectory", none)
    ran = mbo("random", "--seed", "0")
    assert ran.exit_code == 1
    assert ran.stderr == (
        "MboHubError: temporary files: No usable temporary directory found in ['/tmp']; the "
        "environment variable TMPDIR names a folder that can be written\n"
    )


# ------------------------------------------------------------------------------------- completion


@pytest.mark.parametrize(
    ("words", "incomplete", "wanted"),
    [
        (["run"], "cma", ["cma_es"]),
        (["run"], "al", ["all"]),
        (["run", "grad", "--engine"], "d", ["dask", "dask:tcp://"]),
        (["run", "grad", "--device"], "cu", ["cuda"]),
        (["score", "tfbind8", "--oracle"], "s", ["surrogate"]),
        (["score", "nix", "--oracle"], "s", []),
    ],
)
def test_shells_complete_methods_engines_devices_and_oracles(
    words: list[str], incomplete: str, wanted: list[str]
) -> None:
    from click.shell_completion import ShellComplete

    offered = ShellComplete(main, {}, "mbo", "_MBO_COMPLETE").get_completions(words, incomplete)
    assert [item.value for item in offered] == wanted
