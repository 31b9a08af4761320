"""What this package raises on purpose: Design-Bench's callers expect a ValueError."""

from __future__ import annotations

from mbo_hub.errors import MboHubError

__all__ = ["DesignBenchError"]


class DesignBenchError(MboHubError, ValueError):
    """Design-Bench would raise ValueError here, or has something that mbo_hub has not."""
