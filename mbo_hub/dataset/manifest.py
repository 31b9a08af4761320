"""`task.json`: a task's declaration, statistics and file hashes, for readers in any language.

The structures below are the format; `json_schema` derives the published JSON Schema from them, and
its descriptions from their docstrings. `read` and `to_json` are the only places that parse and
write the file. A field at its default is not written, so that a new optional field changes no
existing file, and a reader ignores fields that it does not know. A change that an old reader would
misunderstand raises `FORMAT`.

A version tag covers task.json and every file that it names (`Manifest.pinned`). Cards and pictures
are not among them: they may improve without a new version.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from itertools import pairwise
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from mbo_hub.arrays import Float64, Num
from mbo_hub.dataset import files, layout
from mbo_hub.dataset.layout import Column
from mbo_hub.dataset.lines import Line, Sentence, explained
from mbo_hub.errors import InvalidDataset, InvalidFile, UnsupportedFormat
from mbo_hub.spaces import Box, Sequence

__all__ = [
    "FORMAT",
    "Band",
    "Finding",
    "HeldOut",
    "Manifest",
    "Objective",
    "OracleEntry",
    "PinnedFile",
    "Source",
    "SplitRule",
    "Statistics",
    "StoredFile",
    "Support",
    "read",
]

FORMAT = 1

# In Python `$` is also before a last line end, which no name has.
_END = r"(?!\n)$"
Text = Annotated[str, msgspec.Meta(min_length=1)]
Title = Annotated[Line, msgspec.Meta(min_length=1)]
Name = Annotated[str, msgspec.Meta(pattern=rf"^[a-z0-9][a-z0-9_-]*{_END}")]
Version = Annotated[str, msgspec.Meta(pattern=rf"^[0-9]+\.[0-9]+\.[0-9]+{_END}")]
Sha256 = Annotated[str, msgspec.Meta(pattern=rf"^[0-9a-f]{{64}}{_END}")]
# A file inside the folder: relative, forward slashes, no step upwards.
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
FilePath = Annotated[str, msgspec.Meta(pattern=rf"^{_PART}(/{_PART})*{_END}")]
Repo = Annotated[str, msgspec.Meta(pattern=rf"^({_PART}/)?{_PART}{_END}")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=-1, le=1)]
Percentile = Annotated[float, msgspec.Meta(ge=0, le=100)]
_Distance = Annotated[float, msgspec.Meta(ge=0)]
# Of a value: how far another runtime may be off with a learned oracle.
ANOTHER_RUNTIME = 1e-6
TINY, HUGE = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


class Objective(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is maximised.

    Attributes:
        name: name of the objective, such as "binding".
        unit: unit of y; empty where it has none.
        description: what is measured, in one sentence.
    """

    name: Title
    unit: Line = ""
    description: Sentence


