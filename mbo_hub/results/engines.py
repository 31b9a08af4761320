"""Where the steps of runs are worked on: processes of this machine, or a Dask cluster.

An engine takes steps, gives a future for each, and says how many it has room for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Any, TypeVar

import mbo_hub.results.work as work
from mbo_hub.oracles.threads import cores

__all__ = ["Engine", "LocalEngine", "engine"]

T = TypeVar("T")


class Engine:
    """What works on steps; use it as a context, which ends it.

    Attributes:
        look_again: seconds after which it may have room that it had not; None: it never has.
    """

    look_again: float | None = None

    @property
    @abstractmethod
    def slots(self) -> int:
        """How many steps it works on at a time, now."""

    @property
    def room(self) -> int:
        """How many steps it takes at a time, now: those that it works on, and what may wait."""
        return self.slots

    @abstractmethod
    def submit(self, step: Callable[..., T], *arguments: Any, first: bool = False) -> Future[T]:
        """Start a step as soon as there is a place; first: before others that wait."""

    def wait(self, futures: Collection[Future[T]]) -> set[Future[T]]:
        """Wait until a step came to its end, or it is time to look again; give those that did."""
        return wait(futures, self.look_again, return_when=FIRST_COMPLETED).done

    def result(self, future: Future[T]) -> T:
        """What a step came to.

        Raises:
            MboHubError: the engine was lost; or whatever the step raised.
        """
        return future.result()

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
        self._going: set[Future[Any]] = set()

    @property
    def slots(self) -> int:
        """How many processes there are."""
        return self._slots

    def submit(self, step: Callable[..., T], *arguments: Any, first: bool = False) -> Future[T]:
        """Start a step as soon as a process is free; none waits, so that none is first."""
        future = self._pool.submit(step, *arguments)
        self._going.add(future)
        future.add_done_callback(self._going.discard)
        return future

    def close(self, *, at_once: bool) -> None:
        """Wait for what is going on, or end it."""
        self._pool.shutdown(wait=False, cancel_futures=at_once)
        while at_once and (going := list(self._going)):
            work.stop()  # again and again: a thread may just be starting a process
            wait(going, timeout=0.1)
        self._pool.shutdown()


def engine(name: str, jobs: int | None = None) -> Engine:
    """Start an engine.

    Args:
        name: 'local', 'dask' for a cluster on this machine, or 'dask:ADDRESS' of a scheduler, such
            as dask:tcp://127.0.0.1:8786.
        jobs: how many processes here; how many steps a cluster elsewhere gets at a time.

    Raises:
        ValueError: there is no such engine.
        MissingExtra: dask.distributed is not installed.
        MboHubError: there is no scheduler at the address.
    """
    kind, colon, address = name.partition(":")
    if name == "local":
        return LocalEngine(jobs)
    if kind == "dask" and (address or not colon):
        from mbo_hub.results.dask_engine import DaskEngine

        return DaskEngine(address or None, jobs)
    raise ValueError(f"no engine {name!r}; there are local, dask, and dask:tcp://HOST:8786")
