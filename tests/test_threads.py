"""How many threads there are, what they share, and how they stop."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest
from conftest import prompt
from hypothesis import given
from hypothesis import strategies as st

from mbo_hub.oracles import threads
from mbo_hub.oracles.threads import cores, share_out


@given(st.lists(st.integers(), max_size=40), st.integers(1, 6))
def test_results_stand_in_the_order_of_the_items(items: list[int], several: int) -> None:
    assert share_out(lambda item: 2 * item, items, threads=several) == [2 * i for i in items]


@given(st.integers(1, 30), st.integers(1, 5), st.data())
def test_the_error_of_any_item_is_raised_and_stops_the_rest(
    n: int, several: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(0, n - 1))
    stopped = threading.Event()

    def work(item: int) -> int:
        if item == bad:
            raise OSError(f"item {item}")
        return item

    with pytest.raises(OSError, match=f"item {bad}"):
        share_out(work, range(n), threads=several, stop=stopped.set)
    assert stopped.is_set()


def test_work_that_does_not_stop_is_left_behind() -> None:
    release, begun = threading.Event(), threading.Event()

    def work(item: int) -> None:
        if item:
            begun.wait()
            raise KeyboardInterrupt
        begun.set()
        release.wait()

    with prompt(), pytest.raises(KeyboardInterrupt):
        share_out(work, range(2), threads=2)
    release.set()


def test_at_most_so_many_threads_work_at_once() -> None:
    here: set[int] = set()
    share_out(lambda item: here.add(threading.get_ident()), range(50), threads=3)
    assert 1 <= len(here) <= 3
    assert threading.get_ident() not in here


@pytest.fixture
def unsaid(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment says no number of threads, as that of scripts/test does."""
    monkeypatch.delenv(threads.THREADS, raising=False)
    return monkeypatch


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
@pytest.mark.usefixtures("unsaid")
def test_cores_are_those_that_the_process_may_use() -> None:
    code = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from mbo_hub.oracles.threads import cores; sys.exit(cores())"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
    assert cores() == len(os.sched_getaffinity(0))


def test_the_environment_says_how_many_threads_there_are(unsaid: pytest.MonkeyPatch) -> None:
    usual = cores()
    for said, wanted in (("3", 3), ("0", 1), ("", usual), ("many", usual), ("-1", usual)):
        unsaid.setenv(threads.THREADS, said)
        assert cores() == wanted
