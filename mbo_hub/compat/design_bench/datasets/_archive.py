"""The datasets that mbo_hub has, under the names that Design-Bench gives them."""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

import mbo_hub
from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.spaces import Sequence

__all__ = ["Archived", "Missing", "NotComparable", "accept_different_tasks"]

if TYPE_CHECKING:
    from mbo_hub.compat.design_bench.datasets.dataset_builder import DatasetBuilder as _Dataset
else:
    _Dataset = object

PAGE = "https://github.com/mbo-hub/mbo-hub/blob/main/docs/from-design-bench.md"
ACCEPTED = "MBO_HUB_DIFFERENT_TASKS"  # a variable that processes inherit which a program starts
_said = {"warned": False}


class NotComparable(UserWarning):
    """Scores on a task of this name cannot be put beside published ones."""


def accept_different_tasks() -> None:
    """Let tasks be made whose size or alphabet is not Design-Bench's: NAS, ChEMBL, Hopper."""
    os.environ[ACCEPTED] = "accepted"


@cache
def rows_of(task: str) -> tuple[np.ndarray, np.ndarray, Manifest]:
    """All designs of a task and their values (n, 1): first the visible, then the hidden ones."""
    loaded = mbo_hub.load(task)
    hidden_x, hidden_y = loaded.hidden
    x, y = np.concatenate([loaded.x, hidden_x]), np.concatenate([loaded.y, hidden_y])[:, None]
    x.flags.writeable = y.flags.writeable = False
    return x, y, loaded.manifest


class Archived(_Dataset):
    """A dataset of the archive; built directly it shows all rows, as in Design-Bench.

    Class attributes:
        task: name of the task here.
        differs: in what it is not Design-Bench's; empty: the data are the same.
        needs_consent: its size or alphabet is another, so that it has to be asked for.
        settings: what Design-Bench can be asked for by keyword, and the one value that is here.

    Args:
        options: as the dataset class beside it.
    """

    task: ClassVar[str]
    differs: ClassVar[str] = ""
    needs_consent: ClassVar[bool] = False
    settings: ClassVar[dict[str, Any]] = {}

    def __init__(self, **options: Any) -> None:
        name = type(self).__name__
        for setting, here in self.settings.items():
            asked = options.pop(setting, here)
            if asked != here:
                raise DesignBenchError(f"{name} has {setting}={here!r} only, got {asked!r}")
        self._be_honest()
        x, y, declared = rows_of(self.task)
        if isinstance(declared.space, Sequence):
            options.setdefault("num_classes", len(declared.space.alphabet))
        super().__init__(x, y, **options)

    def _be_honest(self) -> None:
        """Refuse what has to be asked for, and say once a process what cannot be compared."""
        name = type(self).__name__
        if self.needs_consent and ACCEPTED not in os.environ:
            raise DesignBenchError(
                f"{name} is another task here: {self.differs}. If that is what you want, call "
                "mbo_hub.compat.design_bench.accept_different_tasks() before, or run  python -m "
                "mbo_hub.compat.design_bench --accept-different-tasks script.py"
            )
        if self.differs and not _said["warned"]:
            _said["warned"] = True
            warnings.warn(
                f"the data of {name} are not Design-Bench's: {self.differs}. Only scores on "
                "TFBind8 and Superconductor can be put beside published ones; for all others, "
                "scale by the ranges that  python -m mbo_hub.compat.design_bench --ranges "
                "npy/dic2y.npy  writes, and compare with methods that were run on the same data "
                f"({PAGE}). This is said once.",
                NotComparable,
                stacklevel=2,
            )

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what is shown: it follows from the rest."""
        return {**self.__dict__, "_shown": {}}


class Missing(_Dataset):
    """A dataset that mbo_hub does not have: it can be imported, and fails when it is made."""

    why: ClassVar[str] = "its data cannot be had under terms that allow publishing them"

    def __init__(self, *arguments: Any, **options: Any) -> None:
        raise missing(type(self).__name__, self.why)


def missing(what: str, why: str) -> DesignBenchError:
    """Say that something of Design-Bench is not here, and what is."""
    return DesignBenchError(
        f"mbo_hub has no {what}: {why}. It has TFBind8, TFBind10, Superconductor, AntMorphology "
        "and DKittyMorphology, and, different from the originals, HopperController, CIFARNAS and "
        "ChEMBL"
    )
