"""Oracles that were learned from the data."""

from __future__ import annotations

from mbo_hub.compat.design_bench.oracles.oracle_builder import OracleBuilder

__all__ = ["ApproximateOracle"]


class ApproximateOracle(OracleBuilder):
    """An oracle that was learned from the data; only those of the archive are here."""
