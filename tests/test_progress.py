"""How slow work says how far it is: to a caller, a terminal, a notebook, or nobody."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mbo_hub.oracles import Fingerprint, progress
from mbo_hub.oracles.golden import CheckedOracle
from mbo_hub.oracles.progress import each, telling, watched
from mbo_hub.spaces import Box


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_more_than_all_is_told() -> None:
    told: list[tuple[float, int]] = []
    with telling("counting", 3, lambda done, of: told.append((done, of))) as add:
        for _ in range(31):
            add(0.1)
    assert told[0] == (0.1, 3)
    assert told[-1] == (3.0, 3)
    assert max(done for done, _ in told) == 3.0


@pytest.mark.parametrize(
    ("stream", "notebook", "drawn"),
    [
        (io.StringIO(), False, False),
        (Terminal(), False, True),
        (io.StringIO(), True, True),  # where stderr is a file-like object of the kernel's
    ],
)
def test_a_bar_is_drawn_where_somebody_sees_it(
    stream: io.StringIO, notebook: bool, drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys, "stderr", stream)
    if notebook:
        monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert watched() is drawn
    with telling("counting", 2, None) as add:
        for _ in range(3):
            add(1.0)
    assert ("counting" in stream.getvalue()) is drawn


@given(
    total=st.integers(1, 300),
    steps=st.lists(st.floats(0, 300, allow_subnormal=False), max_size=60),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bar_goes_past_its_end(
    total: int, steps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """tqdm warns of that, and a warning is an error here; fractions add up to a bit more than all."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    with telling("counting", total, None) as add:
        for step in [*steps, *[total / 7] * 8]:
            add(step)
    shown = [int(said) for said in re.findall(r"(\d+)%", stream.getvalue())]
    assert shown == sorted(shown)
    assert shown[0] == 0
    assert max(shown) <= 100


def test_slow_things_are_named_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    for letters in ("", "abc"):
        with each(letters, lambda letter: f"checking {letter}") as going:
            assert list(going) == list(letters)
    said = re.findall(r"checking (\w) \((\d) of (\d) done", stream.getvalue())
    assert ("a", "0", "3") in said
    assert ("c", "2", "3") in said
    assert all(int(done) <= int(total) == 3 for _, done, total in said)
    stream.truncate(0)


def test_an_error_finds_a_free_line(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with pytest.raises(ZeroDivisionError), each([1, 0], lambda number: f"dividing by {number}") as going:  # fmt: skip
        [1 // number for number in going]
    assert "dividing by 0 (1 of 2 done" in stream.getvalue()
    assert stream.getvalue().endswith("\r")


def test_nobody_is_told_where_nobody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with each(iter("abc"), str) as going:
        assert list(going) == ["a", "b", "c"]
    assert stream.getvalue() == ""


class Counting(CheckedOracle):
    """The sum of two numbers, as an oracle that checks itself."""

    _doing = "adding up"

    def require(self) -> None:
        """It needs nothing."""

    def _compute(self, legal: np.ndarray, progress: Callable[[float], object]) -> np.ndarray:
        for _ in legal:
            progress(1.0)
        return legal.sum(axis=1, dtype=np.float32)

    def _explain(self, row: int) -> str:
        return f"golden design {row}"

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(kind="sum", sha256="0" * 64, runtime="numpy")


def test_a_check_is_not_told_as_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever scores three designs wonders at "simulating 50 designs"."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    golden = np.arange(10, dtype=np.float32).reshape(5, 2)
    space = Box(size=2, low=(0.0, 0.0), high=(9.0, 9.0))
    oracle = Counting("sums", space, golden, golden.sum(axis=1), tolerance=0.0, made_with="1")
    oracle(golden[:3])
    said = re.findall(r"sums: ([\w ]+): ", stream.getvalue())
    assert list(dict.fromkeys(said)) == ["checking 5 golden designs", "adding up 3 designs"]
