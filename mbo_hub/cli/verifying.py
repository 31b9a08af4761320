"""The verb that computes again what others said: verify."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import mbo_hub
from mbo_hub.cli.options import INPUT, as_json, column_option, complete_task
from mbo_hub.cli.terminal import echo, echo_json, verb
from mbo_hub.errors import InvalidFile, UnknownTask

if TYPE_CHECKING:
    from mbo_hub.results.verify import Checked


@verb(example="mbo verify receipt.json designs.txt")
@click.argument("what", metavar="RECEIPT")
@click.argument("file", type=INPUT, required=False)
@click.option(
    "--task", shell_complete=complete_task, help="Where to load the task from, if not the archive."
)
@column_option
@click.option("--sample", type=click.IntRange(1), help="Check so many of the runs, of each task.")
@click.option("--only", "tasks", multiple=True, metavar="TASK", shell_complete=complete_task,
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
        loaded = mbo_hub.load(place, None if is_folder_name(place) else said.version)
    except UnknownTask as error:
        where = "" if task else "; say where it is with --task owner/name or --task ./folder"
        raise UnknownTask(f"{error}{where}") from None
    designs = read_designs(file, loaded.manifest, column=column, strict=False)
    verification = loaded.verify(said, designs)
    if as_json:
        echo_json({"holds": verification.ok, **asdict(verification)})
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
    verdict = verify.verify_runs(runs, only=lambda record: str(record) in chosen, tell=tell_checked)
    if as_json:
        echo_json({"holds": verdict.ok, "runs": [_checked(one) for one in verdict.checked]})
    else:
        echo(str(verdict))
    if not verdict.ok:
        sys.exit(1)


def _verify_pull_request(repo: str, number: int, *, comment: bool, as_json: bool) -> None:
    from mbo_hub.archive import hub
    from mbo_hub.results.joining import check_pull_request

    asked = check_pull_request(repo, number, tell=tell_checked)
    if as_json:
        runs = [_checked(one) for one in asked.verdict.checked]
        echo_json({"holds": asked.ok, "problems": asked.problems, "runs": runs})
    else:
        echo(asked.markdown(), nl=False)
    if comment:
        hub.comment(repo, "dataset", number, asked.markdown())
    if not asked.ok:
        sys.exit(1)


def tell_checked(one: Checked) -> None:
    """Say of a run whether it holds, as soon as it is known."""
    echo(f"{one.record}: {one.verdict}", err=True)


def _checked(one: Checked) -> dict[str, Any]:
    place = one.record.place.as_posix()
    return {"run": place, "verdict": one.verdict, "problems": one.problems}
