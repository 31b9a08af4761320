"""Where the steps of runs are worked on: processes of this machine, or a Dask cluster.

An engine is an executor of `concurrent.futures` and the number of steps that it has room for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

from mbo_hub.errors import MboHubError
from mbo_hub.extras import require
from mbo_hub.oracles.threads import cores
from mbo_hub.results import work

__all__ = ["DaskEngine", "Engine", "LocalEngine", "engine"]

T = TypeVar("T")


class Engine:
    """What works on steps; use it as a context, which ends it."""

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many steps it works on at a time, now."""

    @abstractmethod
    def submit(self, step: Callable[..., T], *arguments: Any) -> Future[T]:
        """Start a step."""

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
                dashboard_address=None,
                host="127.0.0.1",
            )
        try:
            self._client = dask.Client(self._cluster or address, timeout="30s")
        except OSError as error:
            raise MboHubError(f"{address}: no Dask scheduler answers there: {error}") from None
        self._pool = self._client.get_executor(pure=False, retries=2)

    @property
    def slots(self) -> int:
        """How many threads the workers have now; one if they are still to come."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, step: Callable[..., T], *arguments: Any) -> Future[T]:
        """Send a step to a worker."""
        future: Future[T] = self._pool.submit(step, *arguments)
        return future

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster; one that was started here ends."""
        self._pool.shutdown(wait=not at_once)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


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
