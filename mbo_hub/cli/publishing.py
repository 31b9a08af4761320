"""Verbs about datasets and results for others: export, new, validate, publish."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbo_hub.cli.options import INPUT, as_json, complete_task, percentiles
from mbo_hub.cli.terminal import echo, echo_json, verb
from mbo_hub.cli.verifying import tell_checked
from mbo_hub.errors import ExportConflict

if TYPE_CHECKING:
    from mbo_hub.archive.versions import Change


@verb(example="mbo export ./mbo tfbind8")
@click.argument("directory", type=click.Path(file_okay=False))
@click.argument("tasks", nargs=-1, shell_complete=complete_task)
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
        echo_json(facts)
    else:
        for line in lines:
            echo(line)
    for name in () if tasks else sorted(folders.pins().keys() - set(names)):
        echo(f"{name} is left out: its data are not here; build them:  mbo build {name}",
                   err=True)  # fmt: skip


@verb(example="mbo new ./my-task --from designs.csv --space dna")
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

    done = new_task_from(file, directory, space, visible=percentiles(visible), **options)
    if as_json:
        echo_json({"path": done.path, "notes": done.notes})
    else:
        echo(str(done.path))
        for note in done.notes:
            echo(f"  {note}")
    echo(f"Now fill in the TODOs of {done.path / 'README.md'}; `mbo validate` lists them.",
               err=True)  # fmt: skip


@verb(example="mbo validate ./mbo/tfbind8")
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
        echo_json({"path": directory, "valid": not problems, "problems": problems})
        sys.exit(1 if problems else 0)
    for problem in problems:
        echo(problem)
    if problems:
        plural = "" if len(problems) == 1 else "s"
        echo(f"{directory}: {len(problems)} problem{plural}", err=True)
        sys.exit(1)
    echo(f"{directory}: valid")


@verb(example="mbo publish tfbind8 --org mbo --dry-run")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...", shell_complete=complete_task)
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
        echo_json(
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
        read_runs(place), to, pull_request=pull_request, dry_run=dry_run, tell=tell_checked
    )
    if as_json:
        echo_json({**asdict(joined), "dry_run": dry_run})
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
