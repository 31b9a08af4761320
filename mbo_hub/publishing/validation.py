"""`validate`: tell the author of a dataset folder everything that is wrong with it, at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mbo_hub import extras
from mbo_hub.archive import folders
from mbo_hub.archive.folders import Folder
from mbo_hub.arrays import Float32, Int64, Num
from mbo_hub.dataset import figures, files, manifest, parquet, schema
from mbo_hub.dataset.json_schema import json_schema
from mbo_hub.dataset.layout import CARD, DECLARATION, SPLITS, TRAIN, split_of
from mbo_hub.dataset.manifest import ANOTHER_RUNTIME, Manifest, OracleEntry
from mbo_hub.errors import InvalidDataset, InvalidFile, MboHubError, UnsupportedFormat
from mbo_hub.offline import Affine
from mbo_hub.oracles import Oracle
from mbo_hub.oracles.golden import CheckedOracle
from mbo_hub.oracles.kinds import XY, Deposit, kind_of, open_oracle
from mbo_hub.oracles.protocol import Limits
from mbo_hub.publishing import metadata
from mbo_hub.publishing.new import depends_on_batch, unfinished
from mbo_hub.scoring import trust

if TYPE_CHECKING:
    import polars as pl

__all__ = ["validate"]

LIMITS = Limits()  # what trying a stranger's graph may take, if nothing else is said
# Differences between two numbers that are taken to measure distances again: seconds.
MEASURED = 3e10
MOST = 100  # violations of task.json's format that are listed
WRONG = 2**28  # bytes of a file other than the declared one that are still looked at


def validate(path: str | os.PathLike[str], *, limits: Limits = LIMITS) -> list[str]:
    """Check a dataset folder against its own task.json.

    Checks task.json against its JSON Schema, each data file's sha256, size and rows, every row
    against the pandera schema, the statistics against the data, the rule of visibility, that
    README.md tells `datasets` where the splits are, and that each oracle loads, scores, repeats
    itself, and, where it is exact, gives the stored values; and, where the designs that one was
    trained on are those of the data, that they lie as far apart as it says. A graph runs in a
    process of its own.

    Args:
        path: the folder.
        limits: what such a process may take; it is said when one is reached.

    Returns:
        One sentence for each thing that is wrong; empty when the folder is valid.

    Raises:
        MissingExtra: the extra `publish` is not installed.
    """
    extras.require("publish", "checking a dataset folder")
    folder = Folder(folders.expanded(path), advice="get it again, or correct task.json")
    name = str(folder)
    if not files.is_there(folder.path / DECLARATION):
        what = "has no task.json" if folder.path.is_dir() else "is not a folder"
        return [f"{name} {what}; it is not a dataset folder"]
    try:
        raw = folder.read(DECLARATION, None)
    except InvalidDataset as error:
        return error.problems
    try:
        declared = manifest.read(raw, name)
    except UnsupportedFormat as error:
        return error.problems
    except InvalidDataset as error:
        return [*(schema_problems(raw) or error.problems), *unknown_fields(raw)]
    found = schema_problems(raw) + unknown_fields(raw)
    frames, of_data = {}, []
    for file in declared.files:
        frame, problems = _read(folder, declared, file)
        of_data += problems
        if frame is not None:
            frames[file] = frame
    found += of_data + _card(folder, declared)
    if not of_data:  # figures and oracles of broken data would only repeat what is said above
        found += _statistics(declared, frames)
        found += _oracles(folder, declared, frames, limits)
        found += _labels(folder, declared, frames, limits)
        found += _supports(declared, frames)
    return found


def _read(folder: Folder, declared: Manifest, file: str) -> tuple[pl.DataFrame | None, list[str]]:
    """Read one data file and check its bytes and its rows."""
    entry = declared.files[file]
    if file not in SPLITS.values():
        return None, [f"{file}: is neither {' nor '.join(SPLITS.values())}, so nobody reads it"]
    if not files.is_there(folder.path / file):
        return None, [f"{file}: named in task.json but not there"]
    found: list[str] = []
    try:
        raw = folder.read(file, None, at_most=max(entry.largest, WRONG))
    except InvalidDataset as error:
        return None, error.problems
    is_declared = sha256(raw).hexdigest() == entry.sha256
    if not is_declared and not parquet.has_content(raw, entry.content_sha256, entry.rows):
        what = files.what_happened(raw, entry.sha256)
        found.append(
            f"{file}: its sha256 is not the one in task.json{f'; it {what}' if what else ''}"
        )
        if what is not None:
            return None, found
    if len(raw) != entry.bytes and (is_declared or found):
        found.append(f"{file}: {len(raw):,} bytes, task.json says {entry.bytes:,}")
    try:
        rows = parquet.rows(raw, file)
        if rows != entry.rows:
            said = f"{file}: {rows:,} rows, task.json says {entry.rows:,}; they were not looked at"
            return None, [*found, said]
        there = parquet.names(raw, file)
        wanted = [column.name for column in declared.columns if column.name in there]
        frame = schema.frame(parquet.table(raw, wanted, file), file)
        rules = schema.split_schema(declared, split_of(file))
        return frame, found + schema.problems(frame, rules, file)
    except InvalidDataset as error:
        return None, [*found, *(f"{file}: {problem}" for problem in error.problems)]


def schema_problems(raw: bytes) -> list[str]:
    """List every violation of the JSON Schema in the content of a `task.json`.

    Args:
        raw: content of the file.

    Returns:
        One sentence each, of the first hundred; empty where there is none.
    """
    from jsonschema import Draft202012Validator

    try:
        document = files.json(raw)
    except InvalidFile as error:
        return [f"{DECLARATION} {error}"]
    found = Draft202012Validator(json_schema()).iter_errors(document)
    leaves = (leaf for error in found for leaf in _leaves(error))
    wrong = sorted((_said(place), _said(message)) for place, message in islice(leaves, MOST))
    told = [f"{DECLARATION}: {message} - at `{place}`" for place, message in wrong]
    return told if next(leaves, None) is None else [*told, f"{DECLARATION}: {_MORE}"]


def _said(message: str) -> str:
    """A message of jsonschema without the whole value that it is about."""
    return message if len(message) <= 200 else f"{message[:120]} … {message[-75:]}"


def _leaves(error: Any) -> list[tuple[str, str]]:
    """Where something is wrong, and what: inside of a value that fits none of several schemas, too.

    jsonschema only says that it does not. Optional fields are two schemas, of which the other is
    null; spaces say by their `kind` which one they mean to be.
    """
    branches: dict[int, list[Any]] = {}
    for inner in error.context or ():
        branches.setdefault(inner.schema_path[0], []).append(inner)
    meant = [inner for inner in branches.values() if not any(map(_is_other_branch, inner))]
    if len(meant) == 1:
        return [leaf for inner in meant[0] for leaf in _leaves(inner)]
    kinds = [e for inner in branches.values() for e in inner if list(e.path) == ["kind"]]
    if kinds and not meant:
        known = ", ".join(str(kind) for e in kinds for kind in e.validator_value)
        return [(kinds[0].json_path, f"{_short(repr(kinds[0].instance))} is none of {known}")]
    return [(error.json_path, error.message)]


def _is_other_branch(error: Any) -> bool:
    """Whether a schema was not the one that a value was written for: null, or another kind."""
    if error.validator == "type":
        return not error.path and error.validator_value == "null"
    return list(error.path) == ["kind"] and error.validator in ("enum", "const")


def unknown_fields(raw: bytes) -> list[str]:
    """Name each field of a `task.json` that the format does not have.

    `load` leaves them alone, as a newer format may add some; a misspelt one has no effect.

    Args:
        raw: content of the file.

    Returns:
        One sentence each, of the first hundred; empty where there is none, or no JSON.
    """
    try:
        document = files.json(raw)
    except InvalidFile:
        return []
    found = list(islice(_unknown(document), MOST + 1))
    told = sorted(f"{DECLARATION}: {problem}" for problem in found[:MOST])
    return told if len(found) <= MOST else [*told, f"{DECLARATION}: {_MORE}"]


_MORE = "there is more of this kind"


class _Place(NamedTuple):
    """A value's place: a step from the place of what holds it. It is written when it is told."""

    above: _Place | None
    step: str

    def __str__(self) -> str:
        steps = []
        place: _Place | None = self
        while place is not None:
            steps.append(_said(place.step))
            place = place.above
        return _said("".join(reversed(steps)).removeprefix("."))


