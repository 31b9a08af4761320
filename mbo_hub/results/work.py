"""The work of one run, in two steps that share nothing: propose designs, then score them.

Each step runs in a process of its own with one thread, wherever that is: its memory is its own, its
arithmetic does not depend on how many cores there are, and what kills it kills nothing else. It is
the only way to run a method: sweeps, single runs and workers of a cluster all come through here.
"""

from __future__ import annotations

import faulthandler
import os
import platform
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec
import numpy as np

import mbo_hub
import mbo_hub.results.child as child
from mbo_hub import errors
from mbo_hub._version import __version__
from mbo_hub.atomic import scratch_folder
from mbo_hub.dataset.lines import one_line
from mbo_hub.errors import InvalidFile, MboHubError, MethodFailed, MissingExtra, StepLost, remade
from mbo_hub.extras import distribution
from mbo_hub.methods import METHODS, Method, Proposal, find
from mbo_hub.methods.devices import see_that_it_is_here
from mbo_hub.methods.progress import Progress
from mbo_hub.methods.registry import Function, place_of, said
from mbo_hub.reading import encode_designs
from mbo_hub.results.lookup import looked_up
from mbo_hub.results.record import (
    DESIGNS,
    FORMAT,
    OURS,
    RECORD,
    Machine,
    Plan,
    Record,
    Setting,
    decode_designs,
)
from mbo_hub.scoring.evaluate import designs_sha256
from mbo_hub.task import Task

__all__ = [
    "Outcome",
    "code_of",
    "isolated",
    "main",
    "make",
    "propose",
    "score",
    "see_that_they_can_run",
]

FROM_OUTSIDE = ("SIGINT", "SIGTERM", "SIGHUP")  # a terminal, or a cluster, that ends a whole job
_PLAN, _ERROR = "plan.json", "error.json"
_HERE = str(Path(__file__).parents[1]) + os.sep
_BY_ITSELF = "its process ended by itself, with code {} and without designs"


class Outcome(NamedTuple):
    """What a step came to.

    Attributes:
        record: of the run.
        designs: content of `designs.parquet`, if there are designs.
        log: what the method said, and the traceback of its failure.
    """

    record: Record
    designs: bytes | None
    log: str = ""


