"""Score designs: `evaluate` makes a `Report`, which is its own receipt.

A saved report holds everything needed to compute it again elsewhere: the dataset's version and
sha256, the oracle's fingerprint, library versions, the budget, the sha256 of the designs, and every
score. `Report.read` refuses one that was edited; `compare` says how two reports differ.
"""

from __future__ import annotations

import math
import os
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from mbo_hub._version import __version__
from mbo_hub.arrays import Bool, Float64, Num
from mbo_hub.atomic import write_file
from mbo_hub.dataset.manifest import Manifest, Name, OracleEntry
from mbo_hub.errors import InvalidDesign, InvalidFile
from mbo_hub.offline import Offline
from mbo_hub.oracles import Fingerprint, Oracle
from mbo_hub.scoring import molecules, trust
from mbo_hub.scoring.molecules import Molecules
from mbo_hub.spaces import Sequence, Space

__all__ = ["Report", "Summary", "Verification", "compare", "evaluate"]

RECEIPT_FORMAT = 1
BUDGET = 128  # designs; the field's usual evaluation budget (Trabucco et al., 2022)


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Percentiles and mean over the valid designs; None where there is none."""

    best: float | None
    p90: float | None
    p80: float | None
    median: float | None
    mean: float | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """How a set of designs does on a task.

    Attributes:
        format: of the saved form.
        task: name of the task.
        title: the same for people.
        version: of the dataset.
        dataset_sha256: of its task.json, which names the sha256 of every data file.
        oracle: name of the oracle that scored.
        exact: whether that oracle defines the objective.
        fingerprint: of the oracle.
        agreement: how the oracle's golden values came out where it scored: 'exact' to the bit, or
            'compatible' within their tolerance; None for an oracle that needs no such check.
        libraries: version of each library that took part.
        budget: how many designs count.
        given: how many were given; only the first `budget` are scored.
        designs_sha256: of the scored designs as given, as little-endian float64.
        projected: how many designs were replaced by the nearest legal one; None: not asked for.
        y: raw objective of each scored design, None for one that is illegal or cannot be scored.
        raw: summary of y in the objective's unit.
        normalized: the same as scores, (y − y_min) / (y_max − y_min) over the full data.
        unit: of the objective.
        best_visible: D(best), raw.
        best_visible_normalized: D(best) as a score.
        improvement: best − D(best), raw.
        improvement_normalized: the same as scores.
        invalid: fraction of the scored designs that are illegal or cannot be scored.
        duplicate: fraction that repeat an earlier one.
        visible: fraction that equal a visible design.
        diversity: mean distance between two valid designs; None below two.
        novelty: mean distance from a valid design to the nearest visible one.
        metric: the distance of these two.
        support: of each scored design, how far it is from what a learned oracle was trained on, as
            a percentile of how far those designs are from each other (`mbo_hub.trust`); None for a
            design that is not valid, and as a whole for an oracle that needs no such warning.
        outside: fraction of the valid designs that lie outside the oracle's support, at or beyond
            the 99th of these percentiles.
        spread: of each scored design, the standard deviation of a forest's trees, raw.
        molecules: what RDKit says of designs that are written as SMILES; None for other designs,
            and where RDKit is not installed.
    """

    format: int
    task: Name
    title: str
    version: str
    dataset_sha256: str
    oracle: str
    exact: bool
    fingerprint: Fingerprint
    agreement: str | None
    libraries: dict[str, str]
    budget: Annotated[int, msgspec.Meta(ge=1)]
    given: Annotated[int, msgspec.Meta(ge=1)]
    designs_sha256: str
    projected: int | None
    y: tuple[float | None, ...]
    raw: Summary
    normalized: Summary
    unit: str
    best_visible: float
    best_visible_normalized: float
    improvement: float | None
    improvement_normalized: float | None
    invalid: float
    duplicate: float
    visible: float
    diversity: float | None
    novelty: float | None
    metric: str
    support: tuple[float | None, ...] | None = None
    outside: float | None = None
    spread: tuple[float | None, ...] | None = None
    molecules: Molecules | None = None

    def __str__(self) -> str:
        return _render(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, strings and numbers."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the receipt as JSON: first a temporary file beside it, then a rename.

        Args:
            path: where to; an existing file is replaced.

        Raises:
            InvalidFile: the place cannot be written.
        """
        target = Path(path)
        if not target.name or target.is_dir():
            raise InvalidFile(f"{path}: is a folder; name the file that the receipt goes to")
        document = self.to_dict()
        document["digest"] = _digest(document)
        text = msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
        try:
            write_file(target, text)
        except OSError as error:
            raise InvalidFile(f"{target}: cannot be written: {error.strerror}") from None
        return target

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Report:
        """Read a saved receipt.

        Raises:
            InvalidFile: not there, not a receipt, of a newer format, or edited since it was saved.
        """
        name = os.fspath(path)
        try:
            document = msgspec.json.decode(Path(path).read_bytes())
            if not isinstance(document, dict) or not isinstance(document.get("format"), int):
                raise InvalidFile(f"{name}: not a receipt of mbo_hub: it has no format")
            if document["format"] > RECEIPT_FORMAT:
                raise InvalidFile(
                    f"{name}: receipt format {document['format']}, this mbo_hub reads up to "
                    f"{RECEIPT_FORMAT}; upgrade with  pip install -U mbo-hub"
                )
            digest = document.pop("digest")
            report = msgspec.convert(document, cls)
        except OSError as error:
            raise InvalidFile(f"{name}: cannot be read: {error.strerror}") from None
        except (msgspec.MsgspecError, KeyError, RecursionError) as error:
            raise InvalidFile(f"{name}: not a receipt of mbo_hub: {error}") from None
        if digest != _digest(document):
            raise InvalidFile(
                f"{name}: the receipt was edited after it was saved (its digest is "
                f"{str(digest)[:12]}…, its content gives {_digest(document)[:12]}…); score the "
                "designs again"
            )
        return report


