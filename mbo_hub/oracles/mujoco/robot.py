"""A robot as a value: its designs, its simulation, and what its objective depends on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from mbo_hub.arrays import Float64, Num
from mbo_hub.oracles.mujoco.rollout import Control, Network, Policy
from mbo_hub.spaces import Box

__all__ = ["Objective", "Robot", "constants_of"]


@runtime_checkable
class Objective(Protocol):
    """Simulates designs and gives what each of them earned."""

    def __call__(
        self,
        designs: Any,
        *,
        threads: int = 1,
        progress: Callable[[float], object] = lambda designs: None,
    ) -> Float64[np.ndarray, " n"]:
        """Score legal designs, (n, d) → (n,) float64; NaN for one that cannot be simulated."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Robot:
    """One robot; each module of this folder that simulates one has it as `ROBOT`.

    It is pickled and copied by its name, since its parts are functions.

    Attributes:
        name: its word in task.json.
        space: what a legal design is.
        default: the design that the robot has without any other, (d,).
        step_s: length of a control step, s.
        control: what a control step is and earns, and what ends an episode.
        builder: gives a function that makes the model of a design.
        act: the controller.
        objective: scores designs.
        offsets: what to add to the positions that its episodes start from, a row for each; None for
            one episode from the model's own.
        network: the controller as a network, where it is one for all designs.
        ahead: the way it is to go, rad from x.
        check: side of a check of the floor in its pictures, m.
        files: of this folder, that the objective depends on.
        constants: numbers, texts and arrays that it depends on, by name.
    """

    name: str
    space: Box
    default: Float64[np.ndarray, " d"]
    step_s: float
    control: Control
    builder: Callable[[], Callable[[np.ndarray], Any]]
    act: Policy
    objective: Objective
    offsets: Float64[np.ndarray, "k nq"] | None = None
    network: Callable[[], Network] | None = None
    ahead: float = 0.0
    check: float = 0.5
    files: tuple[str, ...]
    constants: Mapping[str, Any]

    def __reduce__(self) -> tuple[Any, ...]:
        if self is not _named(self.name):
            raise TypeError(f"this robot is not the {self.name} of mbo_hub; it cannot be copied")
        return _named, (self.name,)

    @property
    def sha256(self) -> str:
        """Hash what the objective depends on besides code: files and constants, in hex."""
        digest = sha256()
        for name in self.files:
            digest.update((Path(__file__).parent / name).read_bytes())
        for name, value in sorted(self.constants.items()):
            if isinstance(value, np.ndarray):
                digest.update(f"{name} =".encode() + np.ascontiguousarray(value, "<f8").tobytes())
            else:
                digest.update(f"{name} = {value!r}\n".encode())
        return digest.hexdigest()

    def legal(self, design: Num[np.ndarray, " d"]) -> Float64[np.ndarray, " d"]:
        """Check one design, and give it as the simulator takes it.

        Raises:
            InvalidDesign: it is not in the space.
        """
        return np.asarray(self.space.validate(np.asarray(design)[None]), np.float64)[0]


def _named(name: str) -> Robot:
    robot: Robot = import_module(f"{__package__}.{name}").ROBOT
    return robot


def constants_of(names: Mapping[str, Any]) -> dict[str, Any]:
    """Pick the numbers, texts, tuples, dictionaries and arrays in capital letters of a module."""
    kinds = (int, float, str, tuple, dict, np.ndarray)
    return {k: v for k, v in names.items() if k.isupper() and isinstance(v, kinds)}
