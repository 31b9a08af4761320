"""A report: how a set of designs does on a task. It is printed, and saved as its own receipt.

A saved report holds everything needed to compute it again elsewhere: the dataset's version and
sha256, the oracle's fingerprint, library versions, the budget, the sha256 of the designs, and every
score. `Report.read` refuses one that was edited since. What is at its default is not written.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from mbo_hub import extras
from mbo_hub.arrays import Float32
from mbo_hub.atomic import write_file
from mbo_hub.dataset import files
from mbo_hub.dataset.lines import Line, explained
from mbo_hub.dataset.manifest import Name, Sha256
from mbo_hub.dataset.subset import Subset
from mbo_hub.errors import InvalidFile
from mbo_hub.oracles.protocol import Agreement, Fingerprint
from mbo_hub.scoring.molecules import Molecules

__all__ = ["FORMAT", "Report", "Summary"]

FORMAT = 2  # of the saved form; format 1 hashed designs as they were given, in float64


class Summary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Percentiles and mean over the valid designs; None where there is none."""

    best: float | None = None
    p90: float | None = None
    p80: float | None = None
    median: float | None = None
    mean: float | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """How a set of designs does on a task: `print` it, `plot` it, or `save` it as a receipt.

    Attributes:
        format: of the saved form.
        task: name of the task.
        title: the same for people.
        version: of the dataset.
        dataset_sha256: of its task.json, which names the sha256 of every data file.
        subset: which rows were visible, where these are not the published ones.
        oracle: name of the oracle that scored.
        exact: whether that oracle defines the objective.
        fingerprint: of the oracle.
        agreement: how the oracle's golden values came out where it scored: 'exact' to the bit, or
            'compatible' within their tolerance; None for an oracle that needs no such check.
        libraries: version of each library that took part.
        budget: how many designs count.
        given: how many were given; only the first `budget` are scored.
        designs_sha256: of the scored designs as the task sees them, little-endian: float32 numbers
            of a box, int8 tokens of a sequence (-1: no token); after projecting, where that was
            asked for. In format 1: of the designs as given, as float64.
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
            a percentile of how far those designs are from each other (`mbo_hub.scoring.trust`);
            None for a design that is not valid, and as a whole for an oracle that needs no such
            warning.
        outside: fraction of the valid designs that lie outside the oracle's support, at or beyond
            the 99th of these percentiles.
        spread: of each scored design, the standard deviation of a forest's trees, raw.
        molecules: what RDKit says of designs that are written as SMILES; None for other designs,
            and where RDKit is not installed.
        notation: how the task's designs are written, where that is known: 'smiles'.
    """

    format: int
    task: Name
    title: Line
    version: Line
    dataset_sha256: Sha256
    subset: Subset | None = None
    oracle: Line
    exact: bool
    fingerprint: Fingerprint
    agreement: Agreement | None = None
    libraries: dict[Line, Line]
    budget: Annotated[int, msgspec.Meta(ge=1)]
    given: Annotated[int, msgspec.Meta(ge=1)]
    designs_sha256: Sha256
    projected: int | None = None
    y: tuple[float | None, ...]
    raw: Summary
    normalized: Summary
    unit: Line = ""
    best_visible: float
    best_visible_normalized: float
    improvement: float | None = None
    improvement_normalized: float | None = None
    invalid: float
    duplicate: float
    visible: float
    diversity: float | None = None
    novelty: float | None = None
    metric: Line
    support: tuple[float | None, ...] | None = None
    outside: float | None = None
    spread: tuple[float | None, ...] | None = None
    molecules: Molecules | None = None
    notation: Literal["smiles"] | None = None

    def __str__(self) -> str:
        return _render(self)

    def __repr__(self) -> str:
        best = "none valid"
        if self.raw.best is not None:
            best = f"best {self.raw.best:.4g} (normalized {self.normalized.best:.4g})"
        return (
            f"<Report {self.task} v{self.version}: {len(self.y)} designs by oracle "
            f"{self.oracle!r}, {best}>"
        )

    def _repr_html_(self) -> str:
        """What a notebook shows: the same as `print`, as a table."""
        return _html(self)

    def plot(self, ax: Any = None) -> tuple[Any, ...]:
        """Draw how good the best of k designs is, and how the designs compare with the data.

        The curve is the exact mean, over all subsets of k valid designs, of the best of them. The
        histogram shows the visible data beside the designs, but for a report that was read from a
        file, which holds none. Values are raw.

        Args:
            ax: a matplotlib Axes for the curve, or two, the second one for the histogram, such as
                ``pyplot.subplots(1, 2)[1]``; None makes a figure with both, in matplotlib's
                defaults, which a notebook shows where it is the last of a cell.

        Returns:
            The axes; ``axes[0].figure.savefig("report.png")`` writes them.

        Raises:
            MissingExtra: matplotlib is not installed.
            DrawingFailed: it cannot draw here.
            ValueError: three axes or more, or none.
        """
        from mbo_hub.scoring.plot import draw

        return draw(self, ax)

    @property
    def _visible_y(self) -> Float32[np.ndarray, " n"] | None:
        """Objective of the visible data, where the report was made; no part of its value."""
        return self.__dict__.get("visible_y")

    def _beside(self, visible_y: Float32[np.ndarray, " n"]) -> Report:
        """Remember the data for a picture; receipts, copies and comparisons leave them out."""
        self.__dict__["visible_y"] = visible_y
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists, strings and numbers, without what is at its default."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    def receipt(self) -> dict[str, Any]:
        """Return what `save` writes and `mbo score --json` prints: `to_dict`, and its digest."""
        document = self.to_dict()
        return {**document, "digest": _digest(document)}

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
        text = msgspec.json.format(msgspec.json.encode(self.receipt()), indent=2) + b"\n"
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
            raw = files.read(Path(path))
        except InvalidFile as error:
            raise InvalidFile(f"{name}: {error}") from None
        try:
            document = files.json(raw)
        except InvalidFile as error:
            raise InvalidFile(f"{name}: not a receipt of mbo_hub: it {error}") from None
        try:
            if not isinstance(document, dict) or not isinstance(document.get("format"), int):
                raise InvalidFile(f"{name}: not a receipt of mbo_hub: it has no format")
            if document["format"] < 1:
                raise InvalidFile(f"{name}: not a receipt of mbo_hub: no receipt has format "
                                  f"{document['format']}")  # fmt: skip
            if document["format"] > FORMAT:
                raise InvalidFile(
                    f"{name}: receipt format {document['format']}, this mbo_hub reads up to "
                    f"{FORMAT}; upgrade with  pip install -U mbo-hub"
                )
            digest = document.pop("digest")
            report = msgspec.convert(document, cls)
        except (msgspec.MsgspecError, KeyError) as error:
            raise InvalidFile(
                f"{name}: not a receipt of mbo_hub: {explained(str(error))}"
            ) from None
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


