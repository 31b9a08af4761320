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
from mbo_hub.errors import InvalidDesign, MethodFailed, MissingExtra
from mbo_hub.extras import EXTRAS, distribution, require
from mbo_hub.methods.declared import LARGEST, plain
from mbo_hub.methods.devices import see_that_it_is_here
from mbo_hub.methods.features import Decoded
from mbo_hub.methods.progress import Progress
from mbo_hub.offline import Offline

__all__ = ["LARGEST_SEED", "Method", "Paper", "Preset", "Proposal", "Setting", "whole"]

LARGEST_SEED = LARGEST  # torch, NumPy and the tables of results hold as much


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
            original's sizes, where there is an original.
        needs: libraries that it imports, by their name on PyPI or in Python.

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
        """Name each hyper-parameter with its value and where that comes from.

        Raises:
            UnknownMethod: a field holds what a record cannot.
        """
        usual = {
            "paper": "paper",
            "standard": "smaller than the paper's, to fit two cores"
            if "paper" in self.presets
            else "its author",
        }
        made = {name: type(self).preset(name, task) for name in usual if name in self.presets}
        settings = {}
        for name in [f.name for f in dataclasses.fields(self) if f.name != "device"]:
            value = plain(getattr(self, name), f"{type(self).__name__}.{name}")
            source = "caller"
            for preset, method in made.items():
                if value == plain(getattr(method, name), f"{preset}: {name}"):
                    source = self.presets[preset].sources.get(name, usual[preset])
                    break
            settings[name] = Setting(value, source)
        return settings

    def see_that_it_can_run(self) -> None:
        """Check what it runs on, without importing more than torch, and that only for a device.

        Raises:
            MissingExtra: a library that it needs is not installed.
            DeviceUnavailable: its device is not here.
        """
        who, ours = f"the method {self.name!r}", EXTRAS["methods"]
        missing = [name for name in self.needs if distribution(name) is None]
        if extra := [name for name in missing if name in ours]:
            require("methods", who, *extra)
        if missing:
            raise MissingExtra(f"{who} needs {' and '.join(missing)}, not installed here")
        see_that_it_is_here(self.device)

    @abstractmethod
    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Any:
        """Find designs: a `Proposal` or an array (n, d); whoever calls the method checks them."""

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
            seed: a whole number from 0 to 2**63 - 1; the same one gives the same designs.
            progress: is told now and then which fraction is done, 0 to 1.

        Returns:
            At most `budget` legal designs.

        Raises:
            MethodFailed: the method did not come to designs: a model diverged, too few data, ….
            MissingExtra: torch, or another library that it needs, is not installed.
            DeviceUnavailable: its device is not here.
            ValueError: the budget is below 1, or the seed outside its range.
        """
        count, number = whole("budget", budget, 1), whole("seed", seed, 0)
        if not len(offline.y):
            raise MethodFailed(f"{self.name} on {offline.name}: there are no visible designs")
        self.see_that_it_can_run()
        tell = progress or (lambda done: None)
        try:
            with _alone(self):
                found = self.propose(offline, count, number, tell)
        except MethodFailed as error:
            raise MethodFailed(f"{self.name} on {offline.name}, seed {number}: {error}") from None
        tell(1.0)
        return self._checked(found, offline, count)

    def _checked(self, proposed: Any, offline: Offline, budget: int) -> Proposal:
        """Refuse what is no proposal: too many designs, illegal ones, predictions that are none."""
        where = f"{self.name} on {offline.name}"
        if proposed is None:
            raise MethodFailed(f"{where}: it returned None instead of designs")
        found = proposed if isinstance(proposed, Proposal) else None
        try:
            designs = offline.space.validate(proposed if found is None else found.designs)
        except InvalidDesign as error:
            raise MethodFailed(f"{where}: it proposed an illegal design: {error}") from None
        if len(designs) > budget:
            raise MethodFailed(
                f"{where}: it proposed {len(designs)} designs, the budget is {budget}"
            )
        if not len(designs):
            notes = () if found is None else found.notes
            raise MethodFailed(f"{where}: it proposed no design. {' '.join(notes)}")
        if len(designs) < budget and (found is None or not found.notes):
            raise MethodFailed(f"{where}: it proposed {len(designs)} designs and does not say why")
        return Proposal(designs) if found is None else _with_plain_values(found, designs, where)


def _with_plain_values(found: Proposal, designs: Num[np.ndarray, "n d"], where: str) -> Proposal:
    """Give a proposal with checked designs, and check what it says about them."""
    predicted = found.predicted
    if predicted is not None:
        try:
            predicted = np.asarray(predicted, np.float32)
        except (TypeError, ValueError) as error:
            raise MethodFailed(f"{where}: its predictions are not numbers: {error}") from None
        if predicted.shape != (len(designs),) or not np.isfinite(predicted).all():
            raise MethodFailed(f"{where}: its model predicts no finite number for each design")
    try:
        projected = whole("projected", found.projected, 0)
    except ValueError as error:
        raise MethodFailed(f"{where}: {error}") from None
    if isinstance(found.notes, str) or not all(isinstance(note, str) for note in found.notes):
        raise MethodFailed(f"{where}: notes is a tuple of sentences, got {found.notes!r}")
    return Proposal(designs, predicted, projected, tuple(found.notes))


def whole(what: str, value: Any, least: int) -> int:
    """Give a whole number from `least` to 2**63 - 1, of any library, as Python's own.

    Raises:
        ValueError: it is none, or outside that range.
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if isinstance(value, bool) or number < least:
        raise ValueError(f"{what} is a whole number of at least {least}, got {value!r}")
    if number > LARGEST_SEED:
        raise ValueError(f"{what} is a whole number of at most 2**63 - 1, got {number}")
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
