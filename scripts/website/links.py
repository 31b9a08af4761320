"""Links: documents name files of the project where they are read on GitHub or the Hub."""

from __future__ import annotations

import posixpath
import re

PROJECT = "https://github.com/mbo-hub/mbo-hub/blob/main/"
TREE = "https://github.com/mbo-hub/mbo-hub/tree/main/"
# A file of the project → the page of the site that shows it.
PAGES = (
    (re.compile(r"docs/web/playground"), "playground/index.md"),
    (re.compile(r"docs/README\.md"), "index.md"),
    (re.compile(r"docs/(.+)"), r"\1"),
    (re.compile(r"dataset_cards/results(?:/README\.md)?"), "leaderboard/index.md"),
    (re.compile(r"dataset_cards/(\w+)(?:/README\.md)?"), r"tasks/\1.md"),
    (re.compile(r"oracles_onnx/(\w+)(?:/README\.md)?"), r"tasks/\1.md"),
    (re.compile(r"dataset_cards/?"), "tasks/index.md"),
    (re.compile(r"CHANGELOG\.md"), "changelog.md"),
)


def to_pages(markdown: str, source: str, known: set[str]) -> str:
    """Replace links to the project's files by links to pages of the site.

    Args:
        markdown: of a page.
        source: path of that page.
        known: paths of all pages and files.

    Returns:
        The Markdown; what has no page here keeps its address.
    """

    def relative(page: str) -> str:
        return posixpath.relpath(page, posixpath.dirname(source) or ".")

    def project(found: re.Match[str]) -> str:
        path, hash_, anchor = found["path"].rstrip("/").partition("#")
        for pattern, page in PAGES:
            if matched := pattern.fullmatch(path):
                target = matched.expand(page)
                if target in known:
                    return f"]({relative(target)}{hash_}{anchor})"
        return found[0]

    prefix = "|".join(re.escape(one) for one in (PROJECT, TREE))
    return re.sub(rf"\]\((?:{prefix})(?P<path>[^)\s]+)\)", project, markdown)
