"""What RDKit knows about designs that are molecules, written as SMILES.

RDKit is optional (`pip install 'mbo-hub[chem]'`): scores never depend on it, a report says more
where it is there. A string that RDKit cannot read as a molecule is a legal design all the same,
since the oracle reads tokens; the report flags it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import msgspec
import numpy as np

from mbo_hub import extras
from mbo_hub.arrays import Float32, Int64
from mbo_hub.dataset.lines import Line

__all__ = ["Molecules", "describe", "is_available", "morgan_counts", "scaffolds"]

RADIUS, BITS = 2, 2048  # of Morgan fingerprints, as ECFP4 (Rogers and Hahn 2010)


class Molecules(msgspec.Struct, frozen=True, kw_only=True):
    """What a report says of designs that are molecules.

    Attributes:
        toolkit: what judged, with its version.
        readable: of each scored design, whether it is a molecule; None for one that is not valid.
        molecules: fraction of the valid designs that are one.
        new: fraction of these that are none of the visible molecules, however they are written.
        diversity: mean Tanimoto distance (1 − similarity) between two different ones of these, by
            Morgan fingerprints of radius 2 and 2,048 bits; None below two.
    """

    toolkit: Line
    readable: tuple[bool | None, ...]
    molecules: float | None
    new: float | None
    diversity: float | None


def is_available() -> bool:
    """Tell whether RDKit is installed."""
    return find_spec("rdkit") is not None


def describe(smiles: Sequence[str | None], known: Sequence[str]) -> Molecules:
    """Judge designs as molecules.

    Args:
        smiles: a SMILES string for each scored design; None for one that is not valid.
        known: the visible molecules.

    Raises:
        MissingExtra: RDKit is missing.
    """
    read = [None if text is None else _read(text) for text in smiles]
    valid = sum(text is not None for text in smiles)
    found = [molecule for molecule in read if molecule is not None]
    new = set(_canonical(found)) - _written(tuple(known))
    fresh = [name in new for name in _canonical(found)]
    return Molecules(
        toolkit=f"rdkit {_rdkit().__version__}",
        readable=tuple(
            None if text is None else molecule is not None
            for text, molecule in zip(smiles, read, strict=True)
        ),
        molecules=len(found) / valid if valid else None,
        new=sum(fresh) / len(found) if found else None,
        diversity=_diversity(found),
    )


def scaffolds(smiles: Sequence[str]) -> Int64[np.ndarray, " n"]:
    """Number the scaffolds of molecules: ring systems and what links them (Bemis and Murcko 1996).

    Raises:
        MissingExtra: RDKit is missing.
        ValueError: one of them is no molecule.
    """
    _rdkit()
    from rdkit.Chem.Scaffolds import MurckoScaffold

    scaffold_of: Any = MurckoScaffold.MurckoScaffoldSmiles
    names = [scaffold_of(mol=_must_read(text)) for text in smiles]
    numbers: Int64[np.ndarray, " n"] = np.unique(names, return_inverse=True)[1].astype(np.int64)
    return numbers


def morgan_counts(smiles: Sequence[str]) -> Float32[np.ndarray, "n f"]:
    """Count the neighbourhoods of atoms in molecules: Morgan fingerprints, folded to 2,048.

    Raises:
        MissingExtra: RDKit is missing.
        ValueError: one of them is no molecule.
    """
    generator = _morgan()
    counts = [generator.GetCountFingerprintAsNumPy(_must_read(text)) for text in smiles]
    return np.array(counts, np.float32)


def _rdkit() -> Any:
    """RDKit, where it is there."""
    extras.require("chem", "judging molecules")
    import rdkit

    return rdkit


def _morgan() -> Any:
    _rdkit()
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep RDKit from writing to stderr what it cannot read."""
    from rdkit import rdBase

    with rdBase.BlockLogs():
        yield


def _read(text: str) -> Any:
    """A molecule of at least one atom; None where the string is none."""
    _rdkit()
    from rdkit import Chem

    with _quietly():
        molecule = Chem.MolFromSmiles(text)
    return molecule if molecule is not None and molecule.GetNumAtoms() else None


def _must_read(text: str) -> Any:
    molecule = _read(text)
    if molecule is None:
        raise ValueError(f"{text!r} is not a molecule")
    return molecule


def _canonical(molecules: Sequence[Any]) -> list[str]:
    """Write molecules so that equal ones are written alike."""
    from rdkit import Chem

    return [Chem.MolToSmiles(molecule) for molecule in molecules if molecule is not None]


@lru_cache(4)
def _written(known: tuple[str, ...]) -> frozenset[str]:
    """The visible molecules, read once for all reports of a task: it is most of the time."""
    return frozenset(_canonical([_read(text) for text in known]))


def _diversity(molecules: Sequence[Any]) -> float | None:
    if len(molecules) < 2:
        return None
    from rdkit import DataStructs

    generator = _morgan()
    prints = [generator.GetFingerprint(molecule) for molecule in molecules]
    similar = sum(
        sum(DataStructs.BulkTanimotoSimilarity(one, prints[i + 1 :]))
        for i, one in enumerate(prints)
    )
    return 1 - 2 * similar / (len(prints) * (len(prints) - 1))
