"""Run methods × tasks × seeds into a folder: what is there is not done again, nothing is lost.

Each run is claimed by a lock, so that several programs may share a folder; the system releases the
locks of a program that was killed. Designs are on disk before an oracle is opened.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from mbo_hub.archive import folders
from mbo_hub.errors import InvalidFile, MethodFailed, OracleUnavailable, StepLost
from mbo_hub.methods import Method
from mbo_hub.methods.protocol import whole
from mbo_hub.methods.registry import place_of
from mbo_hub.results.child import Watch
from mbo_hub.results.engine import Engine
from mbo_hub.results.record import (
    DESIGNS,
    RECORD,
    Plan,
    Record,
    content,
    folder_of,
    problem,
    read_run,
    write_run,
)
from mbo_hub.results.work import Outcome, code_of, isolated, make, score, see_that_they_can_run

__all__ = ["Sweep", "Told", "one", "plans", "sweep"]


def plans(
    methods: Iterable[str], tasks: Iterable[str], seeds: Iterable[int], **others: Any
) -> list[Plan]:
    """Plan the runs of all methods on all tasks with all seeds.

    Seed by seed, so that whoever stops early has all methods on all tasks with fewer seeds.

    Args:
        methods: as `Plan.method`.
        tasks: as `Plan.task`.
        seeds: as `Plan.seed`.
        others: fields of `Plan` that all have in common.
    """
    names, places = list(methods), list(tasks)
    return [
        Plan(task=task, method=method, seed=seed, **others)
        for seed in seeds
        for task in places
        for method in names
    ]


class Told(NamedTuple):
    """A run came to its end.

    Attributes:
        record: what became of it.
        done: how many runs of the sweep have.
        of: how many it has in all.
        left: seconds that the others may take.
    """

    record: Record
    done: int
    of: int
    left: float


@dataclass
class Sweep:
    """What a sweep came to.

    Attributes:
        scored: how many runs it scored.
        failed: how many of its runs failed.
        there: how many were there before.
        failed_before: how many of these had failed.
        elsewhere: how many another program has in hand.
        waiting: runs whose designs are there and whose oracle cannot run here, with the reason.
        lost: runs that something else than the method ended, with the reason; they are still to do.
    """

    scored: int = 0
    failed: int = 0
    there: int = 0
    failed_before: int = 0
    elsewhere: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    @property
    def all_failed(self) -> bool:
        """Whether there are failures, and nothing else."""
        failed = self.failed + self.failed_before
        return failed > 0 and self.scored + self.there == self.failed_before


class _Goal(NamedTuple):
    """A run that is wanted: its plan, its task's name, and what it would be run with here."""

    plan: Plan
    task: str
    method: Method
    task_version: str


@dataclass
class _Job:
    """A run in hand: where it goes, and its designs once there are some."""

    place: Path
    plan: Plan
    outcome: Outcome | None
    claim: ExitStack


