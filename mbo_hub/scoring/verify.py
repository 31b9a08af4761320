"""Compute a receipt again elsewhere, and say what differs."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from mbo_hub.arrays import Float64
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidFile
from mbo_hub.scoring.evaluate import Scorable, evaluate, figures, first_designs_sha256
from mbo_hub.scoring.molecules import Molecules
from mbo_hub.scoring.report import Report, Summary

__all__ = ["Verification", "compare", "verify"]

_NOTHING = np.array(1e-9)  # what sums differ by in their last bits


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


def verify(
    task: Scorable,
    receipt: Report | str | os.PathLike[str],
    designs: Any,
    *,
    to_the_bit: bool = False,
) -> Verification:
    """Compute a receipt again from the same designs; `Task.verify` is the usual way in.

    Args:
        task: that the receipt is about.
        receipt: a report, or the file of a saved one.
        designs: the designs that it is said to be about, (n, d).
        to_the_bit: as for `compare`.

    Raises:
        InvalidFile: the receipt cannot be read, was edited, or is about another task.
        InvalidDesign: the designs are no array of this task.
        OracleUnavailable: the task has no such oracle, or it cannot run here.
    """
    said = receipt if isinstance(receipt, Report) else Report.read(receipt)
    name = task.manifest.name
    if said.task != name:
        raise InvalidFile(f"the receipt is about task {said.task!r}, not {name!r}")
    again = evaluate(
        task,
        designs,
        oracle=said.oracle,
        budget=said.budget,
        project=said.projected is not None,
    )
    if said.format < 2:
        as_given = first_designs_sha256(task, designs, said.budget)
        again = msgspec.structs.replace(again, format=said.format, designs_sha256=as_given)
    return compare(said, again, task.manifest, to_the_bit=to_the_bit)


def compare(
    receipt: Report, again: Report, manifest: Manifest, *, to_the_bit: bool = False
) -> Verification:
    """Say how a report computed again differs from the receipt.

    Scores are compared with those computed here, everything that follows from scores with what
    follows from the receipt's own, and the rest for equality. What task.json allows between two
    machines is no difference; where golden values came out to the bit, here and there, it allows
    nothing.

    Args:
        receipt: as read.
        again: computed here, from the same designs, budget and oracle.
        manifest: of the task.
        to_the_bit: what is computed here is what counts: where golden values come out exact here,
            the receipt has to say these very scores, whatever came out where it was made.
    """
    computed = np.array(again.y, np.float64)
    entry = manifest.oracles[again.oracle]
    is_exact = again.agreement == "exact" or (entry.exact and again.agreement is None)
    exact = is_exact if to_the_bit else receipt.agreement == again.agreement == "exact"
    allowed = np.zeros(len(computed)) if exact else entry.allowance(computed)
    notes: list[str] = []
    differences = _row_differences("score", receipt.y, again.y, allowed)
    differences += _row_differences("support", receipt.support, again.support, _NOTHING)
    # A spread is as precise as the values that it is measured from.
    largest = max((abs(value) for value in again.y if value is not None), default=0.0)
    spread = np.array(again.spread or (), np.float64)
    differences += _row_differences(
        "spread", receipt.spread, again.spread, 1e-6 * largest + 1e-4 * np.abs(spread)
    )
    derived = figures(receipt.y, manifest.statistics)
    # The first three only make notes, the others are compared by themselves.
    free = {"libraries", "fingerprint", "agreement", "y", "support", "spread", "molecules"}
    free.add("notation")  # the task's; older receipts do not have it
    for field in (f for f in Report.__struct_fields__ if f not in free):
        said, found = getattr(receipt, field), derived.get(field, getattr(again, field))
        differences += _difference(field, said, found)
    if receipt.format < 2 and receipt.designs_sha256 != again.designs_sha256:
        notes.append(
            "the receipt is of format 1, which hashed designs as given, in float64: a copy "
            "that was rounded in a file has another hash; score the designs again for a new receipt"
        )
    for part in ("kind", "sha256"):
        said, found = (getattr(r.fingerprint, part) for r in (receipt, again))
        differences += _difference(f"oracle's {part}", said, found)
    more, about_molecules = _molecule_differences(receipt.molecules, again.molecules)
    differences += more
    notes += about_molecules
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
    allowed: Float64[np.ndarray, "*n"],
) -> list[str]:
    """Compare a figure of each design, and name the first design that differs."""
    if said is None or found is None:
        said_of, found_of = (None if r is None else len(r) for r in (said, found))
        return _difference(f"{what} of designs", said_of, found_of)
    if len(said) != len(found):
        return [f"{what}s: the receipt has {len(said)}, here there are {len(found)}"]
    there, here = (np.array(values, np.float64) for values in (said, found))
    apart = ~(np.abs(there - here) <= allowed)
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
