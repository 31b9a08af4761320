"""What somebody's own method declares, checked before it runs: one sentence for what is wrong."""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from mbo_hub.errors import UnknownMethod

__all__ = ["plain", "wrong"]

LARGEST = 2**63 - 1  # what every reader of JSON, and a column of a table, can hold
SHORT, LONG = 200, 2000  # characters of a title, and of a sentence, that a record takes


def wrong(method: Any) -> str | None:
    """Say what is wrong with the declaration of a method's class or instance; None: nothing."""
    kind: Any = method if inspect.isclass(method) else type(method)
    for name in ("name", "title", "version"):
        value = getattr(method, name, None)
        if not _is_line(value, SHORT):
            found = "has none" if value is None else f"has {value!r:.300}"
            return (
                f"a method has a {name}, one line of at most {SHORT} printable characters; "
                f"{kind.__name__} {found}"
            )
    for name in ("deviations", "needs"):
        value = getattr(method, name)
        if not isinstance(value, tuple) or not all(isinstance(one, str) and one for one in value):
            return f'{name} is a tuple of texts, such as ("torch",); it is {value!r}'
        for at, one in enumerate(value):
            if not _is_line(one, LONG):
                return (
                    f"{name}[{at}] has to be one line of at most {LONG:,} printable characters; it "
                    f"is {one!r:.300}"
                )
    if not isinstance(method.presets, Mapping):
        return f"presets is a dict of presets by name; it is {method.presets!r}"
    if getattr(kind.propose, "__isabstractmethod__", False):
        return f"{kind.__name__} has no method propose(self, offline, budget, seed, progress)"
    return None


def _is_line(value: Any, longest: int) -> bool:
    """Whether a value is text that a record takes: one printable line, not blank, not too long."""
    return (
        isinstance(value, str)
        and bool(value.strip())
        and value.isprintable()
        and len(value) <= longest
    )


def plain(value: Any, where: str) -> Any:
    """Give the value of a hyper-parameter as a record writes it.

    Args:
        value: of a field: text, a number, a truth value, or a tuple, list or dict of these. A path
            becomes text, a number of NumPy Python's own.
        where: names the field.

    Raises:
        UnknownMethod: a record cannot hold it: a function, an array, an object, or a text with
            characters that are not printable.
    """
    match value:
        case None | bool():
            return value
        case np.generic():
            return plain(value.item(), where)
        case str():
            if not value.isprintable():
                raise UnknownMethod(
                    f"{where} is {value!r:.300}, which a record cannot hold: line ends and control "
                    "characters; keep such a text in the method's own file"
                )
            return str(value)
        case os.PathLike():
            return plain(os.fsdecode(value), where)
        case int():
            return int(value) if abs(value) <= LARGEST else str(int(value))
        case float():
            return float(value) if math.isfinite(value) else str(float(value))
        case tuple() | list():
            listed = [plain(one, f"{where}[{i}]") for i, one in enumerate(value)]
            return tuple(listed) if isinstance(value, tuple) else listed
        case dict():
            return {str(key): plain(one, f"{where}[{key!r}]") for key, one in value.items()}
    if dataclasses.is_dataclass(value) and not inspect.isclass(value):
        named = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return plain(named, where)
    kind = type(value)
    raise UnknownMethod(
        f"{where} is a {kind.__module__}.{kind.__qualname__}, which a record cannot hold; make the "
        "field a number, a text, or a tuple of these, and the object from it in propose"
    )
