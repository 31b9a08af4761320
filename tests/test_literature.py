"""Published figures: the file is well-formed, and only what is comparable stands beside ours."""

from __future__ import annotations

from collections import Counter

import pytest

import mbo_hub
from mbo_hub.methods import METHODS
from mbo_hub.results import literature
from mbo_hub.results.literature import Beside, beside, published

TASKS = {task.name for task in mbo_hub.tasks()}
# The methods of Design-Bench's paper, which others report figures of.
ORIGINAL = {
    "grad", "grad_min", "grad_mean", "reinforce", "cma_es", "bo_qei", "cbas", "auto_cbas", "mins",
    "coms",
}  # fmt: skip


def test_every_figure_has_a_source_and_a_task() -> None:
    assert len(published()) == 668
    assert {entry.source for entry in published()} == set(literature.SOURCES)
    assert {entry.task for entry in published()} <= TASKS | {"gfp", "utr"}
    assert {entry.method for entry in published()} & {*METHODS} >= ORIGINAL
    keys = Counter((e.source, e.task, e.method, e.percentile) for e in published())
    assert max(keys.values()) == 1


def test_every_figure_is_whole() -> None:
    for entry in published():
        assert (entry.spread is None) == (entry.spread_is is None), entry
        assert entry.spread is None or entry.spread >= 0, entry
        raw = "raw" in entry.note
        assert raw or -3 < entry.mean < 4, entry
        assert (entry.percentile is None) == raw, entry


def test_the_two_columns_of_a_cell() -> None:
    found = beside("tfbind8", "auto_cbas", 100)
    assert str(found.paper) == "0.910 ± 0.044"
    assert found.rerun is None
    assert tuple(map(str, beside("superconductor", "cbas", 100))) == (
        "0.503 ± 0.069",
        "0.421 ± 0.049",
    )
    median = beside("tfbind8", "grad", 50)
    assert median.paper is None
    assert str(median.rerun) == "0.582 ± 0.027"
    assert str(beside("superconductor", "D(best)", 100).paper) == "0.399"


@pytest.mark.parametrize("method", sorted(ORIGINAL))
@pytest.mark.parametrize("task", literature.COMPARABLE)
def test_every_method_of_the_original_has_a_figure_beside_it(task: str, method: str) -> None:
    assert beside(task, method, 100).paper is not None


@pytest.mark.parametrize("task", sorted(TASKS - set(literature.COMPARABLE)))
def test_what_is_not_comparable_stands_beside_nothing(task: str) -> None:
    assert beside(task, "grad", 100) == Beside(None, None)
