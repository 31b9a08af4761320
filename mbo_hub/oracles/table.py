"""The oracle of a task whose whole domain was measured: a table of every design's value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import ClassVar

import numpy as np

from mbo_hub.arrays import Float32, Int64, Num
from mbo_hub.errors import OracleUnavailable
from mbo_hub.oracles.kinds import Bench, Deposit, Kind, Made, OracleSpec
from mbo_hub.oracles.protocol import Answer, Fingerprint, Oracle
from mbo_hub.spaces import Box, Sequence

__all__ = ["KIND", "Table", "TableOracle", "table_index"]

LARGEST = 1 << 26  # entries; 256 MB of float32


def table_index(space: Sequence, tokens: Num[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
    """Number each design: its tokens read as digits, the first one the most significant."""
    index = np.zeros(len(tokens), np.int64)
    for column in tokens.T:
        index *= len(space.alphabet)
        index += column
    return index


class TableOracle(Oracle):
    """Looks designs up.

    Args:
        space: of the task: a `Sequence` without padding.
        x: measured designs, (n, d), every legal design at least once.
        y: their values, (n,); equal designs have equal values.
        exact: whether the table defines the objective.

    Raises:
        OracleUnavailable: the rows do not cover the domain, or contradict each other.
    """

    def __init__(
        self,
        space: Sequence | Box,
        x: Num[np.ndarray, "n d"],
        y: Float32[np.ndarray, " n"],
        *,
        exact: bool = True,
    ) -> None:
        if not isinstance(space, Sequence) or space.padding is not None:
            raise OracleUnavailable("a table oracle needs a Sequence space without padding")
        if space.cardinality > LARGEST:
            raise OracleUnavailable(
                f"a table of {space.cardinality:,} designs is too large; the limit is {LARGEST:,}"
            )
        self.space: Sequence = space
        self.exact = exact
        self.values: Float32[np.ndarray, " all"] = np.full(space.cardinality, np.nan, np.float32)
        index = table_index(space, space.validate(x))
        self.values[index] = y
        missing = np.count_nonzero(np.isnan(self.values))
        if missing:
            raise OracleUnavailable(f"the table lacks {missing:,} of {space.cardinality:,} designs")
        conflicts = np.flatnonzero(self.values[index] != y)
        if len(conflicts):
            raise OracleUnavailable(
                f"the table has two values for the design of row {int(conflicts[0])}"
            )

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The sha256 of the values in the order of `table_index`, little-endian float32."""
        digest = sha256(self.values.astype("<f4", copy=False).tobytes()).hexdigest()
        return Fingerprint(kind="table", sha256=digest, runtime=f"numpy {np.__version__}")

    def answer(self, legal: Num[np.ndarray, "n d"]) -> Answer:
        """Look up designs that `space.validate` has returned."""
        return Answer(self.values[table_index(self.space, legal)])


@dataclass(frozen=True, kw_only=True)
class Table(OracleSpec):
    """The data cover the whole domain: the oracle looks designs up."""

    kind: ClassVar[str] = "table"
    has_golden: ClassVar[bool] = False
    description: str = "Looks designs up in the measured table of the whole domain."

    def make(self, bench: Bench) -> Made:
        """Make nothing: the data are the oracle."""
        return Made(files={})


def _open(deposit: Deposit) -> TableOracle:
    return TableOracle(deposit.manifest.space, *deposit.rows(), exact=deposit.entry.exact)


KIND = Kind(open=_open)
