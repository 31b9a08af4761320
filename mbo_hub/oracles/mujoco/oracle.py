"""An oracle that lets robots move: what a design earned in the simulator is its objective value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import msgspec
import numpy as np

from mbo_hub.arrays import Bool, Float32, Num
from mbo_hub.errors import OracleUnavailable
from mbo_hub.oracles.golden import CheckedOracle
from mbo_hub.oracles.kinds import Bench, Deposit, Kind, Made, OracleSpec
from mbo_hub.oracles.mujoco import ant, dkitty, hopper
from mbo_hub.oracles.mujoco.robot import Robot
from mbo_hub.oracles.protocol import Fingerprint
from mbo_hub.oracles.threads import cores
from mbo_hub.spaces import Box, Sequence

__all__ = ["KIND", "ROBOTS", "MujocoOracle", "Simulator", "need_mujoco"]

ROBOTS: Mapping[str, Robot] = {r.name: r for r in (ant.ROBOT, dkitty.ROBOT, hopper.ROBOT)}
INSTALL = "pip install 'mujoco>=4,<5'"
# pip writes the files of mujoco-core 4 first and then deletes those of the same names that came
# with an older mujoco, so that one has to go before.
REPLACE = f"pip uninstall -y mujoco mujoco-core mujoco-studio && {INSTALL}"
MADE_WITH = "4.0.0"  # MuJoCo; the robots' data were generated with it
CONTROLLER = "policy.onnx"  # for those who simulate a robot elsewhere; not an oracle


def need_mujoco(who: str) -> None:
    """See that MuJoCo 4 is there and whole; an older one has no batches.

    Args:
        who: needs it, as the subject of the sentence.

    Raises:
        OracleUnavailable: it is not; says how to install it.
    """
    try:
        import_module("mujoco.batch")
    except (ImportError, OSError, AttributeError, RuntimeError) as error:
        # OSError: its shared library is not there; the rest: it is that of another version.
        command = INSTALL if find_spec("mujoco") is None else REPLACE
        found = str(error).partition(". ")[0]
        raise OracleUnavailable(
            f"{who} needs MuJoCo 4 ({found}); install it with  {command}"
        ) from None


class MujocoOracle(CheckedOracle):
    """Scores designs of a robot by simulating them with MuJoCo.

    Nothing of MuJoCo is loaded before the first use. The first score in a process computes the
    golden values again: another MuJoCo or another processor may move them, since walking amplifies
    rounding errors. NaN is the value of a design that MuJoCo cannot compile or whose motion
    diverges.

    Args:
        robot: whose designs.
        designs: golden designs, (m, d).
        values: the objective values that the task's maintainers found, (m,) float32.
        tolerance: how far one of them may be off here, in raw units.
        made_with: version of MuJoCo that they were found with, e.g. "4.0.0".
        threads: that share the designs; None takes all cores that this process may use. Never
            changes a value.
        progress: as of every `CheckedOracle`.
    """

    def __init__(
        self,
        robot: Robot,
        designs: Any,
        values: Any,
        *,
        tolerance: float,
        made_with: str,
        threads: int | None = None,
        progress: Callable[[float, int], object] | None = None,
    ) -> None:
        super().__init__(robot.name, robot.space, designs, values, tolerance=tolerance,
                         made_with=made_with, progress=progress)  # fmt: skip
        self.robot = robot
        self.threads = threads

    def require(self) -> None:
        """See that MuJoCo 4 is there.

        Raises:
            OracleUnavailable: it is not; says how to install it.
        """
        need_mujoco(f"the exact oracle of {self.name!r} simulates a robot and")

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The sha256 of model, policy and constants, and the version of MuJoCo."""
        self.require()
        version = import_module("mujoco").__version__
        return Fingerprint(kind="mujoco", sha256=self.robot.sha256, runtime=f"mujoco {version}")

    _doing = "simulating"

    def _compute(
        self, legal: Num[np.ndarray, "n d"], progress: Callable[[float], object]
    ) -> Float32[np.ndarray, " n"]:
        return _simulate(self.robot, legal, self.threads, progress)

    def _explain(self, row: int) -> str:
        return (
            f"golden design {row}, expected {self._golden_values[row]} ± {self.tolerance}: this is "
            f"{self.fingerprint.runtime}, and the task was made with mujoco {self.made_with}; "
            f"install that with  pip install 'mujoco=={self.made_with}'  or use the task's "
            "surrogate"
        )


