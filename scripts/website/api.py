"""The reference of the public names, from their docstrings."""

from __future__ import annotations

from pathlib import Path

from page import Page

PACKAGE = Path(__file__).parents[2] / "mbo_hub"


def pages() -> list[Page]:
    """Make the pages of the reference."""
    return [Page("api/index.md", "# API\n", "")]
