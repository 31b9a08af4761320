"""A loaded task: what is visible, what is hidden, and the oracles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, SupportsIndex

import msgspec
import numpy as np

from mbo_hub.arrays import Bool, Float32, Float64, Num
from mbo_hub.dataset.figures import measure, rule_of
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.dataset.subset import By, Subset
from mbo_hub.dataset.subset import subset as make_subset
from mbo_hub.errors import OracleUnavailable
from mbo_hub.offline import Affine, Normalization, Offline
from mbo_hub.oracles import Oracle
from mbo_hub.oracles.kinds import XY
from mbo_hub.scoring.evaluate import BUDGET, evaluate
from mbo_hub.scoring.report import Report
from mbo_hub.spaces import Box, Sequence

__all__ = ["Oracles", "Task"]


if TYPE_CHECKING:
    from mbo_hub.scoring.verify import Verification

    _Oracles = Mapping[str, Oracle]
else:
    _Oracles = Mapping  # a checker of the items' types would open them


class Oracles(_Oracles):
    """A task's oracles by name, each opened when it is first asked for.

    Args:
        openers: by name, the function that opens the oracle.
    """

    def __init__(self, openers: Mapping[str, Callable[[], Oracle]]) -> None:
        self._openers = openers
        self._opened: dict[str, Oracle] = {}

    def __getitem__(self, name: str) -> Oracle:
        if name not in self._opened:
            if name not in self._openers:
                known = ", ".join(self._openers) or "none"
                raise OracleUnavailable(f"no oracle named {name!r}; this task has: {known}")
            self._opened[name] = self._openers[name]()
        return self._opened[name]

    def __contains__(self, name: object) -> bool:
        return name in self._openers

    def __iter__(self) -> Iterator[str]:
        return iter(self._openers)

    def __len__(self) -> int:
        return len(self._openers)


@dataclass(frozen=True, eq=False)
class Task:
    """An offline problem with its oracles; `mbo_hub.load` makes it.

    Give a method `task.offline`: it has the visible data and no oracle.

    Attributes:
        manifest: the content of task.json.
        offline: what an offline method may see.
        oracles: by name; opened when first asked for.
        dataset_sha256: of task.json.
        selected: which rows `subset` made visible; None: those of the published task.
    """

    manifest: Manifest
    offline: Offline
    oracles: Oracles
    dataset_sha256: str
    _hidden: Callable[[], XY] = field(repr=False)
    _measured: Callable[[], XY] | None = field(default=None, repr=False)  # where y is the oracle's
    selected: Subset | None = None
    _published: Task | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        rows, dim = self.x.shape
        part = "" if self.selected is None else f", {self.selected}"
        return f"<Task {self.name} v{self.version}: {rows:,} visible designs × {dim}{part}>"

    @property
    def name(self) -> str:
        """The task's name."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """Version of the dataset, without the v of its tag."""
        return self.manifest.version

    @property
    def space(self) -> Sequence | Box:
        """What a legal design is."""
        return self.offline.space

    @property
    def x(self) -> Num[np.ndarray, "n d"]:
        """Visible designs, (n, d), int8 tokens or float32; read-only."""
        return self.offline.x

    @property
    def y(self) -> Float32[np.ndarray, " n"]:
        """Objective of the visible designs, (n,), raw units, larger is better; read-only."""
        return self.offline.y

    @property
    def normalization(self) -> Normalization:
        """Rescalings fitted on the visible rows, for learning."""
        return self.offline.normalization

    @property
    def hidden(self) -> XY:
        """The test split, read from disk at each call: x (m, d) and y (m,). Not for methods."""
        return self._hidden()

    def subset(
        self,
        visible: tuple[float | int, float | int] | None = None,
        rows: SupportsIndex | None = None,
        *,
        seed: SupportsIndex = 0,
        by: By = "uniform",
    ) -> Task:
        """Give the same task with another visible part: harder or easier, or with few designs.

        Reads the hidden rows from disk. The oracle and the range of y that scores refer to stay;
        the normalization and D(best) are those of the new part, and receipts say which it is.
        Percentiles are of y as measured, over the full data, whatever was made visible before.

        Args:
            visible: lower and upper percentile of y; rows at a cut are visible. None: the rows that
                are visible in the published task.
            rows: show only so many of those, drawn at random; None: all.
            seed: of the drawing.
            by: how likely a row is drawn: all alike ('uniform'), or the likelier the lower its y
                ('linear', 'quadratic', 'circular', 'exponential', Design-Bench's distributions).

        Returns:
            The task; with neither `visible` nor `rows`, the published one.

        Raises:
            InvalidSubset: the arguments say no part of the data, or there are not so many rows.

        Example:
            >>> import mbo_hub
            >>> mbo_hub.load("tfbind8").subset(visible=(0, 20), rows=500)
            <Task tfbind8 v1.0.0: 500 visible designs × 8, 500 rows of percentiles 0 to 20 of the full data (uniform, seed 0)>
        """  # noqa: E501 -- what it prints
        if visible is None and rows is None:
            return self.showing(None)
        return self.showing(make_subset(visible, rows, seed, by))

    def showing(self, selected: Subset | None) -> Task:
        """Give the same task with the visible part that a receipt or a record names.

        Args:
            selected: the part; None: what is published.

        Raises:
            InvalidSubset: there are not so many rows.
        """
        if selected == self.selected:
            return self
        published = self._published or self
        return published if selected is None else _part(published, selected)

    @property
    def oracle_name(self) -> str:
        """Name of the task's own oracle, the first that task.json lists.

        Raises:
            OracleUnavailable: the task has none.
        """
        for name in self.oracles:
            return name
        raise OracleUnavailable(f"{self.name} was published without an oracle")

    @property
    def oracle(self) -> Oracle:
        """The task's own oracle: raw designs (n, d) → raw objective (n,) float32.

        Raises:
            OracleUnavailable: the task has none, or it cannot run here.
        """
        return self.oracles[self.oracle_name]

    def score(self, y: Any) -> Float64[np.ndarray, "*n"]:
        """Rescale raw objective values so that the full data span 0 to 1; never clipped.

        Args:
            y: raw values of any shape.
        """
        return self.manifest.statistics.score(y)

    def evaluate(
        self,
        designs: Any,
        *,
        budget: SupportsIndex = BUDGET,
        project: bool = False,
        oracle: str | None = None,
    ) -> Report:
        """Score designs and describe them.

        Args:
            designs: (n, d) numbers. Only the first `budget` count. Rows may be illegal: they score
                NaN and are counted as invalid.
            budget: how many designs count, any whole number, NumPy's too; the field uses 128.
            project: replace illegal designs by the nearest legal ones first, and say how many.
            oracle: name of another oracle than the task's own.

        Returns:
            The report; `print` it, or `save` it as a receipt.

        Raises:
            InvalidDesign: no designs, or not an (n, d) array of numbers.
            OracleUnavailable: the oracle cannot run here.
            ValueError: the budget is not a whole number of at least 1.
        """
        return evaluate(self, designs, oracle=oracle, budget=budget, project=project)

    def verify(self, receipt: Report | str | os.PathLike[str], designs: Any) -> Verification:
        """Compute a receipt again from the same designs.

        Args:
            receipt: a report, or the file of a saved one.
            designs: the designs that it is said to be about, (n, d).

        Returns:
            What differs, and whether the receipt holds.

        Raises:
            InvalidFile: the receipt cannot be read, was edited, or is about another task.
            InvalidDesign: the designs are no array of this task.
            OracleUnavailable: the oracle cannot run here.
        """
        from mbo_hub.scoring.verify import verify

        said = receipt if isinstance(receipt, Report) else Report.read(receipt)
        return verify(self.showing(said.subset), said, designs)


