"""Threads that share work, and that Ctrl-C stops."""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import TypeVar

__all__ = ["GRACE_S", "THREADS", "cores", "share_out"]

THREADS = "MBO_HUB_THREADS"  # of the environment: so many for each process
GRACE_S = 0.5  # that threads have to end once they are told to
POLL_S = 0.1  # between two looks for Ctrl-C, where waiting for a lock does not notice it (Windows)

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """Count the processor cores that this process may use: fewer than all under taskset or SLURM.

    `MBO_HUB_THREADS` says another number; with Python 3.13 or newer, `PYTHON_CPU_COUNT`, too.
    """
    if (said := os.environ.get(THREADS, "")).isdecimal():
        return max(1, int(said))
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def share_out(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    threads: int,
    stop: Callable[[], object] = lambda: None,
) -> list[Result]:
    """Do some work for each item on several threads, while this one waits.

    An exception of a thread or Ctrl-C here stops all. A thread that does not end in half a second
    is left to itself; it does not keep the process alive.

    Args:
        work: is done for an item; must let go of Python's lock, or threads gain nothing.
        items: shared out one by one.
        threads: at most this many.
        stop: tells work that is under way to end.

    Returns:
        What came of each item, in their order.

    Raises:
        BaseException: the first that a thread raised, or what interrupted the wait.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)
    ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    results: dict[int, Result] = {}

    def labour() -> None:
        try:
            while (number := _take(waiting)) is not None:
                results[number] = work(items[number])
        except BaseException as error:  # is raised in the thread that waits
            ended.put(error)
        else:
            ended.put(None)

    workers = [Thread(target=labour, daemon=True) for _ in range(min(threads, len(items)))]
    try:
        for worker in workers:
            worker.start()
        for _ in workers:
            if (error := _next(ended)) is not None:
                raise error
    except BaseException:
        _stop(workers, waiting, stop)
        raise
    return [results[number] for number in range(len(items))]


def _take(waiting: queue.SimpleQueue[int]) -> int | None:
    try:
        return waiting.get_nowait()
    except queue.Empty:
        return None


def _next(ended: queue.SimpleQueue[BaseException | None]) -> BaseException | None:
    while True:
        try:
            return ended.get(timeout=POLL_S)
        except queue.Empty:
            continue


def _stop(
    workers: list[Thread], waiting: queue.SimpleQueue[int], stop: Callable[[], object]
) -> None:
    while _take(waiting) is not None:
        pass
    stop()
    end = time.monotonic() + GRACE_S
    for worker in workers:
        if worker.ident is not None:
            worker.join(max(0.0, end - time.monotonic()))
