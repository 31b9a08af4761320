"""A table as text, Markdown, LaTeX, CSV or JSON; all say the same."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from csv import DictWriter
from textwrap import fill
from typing import NamedTuple

import msgspec

from mbo_hub.dataset.lines import csv, latex, markdown
from mbo_hub.results.intervals import Estimate
from mbo_hub.results.literature import COMPARABLE, SOURCES
from mbo_hub.results.table import CONTROLS, OPPONENTS, Cell, Compared, Entrant, Table

__all__ = ["FORMATS", "render"]

BLOCK = 3  # tasks side by side in text
WIDTH = 100


class Field(NamedTuple):
    """What stands in a cell."""

    text: str
    bold: bool = False


class Grid(NamedTuple):
    """Rows and columns below a caption."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Field, ...], ...]


def render(table: Table, form: str = "text", *, literature: bool = False) -> str:
    """Write a table.

    Args:
        table: as `tabulate` made it.
        form: a key of `FORMATS`.
        literature: also write published figures beside ours, where they are comparable; CSV and
            JSON always have them.

    Returns:
        Text with a line end.
    """
    return FORMATS[form](table, literature)


def _grids(table: Table, literature: bool, block: int | None = None) -> Iterator[Grid]:
    """Take a table apart into grids, with at most `block` tasks side by side in those of tasks."""
    count = len(table.tasks)
    step = block or count
    for start in range(0, count, step):
        yield _scores(table, range(start, min(start + step, count)))
    for start in range(0, count, step):
        yield _designs(table, range(start, min(start + step, count)))
    if any(row.rank for row in table.rows):
        yield _aggregates(table)
    if literature:
        for name in COMPARABLE:
            found = [entry for entry in table.literature if entry.task == name]
            if found:
                yield _published(name, found)


def _who(entrant: Entrant) -> Field:
    return Field(f"{entrant}{' (control)' if entrant.method in CONTROLS else ''}")


def _scores(table: Table, places: range) -> Grid:
    tasks = [table.tasks[i] for i in places]
    rows = [(_who(row.entrant), *(_score(row.cells[i]) for i in places)) for row in table.rows]
    references = [
        (Field("D(best)"), *(Field(f"{task.best_visible:.3f}") for task in tasks)),
        (Field("ceiling"), *(Field(_ceiling(task.ceiling, task.ceiling_known)) for task in tasks)),
    ]
    budgets = sorted({task.budget for task in table.tasks})
    choices = ", on average over all choices" if table.measure.metric == "best-of-k" else ""
    caption = (
        f"{str(table.measure).capitalize()} of {' or '.join(map(str, budgets))} designs, as a "
        f"score{choices}: mean over seeds [95 % interval]"
    )
    return Grid(caption, ("method", *(task.name for task in tasks)), (*rows, *references))


def _ceiling(value: float, known: bool) -> str:
    return f"{value:.3f}" if known else f"≥ {value:.3f}"


def _score(cell: Cell | None) -> Field:
    return Field("apart") if cell is None else Field(_number(cell.mean), cell.best)


def _number(estimate: Estimate | None, digits: int = 3) -> str:
    if estimate is None:
        return "–"
    value, low, high = estimate.value, estimate.low, estimate.high
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _designs(table: Table, places: range) -> Grid:
    def told(cell: Cell | None) -> Field:
        if cell is None:
            return Field("apart")
        return Field(f"{cell.above:.0%}, {cell.visible:.0%}, {_distance(cell.novelty)}")

    rows = [(_who(row.entrant), *(told(row.cells[i]) for i in places)) for row in table.rows]
    caption = (
        "Designs: share above D(best), share already visible, novelty (mean distance to the "
        "nearest visible design)"
    )
    return Grid(caption, ("method", *(table.tasks[i].name for i in places)), tuple(rows))


