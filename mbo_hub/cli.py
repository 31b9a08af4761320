"""The `mbo` command: each verb calls one function of the library.

Data go to standard output, errors to standard error with exit code 1 and no traceback. Libraries
are imported by the verb that needs them, so that `mbo --help` and `mbo list` start at once.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mbo_hub
from mbo_hub._version import __version__
from mbo_hub.errors import (
    ExportConflict,
    InvalidDataset,
    InvalidFile,
    MboHubError,
    OracleUnavailable,
    UnknownTask,
)

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mbo_hub.archive.folders import Folder
    from mbo_hub.archive.versions import Change
    from mbo_hub.dataset.subset import Subset
    from mbo_hub.results.engine import Engine
    from mbo_hub.results.record import Plan, Run
    from mbo_hub.results.verify import Checked
    from mbo_hub.scoring.report import Report
    from mbo_hub.task import Task

__all__ = ["main"]

# Control characters but tab and line end, which a terminal obeys, and marks that reorder text.
_UNSAFE = re.compile(r"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print text, some of which strangers wrote; what a terminal would obey is escaped.

    Every verb prints through here.
    """
    safe = _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", str(text))
    click.echo(safe, err=err, nl=nl)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
# A file that a verb reads: the library says what is wrong with it; a shell completes its name.
INPUT = click.Path(allow_dash=True, readable=False)


