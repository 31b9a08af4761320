"""`new_task`: write a whole dataset folder from designs and their measured values.

What can be measured is measured. What only the author knows is marked in the card with TODO;
`mbo validate` lists those marks until they are gone (`unfinished`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence as List
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mbo_hub.archive import folders
from mbo_hub.arrays import Bool, Float32, Num
from mbo_hub.atomic import write_folder
from mbo_hub.dataset import figures, files, manifest, parquet
from mbo_hub.dataset.layout import CARD, DECLARATION, TEST, TRAIN, split_of
from mbo_hub.dataset.manifest import (
    FORMAT,
    HeldOut,
    Manifest,
    Objective,
    OracleEntry,
    PinnedFile,
    SplitRule,
    StoredFile,
)
from mbo_hub.errors import (
    DrawingFailed,
    ExportConflict,
    InvalidDataset,
    InvalidDesign,
    InvalidFile,
    MissingExtra,
)
from mbo_hub.offline import Affine
from mbo_hub.oracles import Oracle, golden
from mbo_hub.oracles.golden import Golden
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.publishing import metadata, pictures
from mbo_hub.scoring import trust
from mbo_hub.spaces import Box, Sequence

__all__ = ["NewTask", "depends_on_batch", "new_task", "unfinished"]

TODO = "TODO"
ORACLE, MODEL = "oracle", "oracle.onnx"  # what a new task's oracle is called, and its file
TEXT = "sequence"  # the column that writes a sequence for people
ROUNDING = 1e-6  # of the range of y: an oracle that is off by less on every row gives y itself
FEW = 20  # hidden rows below which no correlation is published
MANY = 20_000  # designs above which the distances between all of them are not measured
TrainedOn = Literal["visible", "all"]


@dataclass(frozen=True)
class NewTask:
    """What `new_task` wrote.

    Attributes:
        path: the dataset folder.
        notes: what was measured or deduced, and what is odd about the data: one sentence each.
    """

    path: Path
    notes: tuple[str, ...]


def new_task(
    folder: str | os.PathLike[str],
    designs: Any,
    y: Any,
    space: Sequence | Box,
    *,
    name: str | None = None,
    title: str | None = None,
    objective: str = "y",
    unit: str = "",
    description: str | None = None,
    summary: str | None = None,
    visible: tuple[float, float] = (0.0, 50.0),
    text: str = TEXT,
    license: str | None = None,  # noqa: A002 -- what the Hub calls it
    oracle: str | os.PathLike[str] | None = None,
    trained_on: TrainedOn | None = None,
    exact: bool | None = None,
    version: str = "1.0.0",
) -> NewTask:
    """Write a dataset folder: task.json, parquet files, card, picture and, if given, an oracle.

    The folder appears whole or not at all. Every row is kept; the rule of visibility alone decides
    which file it goes to. Where matplotlib is missing or cannot draw, there is no picture, which is
    said.

    Args:
        folder: to write; must not hold anything yet.
        designs: n texts (of a sequence) or an (n, d) array of numbers.
        y: their values, (n,), larger is better; raw units, stored as float32.
        space: what a legal design is.
        name: of the task; default: the folder's.
        title: for people; default: made from the name.
        objective: what y is, in a word or two.
        unit: of y.
        description: of the objective, one sentence.
        summary: of the task, one sentence.
        visible: lower and upper percentile of y that methods may see.
        text: what to call the column that writes a sequence for people.
        license: the Hub's name of the licence of the data, e.g. cc-by-4.0.
        oracle: an ONNX file that scores designs: input `x`, (n, d) int64 tokens or float32 with a
            dynamic first dimension; output `y`, (n,).
        trained_on: the rows that the oracle was trained on. "visible": the hidden rows are held
            out, and how it does on them is published. "all": how far apart the designs are is
            published, so that reports tell designs that it knows nothing about.
        exact: whether the oracle defines the objective; None: it does if it gives y on every row.
        version: of the data.

    Returns:
        The folder, and notes.

    Raises:
        InvalidDesign: a design is not in the space, a y is not finite, y does not vary.
        InvalidDataset: the name or another word breaks the format of task.json.
        InvalidFile: the oracle's file cannot be read, or is not as exact as it is said to be.
        OracleUnavailable: the oracle does not run, or its input or output is another.
        ExportConflict: the folder holds something already.
        OSError: the place cannot be written.

    Example:
        >>> from mbo_hub import Sequence
        >>> dna = Sequence(length=4, alphabet=tuple("ACGT"))
        >>> new_task("./gc", ["ACGT", "GGCC", "AATT"], [0.5, 1.0, 0.0], dna).path  # doctest: +SKIP
        PosixPath('gc')
    """
    target = folders.expanded(folder)
    _refuse_taken(target)
    name = target.resolve().name.lower() if name is None else name
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        problem = f"{name!r} cannot be a task's name: it has a-z, 0-9, _ and - only; give another"
        raise InvalidDataset(str(target), [problem])
    x, values = _designs(designs, space), _objective(y)
    if len(x) != len(values):
        raise InvalidDesign(f"{len(x):,} designs have {len(values):,} values of y")
    rule = _rule(visible, values)
    shown = figures.visible_rows(rule, values)
    stored, contents = _data(x, values, shown, space, text)
    title = title or re.sub(r"[_-]+", " ", name).capitalize()
    draft = Manifest(
        format=FORMAT,
        name=name,
        version=version,
        title=title,
        summary=summary or f"Find the design with the largest {objective}.",
        space=space,
        objective=Objective(
            name=objective, unit=unit, description=description or f"{objective}, as measured"
        ),
        split=rule,
        statistics=figures.measure(x[shown], values[shown], values[~shown]),
        text=text if isinstance(space, Sequence) else None,
        files=stored,
    )
    notes = [*_counts(draft), *_oddities(x, values, shown, space)]
    if oracle is not None:
        entry, more, told = _oracle(oracle, draft, x, values, shown, trained_on, exact)
        draft = _with_oracle(draft, entry)
        contents |= more
        notes += told
    declared = draft.to_json()
    manifest.read(declared, str(target))  # a word that breaks the format is told by its field
    contents[DECLARATION] = declared
    try:
        contents["y.png"] = pictures.histogram(draft, values, values[shown])
    except (MissingExtra, DrawingFailed) as error:
        notes.append(f"no picture y.png: {error}")
    contents[CARD] = _card(draft, license, has_picture="y.png" in contents).encode()
    try:
        write_folder(target, contents)
    except OSError:
        _refuse_taken(target)  # somebody else was faster
        raise
    return NewTask(target, tuple(notes))


def unfinished(card: str) -> list[str]:
    """List the lines of a card that `mbo new` left for its author, one sentence each."""
    return [
        f"{CARD}: line {number} is still to be written: {line.strip().lstrip('-> *')[:80]}"
        for number, line in enumerate(card.splitlines(), 1)
        if re.search(rf"\b{TODO}\b", line)
    ]


def _refuse_taken(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise ExportConflict(f"{target} is there already and is not a folder; choose another name")
    if target.is_dir() and any(target.iterdir()):
        raise ExportConflict(
            f"{target} holds something already; nothing was written. Move it away or choose "
            "another folder"
        )


def _designs(designs: Any, space: Sequence | Box) -> Num[np.ndarray, "n d"]:
    """Encode texts, or check numbers."""
    is_text = isinstance(designs, List) and bool(designs) and isinstance(designs[0], str)
    if not is_text:
        return space.validate(designs)
    if not isinstance(space, Sequence):
        raise InvalidDesign("designs in a box are numbers, not text")
    return space.encode(designs)


def _objective(y: Any) -> Float32[np.ndarray, " n"]:
    """Check values and round them to float32.

    Raises:
        InvalidDesign: they are not numbers, one is not finite, or all are the same.
    """
    try:
        exact = np.asarray(y, np.float64)
    except (TypeError, ValueError):
        raise InvalidDesign("y holds something that is not a number") from None
    if exact.ndim != 1:
        raise InvalidDesign(f"y has shape {exact.shape}; it is one number a design, (n,)")
    with np.errstate(over="ignore"):  # becomes infinite, and is refused
        values = exact.astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        row = int(bad[0])
        what = f"has y = {exact[row]}; y is a finite float32 number: leave out rows without one"
        raise InvalidDesign(what, row, more=len(bad) - 1)
    if len(values) and values.min() == values.max():
        raise InvalidDesign(
            f"every y is {values[0]}: scores are (y - min) / (max - min), so y must vary"
        )
    if not len(values):
        raise InvalidDesign("there are no designs")
    return values


def _rule(visible: tuple[float, float], y: Float32[np.ndarray, " n"]) -> SplitRule:
    low, high = visible
    if not 0 <= low < high <= 100:
        raise InvalidDesign(
            f"the visible percentiles run from {low:g} to {high:g}; they rise from 0 to 100"
        )
    rule = figures.rule_of((float(low), float(high)), y)
    if not figures.visible_rows(rule, y).any():
        raise InvalidDesign(
            f"no row lies between percentiles {low:g} and {high:g} of y; show a wider part"
        )
    return rule


def _data(
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
    shown: Bool[np.ndarray, " n"],
    space: Sequence | Box,
    text: str,
) -> tuple[dict[str, StoredFile], dict[str, bytes]]:
    """Write the parquet file of each split, and describe it."""
    if isinstance(space, Sequence) and text in ("x", "y", "y_oracle", ""):
        raise InvalidDesign(f"the column of texts cannot be called {text!r}")
    stored, contents = {}, {}
    for file, rows in ((TRAIN, shown), (TEST, ~shown)):
        if rows.any():
            texts = {text: space.decode(x[rows])} if isinstance(space, Sequence) else {}
            contents[file] = parquet.encode(x[rows], {"y": y[rows]}, texts)
            stored[file] = figures.stored(contents[file], int(rows.sum()))
    return stored, contents


def _counts(draft: Manifest) -> list[str]:
    s = draft.statistics
    return [
        f"{s.rows:,} designs, {s.visible:,} visible; y from {s.y_min:.6g} to {s.y_max:.6g}, "
        f"D(best) {s.best_visible:.6g}, score {float(s.score(s.best_visible)):.3f}"
    ]


def _oddities(
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
    shown: Bool[np.ndarray, " n"],
    space: Sequence | Box,
) -> list[str]:
    """Say what a reader of the data should know and may not see."""
    notes = []
    distinct, which, counts = np.unique(x, axis=0, return_inverse=True, return_counts=True)
    which = which.reshape(-1)
    if len(distinct) < len(x):
        low, high = np.full(len(distinct), np.inf), np.full(len(distinct), -np.inf)
        np.minimum.at(low, which, y)
        np.maximum.at(high, which, y)
        both = np.isin(np.unique(which[shown]), np.unique(which[~shown])).sum()
        notes.append(
            f"{int((counts > 1).sum()):,} designs occur more than once "
            f"({int(counts[counts > 1].sum()):,} rows, all kept), "
            f"{int((high > low).sum()):,} of them with different y, "
            f"{int(both):,} of them both visible and hidden"
        )
    if shown.all():
        notes.append("every row is visible, so nothing is hidden and D(best) scores 1")
    if y[shown].min() == y[shown].max():
        notes.append("y does not vary among the visible rows: there is nothing to learn from them")
    still = np.flatnonzero(x[shown].min(axis=0) == x[shown].max(axis=0))
    if len(still):
        called = (
            space.columns if isinstance(space, Box) else [f"position {i}" for i in range(len(x[0]))]
        )
        named = ", ".join(called[i] for i in still[:5]) + (", …" if len(still) > 5 else "")
        notes.append(f"does not vary among the visible rows: {named}")
    return notes


def _with_oracle(draft: Manifest, entry: OracleEntry) -> Manifest:
    import msgspec

    return msgspec.structs.replace(draft, oracles={ORACLE: entry})


def _oracle(
    path: str | os.PathLike[str],
    draft: Manifest,
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
    shown: Bool[np.ndarray, " n"],
    trained_on: TrainedOn | None,
    exact: bool | None,
) -> tuple[OracleEntry, dict[str, bytes], list[str]]:
    """Try an ONNX file on all rows; write its entry, its files, and what was found."""
    place = folders.expanded(path)
    try:
        model = files.read(place)
    except InvalidFile as error:
        raise InvalidFile(f"{place}: {error}") from None
    graph = OnnxOracle(draft.space, model, str(place), exact=False)
    given = graph(x)
    if not np.isfinite(given).all():
        row = int(np.flatnonzero(~np.isfinite(given))[0])
        raise InvalidFile(f"{place}: gives no finite value for design {row}")
    if depends_on_batch(graph, x, given):
        raise InvalidFile(
            f"{place}: gives a design one value alone and another in a batch, because sums of "
            "float32 depend on their order: compute in float64 inside the graph"
        )
    apart = np.abs(given.astype(np.float64) - y)
    worst = float(apart.max())
    allowed = ROUNDING * float(np.ptp(y.astype(np.float64)))
    if exact and worst > allowed:
        raise InvalidFile(
            f"{place}: said to be exact, but is {worst:g} off y for design {int(apart.argmax())}; "
            f"{allowed:.3g} would be rounding"
        )
    is_exact = worst <= allowed if exact is None else exact
    seen = {None: "", "visible": f"the {shown.sum():,} visible rows", "all": f"all {len(y):,} rows"}
    more: dict[str, Any] = {}  # a field that is given is written, so what is nothing is not given
    if is_exact:
        notes = [
            f"oracle: exact, {worst:.3g} off y at most over all rows: it defines the objective"
        ]
        if worst:
            more["tolerance"] = float(f"{worst * 1.1:.1e}")
    else:
        held, said = _held_out(y[~shown], given[~shown], trained_on)
        notes = [f"oracle: not exact, {worst:.3g} off y at most; {said}"]
        if held is not None:
            more["held_out"] = held
        if trained_on == "all" and len(x) <= MANY:
            more["support"] = trust.measure(draft.space, x, Affine.fit(x[shown]).std)
        elif trained_on == "all":
            notes.append(f"no distances between designs: they are more than {MANY:,}")
    pairs, values = _golden(draft.space, graph, x[shown])
    document = Golden(
        task=draft.name,
        version=draft.version,
        x=[_short(row) for row in pairs],
        y={MODEL: _short(values)},
    ).to_json()
    entry = OracleEntry(
        kind="onnx",
        exact=is_exact,
        file=MODEL,
        sha256=sha256(model).hexdigest(),
        golden=PinnedFile(file=golden.FILE, sha256=sha256(document).hexdigest()),
        trained_on="" if is_exact else seen[trained_on],
        **more,
    )
    return entry, {MODEL: model, golden.FILE: document}, notes


def depends_on_batch(
    oracle: Oracle, x: Num[np.ndarray, "n d"], scored: Float32[np.ndarray, " n"]
) -> bool:
    """Tell whether an oracle gives one of the first five designs another value alone.

    Args:
        oracle: to ask again.
        x: designs.
        scored: the value that it gave to each, all together.
    """
    alone = [oracle(x[row : row + 1]) for row in range(min(5, len(x)))]
    return not np.array_equal(scored[:5], np.concatenate(alone), equal_nan=True)


def _golden(
    space: Sequence | Box, oracle: OnnxOracle, visible: Num[np.ndarray, "n d"]
) -> tuple[Num[np.ndarray, "m d"], Float32[np.ndarray, " m"]]:
    """Choose golden designs, half visible, half drawn from the space, and score them."""
    half = golden.COUNT // 2
    spread = np.linspace(0, len(visible) - 1, min(half, len(visible))).round().astype(int)
    designs = np.concatenate([visible[spread], space.sample(half, rng=0)])
    values = oracle(designs)
    finite = np.isfinite(values)
    return designs[finite], values[finite]


def _short(values: Num[np.ndarray, " n"]) -> list[float]:
    """Numbers with the fewest digits that read back as the same float32."""
    return [float(str(value)) for value in values]


def _held_out(
    y: Float32[np.ndarray, " n"], given: Float32[np.ndarray, " n"], trained_on: TrainedOn | None
) -> tuple[HeldOut | None, str]:
    """Measure a learned oracle on the hidden rows, and say what came of it."""
    if trained_on == "all":
        return None, "trained on all rows, so no row is left to try it on"
    if len(y) < FEW:
        return None, f"{len(y)} hidden rows are too few to try it on; {FEW} would do"
    top = y >= np.quantile(y, 0.9)
    rho, rho_top = _spearman(y, given), _spearman(y[top], given[top])
    if rho is None or rho_top is None:
        return None, "no rank correlation on the hidden rows: y or its values do not vary there"
    rule = "the hidden rows, as the rule of visibility chose them"
    if trained_on is None:
        rule += "; the author has not said whether the oracle was trained on them"
    held = HeldOut(
        rows=len(y),
        rule=rule,
        spearman=round(rho, 4),
        spearman_top_decile=round(rho_top, 4),
        mean_absolute_error=round(float(np.abs(y.astype(np.float64) - given).mean()), 6),
    )
    return (
        held,
        f"on the {len(y):,} hidden rows Spearman {rho:.3f}, {rho_top:.3f} in the best tenth",
    )


def _spearman(a: Float32[np.ndarray, " n"], b: Float32[np.ndarray, " n"]) -> float | None:
    """Rank correlation, ties by their mean rank; None where one of the two does not vary."""
    left, right = _ranks(a), _ranks(b)
    if len(a) < 2 or not left.std() or not right.std():
        return None
    return float(np.clip(np.corrcoef(left, right)[0, 1], -1, 1))


def _ranks(values: Float32[np.ndarray, " n"]) -> Any:
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[which.reshape(-1)]


def _card(task: Manifest, license: str | None, *, has_picture: bool) -> str:  # noqa: A002
    """Write the card: metadata that `datasets` and the Hub read, and what is left to say."""
    s, space = task.statistics, task.space
    head = {
        "license": license or "unknown",
        "pretty_name": task.title,
        "tags": ["mbo-hub", "offline-model-based-optimization", "black-box-optimization"],
        "task_categories": ["tabular-regression"],
        "configs": [
            {
                "config_name": "default",
                "default": True,
                "data_files": [{"split": split_of(file), "path": file} for file in task.files],
            }
        ],
    }
    columns = "".join(f"| `{c.name}` | {c} | {c.meaning} |\n" for c in task.columns)
    if isinstance(space, Sequence):
        letters = " ".join(f"`{t}`" for t in space.alphabet if t != space.padding)
        length = f"{space.length}" if space.padding is None else f"1 to {space.length}"
        design = f"A design is a sequence of {length} tokens out of {letters}."
    else:
        design = f"A design is {space.size} real numbers."
    terms = f"Licence of the data: {license}.\n" if license else ""
    which = "" if license else "the licence (also as `license` above, now `unknown`), "
    parts = [
        f"---\n{metadata.dump(head)}\n---\n\n# {task.title}\n\n{task.summary}\n\n"
        "A task of offline model-based optimization in the format of mbo-hub: given the visible "
        "designs (`train`)\nand their values, propose designs whose value is as large as possible, "
        "without measuring any.\n\n"
        f'```python\nimport mbo_hub\n\ntask = mbo_hub.load("OWNER/{task.name}")  '
        "# or the folder, ./like/this\n```\n",
        f"## A design\n\n{design}\n\n{TODO}: say what a design is, and which ones can be made.\n\n"
        f"| column | type | meaning |\n|---|---|---|\n{columns}",
        f"## The objective\n\n{task.objective.description}; larger is better.\n\n"
        f"{TODO}: say how y was measured, with what error, and what is known of the best design.\n",
        f"## Data\n\n{s.visible:,} of {s.rows:,} designs are visible: percentiles "
        f"{_percentiles(task)} of y. y runs from {s.y_min:.6g} to {s.y_max:.6g};\nD(best), the "
        f"best visible y, is {s.best_visible:.6g}.\n"
        + ("\n![Distribution of y](y.png)\n" if has_picture else ""),
        *(
            f"## Oracle `{name}`\n\n{_trust(entry)}\n\n{TODO}: say what the model is"
            + ("" if entry.trained_on or entry.exact else ", which rows it was trained on,")
            + " and how far to trust it.\n"
            for name, entry in task.oracles.items()
        ),
        f"## Terms and source\n\n{terms}{TODO}: name {which}who measured the data, and how to "
        "cite them.\n",
    ]
    return "\n".join(parts)


def _percentiles(task: Manifest) -> str:
    low, high = task.split.percentiles if task.split else (0, 100)
    return f"{low:g} to {high:g}"


def _trust(entry: OracleEntry) -> str:
    if entry.exact:
        return f"`{entry.file}` gives the stored y for every design of the data."
    if entry.held_out is None:
        return f"`{entry.file}` is a model: what it gives are predictions."
    held = entry.held_out
    return (
        f"`{entry.file}` is a model: what it gives are predictions. On {held.rows:,} designs "
        f"({held.rule}) its Spearman\ncorrelation with y is {held.spearman:.3f}, "
        f"{held.spearman_top_decile:.3f} in the best tenth."
    )
