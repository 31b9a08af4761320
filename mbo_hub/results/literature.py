"""Published figures, from `literature.csv`: who reported what, and which may stand beside ours.

All are normalized scores, (y − y_min)/(y_max − y_min) of the original's data. Most of its tasks
were made anew here, so that only two have the same data and the same kind of oracle.
"""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Literal, NamedTuple

import msgspec

__all__ = ["COMPARABLE", "SOURCES", "Beside", "Published", "Source", "beside", "published"]

# Why figures of a task may stand beside ours; of all other tasks, data or oracle differ.
COMPARABLE = {
    "tfbind8": "the same table of measurements",
    "superconductor": "the same data; the oracle is another forest, which matters (findings)",
}


class Source(NamedTuple):
    """Where figures were published; `secondary` if they were read elsewhere."""

    citation: str
    year: int
    secondary: str = ""


_UNISO = "zhengyihao-yonii/DUO-diffusion-for-universal-bbo"
_BASELINES = "brandontrabucco/design-baselines@785dbcf"
SOURCES = {
    "design-bench-paper": Source(
        "Trabucco et al., Design-Bench, ICML 2022", 2022, "as RGD's Tables 1 and 2 quote it"
    ),
    "design-bench": Source("README of brandontrabucco/design-bench@e529395", 2022),
    "design-baselines": Source(f"README of {_BASELINES}", 2022),
    "ram": Source("Tan et al., RaM, ICLR 2025, Table 2", 2025),
    "ram-median": Source("Tan et al., RaM, ICLR 2025, Table 7", 2025),
    "rgd": Source("Chen et al., RGD, TMLR 2024, arXiv 2410.00983", 2024),
    "root": Source("ROOT, NeurIPS 2025, arXiv 2509.16300, Table 1", 2025),
    "root-few-shot": Source("ROOT, NeurIPS 2025, arXiv 2509.16300, few-shot table", 2025),
    "bootgen": Source("Kim et al., BootGen, NeurIPS 2023, Table 4.1", 2023),
    "bootgen-median": Source("Kim et al., BootGen, NeurIPS 2023, Table 4.2", 2023),
    "dibo": Source("DiBO, arXiv 2603.17919", 2026, "from a summary page"),
    "uniso": Source("UniSO, ICML 2025", 2025, f"from a table in {_UNISO}@82fee35"),
    "uniso-n": Source("UniSO-N", 2026, f"from a table in {_UNISO}@166f7a3"),
}
# Which of them a table shows: the figures of the paper's time, and the same code run again by RaM.
_PAPER = {100: "design-baselines"}
_RERUN = {100: "ram", 50: "ram-median"}


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """A published figure.

    Attributes:
        source: key of `SOURCES`.
        task: its name here; 'gfp' and 'utr' are not tasks of the archive.
        method: its name here, 'D(best)', or what its paper calls a method that is not here.
        percentile: 100 (the best) or 50 (the median) of the designs; None: not stated.
        budget: how many designs were scored; None: not stated.
        seeds: over how many the mean goes; None: not stated.
        mean: normalized, but where `note` says that it is raw.
        spread: around the mean.
        spread_is: its kind: standard deviation or standard error.
        note: what to know before using it.
    """

    source: str
    task: str
    method: str
    percentile: Literal[50, 100] | None = None
    budget: int | None = None
    seeds: int | None = None
    mean: float
    spread: float | None = None
    spread_is: Literal["sd", "se"] | None = None
    note: str = ""

    def __str__(self) -> str:
        return f"{self.mean:.3f}" if self.spread is None else f"{self.mean:.3f} ± {self.spread:.3f}"


class Beside(NamedTuple):
    """What may stand beside a figure of ours.

    Attributes:
        paper: the README of the original's methods, of the paper's time.
        rerun: the same code, run again with 8 seeds by the authors of RaM.
    """

    paper: Published | None
    rerun: Published | None


@cache
def published() -> tuple[Published, ...]:
    """Return all published figures."""
    text = files("mbo_hub.results").joinpath("literature.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    stated = [{name: cell for name, cell in row.items() if cell} for row in rows]
    return tuple(msgspec.convert(stated, list[Published], strict=False))


def beside(task: str, method: str, percentile: int) -> Beside:
    """Find what may stand beside our figure: nothing unless the task is `COMPARABLE`.

    Args:
        task: a name of the archive.
        method: a name of `mbo_hub.methods`, or 'D(best)'.
        percentile: 100 for the best of 128 designs, 50 for their median.
    """
    if task not in COMPARABLE:
        return Beside(None, None)
    found = {
        entry.source: entry
        for entry in published()
        if (entry.task, entry.method, entry.percentile) == (task, method, percentile)
    }
    paper, rerun = _PAPER.get(percentile, ""), _RERUN.get(percentile, "")
    return Beside(found.get(paper), found.get(rerun))
