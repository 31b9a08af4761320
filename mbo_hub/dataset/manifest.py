"""`task.json`: a task's declaration, statistics and file hashes, for readers in any language.

The structures below are the format. `json_schema` derives the published JSON Schema from them,
`read` and `to_json` are the only places that parse and write the file. A reader ignores fields it
does not know, so fields may be added; a change that an old reader would misunderstand raises
`FORMAT`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from mbo_hub.errors import InvalidDataset, UnsupportedFormat
from mbo_hub.spaces import Box, Sequence

__all__ = [
    "FORMAT",
    "Band",
    "Finding",
    "Golden",
    "HeldOut",
    "Manifest",
    "MujocoEntry",
    "Objective",
    "OnnxEntry",
    "OracleEntry",
    "Source",
    "Split",
    "Statistics",
    "StoredFile",
    "Support",
    "TableEntry",
    "TrainingEntry",
    "json_schema",
    "read",
    "read_golden",
    "schema_problems",
]

FORMAT = 1
SCHEMA_ID = f"urn:mbo-hub:task.json:{FORMAT}"

Text = Annotated[str, msgspec.Meta(min_length=1)]
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Version = Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
# A file inside the folder: relative, forward slashes, no step upwards.
_PART = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
FilePath = Annotated[str, msgspec.Meta(pattern=rf"^{_PART}(/{_PART})*$")]
Repo = Annotated[str, msgspec.Meta(pattern=rf"^({_PART}/)?{_PART}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=-1, le=1)]
Percentile = Annotated[float, msgspec.Meta(ge=0, le=100)]


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """What is maximised."""

    name: Text
    unit: str = ""
    description: Text


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the measurements come from, and under which terms."""

    url: Text
    sha256: Sha256 | None = None
    license: Text
    attribution: Text
    citation: str = ""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """The rule that made some rows visible: y within these percentiles of the full data.

    Attributes:
        percentiles: lower and upper percentile of y over the full data (linear interpolation).
        y_low: the value at the lower percentile; rows at it are visible.
        y_high: the value at the upper percentile; rows at it are visible.
        sampled: only this many of those rows are visible, drawn at random; null is all of them.
    """

    percentiles: tuple[Percentile, Percentile]
    y_low: float
    y_high: float
    sampled: Count | None = None


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of the data; y in raw units, float32 values written exactly.

    Attributes:
        rows: rows of the full data.
        visible: rows of the train split.
        y_min: smallest y of the full data; scores 0.
        y_max: largest y of the full data; scores 1.
        best_visible: D(best), the largest y of the train split.
        x_mean: mean of each column of x over the train split, (d,).
        x_std: population standard deviation likewise, (d,).
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


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the dataset folder.

    Attributes:
        sha256: of the file.
        bytes: its size.
        rows: how many it holds.
        content_sha256: of its values, whatever wrote the file (`parquet.content_sha256`): a file
            with these values is the declared one, too. Parquet writers differ in their bytes.
        arrow_bytes: of its table in memory, which `datasets` calls num_bytes.
    """

    sha256: Sha256
    bytes: Count
    rows: Count
    content_sha256: Sha256 | None = None
    arrow_bytes: Count | None = None


class Band(msgspec.Struct, frozen=True, kw_only=True):
    """How an oracle does on held-out designs at some distance from those that it was trained on.

    Attributes:
        percentiles: least and largest distance among them, as `Support` counts distances.
        rows: how many they are.
        spearman: rank correlation with y; null where one of the two does not vary.
        mean_absolute_error: in units of y.
    """

    percentiles: tuple[Percentile, Percentile]
    rows: Count
    spearman: Fraction | None
    mean_absolute_error: float


class Support(msgspec.Struct, frozen=True, kw_only=True):
    """How close to each other the designs are that an oracle was trained on.

    Attributes:
        designs: how many distinct ones there are.
        distances: percentiles 0, 1, … 100 of the distance from each to the nearest other one.
    """

    designs: Count
    distances: Annotated[tuple[float, ...], msgspec.Meta(min_length=101, max_length=101)]


class HeldOut(msgspec.Struct, frozen=True, kw_only=True):
    """How an oracle does on rows it was not trained on.

    Attributes:
        rows: how many rows were held out.
        rule: how they were chosen.
        spearman: rank correlation with y over all of them.
        spearman_top_decile: the same within the tenth of them with the largest y.
        mean_absolute_error: in units of y.
        spearman_random_rows: the same with as many rows held out at random, where `rule` holds out
            groups of related rows: what is learned from a row's relatives shows in the difference.
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


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A measured figure that says what an oracle is worth, in words that stand alone.

    Attributes:
        what: was measured, on what, and in which unit.
        value: the figure.
    """

    what: Text
    value: float


class TableEntry(msgspec.Struct, frozen=True, kw_only=True, tag="table", tag_field="kind"):
    """The dataset holds the whole domain; the oracle looks designs up in it."""

    exact: bool = True
    tolerance: float = 0.0
    description: str = ""

    @property
    def kind(self) -> str:
        """The word in `task.json`."""
        return "table"


class OnnxEntry(msgspec.Struct, frozen=True, kw_only=True, tag="onnx", tag_field="kind"):
    """An ONNX graph from raw designs `x` to raw objective values.

    Attributes:
        file: path inside `repo`, or inside the dataset folder where `repo` is null.
        sha256: of the file.
        repo: the Hub model repository that holds the file; without an owner it belongs to the
            dataset's, so that a copy of both under another name still fits together.
        revision: tag, branch or commit of that repository; null is its main branch.
        exact: this oracle defines the objective.
        tolerance: largest difference from stored y that an exact oracle may show.
        held_out: how a learned oracle does on rows that it did not see.
        trained_on: which rows it saw.
        findings: what else was measured of it.
        support: how far apart those are, to tell designs that it knows nothing about.
        description: one sentence.
    """

    file: FilePath
    sha256: Sha256
    repo: Repo | None = None
    revision: Text | None = None
    exact: bool = False
    tolerance: float = 0.0
    held_out: HeldOut | None = None
    trained_on: str = ""
    findings: tuple[Finding, ...] = ()
    support: Support | None = None
    description: str = ""

    @property
    def kind(self) -> str:
        """The word in `task.json`."""
        return "onnx"


class MujocoEntry(msgspec.Struct, frozen=True, kw_only=True, tag="mujoco", tag_field="kind"):
    """A robot that mbo_hub itself simulates; others read its golden values.

    Attributes:
        robot: which one.
        simulator_sha256: of its model, policy and constants (`oracles.mujoco.oracle.checksum`).
        made_with: version of MuJoCo that the data were made with.
        file: path of golden.json inside `repo`: designs and the values they have.
        sha256: of that file.
        repo: the Hub model repository that holds the file, as in an OnnxEntry.
        revision: of that repository.
        exact: this oracle defines the objective.
        tolerance: how far a golden value may be off on another machine.
        description: one sentence.
    """

    robot: Literal["ant", "dkitty", "hopper"]
    simulator_sha256: Sha256
    made_with: Text
    file: FilePath
    sha256: Sha256
    repo: Repo | None = None
    revision: Text | None = None
    exact: bool = True
    tolerance: float = 0.0
    description: str = ""

    @property
    def kind(self) -> str:
        """The word in `task.json`."""
        return "mujoco"


class TrainingEntry(msgspec.Struct, frozen=True, kw_only=True, tag="training", tag_field="kind"):
    """A network that mbo_hub itself trains on data that come with scikit-learn.

    Attributes:
        recipe_sha256: of its constants and the version of its code (`oracles.training.RECIPE`).
        made_with: version of torch that the data were made with.
        file: path of golden.json inside `repo`: designs and the values they have.
        sha256: of that file.
        repo: the Hub model repository that holds the file, as in an OnnxEntry.
        revision: of that repository.
        exact: this oracle defines the objective.
        tolerance: how far a golden value may be off on another machine.
        description: one sentence.
    """

    recipe_sha256: Sha256
    made_with: Text
    file: FilePath
    sha256: Sha256
    repo: Repo | None = None
    revision: Text | None = None
    exact: bool = True
    tolerance: float = 0.0
    description: str = ""

    @property
    def kind(self) -> str:
        """The word in `task.json`."""
        return "training"


OracleEntry = TableEntry | OnnxEntry | MujocoEntry | TrainingEntry


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `task.json`.

    Attributes:
        format: version of this format.
        name: the task's name, and its repository's.
        version: of the data; git tag ``v<version>`` on the Hub.
        title: for people.
        summary: one sentence.
        space: what a legal design is.
        objective: what is maximised.
        split: the rule of visibility, where there is one.
        statistics: of the data.
        source: origin and terms of the measurements.
        oracles: by name; the first is the task's own.
        text: the column that writes designs for people, where there is one.
        notation: how that column is to be read, where that is known.
        y_oracle: the oracle whose values stand in the column `y_oracle`, where there is one.
        files: the data files by path, `data/train.parquet` among them.
    """

    format: int
    name: Name
    version: Version
    title: Text
    summary: Text
    space: Sequence | Box
    objective: Objective
    split: Split | None = None
    statistics: Statistics
    source: Source | None = None
    oracles: dict[str, OracleEntry] = {}
    text: str | None = None
    notation: Literal["smiles"] | None = None
    y_oracle: str | None = None
    files: dict[FilePath, StoredFile]

    def to_json(self) -> bytes:
        """Write `task.json`: indented, fields in the order of the format, newline at the end."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `golden.json`: designs, and the value that each ONNX file gives them.

    Attributes:
        task: name of the task.
        version: of its dataset.
        x: designs, (n, d).
        y: by file, or by kind of oracle (`mujoco`, `training`), n values.
    """

    task: str
    version: str
    x: list[list[float]]
    y: dict[str, list[float]]


