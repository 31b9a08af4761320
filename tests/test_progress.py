"""How slow work says how far it is: to a caller, a terminal, a notebook, or nobody."""

from __future__ import annotations

import io
import sys
from types import ModuleType

import pytest

from mbo_hub.oracles import progress
from mbo_hub.oracles.progress import telling, watched


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
