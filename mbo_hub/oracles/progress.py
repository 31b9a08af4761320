"""How slow work says how far it is: to whoever asked, else to a terminal or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["PATIENCE_S", "each", "telling", "watched"]

PATIENCE_S = 2.0  # before a progress bar appears
TICKS = 1000  # of a bar; whole numbers, since fractions would add up to a bit more than all
T = TypeVar("T")


def watched() -> bool:
    """Tell whether a bar would be seen: stderr is a terminal, or this is a notebook's kernel."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def telling(
    what: str, total: int, progress: Callable[[float, int], object] | None
) -> Iterator[Callable[[float], object]]:
    """Give a function that takes how many more designs, or other things, are done.

    Args:
        what: is going on, for the bar.
        total: things in all.
        progress: is called with the numbers of things done and of all; None draws a bar with an
            estimate of the time left, if stderr is a terminal or this is a notebook, and it takes
            more than two seconds.
    """
    done = 0.0

    def adding(tell: Callable[[float, int], object]) -> Callable[[float], object]:
        def add(more: float) -> None:
            nonlocal done
            done = min(done + more, float(total))  # fractions of designs add up to a bit more
            tell(done, total)

        return add

    if progress is not None:
        yield adding(progress)
    elif watched():
        with _bar(
            what,
            TICKS,
            "{desc}: {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left",
            PATIENCE_S,
        ) as bar:
            yield adding(lambda now, of: bar.update(int(TICKS * now / of) - bar.n))
    else:
        yield lambda more: None


@contextmanager
def each(items: Iterable[T], words: Callable[[T], str]) -> Iterator[Iterator[T]]:
    """Go through a few slow things, and show at once which one is being dealt with.

    Args:
        items: things, each of which takes its time.
        words: says what is going on with one, for the bar.
    """
    things = list(items)
    if not (things and watched()):
        yield iter(things)
        return
    with _bar(
        words(things[0]), len(things), "{desc} ({n_fmt} of {total_fmt} done, {elapsed})"
    ) as bar:

        def going() -> Iterator[T]:
            for thing in things:
                bar.set_description_str(words(thing))
                yield thing
                bar.update()

        yield going()


def _bar(what: str, total: int, layout: str, delay: float = 0.0) -> Any:
    """A bar that is gone when its work is done."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    return tqdm(total=total, desc=what, leave=False, delay=delay, bar_format=layout)
