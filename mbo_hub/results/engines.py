"""Where steps are worked on: processes of this machine, or a Dask cluster.

An engine is an executor of `concurrent.futures` and the number of steps that it has room for.
"""

from __future__ import annotations

import logging
import uuid
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, ClassVar, TypeVar

import mbo_hub.results.work as work
from mbo_hub._version import __version__
from mbo_hub.errors import MboHubError
from mbo_hub.extras import require
from mbo_hub.oracles.threads import cores
from mbo_hub.results.work import StepBroke

__all__ = ["DaskEngine", "Engine", "LocalEngine", "engine"]

LOOK_S = 2.0  # between two looks whether a cluster has workers
PATIENCE_S = 10  # that a scheduler has to answer, also when the connection was lost

LOST = (
    "the engine was lost, and with it the work in hand; what was done is kept, and the same "
    "command goes on with the rest"
)
log = logging.getLogger(__name__)
T = TypeVar("T")


@contextmanager
def _not_lost() -> Iterator[None]:
    """Say that the engine is gone, where the connection to it is."""
    try:
        yield
    except (OSError, CancelledError) as error:
        raise MboHubError(LOST) from error


class Engine:
    """What works on steps; use it as a context, which ends it.

    Attributes:
        ahead: how many more steps than it can work on it wants to know of.
    """

    ahead: ClassVar[int] = 0

    def __init__(self) -> None:
        self._owner = uuid.uuid4().hex  # of the processes that work for this engine

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many steps it works on at a time, now."""

    @abstractmethod
    def submit(self, step: Callable[..., T], *arguments: Any, soon: bool = False) -> Future[T]:
        """Start a step when there is room for it; soon: before others that wait."""

    def wait(self, futures: Collection[Future[T]]) -> set[Future[T]]:
        """Wait until a step came to its end, and give those that did."""
        return wait(futures, return_when=FIRST_COMPLETED).done

    def result(self, future: Future[T]) -> T:
        """What a step came to.

        Raises:
            MboHubError: the engine was lost; or whatever the step raised.
        """
        try:
            return future.result()
        except CancelledError as error:
            raise MboHubError(LOST) from error

    @abstractmethod
    def close(self, *, at_once: bool) -> None:
        """End it; at once: also what is going on."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(at_once=error is not None)


class LocalEngine(Engine):
    """As many processes as this program may use cores, one thread each.

    Args:
        jobs: another number of processes.
    """

    def __init__(self, jobs: int | None = None) -> None:
        super().__init__()
        self._slots = jobs or cores()
        self._pool = ThreadPoolExecutor(self._slots)
        self._going: set[Future[Any]] = set()

    @property
    def slots(self) -> int:
        """How many processes there are."""
        return self._slots

    def submit(self, step: Callable[..., T], *arguments: Any, soon: bool = False) -> Future[T]:
        """Start a step as soon as a process is free, in the order in which they come."""
        future: Future[T] = self._pool.submit(_step, __version__, self._owner, step, *arguments)
        self._going.add(future)
        future.add_done_callback(self._going.discard)
        return future

    def close(self, *, at_once: bool) -> None:
        """Wait for what is going on, or end it."""
        self._pool.shutdown(wait=False, cancel_futures=at_once)
        while at_once and (going := list(self._going)):
            work.stop(self._owner)  # again and again: a thread may just be starting a process
            wait(going, timeout=0.1)
        self._pool.shutdown()


