"""Score many designs on a cluster: rows are shared out, and values do not depend on how."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import numpy as np

import mbo_hub
from mbo_hub.archive.folders import everywhere
from mbo_hub.arrays import Num
from mbo_hub.oracles.protocol import Agreement, Answer, Fingerprint, Oracle
from mbo_hub.results.engine import Engine
from mbo_hub.task import Oracles, Task

__all__ = ["shared_out"]

PARTS = 4  # of each thread, so that none waits long for the last one
LEAST = 64  # parts, even where there are no workers yet
LARGEST = 2**22  # bytes of designs in a part: Dask asks for less than 10 MB at a time
_loading = threading.Lock()


def shared_out(task: Task, engine: Engine, place: str) -> Task:
    """Give a task whose oracles score on the workers of an engine.

    Args:
        task: as loaded here.
        engine: where to score.
        place: where workers load the task from: a name, a repository, or a folder that they have.
    """
    place = everywhere(place)

    def opener(name: str) -> Callable[[], Oracle]:
        return lambda: _SharedOut(task, name, engine, place)

    return replace(task, oracles=Oracles({name: opener(name) for name in task.oracles}))


class _SharedOut(Oracle):
    """Asks workers about a part of the designs each."""

    def __init__(self, task: Task, name: str, engine: Engine, place: str) -> None:
        here = task.oracles[name]
        self.space, self.exact = here.space, here.exact
        self._here, self._engine = here, engine
        self._asked = (place, name, task.dataset_sha256)

    @property
    def fingerprint(self) -> Fingerprint:
        """That of the oracle as it is here."""
        return self._here.fingerprint

    @property
    def agreement(self) -> Agreement | None:
        """How golden values come out here."""
        return self._here.agreement

    def answer(self, legal: Num[np.ndarray, "n d"]) -> Answer:
        """Score rows wherever there is a worker, and put them together in order."""
        wanted = max(PARTS * self._engine.slots, LEAST, math.ceil(legal.nbytes / LARGEST))
        parts = np.array_split(legal, max(1, min(len(legal), wanted)))
        futures = [self._engine.submit(_answer, *self._asked, part) for part in parts]
        waiting = set(futures)
        while waiting:
            for future in self._engine.wait(waiting):
                self._engine.result(future)  # an error ends it at once
                waiting.remove(future)
        answers = [self._engine.result(future) for future in futures]
        y = np.concatenate([a.y for a in answers])
        spreads = [a.spread for a in answers if a.spread is not None]
        return Answer(y, np.concatenate(spreads) if spreads else None)


def _answer(place: str, name: str, dataset_sha256: str, part: Num[np.ndarray, "m d"]) -> Answer:
    """Score some rows, on a worker."""
    with _loading:  # threads of a worker share what one of them loaded
        task = _task(place)
        oracle = task.oracles[name]
        _ = oracle.agreement  # takes seconds of a simulator; once is enough
    if task.dataset_sha256 != dataset_sha256:
        raise mbo_hub.IntegrityError(
            f"{place}: a worker has another version of it (task.json {task.dataset_sha256[:12]}…, "
            f"here {dataset_sha256[:12]}…)"
        )
    return oracle.answer(part)


@lru_cache(4)
def _task(place: str) -> Task:
    return mbo_hub.load(place)
