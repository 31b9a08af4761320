"""An oracle that lets robots move: what a design earned in the simulator is its objective value."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Literal

import numpy as np

from mbo_hub.arrays import Float32
from mbo_hub.errors import OracleUnavailable
from mbo_hub.oracles.golden import Agreement, Check, compare
from mbo_hub.oracles.progress import telling
from mbo_hub.oracles.protocol import Fingerprint

__all__ = ["MujocoOracle", "Robot", "checksum"]

Robot = Literal["ant", "dkitty", "hopper"]
INSTALL = "pip install 'mujoco-core>=4.0,<5'"

_checked: dict[tuple[str, str, str], Check] = {}
_checking = Lock()


def checksum(robot: ModuleType) -> str:
    """Hash what a robot's objective depends on besides code: files and constants.

    Args:
        robot: a module of this folder that has a SPACE and an objective.

    Returns:
        The sha256 of its `FILES` and of the numbers, texts and arrays in capital letters, in hex.
    """
    digest = sha256()
    for name in robot.FILES:
        digest.update((Path(__file__).parent / name).read_bytes())
    for name, value in sorted(vars(robot).items()):
        if name.isupper() and isinstance(value, int | float | str | tuple | dict):
            digest.update(f"{name} = {value!r}\n".encode())
        elif name.isupper() and isinstance(value, np.ndarray):
            digest.update(f"{name} =".encode() + np.ascontiguousarray(value, "<f8").tobytes())
    return digest.hexdigest()


class MujocoOracle:
    """Scores designs of a robot by simulating them with MuJoCo.

    Nothing of MuJoCo is loaded before the first use. The first score in a process computes the
    golden values again: another MuJoCo or another processor may move them, since walking amplifies
    rounding errors.

    Args:
        robot: whose designs.
        golden_designs: legal designs, (m, d), whose values are known.
        golden_values: the objective values that the task's maintainers found, (m,) float32.
        tolerance: how far one of them may be off here, in raw units.
        made_with: version of MuJoCo that they were found with, e.g. "4.0.0".
        threads: that share the designs; None takes all cores. Never changes a value.
        progress: called now and then with the numbers of designs done and of all; None draws a bar
            to stderr if that is a terminal and it takes more than two seconds.
    """

    exact = True

    def __init__(
        self,
        robot: Robot,
        golden_designs: Any,
        golden_values: Any,
        *,
        tolerance: float,
        made_with: str,
        threads: int | None = None,
        progress: Callable[[float, int], object] | None = None,
    ) -> None:
        self.robot = robot
        self.tolerance = tolerance
        self.made_with = made_with
        self.threads = threads or os.cpu_count() or 1
        self.progress = progress
        self._golden_designs = np.asarray(golden_designs)
        self._golden_values = np.asarray(golden_values, np.float32)
        if not len(self._golden_values):
            raise ValueError(f"the oracle of {robot!r} needs golden values to be checked with")

    @cached_property
    def _module(self) -> ModuleType:
        """The robot, where MuJoCo is there."""
        try:
            import_module("mujoco.batch")
        except ModuleNotFoundError as error:
            raise OracleUnavailable(
                f"the exact oracle of {self.robot!r} simulates a robot and needs MuJoCo 4 "
                f"({error}); install it with  {INSTALL}"
            ) from None
        return import_module(f"mbo_hub.oracles.mujoco.{self.robot}")

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The sha256 of model, policy and constants, and the version of MuJoCo."""
        return Fingerprint(
            kind="mujoco", sha256=checksum(self._module), runtime=f"mujoco {self._version}"
        )

    @property
    def _version(self) -> str:
        return str(import_module("mujoco").__version__)

    @property
    def agreement(self) -> Agreement:
        """How golden values come out here: "exact" to the bit, or "compatible" within tolerance.

        Computed once in a process.

        Raises:
            OracleUnavailable: one of them is off by more than the tolerance, or MuJoCo is missing.
        """
        module = self._module
        golden = self._golden_designs.tobytes() + self._golden_values.tobytes()
        key = (self.robot, sha256(golden).hexdigest(), repr(self.tolerance))
        with _checking:
            if key not in _checked:
                _checked[key] = self._check(module)
        found = _checked[key]
        if found.problem:
            raise OracleUnavailable(found.problem)
        return found.agreement

    def _check(self, module: ModuleType) -> Check:
        values = self._simulate(module, self._golden_designs)
        return compare(
            values,
            self._golden_values,
            self.tolerance,
            lambda row: (
                f"the exact oracle of {self.robot!r} gives {values[row]} for golden design {row}, "
                f"expected {self._golden_values[row]} ± {self.tolerance}: this is mujoco "
                f"{self._version}, and the task was made with mujoco {self.made_with}; install "
                f"that with  pip install 'mujoco-core=={self.made_with}'  or use the task's "
                "surrogate"
            ),
        )

    def __call__(self, designs: Any) -> Float32[np.ndarray, " n"]:
        """Score designs, (n, d) → (n,) float32.

        Args:
            designs: legal designs; they are rounded to float32.

        Returns:
            Objective values; NaN where MuJoCo cannot compile the robot or its motion diverges.

        Raises:
            InvalidDesign: names the first illegal design.
            OracleUnavailable: MuJoCo is missing, or this one is not that of the task.
        """
        module = self._module
        legal = module.SPACE.validate(designs)
        if len(legal):
            _ = self.agreement
        return self._simulate(module, legal)

    def _simulate(self, module: ModuleType, designs: Any) -> Float32[np.ndarray, " n"]:
        what = f"{self.robot}: simulating {len(designs)} designs"
        with telling(what, len(designs), self.progress) as progress:
            values = module.objective(designs, threads=self.threads, progress=progress)
        beyond = ~(np.abs(values) <= np.finfo(np.float32).max)  # a motion that blew up
        return np.where(beyond, np.nan, values).astype(np.float32)
