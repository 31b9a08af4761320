"""ToyDiscreteOracle can be imported, and fails when it is made."""

from __future__ import annotations

from mbo_hub.compat.design_bench.oracles._archive import MissingOracle
from mbo_hub.compat.design_bench.oracles.exact_oracle import ExactOracle

__all__ = ["ToyDiscreteOracle"]


class ToyDiscreteOracle(MissingOracle, ExactOracle):
    """Not here."""

    name = "toy_prediction"
    why = "there is no such task"
