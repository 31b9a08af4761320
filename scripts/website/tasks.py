"""A page a task, from the card that is published with its data."""

from __future__ import annotations

import re
from pathlib import Path

import mbo_hub
from page import Page

CARDS = Path(__file__).parents[2] / "dataset_cards"


def pages() -> list[Page]:
    """Make the overview, the tasks' pages, and the pictures on them."""
    names = [task.name for task in mbo_hub.tasks()]
    made = [Page("tasks/index.md", _overview(), "")]
    for name in names:
        folder = CARDS / name
        card = (folder / "README.md").read_text("utf-8")
        made.append(Page(f"tasks/{name}.md", _page(card, name), _title(card)))
        made += [
            Page(f"tasks/{name}/{picture.name}", picture.read_bytes())
            for picture in sorted(folder.glob("*.*"))
            if picture.suffix in {".png", ".gif"}
        ]
    return made


def _page(card: str, name: str) -> str:
    """Turn a card into a page."""
    text = re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)
    picture = r"(!\[[^\]]*\])\((\w+\.(?:png|gif))\)"
    return re.sub(picture, rf"\1({name}/\2){{ loading=lazy }}", text)


def _title(card: str) -> str:
    return card[card.index("\n# ") :].split("\n")[1].removeprefix("# ")


def _overview() -> str:
    """List the tasks as the first page of the project does."""
    readme = (CARDS.parent / "README.md").read_text("utf-8")
    table = readme.split("<!-- tasks: generated -->\n")[1].split("<!-- /tasks -->")[0]
    return f"# Tasks\n\n{table}\n"
