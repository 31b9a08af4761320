"""What a dataset folder consists of: its files, its splits, and the columns of its tables.

Schema, card, Croissant description and `load_dataset` all speak of the same files and columns; they
take them from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mbo_hub.spaces import Space

__all__ = ["CARD", "DECLARATION", "SPLITS", "TEST", "TRAIN", "Column", "columns", "split_of"]

DECLARATION = "task.json"
CARD = "README.md"
TRAIN, TEST = "data/train.parquet", "data/test.parquet"
SPLITS: Mapping[str, str] = {"train": TRAIN, "test": TEST}  # visible and hidden designs


def split_of(file: str) -> str:
    """Name the split that a data file holds.

    Raises:
        KeyError: it is no data file of a dataset.
    """
    return {path: split for split, path in SPLITS.items()}[file]


@dataclass(frozen=True)
class Column:
    """One column of a dataset's tables.

    Attributes:
        name: of the column.
        dtype: of a value: string, int8, int32 or float32.
        meaning: for people.
        length: values in a cell, where a cell is a fixed-size list.
    """

    name: str
    dtype: Literal["string", "int8", "int32", "float32"]
    meaning: str
    length: int | None = None

    def __str__(self) -> str:
        return self.dtype if self.length is None else f"list of {self.length} {self.dtype}"


def columns(
    space: Space,
    objective: str,
    *,
    unit: str = "",
    text: str | None = None,
    y_oracle: str | None = None,
    extra: Mapping[str, str] | None = None,
) -> tuple[Column, ...]:
    """List the columns of a dataset in the order in which they are published.

    Args:
        space: of the designs.
        objective: what y is.
        unit: of y.
        text: the column that writes designs for people, where there is one.
        y_oracle: the oracle whose values stand beside y, where there is one.
        extra: further columns, and what they mean.
    """
    from mbo_hub.spaces import Sequence  # numpy: names of files are asked for without it

    tokens = isinstance(space, Sequence)
    listed = [] if text is None else [Column(text, "string", "the design, written for people")]
    listed += [
        Column("x", "int8" if tokens else "float32",
               f"the design, as {'tokens' if tokens else 'values'}", space.dim),
        Column("y", "float32", f"{objective}{f' ({unit})' if unit else ''}, larger is better"),
    ]  # fmt: skip
    if y_oracle is not None:
        meaning = f"what the oracle `{y_oracle}` gives for the design, in the unit of y"
        listed.append(Column("y_oracle", "float32", meaning))
    return (*listed, *(Column(name, "int32", what) for name, what in (extra or {}).items()))