def propose(
    plan: Plan,
    progress: Progress | None = None,
    before: Callable[[Record], object] = lambda record: None,
) -> Outcome:
    """Let the method of a plan propose designs; no oracle is opened.

    Args:
        plan: what to run.
        progress: is told the fraction done.
        before: is given the record of a run whose process dies, before the method starts.

    Returns:
        A record that is 'proposed', or 'failed' if the method failed: whatever it raised.

    Raises:
        UnknownTask, UnknownMethod, …: the plan names what is not here.
        MissingExtra: the method needs a library that is not installed.
        DeviceUnavailable: there is no such device.
    """
    task = mbo_hub.load(plan.task).showing(plan.subset)
    method = make(plan, task.name)
    method.see_that_it_can_run()
    record = _about(plan, task, method)
    before(record)
    wall, cpu = time.perf_counter(), time.process_time()
    proposal, failure, log = None, None, ""
    try:
        proposal = method(task.offline, budget=plan.budget, seed=plan.seed, progress=progress)
    except (KeyboardInterrupt, MissingExtra):
        raise
    except MethodFailed as error:
        failure = one_line(str(error))
    except BaseException as error:  # whatever it is, this is how the method ended
        failure = one_line(f"{method.name} on {task.name}, seed {plan.seed}: {_raised(error)}")
        log = _traceback(error)
    took = {
        "wall_seconds": round(time.perf_counter() - wall, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "peak_mb": _peak_mb(),
    }
    if proposal is None:
        return Outcome(msgspec.structs.replace(record, **took, failure=failure), None, log)
    return _proposed(msgspec.structs.replace(record, **took), proposal, task)


def _proposed(record: Record, proposal: Proposal, task: Task) -> Outcome:
    """Put designs into the record of a run."""
    known = {} if proposal.predicted is None else {"predicted": proposal.predicted}
    done = msgspec.structs.replace(
        record,
        status="proposed",
        failure=None,
        designs=len(proposal),
        designs_sha256=designs_sha256(proposal.designs, task.space),
        projected=proposal.projected,
        notes=tuple(map(one_line, proposal.notes)),
    )
    return Outcome(done, encode_designs(task.manifest, proposal.designs, known))


def score(plan: Plan, record: Record, designs: bytes) -> Outcome:
    """Score the designs of a run with the task's own oracle.

    Args:
        plan: names the task; the rest is the record's.
        record: of a run that is 'proposed', or 'scored': it is scored again.
        designs: content of its `designs.parquet`.

    Raises:
        InvalidFile: the designs are not those that the record speaks of.
        OracleUnavailable: the oracle cannot run here.
    """
    task = mbo_hub.load(plan.task, f"v{record.task_version}" if _is_name(plan.task) else None)
    task = looked_up(task.showing(record.subset))
    submitted = decode_designs(designs, f"the designs of {record}")
    if designs_sha256(submitted.designs, task.space) != record.designs_sha256:
        raise InvalidFile(f"the designs of {record} are not those that its record was written for")
    start = time.perf_counter()
    report = task.evaluate(submitted.designs, budget=record.budget)
    y = np.array(report.y, np.float64).astype(np.float32)
    known = {"y": y}
    if submitted.predicted is not None:
        known = {"predicted": submitted.predicted, **known}
    done = msgspec.structs.replace(
        record,
        status="scored",
        scoring_seconds=round(time.perf_counter() - start, 2),
        report=report,
    )
    return Outcome(done, encode_designs(task.manifest, submitted.designs, known))


def _is_name(task: str) -> bool:
    from mbo_hub.archive.folders import is_folder_name

    return not is_folder_name(task)


def make(plan: Plan, task: str) -> Method:
    """Make the method of a plan, for the device of the plan if it computes on one.

    Args:
        plan: names it.
        task: name of the task.

    Raises:
        UnknownMethod: there is none of that name, or its declaration is wrong.
    """
    method = find(plan.method, plan.preset, task)
    ours = plan.method in METHODS
    if plan.device == "cpu" or isinstance(method, Function) or (ours and not method.needs):
        return method
    return replace(method, device=plan.device)


def see_that_they_can_run(wanted: Sequence[tuple[Plan, str]]) -> None:
    """Check that all methods of plans can run here, before any of them does.

    Args:
        wanted: each plan with the name of its task.

    Raises:
        UnknownMethod: there is none of that name here, or its declaration is wrong.
        MissingExtra: a method needs a library that is not installed here.
        DeviceUnavailable: there is no such device here.
    """
    alike = {(plan.method, plan.preset, plan.device): (plan, task) for plan, task in wanted}
    for plan, task in alike.values():
        make(plan, task).see_that_it_can_run()
        see_that_it_is_here(plan.device)  # also where no method would notice


def code_of(plan: Plan) -> str:
    """What a plan runs, as a record says it."""
    place = place_of(plan.method)
    return OURS if place is None else place.code


def _about(plan: Plan, task: Task, method: Method) -> Record:
    """What is known before the method starts: the record of a run whose process dies."""
    statistics = task.manifest.statistics
    libraries = {"mbo-hub": __version__, "numpy": np.__version__}
    libraries |= dict(_versioned(name) for name in method.needs)
    if "botorch" in libraries:
        libraries["gpytorch"] = metadata.version("gpytorch")
    settings = method.settings(task.name).items()
    return Record(
        format=FORMAT,
        task=task.name,
        task_version=task.version,
        dataset_sha256=task.dataset_sha256,
        subset=task.selected,
        method=method.name,
        title=method.title,
        method_version=method.version,
        code=code_of(plan),
        preset=plan.preset,
        seed=plan.seed,
        budget=plan.budget,
        device=method.device,
        settings={name: Setting(s.value, s.source) for name, s in settings},
        tuned_on_oracle=plan.tuned_on_oracle,
        deviations=tuple(method.deviations),
        started=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        machine=Machine(
            system=platform.system(),
            processor=_processor(),
            cores=os.cpu_count() or 1,
            python=platform.python_version(),
        ),
        libraries=libraries,
        status="failed",
        failure=_BY_ITSELF.format(0),
        cpu_seconds=0.0,
        wall_seconds=0.0,
        peak_mb=0,
        y_range=(statistics.y_min, statistics.y_max),
    )


def _versioned(library: str) -> tuple[str, str]:
    """Name a library as on PyPI, with its version; 'unknown' where no package brings it."""
    name = distribution(library) or library
    try:
        return name, metadata.version(name)
    except metadata.PackageNotFoundError:
        return name, str(getattr(import_module(library), "__version__", "unknown"))


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _peak_mb() -> int:
    """The most memory that this process had, in MiB; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // (2**20 if sys.platform == "darwin" else 2**10))


def isolated(
    plan: Plan, outcome: Outcome | None = None, watch: child.Watch | None = None
) -> Outcome:
    """Do a step of a run in a process of its own.

    Args:
        plan: what to run.
        outcome: designs to score; None: propose some.
        watch: who looks on.

    Returns:
        As `propose` or `score`; a method whose process was killed, or took longer than the plan
        allows, has failed.

    Raises:
        StepLost: the process was ended, and no method is to blame.
        MboHubError: as `propose` or `score`, or there is no place for temporary files.
    """
    with _temporary_folder() as name:
        folder = Path(name)
        (folder / _PLAN).write_bytes(msgspec.json.encode(plan))
        if outcome is not None:
            _leave(folder, outcome)
        ended = child.run(folder, plan.time_limit, watch)
        if ended.code == 0 and (folder / RECORD).exists():
            return _take(folder)._replace(log=ended.said)
        if (folder / _ERROR).exists():
            raise _error(*msgspec.json.decode((folder / _ERROR).read_bytes()))
        reason = _why(ended, plan)
        outside = ended.code is not None and ended.code < 0 and _signal(ended.code) in FROM_OUTSIDE
        if outside or outcome is not None or not (folder / RECORD).exists():
            raise StepLost(f"{reason}{_last_words(ended.said)}")
        record = msgspec.structs.replace(
            _take(folder).record, failure=reason, wall_seconds=round(ended.seconds, 2)
        )
        return Outcome(record, None, ended.said)


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return scratch_folder("mbo-run-")
    except OSError as error:
        raise MboHubError(
            f"{error.filename or 'temporary files'}: {error.strerror}; the environment variable "
            "TMPDIR names a folder that can be written"
        ) from None


def _error(name: str, message: str) -> MboHubError:
    """An error of the other process, by its name and words; what else it held is not needed."""
    kind: type[MboHubError] = getattr(errors, name, MboHubError)
    return remade(kind, (message,), {})


def _why(ended: child.Ended, plan: Plan) -> str:
    """Say how a process ended that did not do its step."""
    if ended.code is None:
        return f"it took longer than {plan.time_limit:g} s, the time limit of the command"
    if ended.code < 0:
        name = _signal(ended.code)
        memory = "; there may have been too little memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}"
    return _BY_ITSELF.format(ended.code)


def _signal(code: int) -> str:
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal has no name
        return f"signal {-code}"


def _last_words(said: str) -> str:
    """The last line of what a process said, where nothing else tells why it ended."""
    lines = said.strip().splitlines()
    return f"; it last said: {one_line(lines[-1])}" if lines else ""


def _raised(error: BaseException) -> str:
    """Tell in one line what a method raised."""
    if isinstance(error, SystemExit):
        return f"it ended by SystemExit({error.code!r}) instead of returning designs"
    return said(error)


def _traceback(error: BaseException) -> str:
    """Write where an exception was raised, from the first line on that is not this package's."""
    start = error.__traceback__
    while start is not None and start.tb_frame.f_code.co_filename.startswith(_HERE):
        start = start.tb_next
    return "".join(traceback.format_exception(type(error), error, start or error.__traceback__))


def _leave(folder: Path, outcome: Outcome) -> None:
    """Write what a step came to: the record last, since it speaks of the designs."""
    if outcome.designs is not None:
        (folder / DESIGNS).write_bytes(outcome.designs)
    (folder / RECORD).write_bytes(outcome.record.encode())


def _take(folder: Path) -> Outcome:
    record = Record.decode((folder / RECORD).read_bytes(), RECORD)
    designs = folder / DESIGNS
    return Outcome(record, designs.read_bytes() if designs.exists() else None)


def _serve(folder: Path) -> int:
    """Do the step that a folder asks for, and leave the outcome there.

    Returns:
        The exit code of a process that does it.
    """
    plan = _plan(folder)
    try:
        if (folder / DESIGNS).exists():
            record, designs, _ = _take(folder)
            outcome = score(plan, record, designs or b"")
        else:
            outcome = propose(
                plan,
                child.write_progress(folder),
                lambda record: _leave(folder, Outcome(record, None)),
            )
    except MboHubError as error:
        (folder / _ERROR).write_bytes(msgspec.json.encode((type(error).__name__, str(error))))
        return 1
    child.say(outcome.log)
    _leave(folder, outcome)
    return 0


def _plan(folder: Path) -> Plan:
    return msgspec.json.decode((folder / _PLAN).read_bytes(), type=Plan)


def main(name: str) -> NoReturn:
    """Do the step that a folder asks for, in a process that does nothing else, and end it.

    Args:
        name: of the folder.
    """
    folder = Path(name)
    child.start_alone(folder)
    plan = _plan(folder)
    if plan.time_limit is not None:
        faulthandler.dump_traceback_later(plan.time_limit)  # says where it was
    place = place_of(plan.method)
    if place is not None:  # its modules may import their neighbours as long as it lives
        sys.path.append(str(place.folder))
    code = 1
    try:
        code = _serve(folder)
    except BaseException:  # a bug of this package, or no room on the disk
        child.say(traceback.format_exc())
    child.end_now(code)
