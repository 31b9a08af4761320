"""How slow oracles say how far they are: to whoever asked, else to a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["telling"]

PATIENCE_S = 2.0  # before a progress bar appears


@contextmanager
def telling(
    what: str, total: int, progress: Callable[[float, int], object] | None
) -> Iterator[Callable[[float], object]]:
    """Give a function that takes how many more designs are done.

    Args:
        what: is going on, for the bar.
        total: designs in all.
        progress: is called with the numbers of designs done and of all; None draws a bar with an
            estimate of the time left, if stderr is a terminal and it takes more than two seconds.
    """
    if progress is not None:
        tell, done = progress, 0.0

        def add(more: float) -> None:
            nonlocal done
            done += more
            tell(done, total)

        yield add
    elif sys.stderr.isatty():
        from tqdm import tqdm  # type: ignore[import-untyped]

        layout = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}, {remaining} left"
        with tqdm(total=total, desc=what, leave=False, delay=PATIENCE_S, bar_format=layout) as bar:
            yield bar.update
    else:
        yield lambda more: None
