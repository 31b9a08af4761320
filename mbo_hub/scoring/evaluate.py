"""Score designs: `evaluate` makes a `Report`, which is its own receipt."""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, SupportsIndex

import numpy as np

from mbo_hub._version import __version__
from mbo_hub.arrays import Bool, Float32, Float64, Num
from mbo_hub.dataset.manifest import Manifest, OracleEntry, Statistics
from mbo_hub.dataset.subset import Subset
from mbo_hub.errors import InvalidDesign
from mbo_hub.offline import Offline
from mbo_hub.oracles.protocol import Oracle
from mbo_hub.scoring import molecules, report, trust
from mbo_hub.scoring.molecules import Molecules
from mbo_hub.scoring.report import Report, Summary
from mbo_hub.spaces import Sequence, Space

__all__ = ["BUDGET", "Scorable", "evaluate", "figures", "first_designs_sha256"]

BUDGET = 128  # designs; the field's usual evaluation budget (Trabucco et al., 2022)


class Scorable(Protocol):
    """What designs are scored on; `mbo_hub.Task` is one."""

    @property
    def manifest(self) -> Manifest:
        """The content of task.json."""

    @property
    def dataset_sha256(self) -> str:
        """Of task.json."""

    @property
    def offline(self) -> Offline:
        """The visible data."""

    @property
    def hidden(self) -> tuple[Num[np.ndarray, "m d"], Float32[np.ndarray, " m"]]:
        """The hidden designs and their values."""

    @property
    def selected(self) -> Subset | None:
        """Which rows are visible, where these are not the published ones."""

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """What scores, by name."""

    @property
    def oracle_name(self) -> str:
        """Name of the task's own oracle."""


if not TYPE_CHECKING:
    Scorable = object  # whoever checks at run time that a task has hidden rows reads them


def evaluate(
    task: Scorable,
    designs: Any,
    *,
    oracle: str | None = None,
    budget: SupportsIndex = BUDGET,
    project: bool = False,
) -> Report:
    """Score the first `budget` designs and describe them; `Task.evaluate` is the usual way in.

    Args:
        task: what they are scored on.
        designs: (n, d) numbers; rows may be illegal.
        oracle: name of another oracle than the task's own.
        budget: how many designs count.
        project: first replace illegal designs by the nearest legal ones.

    Raises:
        InvalidDesign: no designs at all, or an array of the wrong shape.
        OracleUnavailable: the oracle cannot run here.
        ValueError: the budget is not a whole number of at least 1.
    """
    count = _whole(budget)
    name = oracle or task.oracle_name
    judge, manifest, offline = task.oracles[name], task.manifest, task.offline
    space, scale = offline.space, offline.normalization.x.std
    if hasattr(designs, "designs") and hasattr(designs, "projected"):
        raise InvalidDesign("a Proposal holds more than designs; pass these:  proposal.designs")
    array = space.as_array(designs)
    if not len(array):
        raise InvalidDesign("there are no designs to score (0 rows)")
    given = array[:count]
    legal = space.legal(given)
    usable, projected = given, None
    if project:
        usable, fixed = _project(space, given, legal)
        projected, legal = int(np.count_nonzero(fixed)), legal | fixed
    scored = space.image(usable[legal])  # checked just now, and not again below
    answer = judge.answer(scored)
    finite = np.isfinite(answer.y)  # a robot that MuJoCo cannot build is no design either
    y = np.full(len(given), np.nan)
    y[legal] = answer.y
    legal, valid = np.isfinite(y), scored[finite]
    nearest = space.nearest(valid, offline.x, scale)
    values = tuple(v if math.isfinite(v) else None for v in y.tolist())
    made = Report(
        format=report.FORMAT,
        task=manifest.name,
        title=manifest.title,
        version=manifest.version,
        dataset_sha256=task.dataset_sha256,
        subset=task.selected,
        oracle=name,
        exact=judge.exact,
        fingerprint=judge.fingerprint,
        agreement=judge.agreement,
        libraries={
            "mbo_hub": __version__,
            "numpy": np.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
        },
        budget=count,
        given=len(array),
        designs_sha256=designs_sha256(usable, space),
        projected=projected,
        y=values,
        **figures(values, manifest.statistics),
        unit=manifest.objective.unit,
        invalid=1 - len(valid) / len(given),
        duplicate=(len(valid) - len(np.unique(valid, axis=0))) / len(given),
        visible=float(np.count_nonzero(nearest == 0)) / len(given),
        diversity=space.mean_distance(valid, scale),
        novelty=float(nearest.mean()) if len(valid) else None,
        metric=space.metric,
        spread=None if answer.spread is None else _by_row(legal, answer.spread[finite]),
        molecules=_molecules(manifest, legal, valid, offline),
        notation=manifest.notation,
        **_support(task, manifest.oracles[name], legal, valid),
    )
    return made._beside(offline.y)


