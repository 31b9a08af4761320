"""From the table that somebody holds to designs, objective and space, for `mbo new`.

What follows from the table without doubt is deduced, and said; the rest is asked for.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Sequence as List
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from mbo_hub.archive import folders
from mbo_hub.arrays import Float64, Num
from mbo_hub.dataset import files, parquet
from mbo_hub.errors import InvalidDataset, InvalidDesign, InvalidFile
from mbo_hub.publishing.new import NewTask, new_task
from mbo_hub.reading import LIMIT
from mbo_hub.spaces import Box, Sequence

__all__ = ["Table", "new_task_from", "read_table", "space_of"]

ALPHABETS = {"dna": "ACGT", "rna": "ACGU", "protein": "ACDEFGHIKLMNPQRSTVWY"}
SPACES = f"{', '.join(ALPHABETS)}, sequence or box"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(nan|inf|infinity)", re.ASCII | re.I)
Cells = list[Any] | np.ndarray  # texts and what else stands there, or numbers, (n,) or (n, d)


@dataclass(frozen=True, eq=False)
class Table:
    """Named columns.

    Attributes:
        where: what to call the file in messages.
        columns: the cells of each column, by its name, in the order of the file.
        lines: the line of each row, where the file has lines.
        index: the columns that pandas wrote as its index: they are no designs unless named.
    """

    where: str
    columns: dict[str, Cells]
    lines: tuple[int, ...] | None = None
    index: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """What a person calls a row."""
        return f"row {row}" if self.lines is None else f"line {self.lines[row]}"

    def wrong(self, row: int, what: str) -> InvalidFile:
        """An error about one row."""
        return InvalidFile(f"{self.where}, {self.place(row)}: {what}")

    def cells(self, name: str) -> Cells:
        """The cells of a column.

        Raises:
            InvalidFile: there is no such column.
        """
        if name not in self.columns:
            raise InvalidFile(f"{self.where}: no column {name!r}; it has {_listed(self.columns)}")
        return self.columns[name]


def _listed(names: Any) -> str:
    shown = [repr(name) for name in names]
    return ", ".join(shown[:8]) + (f", … ({len(shown)} columns)" if len(shown) > 8 else "")


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a CSV file whose first line names the columns, or a parquet file.

    Cells of a CSV are separated by commas, semicolons or tabs, whichever the first line has.

    Raises:
        InvalidFile: neither of the two, without rows, or with two columns of one name.
    """
    where = os.fspath(path)
    try:
        raw = files.read(folders.expanded(path))
    except InvalidFile as error:
        raise InvalidFile(f"{where}: {error}") from None
    table = _parquet(raw, where) if raw.startswith(b"PAR1") else _csv(raw, where)
    if not table.columns or not len(next(iter(table.columns.values()))):
        raise InvalidFile(f"{where}: it holds no rows")
    return table


def _parquet(raw: bytes, where: str) -> Table:
    try:
        names = parquet.names(raw, where)
        cells = parquet.cells(raw, names, where, LIMIT)
        index = tuple(parquet.index(raw, where))
    except InvalidDataset as error:
        raise InvalidFile(f"{where}: {error.problems[0]}") from None
    return Table(where, dict(zip(names, cells, strict=True)), index=index)


