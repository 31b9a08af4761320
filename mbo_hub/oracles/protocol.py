"""What every oracle is."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import msgspec
import numpy as np

from mbo_hub.arrays import Float32

__all__ = ["Fingerprint", "Oracle"]


class Fingerprint(msgspec.Struct, frozen=True, kw_only=True):
    """What a receipt says about the oracle that scored.

    Attributes:
        kind: table, onnx, ….
        sha256: of the oracle's file, or of the table's values.
        runtime: name and version of what computes, e.g. ``onnxruntime 1.31.1``.
    """

    kind: str
    sha256: str
    runtime: str


@runtime_checkable
class Oracle(Protocol):
    """A function from designs to objective values.

    It validates first, has no hidden random state, and gives a design the same value whatever the
    batch it comes in and the number of threads.
    """

    @property
    def exact(self) -> bool:
        """Whether this oracle defines the task's objective."""

    @property
    def fingerprint(self) -> Fingerprint:
        """What a receipt says about this oracle."""

    def __call__(self, designs: Any) -> Float32[np.ndarray, " n"]:
        """Score designs.

        Args:
            designs: (n, d) legal designs.

        Returns:
            Objective values, (n,) float32, in raw units.

        Raises:
            InvalidDesign: names the first illegal design.
            OracleUnavailable: the oracle cannot run here.
        """
