"""The work of one run, in two steps that share nothing: propose designs, then score them.

Each step runs in a process of its own with one thread, wherever that is: its memory is its own, its
arithmetic does not depend on how many cores there are, and what kills it kills nothing else.
"""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

import mbo_hub
from mbo_hub import errors
from mbo_hub._version import __version__
from mbo_hub.atomic import scratch_folder
from mbo_hub.errors import InvalidFile, MboHubError, MethodFailed, StepLost, remade
from mbo_hub.methods import Method, Proposal, find
from mbo_hub.methods.progress import Progress
from mbo_hub.oracles.threads import THREADS
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
    "make",
    "propose",
    "score",
    "stop",
]

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
        THREADS,
    ),
    "1",
)  # fmt: skip
FROM_OUTSIDE = ("SIGINT", "SIGTERM", "SIGHUP")  # a terminal, or a cluster, that ends a whole job
LONGEST = 2000  # characters of what a method says
_PLAN, _ERROR, _STDERR = "plan.json", "error.json", "stderr.txt"
_children: dict[subprocess.Popen[bytes], int] = {}  # and the thread that waits for each
_children_lock = threading.Lock()


class Outcome(NamedTuple):
    """A record, and the content of `designs.parquet` if there are designs."""

    record: Record
    designs: bytes | None


def propose(plan: Plan, progress: Progress | None = None) -> Outcome:
    """Let the method of a plan propose designs; no oracle is opened.

    Args:
        plan: what to run.
        progress: is told the fraction done.

    Returns:
        A record that is 'proposed', or 'failed' if the method failed.

    Raises:
        UnknownTask, UnknownMethod, …: the plan names what is not here.
        MissingExtra: the method needs a library that is not installed.
    """
    task = mbo_hub.load(plan.task).showing(plan.subset)
    method = make(plan, task)
    record = _about(plan, task, method)
    wall, cpu = time.perf_counter(), time.process_time()
    proposal, failure = None, None
    try:
        proposal = method(task.offline, budget=plan.budget, seed=plan.seed, progress=progress)
    except MethodFailed as error:
        failure = _plain(str(error))
    took = {
        "wall_seconds": round(time.perf_counter() - wall, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "peak_mb": _peak_mb(),
    }
    if proposal is None:
        return Outcome(msgspec.structs.replace(record, **took, failure=failure), None)
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
        notes=tuple(map(_plain, proposal.notes)),
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


def make(plan: Plan, task: Task) -> Method:
    """Make the method of a plan.

    Raises:
        UnknownMethod: there is none of that name.
    """
    method = find(plan.method, plan.preset, task.name)
    return method if plan.device == "cpu" else replace(method, device=plan.device)


def code_of(plan: Plan) -> str:
    """What a plan runs, as a record says it."""
    return plan.method if ":" in plan.method else OURS


def _about(plan: Plan, task: Task, method: Method) -> Record:
    """What is known before the method starts: the record of a run whose process dies."""
    statistics = task.manifest.statistics
    libraries = {"mbo-hub": __version__, "numpy": np.__version__}
    for name in method.needs:
        libraries[name] = metadata.version(name)
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
        failure="its process ended",
        cpu_seconds=0.0,
        wall_seconds=0.0,
        peak_mb=0,
        y_range=(statistics.y_min, statistics.y_max),
    )


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


