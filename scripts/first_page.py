#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Run the example of README.md, write the report that it prints under it, and draw its picture."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import imread

from mbo_hub import Task

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "images" / "offline.png"
ROBOTS = {"ant": "Ant", "dkitty": "D'Kitty", "hopper": "Hopper"}
VISIBLE, HIDDEN, BEST = "#2f6690", "#c9d3df", "#c1121f"  # as in the plots on the cards
PROPOSED, INK = "#d9731a", "#33424f"


def run_example(page: str) -> tuple[dict[str, Any], str]:
    """Run the Python of a page; return the names that it defines, and what it prints."""
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "README.md", "exec"), names)  # noqa: S102 -- the project's own page
    return names, printed.getvalue()


def draw(task: Task, designs: np.ndarray) -> Figure:
    """Plot visible, hidden and proposed designs over y, with three robots beside them.

    Args:
        task: whose y goes from 0 to 1.
        designs: what a method proposes, (n, d).
    """
    figure = Figure(figsize=(9.6, 3.7), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, width_ratios=(7.95, 1.65))
    above, below = left.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    edges = np.linspace(0, 1, 51).tolist()
    visible, hidden, proposed = task.y, task.hidden[1], task.oracle(designs)
    above.hist([visible, hidden], edges, stacked=True, color=[VISIBLE, HIDDEN])
    below.hist(proposed, edges, color=PROPOSED)
    for axes, count, what, place, colour in (
        (above, len(visible), "a method sees", (0.05, 0.62), VISIBLE),
        (above, len(hidden), "are hidden", (0.75, 0.62), INK),
        (below, len(proposed), "it proposes", (0.05, 0.62), PROPOSED),
    ):
        axes.text(*place, f"{count:,} designs\n{what}", color=colour, va="center",
                  transform=axes.transAxes)  # fmt: skip
    for axes in (above, below):
        axes.axvline(float(visible.max()), color=BEST, linewidth=1.2)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylabel("designs")
    above.annotate("best visible", (float(visible.max()), 1.0), (5, 0), color=BEST, va="top",
                   xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    objective = task.manifest.objective.name
    below.set_xlabel(f"{task.manifest.title}: {objective} (larger is better)")
    for axes, (name, title) in zip(right.subplots(3, 1), ROBOTS.items(), strict=True):
        axes.imshow(imread(ROOT / "dataset_cards" / name / "robot.png"))
        axes.set_axis_off()
        axes.text(0.97, 0.05, title, transform=axes.transAxes, ha="right", color=INK, fontsize=9)
    return figure


def main() -> None:
    """Write the page and the picture."""
    page = README.read_text("utf-8")
    names, report = run_example(page)
    before, rest = page.split("```text\n", 1)
    README.write_text(f"{before}```text\n{report}{rest[rest.index('```') :]}", "utf-8")
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    draw(names["task"], names["designs"]).savefig(PICTURE, dpi=120, metadata={"Software": None})
    for path in (README, PICTURE):
        print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
