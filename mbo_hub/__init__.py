"""Benchmark tasks for offline model-based optimization.

    task = mbo_hub.load("tfbind8")
    report = task.evaluate(designs)

The names below are public. Each is imported when it is first used, so that the command line starts
without loading numpy.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from mbo_hub._version import __version__ as __version__

if TYPE_CHECKING:  # the one list: type checkers read it here, and `_homes` at run time
    from mbo_hub.archive.catalog import ListedTask as ListedTask
    from mbo_hub.archive.catalog import tasks as tasks
    from mbo_hub.dataset.subset import Subset as Subset
    from mbo_hub.errors import DownloadFailed as DownloadFailed
    from mbo_hub.errors import ExportConflict as ExportConflict
    from mbo_hub.errors import GitFailed as GitFailed
    from mbo_hub.errors import HubUnavailable as HubUnavailable
    from mbo_hub.errors import IntegrityError as IntegrityError
    from mbo_hub.errors import InvalidDataset as InvalidDataset
    from mbo_hub.errors import InvalidDesign as InvalidDesign
    from mbo_hub.errors import InvalidFile as InvalidFile
    from mbo_hub.errors import InvalidSubset as InvalidSubset
    from mbo_hub.errors import MboHubError as MboHubError
    from mbo_hub.errors import MissingExtra as MissingExtra
    from mbo_hub.errors import NotPermitted as NotPermitted
    from mbo_hub.errors import OracleUnavailable as OracleUnavailable
    from mbo_hub.errors import PublishConflict as PublishConflict
    from mbo_hub.errors import UnknownRevision as UnknownRevision
    from mbo_hub.errors import UnknownTask as UnknownTask
    from mbo_hub.errors import UnsupportedFormat as UnsupportedFormat
    from mbo_hub.loader import load as load
    from mbo_hub.offline import Affine as Affine
    from mbo_hub.offline import Normalization as Normalization
    from mbo_hub.offline import Offline as Offline
    from mbo_hub.oracles import Fingerprint as Fingerprint
    from mbo_hub.oracles import Oracle as Oracle
    from mbo_hub.publishing.validation import validate as validate
    from mbo_hub.reading import read_designs as read_designs
    from mbo_hub.scoring.report import Report as Report
    from mbo_hub.scoring.report import Summary as Summary
    from mbo_hub.scoring.verify import Verification as Verification
    from mbo_hub.spaces import Box as Box
    from mbo_hub.spaces import Sequence as Sequence
    from mbo_hub.task import Task as Task


@cache
def _homes() -> dict[str, str]:
    """Give the module of each public name, as the list above has it."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(__file__).read_text("utf-8"))
    listed = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        name.name: line.module
        for line in listed.body
        if isinstance(line, ast.ImportFrom) and line.module
        for name in line.names
    }


if not TYPE_CHECKING:  # type checkers would take any name for public

    def __getattr__(name: str) -> object:
        if name == "__all__":
            return __dir__()
        if name.startswith("_") or name not in _homes():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_homes()[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*_homes(), "__version__"])