def _digest(document: dict[str, Any]) -> str:
    """Hash what a receipt says, whatever the order and layout it is written in."""
    return sha256(msgspec.json.encode(document, order="deterministic")).hexdigest()


def evaluate(
    designs: Any,
    *,
    offline: Offline,
    manifest: Manifest,
    dataset_sha256: str,
    oracle: Oracle,
    oracle_name: str,
    training: Callable[[], Num[np.ndarray, "n d"]],
    budget: int = BUDGET,
    project: bool = False,
) -> Report:
    """Score the first `budget` designs and describe them; `Task.evaluate` is the usual way in.

    Args:
        designs: (n, d) numbers; rows may be illegal.
        offline: the visible data.
        manifest: names, version and the range of y over the full data.
        dataset_sha256: of task.json.
        oracle: what scores.
        oracle_name: its name in the manifest.
        training: gives the designs that a learned oracle was trained on.
        budget: how many designs count.
        project: first replace illegal designs by the nearest legal ones.

    Raises:
        InvalidDesign: no designs at all, or an array of the wrong shape.
        OracleUnavailable: the oracle cannot run here.
    """
    if not isinstance(budget, int) or isinstance(budget, bool) or budget < 1:
        raise ValueError(f"budget is a whole number of at least 1, got {budget!r}")
    space = offline.space
    array = space.as_array(designs)
    if not len(array):
        raise InvalidDesign("there are no designs to score (0 rows)")
    given = array[:budget]
    legal = space.legal(given)
    usable, projected = given, None
    if project:
        usable, fixed = _project(space, given, legal)
        projected, legal = int(np.count_nonzero(fixed)), legal | fixed
    y = np.full(len(given), np.nan)
    y[legal] = oracle(space.validate(usable[legal]))
    legal = np.isfinite(y)  # a robot that MuJoCo cannot build is no design either
    valid = space.validate(usable[legal])
    scale = offline.normalization.x.std
    distinct = len(np.unique(valid, axis=0))
    nearest = trust.nearest(space, valid, offline.x, scale)
    values = tuple(v if math.isfinite(v) else None for v in y.tolist())
    return Report(
        format=RECEIPT_FORMAT,
        task=manifest.name,
        title=manifest.title,
        version=manifest.version,
        dataset_sha256=dataset_sha256,
        oracle=oracle_name,
        exact=oracle.exact,
        fingerprint=oracle.fingerprint,
        agreement=getattr(oracle, "agreement", None),
        libraries={
            "mbo_hub": __version__,
            "numpy": np.__version__,
            "python": ".".join(map(str, sys.version_info[:3])),
        },
        budget=budget,
        given=len(array),
        designs_sha256=_designs_sha256(given),
        projected=projected,
        y=values,
        **_figures(values, manifest),
        unit=manifest.objective.unit,
        invalid=1 - len(valid) / len(given),
        duplicate=(len(valid) - distinct) / len(given),
        visible=float(np.count_nonzero(nearest == 0)) / len(given),
        diversity=space.mean_distance(valid, scale),
        novelty=float(nearest.mean()) if len(valid) else None,
        molecules=_molecules(manifest, legal, valid, offline),
        **_trust(oracle, manifest.oracles.get(oracle_name), legal, valid, offline, training),
        metric="Hamming distance"
        if isinstance(space, Sequence)
        else "distance in units of the visible std",
    )


