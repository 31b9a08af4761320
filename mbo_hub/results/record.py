"""One run of a method on a task: its record, its designs, and the folder that holds both.

A run is told by its `Plan`. Its folder ``<task>/<method>/<preset>/seed-<k>`` has `record.json` and
`designs.parquet`, which are written before an oracle is opened, and again with the scores. A run
that failed has a record too. What a method printed is in `log.txt`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np

from mbo_hub.arrays import Float32, Float64, Num
from mbo_hub.atomic import write_file
from mbo_hub.dataset import files, parquet
from mbo_hub.dataset.lines import Line, Sentence, explained, strange
from mbo_hub.dataset.manifest import Name, Sha256, Version
from mbo_hub.dataset.subset import Subset
from mbo_hub.errors import InvalidDataset, InvalidFile
from mbo_hub.scoring.report import Report

__all__ = [
    "DESIGNS",
    "FORMAT",
    "LOG",
    "OURS",
    "RECORD",
    "Machine",
    "Plan",
    "Record",
    "Run",
    "Setting",
    "Status",
    "Submitted",
    "content",
    "decode_designs",
    "folder_of",
    "problem",
    "read_run",
    "write_run",
]

FORMAT = 1
OURS = "mbo_hub"  # `Record.code` of this package's methods
RECORD, DESIGNS, LOG = "record.json", "designs.parquet", "log.txt"
_WAY_OUT = "Delete the folder {} if nobody needs it: `mbo run` makes the run again"
LARGEST = 2**28  # bytes that a file of runs may become in memory
_DESIGNS_BYTES = 2**27  # bytes that the designs of one run may; Arrow takes ten times as many

Status = Literal["proposed", "scored", "failed"]
# Whole numbers that a column of a collection keeps.
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Positive = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Seed = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Setting(msgspec.Struct, frozen=True):
    """The value of one hyper-parameter and where it comes from."""

    value: Any
    source: Sentence


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run took place."""

    system: Line
    processor: Line
    cores: Count
    python: Line


def problem(task: str, subset: Subset | None) -> str:
    """Name a task, and what is visible of it where that is not what is published."""
    return task if subset is None else f"{task}@{subset.slug}"


def folder_of(where: str, method: str, preset: str, seed: int) -> Path:
    """Name the folder of a run below that of all runs.

    Args:
        where: its `problem`.
        method: short name.
        preset: of its hyper-parameters.
        seed: of the run.

    Raises:
        InvalidFile: these are no names of folders on every system.
    """
    for what, name in (("task", where), ("method", method), ("preset", preset)):
        if wrong := _wrong_name(name):
            raise InvalidFile(f"{what} {name!r} {wrong}")
    return Path(where, method, preset, f"seed-{seed}")


