"""Turn arrays of Design-Bench that somebody still has into a dataset folder."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mbo_hub.dataset import files
from mbo_hub.errors import InvalidFile
from mbo_hub.reading import arrays
from mbo_hub.spaces import Box, Sequence

if TYPE_CHECKING:
    from mbo_hub.publishing.new import NewTask

__all__ = ["import_design_bench"]

_SHARD = re.compile(r"(.+)-([xy])-(\d+)\.npy")


class _Known(NamedTuple):
    """What the arrays do not say: tokens in their order, the objective, the visible percentiles."""

    alphabet: str
    objective: str
    visible: tuple[float, float]


_KNOWN = {
    "tf_bind_8": _Known("ACGT", "enrichment_score", (0.0, 50.0)),
    "tf_bind_10": _Known("ACGT", "ddg", (0.0, 50.0)),
    "utr": _Known("ACGT", "ribosome_loading", (0.0, 50.0)),
    "gfp": _Known("", "fluorescence", (50.0, 60.0)),
    "cifar_nas": _Known("", "test_accuracy", (0.0, 50.0)),
    "nas_bench": _Known("", "cifar_10_test_accuracy", (0.0, 30.0)),
    "chembl": _Known("", "standard_value", (0.0, 40.0)),
    "superconductor": _Known("", "critical_temperature", (0.0, 80.0)),
    "ant_morphology": _Known("", "average_return", (0.0, 40.0)),
    "dkitty_morphology": _Known("", "average_return", (0.0, 40.0)),
    "hopper_controller": _Known("", "average_return", (0.0, 100.0)),
}


def import_design_bench(
    folder: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    visible: tuple[float | int, float | int] | None = None,
    license: str | None = None,  # noqa: A002 -- as `new_task` has it
) -> NewTask:
    """Write a dataset folder from arrays ``<dataset>-x-0.npy``, ``<dataset>-y-0.npy``, ….

    Every row is kept, in its order within the visible and the hidden part. Pickles are not opened.

    Args:
        folder: holds the arrays: integers or real numbers (n, d), and values (n, 1).
        out: the dataset folder to write; must not hold anything yet.
        dataset: which one, where the folder holds several.
        visible: lower and upper percentile of y that methods may see; default: Design-Bench's.
        license: the Hub's name of the licence of the data, where it is known.

    Returns:
        The folder, and what was noticed.

    Raises:
        InvalidFile: there are no such arrays, one is damaged, or they do not fit together.
        InvalidDesign: a value is not finite.
        ExportConflict: `out` holds something already.

    Example:
        >>> import_design_bench("tf_bind_8-SIX6_REF_R1", "./tfbind8-original")  # doctest: +SKIP
    """
    from mbo_hub.publishing.new import new_task  # which programs that only read do without

    place = Path(folder)
    name, x_files, y_files = _shards(place, dataset)
    x, y = (np.concatenate([_array(path) for path in paths]) for paths in (x_files, y_files))
    if x.ndim != 2 or y.shape not in ((len(x), 1), (len(x),)):
        raise InvalidFile(
            f"{place}: {name} has designs of shape {x.shape} and values of shape {y.shape}; they "
            "are (n, d) and (n, 1)"
        )
    known = _KNOWN.get(name, _Known("", "y", (0.0, 50.0)))
    low, high = known.visible if visible is None else visible
    return new_task(
        out,
        x,
        y.reshape(-1),
        _space(x, known.alphabet, place),
        objective=known.objective,
        summary=f"Find the design with the largest {known.objective.replace('_', ' ')}.",
        description=f"{known.objective.replace('_', ' ')}, as Design-Bench's arrays have it",
        visible=(float(low), float(high)),
        license=license,
    )


def _shards(place: Path, dataset: str | None) -> tuple[str, list[Path], list[Path]]:
    """Find the files of a dataset, in the order of their numbers."""
    try:
        listed = sorted(place.iterdir())
    except OSError as error:
        raise InvalidFile(f"{place}: cannot be read: {error.strerror}") from None
    found: dict[str, dict[str, dict[int, Path]]] = {}
    for path in listed:
        match = _SHARD.fullmatch(path.name)
        if match:
            name, side, number = match.groups()
            found.setdefault(name, {"x": {}, "y": {}})[side][int(number)] = path
    if not found:
        raise InvalidFile(f"{place}: there is no array called like tf_bind_8-x-0.npy")
    if dataset is None and len(found) > 1:
        raise InvalidFile(f"{place}: holds {', '.join(found)}; say which one:  dataset=…")
    name = next(iter(found)) if dataset is None else dataset
    if name not in found:
        raise InvalidFile(f"{place}: there are no arrays of {name!r}, but of {', '.join(found)}")
    x, y = found[name]["x"], found[name]["y"]
    for number in range(max([*x, *y]) + 1):
        for side, there in (("x", x), ("y", y)):
            if number not in there:
                raise InvalidFile(f"{place}: {name}-{side}-{number}.npy is missing")
    return name, [x[n] for n in sorted(x)], [y[n] for n in sorted(y)]


def _array(path: Path) -> Any:
    try:
        raw = files.read(path)
    except InvalidFile as error:
        raise InvalidFile(f"{path}: {error}") from None
    if not raw.startswith(b"\x93NUMPY"):
        raise InvalidFile(f"{path}: not a .npy file")
    array = arrays.npy(raw, str(path))
    if array.dtype.kind not in "iuf":
        raise InvalidFile(f"{path}: holds text; designs and values are numbers")
    return array


def _space(x: np.ndarray, alphabet: str, place: Path) -> Sequence | Box:
    """Tokens where the designs are integers, else a box without bounds."""
    if x.dtype.kind == "f":
        return Box(size=x.shape[1])
    classes = max(int(x.max()) + 1, 2)
    tokens = tuple(alphabet) or tuple(map(str, range(classes)))
    if x.min() < 0 or classes > len(tokens):
        raise InvalidFile(
            f"{place}: tokens run from {x.min()} to {x.max()}, but are 0 to {len(tokens) - 1}"
        )
    try:
        return Sequence(length=x.shape[1], alphabet=tokens)
    except ValueError as error:
        raise InvalidFile(f"{place}: {error}; a dataset of mbo_hub stores tokens as int8") from None