def _number(value: float | None, sign: str = "") -> str:
    return "–" if value is None else f"{value:{sign}.4f}"


def _head(report: Report) -> str:
    quality = "exact" if report.exact else "not exact: these are predictions"
    scored = sum(y is not None for y in report.y)
    return (
        f"{report.title} v{report.version}: {scored} of {report.given} designs scored "
        f"(budget {report.budget}) by oracle '{report.oracle}' "
        f"({report.fingerprint.kind}, {quality})"
    )


def _table(report: Report) -> list[tuple[str, str, str]]:
    """The figures, raw and normalized, below a line of headings."""
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
    numbers = [(name, _number(raw, sign), _number(norm, sign)) for name, raw, norm, sign in rows]
    return [("", unit, "normalized"), *numbers]


def _notes(report: Report) -> str:
    from statistics import median  # 3 ms, which loading a task need not wait for

    fractions = (
        f"invalid {report.invalid:.1%}, duplicate {report.duplicate:.1%}, "
        f"already visible {report.visible:.1%}"
    )
    if report.projected is not None:
        fractions += f", projected onto the space {report.projected}"
    if report.outside is not None:
        fractions += f", outside the oracle's data {report.outside:.1%}"
    distances = (
        f"diversity {_number(report.diversity)} (mean between two designs), novelty "
        f"{_number(report.novelty)} (mean to the nearest visible one); {report.metric}"
    )
    origin = (
        f"dataset {report.dataset_sha256[:12]}, oracle {report.fingerprint.sha256[:12]}, designs "
        f"{report.designs_sha256[:12]}; {report.fingerprint.runtime}"
    )
    if report.spread is not None and report.y:
        about = [s for s in report.spread if s is not None]
        if about:
            middle = _number(median(about))
            distances += f"\nspread of the oracle's trees {middle} (median)"
    if report.molecules is not None:
        distances += f"\n{_of_molecules(report.molecules)}"
    elif report.notation == "smiles":
        distances += f"\nmolecules: not judged ({extras.command('chem')})"
    if report.agreement is not None:
        origin += f", golden values {report.agreement}"
    if report.subset is not None:
        origin = f"visible: {report.subset}\n{origin}"
    return "\n".join([fractions, distances, origin])


def _render(report: Report) -> str:
    table = [f"{name:26}{raw:>14}{normalized:>14}" for name, raw, normalized in _table(report)]
    return "\n".join([_head(report), "", *table, "", _notes(report)])


def _html(report: Report) -> str:
    from html import escape

    def row(cells: tuple[str, ...], tag: str) -> str:
        name, *numbers = (escape(cell) for cell in cells)
        told = "".join(f'<{tag} style="text-align: right">{number}</{tag}>' for number in numbers)
        return f'<tr><th style="text-align: left">{name}</th>{told}</tr>'

    head, *rows = _table(report)
    body = "".join(row(cells, "td") for cells in rows)
    notes = "<br>".join(escape(_notes(report)).splitlines())
    return (
        f"<div><p>{escape(_head(report))}</p><table><thead>{row(head, 'th')}</thead>"
        f"<tbody>{body}</tbody></table><p><small>{notes}</small></p></div>"
    )


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