def _whole(budget: Any) -> int:
    """Return the budget as an int; refuse bool, NumPy's too."""
    try:
        whole = 0 if isinstance(budget, bool | np.bool_) else operator.index(budget)
    except TypeError:
        whole = 0
    if whole < 1:
        raise ValueError(f"budget is a whole number of at least 1, got {budget!r}")
    return whole


def _support(
    task: Scorable,
    entry: OracleEntry,
    legal: Bool[np.ndarray, " n"],
    valid: Num[np.ndarray, "m d"],
) -> dict[str, Any]:
    """The fields of a report that say how far designs are from what the oracle was trained on."""
    if entry.support is None:
        return {}
    offline = task.offline
    trained_on = np.concatenate([offline.x, task.hidden[0]])
    apart = offline.space.nearest(valid, trained_on, offline.normalization.x.std)
    percentiles = trust.percentiles(entry.support, apart)
    outside = float(np.mean(percentiles >= trust.OUTSIDE)) if len(percentiles) else None
    return {"support": _by_row(legal, percentiles), "outside": outside}


def _molecules(
    manifest: Manifest,
    legal: Bool[np.ndarray, " n"],
    valid: Num[np.ndarray, "m d"],
    offline: Offline,
) -> Molecules | None:
    """Judge designs that are written as SMILES, where RDKit is there."""
    space = offline.space
    if manifest.notation != "smiles" or not isinstance(space, Sequence):
        return None
    if not molecules.is_available():
        return None
    texts = iter(space.decode(valid))
    smiles = [next(texts) if row else None for row in legal]
    return molecules.describe(smiles, space.decode(offline.x))


def _by_row(
    legal: Bool[np.ndarray, " n"], values: Num[np.ndarray, " m"]
) -> tuple[float | None, ...]:
    """Values of the legal rows, and None for the others."""
    of_legal = iter(values.tolist())
    return tuple(next(of_legal) if row else None for row in legal)


def figures(y: tuple[float | None, ...], statistics: Statistics) -> dict[str, Any]:
    """The fields of a report that follow from the scores alone."""
    scored = np.array([v for v in y if v is not None], np.float64)
    raw, normalized = _summary(scored), _summary(statistics.score(scored))
    best_visible = statistics.best_visible
    best_visible_normalized = statistics.score(best_visible).item()
    return {
        "raw": raw,
        "normalized": normalized,
        "best_visible": best_visible,
        "best_visible_normalized": best_visible_normalized,
        "improvement": None if raw.best is None else raw.best - best_visible,
        "improvement_normalized": (
            None if normalized.best is None else normalized.best - best_visible_normalized
        ),
    }


def _project(
    space: Space, given: Num[np.ndarray, "n d"], legal: Bool[np.ndarray, " n"]
) -> tuple[Num[np.ndarray, "n d"], Bool[np.ndarray, " n"]]:
    """Replace illegal rows that have a nearest legal design; tell which ones were replaced."""
    fixed = np.zeros(len(given), bool)
    out = given.astype(np.float64)  # holds any token and any float32
    for row in np.flatnonzero(~legal):
        try:
            out[row] = space.project(given[row : row + 1])[0]
        except InvalidDesign:  # NaN: it has no nearest legal design and stays invalid
            continue
        fixed[row] = True
    return out, fixed


def _summary(y: Float64[np.ndarray, " n"]) -> Summary:
    if not len(y):
        return Summary(best=None, p90=None, p80=None, median=None, mean=None)
    p80, p90 = np.percentile(y, [80, 90]).tolist()
    return Summary(
        best=y.max().item(), p90=p90, p80=p80, median=np.median(y).item(), mean=y.mean().item()
    )


def designs_sha256(seen: Num[np.ndarray, "n d"], space: Space) -> str:
    """Hash designs as the task sees them: equal for equal designs, whatever they were written in.

    A box sees float32 numbers, a sequence sees int8 tokens, where -1 stands for what is no token.
    """
    image = space.image(seen)
    if image.dtype.kind == "f":
        image = np.where(np.isnan(image), np.float32(np.nan), image) + np.float32(
            0
        )  # one 0, one NaN
    return sha256(np.ascontiguousarray(image, image.dtype.newbyteorder("<")).tobytes()).hexdigest()


def first_designs_sha256(task: Scorable, designs: Any, budget: int) -> str:
    """Hash designs as receipts of format 1 did: as they were given, in float64."""
    exact = np.ascontiguousarray(task.offline.space.as_array(designs)[:budget], "<f8")
    exact = np.where(np.isnan(exact), np.nan, exact) + 0.0  # one NaN, one zero
    return sha256(exact.tobytes()).hexdigest()
