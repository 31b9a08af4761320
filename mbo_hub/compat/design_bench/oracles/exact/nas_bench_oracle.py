"""NASBenchOracle can be imported, and fails when it is made."""

from __future__ import annotations

from mbo_hub.compat.design_bench.oracles._archive import MissingOracle
from mbo_hub.compat.design_bench.oracles.exact_oracle import ExactOracle

__all__ = ["NASBenchOracle"]


class NASBenchOracle(MissingOracle, ExactOracle):
    """Not here."""

    name = "exact_cifar_10_test_accuracy"
    why = "there is no such task"
