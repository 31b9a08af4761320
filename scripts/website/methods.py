"""A page a method, from its declaration and its runs."""

from __future__ import annotations

from page import Page


def pages() -> list[Page]:
    """Make the overview and a page of each method."""
    return [Page("methods/index.md", "# Methods\n", "")]
