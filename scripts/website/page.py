"""What is generated for the site: a page, or a file that pages show."""

from __future__ import annotations

from typing import Any, NamedTuple


class Page(NamedTuple):
    """A file of the site that nobody wrote by hand.

    Attributes:
        path: from the root of the site's sources; a page ends in `.md`.
        content: Markdown, or bytes.
        title: in the navigation; None: it is not listed.
    """

    path: str
    content: str | bytes
    title: str | None = None

    @property
    def entry(self) -> Any:
        """How the navigation of mkdocs lists it; None where it does not."""
        if self.title is None:
            return None
        return {self.title: self.path} if self.title else self.path
