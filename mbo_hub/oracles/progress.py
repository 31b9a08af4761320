"""How slow work says how far it is: to whoever asked, else to a terminal or a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["PATIENCE_S", "telling", "watched"]

PATIENCE_S = 2.0  # before a progress bar appears


def watched() -> bool:
    """Tell whether a bar would be seen: stderr is a terminal, or this is a notebook's kernel."""
    return sys.stderr.isatty() or "ipykernel" in sys.modules


@contextmanager
def telling(
    what: str, total: int, progress: Callable[[float, int], object] | None
) -> Iterator[Callable[[float], object]]:
    """Give a function that takes how many more designs are done.

    Args:
        what: is going on, for the bar.
        total: designs in all.
        progress: is called with the numbers of designs done and of all; None draws a bar with an
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
        from tqdm.auto import tqdm  # type: ignore[import-untyped]

        layout = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
        with tqdm(total=total, desc=what, leave=False, delay=PATIENCE_S, bar_format=layout) as bar:
            yield adding(lambda now, _: bar.update(now - bar.n))
    else:
        yield lambda more: None
