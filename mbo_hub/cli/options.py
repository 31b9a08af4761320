"""What several verbs take: their options, and what the texts given to these mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mbo_hub.errors import InvalidFile

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mbo_hub.dataset.subset import Subset
    from mbo_hub.results.engine import Engine

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
# A file that a verb reads: the library says what is wrong with it; a shell completes its name.
INPUT = click.Path(allow_dash=True, readable=False)


def complete_task(
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
only_option = click.option(
    "--task",
    "tasks",
    multiple=True,
    metavar="TASK",
    shell_complete=complete_task,
    help="Only these tasks, in this order.",
)
seeds_option = click.option("--seeds", metavar="0-7", help="Only these seeds.")


def numbers(text: str) -> list[int]:
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


def percentiles(text: str) -> tuple[float, float]:
    """Read 50 or 10-60."""
    low, dash, high = text.rpartition("-")
    try:
        return (float(low) if dash else 0.0, float(high))
    except ValueError:
        raise InvalidFile(f"--visible {text}: write a percentile, 50, or two, 10-60") from None


def chosen_subset(visible: str | None, rows: int | None) -> Subset | None:
    """Which rows to show, as --visible and --rows say; None: those of the published task."""
    if visible is None and rows is None:
        return None
    from mbo_hub.dataset.subset import subset

    return subset(None if visible is None else percentiles(visible), rows)


def started_engine(name: str, jobs: int | None = None) -> Engine:
    """Start what works."""
    from mbo_hub.results.engines import engine

    try:
        return engine(name, jobs)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--engine") from None
