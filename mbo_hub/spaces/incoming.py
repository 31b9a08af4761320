"""Turn what people hold into numpy arrays: exactly, or not at all.

Lists, numpy, pandas, polars, pyarrow, torch, jax, Hugging Face `datasets`, and whatever offers
`__array__`. None of these libraries is imported for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mbo_hub.errors import InvalidDesign, quoted

__all__ = ["by_name", "column_names", "items", "numbers"]

# What foreign objects raise when they cannot become an array.
_REFUSALS = (
    ValueError, TypeError, RuntimeError, ArithmeticError, LookupError, AttributeError, BufferError,
    AssertionError,
)  # fmt: skip
_WORDS = {"U": "text", "T": "text", "S": "bytes", "V": "raw bytes"}  # by numpy's letter of a kind


def numbers(designs: Any, *, width: int | None = None, kinds: str = "iuf", depth: int = 3) -> Any:
    """Read anything as an array of numbers, without judging its shape.

    Args:
        designs: what somebody has.
        width: how many values a row should have, for the message where rows differ.
        kinds: numpy's letters for what counts as numbers.
        depth: how many levels of lists there may be.

    Raises:
        InvalidDesign: not numbers, rows of different lengths, or a value that is missing.
    """
    if not depth:
        raise InvalidDesign("designs are rows of numbers, not lists in lists in lists")
    array = _array(designs)
    if array.dtype.kind == "O":
        array = _of_objects(array, width, depth)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.dtype.kind not in kinds:
        found = f"records of {', '.join(array.dtype.names[:4])}" if array.dtype.names else None
        raise InvalidDesign(
            f"designs are numbers, not {found or _WORDS.get(array.dtype.kind, array.dtype)}"
        )
    return array


def items(texts: Any) -> list[Any]:
    """The items of a list, a series, a column or a generator, as Python's own values.

    Raises:
        InvalidDesign: one string instead of several, a table, or nothing that has items.
    """
    if isinstance(texts, str):
        raise InvalidDesign("encode takes a list of strings, not one string; write [text]")
    names = column_names(texts)
    if names:
        raise InvalidDesign(f"encode takes one column of a table, such as table[{names[0]!r}]")
    if isinstance(texts, (Mapping, bytes)) or not isinstance(texts, Iterable):
        raise InvalidDesign(f"encode takes a list, not {_name(texts)}; write [design]")
    for convert in ("to_pylist", "to_list", "tolist"):  # of Arrow, of pandas and polars, of numpy
        if hasattr(texts, convert):
            listed = getattr(texts, convert)()
            return listed if isinstance(listed, list) else [listed]
    return list(texts)


def column_names(table: Any) -> list[Any] | None:
    """Names of the columns of a table of any library; None for what is no table."""
    names = getattr(table, "column_names", None)
    if names is None and hasattr(table, "shape"):
        names = getattr(table, "columns", None)
    return None if names is None or callable(names) else list(names)


def by_name(table: Any, wanted: tuple[str, ...]) -> Any:
    """Put the columns of a table into the order of a space, where they have its names.

    Raises:
        InvalidDesign: it has some of the names only, or others besides.
    """
    found = column_names(table)
    if not found or found == list(wanted):
        return table
    if not set(found) & set(wanted):
        if "x" in found:
            raise InvalidDesign("designs are one column of this table: write table['x']")
        return table
    missing = [name for name in wanted if name not in found]
    others = [name for name in found if name not in set(wanted)]
    twice = [name for name in found if found.count(name) > 1]
    for names, problem in ((missing, "no column"), (others, "also"), (twice, "twice")):
        if names:
            raise InvalidDesign(
                f"this table has {problem} {quoted(names[0])}; a table of designs has the columns "
                f"{wanted[0]} … {wanted[-1]} and no other"
            )
    select = getattr(table, "select_columns", None) or getattr(table, "select", None)
    return select(list(wanted)) if select else table[list(wanted)]


def _name(what: Any) -> str:
    return "None" if what is None else f"a {type(what).__name__}"


def _array(designs: Any) -> Any:
    """Read anything as an array, which may hold objects."""
    if isinstance(designs, np.ma.MaskedArray):
        return _unmasked(designs)
    if isinstance(designs, str):
        raise InvalidDesign("designs are numbers, not text")
    if designs is None or isinstance(designs, (bytes, bytearray, Mapping, set, frozenset)):
        raise InvalidDesign(f"designs are an (n, d) array of numbers, not {_name(designs)}")
    if hasattr(designs, "toarray"):  # scipy's sparse matrices
        raise InvalidDesign(f"designs are a dense array, not {_name(designs)}; write x.toarray()")
    if not hasattr(designs, "__len__") and hasattr(designs, "__next__"):
        raise InvalidDesign(f"designs are an array, not {_name(designs)}; write list(…) around it")
    try:
        return _numpy(designs)
    except _REFUSALS as error:
        if isinstance(designs, (list, tuple)):  # ragged, or rows that numpy cannot read together
            return _apart(designs)
        reason = str(error).partition("\n")[0][:120]
        raise InvalidDesign(
            f"{_name(designs)} does not become an array of numbers: {reason}"
        ) from None


def _numpy(designs: Any) -> Any:
    if type(designs).__module__ == "torch":
        plain = designs.detach().cpu()
        narrow = plain.is_floating_point() and plain.element_size() < 4
        designs = (plain.float() if narrow else plain).numpy()  # float32 has room for all of them
    elif isinstance(designs, (list, tuple)) and any(isinstance(row, np.ma.MaskedArray)
                                                    for row in designs):  # fmt: skip
        return _apart(designs)
    array = np.asarray(designs)
    if array.dtype.type.__module__ == "ml_dtypes":  # jax's bfloat16 and its like
        whole = "int" in array.dtype.name
        return array.astype(np.int8 if whole else np.float32)
    return array


def _apart(rows: Any) -> Any:
    """Rows as the objects that they are."""
    array = np.empty(len(rows), object)
    for at, row in enumerate(rows):
        array[at] = row
    return array


def _unmasked(array: Any) -> Any:
    masked = np.ma.getmaskarray(array)
    if masked.dtype.names or not masked.any():
        return array.data
    row = int(np.argwhere(masked)[0][0]) if masked.ndim else None
    raise InvalidDesign("has a masked value; fill masked values, or leave these rows out", row)


def _of_objects(array: Any, width: int | None, depth: int) -> Any:
    """Numbers of an array of objects: of numbers, or of rows."""
    if not array.ndim:
        raise InvalidDesign(f"designs are an (n, d) array of numbers, not {_name(array.item())}")
    values = array.ravel().tolist()
    if array.ndim == 1 and any(_is_row(value) for value in values):
        return _of_rows(values, width, depth)
    kinds = set(map(type, values))
    if kinds == {str}:
        raise InvalidDesign("designs are numbers, not text")
    strange = {
        kind
        for kind in kinds
        if not issubclass(kind, (int, float, np.integer, np.floating)) or kind is bool
    }
    for at, value in enumerate(values if strange else ()):
        if type(value) in strange:
            row, *place = map(int, np.unravel_index(at, array.shape))
            where = f" at position {place[0]}" if place else ""
            raise InvalidDesign(f"has {_said(value)}{where}", row)
    try:
        return np.array(values, np.float64).reshape(array.shape)
    except OverflowError:
        raise InvalidDesign("designs are numbers of at most 1.8e308") from None


def _said(value: Any) -> str:
    """What stands where a number should, for a message."""
    if value is None or type(value).__name__ in ("NAType", "NaTType", "MaskedConstant"):
        return "no value"
    return f"{quoted(value)}, not a number,"


def _is_row(value: Any) -> bool:
    if isinstance(value, (str, bytes)):
        return False
    return hasattr(value, "__len__") or bool(getattr(value, "ndim", 0))


def _of_rows(rows: list[Any], width: int | None, depth: int) -> Any:
    read = []
    for number, row in enumerate(rows):
        if not _is_row(row):
            raise InvalidDesign(f"is {_said(row).rstrip(',')}", number)
        try:
            read.append(numbers(row, kinds="iufb", depth=depth - 1))
        except InvalidDesign as error:
            if error.row is None:
                raise
            where = "" if "at position" in error.detail else f" at position {error.row}"
            raise InvalidDesign(f"{error.detail.rstrip(',')}{where}", number) from None
    shapes = [row.shape for row in read]
    if len(set(shapes)) > 1:
        expected = shapes[0] if width is None else (width,)
        odd = next(at for at, shape in enumerate(shapes) if shape != expected)
        raise InvalidDesign(
            f"has {shapes[odd][0] if len(shapes[odd]) == 1 else shapes[odd]} values; "
            f"this task's designs have {width or shapes[0]}",
            odd,
        )
    return np.stack(read)
