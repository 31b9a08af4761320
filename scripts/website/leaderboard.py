"""The leaderboard: a page with the default view as a table, numbers of all views, pictures."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from typing import Any

import cells
import scored_again
import views
from mbo_hub.results import drawing
from mbo_hub.results.plots import PLOTS
from mbo_hub.results.table import OPPONENTS, Entrant
from page import Page

CAPTIONS = {
    "best-of-k": ("How many designs does a method need?",
                  "Mean over all choices of k designs, and over seeds. One that stays beside "
                  "random shows no skill."),
    "best-and-median": ("Is a good best design typical, or luck?",
                        "Right of the upright line, a typical design beats the data; far above "
                        "the diagonal, the best one is a lucky draw."),
    "novelty": ("Does leaving the data pay?",
                "Novelty is the mean distance from a design to the nearest visible one. Upper left"
                ": safe steps from the data; lower right: lost far from it."),
    "exploit-gap": ("Does a method get what it expects?",
                    "Mean of predicted − true score over the designs of a seed. Right of 0, a "
                    "method promises more than it keeps; those that predict nothing are left out."),
    "ceiling": ("How far is the ceiling?",
                "Mean over seeds, rescaled: 0 is D(best), 1 the ceiling, known or the best known."),
    "profiles": ("How far do methods get, and how often?",
                 "The share of runs above each rescaled score, 100th percentile, mean over all "
                 "tasks with room above D(best). Where curves cross, neither method is better "
                 "everywhere."),
    "seeds": ("Do seeds agree?", "A mark for each seed, an upright stroke at their mean."),
}  # fmt: skip
# Markers of matplotlib → shapes of Vega; a shape with a space in it is a path.
SHAPES = {
    "o": "circle", "s": "square", "D": "diamond", "^": "triangle-up", "v": "triangle-down",
    "<": "triangle-left", ">": "triangle-right", "P": "cross",
    "*": "M0,-1L.3,-.35L1,-.3L.45,.15L.65,.85L0,.45L-.65,.85L-.45,.15L-1,-.3L-.3,-.35Z",
    "h": "M0,-1L.87,-.5L.87,.5L0,1L-.87,.5L-.87,-.5Z",
    "p": "M0,-1L.95,-.31L.59,.81L-.59,.81L-.95,-.31Z",
    "x": "M-.9,-.6L-.6,-.9L0,-.3L.6,-.9L.9,-.6L.3,0L.9,.6L.6,.9L0,.3L-.6,.9L-.9,.6L-.3,0Z",
    "+": "M-.2,-1L.2,-1L.2,-.2L1,-.2L1,.2L.2,.2L.2,1L-.2,1L-.2,.2L-1,.2L-1,-.2L-.2,-.2Z",
}  # fmt: skip
HELP = {
    "method": "Who competes, with the preset of hyper-parameters that is chosen above.",
    "rank": "Mean over tasks of the rank of the mean score; 1 is best.",
    "iqm": "Mean of the middle half of all scores, rescaled: 0 is D(best), 1 the ceiling.",
    "over": "Probability that a run of the method is better than a run of this one.",
    "task": "Mean score over seeds and its 95 % interval; 0 and 1 are the ends of the full data.",
}
INTRO = """---
title: Leaderboard
description: Who designs best from data alone, with intervals, and every number open to check.
hide: [navigation, toc]
styles: [leaderboard/leaderboard.css, leaderboard/wide.css]
---

# Leaderboard

Who designs best from data alone? Each method sees the visible designs of a task and hands in 128
new ones, which the task's oracle scores. 0 and 1 are the ends of the full data, and **D(best)** is
the best design that the method saw. Drawn: a dot at the mean, a line for its 95 % interval, a tick
at D(best). [How to join](../compare-methods.md) · [The methods](../methods/index.md) ·
[All tables as text](../results.md)
"""


def pages() -> list[Page]:
    """Make the page, and the files that it draws from."""
    return [
        Page("leaderboard/index.md", _page(), ""),
        *(Page(f"leaderboard/{name}.json", _file(name)) for name in views.presets()),
        *(Page(f"leaderboard/pictures/{name}", raw) for name, raw in views.pictures().items()),
    ]


@cache
def data(preset: str) -> dict[str, Any]:
    """The numbers of a preset, and what was scored again."""
    views.begin()
    stands, found = views.what_was_scored_again(), views.view(preset)
    return {
        **found,
        "presets": views.presets(),
        "stands": {
            task["name"]: {
                method: stands[f"{method}/{preset}/{task['name']}"]
                for method in found["designs"][task["name"]]
            }
            for task in found["tasks"]
        },
        "help": HELP,
        "styles": _styles(found["entrants"]),
        "opponents": list(OPPONENTS),
        "standing": scored_again.WORDS,
    }


def _styles(methods: Iterable[str]) -> dict[str, list[Any]]:
    """Color, shape and dashes of each method, as in the pictures of `mbo plot`."""
    entrants = [Entrant(method, "standard") for method in methods]
    made = drawing.styles(entrants)
    return {
        entrant.method: [style.color, SHAPES.get(style.marker, "circle"), _dashes(style.dashes)]
        for entrant in entrants
        for style in [made[entrant]]
    }


def _dashes(dashes: Any) -> list[float]:
    return [] if isinstance(dashes, str) else [3.0 * length for length in dashes[1]]


def _file(preset: str) -> bytes:
    return json.dumps(data(preset), separators=(",", ":"), ensure_ascii=False).encode()


# ----------------------------------------------------------------------------------------- the page


def _page() -> str:
    found = data(views.presets()[0])
    figures = "\n".join(_figure(name) for name in PLOTS if f"{name}.png" in views.pictures())
    return f"""{INTRO}
