"""The `mbo` command: each verb calls one function of the library.

Data go to standard output, errors to standard error with exit code 1 and no traceback. Libraries
are imported by the verb that needs them, so that `mbo --help` and `mbo list` start at once.
"""

from __future__ import annotations

import click

from mbo_hub._version import __version__
from mbo_hub.cli import archive, publishing, runs, scoring, verifying
from mbo_hub.cli.terminal import Group

__all__ = ["main"]


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example:  mbo list",
)
@click.version_option(__version__, "-V", "--version", prog_name="mbo")
def main() -> None:
    """Benchmark tasks for offline model-based optimization: load, score, verify.

    A TASK is a name that `mbo list` shows, or the folder of any valid dataset, written ./like/this.
    """


for _verb in (
    *(archive.list_tasks, archive.info, archive.build, archive.fetch, archive.cache),
    *(scoring.score, scoring.render),
    *(runs.methods, runs.run, runs.table, runs.plot),
    verifying.verify,
    *(publishing.export, publishing.new, publishing.validate, publishing.publish),
):
    main.add_command(_verb)
