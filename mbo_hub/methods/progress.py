"""How far a run is: a function that is told the fraction done."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "part"]

Progress = Callable[[float], None]  # takes the fraction that is done, from 0 to 1


def part(progress: Progress, start: float, end: float) -> Progress:
    """Report the progress of a step as a part of the whole."""
    return lambda done: progress(start + (end - start) * done)
