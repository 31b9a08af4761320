"""Where the steps of runs are worked on: processes of this machine, or a Dask cluster.

An engine is an executor of `concurrent.futures` and the number of steps that it has room for.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar

import mbo_hub.results.work as work
from mbo_hub._version import __version__
from mbo_hub.errors import MboHubError
from mbo_hub.extras import require
from mbo_hub.oracles.threads import cores

__all__ = ["DaskEngine", "Engine", "LocalEngine", "engine"]

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
    """What works on steps; use it as a context, which ends it."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many steps it works on at a time, now."""

    @abstractmethod
    def submit(self, step: Callable[..., T], *arguments: Any) -> Future[T]:
        """Start a step."""

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
        self._slots = jobs or cores()
        self._pool = ThreadPoolExecutor(self._slots)

    @property
    def slots(self) -> int:
        """How many processes there are."""
        return self._slots

    def submit(self, step: Callable[..., T], *arguments: Any) -> Future[T]:
        """Start a step as soon as a process is free."""
        return self._pool.submit(step, *arguments)

    def close(self, *, at_once: bool) -> None:
        """Wait for what is going on, or end it."""
        self._pool.shutdown(wait=False, cancel_futures=at_once)
        if at_once:
            work.stop()
        self._pool.shutdown()


class DaskEngine(Engine):
    """The workers of a Dask cluster, which need mbo-hub but no folder in common with this machine.

    A step that is lost with its worker is done again elsewhere.

    Args:
        address: of the scheduler; None starts a cluster on this machine.
        jobs: how many workers that has, one thread each.

    Raises:
        MissingExtra: dask.distributed is not installed.
        MboHubError: there is no scheduler at the address.
    """

    def __init__(self, address: str | None = None, jobs: int | None = None) -> None:
        require("results", "the engine 'dask'", "distributed")
        import distributed

        dask: Any = distributed  # it has types for half of itself
        self._cluster = None
        if address is None:
            self._cluster = dask.LocalCluster(
                n_workers=jobs or cores(),
                threads_per_worker=1,
                dashboard_address="127.0.0.1:0",
                host="127.0.0.1",
            )
        self._address = address or "the cluster on this machine"
        try:
            self._client = dask.Client(self._cluster or address, timeout="10s")
        except (OSError, ValueError) as error:
            raise MboHubError(f"{address}: no Dask scheduler answers there: {error}") from None
        self._pool = self._client.get_executor(pure=False)
        self._see_that_workers_are_alike()

    def _see_that_workers_are_alike(self) -> None:
        """Compare the version of mbo-hub that each worker has with the one here."""
        try:
            found = self._client.run(_version)
        except ModuleNotFoundError as error:
            self.close(at_once=True)
            raise MboHubError(
                f"{self._address}: a worker lacks {error.name}; install mbo-hub {__version__} and "
                "what the methods need in the environment of the workers"
            ) from None
        others = {worker: version for worker, version in found.items() if version != __version__}
        if others:
            self.close(at_once=True)
            worker, version = next(iter(others.items()))
            raise MboHubError(
                f"{self._address}: worker {worker} has mbo-hub {version}, here is {__version__}"
            )
        if not found:
            log.warning("%s has no workers yet; the work waits for them", self._address)

    @property
    def slots(self) -> int:
        """How many threads the workers have now; one if they are still to come."""
        with _not_lost():
            return max(1, sum(self._client.nthreads().values()))

    def submit(self, step: Callable[..., T], *arguments: Any) -> Future[T]:
        """Send a step to a worker."""
        with _not_lost():
            future: Future[T] = self._pool.submit(step, *arguments)
        return future

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster; one that was started here ends."""
        self._pool.shutdown(wait=not at_once)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


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
