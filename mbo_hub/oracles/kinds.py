"""What a kind of oracle is, told once: declaration, making, entry in task.json, opening, words.

A kind is one module of this folder, registered in `KINDS`. The module has a `KIND`, which opens an
oracle from its entry in task.json, and a class of declarations, from which the workshop makes the
oracle's files, its entry, and what its cards say. CONTRIBUTING.md shows how to add one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from importlib import import_module
from typing import Any, ClassVar, Protocol, TypeVar, runtime_checkable

import msgspec
import numpy as np

from mbo_hub.archive import folders
from mbo_hub.archive.folders import Folder
from mbo_hub.arrays import Bool, Float32, Num
from mbo_hub.dataset.manifest import Manifest, OracleEntry, PinnedFile
from mbo_hub.errors import InvalidDataset, InvalidDesign, OracleUnavailable
from mbo_hub.oracles import golden
from mbo_hub.oracles.protocol import Limits, Oracle
from mbo_hub.spaces import Box, Sequence

__all__ = [
    "KINDS",
    "Bench",
    "Deposit",
    "Kind",
    "Made",
    "OracleSpec",
    "kind_of",
    "open_oracle",
]

# Each kind's word in task.json, and its module of this folder, imported when it is first needed.
KINDS: Mapping[str, str] = {
    "table": "table",
    "onnx": "onnx",
    "mujoco": "mujoco.oracle",
    "training": "digits",
}
T = TypeVar("T")
XY = tuple[Num[np.ndarray, "n d"], Float32[np.ndarray, " n"]]


@dataclass(frozen=True)
class Deposit:
    """An oracle as a dataset folder declares it: all that is needed to open it.

    Attributes:
        folder: of the dataset.
        manifest: its task.json.
        entry: the oracle's part of it.
        rows: gives all designs of the data and their values.
    """

    folder: Folder
    manifest: Manifest
    entry: OracleEntry
    rows: Callable[[], XY]

    @property
    def place(self) -> Folder:
        """The folder or repository that holds the oracle's files."""
        return folders.find_oracle(self.folder, self.entry.repo, self.entry.revision)

    def model(self) -> tuple[bytes, str]:
        """Read the file that computes, and say what to call it.

        Raises:
            InvalidDataset: task.json names none, or it is not there.
            IntegrityError: it is not the declared one.
        """
        if self.entry.file is None or self.entry.sha256 is None:
            problem = f"task.json: an oracle of kind {self.entry.kind} needs `file` and `sha256`"
            raise InvalidDataset(str(self.folder), [problem])
        place = self.place
        return place.read(self.entry.file, self.entry.sha256), f"{place}/{self.entry.file}"

    def golden(self) -> XY:
        """Read golden designs, and the values that this oracle should give them.

        Raises:
            InvalidDataset: task.json names no such file, or it has no values of this oracle.
            IntegrityError: it is not the declared one.
        """
        named = self.entry.golden
        if named is None:
            problem = f"task.json: an oracle of kind {self.entry.kind} needs `golden`"
            raise InvalidDataset(str(self.folder), [problem])
        place = self.place
        found = golden.read(place.read(named.file, named.sha256), str(place))
        values = found.values(self.entry.file or self.entry.kind, str(place))
        try:
            return self.manifest.space.validate(found.x), values
        except InvalidDesign as error:
            raise InvalidDataset(str(place), [f"{named.file}: {error}"]) from None

    def settings(self, form: type[T]) -> T:
        """Read what the kind needs to know.

        Args:
            form: structure of the settings.

        Raises:
            InvalidDataset: a setting is missing or of another type.
        """
        try:
            return msgspec.convert(self.entry.settings, form)
        except msgspec.ValidationError as error:
            problem = f"task.json: settings of the oracle of kind {self.entry.kind}: {error}"
            raise InvalidDataset(str(self.folder), [problem]) from None


@dataclass(frozen=True)
class Kind:
    """How to deal with the oracles of one kind.

    Attributes:
        open: opens one.
        affordable: how many designs a check scores in about two seconds.
        confined: opens one in a process with limits; None for a kind that runs nothing of a
            stranger's.
    """

    open: Callable[[Deposit], Oracle]
    affordable: int = 200
    confined: Callable[[Deposit, Limits], Oracle] | None = None


def kind_of(entry: OracleEntry) -> Kind:
    """Find the kind of an oracle.

    Raises:
        OracleUnavailable: this version of mbo_hub does not know it.
    """
    if entry.kind not in KINDS:
        raise OracleUnavailable(
            f"this mbo_hub knows no oracle of kind {entry.kind!r}, only {', '.join(KINDS)}; "
            "upgrade with  pip install -U mbo-hub  or use another oracle of the task"
        )
    kind: Kind = import_module(f"mbo_hub.oracles.{KINDS[entry.kind]}").KIND
    return kind


