"""What works on the steps of runs: it takes steps and gives a future for each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["Engine"]

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
