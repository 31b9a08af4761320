"""Oracles of scikit-learn."""

from __future__ import annotations

from mbo_hub.compat.design_bench.oracles.sklearn.gaussian_process_oracle import (
    GaussianProcessOracle as GaussianProcessOracle,
)
from mbo_hub.compat.design_bench.oracles.sklearn.random_forest_oracle import (
    RandomForestOracle as RandomForestOracle,
)
