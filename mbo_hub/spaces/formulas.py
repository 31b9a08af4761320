"""Read chemical formulas: which elements a material has, and how much of each."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from mbo_hub.errors import InvalidDesign, quoted

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = ["ELEMENTS", "amounts"]

# In the order of the periodic table, hydrogen to oganesson.
ELEMENTS = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl",
    "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In",
    "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb",
    "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl",
    "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk",
    "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf", "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh",
    "Fl", "Mc", "Lv", "Ts", "Og",
)  # fmt: skip
LONGEST = 1000  # letters of a formula
_CLOSES = {"(": ")", "[": "]", "{": "}"}
# An element or a bracket, and how much of it.
_PART = re.compile(r"(?:([A-Z][a-z]?)|([(\[{])|([)\]}]))((?:\d+(?:\.\d+)?|\.\d+)?)", re.ASCII)


def amounts(formula: str) -> dict[str, float]:
    """Read a plain formula: elements, brackets and decimal amounts, as they are written.

    Args:
        formula: for example ``YBa2Cu3O7`` or ``Ba(Fe0.9Co0.1)2As2``; an element that is written
            twice counts twice.

    Returns:
        The amount of each element, not normalized.

    Raises:
        InvalidDesign: not a plain formula; names the place, without a row.

    Example:
        >>> amounts("Ba(Fe0.9Co0.1)2As2")
        {'Ba': 1.0, 'Fe': 1.8, 'Co': 0.2, 'As': 2.0}
    """
    from decimal import Decimal  # 2 ms, which nobody else need wait for

    text = formula.strip()
    if not text:
        raise InvalidDesign("is an empty formula")
    if len(text) > LONGEST:
        raise InvalidDesign(f"({quoted(text)}) has {len(text):,} letters, more than {LONGEST:,}")
    # What stands in each open bracket; the outermost is the formula itself.
    levels: list[dict[str, Decimal]] = [defaultdict(Decimal)]
    expected: list[str] = []
    at = 0
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise InvalidDesign(f"({quoted(text)}) {_why_not(text, at)}")
        symbol, opening, closing, written = part.groups()
        amount = Decimal(written or 1)
        if symbol:
            if symbol not in ELEMENTS:
                raise InvalidDesign(f"({quoted(text)}) names {symbol}, which is no element")
            levels[-1][symbol] += amount
        elif opening:
            if written:
                raise InvalidDesign(f"({quoted(text)}) {_why_not(text, part.start(4))}")
            levels.append(defaultdict(Decimal))
            expected.append(_CLOSES[opening])
        else:
            if not expected or expected.pop() != closing:
                raise InvalidDesign(
                    f"({quoted(text)}) closes a bracket that is not open: {closing}"
                )
            inside = levels.pop()
            for element, much in inside.items():
                levels[-1][element] += much * amount
        at = part.end()
    if expected:
        raise InvalidDesign(f"({quoted(text)}) leaves a bracket open; {expected[-1]} is missing")
    return {element: float(much) for element, much in levels[0].items()}


def _why_not(text: str, at: int) -> str:
    """What a plain formula has no place for, and what to write instead."""
    found = text[at]
    if found in "-+xyzXYZ" or not found.isascii():
        return (
            f"has {found!r} at position {at}; amounts are plain numbers, so write the value (O6.9, "
            "not O7-x)"
        )
    return (
        f"has {found!r} at position {at}; a formula is elements, brackets and the amounts behind "
        "them, such as YBa2Cu3O7"
    )
