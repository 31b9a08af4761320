"""Benchmark tasks for offline model-based optimization.

    task = mbo_hub.load("tfbind8")
    report = task.evaluate(designs)

Everything public is named in `__all__` and imported when it is first used, so that the command line
starts without loading numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from mbo_hub._version import __version__

if TYPE_CHECKING:
    from mbo_hub.errors import (
        DownloadFailed,
        ExportConflict,
        GitFailed,
        HubUnavailable,
        IntegrityError,
        InvalidDataset,
        InvalidDesign,
        InvalidFile,
        MboHubError,
        MissingExtra,
        NotPermitted,
        OracleUnavailable,
        PublishConflict,
        UnknownRevision,
        UnknownTask,
        UnsupportedFormat,
    )
    from mbo_hub.loader import load
    from mbo_hub.offline import Affine, Normalization, Offline
    from mbo_hub.oracles import Fingerprint, Oracle
    from mbo_hub.publishing.validation import validate
    from mbo_hub.reading import read_designs
    from mbo_hub.scoring.report import Report, Summary
    from mbo_hub.scoring.verify import Verification
    from mbo_hub.spaces import Box, Sequence
    from mbo_hub.task import Task


_HOME = {
    "Affine": "offline",
    "Box": "spaces",
    "DownloadFailed": "errors",
    "ExportConflict": "errors",
    "Fingerprint": "oracles",
    "GitFailed": "errors",
    "HubUnavailable": "errors",
    "IntegrityError": "errors",
    "InvalidDataset": "errors",
    "InvalidDesign": "errors",
    "InvalidFile": "errors",
    "MboHubError": "errors",
    "MissingExtra": "errors",
    "Normalization": "offline",
    "NotPermitted": "errors",
    "Offline": "offline",
    "Oracle": "oracles",
    "OracleUnavailable": "errors",
    "PublishConflict": "errors",
    "Report": "scoring.report",
    "Sequence": "spaces",
    "Summary": "scoring.report",
    "Task": "task",
    "UnknownRevision": "errors",
    "UnknownTask": "errors",
    "UnsupportedFormat": "errors",
    "Verification": "scoring.verify",
    "load": "loader",
    "read_designs": "reading",
    "validate": "publishing.validation",
}

__all__ = [
    "Affine",
    "Box",
    "DownloadFailed",
    "ExportConflict",
    "Fingerprint",
    "GitFailed",
    "HubUnavailable",
    "IntegrityError",
    "InvalidDataset",
    "InvalidDesign",
    "InvalidFile",
    "MboHubError",
    "MissingExtra",
    "Normalization",
    "NotPermitted",
    "Offline",
    "Oracle",
    "OracleUnavailable",
    "PublishConflict",
    "Report",
    "Sequence",
    "Summary",
    "Task",
    "UnknownRevision",
    "UnknownTask",
    "UnsupportedFormat",
    "Verification",
    "__version__",
    "load",
    "read_designs",
    "validate",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mbo_hub' has no attribute {name!r}")
    value = getattr(import_module(f"mbo_hub.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