def open_oracle(deposit: Deposit, limits: Limits | None = None) -> Oracle:
    """Open an oracle that a dataset folder declares.

    Args:
        deposit: the oracle.
        limits: what an oracle may take that a stranger programmed: it runs in a process of its
            own. None runs it in this one, without limits.

    Raises:
        InvalidDataset: its file is not here, or its entry lacks something.
        IntegrityError: its file is not the declared one.
        OracleUnavailable: it cannot run here.
    """
    kind = kind_of(deposit.entry)
    if limits is None or kind.confined is None:
        oracle = kind.open(deposit)
    else:
        oracle = kind.confined(deposit, limits)
    if deposit.entry.file is not None:
        oracle._locate = partial(deposit.place.locate, deposit.entry.file)
    return oracle


@runtime_checkable
class Bench(Protocol):
    """What the workshop lays out for whoever makes an oracle."""

    @property
    def space(self) -> Sequence | Box:
        """Of the task."""

    @property
    def golden(self) -> Num[np.ndarray, "m d"]:
        """Designs whose values will be published."""

    def model(self, spec: Any) -> bytes:
        """Make the ONNX file that a declaration asks for."""

    def controller(self, network: Any) -> bytes:
        """Write a robot's controller as an ONNX file."""


@dataclass(frozen=True)
class Made:
    """What came of making an oracle.

    Attributes:
        files: content of each file, by its name in the oracle's repository.
        golden: values of the golden designs, (m,); None where none are published.
    """

    files: Mapping[str, bytes]
    golden: Float32[np.ndarray, " m"] | None = None


@dataclass(frozen=True, kw_only=True)
class OracleSpec(ABC):
    """The declaration of an oracle of one of the archive's own tasks.

    Attributes:
        kind: its word in task.json.
        exact: whether it defines the objective.
        has_golden: whether values of golden designs are published.
        file: what computes, in the oracle's repository, where that is a file.
        tolerance: how far a value may be off on another machine, in raw units.
        description: one sentence.
    """

    kind: ClassVar[str]
    exact: ClassVar[bool] = True
    has_golden: ClassVar[bool] = True
    file: str | None = None
    tolerance: float = 0.0
    description: str

    @property
    def companions(self) -> tuple[str, ...]:
        """Further files in the oracle's repository."""
        return ()

    @property
    def key(self) -> str:
        """Under which name golden.json holds this oracle's values."""
        return self.file or self.kind

    @abstractmethod
    def make(self, bench: Bench) -> Made:
        """Make the oracle's files, and compute its golden values.

        Raises:
            OracleUnavailable: what computes is missing, or computes something else than it should.
        """

    def scorable(self, designs: Num[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
        """Tell which legal designs have a value."""
        return np.ones(len(designs), bool)

    def facts(self, space: Sequence | Box, model: bytes) -> dict[str, Any]:
        """Further fields of the oracle's entry in task.json.

        Args:
            space: of the task.
            model: content of the oracle's file; empty where it has none.
        """
        return {}

    def entry(
        self, space: Sequence | Box, repo: str, revision: str, read: Callable[[str], bytes]
    ) -> OracleEntry:
        """Write the oracle's entry in task.json.

        Args:
            space: of the task.
            repo: name of the oracle's repository.
            revision: its tag.
            read: gives the content of a file of it.
        """
        files = [*self.companions, *([self.file] if self.file else [])]
        own = {file: sha256(read(file)).hexdigest() for file in files}
        # A field that is given is written, so what is nothing is not given.
        where: dict[str, Any] = {"tolerance": self.tolerance} if self.tolerance else {}
        if self.has_golden:
            raw = read(golden.FILE)
            where["golden"] = PinnedFile(file=golden.FILE, sha256=sha256(raw).hexdigest())
        if own or self.has_golden:
            where |= {"repo": repo, "revision": revision}
        return OracleEntry(
            kind=self.kind,
            exact=self.exact,
            file=self.file,
            sha256=own.get(self.file or ""),
            companions={file: own[file] for file in self.companions},
            description=self.description,
            **where,
            **self.facts(space, read(self.file) if self.file else b""),
        )

    def words_on_use(self, task: str) -> str:
        """What the dataset's card says about using the oracle: Markdown, or nothing."""
        return ""

    def words_on_files(self) -> str:
        """What the oracle's card says of golden.json and the companions: Markdown, or nothing."""
        return ""