class DaskEngine(Engine):
    """The workers of a Dask cluster, which need mbo-hub but no folder in common with this machine.

    A step that is lost with its worker is done again elsewhere, unless that happens to four workers
    one after the other. A cluster that grows with the work that waits for it can do so.

    Args:
        address: of the scheduler; None starts a cluster on this machine.
        jobs: how many workers that has, one thread each.

    Raises:
        MissingExtra: dask.distributed is not installed.
        MboHubError: there is no scheduler at the address.
    """

    ahead = 64

    def __init__(self, address: str | None = None, jobs: int | None = None) -> None:
        require("results", "the engine 'dask'", "distributed")
        super().__init__()
        import distributed

        dask: Any = distributed  # it has types for half of itself
        self._cluster = None
        if address is None:
            self._cluster = dask.LocalCluster(
                n_workers=jobs or cores(),
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",  # None would be 8787, which others may have
                host="127.0.0.1",
            )
        self._address = address or "the cluster on this machine"
        try:
            self._client = dask.Client(self._cluster or address, timeout=PATIENCE_S)
        except (OSError, ValueError) as error:
            raise MboHubError(f"{address}: no Dask scheduler answers there: {error}") from None
        self._pool = self._client.get_executor(pure=False)
        self._killed: type[Exception] = dask.scheduler.KilledWorker
        self._see_that_workers_are_alike()
        self._has_workers = True
        self._see_whether_there_are_workers()

    def _see_that_workers_are_alike(self) -> None:
        """Compare the version of mbo-hub that each worker has with the one here."""
        try:
            with _lacking(self._address):
                found = self._client.run(_version)
                for worker, version in found.items():
                    _see_version(version, worker, __version__)
        except MboHubError:
            self.close(at_once=True)
            raise

    def _see_whether_there_are_workers(self) -> None:
        """Say once that there are none, since nothing goes on until some come."""
        with _not_lost():
            there = bool(self._client.nthreads())
        if self._has_workers and not there:
            log.warning("%s has no workers; the work waits for some", self._address)
        self._has_workers = there

    @property
    def slots(self) -> int:
        """How many threads the workers have now; one if they are still to come."""
        with _not_lost():
            return max(1, sum(self._client.nthreads().values()))

    def submit(self, step: Callable[..., T], *arguments: Any, soon: bool = False) -> Future[T]:
        """Send a step to a worker."""
        with _not_lost():
            future: Future[T] = self._pool.submit(
                _step, __version__, self._owner, step, *arguments, priority=int(soon)
            )
        return future

    def wait(self, futures: Collection[Future[T]]) -> set[Future[T]]:
        """Wait until a step came to its end; says so when there are no workers."""
        while True:
            done = wait(futures, timeout=LOOK_S, return_when=FIRST_COMPLETED).done
            if done:
                return done
            self._see_whether_there_are_workers()

    def result(self, future: Future[T]) -> T:
        """What a step came to.

        Raises:
            StepBroke: worker after worker was lost with it.
            MboHubError: the engine was lost, a worker lacks a library; or whatever the step raised.
        """
        try:
            with _lacking(self._address):
                return super().result(future)
        except self._killed as error:
            killed: Any = error
            raise StepBroke(
                f"{killed.allowed_failures + 1} workers in turn were lost with it, at last "
                f"{killed.last_worker.address}; see their logs: too little memory, or time?"
            ) from None

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster, or end one of this machine; at once: also end what goes on there."""
        self._pool.shutdown(wait=not at_once)
        if at_once and self._client.status == "running":
            with suppress(Exception):  # a cluster that is gone works on nothing
                self._client.run(work.stop, self._owner, on_error="ignore")
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


@contextmanager
def _lacking(address: str) -> Iterator[None]:
    """Say what to install, where a worker does not find mbo-hub."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MboHubError(
            f"{address}: a worker lacks {error.name}; install mbo-hub {__version__} and what the "
            "methods need in the environment of the workers"
        ) from None


def _see_version(there: str, worker: str, here: str) -> None:
    if there != here:
        raise MboHubError(
            f"worker {worker} has mbo-hub {there}, here is {here}; install the same version"
        )


def _step(version: str, owner: str, step: Callable[..., T], *arguments: Any) -> T:
    """Do a step, on a thread of a worker that may have come later than the others."""
    if version != __version__:
        import distributed

        dask: Any = distributed
        _see_version(__version__, dask.get_worker().address, version)
    with work.owned(owner):
        return step(*arguments)


def _version() -> str:
    return __version__


def engine(name: str, jobs: int | None = None) -> Engine:
    """Start an engine.

    Args:
        name: 'local', 'dask' for a cluster on this machine, or 'dask:ADDRESS' of a scheduler, such
            as dask:tcp://127.0.0.1:8786.
        jobs: how many processes, for those on this machine.

    Raises:
        ValueError: there is no such engine.
        MissingExtra: dask.distributed is not installed.
        MboHubError: there is no scheduler at the address.
    """
    kind, colon, address = name.partition(":")
    if name == "local":
        return LocalEngine(jobs)
    if kind == "dask" and (address or not colon):
        return DaskEngine(address or None, jobs)
    raise ValueError(f"no engine {name!r}; there are local, dask, and dask:tcp://HOST:8786")
