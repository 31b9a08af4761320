"""What mkdocs asks while it builds the site: generated pages, and links between pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import api
import front
import leaderboard
import links
import methods
import playground
import tasks
import vendor
from page import Page
from policy import with_policy

ROOT = Path(__file__).parents[2]
DESK = ROOT / "build" / "tutorials"
# A name in the navigation of mkdocs.yml → the pages that come in its place. Files that are no pages
# (pictures, data, scripts) come along and are not listed.
ROOMS = {
    "tasks…": tasks.pages,
    "methods…": methods.pages,
    "leaderboard…": leaderboard.pages,
    "playground…": playground.pages,
    "api…": api.pages,
}
SPACE = """---
title: mbo-hub
emoji: 📈
colorFrom: indigo
colorTo: green
sdk: static
pinned: true
license: apache-2.0
short_description: Offline model-based optimization, compared
---
The site of mbo-hub, built by `scripts/site`.
"""

# Pages whose code blocks run while the site is built. Whatever else a page holds, it is text.
EXECUTED = frozenset(
    {
        "tutorials/distrust-a-report.md",
        "tutorials/first-optimization.md",
        "tutorials/own-task.md",
        "tutorials/score-from-javascript.md",
        "tutorials/write-a-method.md",
    }
)

_made: dict[str, list[Page]] = {}
_page = ""  # that is being written


def on_config(config: Any) -> Any:
    """Make the generated pages, and list them."""
    _desk()
    _made.clear()
    _made.update({name: make() for name, make in ROOMS.items()})
    config.nav = [_listed(entry) for entry in config.nav]
    for fence in config.mdx_configs["pymdownx.superfences"]["custom_fences"]:
        fence["validator"] = _only_where_listed(fence["validator"])
    return config


def _only_where_listed(runs: Callable[..., bool]) -> Callable[..., bool]:
    """Let markdown-exec, or whoever else takes code blocks, see those of `EXECUTED` only."""

    def may_run(*asked: Any) -> bool:
        return _page in EXECUTED and runs(*asked)

    return may_run


def _desk() -> None:
    """Clear the folder in which tutorials run, and give it what they take from npm."""
    shutil.rmtree(DESK, ignore_errors=True)
    DESK.mkdir(parents=True)
    web = ROOT / "docs" / "web"
    (DESK / "node_modules").symlink_to(web / "node_modules")
    shutil.copy(web / "tutorial" / "score.mjs", DESK)


def _listed(entry: Any) -> Any:
    if isinstance(entry, dict):
        return {name: _listed(inside) for name, inside in entry.items()}
    if isinstance(entry, list):
        return [_listed(inside) for inside in entry]
    if entry in _made:
        return [page.entry for page in _made[entry] if page.entry]
    return entry


def on_files(files: Any, config: Any) -> Any:
    """Add what is generated, and the documents that stand at the top of the project."""
    from mkdocs.structure.files import File

    changelog = Page("changelog.md", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    generated = (page for pages in _made.values() for page in pages)
    for page in [changelog, *generated, *front.pages(), *vendor.pages()]:
        files.append(File.generated(config, page.path, content=page.content))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links to files of the project lead to their pages here."""
    global _page  # Markdown does not say to a code block whose page it is on
    _page = page.file.src_uri
    if page.file.src_uri == "index.md":
        markdown = front.fill(markdown)
    return links.to_pages(markdown, page.file.src_uri, {file.src_uri for file in files})


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Say what a page may run."""
    return with_policy(output, _templates(tuple(config.theme.dirs)))


def on_post_template(output_content: str, template_name: str, config: Any) -> str:
    """Say it of the page for addresses that are not there, too."""
    if not template_name.endswith(".html"):
        return output_content
    return with_policy(output_content, _templates(tuple(config.theme.dirs)))


@cache
def _templates(folders: tuple[str, ...]) -> str:
    paths = (path for folder in folders for path in sorted(Path(folder).rglob("*.html")))
    return "\n".join(path.read_text("utf-8") for path in paths)


def on_post_build(config: Any) -> None:
    """Make the folder a static Space."""
    (Path(config.site_dir) / "README.md").write_text(SPACE, "utf-8")
    (Path(config.site_dir) / ".nojekyll").write_text("", "utf-8")
