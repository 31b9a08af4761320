"""What the tests cost: core-seconds by file, those of the processes that they waited for included.

Sums are of user and system time, so that a busy machine changes them little. What a browser takes
is counted where it ends. `tests/core_seconds.json` has what each file took when it was written:
`scripts/test --all --write-core-seconds` writes it anew.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

KNOWN = Path(__file__).with_suffix(".json")
LIMIT = 1300  # core-seconds of the whole suite; above, the files that grew are named
GREW = 5  # core-seconds that a file may gain, and a quarter, before it is named

STARTED = pytest.StashKey[float]()
NAME = "core_seconds"


def spent() -> float:
    """Core-seconds of this process and of those it has waited for."""
    return sum(os.times()[:4])


def grown(took: dict[str, float], known: dict[str, float]) -> list[str]:
    """Files that take more than they are known to, as lines, the largest gain first."""
    gains = {
        file: seconds - known.get(file, 0)
        for file, seconds in took.items()
        if seconds > known.get(file, 0) * 1.25 + GREW
    }
    return [
        f"  {file}: {took[file]:.0f} core-seconds, {known.get(file, 0):.0f} before"
        for file in sorted(gains, key=lambda file: -gains[file])
    ]


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Ledger(), "core-seconds")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    item.stash[STARTED] = spent()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    if call.when == "teardown":
        item.user_properties.append((NAME, spent() - item.stash[STARTED]))
    return (yield)


class Ledger:
    """Adds up what the tests report, and prints it; with workers it sits in their controller."""

    def __init__(self) -> None:
        self.files: Counter[str] = Counter()
        self.tests: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            seconds = dict(report.user_properties).get(NAME, 0.0)
            self.files[report.location[0]] += seconds
            self.tests[report.nodeid] += seconds

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        total = sum(self.files.values())
        terminalreporter.section(f"{total:.0f} core-seconds")
        for name, seconds in [*self.files.most_common(10), *self.tests.most_common(10)]:
            if seconds >= 1:
                terminalreporter.line(f"{seconds:7.1f}  {name}")
        if total > LIMIT:
            terminalreporter.line(f"More than {LIMIT} core-seconds. Files that grew:")
            known = json.loads(KNOWN.read_text("utf-8")) if KNOWN.exists() else {}
            for line in grown(self.files, known) or ["  none by much: all did, or many a little"]:
                terminalreporter.line(line)
        if config.getoption("--write-core-seconds"):
            rounded = {file: round(seconds, 1) for file, seconds in sorted(self.files.items())}
            KNOWN.write_text(json.dumps(rounded, indent=1) + "\n", "utf-8")
            terminalreporter.line(f"wrote {KNOWN}")