def _wrong_name(name: str) -> str | None:
    """Say why a name cannot be that of a folder, on Windows, too."""
    if not re.fullmatch(r"[A-Za-z0-9_.+@-]{1,120}", name) or name.strip(".") != name:
        return "has to be letters, digits, _ + - and dots inside, at most 120; give it another name"
    if re.fullmatch(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?", name):
        return "is the name of a device on Windows; give it another name"
    return None


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What makes a run the one it is.

    Attributes:
        task: a name of the archive, a repository of the Hub, or a folder.
        subset: which rows are visible, where these are not the published ones.
        method: as `mbo_hub.methods.find` takes it.
        preset: of the method's hyper-parameters.
        seed: of everything that is random in the method.
        budget: how many designs may be submitted.
        device: of torch.
        tuned_on_oracle: whoever runs it says that hyper-parameters were chosen by looking at
            scores of the task's oracle.
        time_limit: seconds that a step may take; a method that takes longer has failed.
    """

    task: str
    subset: Subset | None = None
    method: str
    preset: str = "standard"
    seed: Seed = 0
    budget: Positive = 128
    device: str = "cpu"
    tuned_on_oracle: bool = False
    time_limit: float | None = None


class Record(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What became of a run.

    Attributes:
        format: of the written form.
        task: its name.
        task_version: of the dataset.
        dataset_sha256: of its task.json, which names the sha256 of every data file.
        subset: which rows were visible, where these are not the published ones.
        method: short name.
        title: of the method, for people.
        method_version: goes up whenever a change of the method changes designs.
        code: what was run: 'mbo_hub', or the package.module:attribute of somebody's own.
        preset: of the hyper-parameters.
        seed: of everything that is random in the method.
        budget: how many designs could be submitted.
        device: of torch, where the method computed.
        settings: every hyper-parameter, and where its value comes from.
        tuned_on_oracle: hyper-parameters were chosen by scores of the oracle; it is not ranked.
        deviations: how the method differs from its paper's code.
        started: date and time in UTC.
        machine: where it ran.
        libraries: version of each library that took part.
        status: 'proposed': its designs wait for the oracle; 'scored'; 'failed': it has no designs.
        failure: why there are none.
        designs: how many were submitted.
        designs_sha256: of these, as `Report.designs_sha256`.
        projected: how many of them the method had to move to become legal.
        notes: what the method says about them.
        cpu_seconds: of the method, all cores together.
        wall_seconds: of the method.
        peak_mb: the most memory that its process had, in MiB.
        scoring_seconds: wall time of the oracle.
        y_range: smallest and largest objective of the full data: what scores 0 and what scores 1.
        report: the receipt of its designs.
    """

    format: Positive
    task: Name
    task_version: Version
    dataset_sha256: Sha256
    subset: Subset | None = None
    method: Line
    title: Line
    method_version: Line
    code: Line
    preset: Line
    seed: Seed
    budget: Positive
    device: Line = "cpu"
    settings: dict[Line, Setting] = {}
    tuned_on_oracle: bool = False
    deviations: tuple[Sentence, ...] = ()
    started: Line
    machine: Machine
    libraries: dict[Line, Line]
    status: Status
    failure: Sentence | None = None
    designs: Count = 0
    designs_sha256: Sha256 | None = None
    projected: Count = 0
    notes: tuple[Sentence, ...] = ()
    cpu_seconds: Seconds
    wall_seconds: Seconds
    peak_mb: Count
    scoring_seconds: Seconds | None = None
    y_range: tuple[float, float]
    report: Report | None = None

    @property
    def place(self) -> Path:
        """Folder of the run below that of all runs."""
        return folder_of(self.problem, self.method, self.preset, self.seed)

    @property
    def problem(self) -> str:
        """What methods are compared on: the task, and what is visible of it."""
        return problem(self.task, self.subset)

    @property
    def ranked(self) -> bool:
        """Whether tables may compare it with others."""
        return self.status == "scored" and not self.tuned_on_oracle

    def __str__(self) -> str:
        return f"{self.method} ({self.preset}) on {self.problem}, seed {self.seed}"

    def encode(self) -> bytes:
        """Write the record as JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    @classmethod
    def decode(cls, raw: bytes, where: str) -> Record:
        """Read a record.

        Args:
            raw: JSON.
            where: what to call it in messages.

        Raises:
            InvalidFile: it is none, of a newer format, or its parts do not fit together.
        """
        try:
            document = files.json(raw)
        except InvalidFile as error:
            raise InvalidFile(f"{where}: not the record of a run: it {error}") from None
        newer = document.get("format") if isinstance(document, dict) else None
        if isinstance(newer, int) and newer > FORMAT:
            raise InvalidFile(
                f"{where}: a record of format {newer}, this mbo_hub reads up to {FORMAT}; upgrade "
                "with  pip install -U mbo-hub"
            )
        try:
            record = msgspec.convert(document, cls)
        except msgspec.MsgspecError as error:
            raise InvalidFile(
                f"{where}: not the record of a run: {explained(str(error))}"
            ) from None
        problem = _contradiction(record)
        if problem:
            raise InvalidFile(f"{where}: {problem}")
        return record


def _contradiction(record: Record) -> str | None:
    """Say what cannot be true of a record as a whole."""
    try:
        folder_of(record.problem, record.method, record.preset, record.seed)
    except InvalidFile as error:
        return str(error)
    for name, setting in record.settings.items():
        if wrong := strange(setting.value, f"settings.{name}"):
            return wrong
    wanted = {
        "proposed": (True, False, False),
        "scored": (True, True, False),
        "failed": (False, False, True),
    }[record.status]
    there = (
        record.designs_sha256 is not None,
        record.report is not None,
        record.failure is not None,
    )
    for name, has, should in zip(
        ("designs_sha256", "report", "failure"), there, wanted, strict=True
    ):
        if has != should:
            return f"a run that is {record.status} has {'a' if should else 'no'} {name}"
    if bool(record.designs) != wanted[0] or record.designs > record.budget:
        return f"{record.designs} designs do not fit status {record.status!r} and the budget of " \
               f"{record.budget}"  # fmt: skip
    report = record.report
    if report is not None:
        pairs = {
            "task": (record.task, report.task),
            "version": (record.task_version, report.version),
            "dataset_sha256": (record.dataset_sha256, report.dataset_sha256),
            "subset": (record.subset, report.subset),
            "designs_sha256": (record.designs_sha256, report.designs_sha256),
            "number of designs": (record.designs, len(report.y)),
            "budget": (record.budget, report.budget),
        }
        for what, (own, others) in pairs.items():
            if own != others:
                return f"its {what} is {own}, that of its receipt {others}"
        return _impossible_scores(record.y_range, report)
    return None


def _impossible_scores(y_range: tuple[float, float], report: Report) -> str | None:
    """Say if objectives cannot be rescaled as the receipt says that they are."""
    low, high = y_range
    y = np.array(report.y, np.float64)
    with np.errstate(all="ignore"):
        scores = (y - low) / (high - low)
    if not low < high or not np.isfinite(high - low) or np.isinf(scores).any():
        return f"no score can be computed with its y_range from {low} to {high}"
    pairs = [
        (report.best_visible, report.best_visible_normalized),
        (report.raw.best, report.normalized.best),
    ]
    for raw, normalized in pairs:
        if raw is None or normalized is None:
            continue
        expected = (raw - low) / (high - low)
        if not np.isclose(normalized, expected, rtol=1e-6, atol=1e-6):
            return f"with its y_range {raw} scores {expected}, its receipt says {normalized}"
    return None


class Submitted(NamedTuple):
    """What `designs.parquet` holds: designs (n, d), and what the method expects of them (n,)."""

    designs: Num[np.ndarray, "n d"]
    predicted: Float32[np.ndarray, " n"] | None


def decode_designs(raw: bytes, where: str) -> Submitted:
    """Read the designs of a run.

    Args:
        raw: content of `designs.parquet`.
        where: what to call it in messages.

    Raises:
        InvalidFile: not parquet, no designs in it, or far too large.
    """
    try:
        wanted = [n for n in parquet.names(raw, where) if n in ("x", "predicted")]
        if "x" not in wanted:
            raise InvalidFile(f"{where}: it has no column x of designs")
        found = dict(zip(wanted, parquet.cells(raw, wanted, where, _DESIGNS_BYTES), strict=True))
    except InvalidDataset as error:
        raise InvalidFile(f"{where}: {error.problems[0]}") from None
    x, predicted = found["x"], found.get("predicted")
    if not isinstance(x, np.ndarray) or x.ndim != 2:
        raise InvalidFile(f"{where}: its column x does not hold designs, lists of as many numbers")
    if predicted is not None and not (isinstance(predicted, np.ndarray) and predicted.ndim == 1):
        raise InvalidFile(f"{where}: its column predicted does not hold a number for each design")
    return Submitted(x, None if predicted is None else predicted.astype(np.float32))


@dataclass(frozen=True, eq=False)
class Run:
    """A run as it was read: its record at once, its designs when they are asked for.

    Attributes:
        record: what became of it.
        where: where it was read.
    """

    record: Record
    where: str
    _load: Callable[[], Submitted | None] = field(repr=False, default=lambda: None)

    @cached_property
    def _submitted(self) -> Submitted | None:
        return self._load()

    @property
    def designs(self) -> Num[np.ndarray, "n d"] | None:
        """Submitted designs (n, d) in their order; None: there are none, or they are not here."""
        return None if self._submitted is None else self._submitted.designs

    @property
    def predicted(self) -> Float32[np.ndarray, " n"] | None:
        """What the method expects of each, (n,) in raw units; None: it does not say."""
        return None if self._submitted is None else self._submitted.predicted

    @cached_property
    def y(self) -> Float64[np.ndarray, " n"]:
        """Objective of each design, (n,) in raw units; NaN: illegal; empty unless scored."""
        report = self.record.report
        return np.array([] if report is None else report.y, np.float64)

    @cached_property
    def score(self) -> Float64[np.ndarray, " n"]:
        """The same where the full data span 0 to 1."""
        low, high = self.record.y_range
        return (self.y - low) / (high - low)


def read_run(folder: Path) -> Run:
    """Read a run from its folder.

    Raises:
        InvalidFile: there is no record, it cannot be read, or belongs into another folder.
    """
    try:
        record = Record.decode(content(folder / RECORD), str(folder / RECORD))
    except InvalidFile as error:
        raise InvalidFile(f"{error}. {_WAY_OUT.format(folder)}") from None
    if folder.parts[-4:] != record.place.parts:
        raise InvalidFile(
            f"{folder}: holds the record of {record}; it belongs in {record.place}. "
            f"{_WAY_OUT.format(folder)}"
        )

    def load() -> Submitted | None:
        if record.designs_sha256 is None:
            return None
        try:
            return decode_designs(content(folder / DESIGNS), str(folder / DESIGNS))
        except InvalidFile as error:
            raise InvalidFile(f"{error}. {_WAY_OUT.format(folder)}") from None

    return Run(record, str(folder), load)


def write_run(
    directory: Path, record: Record, designs: bytes | None, log: str | None = None
) -> Path:
    """Write a run into its folder: first the designs, then the record that speaks of them.

    Args:
        directory: of all runs.
        record: what became of it.
        designs: content of `designs.parquet`; None: there are none.
        log: what the method said; None leaves what is there.

    Returns:
        The run's folder.

    Raises:
        InvalidFile: the place cannot be written.
    """
    folder = directory / record.place
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if designs is not None:
            write_file(folder / DESIGNS, designs)
        if log:
            write_file(folder / LOG, log.encode())
        elif log is not None:
            (folder / LOG).unlink(missing_ok=True)
        write_file(folder / RECORD, record.encode())
    except OSError as error:
        raise InvalidFile(f"{folder}: cannot be written: {error.strerror}") from None
    return folder


def content(path: Path) -> bytes:
    """Read a file of a run.

    Raises:
        InvalidFile: it is not there, or cannot be read.
    """
    try:
        return files.read(path)
    except InvalidFile as error:
        raise InvalidFile(f"{os.fspath(path)}: {error}") from None
