"""Methods × tasks × seeds: runs, their records, and what may be said about them."""

from __future__ import annotations

from mbo_hub.results.collection import read_runs
from mbo_hub.results.joining import find_runs
from mbo_hub.results.record import Record, Run
from mbo_hub.results.rendering import render
from mbo_hub.results.table import tabulate
from mbo_hub.results.verify import verify_runs

__all__ = ["Record", "Run", "find_runs", "read_runs", "render", "tabulate", "verify_runs"]
