"""A page a task, from the card that is published with its data."""

from __future__ import annotations

import json
import re
from html import escape
from pathlib import Path
from typing import NamedTuple

import mbo_hub
from page import Page

ROBOT = "robot.png"
CARDS = Path(__file__).parents[2] / "dataset_cards"


class Facts(NamedTuple):
    """What lists of tasks say of one.

    Attributes:
        name: of the task.
        title: for people.
        summary: what is looked for.
        size: of the visible data, in words.
        oracle: what says how good a design is, in words.
        best: score of the best visible design.
    """

    name: str
    title: str
    summary: str
    size: str
    oracle: str
    best: float


EXACT = {"table": "an exact table", "mujoco": "simulated by MuJoCo", "training": "trained for real",
         "onnx": "a network that defines it"}  # fmt: skip


def facts() -> list[Facts]:
    """Give what there is to say of each task, in the archive's order."""
    return [_facts(listed.name) for listed in mbo_hub.tasks()]


def _facts(name: str) -> Facts:
    told = json.loads((CARDS / name / "task.json").read_text("utf-8"))
    statistics, space = told["statistics"], told["space"]
    dim = space.get("length", space.get("size"))
    one = (
        f"{dim} positions, {len(space['alphabet'])} choices"
        if "alphabet" in space
        else f"{dim:,} numbers"
    )
    oracle = next(iter(told["oracles"].values()))
    low, high = statistics["y_min"], statistics["y_max"]
    return Facts(
        name,
        told["title"],
        told["summary"],
        f"{statistics['visible']:,} visible designs of {one}",
        EXACT[oracle["kind"]] if oracle.get("exact") else "a forest in ONNX",
        (statistics["best_visible"] - low) / (high - low),
    )


def picture(name: str) -> Path:
    """The picture of a robot that a task's card has, where there is one."""
    return CARDS / name / ROBOT


def pages() -> list[Page]:
    """Make the overview, the tasks' pages, and the pictures on them."""
    made = [Page("tasks/index.md", _overview(), "")]
    for one in facts():
        folder = CARDS / one.name
        card = (folder / "README.md").read_text("utf-8")
        made.append(Page(f"tasks/{one.name}.md", _page(card, one), one.title))
        made += [
            Page(f"tasks/{one.name}/{path.name}", path.read_bytes())
            for path in sorted(folder.glob("*.*"))
            if path.suffix in {".png", ".gif"}
        ]
    return made


def _page(card: str, task: Facts) -> str:
    """Turn a card into a page: its header goes, and what can be done with the task comes first."""
    text = re.sub(r"\A---\n.*?\n---\n", "", card, flags=re.DOTALL)
    shown = r"(!\[[^\]]*\])\((\w+\.(?:png|gif))\)"
    text = re.sub(shown, rf"\1({task.name}/\2){{ loading=lazy }}", text)
    play = f"../playground/index.html?task={task.name}"
    head = f"""
<dl class="facts">
<div><dt>Data</dt><dd>{escape(task.size)}</dd></div>
<div><dt>Oracle</dt><dd>{escape(task.oracle)}</dd></div>
<div><dt>D(best), as a score</dt><dd>{task.best:.3f}</dd></div>
</dl>
<p class="actions">
<a class="md-button md-button--primary" href="{play}">Try it in the playground</a>
<a class="md-button" href="../leaderboard/index.html?tasks={task.name}">See who wins</a></p>
"""
    if picture(task.name).is_file():
        art = (
            f'\n<img class="task-art" src="{task.name}/{ROBOT}" alt="" width="640" height="480">\n'
        )
        text = re.sub(r"^# .+\n", lambda title: title[0] + art, text, count=1, flags=re.MULTILINE)
    before, heading, after = text.partition("\n## ")
    return before + head + heading + after


def _overview() -> str:
    """List the tasks as the first page of the project does."""
    readme = (CARDS.parent / "README.md").read_text("utf-8")
    table = readme.split("<!-- tasks: generated -->\n")[1].split("<!-- /tasks -->")[0]
    scale = readme.split("<!-- /tasks -->")[1].split("\n## ")[0].strip()
    return f"# Tasks\n\n{table}\n{scale}\n"