def _csv(raw: bytes, where: str) -> Table:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(
            f"{where}: neither parquet nor UTF-8 text (byte {error.start}); save it as CSV (UTF-8)"
        ) from None
    first = text.lstrip("\r\n").partition("\n")[0]
    marks = [mark for mark in ",;\t" if mark in first]
    if len(marks) > 1:
        raise InvalidFile(
            f"{where}: its first line has {' and '.join(map(repr, marks))}; one of them separates "
            "cells, and which is not clear: save it with commas"
        )
    limit = csv.field_size_limit(max(len(text), 131_072))
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=marks[0] if marks else ",")
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InvalidFile(f"{where}: not CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)
    if len(rows) < 2:
        raise InvalidFile(f"{where}: it holds no rows below the names of the columns")
    header = [cell.strip() for cell in rows[0][1]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InvalidFile(f"{where}: {header.count(twice[0])} columns are called {twice[0]!r}")
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise InvalidFile(
                f"{where}, line {line}: {len(row)} cells; the first line names {len(header)}"
            )
    columns: dict[str, Cells] = {
        name: [row[at].strip() for _, row in rows[1:]] for at, name in enumerate(header)
    }
    return Table(where, columns, tuple(line for line, _ in rows[1:]))


def _is_number(cell: Any) -> bool:
    if isinstance(cell, str):
        return NUMBER.fullmatch(cell) is not None
    return isinstance(cell, int | float | Decimal)


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell)


def _is_numeric(cells: Cells) -> bool:
    """Tell whether a column holds one number a row, but for cells that are empty."""
    if isinstance(cells, np.ndarray):
        return cells.ndim == 1
    filled = [cell for cell in cells if not _is_empty(cell)]
    return bool(filled) and all(map(_is_number, filled))


def _are_lists(cells: Cells) -> bool:
    """Tell whether a column holds a list a row, but for cells that are empty."""
    if isinstance(cells, np.ndarray):
        return cells.ndim == 2
    filled = [cell for cell in cells if not _is_empty(cell)]
    return bool(filled) and all(isinstance(cell, list) for cell in filled)


def _numbers(table: Table, name: str) -> Float64[np.ndarray, " n"]:
    """Read a column of numbers.

    Raises:
        InvalidFile: a cell is empty or no number.
    """
    cells = table.cells(name)
    if isinstance(cells, np.ndarray):
        if cells.ndim != 1:
            raise InvalidFile(f"{table.where}: column {name!r} holds lists, not numbers")
        return cells.astype(np.float64)
    for row, cell in enumerate(cells):
        if _is_empty(cell):
            raise table.wrong(row, f"column {name!r} is empty; leave out rows without a value")
        if not _is_number(cell):
            raise table.wrong(row, f"column {name!r} has {str(cell)[:60]!r}, which is not a number")
    return np.array([float(cell) for cell in cells], np.float64)


def _named(table: Table, words: str) -> list[str]:
    """Read a list of columns: names with commas between them, and spans, first..last."""
    names = list(table.columns)
    chosen: list[str] = []
    for part in words.split(","):
        first, dots, last = part.strip().partition("..")
        if dots and part.strip() not in table.columns:
            for end in (first, last):
                table.cells(end)
            if names.index(first) > names.index(last):
                raise InvalidFile(f"{table.where}: column {last!r} stands before {first!r}")
            chosen += names[names.index(first) : names.index(last) + 1]
        else:
            table.cells(part.strip())
            chosen.append(part.strip())
    twice = sorted({name for name in chosen if chosen.count(name) > 1})
    if twice:
        raise InvalidFile(f"column {twice[0]!r} is named twice")
    return chosen


def _objective(table: Table, y: str | None) -> str:
    if y is None and "y" not in table.columns:
        raise InvalidFile(
            f"{table.where}: no column 'y'; say with --y which one holds the objective: it has "
            f"{_listed(table.columns)}"
        )
    return y or "y"


def _guess(table: Table, y: str, is_sequence: bool) -> tuple[str | None, list[str]]:
    """Find the columns of designs where only one answer is possible.

    Returns:
        The column of texts or None, and else the columns of numbers.
    """
    others = [name for name in table.columns if name != y and name not in table.index]
    lists = [name for name in others if _are_lists(table.columns[name])]
    texts = [n for n in others if n not in lists and not _is_numeric(table.columns[n])]
    if is_sequence and len(texts) == 1:
        return texts[0], []
    if len(lists) == 1 and (not is_sequence or not texts):
        return None, lists
    odd = [name for name in others if name in texts or not name or _is_counter(table.columns[name])]
    if not is_sequence and not lists and not odd and others:
        return None, others
    hint = "--text COLUMN" if is_sequence else "--x first..last or --x a,b,c"
    why = f" ({odd[0]!r} does not look like one)" if odd and not is_sequence else ""
    raise InvalidFile(
        f"{table.where}: which columns are the designs?{why} Say so with {hint}; it has "
        f"{_listed(others)} beside {y!r}"
    )


def _is_counter(cells: Cells) -> bool:
    """Tell a column that only numbers the rows."""
    if not _is_numeric(cells) or any(map(_is_empty, cells)):
        return False
    values = np.array([float(cell) for cell in cells])
    return any(np.array_equal(values, np.arange(len(values)) + start) for start in (0, 1))


def _matrix(table: Table, names: List[str]) -> Num[np.ndarray, "n d"]:
    """The designs in one column of lists, or in a column for each value."""
    cells = table.cells(names[0])
    if len(names) > 1 or (_is_numeric(cells) and np.ndim(cells) == 1):
        return np.column_stack([_numbers(table, name) for name in names])
    if isinstance(cells, np.ndarray):
        return cells
    rows = []
    for row, cell in enumerate(cells):
        split = (
            re.sub(r"^\[|\]$", "", cell).replace(",", " ").split()
            if isinstance(cell, str)
            else cell
        )
        if not isinstance(split, list) or not split or not all(map(_is_number, split)):
            raise table.wrong(row, _why_no_list(names[0], cell, split))
        rows.append([float(value) for value in split])
        if len(rows[-1]) != len(rows[0]):
            raise table.wrong(row, f"has {len(rows[-1])} values; the first row has {len(rows[0])}")
    return np.array(rows)


def _why_no_list(name: str, cell: Any, split: Any) -> str:
    """Say what is wrong with a cell that should hold a list of numbers."""
    if _is_empty(cell) or split == []:
        return f"column {name!r} is empty; leave out rows without a value"
    if isinstance(split, list) and len(split) > 1:
        at = next(at for at, value in enumerate(split) if not _is_number(value))
        if _is_empty(split[at]):
            return f"column {name!r} has no value at position {at}; leave out rows without one"
        return f"column {name!r} has {str(split[at])[:60]!r} at position {at}, not a number"
    return f"column {name!r} has {str(cell)[:60]!r}, not numbers"


def space_of(
    words: str,
    designs: list[str] | Num[np.ndarray, "n d"],
    *,
    names: List[str] = (),
    alphabet: str | None = None,
    padding: str | None = None,
    low: str | None = None,
    high: str | None = None,
) -> tuple[Sequence | Box, list[str]]:
    """Read how a person names a space, and deduce the rest from the designs.

    Args:
        words: dna, rna, protein, sequence or box; behind a colon the length of a sequence:
            ``dna:8``. Without it the longest design has that length.
        designs: n texts, or (n, d) numbers.
        names: of the values of a box.
        alphabet: of a sequence: ``ACGT``, or with commas where tokens have several letters:
            ``C,Cl,Br``. Without it the letters that occur are the alphabet.
        padding: the token that fills shorter designs; needed where lengths differ.
        low: lower bound of a box: one number for all values, one each with commas, or ``none``.
            Without it the smallest value of each column.
        high: upper bound likewise.

    Returns:
        The space, and what was deduced, one sentence each.

    Raises:
        InvalidDesign: something has to be said that was not, or contradicts the rest.
    """
    kind, colon, length = words.partition(":")
    kind = kind.strip().lower()
    if kind == "box":
        for option, value in (
            ("a length", colon),
            ("--alphabet", alphabet),
            ("--padding", padding),
        ):
            if value:
                raise InvalidDesign(f"a box has no {option.removeprefix('a ')}; sequences have")
        return _box(designs, names, low, high)
    if kind not in (*ALPHABETS, "sequence"):
        raise InvalidDesign(f"no space is called {kind!r}; there are {SPACES}")
    if low is not None or high is not None:
        raise InvalidDesign("a sequence has no bounds (--low, --high); a box has")
    if colon and not re.fullmatch(r"[1-9][0-9]*", length.strip()):
        raise InvalidDesign(f"{words!r}: behind the colon stands the length, like {kind}:8")
    if kind in ALPHABETS and alphabet is not None:
        raise InvalidDesign(f"{kind} has the alphabet {ALPHABETS[kind]}; for another say sequence")
    return _sequence(
        designs, ALPHABETS.get(kind) or alphabet, int(length) if colon else None, padding
    )


def _sequence(
    designs: list[str] | Num[np.ndarray, "n d"],
    alphabet: str | None,
    length: int | None,
    padding: str | None,
) -> tuple[Sequence, list[str]]:
    notes = []
    if isinstance(designs, np.ndarray):
        if alphabet is None:
            raise InvalidDesign("tokens are numbers here: say with --alphabet what each one means")
        tokens = _tokens(alphabet, padding)
        return _made(tokens, length or designs.shape[1], padding), []
    if alphabet is None:
        tokens = tuple(sorted({letter for text in designs for letter in text} - {padding}))
        both = [t for t in tokens if t != t.upper() and t.upper() in tokens]
        if both:
            raise InvalidDesign(
                f"letters occur in both cases, {both[0].upper()!r} and {both[0]!r}; say with "
                "--alphabet which letters there are"
            )
        notes.append(f"alphabet: the {len(tokens)} letters that occur, {''.join(tokens)}")
        tokens = tokens if padding is None else (*tokens, padding)
    else:
        tokens = _tokens(alphabet, padding)
    longest_first = sorted(set(tokens) - {padding}, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
    read = [pattern.findall(text) for text in designs]
    lengths = {len(found) for found in read}
    for row, (text, found) in enumerate(zip(designs, read, strict=True)):
        if sum(map(len, found)) < len(text):  # a letter is no token: the space says which
            try:  # of a length that it cannot speak of instead
                _made(tokens, len(text), padding).encode([text])
            except InvalidDesign as error:
                raise InvalidDesign(error.detail, row) from None
    if padding is None and len(lengths) > 1:
        raise InvalidDesign(
            f"designs have {min(lengths)} to {max(lengths)} tokens; shorter ones are filled with a "
            "token that stands for nothing: name one, like --padding _"
        )
    if length is None:
        length = max(1, *lengths)
        notes.append(f"length: {length}, that of {'the longest' if padding else 'every'} design")
    return _made(tokens, length, padding), notes


def _tokens(alphabet: str, padding: str | None) -> tuple[str, ...]:
    tokens = tuple(alphabet.split(",")) if "," in alphabet else tuple(alphabet)
    return tokens if padding is None or padding in tokens else (*tokens, padding)


def _made(tokens: tuple[str, ...], length: int, padding: str | None) -> Sequence:
    if "" in tokens:
        raise InvalidDesign("a token of the alphabet, or the padding, is empty")
    try:
        return Sequence(length=length, alphabet=tokens, padding=padding)
    except ValueError as error:
        raise InvalidDesign(str(error)) from None


def _box(
    designs: list[str] | Num[np.ndarray, "n d"], names: List[str], low: str | None, high: str | None
) -> tuple[Box, list[str]]:
    if not isinstance(designs, np.ndarray):
        raise InvalidDesign("designs in a box are numbers, not text")
    bad = np.argwhere(~np.isfinite(designs))
    if len(bad):
        row, at = bad[0].tolist()
        called = names[at] if names else f"value {at}"
        raise InvalidDesign(f"has {designs[row, at]} for {called}; values are finite", row)
    size = designs.shape[1]
    notes = []
    sides: dict[str, Any] = {}
    for side, words, found in (("low", low, designs.min), ("high", high, designs.max)):
        if words is None:
            # As the float32 values that designs are held to, with the fewest digits.
            ends = found(axis=0).astype(np.float32)
            sides[side] = tuple(float(str(end)) for end in ends)
            which = "smallest" if side == "low" else "largest"
            notes.append(f"{side}: the {which} value of each column; --{side} none is unbounded")
        else:
            sides[side] = _bound(words, side, size)
    try:
        return Box(size=size, names=tuple(names), **sides), notes
    except ValueError as error:
        raise InvalidDesign(str(error)) from None


def _bound(words: str, side: str, size: int) -> Any:
    values: list[float | None] = []
    for word in words.split(","):
        if word.strip().lower() == "none":
            values.append(None)
        elif NUMBER.fullmatch(word.strip()):
            values.append(float(word))
        else:
            raise InvalidDesign(
                f"--{side} has {word.strip()!r}, which is neither a number nor none"
            )
    if len(values) not in (1, size):
        raise InvalidDesign(f"--{side} has {len(values)} numbers; designs have {size} values")
    return values[0] if len(values) == 1 else tuple(values)


def new_task_from(
    file: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    space: str,
    *,
    text: str | None = None,
    x: str | None = None,
    y: str | None = None,
    alphabet: str | None = None,
    padding: str | None = None,
    low: str | None = None,
    high: str | None = None,
    **options: Any,
) -> NewTask:
    """Write a dataset folder from a table, as `mbo new` does.

    Args:
        file: CSV with names of columns in its first line, or parquet.
        folder: to write.
        space: as `space_of` reads it, with the further options there.
        text: the column of designs written as text; it keeps its name.
        x: the columns of numbers: ``a,b,c`` or ``first..last``; or one column of lists.
        y: the column of the objective; default: ``y``.
        alphabet: of the space.
        padding: of the space.
        low: of the space.
        high: of the space.
        **options: of `new_task`.

    Returns:
        The folder, and notes.

    Raises:
        InvalidFile: the table, or a row of it, is not what it should be, or something must be said.
        MboHubError: as `new_task`.
    """
    if text is not None and x is not None:
        raise InvalidFile("designs are either text (--text) or numbers (--x), not both")
    table = read_table(file)
    objective = _objective(table, y)
    is_sequence = space.partition(":")[0].strip().lower() != "box"
    notes = []
    names = [] if x is None else _named(table, x)
    if text is None and x is None:
        text, names = _guess(table, objective, is_sequence)
        shown = names if len(names) < 4 else [names[0], "…", names[-1]]
        notes.append(f"designs: column {text or ', '.join(shown)}")
    if objective in (text, *names):
        raise InvalidFile(f"column {objective!r} is the objective; it cannot be part of a design")
    values = _numbers(table, objective)
    try:
        designs, told = _texts(table, text, padding) if text else (_matrix(table, names), [])
        values_named = names if len(names) > 1 else ()
        made, deduced = space_of(
            space, designs, names=values_named, alphabet=alphabet, padding=padding, low=low,
            high=high,
        )  # fmt: skip
        left = [name for name in table.index if name not in (text, objective, *names)]
        notes += [f"left out: column {name}, the index of pandas" for name in left]
        options["objective"] = options.get("objective") or objective
        options |= {} if text is None else {"text": text}
        done = new_task(folder, designs, values, made, **options)
    except InvalidDesign as error:
        if error.row is None:
            raise InvalidFile(f"{table.where}: {error.detail}") from None
        more = str(error).removeprefix(f"design {error.row} {error.detail}")
        raise table.wrong(error.row, f"the design {error.detail}{more}") from None
    return NewTask(done.path, (*notes, *told, *deduced, *done.notes))


def _texts(table: Table, name: str, padding: str | None) -> tuple[list[str], list[str]]:
    """Read a column of texts; padding at the end of a text is not part of it."""
    cells = table.cells(name)
    texts: list[str] = []
    for row, cell in enumerate(cells):
        if not isinstance(cell, str) or not cell:
            what = "is empty" if cell in (None, "") else f"has {str(cell)[:60]!r}, not text"
            raise table.wrong(row, f"column {name!r} {what}")
        texts.append(cell)
    bare = [re.sub(f"({re.escape(padding)})+$", "", t) for t in texts] if padding else texts
    padded = sum(a != b for a, b in zip(texts, bare, strict=True))
    notes = [f"{padded:,} designs end with padding, which is not written"] if padded else []
    return bare, notes