def isolated(plan: Plan, outcome: Outcome | None = None) -> Outcome:
    """Do a step of a run in a process of its own.

    Args:
        plan: what to run.
        outcome: designs to score; None: propose some.

    Returns:
        As `propose` or `score`; a method whose process was killed has failed.

    Raises:
        StepLost: the process was ended, and no method is to blame.
        MboHubError: as `propose` or `score`.
    """
    with scratch_folder("mbo-run-") as name:
        folder = Path(name)
        (folder / _PLAN).write_bytes(msgspec.json.encode(plan))
        if outcome is not None and outcome.designs is not None:
            _leave(folder, outcome)
        code = _in_child(folder)
        if code == 0:
            return _take(folder)
        if (folder / _ERROR).exists():
            raise _error(*msgspec.json.decode((folder / _ERROR).read_bytes()))
        reason = _why(code, (folder / _STDERR).read_bytes())
        if code < 0 and signal.Signals(-code).name in FROM_OUTSIDE:
            raise StepLost(reason)
        if outcome is None and (folder / RECORD).exists():
            return Outcome(msgspec.structs.replace(_take(folder).record, failure=reason), None)
        raise StepLost(reason)


def _in_child(folder: Path) -> int:
    """Let another process do the step that a folder asks for; it ends when this one does.

    Returns:
        Its exit code.
    """
    with (folder / _STDERR).open("wb") as stderr:
        child = subprocess.Popen(  # noqa: S603 this very package
            [sys.executable, "-m", "mbo_hub.results.work", str(folder)],
            env={**os.environ, **ONE_THREAD},
            stdin=subprocess.PIPE,  # it closes when this process is gone, however that came
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    with _children_lock:
        _children[child] = threading.get_ident()
    try:
        return child.wait()
    finally:
        with _children_lock:
            _children.pop(child)
        if child.stdin is not None:
            child.stdin.close()


def stop(thread: int | None = None) -> None:
    """End the processes of all steps that are going on here.

    Args:
        thread: only of those that this one waits for.
    """
    with _children_lock:
        for child, waits in _children.items():
            if thread in (None, waits):
                child.kill()


def _error(name: str, message: str) -> MboHubError:
    """An error of the other process, by its name and words; what else it held is not needed."""
    kind: type[MboHubError] = getattr(errors, name, MboHubError)
    return remade(kind, (message,), {})


def _why(code: int, said: bytes) -> str:
    """Say how a process ended."""
    if code < 0:
        name = signal.Signals(-code).name
        memory = "; there may have been too little memory" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{memory}"
    lines = said.decode(errors="replace").strip().splitlines()
    return f"its process ended with code {code}: {_plain(lines[-1]) if lines else 'no word'}"


def _plain(text: str) -> str:
    """Words of a method for a record: control characters as escapes, and not too many words."""
    escaped = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)
    return escaped if len(escaped) <= LONGEST else f"{escaped[:LONGEST]}…"


def _leave(folder: Path, outcome: Outcome) -> None:
    (folder / RECORD).write_bytes(outcome.record.encode())
    if outcome.designs is not None:
        (folder / DESIGNS).write_bytes(outcome.designs)


def _take(folder: Path) -> Outcome:
    record = Record.decode((folder / RECORD).read_bytes(), RECORD)
    designs = folder / DESIGNS
    return Outcome(record, designs.read_bytes() if designs.exists() else None)


def _serve(folder: Path) -> None:
    """Do the step that a folder asks for, and leave the outcome there."""
    plan = msgspec.json.decode((folder / _PLAN).read_bytes(), type=Plan)
    try:
        if (folder / DESIGNS).exists():
            record, designs = _take(folder)
            outcome = score(plan, record, designs or b"")
        else:
            task = mbo_hub.load(plan.task).showing(plan.subset)
            _leave(folder, Outcome(_about(plan, task, make(plan, task)), None))
            outcome = propose(plan)
    except MboHubError as error:
        (folder / _ERROR).write_bytes(msgspec.json.encode((type(error).__name__, str(error))))
        sys.exit(1)
    _leave(folder, outcome)


def _end_with_parent(folder: Path) -> None:
    """Wait for the end of stdin, which is that of the process that asked for this step."""
    os.read(sys.stdin.fileno(), 1)
    shutil.rmtree(folder, ignore_errors=True)  # nobody else is left to do it
    os._exit(1)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    threading.Thread(target=_end_with_parent, args=(place,), daemon=True).start()
    _serve(place)
