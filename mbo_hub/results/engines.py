"""Where steps are worked on: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

import mbo_hub.results.child as child
from mbo_hub.oracles.threads import cores
from mbo_hub.results.engine import Engine

__all__ = ["LocalEngine", "engine"]

T = TypeVar("T")


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
            child.stop()  # again and again: a thread may just be starting a process
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
