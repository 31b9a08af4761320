"""What a method is: visible data in, a budget of legal designs out; no oracle anywhere.

A method is a frozen dataclass whose fields are its hyper-parameters. Calling it is deterministic:
the same data, budget and seed give the same designs, bit for bit, on the same machine. Nothing
global is touched; torch computes on one thread meanwhile.
"""

from __future__ import annotations

import dataclasses
import operator
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, SupportsIndex

import numpy as np

from mbo_hub.arrays import Num
from mbo_hub.errors import InvalidDesign, MethodFailed
from mbo_hub.extras import require
from mbo_hub.methods.features import Decoded
from mbo_hub.methods.progress import Progress
from mbo_hub.offline import Offline

__all__ = ["Method", "Paper", "Preset", "Proposal", "Setting"]


@dataclass(frozen=True, eq=False)
class Proposal:
    """Designs that a method submits.

    Attributes:
        designs: (n, d) legal designs in the order of submission, n ≤ budget.
        predicted: what the method expects of each, (n,) in raw units; None: it does not say.
        projected: how many of them had to be moved to become legal.
        notes: what else a reader should know, for example why there are fewer than the budget.
    """

    designs: Num[np.ndarray, "n d"]
    predicted: Num[np.ndarray, " n"] | None = None
    projected: int = 0
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.designs)

    @classmethod
    def of(
        cls, found: Decoded, wanted: int, predicted: Num[np.ndarray, " n"] | None, *notes: str
    ) -> Proposal:
        """Submit designs that numbers were decoded to, and say if some had none."""
        if len(found) < wanted:
            few = f"{wanted - len(found)} of {wanted} have no legal design near them"
            notes = (*notes, few)
        return cls(found.designs, predicted, int(found.moved.sum()), notes)


@dataclass(frozen=True)
class Paper:
    """Where a method comes from."""

    authors: str
    title: str
    venue: str
    year: int
    url: str

    def __str__(self) -> str:
        return f"{self.authors} ({self.year}): {self.title}. {self.venue}. {self.url}"