def _simulate(
    robot: Robot,
    designs: Num[np.ndarray, "n d"],
    threads: int | None = None,
    progress: Callable[[float], object] = lambda designs: None,
) -> Float32[np.ndarray, " n"]:
    values = robot.objective(designs, threads=threads or cores(), progress=progress)
    beyond = ~(np.abs(values) <= np.finfo(np.float32).max)  # a motion that blew up
    return np.where(beyond, np.nan, values).astype(np.float32)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What task.json says of a simulated robot.

    Attributes:
        robot: which one.
        simulator_sha256: of its model, policy and constants (`Robot.sha256`).
        made_with: version of MuJoCo that the data were made with.
    """

    robot: str
    simulator_sha256: str
    made_with: str


@dataclass(frozen=True, kw_only=True)
class Simulator(OracleSpec):
    """The declaration of a simulated robot that defines the objective.

    Attributes:
        robot: which one.
        tolerance: how far a golden value may be off on another machine or MuJoCo, in raw units.
        description: one sentence.
    """

    kind: ClassVar[str] = "mujoco"
    robot: Robot
    tolerance: float = field()

    @property
    def companions(self) -> tuple[str, ...]:
        """The robot's controller as an ONNX file, where all designs share one."""
        return () if self.robot.network is None else (CONTROLLER,)

    def make(self, bench: Bench) -> Made:
        """Simulate the golden designs, and write the controller."""
        network = self.robot.network
        files = {} if network is None else {CONTROLLER: bench.controller(network())}
        return Made(files=files, golden=_simulate(self.robot, bench.golden))

    def scorable(self, designs: Num[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
        """Tell which legal designs are robots that can be simulated."""
        return np.isfinite(_simulate(self.robot, designs))

    def facts(self, space: Sequence | Box, model: bytes) -> dict[str, Any]:
        """The robot, and what it was simulated with."""
        said = Settings(
            robot=self.robot.name, simulator_sha256=self.robot.sha256, made_with=MADE_WITH
        )
        return {"settings": msgspec.to_builtins(said)}

    def words_on_files(self) -> str:
        """What golden.json and the controller are."""
        said = (
            "Under `mujoco` it holds the values of the task's exact oracle, which mbo_hub "
            "simulates."
        )
        if not self.companions:
            return said
        return (
            f"{said}\n`{CONTROLLER}` is the controller that the robot walks with (observations to "
            "actions, float64), for those\nwho simulate it elsewhere; mbo_hub computes the same "
            "numbers without ONNX."
        )


def _open(deposit: Deposit) -> MujocoOracle:
    said = deposit.settings(Settings)
    if said.robot not in ROBOTS:
        raise OracleUnavailable(
            f"{deposit.folder} has a robot {said.robot!r}; this mbo_hub simulates only "
            f"{', '.join(ROBOTS)}. Use its surrogate, or upgrade with  pip install -U mbo-hub"
        )
    oracle = MujocoOracle(
        ROBOTS[said.robot],
        *deposit.golden(),
        tolerance=deposit.entry.tolerance,
        made_with=said.made_with,
    )
    if oracle.robot.sha256 != said.simulator_sha256:
        raise OracleUnavailable(
            f"{deposit.folder} was made with another simulator of {said.robot!r} than this mbo_hub "
            "has; install the mbo_hub that it was published with, or use its surrogate"
        )
    return oracle


KIND = Kind(open=_open, affordable=20)