def _trust(
    oracle: Oracle,
    entry: OracleEntry | None,
    legal: Bool[np.ndarray, " n"],
    valid: Num[np.ndarray, "m d"],
    offline: Offline,
    training: Callable[[], Num[np.ndarray, "k d"]],
) -> dict[str, Any]:
    """The fields of a report that say how far a learned oracle is to be trusted."""
    fields: dict[str, Any] = {}
    spread = getattr(oracle, "spread", lambda designs: None)(valid)
    if spread is not None:
        fields["spread"] = _by_row(legal, spread)
    support = getattr(entry, "support", None)
    if support is not None:
        scale = offline.normalization.x.std
        apart = trust.nearest(offline.space, valid, training(), scale)
        percentiles = trust.percentiles(support, apart)
        fields["support"] = _by_row(legal, percentiles)
        fields["outside"] = (
            float(np.mean(percentiles >= trust.OUTSIDE)) if len(percentiles) else None
        )
    return fields


def _molecules(
    manifest: Manifest,
    legal: Bool[np.ndarray, " n"],
    valid: Num[np.ndarray, "m d"],
    offline: Offline,
) -> Molecules | None:
    """Judge designs that are written as SMILES, where RDKit is there."""
    space = offline.space
    if manifest.notation != "smiles" or not isinstance(space, Sequence):
        return None
    if not molecules.is_available():
        return None
    texts = iter(space.decode(valid))
    smiles = [next(texts) if row else None for row in legal]
    return molecules.describe(smiles, space.decode(offline.x))


def _by_row(
    legal: Bool[np.ndarray, " n"], values: Num[np.ndarray, " m"]
) -> tuple[float | None, ...]:
    """Values of the legal rows, and None for the others."""
    of_legal = iter(values.tolist())
    return tuple(next(of_legal) if row else None for row in legal)


def _figures(y: tuple[float | None, ...], manifest: Manifest) -> dict[str, Any]:
    """The fields of a report that follow from the scores alone."""
    scored = np.array([v for v in y if v is not None], np.float64)
    raw, normalized = _summary(scored), _summary(normalize(scored, manifest))
    best_visible = manifest.statistics.best_visible
    best_visible_normalized = normalize(best_visible, manifest).item()
    return {
        "raw": raw,
        "normalized": normalized,
        "best_visible": best_visible,
        "best_visible_normalized": best_visible_normalized,
        "improvement": None if raw.best is None else raw.best - best_visible,
        "improvement_normalized": (
            None if normalized.best is None else normalized.best - best_visible_normalized
        ),
    }


def _project(
    space: Space, given: Num[np.ndarray, "n d"], legal: Bool[np.ndarray, " n"]
) -> tuple[Num[np.ndarray, "n d"], Bool[np.ndarray, " n"]]:
    """Replace illegal rows that have a nearest legal design; tell which ones were replaced."""
    fixed = np.zeros(len(given), bool)
    out = given.astype(np.float64)  # holds any token and any float32
    for row in np.flatnonzero(~legal):
        try:
            out[row] = space.project(given[row : row + 1])[0]
        except InvalidDesign:  # NaN: it has no nearest legal design and stays invalid
            continue
        fixed[row] = True
    return out, fixed


def normalize(y: Any, manifest: Manifest) -> Float64[np.ndarray, "*n"]:
    """Turn raw objective values into scores; `Task.score` is the usual way in."""
    low, high = manifest.statistics.y_min, manifest.statistics.y_max
    return np.asarray((np.asarray(y, np.float64) - low) / (high - low))


