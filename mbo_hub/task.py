"""A loaded task: what is visible, what is hidden, and the oracles."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from mbo_hub.arrays import Float32, Float64, Num
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import OracleUnavailable
from mbo_hub.offline import Normalization, Offline
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
    """

    manifest: Manifest
    offline: Offline
    oracles: Oracles
    dataset_sha256: str
    _hidden: Callable[[], XY] = field(repr=False)

    def __repr__(self) -> str:
        rows, dim = self.x.shape
        return f"<Task {self.name} v{self.version}: {rows:,} visible designs × {dim}>"

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
            designs: (n, d) numbers. Only the first `budget` count. XY may be illegal: they score
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

        return verify(self, receipt, designs)
