"""Verbs about methods and their runs: methods, run, table, plot."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mbo_hub
from mbo_hub.cli.options import (
    LARGEST_SEED,
    as_json,
    chosen_subset,
    complete_device,
    complete_method,
    complete_task,
    engine_option,
    numbers,
    only_option,
    rows_option,
    seconds,
    seeds_option,
    started_engine,
    visible_option,
)
from mbo_hub.cli.terminal import echo, echo_json, echo_report, verb
from mbo_hub.errors import InvalidFile

if TYPE_CHECKING:
    from mbo_hub.results.record import Plan, Run
    from mbo_hub.results.runs import Sweep


@verb(example="mbo methods")
@as_json
def methods(as_json: bool) -> None:
    """List the methods and how they differ from their originals."""
    from mbo_hub.methods import METHODS

    listed = [
        {
            "name": method.name,
            "title": method.title,
            "version": method.version,
            "paper": None if method.paper is None else str(method.paper),
            "presets": {
                preset: {k: s.value for k, s in method.preset(preset).settings().items()}
                for preset in method.presets
            },
            "deviations": list(method.deviations),
        }
        for method in METHODS.values()
    ]
    if as_json:
        echo_json(listed)
        return
    for method in METHODS.values():
        echo(f"{method.name}: {method.title} (presets {', '.join(method.presets)})")
        echo(f"    {method.paper or 'a control'}")
        for sentence in method.deviations:
            echo(f"    - {sentence}")


@verb(example="mbo run grad --task chembl --seed 0 --out designs.parquet")
@click.argument("methods", nargs=-1, required=True, metavar="METHOD...",
                shell_complete=complete_method)  # fmt: skip
@click.option("--task", "tasks", multiple=True, required=True, shell_complete=complete_task,
              help="What to run on; may be given several times, or `all`.")  # fmt: skip
@click.option("--preset", type=click.Choice(["standard", "paper"]), default="standard",
              show_default=True, help="Of the hyper-parameters.")  # fmt: skip
@click.option("--budget", type=click.IntRange(1), default=128, show_default=True,
              help="How many designs to propose.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True,
              help="Of one run, whose report is printed.")  # fmt: skip
@click.option("--seeds", metavar="0-7", help="Of many runs, kept in a folder: 0-7, 0,3.")
@click.option("--out", type=click.Path(path_type=Path),
              help="Parquet file for the designs; with --seeds, the folder of runs.")  # fmt: skip
@visible_option
@rows_option
@click.option("--device", default="cpu", show_default=True, shell_complete=complete_device,
              help="Of torch: cpu, cuda, cuda:1, mps.")  # fmt: skip
@click.option("--time-limit", metavar="2h", callback=seconds,
              help="Of each run: 90s, 10m, 2h. What takes longer has failed.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1), help="Runs at a time.  [default: one a core]")
@engine_option
@click.option("--again", is_flag=True, help="Also run what failed before.")
@click.option("--tuned-on-oracle", is_flag=True,
              help="Say that hyper-parameters were chosen by the oracle's scores.")  # fmt: skip
@as_json
def run(
    methods: tuple[str, ...],
    tasks: tuple[str, ...],
    seed: int,
    seeds: str | None,
    out: Path | None,
    jobs: int | None,
    engine: str,
    again: bool,
    visible: str | None,
    rows: int | None,
    as_json: bool,
    **others: Any,
) -> None:
    """Let METHOD propose designs for a task, and score them.

    METHOD is a name that `mbo methods` shows, `all` of these, or package.module:attribute or
    file.py:attribute of your own, whose code is then run. Designs are saved before the oracle is
    opened. A method runs in a process of its own; what it prints is shown on standard error.

    With --seeds, every method runs on every task with every seed; --out is a folder that keeps a
    record and the designs of each, and what the method printed. What is there is not run again, so
    that you can stop at any time and go on later, and several machines may share the folder.
    """
    from mbo_hub.methods import METHODS
    from mbo_hub.results.record import Plan

    others["subset"] = chosen_subset(visible, rows)
    methods = tuple(METHODS) if methods == ("all",) else methods
    tasks = tuple(t.name for t in mbo_hub.tasks()) if tasks == ("all",) else tasks
    if seeds is not None:
        if out is None or out.suffix == ".parquet" or out.is_file():
            raise click.UsageError("with --seeds, name the folder of the runs:  --out runs")
        from mbo_hub.results.runs import plans

        wanted = plans(methods, tasks, numbers(seeds), **others)
        _sweep(wanted, out, engine, jobs, again=again, as_json=as_json)
        return
    if len(methods) * len(tasks) > 1 or engine != "local":
        raise click.UsageError("say which seeds and where the runs go:  --seeds 0-7 --out runs")
    _single(Plan(task=tasks[0], method=methods[0], seed=seed, **others), out, as_json)


def _single(plan: Plan, out: Path | None, as_json: bool) -> None:
    """Do one run, show what its method says, and print the report."""
    from mbo_hub.atomic import write_file
    from mbo_hub.oracles.progress import telling
    from mbo_hub.results.child import Watch
    from mbo_hub.results.runs import one

    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise InvalidFile(f"{out}: name a file in a folder that is there")  # before hours of work

    def keep(designs: bytes) -> None:
        if out is not None:
            try:
                write_file(out, designs)
            except OSError as error:
                raise InvalidFile(f"{out}: cannot be written: {error.strerror}") from None

    told = 0.0
    with telling(f"{plan.method} on {plan.task}", 100, None) as add:

        def progress(done: float) -> None:
            nonlocal told
            add(100 * (done - told))
            told = done

        record = one(plan, keep, Watch(_show, progress))
    for note in record.notes:
        echo(note, err=True)
    if record.report is not None:
        echo_report(record.report, as_json)


def _show(text: str) -> None:
    """Show what a method prints, as it does; a bar that it draws becomes lines."""
    echo(text.replace("\r\n", "\n").replace("\r", "\n"), err=True, nl=False)


def _sweep(
    wanted: list[Plan], out: Path, engine: str, jobs: int | None, *, again: bool, as_json: bool
) -> None:
    """Do many runs, and say what becomes of each."""
    from mbo_hub.methods import METHODS, find
    from mbo_hub.results.runs import Told, sweep

    def tell(told: Told) -> None:
        record = told.record
        best = record.report.normalized.best if record.report else None
        found = f"best {best:.3f}" if best is not None else record.failure or "no valid design"
        took = record.wall_seconds + (record.scoring_seconds or 0.0)
        left = f"about {timedelta(seconds=round(told.left))} left"
        echo(f"[{told.done}/{told.of}] {record}: {found}, {took:.0f} s; {left}", err=True)

    for name in dict.fromkeys(plan.method for plan in wanted):
        if ":" in name and (called := find(name, wanted[0].preset).name) in METHODS:
            echo(f"{name} is called {called!r}, as a method of this package is: give it a name of "
                 "its own if its runs are to join published results", err=True)  # fmt: skip
    with started_engine(engine, jobs) as going:
        became = sweep(wanted, out, going, again=again, tell=tell)
    if as_json:
        echo_json(asdict(became))
    else:
        echo(f"{out}: {_summary(became)}")
    for place, why in became.waiting.items():
        echo(f"{place}: its designs wait for the oracle: {why}", err=True)
    for place, why in became.lost.items():
        echo(f"{place}: is still to do: {why}", err=True)
    if became.all_failed:
        echo(f"{out}: every run has failed; what each printed is in its log.txt", err=True)
    if became.waiting or became.lost or became.all_failed:
        sys.exit(1)


def _summary(became: Sweep) -> str:
    before = f" ({became.failed_before} failed; --again)" if became.failed_before else ""
    elsewhere = f", {became.elsewhere} are held by another process" if became.elsewhere else ""
    return (
        f"{became.scored} runs scored, {became.failed} failed, {became.there} were there{before}"
        f"{elsewhere}"
    )


@verb(example="mbo table runs --metric median --literature")
@click.argument("place", metavar="DIR")
@only_option
@seeds_option
@click.option("--metric", type=click.Choice(["best", "median"]), default="best",
              show_default=True, help="100th or 50th percentile of the designs.")  # fmt: skip
@click.option("--at", type=click.IntRange(1), metavar="K",
              help="Instead: the best of K of the designs, on average.")  # fmt: skip
@click.option("--literature", is_flag=True, help="Also show published figures beside ours.")
@click.option("--format", "form", type=click.Choice(["text", "markdown", "latex", "csv", "json"]),
              default="text", show_default=True, help="How to write it.")  # fmt: skip
@as_json
def table(
    place: str,
    tasks: tuple[str, ...],
    seeds: str | None,
    metric: Any,
    at: int | None,
    literature: bool,
    form: str,
    as_json: bool,
) -> None:
    """Compare the runs in DIR: who gets what on each task, and how surely.

    DIR is a folder that `mbo run --seeds` fills, or a collection of results, here or on the Hub. A
    task is compared on the seeds that its controls and at least half of the methods have. A method
    is ranked there if it has a run for each of these; what is left out is listed with the reason.
    While runs are still going on, --seeds 0 compares those that are there.
    """
    from mbo_hub.results.joining import terms_of
    from mbo_hub.results.measure import Measure
    from mbo_hub.results.rendering import render
    from mbo_hub.results.table import tabulate

    measure = Measure(metric) if at is None else Measure("best-of-k", at)
    made = tabulate(_runs(place, seeds), measure, tasks or None, terms_of(place))
    echo(render(made, "json" if as_json else form, literature=literature), nl=False)


@verb(example="mbo plot runs --out figures")
@click.argument("place", metavar="DIR")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of figures.")
@only_option
@seeds_option
@as_json
def plot(place: str, out: Path, tasks: tuple[str, ...], seeds: str | None, as_json: bool) -> None:
    """Draw the runs in DIR: each plot answers the question in its title.

    DIR is as for `mbo table`, and so is what is compared.
    """
    from mbo_hub.results.joining import terms_of
    from mbo_hub.results.plots import draw

    written = draw(_runs(place, seeds), out, tasks or None, terms_of(place))
    if as_json:
        echo_json(list(map(str, written)))
    else:
        echo("\n".join(map(str, written)))


def _runs(place: str, seeds: str | None) -> list[Run]:
    from mbo_hub.results.joining import find_runs

    wanted = None if seeds is None else numbers(seeds)
    runs = [run for run in find_runs(place) if wanted is None or run.record.seed in wanted]
    if not runs:
        raise InvalidFile(f"{place}: there is no run with seed {seeds}")
    return runs
