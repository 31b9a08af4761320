"""What takes long is computed side by side, once, and kept in build/ until runs or code change."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from mbo_hub.atomic import write_file

FOLDER = Path(__file__).parents[2] / "build" / "leaderboard"
PROCESSES = min(4, os.cpu_count() or 1)


@cache
def later(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
    """Call a function in another process; what was asked before is not done again."""
    return _pool().submit(function, *arguments)


@cache
def _pool() -> ProcessPoolExecutor:
    here = str(Path(__file__).parent)  # mkdocs forgets it once hooks are loaded
    if here not in sys.path:
        sys.path.append(here)
    return ProcessPoolExecutor(PROCESSES, get_context("spawn"))


def digest(sources: Sequence[Path], more: str = "") -> str:
    """Name what numbers are made from: files, and the libraries that draw and sum."""
    digest = sha256(f"{np.__version__} {scipy.__version__} {more}".encode())
    for path in sources:
        digest.update(path.name.encode() + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def kept(name: str, make: Callable[[], Any]) -> Any:
    """Read what was made, or make it."""
    path = FOLDER / f"{name}.json"
    if not path.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        write_file(path, json.dumps(make()).encode())
    return json.loads(path.read_bytes())
