"""Fingerprints of molecules; they can be imported, and fail when they are made."""

from __future__ import annotations

from typing import Any

from mbo_hub.compat.design_bench.datasets._archive import missing

__all__ = ["MorganFingerprintFeatures"]


class MorganFingerprintFeatures:
    """Not here."""

    name = "morgan_fingerprint"

    def __init__(self, size: int = 2048, radius: int = 4, dtype: Any = None) -> None:
        raise missing(
            type(self).__name__,
            "the forest of ChEMBL reads the tokens themselves, and RDKit makes such fingerprints",
        )