def _unknown(document: Any) -> Iterator[str]:
    from difflib import get_close_matches

    schema = json_schema()
    left: list[tuple[_Place | None, Any, dict[str, Any]]] = [(None, document, schema)]
    while left:
        place, value, rule = left.pop()
        rule = _rule_of(value, rule, schema)
        known = rule.get("properties", {})
        others = rule.get("additionalProperties")
        if isinstance(value, list) and isinstance(rule.get("items"), dict):
            left += [
                (_Place(place, f"[{at}]"), inner, rule["items"])
                for at, inner in enumerate(value)
                if isinstance(inner, dict | list)
            ]
        for name, inner in value.items() if isinstance(value, dict) else ():
            here = _Place(place, f".{name}")
            if name in known:
                left.append((here, inner, known[name]))
            elif known:
                near = get_close_matches(name[:80], known, n=1)
                meant = f"; did you mean `{near[0]}`?" if near else ""
                yield f"`{here}` is not a field of the format{meant}"
            elif isinstance(others, dict):
                left.append((here, inner, others))


def _rule_of(value: Any, rule: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The part of a JSON Schema that describes a value."""
    while "$ref" in rule:
        rule = schema["$defs"][rule["$ref"].rpartition("/")[2]]
    for branch in rule.get("anyOf", ()):
        inner = _rule_of(value, branch, schema)
        kinds = inner.get("properties", {}).get("kind", {}).get("enum")
        is_object = "properties" in inner and isinstance(value, dict)
        if is_object and (kinds is None or value.get("kind") in kinds):
            return inner
    return rule


def _card(folder: Folder, declared: Manifest) -> list[str]:
    """Check the card's metadata, by which the Hub and `datasets` know the repository."""
    try:
        text = files.text(folder.read(CARD, None))
    except InvalidFile as error:
        return [f"{CARD} {error}"]
    except InvalidDataset as error:
        if files.is_there(folder.path / CARD):
            return error.problems
        return ["README.md: not there; `datasets` reads the splits from its metadata"]
    data = (p.relative_to(folder.path) for p in folder.path.rglob("*.parquet") if p.is_file())
    present = [p.as_posix() for p in data if not any(part.startswith(".") for part in p.parts)]
    found = metadata.problems(text, "dataset", list(declared.files), present)
    return found + unfinished(text)


def _arrays(
    frame: pl.DataFrame, declared: Manifest
) -> tuple[Num[np.ndarray, "n d"], Float32[np.ndarray, " n"]]:
    return schema.matrix(frame["x"], declared.space), frame["y"].to_numpy()


def _statistics(declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Measure every figure of task.json again."""
    hidden = [_arrays(frame, declared)[1] for file, frame in frames.items() if file != TRAIN]
    x, y = _arrays(frames[TRAIN], declared)
    hidden_y = np.concatenate(hidden) if hidden else np.empty(0, np.float32)
    pairs: list[tuple[str, Any, Any]] = [
        ("statistics", declared.statistics, figures.measure(x, y, hidden_y))
    ]
    if declared.split is not None:
        full = np.concatenate([y, hidden_y])
        rule = figures.rule_of(declared.split.percentiles, full, declared.split.sampled)
        pairs.append(("split", declared.split, rule))
    return [
        problem
        for part, declared_part, measured in pairs
        for figure in measured.__struct_fields__
        for problem in _differences(
            f"{part}.{figure}", getattr(declared_part, figure), getattr(measured, figure)
        )
    ]


def _differences(figure: str, said: Any, found: Any) -> list[str]:
    """Compare a figure with the data; of many values, name the first that is wrong."""
    if not isinstance(found, tuple):
        same = said == found or np.allclose(said, found, rtol=1e-6, atol=1e-9)
        return [] if same else [f"task.json: {figure} is {said}, the data give {found}"]
    wrong = np.flatnonzero(~np.isclose(said, found, rtol=1e-6, atol=1e-9))
    if not len(wrong):
        return []
    at, more = int(wrong[0]), len(wrong) - 1
    others = f", and {more:,} more of its {len(found):,} values are wrong" if more else ""
    return [f"task.json: {figure}[{at}] is {said[at]}, the data give {found[at]}{others}"]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _open(
    folder: Folder,
    declared: Manifest,
    entry: OracleEntry,
    frames: dict[str, pl.DataFrame],
    limits: Limits,
) -> tuple[Deposit, Oracle]:
    """Open an oracle of the folder; a table looks designs up in all rows."""

    def rows() -> XY:
        x, y = zip(*(_arrays(frame, declared) for frame in frames.values()), strict=True)
        return np.concatenate(x), np.concatenate(y)

    deposit = Deposit(folder, declared, entry, rows)
    return deposit, open_oracle(deposit, limits)


def _oracles(
    folder: Folder, declared: Manifest, frames: dict[str, pl.DataFrame], limits: Limits
) -> list[str]:
    """Open each oracle and try it on visible designs, and on golden ones."""
    x, y = _arrays(frames[TRAIN], declared)
    found = []
    for name, entry in declared.oracles.items():
        try:
            deposit, oracle = _open(folder, declared, entry, frames, limits)
            some = _some(len(x), kind_of(entry).affordable)
            problem = _oracle_problem(oracle, entry, x[some], y[some]) or _golden_problem(
                oracle, deposit
            )
            problems = [problem] if problem else []
        except InvalidDataset as error:
            problems = error.problems
        except MboHubError as error:
            problems = [str(error)]
        found += [f"oracle {name}: {problem}" for problem in problems]
    return found


def _some(n: int, few: int) -> Int64[np.ndarray, " m"]:
    """Choose at most a few of n rows, evenly."""
    return np.linspace(0, n - 1, min(n, few)).round().astype(np.int64)


def _labels(
    folder: Folder, declared: Manifest, frames: dict[str, pl.DataFrame], limits: Limits
) -> list[str]:
    """Compare the column y_oracle with what its oracle gives, in every split."""
    if declared.y_oracle is None:
        return []
    entry = declared.oracles[declared.y_oracle]
    found = []
    for file, frame in frames.items():
        x, y = _arrays(frame, declared)
        said = frame["y_oracle"].to_numpy()
        some = _telling(said, y)
        try:
            _, oracle = _open(folder, declared, entry, frames, limits)
            scored = oracle(x[some])
        except MboHubError:
            return []  # said already
        right = np.abs(scored.astype(np.float64) - said[some]) <= entry.allowance(said[some])
        if not right.all():
            row = some[np.flatnonzero(~right)[0]]
            found.append(f"{file}: row {row}: y_oracle is not what {declared.y_oracle} gives")
    return found


def _telling(
    said: Float32[np.ndarray, " n"], y: Float32[np.ndarray, " n"]
) -> Int64[np.ndarray, " m"]:
    """Choose rows evenly, and those where a wrong label does most: extremes, and far from y."""
    by_value, by_distance = np.argsort(said), np.argsort(np.abs(said - y))
    chosen = [_some(len(said), 200), by_value[:50], by_value[-50:], by_distance[-100:]]
    return np.unique(np.concatenate(chosen))


def _supports(declared: Manifest, frames: dict[str, pl.DataFrame]) -> list[str]:
    """Measure again how far apart the designs are that an oracle was trained on.

    Which these are, task.json does not say. They are taken to be all of the data, or the visible
    ones, where their number is that; any others are not known here.
    """
    designs = {file: _arrays(frame, declared)[0] for file, frame in frames.items()}
    every = np.concatenate(list(designs.values()))
    scale = Affine.fit(designs[TRAIN]).std
    found = []
    for name, entry in declared.oracles.items():
        if entry.support is None:
            continue
        for known in (every, designs[TRAIN]):
            distinct = np.unique(known, axis=0)
            n = len(distinct)
            if n != entry.support.designs or n < 2 or n**2 * declared.space.dim > MEASURED:
                continue
            right = np.array(trust.measure(declared.space, distinct, scale).distances)
            said = np.array(entry.support.distances)
            off = np.flatnonzero(~np.isclose(said, right, rtol=1e-6, atol=1e-6))
            if len(off):
                at = off[0]
                place = f"task.json: oracles.{name}.support.distances"
                found.append(
                    f"{place}: percentile {at} is {said[at]:g}, the data give {right[at]:g} "
                    f"({declared.space.metric}, from each design to the nearest other one)"
                )
            break
    return found


def _oracle_problem(
    oracle: Oracle, entry: OracleEntry, x: Num[np.ndarray, "n d"], y: Float32[np.ndarray, " n"]
) -> str | None:
    scored = oracle(x)
    if not np.isfinite(scored).all():
        design = x[np.flatnonzero(~np.isfinite(scored))[0]].tolist()
        return f"gives no finite value for the visible design {_short(design)}"
    if depends_on_batch(oracle, x, scored):
        return "gives a design one value alone and another in a batch"
    apart = np.abs(scored.astype(np.float64) - y)
    if entry.exact and apart.max() > entry.tolerance:
        design = x[apart.argmax()].tolist()
        return (
            f"declared exact, but differs from y by {apart.max():g} for the visible design "
            f"{_short(design)}; its tolerance is {entry.tolerance:g}"
        )
    return None


def _golden_problem(oracle: Oracle, deposit: Deposit) -> str | None:
    """Compare with the golden values, where task.json names some."""
    entry = deposit.entry
    if entry.golden is None or isinstance(oracle, CheckedOracle):
        return None  # the latter compares them itself before it scores
    x, y = deposit.golden()
    off = np.abs(oracle(x).astype(np.float64) - y)
    allowed = entry.tolerance + ANOTHER_RUNTIME * np.abs(y)
    if (off > allowed).any():
        row = int((off - allowed).argmax())
        return f"its value of golden design {row} is {off[row]:g} off that in {entry.golden.file}"
    return None