def _distance(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _aggregates(table: Table) -> Grid:
    rows = [
        (
            _who(row.entrant),
            Field(_number(row.rank, 2)),
            Field(_number(row.iqm, 2)),
            *(Field(_number(row.improvement.get(name), 2)) for name in OPPONENTS),
        )
        for row in table.rows
        if row.complete
    ]
    header = ("method", "mean rank", "rescaled IQM", *(f"P(> {n})" for n in OPPONENTS))
    caption = (
        f"Over {len(table.tasks)} tasks, the methods that have all of them [95 % interval]; "
        "P(> x): probability that a run is better than one of x"
    )
    return Grid(caption, header, tuple(rows))


def _published(task: str, found: Sequence[Compared]) -> Grid:
    paper, rerun = (next((e for e in map(get, found) if e), None) for get in
                    (lambda e: e.paper, lambda e: e.rerun))  # fmt: skip
    columns = [(which, entry) for which, entry in (("paper", paper), ("rerun", rerun)) if entry]

    def beside(entry: Compared, which: str) -> Field:
        other = entry.paper if which == "paper" else entry.rerun
        mark = " ≠" if which in entry.differs else ""
        return Field("–" if other is None else f"{other}{mark}")

    rows = [
        (
            Field(entry.method),
            Field(f"{entry.ours:.3f}" + ("" if entry.sd is None else f" ± {entry.sd:.3f}")),
            *(beside(entry, which) for which, _ in columns),
        )
        for entry in found
    ]
    sources = "".join(f"; {which}: {SOURCES[e.source].citation}" for which, e in columns)
    caption = (
        f"{task} beside published figures ({COMPARABLE[task]}), mean ± standard deviation; ≠: "
        f"further apart than both standard deviations together{sources}"
    )
    return Grid(caption, ("method", "here", *(which for which, _ in columns)), tuple(rows))


def _apart(table: Table) -> list[str]:
    """Say what is not ranked; tasks on which a method lacks the same share a sentence."""
    told: dict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in table.apart:
        mean = "" if entry.mean is None else f", mean {entry.mean:.3f}"
        seeds = f" ({entry.scored} of {entry.of} seeds{mean})" if entry.scored else ""
        told[str(entry.entrant), "; ".join(entry.reasons)].append(f"{entry.task}{seeds}")
    return [f"{who} on {', '.join(tasks)}: {why}" for (who, why), tasks in told.items()]


def _text(table: Table, literature: bool) -> str:
    parts = []
    for grid in _grids(table, literature, BLOCK):
        shown = [
            grid.header,
            *([f"{f.text}{' *' if f.bold else ''}" for f in r] for r in grid.rows),
        ]
        widths = [max(len(row[i]) for row in shown) for i in range(len(grid.header))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in shown
        ]
        parts.append("\n".join([fill(grid.caption, WIDTH), "", *lines]))
    for title, sentences in (("Not ranked", _apart(table)), ("Keep in mind", table.cautions)):
        if sentences:
            told = [fill(s, WIDTH, initial_indent="- ", subsequent_indent="  ") for s in sentences]
            parts.append("\n".join([title, "", *told]))
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table, literature: bool) -> str:
    def cell(field: Field) -> str:
        text = markdown(field.text)
        return f"**{text}**" if field.bold else text

    parts = []
    for grid in _grids(table, literature):
        rows = [[cell(Field(name)) for name in grid.header], ["---"] * len(grid.header)]
        rows += [[cell(field) for field in row] for row in grid.rows]
        parts.append("\n".join([f"{grid.caption}:", "", *(f"| {' | '.join(r)} |" for r in rows)]))
    for title, sentences in (("Not ranked", _apart(table)), ("Keep in mind", table.cautions)):
        if sentences:
            parts.append("\n".join([f"{title}:", "", *(f"- {cell(Field(s))}" for s in sentences)]))
    return "\n\n".join(parts) + "\n"


