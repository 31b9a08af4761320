"""A page a method, from its declaration and its runs."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from typing import Any

import cells
import designs
import leaderboard
import scored_again
import views
from mbo_hub.dataset import lines
from mbo_hub.methods import METHODS, Method
from mbo_hub.results.record import Run
from mbo_hub.results.table import CONTROLS
from page import Page


def pages() -> list[Page]:
    """Make the overview and a page of each method."""
    return [
        Page("methods/index.md", _overview(), ""),
        *(Page(f"methods/{name}.md", _page(name), name) for name in _names()),
    ]


def _names() -> list[str]:
    """The methods of the package, then those that others sent."""
    strange = {run.record.method for run in views.runs()} - {*METHODS}
    return [*METHODS, *sorted(strange)]


@cache
def _own(name: str) -> dict[str, list[Run]]:
    """The runs of a method by task, by preset and seed."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in views.runs():
        if run.record.method == name:
            found[run.record.problem].append(run)
    order = views.presets().index
    for some in found.values():
        some.sort(key=lambda run: (order(run.record.preset), run.record.seed))
    known = views.tasks_of(views.runs())
    return {task: found[task] for task in [*known, *sorted({*found} - {*known})] if found[task]}


def _title(name: str) -> str:
    if name in METHODS:
        return METHODS[name].title
    return next(run.record.title for run in views.runs() if run.record.method == name)


# ------------------------------------------------------------------------------------- all of them


def _overview() -> str:
    found = leaderboard.data(views.presets()[0])
    group = found["groups"][0]
    ranked = {row["method"]: row for row in group["rows"]["best"]}

    def row(name: str) -> str:
        paper = METHODS[name].paper if name in METHODS else None
        source = f'<a href="{escape(paper.url)}">{paper.venue} {paper.year}</a>' if paper else "–"
        one = ranked.get(name, {"rank": None, "iqm": None})
        return (
            f"<tr>{cells.method_cell(found, name, '')}"
            f'<td class="lb-text lb-long"><strong>{escape(_title(name))}</strong>'
            f"<br>{_about(name)[0]}</td>"
            f'<td class="lb-text lb-short">{source}</td>'
            f"{cells.estimate(one['rank'], 2, (1, max(len(ranked), 2)))}"
            f"{cells.estimate(one['iqm'], 2, group['iqm']['best'], 0.0)}</tr>"
        )

    tasks = len(group["tasks"])
    return f"""---
title: Methods
description: The methods that are compared, what each does, and where it comes from.
hide: [toc]
styles: [leaderboard/leaderboard.css]
---

# Methods

Each sees the visible data of a task and no oracle, and hands in 128 designs. Controls are what a
method has to beat: designs drawn at random, and the best visible ones handed in again. Ranks and
interquartile means are those of the [leaderboard](../leaderboard/index.md) over {tasks} tasks;
[write your own](../write-a-method.md).

<div class="lb"><div class="lb-scroll" tabindex="0" role="region" aria-label="All methods">
<table class="lb-table lb-left">
<thead><tr><th scope="col">Method</th><th scope="col">What it does</th><th scope="col">Paper</th>
<th scope="col">Mean rank</th><th scope="col">IQM</th></tr></thead>
<tbody>{"".join(map(row, _names()))}</tbody></table></div></div>
"""


def _about(name: str) -> tuple[str, dict[str, str]]:
    """What a method says of itself, and of each of its hyper-parameters, as HTML."""
    text = (inspect.getdoc(METHODS[name]) or "") if name in METHODS else _title(name)
    before, _, arguments = text.partition("\nArgs:\n")
    settings: dict[str, str] = {}
    for found in re.finditer(r"^    (\w+): (.+(?:\n {8,}.+)*)", arguments, re.MULTILINE):
        settings[found[1]] = _code(" ".join(found[2].split()))
    return _code(" ".join(before.split())), settings


def _code(text: str) -> str:
    return re.sub(r"``?([^`]+)``?", r"<code>\1</code>", escape(text, quote=False))


# -------------------------------------------------------------------------------------- one of them


