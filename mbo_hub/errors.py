"""Everything that mbo_hub raises on purpose.

::

    MboHubError
    ├── UnknownTask         (KeyError)           no task of that name
    ├── UnknownRevision     (LookupError)        the task exists, that version of it is not here
    ├── UnknownMethod       (LookupError)        no such method, or the object is not a method
    ├── InvalidDesign       (ValueError)         a design that is not in the task's space
    ├── InvalidSubset       (ValueError)         a part of a task's data that cannot be
    ├── InvalidFile         (ValueError)         a file of designs, a receipt, a raw file: unusable
    ├── InvalidDataset      (ValueError)         a dataset folder that breaks its own declaration
    │   └── UnsupportedFormat                    … because a newer mbo_hub wrote it
    ├── IntegrityError      (ValueError)         a file's sha256 is not the declared one
    ├── OracleUnavailable   (RuntimeError)       the oracle exists but cannot run here
    ├── MethodFailed        (RuntimeError)       a method did not come to designs
    ├── StepLost            (RuntimeError)       a step of a run was ended from outside
    ├── MissingExtra        (ImportError)        a library of an optional extra is not installed
    ├── DrawingFailed       (RuntimeError)       matplotlib does not start, or cannot draw a picture
    ├── DeviceUnavailable   (RuntimeError)       torch has no such device here
    ├── HubUnavailable      (ConnectionError)    not here, and the Hub cannot be reached
    ├── NotPermitted        (PermissionError)    the Hub refuses this token
    ├── DownloadFailed      (OSError)            a file did not arrive whole, or no usable cache
    ├── PublishConflict     (FileExistsError)    the tag is there already with other content
    ├── ExportConflict      (FileExistsError)    the target holds something else
    └── GitFailed           (RuntimeError)       git is missing, or fails

Every message says what was expected, what was found, and what to do about it.
"""

from __future__ import annotations

from typing import Any


def quoted(value: object, longest: int = 60) -> str:
    """Quote what somebody wrote, in one line of at most about `longest` characters."""
    text = value if isinstance(value, str) else repr(value)
    cut = text if len(text) <= longest else f"{text[: longest - 1]}…"
    return repr(cut) if isinstance(value, str) else " ".join(cut.split())


class MboHubError(Exception):
    """Base of all errors that mbo_hub raises on purpose."""

    def __str__(self) -> str:
        # KeyError would print the repr of its argument.
        return str(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Arguments of __init__ are not always what is kept in args.
        return remade, (type(self), self.args, self.__dict__)


def remade(kind: type[MboHubError], args: tuple[object, ...], rest: dict[str, Any]) -> MboHubError:
    """Make an error as it was, from what it held."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(rest)
    return error


class UnknownTask(MboHubError, KeyError):
    """No task has that name."""


class UnknownRevision(MboHubError, LookupError):
    """The task exists, but not at the version that was asked for."""


class InvalidDesign(MboHubError, ValueError):
    """A design is not in the task's space.

    Attributes:
        row: index of the first offending design, or None when the array as a whole is wrong.
        detail: what is wrong with it, without the row, to be put behind another name for the row.
    """

    def __init__(self, detail: str, row: int | None = None, more: int = 0) -> None:
        self.detail = detail
        self.row = row
        subject = "" if row is None else f"design {row} "
        others = f" ({more} more invalid design{'s' if more > 1 else ''})" if more else ""
        super().__init__(f"{subject}{detail}{others}")


class InvalidSubset(MboHubError, ValueError):
    """A part of a task's data is asked for that cannot be."""


class InvalidFile(MboHubError, ValueError):
    """A file of designs, a receipt, or raw data, is not there or not what it should be."""


class InvalidDataset(MboHubError, ValueError):
    """A dataset folder breaks its own declaration.

    Attributes:
        problems: everything that is wrong with it, one sentence each.
    """

    def __init__(self, where: str, problems: list[str]) -> None:
        self.problems = problems
        listed = "".join(f"\n  - {problem}" for problem in problems)
        super().__init__(f"{where} is not a valid dataset folder:{listed}")


class UnsupportedFormat(InvalidDataset):
    """A dataset folder was written in a format newer than this mbo_hub reads."""


class IntegrityError(MboHubError, ValueError):
    """A file's sha256 is not the declared one."""


class OracleUnavailable(MboHubError, RuntimeError):
    """The oracle exists but cannot run here."""


class MissingExtra(MboHubError, ImportError):
    """A library that an extra of the package brings is not installed."""


class DrawingFailed(MboHubError, RuntimeError):
    """Matplotlib does not start here, or cannot draw a picture."""


class DeviceUnavailable(MboHubError, RuntimeError):
    """Torch has no device of that name here."""


class HubUnavailable(MboHubError, ConnectionError):
    """Something is not here, and the Hub cannot be reached."""


class NotPermitted(MboHubError, PermissionError):
    """The Hub refuses what was asked to this token."""


class DownloadFailed(MboHubError, OSError):
    """A file did not arrive whole, or the cache may not be read or written."""


class PublishConflict(MboHubError, FileExistsError):
    """A version is published already, with other content."""


class ExportConflict(MboHubError, FileExistsError):
    """The folder to be written holds something else, which is left as it is."""


class GitFailed(MboHubError, RuntimeError):
    """Git is not installed, or does not do what it was asked."""


class MethodFailed(MboHubError, RuntimeError):
    """A method did not come to designs: a model diverged, too few data."""


class StepLost(MboHubError, RuntimeError):
    """A step of a run was ended from outside, which says nothing about the method: do it again."""


class UnknownMethod(MboHubError, LookupError):
    """No such method, or the object is not a method."""
