"""docs/findings.md: its figures come from results, and so must what it claims."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from conftest import ROOT, script_module
from made_runs import PUBLISHED, made, published_runs

from mbo_hub.results.card import TASKS
from mbo_hub.results.record import Run, Submitted

pytest.importorskip("jinja2", reason="the extra 'build' is not installed")
FILES = [*(PUBLISHED / "data").glob("*/*.parquet")]
METHODS = sorted({path.stem for path in FILES})  # that have runs


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """scripts/findings.py."""
    with pytest.MonkeyPatch.context() as patch:
        yield script_module("findings", patch)


@pytest.fixture(scope="module")
def runs() -> tuple[Run, ...]:
    return published_runs()


def column(script: ModuleType, seeds: int = 8, **means: float) -> dict[str, Any]:
    """Of a task, where a method's seeds lie evenly around its mean, 0.007 apart in all."""
    seeds_of = {
        name: [mean + 0.007 * (seed / (seeds - 1) - 0.5) for seed in range(seeds)]
        for name, mean in means.items()
    }
    runs = [made("ant", m, seed, [v]) for m, vs in seeds_of.items() for seed, v in enumerate(vs)]
    return script._columns(script.tabulate(runs))["ant"]


def test_a_figure_has_its_interval_once_all_seeds_are_there(script: ModuleType) -> None:
    assert re.fullmatch(r"0\.700 \[0\.69\d, 0\.70\d\]", str(column(script, grad=0.7)["grad"]))
    assert str(column(script, seeds=3, grad=0.7)["grad"]) == "0.700"
    assert column(script, grad=0.7)["grad"].short == "0.700"


def test_methods_are_told_apart_as_the_sentences_say(script: ModuleType) -> None:
    """Neither control is among the methods; what is nearer than `LEVEL` is level."""
    of = column(script, random=0.9, best_logged=0.5, grad=0.4, coms=0.504, mins=0.6, cbas=0.3)
    assert script.order(of) == ["mins", "coms", "grad", "cbas"]
    assert script.below(of, "best_logged") == ["grad", "cbas"]
    assert script.level(of, "best_logged") == ["coms"]
    assert script.above(of, "best_logged") == ["mins"]  # of `coms` the interval reaches down to it
    assert script.names(["grad"]) == "`grad`"
    assert script.names(["grad", "coms", "mins"]) == "`grad`, `coms` and `mins`"
    with pytest.raises(script.Untrue):
        script.names([])


def test_what_runs_have_in_common(script: ModuleType) -> None:
    def run(method: str, seed: int, *designs: int, dtype: Any = np.int8) -> Run:
        record = made("ant", method, seed, [0.5] * len(designs)).record
        given = np.array([[design, 0] for design in designs], dtype)
        return Run(record, "made", lambda: Submitted(given, None))

    runs = [run("grad", 0, 1, 2, 3, 4), run("grad", 1, 1, 2, 3, 9), run("grad", 2, 1, 5, 6, 7)]
    runs += [run("mins", 0, 1, 2), run("mins", 1, 1, 2), run("coms", 0, 1), run("random", 0, 1)]
    runs += [run("random", 1, 1), *(run("cbas", seed, 1, dtype=np.float32) for seed in (0, 1))]
    shared = script._shared([*runs, made("ant", "reinforce", 0, [0.1])])
    assert shared == [(1.0, "mins", "ANT"), (pytest.approx((3 + 1 + 1) / 12), "grad", "ANT")]


def test_the_page_is_what_the_results_say(script: ModuleType, runs: tuple[Run, ...]) -> None:
    text = script.page(runs)
    assert text == (ROOT / "docs" / "findings.md").read_text("utf-8")
    assert "{" not in text
    assert max(len(line) for line in text.splitlines() if line[:1] != "|") <= script.WIDTH


@pytest.mark.parametrize("shift", range(1, len(METHODS)))
def test_where_other_methods_win_the_page_is_not_written(
    script: ModuleType, runs: tuple[Run, ...], shift: int
) -> None:
    """The same figures under each other's names."""
    other = dict(zip(METHODS, METHODS[shift:] + METHODS[:shift], strict=True))
    few = [run for run in runs if run.record.preset == "standard" and run.record.seed < 1]
    renamed = [
        Run(msgspec.structs.replace(run.record, method=other[run.record.method]), run.where)
        for run in few
    ]
    with pytest.raises(script.Untrue, match="claims what the results do not say"):
        script.page(renamed)


def test_every_task_that_has_runs_is_spoken_of_with_figures() -> None:
    text = (ROOT / "scripts" / "findings.md").read_text("utf-8")
    there = {path.parent.name for path in FILES}
    assert {*TASKS} >= there
    assert [task for task in there if not re.search(rf"\{{\{{ .*{task}.* }}}}", text)] == []


def test_a_claim_about_a_task_without_runs_is_not_written(
    script: ModuleType, runs: tuple[Run, ...]
) -> None:
    without = [r for r in runs if r.record.problem != "hopper" and r.record.seed < 1]
    with pytest.raises(script.Untrue, match=r"what the results do not say: .*'hopper'"):
        script.page(without)


def test_numbers_and_ranks_go_on_where_words_end(script: ModuleType) -> None:
    assert [script.words(n) for n in (0, 10, 11)] == ["no", "ten", "11"]
    assert [script._ordinal(n) for n in (0, 1, 11, 12)] == [
        "best", "second best", "twelfth best", "13th best",
    ]  # fmt: skip