def _part(task: Task, selected: Subset) -> Task:
    """Show another part of a published task."""
    hidden_x, hidden_y = task.hidden
    x, y = np.concatenate([task.x, hidden_x]), np.concatenate([task.y, hidden_y])
    measured = y if task._measured is None else task._measured()[1]
    chosen = selected.choose(measured, len(task.x))
    shown = np.zeros(len(y), bool)
    shown[chosen] = True
    part_x, part_y = x[shown], y[shown]
    part_x.flags.writeable = part_y.flags.writeable = False
    figures = measure(part_x, measured[shown], measured[~shown])
    rule = task.manifest.split
    if selected.visible is not None:
        rule = rule_of(selected.visible, measured)
    if rule is not None:
        rule = msgspec.structs.replace(rule, sampled=selected.rows)
    scale_x = Affine.of(figures.x_mean, figures.x_std)
    offline = replace(
        task.offline, x=part_x, y=part_y, normalization=Normalization(scale_x, Affine.fit(part_y))
    )
    return replace(
        task,
        manifest=msgspec.structs.replace(task.manifest, statistics=figures, split=rule),
        offline=offline,
        selected=selected,
        _hidden=partial(_others, task, shown),
        _measured=None,
        _published=task,
    )


def _others(task: Task, shown: Bool[np.ndarray, " rows"]) -> XY:
    """The rows of a published task that a part of it does not show."""
    hidden_x, hidden_y = task.hidden
    return np.concatenate([task.x, hidden_x])[~shown], np.concatenate([task.y, hidden_y])[~shown]
