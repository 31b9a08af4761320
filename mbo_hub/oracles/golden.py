"""Golden values: designs whose values are published, to tell whether an oracle computes alike here.

`golden.json` lies beside the files of a task's oracles. Any runtime can be checked with it; an
oracle that computes here what was computed elsewhere checks itself before it scores.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from typing import Any, NamedTuple

import msgspec
import numpy as np

from mbo_hub.arrays import Float32, Num
from mbo_hub.dataset import files
from mbo_hub.errors import InvalidDataset, InvalidFile, OracleUnavailable
from mbo_hub.oracles.progress import telling
from mbo_hub.oracles.protocol import Agreement, Answer, Oracle
from mbo_hub.spaces import Box, Sequence

__all__ = ["COUNT", "FILE", "CheckedOracle", "Golden", "read"]

FILE = "golden.json"
COUNT = 50  # designs in it


class Golden(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of `golden.json`: designs, and the value that each oracle gives them.

    Attributes:
        task: name of the task.
        version: of its dataset.
        x: designs, (n, d).
        y: by file, or by kind of oracle where that is no file (`mujoco`, `training`), n values.
    """

    task: str
    version: str
    x: list[list[float]]
    y: dict[str, list[float]]

    def to_json(self) -> bytes:
        """Write `golden.json`: one line, and a newline."""
        return msgspec.json.encode(self) + b"\n"

    def values(self, key: str, where: str) -> Float32[np.ndarray, " n"]:
        """Give the values of one oracle.

        Args:
            key: its file, or its kind.
            where: what to call the folder in messages.

        Raises:
            InvalidDataset: there are none.
        """
        if key not in self.y:
            raise InvalidDataset(where, [f"{FILE} has no values of {key}"])
        return np.array(self.y[key], np.float32)


def read(raw: bytes, where: str) -> Golden:
    """Parse `golden.json`.

    Args:
        raw: content of the file.
        where: what to call the folder in messages.

    Raises:
        InvalidDataset: not of this format.
    """
    try:
        golden = msgspec.convert(files.json(raw), Golden)
    except InvalidFile as error:
        raise InvalidDataset(where, [f"{FILE} {error}"]) from None
    except msgspec.ValidationError as error:
        raise InvalidDataset(where, [f"{FILE}: {error}"]) from None
    widths = {len(row) for row in golden.x}
    if len(widths) != 1:
        found = f"designs of {len(widths)} lengths" if widths else "no designs"
        raise InvalidDataset(where, [f"{FILE}: it holds {found}"])
    for name, values in golden.y.items():
        if len(values) != len(golden.x):
            raise InvalidDataset(
                where, [f"{FILE}: {len(values)} values of {name} for {len(golden.x)} designs"]
            )
    return golden


class _Check(NamedTuple):
    """What became of computing golden values again."""

    agreement: Agreement
    problem: str = ""


_checked: dict[tuple[str, ...], _Check] = {}
_checking = Lock()


class CheckedOracle(Oracle):
    """An oracle that computes here what was computed elsewhere, and checks itself first.

    The first score in a process computes golden values again: another library or another processor
    may move them. Nothing heavy is loaded before the first use.

    Args:
        name: what to call the oracle's task or robot in messages.
        space: of the task.
        designs: golden designs, (m, d), m at least 1.
        values: their objective values as the task's maintainers found them, (m,).
        tolerance: how far one of them may be off here, in raw units.
        made_with: version of the library that they were found with, e.g. "4.0.0".
        progress: called now and then with the numbers of designs done and of all; None draws a bar
            to stderr if that is a terminal and it takes more than two seconds.
    """

    exact = True

    def __init__(
        self,
        name: str,
        space: Sequence | Box,
        designs: Any,
        values: Any,
        *,
        tolerance: float,
        made_with: str,
        progress: Callable[[float, int], object] | None = None,
    ) -> None:
        self.name = name
        self.space = space
        self.tolerance = tolerance
        self.made_with = made_with
        self.progress = progress
        self._golden_designs = np.asarray(designs)
        self._golden_values = np.asarray(values, np.float32)
        if not len(self._golden_values):
            raise ValueError(f"the oracle of {name!r} needs golden values to check itself with")

    @abstractmethod
    def require(self) -> None:
        """See that what computes is there.

        Raises:
            OracleUnavailable: says how to install it.
        """

    @abstractmethod
    def _compute(
        self, legal: Num[np.ndarray, "n d"], progress: Callable[[float], object]
    ) -> Float32[np.ndarray, " n"]:
        """Compute the values of legal designs, and tell how many more are done."""

    @abstractmethod
    def _explain(self, row: int) -> str:
        """Name the golden design, and say what to do about its value."""

    @property
    @abstractmethod
    def _doing(self) -> str:
        """What goes on while it computes: simulating, training."""

    @property
    def agreement(self) -> Agreement:
        """How golden values come out here: "exact" to the bit, or "compatible" within tolerance.

        Computed once in a process.

        Raises:
            OracleUnavailable: one of them is off by more than the tolerance, or what computes is
                missing.
        """
        self.require()
        golden = self._golden_designs.tobytes() + self._golden_values.tobytes()
        kind = type(self).__name__
        key = (kind, self.name, sha256(golden).hexdigest(), repr(self.tolerance))
        with _checking:
            if key not in _checked:
                _checked[key] = self._check()
        found = _checked[key]
        if found.problem:
            raise OracleUnavailable(found.problem)
        return found.agreement

    def _check(self) -> _Check:
        golden = self._golden_values
        found = self._told(self._golden_designs, f"checking {len(golden)} golden designs")
        if np.array_equal(found, golden):
            return _Check("exact")
        off = np.abs(found.astype(np.float64) - golden)
        row = int(np.argmax(np.where(np.isnan(off), np.inf, off)))  # NaN is off by any measure
        if off[row] <= self.tolerance:
            return _Check("compatible")
        return _Check(
            "compatible",
            f"the exact oracle of {self.name!r} gives {found[row]} for {self._explain(row)}",
        )

    def answer(self, legal: Num[np.ndarray, "n d"]) -> Answer:
        """Score designs that `space.validate` has returned."""
        self.require()
        if len(legal):
            _ = self.agreement
        return Answer(self._told(legal, f"{self._doing} {len(legal)} designs"))

    def _told(self, designs: Num[np.ndarray, "n d"], what: str) -> Float32[np.ndarray, " n"]:
        with telling(f"{self.name}: {what}", len(designs), self.progress) as progress:
            return self._compute(designs, progress)
