"""Read designs from text: CSV, one design a line, FASTA, .smi."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidDesign, InvalidFile, quoted
from mbo_hub.reading.columns import (
    Found,
    Source,
    is_header,
    read_values,
    sources,
    split_list,
    text_column,
    writes_text,
)
from mbo_hub.reading.recognition import most_designs, too_large
from mbo_hub.spaces import Box, Sequence

__all__ = ["fasta", "text"]

Record = tuple[int, list[str]]  # its first line in the file, and its cells
_LINE_END = re.compile("\r\n|\r|\n")
_CONTROL = re.compile("[\0-\b\x0e-\x1f\x7f]")
# A first line of these words is a header, even where they could be spelt with a task's letters.
_HEADINGS = {
    "sequence", "sequences", "seq", "seqs", "smiles", "formula", "formulas", "design", "designs",
    "x", "y", "id", "name", "names", "label", "peptide", "protein", "dna", "rna", "material",
}  # fmt: skip


def decode(raw: bytes, name: str) -> str:
    """Read UTF-8, with or without a mark of byte order.

    Raises:
        InvalidFile: another encoding, or not text.
    """
    try:
        decoded = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{name}: not UTF-8 text (byte {error.start})") from None
    control = _CONTROL.search(decoded)
    if control:
        line = decoded.count("\n", 0, control.start()) + 1
        raise InvalidFile(f"{name}, line {line}: not text: it has {control.group()!r}")
    return decoded


def text(raw: bytes, name: str, ending: str, manifest: Manifest, column: str | None) -> Found:
    """Read CSV, or one design a line; the first line may name columns.

    Raises:
        InvalidFile: names the line.
    """
    decoded = decode(raw, name)
    if ending in (".smi", ".smiles"):
        return _smi(decoded, name, manifest)
    most = most_designs(manifest.space)
    first = next((line for _, line in _lines(decoded) if line.strip()), "")
    is_csv = ending in (".csv", ".tsv") or column is not None
    delimiter = _delimiter(first, name, manifest, is_csv)
    records = _at_most(most, _records(decoded, delimiter, name), name)
    number, cells = next(records, (1, []))
    if not cells:
        return Found([])
    header = [cell.strip() for cell in cells]
    if is_csv or is_header(header, manifest):
        return _table(header, records, name, manifest, column)
    _see_that_it_is_no_header(header, name, number, manifest)
    every = chain([(number, cells)], records)
    if _are_texts(cells, manifest.space):
        return _texts(every, name)
    return _values(((n, _fields(c)) for n, c in every), name, manifest)


def _delimiter(first: str, name: str, manifest: Manifest, is_csv: bool) -> str | None:
    """What stands between cells; None: nothing does, or blanks."""
    space = manifest.space
    letters = set().union(*space.alphabet) if isinstance(space, Sequence) else set()
    by_comma = [cell.strip() for cell in first.split(",")]
    if ";" in first and ";" not in letters and not is_header(by_comma, manifest):
        raise InvalidFile(
            f"{name}: semicolons between cells, as spreadsheets of some languages write them; save "
            "it with commas between cells, and a dot in numbers"
        )
    for delimiter in ",\t":
        if delimiter in first and (is_csv or delimiter not in letters):
            return delimiter
    if is_header(first.split(), manifest) and len(first.split()) > 1:
        return " "
    # Quotes are no letters of a design, unless the alphabet says so.
    return "," if is_csv or not letters & set(',"\t') else None


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; unlike `str.splitlines`, only line ends are taken for such."""
    begin = 0
    for number, end in enumerate(chain(_LINE_END.finditer(text), [None]), 1):
        yield number, text[begin : end.start() if end else len(text)]
        begin = end.end() if end else begin