<div class="lb" id="lb" data-first="{escape(found["preset"])}">
<noscript><p class="lb-note">Scripts are off: this is the default view. <a
href="../results.html">The page of results</a> has another, and <code>mbo table mbo/results</code>
makes any.</p></noscript>
<form class="lb-form" hidden></form>
<p class="lb-status" role="status" aria-live="polite"></p>
<div class="lb-scroll" tabindex="0" role="region" aria-label="Table of results">
{overview(found)}</div>
<div class="lb-beneath">{beneath(found)}</div>
</div>
<p class="lb-legend">{_legend()}</p>

## Plots

<p>Each answers the question in its title, on the tasks, the preset and the controls that are chosen
above. Point at a mark to read it; choose names in a legend to bring them out.</p>

<div class="lb-plots">
{figures}
</div>
<script type="module" src="../web/leaderboard/leaderboard.js"></script>
"""


def _legend() -> str:
    return (
        "<strong>Bold</strong> and * : a paired bootstrap over seeds cannot tell it from the best "
        "of its task. <em>apart</em>: not ranked there, for the reason below the table. "
        "<span class='lb-again'>✓</span> "
        f"{scored_again.WORDS[scored_again.AGAIN]}. Runs whose hyper-parameters were chosen by an "
        "oracle's scores are never ranked."
    )


def _figure(name: str) -> str:
    title, told = CAPTIONS[name]
    return (
        f'<figure class="lb-plot" id="plot-{name}" data-plot="{name}">'
        f"<h3>{title}</h3>"
        f'<div class="lb-chart"><img src="pictures/{name}.png" alt="{title} {escape(told)}" '
        f'loading="lazy"></div><figcaption>{told}</figcaption></figure>'
    )


# ------------------------------------------------------ the default view; leaderboard.js does alike


def overview(found: Mapping[str, Any]) -> str:
    """Write the table of all tasks, 100th percentile."""
    group, tasks = found["groups"][0], found["tasks"]
    budgets = " or ".join(map(str, sorted({task["budget"] for task in tasks})))
    label = found["measures"]["best"]
    caption = f"{label[:1].upper()}{label[1:]} of {budgets} designs on {len(tasks)} tasks"
    many = len(tasks) > 1
    header = [_th("method", "Method", HELP["method"])]
    if many:
        header += [
            _th("rank", "Mean rank", HELP["rank"]),
            _th("iqm", "IQM", HELP["iqm"]),
            *(_th(f"over-{name}", f"P(> {name})", HELP["over"]) for name in OPPONENTS),
        ]
    header += [_th(task["name"], task["title"], HELP["task"]) for task in tasks]
    rows = "".join(_row(found, group, row, many) for row in group["rows"]["best"])
    blank = "<td></td>" * (2 + len(OPPONENTS)) if many else ""
    d_best = "".join(f"<td>{task['d_best']:.3f}</td>" for task in tasks)
    ceilings = "".join(
        f"<td>{'' if task['ceiling_known'] else '≥ '}{task['ceiling']:.3f}</td>" for task in tasks
    )
    return (
        f'<table class="lb-table"><caption>{caption}</caption><thead><tr>{"".join(header)}</tr>'
        f"</thead><tbody>{rows}</tbody><tfoot>"
        f'<tr><th scope="row">D(best)</th>{blank}{d_best}</tr>'
        f'<tr><th scope="row">ceiling</th>{blank}{ceilings}</tr></tfoot></table>'
    )


def _th(key: str, text: str, told: str) -> str:
    return (f'<th scope="col" data-key="{key}" title="{escape(told)}"><span>{escape(text)}</span>'
            "</th>")  # fmt: skip


def _row(
    found: Mapping[str, Any], group: Mapping[str, Any], row: Mapping[str, Any], many: bool
) -> str:
    method = row["method"]
    made = [cells.method_cell(found, method)]
    if many:
        count = sum(other["rank"] is not None for other in group["rows"]["best"])
        made += [
            cells.estimate(row["rank"], 2, (1, max(count, 2))),
            cells.estimate(row["iqm"], 2, group["iqm"]["best"], 0.0),
            *(cells.estimate(row["over"].get(name), 2, (0, 1), 0.5) for name in OPPONENTS),
        ]
    for task in found["tasks"]:
        cell = found["cells"]["best"][task["name"]].get(method)
        again = found["stands"][task["name"]].get(method) == scored_again.AGAIN
        made.append(cells.score(cell, found["scale"]["best"][task["name"]], task["d_best"], again))
    return f'<tr data-method="{method}">{"".join(made)}</tr>'


def beneath(found: Mapping[str, Any]) -> str:
    """Say what is not ranked, and what the table cannot say."""
    told: dict[tuple[str, str], list[str]] = {}
    for entry in found["apart"]:
        seeds = f" ({entry['scored']} of {entry['of']} seeds)" if entry["scored"] else ""
        told.setdefault((entry["method"], entry["reasons"]), []).append(entry["task"] + seeds)
    apart = [f"{who} on {', '.join(where)}: {why}" for (who, why), where in told.items()]
    cautions = [found["sentences"][i] for i in found["groups"][0]["cautions"]["best"]]
    parts = [("Not ranked", apart), ("Keep in mind", cautions)]
    return "".join(
        f"<h2>{title}</h2><ul>{''.join(f'<li>{escape(s)}</li>' for s in sentences)}</ul>"
        for title, sentences in parts
        if sentences
    )
