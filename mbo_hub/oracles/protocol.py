"""What every oracle is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from mbo_hub.arrays import Float32, Num
from mbo_hub.dataset.lines import Line
from mbo_hub.spaces import Box, Sequence

__all__ = ["Agreement", "Answer", "Fingerprint", "Limits", "Oracle"]

Agreement = Literal["exact", "compatible"]


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt says about the oracle that scored.

    Attributes:
        kind: table, onnx, ….
        sha256: of the oracle's file, or of the table's values.
        runtime: name and version of what computes, e.g. ``onnxruntime 1.31.1``.
    """

    kind: Line
    sha256: Line
    runtime: Line


class Answer(NamedTuple):
    """What an oracle says about designs.

    Attributes:
        y: objective values, (n,) float32, raw units; NaN for a design that cannot be scored.
        spread: how far apart the parts of the oracle are about each, (n,) float32, raw units: the
            standard deviation of a forest's trees. None for an oracle that has no parts.
    """

    y: Float32[np.ndarray, " n"]
    spread: Float32[np.ndarray, " n"] | None = None


@dataclass(frozen=True)
class Limits:
    """What a process may take.

    Attributes:
        seconds: of time, from its start to its end.
        gigabytes: of memory, of 10⁹ bytes; not kept on Windows, which has no such limit.
    """

    seconds: float | int = 60
    gigabytes: float | int = 4

    def __str__(self) -> str:
        return f"{self.seconds:g} s and {self.gigabytes:g} GB of memory"


class Oracle(ABC):
    """A function from designs to objective values.

    It validates first, has no hidden random state, and gives a design the same value whatever the
    batch it comes in and the number of threads.

    Attributes:
        space: what a legal design is.
        exact: whether this oracle defines the task's objective.
    """

    space: Sequence | Box
    exact: bool
    _locate: Callable[[], Path] | None = None  # whoever opens the oracle from a folder says it

    @property
    def path(self) -> Path | None:
        """The file that computes, such as an .onnx; None where that is no file of the task's.

        Where the file comes from the Hub, it is in huggingface_hub's cache; read it, and copy it to
        keep it.

        Example:
            >>> import mbo_hub
            >>> mbo_hub.load("tfbind8").oracles["onnx"].path.name
            'model.onnx'
        """
        return None if self._locate is None else self._locate()

    @property
    @abstractmethod
    def fingerprint(self) -> Fingerprint:
        """What a receipt says about this oracle."""

    @property
    def agreement(self) -> Agreement | None:
        """How golden values come out here: "exact" to the bit, or "compatible" within tolerance.

        None for an oracle that needs no such check, since a file or a table is the same everywhere.
        """
        return None

    @abstractmethod
    def answer(self, legal: Num[np.ndarray, "n d"]) -> Answer:
        """Score designs that `space.validate` has returned, without checking them again.

        Raises:
            OracleUnavailable: the oracle cannot run here.
        """

    def __call__(self, designs: Any) -> Float32[np.ndarray, " n"]:
        """Score designs.

        Args:
            designs: (n, d) legal designs.

        Returns:
            Objective values, (n,) float32, in raw units; NaN for one that cannot be scored.

        Raises:
            InvalidDesign: names the first illegal design.
            OracleUnavailable: the oracle cannot run here.
        """
        return self.answer(self.space.validate(designs)).y

    def spread(self, designs: Any) -> Float32[np.ndarray, " n"] | None:
        """Tell how far apart the parts of the oracle are about designs, if it has parts.

        Args:
            designs: (n, d) legal designs.

        Returns:
            Standard deviation of a forest's trees, (n,) float32, in raw units; else None.

        Raises:
            InvalidDesign: names the first illegal design.
            OracleUnavailable: the oracle cannot run here.
        """
        return self.answer(self.space.validate(designs)).spread
