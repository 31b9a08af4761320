"""Verbs about designs: score, render."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

import mbo_hub
from mbo_hub.cli.options import (
    INPUT,
    as_json,
    chosen_subset,
    column_option,
    complete_oracle,
    complete_task,
    engine_option,
    rows_option,
    started_engine,
    visible_option,
)
from mbo_hub.cli.terminal import echo, echo_report, verb
from mbo_hub.errors import InvalidFile, OracleUnavailable


@verb(example="printf 'GCTAATTA\\nACGTACGT\\n' | mbo score tfbind8 -")
@click.argument("task", shell_complete=complete_task)
@click.argument("file", type=INPUT)
@click.option("--budget", type=click.IntRange(min=1), default=128, show_default=True,
              help="How many designs count, from the first.")  # fmt: skip
@click.option("--oracle", shell_complete=complete_oracle,
              help="Another oracle than the task's own; `mbo info` names them.")  # fmt: skip
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

    loaded = mbo_hub.load(task).showing(chosen_subset(visible, rows))
    strict = invalid == "refuse" and not project
    designs = read_designs(file, loaded.manifest, column=column, strict=strict)
    if receipt is not None and receipt.is_dir():
        raise InvalidFile(f"{receipt}: is a folder; name the file that the receipt goes to")
    with ExitStack() as stack:
        if engine != "local":
            from mbo_hub.results.shared import shared_out

            loaded = shared_out(loaded, stack.enter_context(started_engine(engine)), task)
        report = loaded.evaluate(designs, budget=budget, project=project, oracle=oracle)
    if project and invalid == "refuse" and report.invalid:
        raise InvalidFile(
            f"{file}: {report.invalid:.1%} of the designs have no nearest legal one, or cannot be "
            "scored; --invalid count counts them"
        )
    if receipt is not None:
        report.save(receipt)
    echo_report(report, as_json)


@verb(example="mbo render dkitty --out robot.png")
@click.argument("task", shell_complete=complete_task)
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

    loaded = mbo_hub.load(task)
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