class _Format(msgspec.Struct):
    format: int


def read(raw: bytes, where: str) -> Manifest:
    """Parse `task.json`.

    Args:
        raw: content of the file.
        where: what to call the folder in messages.

    Raises:
        UnsupportedFormat: written by a newer mbo_hub.
        InvalidDataset: not JSON, or not of this format; the first violation, with its place.
            `schema_problems` lists all of them.
    """
    try:
        written = msgspec.json.decode(raw, type=_Format).format
        if written > FORMAT:
            advice = "upgrade with  pip install -U mbo-hub"
            raise UnsupportedFormat(
                where,
                [f"task.json has format {written}, this mbo_hub reads up to {FORMAT}; {advice}"],
            )
        manifest = msgspec.json.decode(raw, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidDataset(where, [f"task.json: {error}"]) from None
    dim = manifest.space.dim
    given = {len(manifest.statistics.x_mean), len(manifest.statistics.x_std)}
    if given != {dim}:
        raise InvalidDataset(where, [f"task.json: x_mean and x_std have {given} values, not {dim}"])
    if not manifest.statistics.y_min < manifest.statistics.y_max:
        raise InvalidDataset(
            where, ["task.json: y_min is not below y_max, so nothing can be scored"]
        )
    if manifest.y_oracle is not None and manifest.y_oracle not in manifest.oracles:
        raise InvalidDataset(
            where, [f"task.json: y_oracle names {manifest.y_oracle!r}, which is no oracle of it"]
        )
    if "data/train.parquet" not in manifest.files:
        raise InvalidDataset(where, ["task.json: files has no data/train.parquet"])
    return manifest


def read_golden(raw: bytes, where: str) -> Golden:
    """Parse `golden.json`.

    Raises:
        InvalidDataset: not of this format.
    """
    try:
        golden = msgspec.json.decode(raw, type=Golden)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidDataset(where, [f"golden.json: {error}"]) from None
    if len({len(row) for row in golden.x}) != 1:
        raise InvalidDataset(where, ["golden.json: its designs are none, or of different lengths"])
    for name, values in golden.y.items():
        if len(values) != len(golden.x):
            raise InvalidDataset(
                where, [f"golden.json: {len(values)} values of {name} for {len(golden.x)} designs"]
            )
    return golden


def json_schema() -> dict[str, Any]:
    """Derive the JSON Schema of `task.json` (2020-12) from the structures above."""
    schema = msgspec.json.schema(Manifest)
    schema["$defs"]["Manifest"]["properties"]["format"] = {"const": FORMAT}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "mbo-hub task.json",
        **schema,
    }


def schema_problems(raw: bytes) -> list[str]:
    """List every violation of the JSON Schema in the content of a `task.json`.

    Args:
        raw: content of the file.

    Returns:
        One sentence each, in the order of the file; empty where there is none.
    """
    from jsonschema import Draft202012Validator

    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return [f"task.json: {error}"]
    found = Draft202012Validator(json_schema()).iter_errors(document)
    return [
        f"task.json: {error.message} - at `{error.json_path}`"
        for error in sorted(found, key=lambda error: [str(part) for part in error.absolute_path])
    ]