@dataclass(frozen=True)
class Preset:
    """A set of hyper-parameters.

    Attributes:
        values: by field of the method; what is not named is at its default.
        tasks: by name of a task, what differs there.
        sources: by field, where a value comes from that the original does not have.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    tasks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)

    def of(self, task: str) -> dict[str, Any]:
        """The values on a task."""
        return {**self.values, **self.tasks.get(task, {})}


@dataclass(frozen=True)
class Setting:
    """The value of one hyper-parameter and where it comes from.

    Attributes:
        value: plain: a number, text, truth value, or tuple of these.
        source: 'paper': the original's value; 'caller': given by hand; else a sentence.
    """

    value: Any
    source: str


@dataclass(frozen=True)
class Method:
    """Base of all methods; a subclass gives the class variables below, its fields, and `propose`.

    Class attributes:
        name: as `mbo run` and the tables write it.
        title: for people.
        version: goes up whenever a change changes designs.
        paper: where it comes from; None for a control.
        deviations: how this differs from the original's code, a sentence each.
        presets: 'standard', the default of every field, fits two cores; 'paper' has the
            original's sizes.
        needs: libraries of the extra `methods` that it imports.

    Args:
        device: of torch, where its networks compute.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[str] = "1"
    paper: ClassVar[Paper | None] = None
    deviations: ClassVar[tuple[str, ...]] = ()
    presets: ClassVar[Mapping[str, Preset]] = MappingProxyType(
        {"standard": Preset(), "paper": Preset()}
    )
    needs: ClassVar[tuple[str, ...]] = ()
    device: str = field(default="cpu", kw_only=True)

    @classmethod
    def preset(cls, preset: str = "standard", task: str = "") -> Method:
        """Make the method with the hyper-parameters of a preset, on a task.

        Args:
            preset: 'standard' or 'paper'.
            task: name of the task; a preset may have other values there.

        Raises:
            ValueError: there is no such preset.
        """
        if preset not in cls.presets:
            raise ValueError(f"no preset {preset!r}; {cls.name} has {', '.join(cls.presets)}")
        return cls(**cls.presets[preset].of(task))

    def settings(self, task: str = "") -> dict[str, Setting]:
        """Name each hyper-parameter with its value and where that comes from."""
        paper = type(self).preset("paper", task)
        standard, sources = type(self).preset("standard", task), self.presets["standard"].sources

        def source(name: str) -> str:
            value = getattr(self, name)
            if value == getattr(paper, name):
                return self.presets["paper"].sources.get(name, "paper")
            if value == getattr(standard, name):
                return sources.get(name, "smaller than the paper's, to fit two cores")
            return "caller"

        names = [f.name for f in dataclasses.fields(self) if f.name != "device"]
        return {name: Setting(getattr(self, name), source(name)) for name in names}

    @abstractmethod
    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Find designs; whoever calls the method checks them."""

    def __call__(
        self,
        offline: Offline,
        *,
        budget: SupportsIndex = 128,
        seed: SupportsIndex = 0,
        progress: Progress | None = None,
    ) -> Proposal:
        """Propose designs for a task.

        Args:
            offline: the visible data, `task.offline`.
            budget: how many designs to propose, at most.
            seed: a whole number from 0 on; the same one gives the same designs.
            progress: is told now and then which fraction is done, 0 to 1.

        Returns:
            At most `budget` legal designs.

        Raises:
            MethodFailed: the method did not come to designs: a model diverged, too few data, ….
            MissingExtra: torch, or another library that it needs, is not installed.
            ValueError: the budget is below 1, or the seed below 0.
        """
        count, number = _whole("budget", budget, 1), _whole("seed", seed, 0)
        if not len(offline.y):
            raise MethodFailed(f"{self.name} on {offline.name}: there are no visible designs")
        if self.needs:
            require("methods", f"the method {self.name!r}", *self.needs)
        tell = progress or (lambda done: None)
        try:
            with _alone(self):
                found = self.propose(offline, count, number, tell)
        except MethodFailed as error:
            raise MethodFailed(f"{self.name} on {offline.name}, seed {number}: {error}") from None
        tell(1.0)
        return self._checked(found, offline, count)

    def _checked(self, found: Proposal, offline: Offline, budget: int) -> Proposal:
        """Refuse what is no proposal: too many designs, illegal ones, predictions that are none."""
        where = f"{self.name} on {offline.name}"
        try:
            designs = offline.space.validate(found.designs)
        except InvalidDesign as error:
            raise MethodFailed(f"{where}: it proposed an illegal design: {error}") from None
        if len(designs) > budget:
            raise MethodFailed(
                f"{where}: it proposed {len(designs)} designs, the budget is {budget}"
            )
        if not len(designs):
            raise MethodFailed(f"{where}: it proposed no design. {' '.join(found.notes)}")
        if len(designs) < budget and not found.notes:
            raise MethodFailed(f"{where}: it proposed {len(designs)} designs and does not say why")
        predicted = found.predicted
        if predicted is not None:
            predicted = np.asarray(predicted, np.float32)
            if predicted.shape != (len(designs),) or not np.isfinite(predicted).all():
                raise MethodFailed(f"{where}: its model predicts no finite number for each design")
        return dataclasses.replace(found, designs=designs, predicted=predicted)


def _whole(what: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{what} is a whole number of at least {least}, got {value!r}")
    return number


@contextmanager
def _alone(method: Method) -> Iterator[None]:
    """Let arithmetic go on silently, since what comes out is checked, and torch on one thread."""
    with np.errstate(all="ignore"):
        if "torch" not in method.needs:
            yield
            return
        import mbo_hub.methods.networks as networks

        with networks.alone(method.device):
            yield