def _page(name: str) -> str:
    about, settings = _about(name)
    title = _title(name)
    # mkdocs writes titles and descriptions into pages as they are.
    about_it = f"{title}, what it does, its settings, its results on every task and its designs."
    return f"""---
title: {lines.yaml(escape(title))}
description: {lines.yaml(escape(about_it))}
hide: [toc]
styles: [leaderboard/leaderboard.css]
---

# {lines.markdown(title)} {{ #top }}

<p class="lb-lead">{about}</p>

{_facts(name)}

## Run it

```bash
mbo run {name} --task tfbind8 --seeds 0-7 --out runs
```

{_python(name)}

## Results

{_results(name)}

{_settings(name, settings) if name in METHODS else ""}

## Seeds and designs

{designs.of_method(_own(name), name)}
"""


def _facts(name: str) -> str:
    """What it is called, and where it comes from."""
    method = METHODS.get(name)
    versions = sorted({run.record.method_version for some in _own(name).values() for run in some})
    paper = method.paper if method else None
    parts = [("Name", f"<code>{name}</code>" + (" (control)" if name in CONTROLS else ""))]
    if paper:
        told = f"{escape(paper.authors)} ({paper.year}). {escape(paper.title)}. "
        parts.append(("Paper", f'{told}<a href="{escape(paper.url)}">{escape(paper.venue)}</a>'))
    if method is None:
        codes = sorted({run.record.code for some in _own(name).values() for run in some})
        parts.append(("Code", escape(", ".join(codes))))
    parts.append(("Version", escape(", ".join(versions) or (method.version if method else ""))))
    if method and method.needs:
        parts.append(("Needs", f"<code>pip install 'mbo-hub[methods]'</code> "
                               f"({', '.join(method.needs)})"))  # fmt: skip
    items = "".join(
        f'<div class="lb-{term.lower()}"><dt>{term}</dt><dd>{told}</dd></div>'
        for term, told in parts
    )
    return f'<dl class="facts lb-facts">{items}</dl>'


def _python(name: str) -> str:
    if name not in METHODS:
        return ""
    return f"""```python
import mbo_hub
from mbo_hub.methods import {METHODS[name].__name__}

task = mbo_hub.load("tfbind8")
method = {METHODS[name].__name__}.preset("standard", task.name)
proposal = method(task.offline, budget=128, seed=0)
print(task.evaluate(proposal.designs))
```"""


def _results(name: str) -> str:
    """Its cells on every task, of each preset that it has runs of."""
    parts = []
    for preset in views.presets():
        found = leaderboard.data(preset)
        tasks = [task for task in found["tasks"] if name in found["cells"]["best"][task["name"]]]
        apart = [one for one in found["apart"] if one["method"] == name]
        if tasks:
            rows = "".join(_result(found, task, name) for task in tasks)
            parts.append(cells.boxed(f"Preset {preset}", _RESULTS, rows, _over_tasks(found, name)))
        if apart and (tasks or preset == views.presets()[0]):
            told = "".join(f"<li>{one['task']}: {escape(one['reasons'])}</li>" for one in apart)
            parts.append(f"<p>Not ranked (preset {preset}):</p><ul>{told}</ul>")
    note = (
        "<p class='lb-note'>The mean over seeds with its 95 % interval; rank: by the mean, among "
        "the methods that are ranked on the task; bold and *: cannot be told from the task's best. "
        "All columns are explained on the <a href='../leaderboard/index.html'>leaderboard</a>.</p>"
    )
    return "".join(parts) + note if parts else "<p>It has no runs yet.</p>"


_RESULTS = ("Task", "100th percentile", "50th percentile", "Rank", "sd", "Above D(best)", "Visible",
            "Novelty", "Exploit gap", "CPU s", "MB", "Seeds", "Checked")  # fmt: skip


