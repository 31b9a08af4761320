"""What several verbs take: their options, and what the texts given to these mean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from mbo_hub.errors import InvalidFile, quoted

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from mbo_hub.dataset.subset import Subset
    from mbo_hub.results.engine import Engine

LARGEST_SEED = 2**63 - 1  # as mbo_hub.methods has it
MOST_SEEDS = 100_000  # of a command; each seed is a run of every method on every task
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


def complete_method(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer a shell the names of the methods, and files of somebody's own."""
    from click.shell_completion import CompletionItem

    from mbo_hub.methods import METHODS

    if "/" in incomplete or incomplete.startswith("."):
        return [CompletionItem(incomplete, type="file")]
    names = [name for name in ("all", *METHODS) if name.startswith(incomplete)]
    return [CompletionItem(name) for name in names]


def complete_oracle(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Offer a shell the names of the oracles of the task that stands before, if it is here."""
    from click.shell_completion import CompletionItem

    from mbo_hub.archive import folders
    from mbo_hub.errors import MboHubError

    # click leaves arguments unread before an option whose value is still to come
    words = [ctx.params.get("task") or "", *ctx.args]
    here = [word for word in words if folders.is_folder_name(word) or word in folders.pins()]
    try:
        oracles = folders.find_declared(here[0], None)[1].manifest.oracles if here else ()
    except MboHubError:
        return []
    return [CompletionItem(name) for name in oracles if name.startswith(incomplete)]


def _complete(*words: str) -> Any:
    """Offer a shell a few words, of which one may go on."""

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(word) for word in words if word.startswith(incomplete)]

    return complete


complete_device = _complete("cpu", "cuda", "mps", "xpu")
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
    shell_complete=_complete("local", "dask", "dask:tcp://"),
    help="Where to run: local, dask, or dask:tcp://HOST:8786.",
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
    found: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,19})(?:-([0-9]{1,19}))?", part.strip())
        if match is None:
            raise _no_seeds(f"{quoted(text)} is not like 0-7 or 0,3")
        first, last = int(match[1]), int(match[2] or match[1])
        if last > LARGEST_SEED:
            raise _no_seeds(f"{last} is larger than 2**63 - 1")
        if len(found) + last - first >= MOST_SEEDS:
            raise _no_seeds(f"{quoted(text)} are more than {MOST_SEEDS} seeds; name fewer")
        found |= dict.fromkeys(range(first, last + 1))
    if not found:
        raise _no_seeds(f"{quoted(text)} holds no number")
    return list(found)


def _no_seeds(why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint="--seeds")


def seconds(ctx: click.Context, param: click.Parameter, text: str | None) -> float | None:
    """Read 90s, 10m, 2h or 1.5h."""
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([smh])", text.strip())
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{quoted(text)} is not like 90s, 10m or 2h", ctx, param)
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]]


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