def _summary(y: Float64[np.ndarray, " n"]) -> Summary:
    if not len(y):
        return Summary(best=None, p90=None, p80=None, median=None, mean=None)
    p80, p90 = np.percentile(y, [80, 90]).tolist()
    return Summary(
        best=y.max().item(), p90=p90, p80=p80, median=np.median(y).item(), mean=y.mean().item()
    )


def _designs_sha256(designs: Num[np.ndarray, "n d"]) -> str:
    """Hash designs so that equal numbers give equal hashes, whatever their dtype."""
    exact = np.ascontiguousarray(designs, "<f8")
    exact = np.where(np.isnan(exact), np.nan, exact) + 0.0  # one NaN, one zero
    return sha256(exact.tobytes()).hexdigest()


@dataclass(frozen=True)
class Verification:
    """What became of computing a report again.

    Attributes:
        differences: what is not as the receipt says; empty when it holds.
        notes: what differs here without changing a score, such as library versions.
    """

    differences: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the receipt holds."""
        return not self.differences

    def __str__(self) -> str:
        verdict = "The receipt holds." if self.ok else "The receipt does not hold:"
        lines = [verdict, *(f"  - {d}" for d in self.differences)]
        return "\n".join([*lines, *(f"  (note: {n})" for n in self.notes)])


def compare(
    receipt: Report,
    again: Report,
    manifest: Manifest,
    *,
    tolerance: float = 0.0,
    relative: float = 0.0,
) -> Verification:
    """Say how a report computed again differs from the receipt.

    Scores are compared with those computed here, everything that follows from scores with what
    follows from the receipt's own, and the rest for equality.

    Args:
        receipt: as read.
        again: computed here, from the same designs, budget and oracle.
        manifest: of the task.
        tolerance: largest difference of one design's y that is no difference. It counts only where
            golden values did not come out to the bit, here or there.
        relative: the same as a fraction of y.
    """
    if receipt.agreement == again.agreement == "exact":
        tolerance = 0.0
    differences = _row_differences("score", receipt.y, again.y, tolerance, relative)
    differences += _row_differences("support", receipt.support, again.support, 1e-9, 0.0)
    # A spread is as precise as the values that it is measured from.
    largest = max((abs(value) for value in again.y if value is not None), default=0.0)
    differences += _row_differences("spread", receipt.spread, again.spread, 1e-6 * largest, 1e-4)
    figures = _figures(receipt.y, manifest)
    # The first three only make notes, the others are compared by themselves.
    free = {"libraries", "fingerprint", "agreement", "y", "support", "spread", "molecules"}
    for field in (f for f in Report.__struct_fields__ if f not in free):
        said, found = getattr(receipt, field), figures.get(field, getattr(again, field))
        differences += _difference(field, said, found)
    for part in ("kind", "sha256"):
        said, found = (getattr(r.fingerprint, part) for r in (receipt, again))
        differences += _difference(f"oracle's {part}", said, found)
    more, notes = _molecule_differences(receipt.molecules, again.molecules)
    differences += more
    if receipt.fingerprint.runtime != again.fingerprint.runtime:
        notes.append(f"scored with {receipt.fingerprint.runtime}, here {again.fingerprint.runtime}")
    if receipt.agreement != again.agreement:
        notes.append(f"golden values came out {receipt.agreement}, here {again.agreement}")
    for library, version in receipt.libraries.items():
        here = again.libraries.get(library)
        if here != version:
            notes.append(f"{library} {version}, here {here}")
    return Verification(tuple(differences), tuple(notes))


def _molecule_differences(
    said: Molecules | None, found: Molecules | None
) -> tuple[list[str], list[str]]:
    """Compare what RDKit said of designs: differences with the same RDKit, else notes."""
    if said == found:
        return [], []
    if said is None or found is None:
        here, there = ("here", "there") if said is None else ("there", "here")
        return [], [f"molecules were judged {here} only; RDKit is not installed {there}"]
    if said.toolkit != found.toolkit:
        return [], [f"molecules were judged with {said.toolkit}, here {found.toolkit}"]
    return [
        line
        for field in said.__struct_fields__
        for line in _difference(f"molecules.{field}", getattr(said, field), getattr(found, field))
    ], []


def _row_differences(
    what: str,
    said: tuple[float | None, ...] | None,
    found: tuple[float | None, ...] | None,
    tolerance: float,
    relative: float,
) -> list[str]:
    """Compare a figure of each design, and name the first design that differs."""
    if said is None or found is None:
        said_of, found_of = (None if r is None else len(r) for r in (said, found))
        return _difference(f"{what} of designs", said_of, found_of)
    if len(said) != len(found):
        return [f"{what}s: the receipt has {len(said)}, here there are {len(found)}"]
    there, here = (np.array(values, np.float64) for values in (said, found))
    apart = ~(np.abs(there - here) <= tolerance + relative * np.abs(here))
    apart &= ~(np.isnan(there) & np.isnan(here))
    if not apart.any():
        return []
    row = int(np.flatnonzero(apart)[0])
    return [
        f"{what} of {np.count_nonzero(apart)} designs, first design {row}: the receipt says "
        f"{said[row]}, here it is {found[row]}"
    ]


def _difference(what: str, said: Any, found: Any) -> list[str]:
    """Compare one field; sums may differ in their last bits between machines."""
    if isinstance(said, Summary):
        return [
            line
            for part in said.__struct_fields__
            for line in _difference(f"{what}.{part}", getattr(said, part), getattr(found, part))
        ]
    floats = isinstance(said, float) and isinstance(found, float)
    same = math.isclose(said, found, rel_tol=1e-9, abs_tol=1e-9) if floats else said == found
    return [] if same else [f"{what}: the receipt says {said}, here it is {found}"]


def _render(report: Report) -> str:
    def number(value: float | None, sign: str = "") -> str:
        return "–" if value is None else f"{value:{sign}.4f}"

    scored = len(report.y)
    quality = "exact" if report.exact else "not exact: these are predictions"
    head = (
        f"{report.title} v{report.version}: {scored} of {report.given} designs scored "
        f"(budget {report.budget}) by oracle '{report.oracle}' "
        f"({report.fingerprint.kind}, {quality})"
    )
    rows = [
        ("best (100th percentile)", report.raw.best, report.normalized.best, ""),
        ("90th percentile", report.raw.p90, report.normalized.p90, ""),
        ("80th percentile", report.raw.p80, report.normalized.p80, ""),
        ("median", report.raw.median, report.normalized.median, ""),
        ("mean", report.raw.mean, report.normalized.mean, ""),
        ("D(best), best visible", report.best_visible, report.best_visible_normalized, ""),
        ("improvement of the best", report.improvement, report.improvement_normalized, "+"),
    ]
    unit = f"raw ({report.unit})" if report.unit else "raw"
    table = [f"{'':26}{unit:>14}{'normalized':>14}"]
    table += [f"{name:26}{number(raw, s):>14}{number(norm, s):>14}" for name, raw, norm, s in rows]
    fractions = (
        f"invalid {report.invalid:.1%}, duplicate {report.duplicate:.1%}, "
        f"already visible {report.visible:.1%}"
    )
    if report.projected is not None:
        fractions += f", projected onto the space {report.projected}"
    if report.outside is not None:
        fractions += f", outside the oracle's data {report.outside:.1%}"
    distances = (
        f"diversity {number(report.diversity)} (mean between two designs), novelty "
        f"{number(report.novelty)} (mean to the nearest visible one); {report.metric}"
    )
    origin = (
        f"dataset {report.dataset_sha256[:12]}, oracle {report.fingerprint.sha256[:12]}, designs "
        f"{report.designs_sha256[:12]}; {report.fingerprint.runtime}"
    )
    if report.spread is not None and scored:
        about = [s for s in report.spread if s is not None]
        if about:
            middle = number(statistics.median(about))
            distances += f"\nspread of the oracle's trees {middle} (median)"
    if report.molecules is not None:
        distances += f"\n{_of_molecules(report.molecules)}"
    if report.agreement is not None:
        origin += f", golden values {report.agreement}"
    return "\n".join([head, "", *table, "", fractions, distances, origin])


def _of_molecules(found: Molecules) -> str:
    parts = [
        f"{label} –" if value is None else f"{label} {value:{form}}"
        for label, value, form in (
            ("molecules", found.molecules, ".1%"),
            ("new among these", found.new, ".1%"),
            ("diversity (mean Tanimoto distance)", found.diversity, ".4f"),
        )
    ]
    return f"{', '.join(parts)}; {found.toolkit}"
