"""What works on the steps of runs, and the processes of this machine that do.

An engine takes steps, gives a future for each, and says how many it has room for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

import mbo_hub.results.work as work
from mbo_hub.oracles.threads import cores

__all__ = ["Engine", "LocalEngine"]

T = TypeVar("T")


class Engine:
    """What works on steps; use it as a context, which ends it."""

    look_again: float | None = None  # seconds after which it may have room that it had not

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

    @property
    def slots(self) -> int:
        """How many processes there are."""
        return self._slots

    def submit(self, step: Callable[..., T], *arguments: Any, first: bool = False) -> Future[T]:
        """Start a step as soon as a process is free; none waits, so that none is first."""
        return self._pool.submit(step, *arguments)

    def close(self, *, at_once: bool) -> None:
        """Wait for what is going on, or end it."""
        self._pool.shutdown(wait=False, cancel_futures=at_once)
        if at_once:
            work.stop()
        self._pool.shutdown()