class Source(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the measurements come from, and under which terms.

    Attributes:
        url: address of the measurements.
        sha256: hash of the file at that address.
        license: SPDX identifier of the terms, or their name.
        attribution: whom to name, as the terms ask.
        citation: how to cite the measurements.
    """

    url: Text
    sha256: Sha256 | None = None
    license: Text
    attribution: Text
    citation: str = ""


class SplitRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rule that made some rows visible: y within these percentiles of the full data.

    Attributes:
        percentiles: lower and upper percentile of y over the full data (linear interpolation).
        y_low: the value at the lower percentile; rows at it are visible.
        y_high: the value at the upper percentile; rows at it are visible.
        sampled: only this many of those rows are visible, drawn at random; without it all are.
    """

    percentiles: tuple[Percentile, Percentile]
    y_low: float
    y_high: float
    sampled: Count | None = None


class Statistics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Figures of the data; y in raw units, float32 values written exactly.

    Attributes:
        rows: number of rows of the full data.
        visible: number of rows of the train split.
        y_min: smallest y of the full data; it scores 0.
        y_max: largest y of the full data; it scores 1.
        best_visible: D(best), the largest y of the train split.
        x_mean: mean of each column of x over the train split, (d,).
        x_std: population standard deviation of each column of x over the train split, (d,).
        y_mean: mean of y over the train split.
        y_std: population standard deviation of y over the train split.
    """

    rows: Count
    visible: Count
    y_min: float
    y_max: float
    best_visible: float
    x_mean: tuple[float, ...]
    x_std: tuple[float, ...]
    y_mean: float
    y_std: float

    def score(self, y: Any) -> Float64[np.ndarray, "*n"]:
        """Rescale raw objective values so that the full data span 0 to 1; never clipped.

        Args:
            y: raw values of any shape.
        """
        return np.asarray((np.asarray(y, np.float64) - self.y_min) / (self.y_max - self.y_min))


class StoredFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file of the dataset folder.

    Attributes:
        sha256: hash of the file.
        bytes: size of the file.
        rows: number of rows in it.
        content_sha256: hash of its values, whichever program wrote the file: a file with these
            values is the declared one, too, since parquet writers differ in their bytes.
        arrow_bytes: size of its table in memory, which `datasets` calls num_bytes.
    """

    sha256: Sha256
    bytes: Count
    rows: Count
    content_sha256: Sha256 | None = None
    arrow_bytes: Count | None = None

    @property
    def largest(self) -> int:
        """Bytes that another file with these values may have: what they take without compression.

        A writer may store each token in four bytes, and say more of each column than ours does.
        """
        if self.content_sha256 is None:
            return self.bytes
        return 2**20 + 8 * max(self.bytes, self.arrow_bytes or 0)


class Band(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an oracle does on held-out designs at some distance from those that it was trained on.

    Attributes:
        percentiles: least and largest distance among them, as `Support` counts distances.
        rows: number of designs in the band.
        spearman: rank correlation with y; null where one of the two does not vary.
        mean_absolute_error: mean absolute error, in units of y.
    """

    percentiles: tuple[Percentile, Percentile]
    rows: Count
    spearman: Fraction | None
    mean_absolute_error: float


class Support(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How close to each other the designs are that an oracle was trained on.

    The distance is that of the space: for sequences the number of positions that differ, padding
    included; for a box the Euclidean distance after each value is divided by its standard deviation
    over the visible rows (`statistics.x_std`; by 1 where that is 0).

    Attributes:
        designs: number of distinct designs.
        distances: percentiles 0, 1, … 100 of the distance from each to the nearest other one
            (linear interpolation): at least 0, and never falling.
    """

    designs: Count
    distances: Annotated[tuple[_Distance, ...], msgspec.Meta(min_length=101, max_length=101)]

    def __post_init__(self) -> None:
        for at, (before, after) in enumerate(pairwise(self.distances), 1):
            if after < before:
                raise ValueError(
                    f"distances fall from {before:g} to {after:g} at percentile {at}; percentiles "
                    "never do"
                )


class HeldOut(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an oracle does on rows it was not trained on.

    Attributes:
        rows: number of rows held out.
        rule: how these rows were chosen.
        spearman: rank correlation with y over all of them.
        spearman_top_decile: rank correlation within the tenth of them with the largest y.
        mean_absolute_error: mean absolute error, in units of y.
        spearman_random_rows: rank correlation with as many rows held out at random, where `rule`
            holds out groups of related rows: the difference shows what is learned from a row's
            relatives.
        mean_absolute_error_seen: the error on the rows that the same model was trained on.
        by_distance: the held-out designs by their distance to the nearest one trained on.
    """

    rows: Count
    rule: Text
    spearman: Fraction
    spearman_top_decile: Fraction
    mean_absolute_error: float
    spearman_random_rows: Fraction | None = None
    mean_absolute_error_seen: float | None = None
    by_distance: tuple[Band, ...] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A measured figure that says what an oracle is worth, in words that stand alone.

    Attributes:
        what: what was measured, on what, and in which unit.
        value: the measured figure.
    """

    what: Text
    value: float


class PinnedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file of an oracle's repository, and what it must be.

    Attributes:
        file: path of the file in the repository.
        sha256: hash of its content.
    """

    file: FilePath
    sha256: Sha256


class OracleEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An oracle of a task: where its files are, what they must be, and how far to trust it.

    Attributes:
        kind: how values are computed: table, onnx, mujoco or training.
        exact: whether this oracle defines the objective.
        file: the file that computes, for kinds that have one: path inside `repo`, or inside the
            dataset folder where there is no `repo`.
        sha256: hash of that file.
        repo: the Hub model repository that holds the oracle's files; without an owner it belongs to
            the dataset's, so that a copy of both under another name still fits together.
        revision: tag, branch or commit of that repository; without it, its main branch.
        golden: the file of designs and the values that they have, to check the oracle with.
        companions: further files of the repository that belong to it, and their sha256.
        settings: further settings of the kind.
        tolerance: how far a value of an exact oracle may be off, in units of y: from the stored y,
            and, where it is computed here, from a golden value.
        held_out: how a learned oracle does on rows that it did not see.
        trained_on: the rows that it was trained on.
        findings: further figures measured of the oracle.
        support: how far apart its training designs are, which tells the designs that it knows
            nothing about.
        description: the oracle in one sentence.
    """

    kind: Annotated[str, msgspec.Meta(pattern=rf"^[a-z][a-z0-9_-]*{_END}")]
    exact: bool = False
    file: FilePath | None = None
    sha256: Sha256 | None = None
    repo: Repo | None = None
    revision: Text | None = None
    golden: PinnedFile | None = None
    companions: dict[FilePath, Sha256] = {}
    settings: dict[str, Any] = {}
    tolerance: float = 0.0
    held_out: HeldOut | None = None
    trained_on: str = ""
    findings: tuple[Finding, ...] = ()
    support: Support | None = None
    description: str = ""

    @property
    def pinned(self) -> dict[str, str]:
        """The sha256 of each of the oracle's files, by its path in the repository."""
        own = {} if self.file is None or self.sha256 is None else {self.file: self.sha256}
        golden = {} if self.golden is None else {self.golden.file: self.golden.sha256}
        return own | golden | self.companions

    def allowance(self, y: Num[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """How far values computed elsewhere may be from y, (n,): the tolerance, and rounding.

        Runtimes add up in their own orders, which shows in the last bits of a learned oracle; one
        that is exact may differ by its tolerance only.
        """
        rounding = 0.0 if self.exact else ANOTHER_RUNTIME
        return self.tolerance + rounding * np.abs(np.asarray(y, np.float64))


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The content of `task.json`.

    Attributes:
        format: number of this format.
        name: name of the task and of its repository.
        version: version of the data; its git tag on the Hub is v<version>.
        title: name of the task for people.
        summary: the task in one sentence.
        space: which designs are legal.
        objective: what is maximised.
        split: the rule that made some rows visible, if there is one.
        statistics: figures of the data.
        source: origin and terms of the measurements.
        oracles: the oracles by name; the first is the task's own.
        text: the column that writes designs for people, if there is one.
        notation: how that column is read, if that is known.
        y_oracle: the oracle whose values stand in the column `y_oracle`, if there is one.
        extra: further columns of whole numbers, and what they mean.
        files: the data files by path, `data/train.parquet` among them.
    """

    format: Annotated[int, msgspec.Meta(ge=1)]
    name: Name
    version: Version
    title: Title
    summary: Sentence
    space: Sequence | Box
    objective: Objective
    split: SplitRule | None = None
    statistics: Statistics
    source: Source | None = None
    oracles: dict[str, OracleEntry] = {}
    text: str | None = None
    notation: Literal["smiles"] | None = None
    y_oracle: str | None = None
    extra: dict[str, Text] = {}
    files: dict[FilePath, StoredFile]

    def to_json(self) -> bytes:
        """Write `task.json`: indented, fields in the order of the format, newline at the end."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the data, in the order in which they are published."""
        return layout.columns(
            self.space,
            self.objective.name,
            unit=self.objective.unit,
            text=self.text,
            y_oracle=self.y_oracle,
            extra=self.extra,
        )

    def pinned(self, repo: str | None = None) -> dict[str, str]:
        """Name the files that this version covers.

        Args:
            repo: an oracle's repository, as its entry names it; None is the dataset folder, whose
                task.json is covered as well, but cannot name itself.

        Returns:
            The sha256 of each file, by its path.
        """
        own = {} if repo else {file: stored.sha256 for file, stored in self.files.items()}
        for entry in self.oracles.values():
            if entry.repo == repo:
                own |= entry.pinned
        return own


def read(raw: bytes, where: str) -> Manifest:
    """Parse `task.json`.

    Args:
        raw: content of the file.
        where: what to call the folder in messages.

    Raises:
        UnsupportedFormat: written by a newer mbo_hub.
        InvalidDataset: not JSON, or not of this format; the first violation, with its place.
            `mbo validate` lists all of them.
    """
    try:
        document = files.json(raw)
    except InvalidFile as error:
        raise InvalidDataset(where, [f"task.json {error}"]) from None
    written = document.get("format") if isinstance(document, dict) else None
    if type(written) is int and written > FORMAT:
        advice = "upgrade with  pip install -U mbo-hub"
        raise UnsupportedFormat(
            where,
            [f"task.json has format {written}, this mbo_hub reads up to {FORMAT}; {advice}"],
        )
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        problem = f"task.json: {explained(_with_names(document, str(error)))}"
        raise InvalidDataset(where, [problem]) from None
    problems = _contradictions(manifest)
    if problems:
        raise InvalidDataset(where, [f"task.json: {problem}" for problem in problems])
    return manifest


def _with_names(document: Any, message: str) -> str:
    """Put names into the place that msgspec tells: it writes `[...]` for any name of an object."""
    while "`$" in message and "[...]" in message:
        start = message.index("`$") + 1
        path = message[start : message.index("[...]")]
        steps = [step for step in re.split(r"[.\[\]]+", path)[1:] if step]
        found = _first_refused(document, steps, message)
        if found is None:
            return message
        message = message.replace("[...]", f".{found}", 1)
        document = _only(document, steps, [found])
    return message


def _first_refused(document: Any, steps: list[str], message: str) -> str | None:
    """The name in the object at a place that is refused in these words."""
    names = _names_at(document, steps)

    def says(count: int) -> bool:  # with fewer names than up to that one, something else is said
        return _says(_only(document, steps, names[:count]), message)

    count = bisect_left(range(len(names) + 1), True, key=says)
    return names[count - 1] if count <= len(names) else None


def _names_at(document: Any, steps: list[str]) -> list[str]:
    for step in steps:
        document = document[int(step)] if isinstance(document, list) else document.get(step)
    return list(document) if isinstance(document, dict) else []


def _only(document: Any, steps: list[str], names: list[str]) -> Any:
    """A document whose object at a place has some of its names left."""
    if not steps:
        return {name: document[name] for name in names}
    if isinstance(document, list):
        at = int(steps[0])
        return [*document[:at], _only(document[at], steps[1:], names), *document[at + 1 :]]
    return document | {steps[0]: _only(document[steps[0]], steps[1:], names)}


def _says(document: Any, message: str) -> bool:
    """Whether a document is refused in these words."""
    try:
        msgspec.convert(document, Manifest)
    except msgspec.ValidationError as error:
        return str(error).rpartition("`$")[0] == message.rpartition("`$")[0]
    return False


def _contradictions(manifest: Manifest) -> list[str]:
    """What of a declaration cannot be at the same time as the rest of it."""
    statistics, rule, dim = manifest.statistics, manifest.split, manifest.space.dim
    problems = [
        f"statistics.{name} has {len(values):,} values, the designs have {dim:,}"
        for name, values in (("x_mean", statistics.x_mean), ("x_std", statistics.x_std))
        if len(values) != dim
    ]
    width = statistics.y_max - statistics.y_min
    if not width > 0:
        problems.append("y_min is not below y_max, so nothing can be scored")
    elif not TINY <= width <= 2 * HUGE:
        problems.append(f"y_max is {width:g} above y_min; y is float32, which has no such width")
    stds = (*statistics.x_std, statistics.y_std)
    odd = [std for std in stds if std and not TINY <= std <= HUGE]
    if odd:
        problems.append(f"a standard deviation is {odd[0]:g}, which float32 numbers never have")
    if rule is not None and rule.y_low > rule.y_high:
        problems.append(f"split.y_low is {rule.y_low:g}, above split.y_high, {rule.y_high:g}")
    if rule is not None and rule.percentiles[0] > rule.percentiles[1]:
        problems.append("split.percentiles: the lower one comes first")
    if manifest.y_oracle is not None and manifest.y_oracle not in manifest.oracles:
        problems.append(f"y_oracle names {manifest.y_oracle!r}, which is not one of its oracles")
    names = [column.name for column in manifest.columns]
    problems += [f"two columns are called {n!r}" for n in sorted(set(names)) if names.count(n) > 1]
    if layout.TRAIN not in manifest.files:
        problems.append(f"files has no {layout.TRAIN}")
    elif not manifest.files[layout.TRAIN].rows:
        problems.append(f"{layout.TRAIN} has 0 rows, so a method has nothing to learn from")
    return problems
