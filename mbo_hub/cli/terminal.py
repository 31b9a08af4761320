"""What the terminal is shown: text without control characters, tables, JSON, errors in one line."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from mbo_hub.errors import MboHubError

if TYPE_CHECKING:
    from mbo_hub.scoring.report import Report


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print text, some of which strangers wrote; what a terminal would obey is escaped.

    Every verb prints through here.
    """
    from mbo_hub.dataset.lines import terminal

    click.echo(terminal(str(text)), err=err, nl=nl)


def echo_json(facts: Any) -> None:
    """Print facts for machines; paths and versions as text."""
    echo(json.dumps(facts, indent=2, default=str))


def echo_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below a header, columns in line."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        echo(line.rstrip())


def echo_report(report: Report, as_json: bool) -> None:
    """Print a report for people, or for machines the receipt, which `mbo verify` takes."""
    if as_json:
        echo_json(report.receipt())
    else:
        echo(report)


class Verb(click.Command):
    """A command whose line in `mbo --help` is its whole first sentence, however wide the screen."""

    def get_short_help_str(self, limit: int = 45) -> str:
        """Give the first sentence, without its full stop."""
        return (
            " ".join((self.help or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
        )


class Group(click.Group):
    """Turns the errors of the library, and of the file system, into one line and exit code 1."""

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run the command; letters that a pipe's encoding lacks are escaped."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Call the verb; what it raises for users is printed."""
        try:
            return super().invoke(ctx)
        except MboHubError as error:
            echo(f"{type(error).__name__}: {error}", err=True)
        except BrokenPipeError:
            raise
        except OSError as error:
            echo(f"{error.filename or 'file'}: {error.strerror or error}", err=True)
        return ctx.exit(1)


def verb(
    name: str | None = None, *, example: str
) -> Callable[[Callable[..., None]], click.Command]:
    """Make a function a verb of `mbo`, whose help ends with an example.

    Args:
        name: of the verb, if not the function's.
        example: a command line that works.
    """
    return click.command(name, cls=Verb, epilog=f"Example:  {example}")
