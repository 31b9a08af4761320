"""Find the designs of a table: in which columns, and whether these agree with each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidFile, quoted
from mbo_hub.spaces import Box, Sequence
from mbo_hub.spaces.formulas import ELEMENTS

__all__ = [
    "Found",
    "Source",
    "is_header",
    "read_values",
    "sources",
    "split_list",
    "text_column",
    "writes_text",
]


@dataclass(frozen=True)
class Source:
    """Columns that hold designs.

    Attributes:
        kind: texts to encode, lists of numbers, one column for each value, or what the cells say.
        columns: their names.
    """

    kind: Literal["texts", "lists", "values", "any"]
    columns: list[str]

    @property
    def name(self) -> str:
        """What to call it in a message."""
        if len(self.columns) == 1:
            return f"column {self.columns[0]!r}"
        return f"columns {self.columns[0]} … {self.columns[-1]}"


@dataclass(frozen=True)
class Found:
    """What a file held, before anything is judged.

    Attributes:
        rows: texts to encode, or rows of numbers.
        place: what to call a row in a message.
        others: the same designs as other columns of the file have them, by name.
        name: of the columns that the rows are from.
    """

    rows: Any
    place: Callable[[int], str] = "row {}".format
    others: dict[str, Any] = field(default_factory=dict)
    name: str = "the designs"


def writes_text(space: Sequence | Box) -> bool:
    """Whether a text can be a design."""
    return isinstance(space, Sequence) or space.takes_formulas


def text_column(manifest: Manifest) -> str | None:
    """The column that writes designs for people, where it can be read back."""
    return manifest.text if writes_text(manifest.space) else None


def is_header(cells: list[str], manifest: Manifest) -> bool:
    """Tell whether a text's first line names columns of designs."""
    names = {text_column(manifest), "x", *manifest.space.columns} - {None}
    return set(cells) <= {*names, "y"} and bool(set(cells) & names)


def sources(
    columns: list[str], name: str, manifest: Manifest, column: str | None, *, numbered: bool = False
) -> list[Source]:
    """Find the columns that hold the designs: the first counts, the others are to agree with it.

    Args:
        columns: names of all columns.
        name: of the file, for messages.
        manifest: of the task.
        column: the only one that is wanted.
        numbered: whether columns may be called by their numbers, as pandas writes them.

    Raises:
        InvalidFile: there are none, a value has no column, or two columns have one name.
    """
    space, text = manifest.space, text_column(manifest)
    values = list(space.columns)
    if numbered and [c for c in columns if c.isdecimal()] == list(map(str, range(space.dim))):
        values = list(map(str, range(space.dim)))
    texts = [Source("texts", [text])] if text else []
    known = [Source("lists", ["x"]), Source("values", values)]
    if "x" in values:  # of a box that calls a value so
        known = known[1:]
    known = [*texts, *known] if isinstance(space, Sequence) else [*known, *texts]
    if column is not None:
        known = [Source("any" if column != "x" else "lists", [column])]
    found = [source for source in known if set(source.columns) <= set(columns)]
    for source in found:
        twice = [c for c in source.columns if columns.count(c) > 1]
        if twice:
            raise InvalidFile(
                f"{name}: {columns.count(twice[0])} columns are called {quoted(twice[0])}; keep one"
            )
    if column is None:
        _see_that_none_is_missing(found, values, columns, name, space)
    if not found:
        each = "" if column else f", nor {values[0]} … {values[-1]}"
        wanted = [source.columns[0] for source in known if source.kind != "values"]
        listed = ", ".join(quoted(c, 30) for c in columns[:8]) or "none"
        more = ", …" if len(columns) > 8 else ""
        raise InvalidFile(
            f"{name}: no column {' or '.join(map(repr, dict.fromkeys(wanted)))}{each}; it has "
            f"{listed}{more}. Name the column with --column"
        )
    return found


def _see_that_none_is_missing(
    found: list[Source], values: list[str], columns: list[str], name: str, space: Sequence | Box
) -> None:
    """Refuse a table that has some values only, or values that this task does not have."""
    here = set(columns)
    if any(source.kind == "values" for source in found):
        like = ELEMENTS if isinstance(space, Box) and space.takes_formulas else None
        strange = [
            c
            for c in columns
            if c not in values and (c in like if like else re.fullmatch(r"x\d+", c, re.ASCII))
        ]
        if strange:
            raise InvalidFile(
                f"{name}: column {quoted(strange[0])} is no value of this task, which has "
                f"{values[0]} … {values[-1]}"
            )
        return
    missing = [value for value in values if value not in here]
    if not found and len(missing) < len(values):
        others = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InvalidFile(
            f"{name}: no column {missing[0]!r}{others}; a design has {len(values)} values, "
            f"{values[0]} … {values[-1]}"
        )


def read_values(cells: list[str], where: str) -> list[float]:
    """Read plain numbers: digits, a dot, an exponent; nan and inf are read, and judged later.

    Raises:
        InvalidFile: anything else.
    """
    numbers = []
    for cell in cells:
        try:
            if (
                "_" in cell or not cell.isascii()
            ):  # Python reads 1_85 as 185, and digits of any script
                raise ValueError
            numbers.append(float(cell))
        except ValueError:
            raise InvalidFile(f"{where}: {_why_no_number(cell)}") from None
    return numbers


def _why_no_number(cell: str) -> str:
    if not cell.strip():
        return "a cell is empty, where a number is expected"
    if "..." in cell or "…" in cell:
        return f"{quoted(cell)}: the numbers are cut off, as they are printed; write all of them"
    plain = "" if cell.isascii() and "_" not in cell else "; write it with 0 to 9 and a dot only"
    return f"{quoted(cell)} is not a number{plain}"


def split_list(cell: str, where: str) -> list[str]:
    """The values of a cell such as ``[0, 1]``, ``(0, 1)``, ``0 1`` or ``0,1``.

    Raises:
        InvalidFile: brackets that do not belong together.
    """
    inner = cell.strip()
    if inner[:1] + inner[-1:] in ("[]", "()"):
        inner = inner[1:-1]
    if any(bracket in inner for bracket in "[](){}"):
        raise InvalidFile(f"{where}: {quoted(cell)} is no list of numbers: look at its brackets")
    if not inner.strip():
        raise InvalidFile(f"{where}: a cell is empty, where a list of numbers is expected")
    return inner.split(",") if "," in inner else inner.split()