def sweep(
    wanted: Sequence[Plan],
    directory: Path,
    engine: Engine,
    *,
    again: bool = False,
    tell: Callable[[Told], object] = lambda told: None,
) -> Sweep:
    """Do the runs that are not there yet.

    Args:
        wanted: the runs.
        directory: of all runs; it is made if need be.
        engine: what does the work; it is left open.
        again: run those that failed once more.
        tell: is called when a run came to its end.

    Raises:
        UnknownTask, UnknownMethod: before anything runs; or a method's declaration is wrong.
        InvalidFile: the folder holds something else, such as a run with another budget or by
            another version of the method, or cannot be written.
        MissingExtra: a method needs a library that is not installed; before anything runs.
        DeviceUnavailable: there is no such device; before anything runs.
        ValueError: a seed or budget that is out of range; before anything runs.
        MboHubError: a step of a run broke.
    """
    places = _places(wanted)
    result, estimate, todo = Sweep(), _Estimate(), dict[Path, _Goal]()
    for place, goal in places.items():
        record = _record(directory, place, goal)
        estimate.learn(record)
        if _is_done(record, again=again):
            result.there += 1
            result.failed_before += record is not None and record.status == "failed"
        else:
            todo[place] = goal
    if todo:
        asked = engine.submit(
            see_that_they_can_run, [(goal.plan, goal.task) for goal in todo.values()]
        )
        while not engine.wait([asked]):
            pass
        engine.result(asked)
    jobs = _claimed(todo, directory, result, again=again)
    going: dict[Future[Outcome], _Job] = {}
    try:
        while True:
            for job in _some(jobs, engine.room - len(going)):
                going[engine.submit(isolated, job.plan, job.outcome)] = job
            if not going:
                return result
            for future in engine.wait(going):
                job = going.pop(future)
                after = _after(job, partial(engine.result, future), directory, result)
                if after is None:
                    job.claim.close()
                elif after.record.status == "proposed":
                    job.outcome = after
                    going[engine.submit(isolated, job.plan, after, first=True)] = job
                else:
                    job.claim.close()
                    todo.pop(job.place)
                    estimate.learn(after.record)
                    done = result.there + result.scored + result.failed
                    left = sum(map(estimate.seconds, todo)) / engine.slots
                    tell(Told(after.record, done, len(places), left))
    finally:
        for job in going.values():
            job.claim.close()


def _after(
    job: _Job, step: Callable[[], Outcome], directory: Path, result: Sweep
) -> Outcome | None:
    """Keep what a step came to; None: it came to nothing that could be kept."""
    try:
        outcome = step()
    except OracleUnavailable as error:
        result.waiting[job.place.as_posix()] = str(error)
        return None
    except StepLost as error:
        result.lost[job.place.as_posix()] = str(error)
        return None
    proposed = job.outcome is None  # what scoring says is no word of the method
    write_run(directory, outcome.record, outcome.designs, outcome.log if proposed else None)
    result.scored += outcome.record.status == "scored"
    result.failed += outcome.record.status == "failed"
    return outcome


def _places(wanted: Sequence[Plan]) -> dict[Path, _Goal]:
    """Where each run goes; every method is made and every task found before anything runs."""
    made: dict[tuple[str, ...], Method] = {}
    declared = {
        name: folders.find_declared(name, None)[1].manifest
        for name in dict.fromkeys(plan.task for plan in wanted)
    }
    found: dict[Path, _Goal] = {}
    for plan in wanted:
        task = declared[plan.task]
        whole("seed", plan.seed, 0)
        whole("budget", plan.budget, 1)
        asked = (plan.method, plan.preset, plan.device, task.name)
        if asked not in made:
            made[asked] = make(plan, task.name)
        method = made[asked]
        goes = folder_of(problem(task.name, plan.subset), method.name, plan.preset, plan.seed)
        goal = _Goal(_everywhere(plan), task.name, method, task.version)
        if found.setdefault(goes, goal) != goal:
            raise InvalidFile(f"{goes}: two different runs would go there; run them apart")
    _one_a_folder(found)
    return found


def _everywhere(plan: Plan) -> Plan:
    """A plan that names its task and its method as processes in other folders find them."""
    place = place_of(plan.method)
    named = plan.method
    if place is not None and place.file is not None:
        named = f"{place.file}:{place.attribute}"
    return msgspec.structs.replace(plan, task=folders.everywhere(plan.task), method=named)


def one(plan: Plan, keep: Callable[[bytes], object], watch: Watch) -> Record:
    """Do one run that no folder keeps, by the same steps as a sweep does.

    Its designs are scored in this process, which may use all cores: no value depends on that.

    Args:
        plan: the run.
        keep: is given the content of `designs.parquet` before an oracle is opened.
        watch: who looks on while the method runs.

    Returns:
        The record of the scored run.

    Raises:
        MethodFailed: the method produced no designs.
        MboHubError: as `sweep`, and as the oracle.
    """
    ((goal),) = _places([plan]).values()
    see_that_they_can_run([(goal.plan, goal.task)])
    proposed = isolated(goal.plan, None, watch)
    if proposed.record.failure is not None or proposed.designs is None:
        raise MethodFailed(str(proposed.record.failure))
    keep(proposed.designs)
    return score(goal.plan, proposed.record, proposed.designs).record