def _latex(table: Table, literature: bool) -> str:
    r"""Write tabulars in the manner of booktabs; needs \usepackage{booktabs}."""

    def cell(field: Field) -> str:
        text = latex(field.text)
        return rf"\textbf{{{text}}}" if field.bold else text

    parts = [r"% needs \usepackage{booktabs}"]
    for grid in _grids(table, literature):
        header = " & ".join(cell(Field(name)) for name in grid.header)
        body = [" & ".join(map(cell, row)) + r" \\" for row in grid.rows]
        parts.append(
            "\n".join(
                [
                    r"\begin{table}",
                    rf"\caption{{{cell(Field(grid.caption))}.}}",
                    rf"\begin{{tabular}}{{{'l' * len(grid.header)}}}",
                    r"\toprule",
                    rf"{header} \\",
                    r"\midrule",
                    *body,
                    r"\bottomrule",
                    r"\end{tabular}",
                    r"\end{table}",
                ]
            )
        )
    told = [*_apart(table), *table.cautions]
    parts.append("\n".join(f"% {latex(sentence)}" for sentence in told))
    return "\n\n".join(parts) + "\n"


COLUMNS = [
    "task",
    "version",
    "budget",
    "method",
    "preset",
    "measure",
    "ranked",
    "seeds",
    "mean",
    "low",
    "high",
    "sd",
    "best",
    "above",
    "visible",
    "novelty",
    "gap",
    "d_best",
    "ceiling",
    "paper",
    "paper_sd",
    "rerun",
    "rerun_sd",
    "reasons",
]


def _csv(table: Table, literature: bool) -> str:
    """Write a line for each method on each task, ranked or not."""
    del literature  # its columns are there anyway
    sink = io.StringIO()
    out = DictWriter(sink, COLUMNS, lineterminator="\n")
    out.writeheader()
    out.writerows(
        {name: csv(cell) if isinstance(cell, str) else cell for name, cell in line.items()}
        for line in _lines(table)
    )
    return sink.getvalue()


def _lines(table: Table) -> Iterator[dict[str, object]]:
    published = {(entry.task, entry.method): entry for entry in table.literature}
    apart = {(entry.entrant, entry.task): entry for entry in table.apart}
    entrants = dict.fromkeys([*(r.entrant for r in table.rows), *(e.entrant for e in table.apart)])
    cells = {(r.entrant, c.task): c for r in table.rows for c in r.cells if c is not None}
    for task in table.tasks:
        for entrant in entrants:
            line: dict[str, object] = {
                "task": task.name, "version": task.version, "budget": task.budget,
                "method": entrant.method, "preset": entrant.preset, "measure": str(table.measure),
                "d_best": task.best_visible, "ceiling": task.ceiling,
            }  # fmt: skip
            cell = cells.get((entrant, task.name))
            if cell is None:
                entry = apart[entrant, task.name]
                yield {**line, "ranked": "no", "seeds": entry.scored, "mean": entry.mean,
                       "reasons": "; ".join(entry.reasons)}  # fmt: skip
                continue
            line |= {
                "ranked": "yes", "seeds": len(cell.values), "mean": cell.mean.value,
                "low": cell.mean.low, "high": cell.mean.high, "sd": cell.sd,
                "best": "yes" if cell.best else "no", "above": cell.above, "visible": cell.visible,
                "novelty": cell.novelty, "gap": cell.gap,
            }  # fmt: skip
            known = published.get((task.name, entrant.method))
            for name in ("paper", "rerun") if entrant.preset == "standard" and known else ():
                other = getattr(known, name)
                if other is not None:
                    line |= {name: other.mean, f"{name}_sd": other.spread}
            yield line


def _json(table: Table, literature: bool) -> str:
    del literature
    return msgspec.json.format(msgspec.json.encode(table), indent=2).decode() + "\n"


FORMATS: Mapping[str, Callable[[Table, bool], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "csv": _csv,
    "json": _json,
}
