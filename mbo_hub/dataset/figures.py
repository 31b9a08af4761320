"""Measure the figures of a dataset: for its builder, and again for whoever validates it."""

from __future__ import annotations

from hashlib import sha256

import numpy as np

from mbo_hub.arrays import Bool, Float32, Num
from mbo_hub.dataset import parquet
from mbo_hub.dataset.manifest import SplitRule, Statistics, StoredFile

__all__ = ["measure", "rule_of", "stored", "visible_rows"]


def stored(raw: bytes, rows: int) -> StoredFile:
    """Describe a parquet file as task.json does.

    Args:
        raw: its content.
        rows: how many it holds.
    """
    return StoredFile(
        sha256=sha256(raw).hexdigest(),
        bytes=len(raw),
        rows=rows,
        content_sha256=parquet.content_sha256(raw),
        arrow_bytes=parquet.arrow_bytes(raw),
    )


def measure(
    x: Num[np.ndarray, "n d"], y: Float32[np.ndarray, " n"], hidden_y: Float32[np.ndarray, " m"]
) -> Statistics:
    """Measure a dataset.

    Args:
        x: visible designs.
        y: their values.
        hidden_y: values of the hidden designs; may be empty.
    """
    full = np.concatenate([y, hidden_y])
    exact_x, exact_y = x.astype(np.float64), y.astype(np.float64)
    return Statistics(
        rows=len(full),
        visible=len(y),
        y_min=float(full.min()),
        y_max=float(full.max()),
        best_visible=float(y.max()),
        x_mean=tuple(exact_x.mean(axis=0).tolist()),
        x_std=tuple(exact_x.std(axis=0).tolist()),
        y_mean=float(exact_y.mean()),
        y_std=float(exact_y.std()),
    )


def rule_of(
    percentiles: tuple[float, float], y: Float32[np.ndarray, " n"], sampled: int | None = None
) -> SplitRule:
    """Measure the cuts of a percentile rule on the full data (linear interpolation, float64)."""
    low, high = np.percentile(y.astype(np.float64), percentiles).tolist()
    return SplitRule(percentiles=percentiles, y_low=low, y_high=high, sampled=sampled)


def visible_rows(rule: SplitRule, y: Float32[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Tell which rows of the full data a rule makes visible; a sample is drawn with seed 0."""
    exact = y.astype(np.float64)
    visible = (exact >= rule.y_low) & (exact <= rule.y_high)
    if rule.sampled is not None:
        among = np.flatnonzero(visible)
        visible[:] = False
        visible[np.random.default_rng(0).choice(among, rule.sampled, replace=False)] = True
    return visible
