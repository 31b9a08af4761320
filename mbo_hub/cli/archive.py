"""Verbs about tasks and where they are: list, info, build, fetch, cache."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mbo_hub.cli.options import as_json, complete_task
from mbo_hub.cli.terminal import echo, echo_json, echo_table, verb
from mbo_hub.errors import InvalidDataset

if TYPE_CHECKING:
    from mbo_hub.archive.folders import Folder


@verb("list", example="mbo list")
@as_json
def list_tasks(as_json: bool) -> None:
    """List the archive's tasks and say where their data are."""
    from mbo_hub.archive import catalog

    tasks = catalog.tasks()
    if as_json:
        echo_json([asdict(task) for task in tasks])
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
    echo_table(("TASK", "VERSION", "TITLE", "VISIBLE / ALL", "DIM", "D(BEST)", "DATA",
                  "ORACLES"), rows)  # fmt: skip


@verb(example="mbo info tfbind8")
@click.argument("task", shell_complete=complete_task)
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


@verb(example="mbo build superconductor")
@click.argument("task", shell_complete=complete_task)
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
        echo_json({"path": folder})
    else:
        echo(str(folder))


@verb(example="mbo fetch tfbind8 ant")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...", shell_complete=complete_task)
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
        echo_json([asdict(one) for one in fetched])
        return
    rows = [
        (one.task, f"{len(one.files)}", _size(one.bytes),
         "downloaded" if one.downloaded else "here", one.source)
        for one in fetched
    ]  # fmt: skip
    echo_table(("TASK", "FILES", "SIZE", "STATE", "FROM"), rows)
    if any(one.downloaded for one in fetched):
        echo(f"Downloads are in {cache_folder()}", err=True)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"


@verb(example="mbo cache --verify")
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
            echo_json({"removed": remove, "bytes": freed})
        else:
            echo(f"removed {remove}, {freed / 1e6:.1f} MB")
        return
    copies = caches.copies(check=check)
    if as_json:
        echo_json([asdict(copy) for copy in copies])
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
        echo_table(("NAME", "KIND", "VERSIONS", "SIZE", "STATE", "PLACE"), rows)
    if any(copy.is_damaged for copy in copies):
        sys.exit(1)
