"""FullyConnectedOracle can be imported, and fails when it is made."""

from __future__ import annotations

from mbo_hub.compat.design_bench.oracles._archive import MissingOracle
from mbo_hub.compat.design_bench.oracles.approximate_oracle import ApproximateOracle

__all__ = ["FullyConnectedOracle"]


class FullyConnectedOracle(MissingOracle, ApproximateOracle):
    """Not here."""

    name = "tensorflow_fully_connected"
