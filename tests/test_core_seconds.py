"""The ledger of the tests' core-seconds names what grew, and every slow test says why it is."""

from __future__ import annotations

import subprocess
import sys
import time

import core_seconds
import pytest


def test_files_that_gain_a_quarter_and_five_seconds_are_named_most_gained_first() -> None:
    known = {"a.py": 10.0, "b.py": 10.0, "c.py": 100.0, "gone.py": 50.0}
    took = {"a.py": 17.4, "b.py": 17.6, "c.py": 131.0, "new.py": 30.0, "small.py": 4.0}
    assert core_seconds.grown(took, known) == [
        "  c.py: 131 core-seconds, 100 before",
        "  new.py: 30 core-seconds, 0 before",
        "  b.py: 18 core-seconds, 10 before",
    ]


def test_what_a_child_takes_is_counted_once_it_was_waited_for() -> None:
    before = core_seconds.spent()
    subprocess.run([sys.executable, "-c", "sum(range(10**7))"], check=True)
    taken = core_seconds.spent() - before
    time.sleep(0.2)
    assert taken > 0.05
    assert core_seconds.spent() - before < taken + 0.1  # sleeping costs nothing


def test_reports_of_workers_add_up_by_file() -> None:
    ledger = core_seconds.Ledger()
    for file, when, seconds in (("a.py", "call", 9.0), ("a.py", "teardown", 2.0),
                                ("a.py", "teardown", 3.0), ("b.py", "teardown", 1.0)):  # fmt: skip
        ledger.pytest_runtest_logreport(
            pytest.TestReport(
                f"{file}::test",
                (file, 1, "test"),
                {},
                "passed",
                None,
                when,
                user_properties=[(core_seconds.NAME, seconds)],
            )
        )
    assert ledger.files == {"a.py": 5.0, "b.py": 1.0}


def test_a_slow_mark_without_a_reason_is_refused(request: pytest.FixtureRequest) -> None:
    from conftest import pytest_collection_modifyitems

    item = request.node
    item.add_marker(pytest.mark.slow)
    with pytest.raises(AssertionError, match="does not say why it is slow"):
        pytest_collection_modifyitems([item])