def _complete_task(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer a shell the names of the archive's tasks, and folders."""
    from click.shell_completion import CompletionItem

    from mbo_hub.archive import folders

    if folders.is_folder_name(incomplete):
        return [CompletionItem(incomplete, type="dir")]
    owner = f"{folders.ORG}/" if "/" in incomplete else ""
    names = [f"{owner}{name}" for name in folders.pins()]
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


class _Verb(click.Command):
    """A command whose line in `mbo --help` is its whole first sentence, however wide the screen."""

    def get_short_help_str(self, limit: int = 45) -> str:
        return (
            " ".join((self.help or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
        )


class _Group(click.Group):
    """Turns the errors of the library, and of the file system, into one line and exit code 1."""

    command_class = _Verb

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command; letters that a pipe's encoding lacks are escaped."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MboHubError as error:
            echo(f"{type(error).__name__}: {error}", err=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            echo(f"{error.filename or 'file'}: {error.strerror or error}", err=True)
        return ctx.exit(1)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example:  mbo list",
)
@click.version_option(__version__, "-V", "--version", prog_name="mbo")
def main() -> None:
    """Benchmark tasks for offline model-based optimization: load, score, verify.

    A TASK is a name that `mbo list` shows, or the folder of any valid dataset, written ./like/this.
    """


@main.command("list", epilog="Example:  mbo list")
@as_json
def list_tasks(as_json: bool) -> None:
    """List the archive's tasks and say where their data are."""
    from mbo_hub.archive import catalog

    tasks = catalog.tasks()
    if as_json:
        _print_json([asdict(task) for task in tasks])
        return
    rows = [
        (
            task.name,
            f"v{task.version}",
            task.title,
            f"{task.visible:,} / {task.rows:,}",
            str(task.dim),
            f"{task.best_visible:.4g}",
            task.data,
            ", ".join(
                f"{name} ({oracle.kind}, {'exact' if oracle.exact else 'not exact'})"
                for name, oracle in task.oracles.items()
            ),
        )
        for task in tasks
    ]
    _print_table(("TASK", "VERSION", "TITLE", "VISIBLE / ALL", "DIM", "D(BEST)", "DATA",
                  "ORACLES"), rows)  # fmt: skip


def _print_json(facts: Any) -> None:
    echo(json.dumps(facts, indent=2, default=str))


def _print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        echo(line.rstrip())


@main.command(epilog="Example:  mbo info tfbind8")
@click.argument("task", shell_complete=_complete_task)
@as_json
def info(task: str, as_json: bool) -> None:
    """Describe TASK: designs, objective, data, oracles, terms.

    --json prints its task.json as it is.
    """
    from mbo_hub.archive import folders

    folder = folders.find_card(task)
    declared = folder.manifest()
    if as_json:
        echo(declared.to_json().decode(), nl=False)
        return
    s, space = declared.statistics, declared.space
    lines = [
        ("task", f"{declared.name} v{declared.version}: {declared.title}"),
        ("", declared.summary),
        ("design", _describe(space)),
        ("objective", f"{declared.objective.name}: {declared.objective.description}"),
        ("unit", declared.objective.unit or "none"),
        (
            "data",
            f"{s.visible:,} visible of {s.rows:,} rows; y from {s.y_min:.6g} to {s.y_max:.6g}",
        ),
    ]
    name = declared.name
    here = folders.with_data(name) if folder == folders.embedded(name) else folder
    if here is None:
        lines.append(("", f"not part of the package; get them with  mbo build {name}"))
    lines.append(("folder", _whereabouts(here or folder)))
    lines.append(("D(best)", f"{s.best_visible:.8g}, score {s.score(s.best_visible):.4f}"))
    for called, oracle in declared.oracles.items():
        held = oracle.held_out
        trust = "exact" if oracle.exact else "not exact"
        if held is not None:
            trust += f", held-out Spearman {held.spearman:.3f}"
            trust += f", in the top decile {held.spearman_top_decile:.3f}"
        lines.append(("oracle", f"{called} ({oracle.kind}, {trust})"))
        if oracle.file is not None:
            try:
                place = folders.find_oracle(folder, oracle.repo, oracle.revision)
            except InvalidDataset as error:
                lines += [("", problem) for problem in error.problems]
            else:
                lines.append(("", _whereabouts(place, oracle.file)))
    if declared.source is not None:
        lines.append(("terms", f"{declared.source.license}; {declared.source.attribution}"))
    for label, text in lines:
        echo(f"{label:10} {text}")


def _whereabouts(folder: Folder, file: str = "") -> str:
    """Say where a folder or a file of it is, without getting it."""
    from mbo_hub.archive.folders import Repository

    if not isinstance(folder, Repository):
        return str(folder.locate(file))
    return f"{file or 'files'} of {folder} on the Hub; `mbo fetch` gets all"


def _describe(space: Any) -> str:
    from mbo_hub.spaces import Sequence

    if not isinstance(space, Sequence):
        return f"{space.size} real numbers"
    tokens = [token for token in space.alphabet if token != space.padding]
    shown = "".join(tokens) if all(len(t) == 1 for t in tokens) else " ".join(tokens)
    length = f"{space.length}" if space.padding is None else f"1 to {space.length}"
    return f"sequence of {length} tokens out of {len(tokens)} ({shown})"


@main.command(epilog="Example:  mbo export ./mbo tfbind8")
@click.argument("directory", type=click.Path(file_okay=False))
@click.argument("tasks", nargs=-1, shell_complete=_complete_task)
@click.option("--git", "as_git", is_flag=True, help="Write bare git repositories with tags.")
@click.option(
    "--org", help="With --git: owner of folders that are not the archive's.  [default: mbo]"
)
@as_json
def export(
    directory: str, tasks: tuple[str, ...], as_git: bool, org: str | None, as_json: bool
) -> None:
    """Write TASKS into DIRECTORY, laid out as on the Hub.

    Without TASKS, all whose data are here. `datasets.load_dataset("mbo/<task>")` finds a folder
    called mbo in the working directory. With --git, a server on a cluster without a network can
    serve DIRECTORY to the Hub's clients.
    """
    from mbo_hub.archive import folders

    if org is not None and not as_git:
        raise click.UsageError("--org names an owner in a mirror; say --git, too")
    if directory.removeprefix(f"{folders.ORG}/") in folders.pins():
        raise ExportConflict(
            f"{directory} is the name of a task; the folder to write comes first:  mbo export "
            f"./mbo {directory}  (or write ./{directory})"
        )
    names = tasks or tuple(name for name in folders.pins() if folders.with_data(name))
    target = Path(directory)
    if as_git:
        from mbo_hub.publishing.mirror import export_git

        mirrored = export_git(names, target, org)
        facts = [{"path": done.place, **asdict(done.change)} for done in mirrored]
        lines = [
            f"{done.place} {done.change.tag}"
            f"{'' if done.change.is_first else f'  ({_told(done.change)})'}"
            for done in mirrored
        ]
    else:
        from mbo_hub.archive.export import export as copy

        copied = copy(names, target)
        facts = [asdict(made) for made in copied]
        lines = [
            f"{made.path}{'' if made.is_new else '  (there already, the same)'}" for made in copied
        ]
    if as_json:
        _print_json(facts)
    else:
        for line in lines:
            echo(line)
    for name in () if tasks else sorted(folders.pins().keys() - set(names)):
        echo(f"{name} is left out: its data are not here; build them:  mbo build {name}",
                   err=True)  # fmt: skip


visible_option = click.option(
    "--visible",
    metavar="0-20",
    help="Show another part: percentiles of y over the full data; 20 means 0-20.",
)
rows_option = click.option(
    "--rows", type=click.IntRange(1), help="Show only so many designs, drawn at random."
)
engine_option = click.option(
    "--engine",
    default="local",
    show_default=True,
    help="What works: local, dask, or dask:tcp://HOST:8786.",
)
column_option = click.option("--column", help="Column of a CSV or parquet file to read.")


@main.command(epilog="Example:  printf 'GCTAATTA\\nACGTACGT\\n' | mbo score tfbind8 -")
@click.argument("task", shell_complete=_complete_task)
@click.argument("file", type=INPUT)
@click.option("--budget", type=click.IntRange(min=1), default=128, show_default=True,
              help="How many designs count, from the first.")  # fmt: skip
@click.option("--oracle", help="Another oracle than the task's own; `mbo info` names them.")
@click.option("--project", is_flag=True, help="Replace illegal designs by the nearest legal ones.")
@click.option(
    "--invalid",
    type=click.Choice(["refuse", "count"]),
    default="refuse",
    show_default=True,
    help="Stop at an illegal design, or count it as invalid.",
)
@column_option
@visible_option
@rows_option
@click.option("--receipt", type=click.Path(path_type=Path), help="Save the receipt to this file.")
@engine_option
@as_json
def score(
    task: str,
    file: str,
    budget: int,
    oracle: str | None,
    project: bool,
    invalid: str,
    column: str | None,
    visible: str | None,
    rows: int | None,
    receipt: Path | None,
    engine: str,
    as_json: bool,
) -> None:
    """Score the designs of FILE on TASK and print the report.

    FILE is CSV, text with one design a line, FASTA, .smi, .npy, .npz or .parquet, each also
    compressed with gzip, or - for standard input. With --engine dask, the designs of a large file
    are shared out to workers, which changes no value.
    """
    from mbo_hub.reading import read_designs

    loaded = _load(task).showing(_subset(visible, rows))
    strict = invalid == "refuse" and not project
    designs = read_designs(file, loaded.manifest, column=column, strict=strict)
    if receipt is not None and receipt.is_dir():
        raise InvalidFile(f"{receipt}: is a folder; name the file that the receipt goes to")
    with ExitStack() as stack:
        if engine != "local":
            from mbo_hub.results.shared import shared_out

            loaded = shared_out(loaded, stack.enter_context(_engine(engine)), task)
        report = loaded.evaluate(designs, budget=budget, project=project, oracle=oracle)
    if project and invalid == "refuse" and report.invalid:
        raise InvalidFile(
            f"{file}: {report.invalid:.1%} of the designs have no nearest legal one, or cannot be "
            "scored; --invalid count counts them"
        )
    if receipt is not None:
        report.save(receipt)
    _print_report(report, as_json)


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        _print_json(report.to_dict())
    else:
        echo(report)


@main.command(epilog="Example:  mbo methods")
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
        _print_json(listed)
        return
    for method in METHODS.values():
        echo(f"{method.name}: {method.title} (presets {', '.join(method.presets)})")
        echo(f"    {method.paper or 'a control'}")
        for sentence in method.deviations:
            echo(f"    - {sentence}")


@main.command(epilog="Example:  mbo run grad --task chembl --seed 0 --out designs.parquet")
@click.argument("methods", nargs=-1, required=True, metavar="METHOD...")
@click.option("--task", "tasks", multiple=True, required=True, shell_complete=_complete_task,
              help="What to run on; may be given several times, or `all`.")  # fmt: skip
@click.option("--preset", type=click.Choice(["standard", "paper"]), default="standard",
              show_default=True, help="Of the hyper-parameters.")  # fmt: skip
@click.option("--budget", type=click.IntRange(1), default=128, show_default=True,
              help="How many designs to propose.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True,
              help="Of one run, whose report is printed.")  # fmt: skip
@click.option("--seeds", metavar="0-7", help="Of many runs, kept in a folder: 0-7, 0,3.")
@click.option("--out", type=click.Path(path_type=Path),
              help="Parquet file for the designs; with --seeds, the folder of runs.")  # fmt: skip
@visible_option
@rows_option
@click.option("--device", default="cpu", show_default=True, help="Of torch.")
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

    METHOD is a name that `mbo methods` shows, `all` of these, or package.module:attribute of your
    own, whose code is then run. Designs are saved before the oracle is opened.

    With --seeds, every method runs on every task with every seed; --out is a folder that keeps a
    record and the designs of each. What is there is not run again, so that you can stop at any
    time and go on later, and several machines may share the folder.
    """
    from mbo_hub.methods import METHODS
    from mbo_hub.results.record import Plan

    others["subset"] = _subset(visible, rows)
    methods = tuple(METHODS) if methods == ("all",) else methods
    tasks = tuple(t.name for t in mbo_hub.tasks()) if tasks == ("all",) else tasks
    if seeds is not None:
        if out is None or out.suffix == ".parquet" or out.is_file():
            raise click.UsageError("with --seeds, name the folder of the runs:  --out runs")
        from mbo_hub.results.runs import plans

        wanted = plans(methods, tasks, _numbers(seeds), **others)
        _sweep(wanted, out, engine, jobs, again=again, as_json=as_json)
        return
    if len(methods) * len(tasks) > 1 or engine != "local":
        raise click.UsageError("say which seeds and where the runs go:  --seeds 0-7 --out runs")
    _run_one(Plan(task=tasks[0], method=methods[0], seed=seed, **others), out, as_json)


def _run_one(plan: Plan, out: Path | None, as_json: bool) -> None:
    """Run a method here, and print the report."""
    from mbo_hub.oracles.progress import telling
    from mbo_hub.reading import write_designs
    from mbo_hub.results.work import make

    if out is not None and (out.is_dir() or not out.absolute().parent.is_dir()):
        raise InvalidFile(f"{out}: name a file in a folder that is there")  # before hours of work
    task = _load(plan.task).showing(plan.subset)
    contestant = make(plan, task)
    told = 0.0
    with telling(f"{contestant.name} on {task.name}", 100, None) as add:

        def progress(done: float) -> None:
            nonlocal told
            add(100 * (done - told))
            told = done

        proposal = contestant(task.offline, budget=plan.budget, seed=plan.seed, progress=progress)
    if out is not None:
        write_designs(out, task.manifest, proposal.designs, proposal.predicted)
    for note in proposal.notes:
        echo(note, err=True)
    _print_report(task.evaluate(proposal.designs, budget=plan.budget), as_json)


def _sweep(
    wanted: list[Plan], out: Path, engine: str, jobs: int | None, *, again: bool, as_json: bool
) -> None:
    """Do many runs, and say what becomes of each."""
    from mbo_hub.results.runs import Told, sweep

    def tell(told: Told) -> None:
        record = told.record
        best = record.report.normalized.best if record.report else None
        found = f"best {best:.3f}" if best is not None else record.failure or "no valid design"
        took = record.wall_seconds + (record.scoring_seconds or 0.0)
        left = f"about {timedelta(seconds=round(told.left))} left"
        echo(f"[{told.done}/{told.of}] {record}: {found}, {took:.0f} s; {left}", err=True)

    with _engine(engine, jobs) as going:
        became = sweep(wanted, out, going, again=again, tell=tell)
    if as_json:
        _print_json(asdict(became))
    else:
        echo(
            f"{out}: {became.scored} runs scored, {became.failed} failed, {became.there} were there"
            + (f", {became.elsewhere} are in other hands" if became.elsewhere else "")
        )
    for place, why in became.waiting.items():
        echo(f"{place}: its designs wait for the oracle: {why}", err=True)
    for place, why in became.lost.items():
        echo(f"{place}: is still to do: {why}", err=True)
    if became.waiting or became.lost:
        sys.exit(1)


def _engine(name: str, jobs: int | None = None) -> Engine:
    """Start what works."""
    from mbo_hub.results.engines import engine

    try:
        return engine(name, jobs)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--engine") from None


def _numbers(text: str) -> list[int]:
    """Read 0-7, 3 or 0,2,5-7."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.BadParameter(f"{text!r} is not like 0-7 or 0,3", param_hint="--seeds")
        found += range(int(first), int(last or first) + 1)
    if not found:
        raise click.BadParameter(f"{text!r} holds no number", param_hint="--seeds")
    return list(dict.fromkeys(found))


@main.command(epilog="Example:  mbo verify receipt.json designs.txt")
@click.argument("what", metavar="RECEIPT")
@click.argument("file", type=INPUT, required=False)
@click.option(
    "--task", shell_complete=_complete_task, help="Where to load the task from, if not the archive."
)
@column_option
@click.option("--sample", type=click.IntRange(1), help="Check so many of the runs, of each task.")
@click.option("--only", "tasks", multiple=True, metavar="TASK", shell_complete=_complete_task,
              help="Check runs on these tasks.")  # fmt: skip
@click.option("--pull-request", type=click.IntRange(1), metavar="N",
              help="Check what it would change in a collection on the Hub.")  # fmt: skip
@click.option("--comment", is_flag=True, help="Write the outcome below the pull request.")
@as_json
def verify(
    what: str,
    file: str | None,
    task: str | None,
    column: str | None,
    sample: int | None,
    tasks: tuple[str, ...],
    pull_request: int | None,
    comment: bool,
    as_json: bool,
) -> None:
    """Compute RECEIPT again from the designs of FILE.

    Without FILE, RECEIPT is a folder of runs that `mbo run` made, or a collection of results, here
    or on the Hub: the designs of each run are scored again. Says what differs; exit code 1 when
    something does not hold.
    """
    if file is not None:
        if sample or tasks or pull_request or comment:
            raise click.UsageError("--sample, --only, --pull-request and --comment are about runs")
        _verify_receipt(Path(what), file, task, column, as_json)
    elif task is not None or column is not None:
        raise click.UsageError("name the file of designs, too:  mbo verify RECEIPT FILE")
    elif Path(what).is_file():
        raise click.UsageError(f"name the file of designs, too:  mbo verify {what} FILE")
    elif pull_request is not None:
        _verify_pull_request(what, pull_request, comment=comment, as_json=as_json)
    else:
        _verify_runs(what, sample, tasks, as_json)


def _verify_receipt(
    receipt: Path, file: str, task: str | None, column: str | None, as_json: bool
) -> None:
    from mbo_hub.archive.folders import is_folder_name
    from mbo_hub.reading import read_designs
    from mbo_hub.scoring.report import Report

    said = Report.read(receipt)
    place = task or said.task
    try:
        loaded = _load(place, None if is_folder_name(place) else said.version)
    except UnknownTask as error:
        where = "" if task else "; say where it is with --task owner/name or --task ./folder"
        raise UnknownTask(f"{error}{where}") from None
    designs = read_designs(file, loaded.manifest, column=column, strict=False)
    verification = loaded.verify(said, designs)
    if as_json:
        _print_json({"holds": verification.ok, **asdict(verification)})
    else:
        echo(str(verification))
    if not verification.ok:
        sys.exit(1)


def _verify_runs(place: str, sample: int | None, tasks: tuple[str, ...], as_json: bool) -> None:
    from mbo_hub.results import verify
    from mbo_hub.results.joining import find_runs

    runs = find_runs(place)
    wanted = [run for run in runs if not tasks or run.record.task in tasks]
    if not wanted:
        raise InvalidFile(f"{place}: no runs on {', '.join(tasks)}")
    chosen = verify.sample(wanted, sample) if sample else {str(run.record) for run in wanted}
    verdict = verify.verify_runs(
        runs, only=lambda record: str(record) in chosen, tell=_tell_checked
    )
    if as_json:
        _print_json({"holds": verdict.ok, "runs": [_checked(one) for one in verdict.checked]})
    else:
        echo(str(verdict))
    if not verdict.ok:
        sys.exit(1)


def _verify_pull_request(repo: str, number: int, *, comment: bool, as_json: bool) -> None:
    from mbo_hub.archive import hub
    from mbo_hub.results.joining import check_pull_request

    asked = check_pull_request(repo, number, tell=_tell_checked)
    if as_json:
        runs = [_checked(one) for one in asked.verdict.checked]
        _print_json({"holds": asked.ok, "problems": asked.problems, "runs": runs})
    else:
        echo(asked.markdown(), nl=False)
    if comment:
        hub.comment(repo, "dataset", number, asked.markdown())
    if not asked.ok:
        sys.exit(1)


def _tell_checked(one: Checked) -> None:
    echo(f"{one.record}: {one.verdict}", err=True)


def _checked(one: Checked) -> dict[str, Any]:
    place = one.record.place.as_posix()
    return {"run": place, "verdict": one.verdict, "problems": one.problems}


only_option = click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    shell_complete=_complete_task,
    help="Only these tasks, in this order.",
)
seeds_option = click.option("--seeds", metavar="0-7", help="Only these seeds.")


@main.command(epilog="Example:  mbo table runs --metric median --literature")
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
    method is ranked on a task if it has a run for each seed that any method has; what is left out
    is listed with the reason. While runs are still going on, --seeds 0 compares those that are
    there.
    """
    from mbo_hub.results.rendering import render
    from mbo_hub.results.table import Measure, tabulate

    measure = Measure(metric) if at is None else Measure("best-of-k", at)
    made = tabulate(_runs(place, seeds), measure, tasks or None)
    echo(render(made, "json" if as_json else form, literature=literature), nl=False)


@main.command(epilog="Example:  mbo plot runs --out figures")
@click.argument("place", metavar="DIR")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of figures.")
@only_option
@seeds_option
@as_json
def plot(place: str, out: Path, tasks: tuple[str, ...], seeds: str | None, as_json: bool) -> None:
    """Draw the runs in DIR: each plot answers the question in its title.

    DIR is as for `mbo table`, and so is what is compared.
    """
    from mbo_hub.results.plots import draw

    written = draw(_runs(place, seeds), out, tasks or None)
    if as_json:
        _print_json(list(map(str, written)))
    else:
        echo("\n".join(map(str, written)))


def _runs(place: str, seeds: str | None) -> list[Run]:
    from mbo_hub.results.joining import find_runs

    wanted = None if seeds is None else _numbers(seeds)
    runs = [run for run in find_runs(place) if wanted is None or run.record.seed in wanted]
    if not runs:
        raise InvalidFile(f"{place}: there is no run with seed {seeds}")
    return runs


@main.command(epilog="Example:  mbo new ./my-task --from designs.csv --space dna")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--from", "file", required=True, metavar="FILE", type=INPUT,
              help="CSV whose first line names the columns, or parquet.")  # fmt: skip
@click.option("--space", required=True, metavar="SPACE",
              help="dna, rna, protein, sequence or box; dna:8 also says the length.")  # fmt: skip
@click.option("--text", metavar="COLUMN", help="Column of designs written as text.")
@click.option("--x", metavar="COLUMNS", help="Columns of numbers: a,b,c or first..last.")
@click.option(
    "--y", metavar="COLUMN", help="Column of the objective, larger is better. [default: y]"
)
@click.option("--alphabet", help="Tokens of a sequence: ACGT, or C,Cl,Br where some are longer.")
@click.option("--padding", help="Token that fills shorter sequences, e.g. _")
@click.option("--low", help="Lower bound of a box: a number, one each (0,0,1), or none.")
@click.option("--high", help="Upper bound of a box, likewise.")
@click.option("--visible", default="50", show_default=True, metavar="PERCENTILE",
              help="y up to this percentile is visible; 10-60: what lies between.")  # fmt: skip
@click.option("--name", help="Of the task.  [default: the folder's]")
@click.option("--title", help="Of the task, for people.")
@click.option("--summary", help="Of the task, one sentence.")
@click.option("--objective", help="What y is, in a word or two.  [default: its column's name]")
@click.option("--description", help="Of the objective, one sentence.")
@click.option("--unit", default="", help="Of y.")
@click.option("--license", help="Of the data, as the Hub calls it: cc-by-4.0, mit, ….")
@click.option("--oracle", metavar="FILE", help="ONNX file that scores designs; it is tried out.")
@click.option("--trained-on", type=click.Choice(["visible", "all"]),
              help="Rows that the oracle was trained on.")  # fmt: skip
@click.option("--exact/--not-exact", default=None,
              help="Whether the oracle defines y.  [default: if it gives each y]")  # fmt: skip
@as_json
def new(
    directory: Path, file: str, space: str, visible: str, as_json: bool, **options: Any
) -> None:
    """Write a dataset folder from a table of designs and values.

    Writes task.json, parquet files, a picture, and a card whose TODOs are yours to fill in; `mbo
    validate` lists them. What follows from the table without doubt is deduced and printed.
    """
    from mbo_hub.publishing.columns import new_task_from

    done = new_task_from(file, directory, space, visible=_percentiles(visible), **options)
    if as_json:
        _print_json({"path": done.path, "notes": done.notes})
    else:
        echo(str(done.path))
        for note in done.notes:
            echo(f"  {note}")
    echo(f"Now fill in the TODOs of {done.path / 'README.md'}; `mbo validate` lists them.",
               err=True)  # fmt: skip


def _percentiles(text: str) -> tuple[float, float]:
    """Read 50 or 10-60."""
    low, dash, high = text.rpartition("-")
    try:
        return (float(low) if dash else 0.0, float(high))
    except ValueError:
        raise InvalidFile(f"--visible {text}: write a percentile, 50, or two, 10-60") from None


def _subset(visible: str | None, rows: int | None) -> Subset | None:
    """Which rows to show, as --visible and --rows say; None: those of the published task."""
    if visible is None and rows is None:
        return None
    from mbo_hub.dataset.subset import subset

    return subset(None if visible is None else _percentiles(visible), rows)


@main.command(epilog="Example:  mbo validate ./mbo/tfbind8")
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--seconds", type=float, help="Time that trying a graph may take; default 60.")
@click.option("--gigabytes", type=float, help="Memory that trying a graph may take; default 4.")
@as_json
def validate(directory: Path, as_json: bool, **limits: float | None) -> None:
    """Tell everything that is wrong with a dataset folder.

    Exit code 1 if anything is.
    """
    from mbo_hub.oracles.protocol import Limits
    from mbo_hub.publishing.validation import validate as find_problems

    given = {name: limit for name, limit in limits.items() if limit is not None}
    problems = find_problems(directory, limits=Limits(**given))
    if as_json:
        _print_json({"path": directory, "valid": not problems, "problems": problems})
        sys.exit(1 if problems else 0)
    for problem in problems:
        echo(problem)
    if problems:
        plural = "" if len(problems) == 1 else "s"
        echo(f"{directory}: {len(problems)} problem{plural}", err=True)
        sys.exit(1)
    echo(f"{directory}: valid")


@main.command(epilog="Example:  mbo publish tfbind8 --org mbo --dry-run")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...", shell_complete=_complete_task)
@click.option("--org", help="Owner of the repositories: an organisation or a user.")
@click.option("--to", metavar="OWNER/NAME", help="Collection of results that runs are added to.")
@click.option("--pull-request", is_flag=True, help="Ask the owner of the collection to take them.")
@click.option("--private", is_flag=True, help="Make new repositories private.")
@click.option("--dry-run", is_flag=True, help="Check everything and say what would be done.")
@as_json
def publish(
    tasks: tuple[str, ...],
    org: str | None,
    to: str | None,
    pull_request: bool,
    private: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Publish TASKs on the Hub, tagged with their versions.

    They become ORG/<task> and ORG/<task>-oracle. Everything is checked first. Doing it again
    changes nothing, but for cards and pictures that were improved: they go to the main branch, and
    the tag stays as it is. The token is the one of `hf auth login` or HF_TOKEN.

    With --to, TASK is a folder of runs that `mbo run` made: they are scored again, and join the
    results of others:  mbo publish runs --to mbo/results --pull-request
    """
    if (org is None) == (to is None):
        raise click.UsageError("say where: --org for tasks, or --to for runs")
    if to is not None:
        if len(tasks) > 1 or private:
            raise click.UsageError("--to takes one folder of runs, and no --private")
        _publish_runs(tasks[0], to, pull_request=pull_request, dry_run=dry_run, as_json=as_json)
        return
    if pull_request:
        raise click.UsageError("--pull-request is for runs, with --to")
    from mbo_hub.publishing.publish import publish as put

    published = put(tasks, str(org), private=private, dry_run=dry_run)
    if as_json:
        _print_json(
            [
                {
                    "url": done.url,
                    "repo": done.repo,
                    "kind": done.kind,
                    "dry_run": dry_run,
                    **asdict(done.change),
                }
                for done in published
            ]
        )
        return
    for done in published:
        echo(f"{done.url}  {_told(done.change, dry_run=dry_run)}")
        for file in done.change.files:
            echo(f"  {file}")


def _publish_runs(place: str, to: str, *, pull_request: bool, dry_run: bool, as_json: bool) -> None:
    from mbo_hub.results.collection import read_runs
    from mbo_hub.results.joining import join

    joined = join(
        read_runs(place), to, pull_request=pull_request, dry_run=dry_run, tell=_tell_checked
    )
    if as_json:
        _print_json({**asdict(joined), "dry_run": dry_run})
        return
    if not joined.files:
        echo(f"{to}: all of these runs are there")
        return
    echo(joined.url or f"{joined.rows} runs would be added to {to}")
    for file in joined.files:
        echo(f"  {file}")


def _told(change: Change, *, dry_run: bool = False) -> str:
    """Say in plain words what publishing a folder changed, or would change."""
    would = "would be " if dry_run else ""
    many = len(change.files)
    files = f"{many or 'no'} file{'' if many < 2 else 's'} {would if many else ''}changed"
    if change.is_first:
        return f"{files}, {would}tagged {change.tag}"
    if change.superseded:
        return f"{files}: main holds another version, {change.tag} stays as it is"
    if change.files:
        return f"{files} on main, {change.tag} stays as it is"
    return f"{files}, {change.tag} is there already"


@main.command(epilog="Example:  mbo build superconductor")
@click.argument("task", shell_complete=_complete_task)
@click.option(
    "--raw-dir",
    type=click.Path(path_type=Path),
    help="Folder that has the raw file or its archive; then nothing is downloaded.",
)
@click.option("--url", help="Another address of the same archive; its content is checked.")
@as_json
def build(task: str, raw_dir: Path | None, url: str | None, as_json: bool) -> None:
    """Build the data of TASK from their public source.

    For data that the package may not carry. Downloads the raw file, checks, validates, and writes
    into your cache ($MBO_HUB_CACHE), where `mbo_hub.load` finds it. Prints the folder; does nothing
    where that is done already.
    """
    if raw_dir is not None and url is not None:
        raise click.UsageError("--raw-dir takes the raw file from a folder, --url downloads it")
    from mbo_hub.making.assembly import build_in_cache
    from mbo_hub.tasks import TASKS

    folder = build_in_cache(TASKS, task, raw_dir, url)
    if as_json:
        _print_json({"path": folder})
    else:
        echo(str(folder))


@main.command(epilog="Example:  mbo fetch tfbind8 ant")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...", shell_complete=_complete_task)
@click.option("--revision", help="Version, branch or commit of these tasks.")
@as_json
def fetch(tasks: tuple[str, ...], revision: str | None, as_json: bool) -> None:
    """Get all files of TASKs, for work without a network.

    Downloads what is not embedded, built or cached, checks everything, and says how large it is.
    Afterwards the tasks load with HF_HUB_OFFLINE=1, and on every machine that shares the cache.
    """
    from mbo_hub.archive import cache as caches
    from mbo_hub.archive.hub import cache_folder

    fetched = caches.fetch(tasks, revision)
    if as_json:
        _print_json([asdict(one) for one in fetched])
        return
    rows = [
        (one.task, f"{len(one.files)}", _size(one.bytes),
         "downloaded" if one.downloaded else "here", one.source)
        for one in fetched
    ]  # fmt: skip
    _print_table(("TASK", "FILES", "SIZE", "STATE", "FROM"), rows)
    if any(one.downloaded for one in fetched):
        echo(f"Downloads are in {cache_folder()}", err=True)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


@main.command(epilog="Example:  mbo cache --verify")
@click.option("--verify", "check", is_flag=True, help="Hash every file; exit code 1 if any is bad.")
@click.option(
    "--remove", metavar="REPO", help="Remove a downloaded repository, owner/name, or a built task."
)
@as_json
def cache(check: bool, remove: str | None, as_json: bool) -> None:
    """List what loads without a network: embedded, built, downloaded."""
    from mbo_hub.archive import cache as caches

    if remove is not None:
        freed = caches.remove(remove)
        if as_json:
            _print_json({"removed": remove, "bytes": freed})
        else:
            echo(f"removed {remove}, {freed / 1e6:.1f} MB")
        return
    copies = caches.copies(check=check)
    if as_json:
        _print_json([asdict(copy) for copy in copies])
    else:
        rows = [
            (
                copy.name,
                copy.kind,
                " ".join(copy.versions),
                f"{copy.bytes / 1e6:.1f} MB",
                copy.state,
                str(copy.path),
            )
            for copy in copies
        ]
        _print_table(("NAME", "KIND", "VERSIONS", "SIZE", "STATE", "PLACE"), rows)
    if any(copy.is_damaged for copy in copies):
        sys.exit(1)


@main.command(epilog="Example:  mbo render dkitty --out robot.png")
@click.argument("task", shell_complete=_complete_task)
@click.argument("file", required=False, type=INPUT)
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="robot.png, .mp4 or .gif."
)
@click.option("--row", type=click.IntRange(min=0), default=0, help="Which design of FILE; from 0.")
@column_option
def render(task: str, file: str | None, out: Path, row: int, column: str | None) -> None:
    """Draw a robot of TASK, or film how it moves.

    The name of the file says which: .png, or .mp4 and .gif. Without FILE it is the best visible
    design. Needs no display, but `pip install 'mbo-hub[render]'`.
    """
    from mbo_hub.oracles.mujoco import render as pictures
    from mbo_hub.oracles.mujoco.oracle import MujocoOracle
    from mbo_hub.reading import read_designs

    loaded = _load(task)
    entries = loaded.manifest.oracles.items()
    simulators = [loaded.oracles[name] for name, entry in entries if entry.kind == "mujoco"]
    robots = [oracle.robot for oracle in simulators if isinstance(oracle, MujocoOracle)]
    if not robots:
        raise OracleUnavailable(f"{loaded.name} has no robot to show")
    if out.suffix.lower() not in pictures.SUFFIXES:
        raise InvalidFile(f"{out}: name a picture .png, a movie .mp4 or .gif")
    design = loaded.x[loaded.y.argmax()]
    if file is not None:
        designs = read_designs(file, loaded.manifest, column=column)
        if row >= len(designs):
            raise InvalidFile(f"{file}: there is no row {row}; it holds {len(designs)} designs")
        design = designs[row]
    try:
        pictures.write(robots[0], design, out)
    except OSError as error:
        raise InvalidFile(f"{out}: cannot be written: {error.strerror}") from None
    echo(str(out))


def _load(task: str, revision: str | None = None) -> Task:
    from mbo_hub.loader import load

    return load(task, revision)