def _one_a_folder(places: Iterable[Path]) -> None:
    """Refuse what would be one folder where letters have no case."""
    seen: dict[str, Path] = {}
    for goes in places:
        other = seen.setdefault(goes.as_posix().lower(), goes)
        if other != goes:
            raise InvalidFile(f"{goes} and {other} are one folder on some systems; rename a method")


def _record(directory: Path, place: Path, goal: _Goal) -> Record | None:
    """The record of a run that is there.

    Raises:
        InvalidFile: it cannot be read, or is that of another run.
    """
    folder = directory / place
    if not (folder / RECORD).exists():
        return None
    record = read_run(folder).record
    plan = goal.plan
    for what, there, wanted in (
        ("budget", record.budget, plan.budget),
        ("method", record.code, code_of(plan)),
        ("device", record.device, goal.method.device),
        ("method's version", record.method_version, goal.method.version),
        ("version of the data", record.task_version, goal.task_version),
        ("word on tuning", record.tuned_on_oracle, plan.tuned_on_oracle),
    ):
        if there != wanted:
            raise InvalidFile(
                f"{folder}: the {what} of this run is {there}, not {wanted}; keep the others in "
                "another folder"
            )
    return record


def _is_done(record: Record | None, *, again: bool) -> bool:
    if record is None or record.status == "proposed":
        return False
    return record.status == "scored" or not again


def _claimed(
    todo: dict[Path, _Goal], directory: Path, result: Sweep, *, again: bool
) -> Iterator[_Job]:
    """Take one run after another that no other program has in hand, or finished meanwhile."""
    from filelock import FileLock, Timeout

    locks = directory / ".locks"
    for place, goal in list(todo.items()):
        claim = ExitStack()
        try:
            locks.mkdir(parents=True, exist_ok=True)
            claim.enter_context(FileLock(locks / "--".join(place.parts), timeout=0))
        except Timeout:
            result.elsewhere += 1
            continue
        except NotImplementedError:
            raise InvalidFile(
                f"{directory}: its file system has no locks (flock); choose a folder elsewhere"
            ) from None
        except OSError as error:
            raise InvalidFile(f"{directory}: cannot be written: {error.strerror}") from None
        record = _record(directory, place, goal)
        if _is_done(record, again=again):
            claim.close()
            result.there += 1
            result.failed_before += record is not None and record.status == "failed"
            continue
        outcome = None
        if record is not None and record.status == "proposed":
            outcome = Outcome(record, content(directory / place / DESIGNS))
        yield _Job(place, goal.plan, outcome, claim)


def _some(jobs: Iterator[_Job], most: int) -> Iterator[_Job]:
    """At most so many of them."""
    for _ in range(most):
        job = next(jobs, None)
        if job is None:
            return
        yield job


class _Estimate:
    """Guesses how long a run takes from those of the same method on the same task, or on others."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, ...], list[float]] = {}

    def learn(self, record: Record | None) -> None:
        """Take a finished run into account."""
        if record is not None and record.status != "proposed":
            took = record.wall_seconds + (record.scoring_seconds or 0.0)
            for key in ((record.problem, record.method), (record.method,), ()):
                self._seconds.setdefault(key, []).append(took)

    def seconds(self, place: Path) -> float:
        """Guess for the run of a place; 0 when nothing is known."""
        task, method = place.parts[:2]
        for key in ((task, method), (method,), ()):
            if key in self._seconds:
                return statistics.median(self._seconds[key])
        return 0.0