def _records(text: str, delimiter: str | None, name: str) -> Iterator[Record]:
    """Lines that are not blank, split into cells."""
    if delimiter is None or delimiter == " ":
        for number, line in _lines(text):
            if line.strip():
                yield number, line.split() if delimiter else [line]
        return
    limit = csv.field_size_limit(max(len(text), 131_072))  # a controller is one long cell
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        begins = 1
        for cells in reader:
            if any(cell and not cell.isspace() for cell in cells):
                yield begins, cells
            begins = reader.line_num + 1
    except csv.Error as error:
        raise InvalidFile(f"{name}, line {reader.line_num}: not CSV: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _at_most(most: int, records: Iterator[Record], name: str) -> Iterator[Record]:
    """Give records, and refuse more than designs and a header would be."""
    for count, record in enumerate(records):
        if count > most:
            raise too_large(name)
        yield record


def _see_that_it_is_no_header(cells: list[str], name: str, number: int, manifest: Manifest) -> None:
    """Refuse a first line that may be a header as well as a design."""
    if [cell.strip('"') for cell in _fields(cells)] == list(map(str, range(manifest.space.dim))):
        raise InvalidFile(
            f"{name}, line {number}: 0 … {manifest.space.dim - 1} may be numbers of columns, as "
            "pandas writes them, or a design; leave them out (header=False), or begin with names: "
            f"{manifest.space.columns[0]} … {manifest.space.columns[-1]}"
        )
    if {cell.casefold() for cell in cells} <= _HEADINGS:
        known = text_column(manifest) or "x"
        raise InvalidFile(
            f"{name}, line {number}: {quoted(' '.join(cells))} names columns, none of them known "
            f"to hold designs; call it {known!r}, or name the column with --column"
        )


def _fields(cells: list[str]) -> list[str]:
    """Cells, or what blanks separate where there is one cell."""
    return cells[0].split() if len(cells) == 1 else cells


def _are_texts(cells: list[str], space: Sequence | Box) -> bool:
    """Whether lines such as this one are texts, not numbers."""
    if not writes_text(space):
        return False
    fields = _fields(cells)
    if isinstance(space, Sequence):
        if len(cells) == 1 and len(fields) > 1 and any(" " in t for t in space.alphabet):
            return True
        return len(fields) == 1 or not _is_number(fields[0])
    return not _is_number(fields[0].lstrip("[({"))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _texts(records: Iterable[Record], name: str) -> Found:
    lines: array[int] = array("q")
    texts: list[str] = []
    for number, cells in records:
        if len(cells) > 1:
            raise InvalidFile(
                f"{name}, line {number}: {len(cells)} fields, where one design a line is expected; "
                "name the columns in the first line, and one will be read"
            )
        lines.append(number)
        texts.append(cells[0].strip())
    return Found(texts, lambda row: f"line {lines[row]}")


def _values(records: Iterable[Record], name: str, manifest: Manifest) -> Found:
    """Rows of numbers, kept as eight bytes each."""
    lines, numbers, dim = array("q"), array("d"), manifest.space.dim
    for number, cells in records:
        row = read_values(cells, f"{name}, line {number}")
        if len(row) != dim:
            _explain_width(row, f"{name}, line {number}", manifest.space, first=not lines)
        lines.append(number)
        numbers.extend(row)
    rows = np.frombuffer(numbers, np.float64).reshape(-1, dim) if lines else np.empty((0, dim))
    return Found(rows, lambda row: f"line {lines[row]}")


def _explain_width(row: list[float], where: str, space: Sequence | Box, *, first: bool) -> None:
    try:
        space.as_array(np.array([row]))
    except InvalidDesign as error:
        hint = error.detail.partition("; ")[2] if first else ""
    raise InvalidFile(
        f"{where}: the design has {len(row)} values; this task's designs have {space.dim}"
        f"{hint and '; '}{hint}"
    )


def _table(
    header: list[str],
    records: Iterator[Record],
    name: str,
    manifest: Manifest,
    column: str | None,
) -> Found:
    columns = manifest.space.columns
    are_numbers = len(header) == len(columns) and all(map(_is_number, header))
    if column is None and are_numbers and header != list(map(str, range(len(header)))):
        raise InvalidFile(
            f"{name}: the first line of a CSV file names its columns, but here it holds numbers; "
            f"begin with {','.join(columns[:2])},… or call the file .txt"
        )
    used = sources(header, name, manifest, column, numbered=True)
    at = [[header.index(c) for c in source.columns] for source in used]
    lines: array[int] = array("q")
    cells: list[list[list[str]]] = [[] for _ in used]
    for number, line in records:
        if len(line) != len(header):
            raise InvalidFile(
                f"{name}, line {number}: {len(line)} cells; the first line names {len(header)}"
            )
        lines.append(number)
        for places, kept in zip(at, cells, strict=True):
            kept.append([line[place] for place in places])
    read = [_of_source(s, lines, c, name, manifest) for s, c in zip(used, cells, strict=True)]
    others = {s.name: r for s, r in zip(used[1:], read[1:], strict=True)}
    return Found(read[0], lambda row: f"line {lines[row]}", others, used[0].name)


def _of_source(
    source: Source, lines: array[int], cells: list[list[str]], name: str, manifest: Manifest
) -> object:
    kind = source.kind
    if kind == "any":
        is_text = isinstance(manifest.space, Sequence) or (
            bool(cells) and _are_texts(cells[0], manifest.space)
        )
        kind = "texts" if is_text else "lists"
    if kind == "texts":
        return [cell.strip() for (cell,) in cells]
    rows = zip(lines, cells, strict=True)
    if kind == "lists":
        rows = ((n, split_list(c[0], f"{name}, line {n}")) for n, c in rows)  # type: ignore[assignment]
    return _values(rows, name, manifest).rows


def fasta(raw: bytes, name: str, manifest: Manifest) -> Found:
    """Read the sequences of a FASTA file; what follows `>` names them in messages.

    Raises:
        InvalidFile: the task has no sequences, or a record is empty.
    """
    if not isinstance(manifest.space, Sequence):
        raise InvalidFile(f"{name}: FASTA holds sequences; this task's designs are numbers")
    titles: list[str] = []
    texts: list[list[str]] = []
    for _, line in _lines(decode(raw, name)):
        if line.lstrip().startswith(">"):
            if len(texts) > most_designs(manifest.space):
                raise too_large(name)
            titles.append(line.strip()[1:].strip())
            texts.append([])
        elif line.strip():
            texts[-1].append(line.strip())
    for title, parts in zip(titles, texts, strict=True):
        if not parts:
            raise InvalidFile(f"{name}: record {quoted(title)} has no sequence")
    return Found(["".join(parts) for parts in texts], lambda row: f"record {quoted(titles[row])}")


def _smi(text: str, name: str, manifest: Manifest) -> Found:
    """The first field of each line; the others name the molecule. RDKit writes a header."""
    if not isinstance(manifest.space, Sequence):
        raise InvalidFile(f"{name}: .smi holds SMILES; this task's designs are numbers")
    lines: array[int] = array("q")
    texts: list[str] = []
    for number, line in _lines(text):
        fields = line.split(maxsplit=1)
        if len(texts) > most_designs(manifest.space):
            raise too_large(name)
        if fields and not (not texts and fields[0].casefold() == "smiles"):
            lines.append(number)
            texts.append(fields[0])
    return Found(texts, lambda row: f"line {lines[row]}")
