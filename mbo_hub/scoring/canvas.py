"""Figures in matplotlib's own defaults, whatever a matplotlibrc or MPLBACKEND says.

Every room that draws makes its figures here. Nothing imports pyplot, which would start the backend
that a user, or a notebook around the program, has chosen.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mbo_hub.errors import DrawingFailed, MboHubError

__all__ = ["defaults", "figure", "png"]

# What importing matplotlib or drawing with it raises where fonts, files or settings are unusable.
_FAULTS = (ImportError, OSError, RuntimeError, ValueError)


@contextmanager
def defaults(looks: Any = None) -> Iterator[None]:
    """Draw and write figures inside of it.

    Args:
        looks: a mapping, the settings of matplotlib that differ from its defaults.

    Raises:
        DrawingFailed: matplotlib does not start, or cannot draw what is drawn inside.
    """
    try:
        import matplotlib as mpl

        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(looks or {})
            yield
    except MboHubError:
        raise
    except _FAULTS as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DrawingFailed(
            f"matplotlib cannot draw here: {said}. Its settings come from MPLBACKEND, "
            "MATPLOTLIBRC and MPLCONFIGDIR"
        ) from error


def figure(width: float, height: float) -> Any:
    """Make an empty figure.

    Args:
        width: in inches.
        height: in inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(made)
    return made


def png(drawn: Any, about: str) -> bytes:
    """Write a figure for a card.

    Args:
        drawn: the figure.
        about: a hash of what it shows, since its bytes depend on the version of matplotlib.
    """
    sink = io.BytesIO()
    drawn.savefig(sink, format="png", dpi=120, metadata={"Software": None, "Description": about})
    return sink.getvalue()