def _result(found: Mapping[str, Any], task: Mapping[str, Any], name: str) -> str:
    where = task["name"]
    column = found["cells"]["best"][where]
    cell, design = column[name], found["designs"][where][name]
    better = sum(other[0] > cell[0] for other in column.values())
    same = sum(other[0] == cell[0] for other in column.values())
    rank = better + (same + 1) / 2
    stands = found["stands"][where][name]
    words = {"again": "✓ scored again", "here": "designs here", "elsewhere": "sha256 only"}
    address = f"../leaderboard/index.html?tasks={where}"
    both = "".join(
        cells.score(
            found["cells"][measure][where][name], found["scale"][measure][where], task["d_best"]
        )
        for measure in ("best", "median")
    )
    figures = [
        (cell[3], "{:.3f}"), (design["above"], "{:.0%}"), (design["visible"], "{:.0%}"),
        (design["novelty"], "{:.3g}"), (design["gap"], "{:.2f}"), (design["seconds"], "{:,.0f}"),
        (design["mb"], "{:,}"), (len(cell[5]), "{}"),
    ]  # fmt: skip
    sd, *others = (cells.figure(value, form) for value, form in figures)
    return (
        f'<tr data-task="{where}"><th scope="row"><a href="{address}">{escape(task["title"])}</a>'
        f"</th>{both}<td data-v='{rank:g}'>{rank:g} of {len(column)}</td>{sd}{''.join(others)}"
        f'<td title="{escape(scored_again.WORDS[stands])}">{words[stands]}</td></tr>'
    )


def _over_tasks(found: Mapping[str, Any], name: str) -> str:
    group = found["groups"][0]
    row = next((one for one in group["rows"]["best"] if one["method"] == name), None)
    ranked = sum(one["rank"] is not None for one in group["rows"]["best"])
    if row is None or row["rank"] is None or ranked < 2:
        return ""
    told = [f"mean rank {_told(row['rank'])} of {ranked}"]
    if row["iqm"]:
        told.append(f"rescaled interquartile mean {_told(row['iqm'])}")
    told += [
        f"better than {other} in {_told(three)} of cases" for other, three in row["over"].items()
    ]
    return f"<p>Over {len(group['tasks'])} tasks: {', '.join(told)}.</p>"


def _told(three: Sequence[float | None]) -> str:
    value, low, high = three
    between = "" if low is None or high is None else f" [{low:.2f}, {high:.2f}]"
    return f"{value:.2f}{between}"


def _settings(name: str, told: Mapping[str, str]) -> str:
    """Every hyper-parameter in both presets, and how the method differs from its paper's code."""
    method = METHODS[name]
    presets = {preset: method.preset(preset).settings() for preset in method.presets}
    first = next(iter(presets.values()))
    parts = ["## Settings\n"]
    if first:
        header = ["Setting", "What it is", *(f"{preset}, from" for preset in presets)]
        rows = "".join(
            f'<tr><th scope="row"><code>{field}</code></th>'
            f'<td class="lb-text">{told.get(field, "")}</td>'
            + "".join(_setting(some[field]) for some in presets.values())
            + "</tr>"
            for field in first
        )
        parts.append(cells.boxed("Hyper-parameters", header, rows))
        parts.append(_by_task(method))
    else:
        parts.append("It has none.")
    if method.deviations:
        items = "\n".join(f"- {_plain(one)}" for one in method.deviations)
        parts.append(f"\n\n## How it differs from its paper's code\n\n{items}\n")
    return "".join(parts)


def _setting(setting: Any) -> str:
    return (
        f'<td class="lb-text" data-v="{escape(repr(setting.value))}">'
        f"<code>{escape(str(setting.value))}</code>"
        f'<span class="lb-int">{escape(setting.source)}</span></td>'
    )


def _by_task(method: type[Method]) -> str:
    items = [
        f"<li>{preset} on {task}: "
        + ", ".join(f"<code>{field} = {escape(str(value))}</code>" for field, value in own.items())
        + "</li>"
        for preset, one in method.presets.items()
        for task, own in one.tasks.items()
    ]
    return f"<ul>{''.join(items)}</ul>" if items else ""


def _plain(text: str) -> str:
    """Keep Markdown from reading signs in a sentence."""
    return re.sub(r"([*_\[\]<>])", r"\\\1", text)
