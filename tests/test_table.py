"""The table of runs: hand-computed cells, what is not ranked, and all its written forms."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from click.testing import CliRunner
from made_runs import made, unscored

from mbo_hub.cli import main
from mbo_hub.dataset.subset import Subset
from mbo_hub.errors import InvalidFile
from mbo_hub.methods import METHODS
from mbo_hub.results import intervals
from mbo_hub.results.intervals import Estimate
from mbo_hub.results.measure import Measure
from mbo_hub.results.record import Plan, Run, write_run
from mbo_hub.results.rendering import COLUMNS, FORMATS, render
from mbo_hub.results.standings import standings
from mbo_hub.results.table import CONTROLS, OPPONENTS, Entrant, Table, tabulate
from mbo_hub.results.work import propose, score

SEEDS = range(8)
WOBBLE = 0.01 * np.array([-3, -2, -1, 0, 0, 1, 2, 3])


def sweep(task: str, method: str, level: float, **options: object) -> list[Run]:
    """Eight seeds of 4 designs: the best of a seed is `level` and a wobble, the median 0.2 less."""
    return [
        made(
            task,
            method,
            s,
            [level + w, level + w - 0.4, level + w - 0.1, level + w - 0.3],
            **options,
        )  # type: ignore[arg-type]
        for s, w in zip(SEEDS, WOBBLE, strict=True)
    ]


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """Two tasks; `grad` is best on both, `coms` as good on one, `mins` lacks a seed of one."""
    found = []
    for task in ("tfbind8", "ant"):
        found += sweep(task, "random", 0.6, novelty=3.0)
        found += sweep(task, "best_logged", 0.5, visible=1.0, novelty=0.0)
        found += sweep(task, "grad", 0.9, predicted=[1.4, 1.4, 1.4, 1.4])
    found += sweep("tfbind8", "coms", 0.895) + sweep("ant", "coms", 0.7)
    found += sweep("tfbind8", "mins", 0.8) + sweep("ant", "mins", 0.8)[:7]
    return [*found, unscored("ant", "mins", 7, "FloatingPointError: NaN in the generator")]


@pytest.fixture(scope="module")
def table(runs: list[Run]) -> Table:
    return tabulate(runs, tasks=["tfbind8", "ant"])


def row(table: Table, method: str) -> tuple[object, ...]:
    (found,) = [r for r in table.rows if r.entrant.method == method]
    return found.cells


def test_a_cell_says_what_its_seeds_say(table: Table) -> None:
    (grad,) = [r for r in table.rows if r.entrant == Entrant("grad", "standard")]
    cell = grad.cells[0]
    assert cell is not None
    np.testing.assert_allclose(cell.values, 0.9 + WOBBLE)
    assert cell.mean.value == pytest.approx(0.9)
    assert cell.mean == intervals.mean(np.array(cell.values))
    assert cell.sd == pytest.approx(np.std(WOBBLE, ddof=1))
    assert cell.best
    # of 0.9, 0.8, 0.6 and 0.5 and a wobble, above 0.5 are all but the last of 5 of 8 seeds
    assert cell.above == pytest.approx((3 * 8 + 3) / 32)
    assert cell.novelty == 1.0
    assert cell.gap == pytest.approx(1.4 - 0.7)
    assert grad.title == "Grad"


@pytest.mark.parametrize(
    ("measure", "wanted"),
    [
        (Measure(), 0.9),
        (Measure("median"), 0.7),
        (Measure("best-of-k", 1), 0.7),
        (Measure("best-of-k", 2), (3 * 0.9 + 2 * 0.8 + 0.6) / 6),
        (Measure("best-of-k", 4), 0.9),
    ],
    ids=str,
)
def test_each_measure_by_hand(runs: list[Run], measure: Measure, wanted: float) -> None:
    found = tabulate([run for run in runs if run.record.method == "grad"], measure)
    assert found.measure == measure
    cell = found.rows[0].cells[0]
    assert cell is not None
    assert cell.mean.value == pytest.approx(wanted)


def test_bold_is_what_cannot_be_told_from_the_best(table: Table) -> None:
    marked = {
        (r.entrant.method, c.task): c.best for r in table.rows for c in r.cells if c is not None
    }
    best = {key for key, is_best in marked.items() if is_best}
    assert best == {("grad", "tfbind8"), ("grad", "ant")}  # 0.005 less, but on every seed
    other = [*sweep("ant", "grad", 0.9), *reversed_seeds(sweep("ant", "coms", 0.895))]
    assert [r.cells[0] and r.cells[0].best for r in tabulate(other).rows] == [True, True]


def reversed_seeds(runs: list[Run]) -> list[Run]:
    """The same scores, but each of another seed."""
    scores = [run.score.tolist() for run in reversed(runs)]
    record = runs[0].record
    return [made(record.task, record.method, s, x) for s, x in zip(SEEDS, scores, strict=True)]


def test_aggregates_are_over_the_methods_that_have_all(table: Table) -> None:
    assert [r.entrant.method for r in table.rows] == [
        "grad",
        "coms",
        "random",
        "best_logged",
        "mins",
    ]
    ranks = [r.rank and r.rank.value for r in table.rows]
    assert ranks == [1.0, 2.0, 3.0, 4.0, None]
    mins = table.rows[-1]
    assert not mins.complete
    assert (mins.iqm, mins.improvement) == (None, {})
    assert mins.cells[1] is None
    grad, coms = table.rows[:2]
    assert grad.improvement == {"best_logged": Estimate(1.0, 1.0, 1.0)}
    own = [np.array(c.values) for c in coms.cells if c]
    others = [np.array(c.values) for c in grad.cells if c]
    assert coms.improvement["grad"] == intervals.improvement(own, others)
    # the ceiling of both tasks is 1: 0.9 is 80 % of the way from D(best) at 0.5
    assert grad.iqm is not None
    assert grad.iqm.value == pytest.approx(0.8)


def test_the_ceiling_is_known_or_the_best_there_is() -> None:
    better = [*sweep("ant", "grad", 1.2), *sweep("tfbind8", "grad", 0.9)]
    ant, tfbind8 = tabulate(better).tasks
    assert (ant.ceiling, ant.ceiling_known) == (pytest.approx(1.23), False)
    assert (tfbind8.ceiling, tfbind8.ceiling_known) == (1.0, True)


def test_where_nothing_is_above_what_was_visible_nothing_is_rescaled() -> None:
    found = tabulate(
        [r for m in ("grad", "coms") for r in (*sweep("hopper", m, 0.3, best_visible=1.0),
                                               *sweep("ant", m, 0.9))]
    )  # fmt: skip
    assert [task.has_room for task in found.tasks] == [False, True]
    assert any("HOPPER: nothing here is above D(best)" in said for said in found.cautions)
    assert found.rows[0].iqm is not None
    assert found.rows[0].iqm.value == pytest.approx(0.8)


# -------------------------------------------------------------------------------- what is not ranked


def test_what_is_not_ranked_and_why(table: Table) -> None:
    (apart,) = table.apart
    assert (apart.entrant.method, apart.task, apart.scored, apart.of) == ("mins", "ant", 7, 8)
    assert apart.reasons == ("seed 7: failed: FloatingPointError: NaN in the generator",)
    assert apart.mean == pytest.approx(0.8 + WOBBLE[:7].mean())


OTHERS = {
    "tuned": ({"tuned_on_oracle": True}, "its hyper-parameters were chosen by the oracle's scores"),
    "version": ({"method_version": "2"}, "its seeds are of versions 1 of mbo_hub and 2 of mbo_hub"),
    "code": ({"code": "a:B"}, "its seeds are of versions 1 of a:B and 1 of mbo_hub"),
    "data": (
        {"task_version": "0.9.0"},
        "seed 7: has version 0.9.0 of the data where most runs have version 1.0.0 of the data",
    ),
    "budget": ({"budget": 64}, "seed 7: has a budget of 64 where most runs have a budget of 4"),
    "again": ({"seed": 6}, "seed 7: was not run; seed 6: is there more than once"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_runs_that_differ_are_not_ranked(name: str) -> None:
    fields, reason = OTHERS[name]
    seeds = sweep("ant", "coms", 0.8)
    seeds[7] = made("ant", "coms", **({"seed": 7, "scores": [0.8] * 4} | fields))  # type: ignore[arg-type]
    found = tabulate([*sweep("ant", "grad", 0.9), *seeds])
    assert [r.entrant.method for r in found.rows] == ["grad"]
    assert "; ".join(found.apart[0].reasons) == reason


def beyond(method: str, seeds: Iterable[int]) -> list[Run]:
    return [made("ant", method, seed, [0.95] * 4) for seed in seeds]


def test_a_method_with_more_seeds_puts_no_other_apart(table: Table, runs: list[Run]) -> None:
    """Else anybody who joins with a ninth seed would empty the table."""
    found = tabulate([*runs, *beyond("grad", range(8, 20)), *beyond("cbas", SEEDS)])
    for was, row in zip(
        table.rows, (r for r in found.rows if r.entrant.method != "cbas"), strict=True
    ):
        for before, after in zip(was.cells, row.cells, strict=True):
            assert (before and before.values) == (after and after.values)
    assert [entry.entrant.method for entry in found.apart] == ["cbas", "mins"]
    more = tabulate([*runs, *beyond("random", range(8, 20)), *beyond("grad", range(8, 20))])
    assert [r.entrant for r in more.rows] == [r.entrant for r in table.rows]  # controls may, too
    (said,) = [caution for caution in found.cautions if "further" in caution]
    assert said.endswith("left out are further ones of grad on ant.")
    (said,) = [caution for caution in more.cautions if "further" in caution]
    assert said.endswith("left out are further ones of grad on ant; random on ant.")
    assert not [caution for caution in table.cautions if "further" in caution]


def test_controls_stay_what_others_are_compared_with(runs: list[Run]) -> None:
    """However many runs with another budget join."""
    many = [made("ant", f"mine_{i}", s, [0.9] * 8) for i in range(10) for s in SEEDS]
    found = tabulate([*runs, *many], tasks=["ant"])
    assert {"random", "grad"} < {row.entrant.method for row in found.rows}
    (reason,) = next(e for e in found.apart if e.entrant.method == "mine_0").reasons
    assert reason.endswith("has a budget of 8 where the controls have a budget of 4")
    waiting = [unscored("ant", "random", s) for s in SEEDS]  # they have no oracle to compare
    assert tabulate([*waiting, *sweep("ant", "grad", 0.9)]).rows[0].complete


def test_a_method_with_other_seeds_only_is_not_ranked(runs: list[Run]) -> None:
    found = tabulate([*runs, *beyond("cbas", range(100, 108))], tasks=["ant"])
    (apart,) = [entry for entry in found.apart if entry.entrant.method == "cbas"]
    assert (apart.scored, apart.of, apart.mean) == (0, 8, None)
    (reason,) = apart.reasons
    assert reason == "it was run with other seeds than are compared: 100, 101, 102, …"
    assert found.tasks[0].seeds == tuple(SEEDS)
    few = [*beyond("random", [0]), *(r for m in "abc" for r in beyond(m, [100]))]
    assert tabulate(few).tasks[0].seeds == (0,)


@pytest.mark.parametrize(
    ("seeds", "compared"),
    [
        ({"random": 8, "best_logged": 1, "grad": 8}, 8),  # best_logged is the same with each seed
        ({"random": 8, "best_logged": 8, "grad": 8, "mine": 3}, 8),
        ({"random": 2, "grad": 8}, 2),
        ({"random": 8, "grad": 8, "mine": 4, "yours": 4, "theirs": 4}, 4),
        ({"random": 6, "best_logged": 6, "grad": 6, "coms": 5, "mins": 5, "cbas": 5}, 6),
        ({"random": 6, "best_logged": 5, "grad": 5, "coms": 5}, 5),  # while they are still going on
        ({"random": 8, "grad": 8, "mine": 200}, 8),
        ({"random": 8, "grad": 8, "mine": 8, **{f"one_{i}": 1 for i in range(9)}}, 8),
        ({"grad": 8, "coms": 8, "mine": 9}, 8),  # without controls
        ({"grad": 8, "coms": 7}, 8),
        ({"grad": 8, "coms": 1}, 8),
        ({"grad": 3}, 3),
    ],
)
def test_a_task_is_compared_on_seeds_of_the_controls_that_half_of_the_methods_have(
    seeds: dict[str, int], compared: int
) -> None:
    runs = [run for method, count in seeds.items() for run in beyond(method, range(count))]
    found = tabulate(runs)
    assert found.tasks[0].seeds == tuple(range(compared))
    ranked = {row.entrant.method for row in found.rows}
    assert ranked == {method for method, count in seeds.items() if count >= compared}
    assert {entry.entrant.method for entry in found.apart} == {*seeds} - ranked
    assert found.cautions == tabulate(runs[::-1]).cautions


def test_a_seed_without_a_valid_design_is_no_score() -> None:
    runs = [*sweep("ant", "grad", 0.9), *sweep("ant", "coms", 0.9)[:7],
            made("ant", "coms", 7, [None] * 4)]  # fmt: skip
    found = tabulate(runs)
    assert found.apart[0].reasons == ("seed 7: has no valid design",)
    partly = tabulate([made("ant", "grad", s, [None, 0.8, None, 0.6]) for s in SEEDS])
    cell = partly.rows[0].cells[0]
    assert cell is not None
    assert (cell.mean.value, cell.above) == (pytest.approx(0.8), 0.5)


def test_a_task_without_scores_is_no_column(runs: list[Run]) -> None:
    waiting = [unscored("nas", "grad", s) for s in SEEDS]
    found = tabulate([*runs, *waiting], tasks=["nas", "ant"])
    assert [task.name for task in found.tasks] == ["ant"]
    (apart,) = [entry for entry in found.apart if entry.entrant.method == "grad"]
    assert apart.reasons == ("seeds 0, 1, 2, 3, 4, 5, 6, 7: waits for the oracle",)
    with pytest.raises(InvalidFile, match="no run is scored yet"):
        tabulate(waiting)


def test_scores_of_a_few_odd_runs_make_no_column(runs: list[Run]) -> None:
    waiting = [unscored("nas", "grad", s) for s in SEEDS]
    odd = made("nas", "coms", 0, [0.5] * 2)
    found = tabulate([*runs, *waiting, odd])
    assert "nas" not in [task.name for task in found.tasks]
    (apart,) = [e for e in found.apart if (e.task, e.entrant.method) == ("nas", "coms")]
    assert apart.reasons[0] == "seed 0: has a budget of 2 where most runs have a budget of 4"
    assert apart.mean == 0.5


def test_presets_compete_side_by_side(runs: list[Run]) -> None:
    small = [r for r in runs if r.record.method == "grad" and r.record.task == "ant"]
    found = tabulate([*small, *sweep("ant", "grad", 0.95, preset="paper")])
    assert [str(r.entrant) for r in found.rows] == ["grad (paper)", "grad"]


def test_other_visible_rows_are_another_task(runs: list[Run]) -> None:
    part = sweep("tfbind8", "grad", 0.8, subset=Subset(visible=(0.0, 20.0)))
    found = tabulate([*runs, *part])
    names = [task.name for task in found.tasks]
    assert len(names) == 3
    assert names[2].startswith("tfbind8@")
    assert {entry.task for entry in found.literature} <= {"tfbind8"}


def test_what_cannot_be_tabled(runs: list[Run]) -> None:
    with pytest.raises(InvalidFile, match="no run is on task 'dkitty'; there are tfbind8, ant"):
        tabulate(runs, tasks=["dkitty"])
    with pytest.raises(InvalidFile, match="no best of 5: runs on tfbind8 have 4 designs"):
        tabulate(runs, Measure("best-of-k", 5))
    for metric, k in (("best", 3), ("best-of-k", None), ("best-of-k", 0)):
        with pytest.raises(ValueError, match="needs a k"):
            Measure(metric, k)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------- beside the published


def test_beside_the_published_only_with_the_published_budget(table: Table) -> None:
    assert table.literature == ()  # of 4 designs
    runs = [r for m, x in (("grad", 0.9), ("cbas", 0.927)) for s, w in zip(SEEDS, WOBBLE, strict=True)
            for r in [made("tfbind8", m, s, [x + w] * 128, best_visible=0.439)]]  # fmt: skip
    found = {entry.method: entry for entry in tabulate(runs).literature}
    assert set(found) == {"D(best)", "grad", "cbas"}
    assert found["cbas"].differs == ()
    assert found["grad"].differs == ("paper", "rerun")  # 0.977 ± 0.025, 0.969 ± 0.021
    assert found["grad"].sd == pytest.approx(np.std(WOBBLE, ddof=1))
    median = tabulate(runs, Measure("median")).literature
    assert {entry.paper for entry in median} == {None}
    assert tabulate(runs, Measure("best-of-k", 8)).literature == ()
    said = render(tabulate(runs), literature=True)
    assert re.search(r"^grad +0\.900 ± 0\.020 +0\.977 ± 0\.025 ≠ +0\.969 ± 0\.021 ≠$", said, re.M)
    assert "tfbind8 beside published" not in render(tabulate(runs))


# ------------------------------------------------------------------------------------- what it warns of


@pytest.mark.parametrize(
    ("seeds", "said", "unsaid"),
    [
        (1, "Of one seed there is no interval", "Bold"),
        (2, "in 50% of cases only", "one seed"),
        (8, "up to a factor of 0.66 to 2.04", "cases only"),
    ],
)
def test_it_says_what_few_seeds_cannot(seeds: int, said: str, unsaid: str) -> None:
    found = tabulate([r for r in sweep("ant", "grad", 0.9) if r.record.seed < seeds])
    told = " ".join(found.cautions)
    assert said in told
    assert unsaid not in told


def test_it_says_over_how_many_seeds_intervals_are() -> None:
    runs = [r for r in sweep("ant", "grad", 0.9) if r.record.seed < 3] + sweep(
        "dkitty", "grad", 0.9
    )
    assert "intervals over 3 to 8 seeds" in tabulate(runs).cautions[0]
    assert "intervals over 8 seeds" in tabulate(runs, tasks=["dkitty"]).cautions[0]


def test_it_says_where_all_seeds_agree() -> None:
    """By the measure of the table, not by another; a control may be without chance."""
    runs = [made("ant", "best_logged", seed, [0.5, 0.5]) for seed in (0, 1)]
    runs += [made("ant", "grad", seed, [0.7, 0.1 * seed]) for seed in (0, 1)]
    runs += [made("dkitty", "grad", seed, [0.7, 0.1]) for seed in (0, 1)]
    runs += [made("dkitty", "coms", seed, [0.7 + 0.1 * seed, 0.1]) for seed in (0, 1)]

    def told(some: list[Run], metric: Literal["best", "median"] = "best") -> list[str]:
        table = tabulate(some, Measure(metric))
        return [said.split(".")[0] for said in table.cautions if said.startswith("All seeds")]

    assert told(runs) == ["All seeds get the same 100th percentile with grad on ant and dkitty"]
    assert told(runs, "median") == ["All seeds get the same 50th percentile with grad on dkitty"]
    assert told([run for run in runs if run.record.method != "grad"]) == []
    assert told(runs[2:3]) == []  # a single seed agrees with nobody


def test_it_says_what_few_tasks_and_learned_oracles_cannot(table: Table) -> None:
    told = " ".join(table.cautions)
    assert "2 tasks do not order 4 methods" in told
    assert "the oracle is a learned model" not in told
    learned = tabulate(sweep("superconductor", "grad", 0.9, exact=False))
    assert "SUPERCONDUCTOR: the oracle is a learned model" in " ".join(learned.cautions)


# ------------------------------------------------------------------------------------- how it is written


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_says_the_same(table: Table, form: str) -> None:
    said = render(table, form, literature=True)
    assert said.endswith("\n")
    assert not said.endswith("\n\n")
    for r in table.rows:
        name = r.entrant.method
        assert name in said or name.replace("_", r"\_") in said
    assert "NaN in the generator" in said
    assert "0.870" in said or "0.87" in said


def test_the_table_as_text(table: Table) -> None:
    said = render(table)
    assert max(map(len, said.splitlines())) <= 100
    assert re.search(r"^grad +0\.900 \[0\.88\d, 0\.91\d\] \* +0\.900 \[", said, re.M)
    assert re.search(r"^mins +0\.800 \[[^]]+\] +apart$", said, re.M)
    assert re.search(r"^D\(best\) +0\.500 +0\.500$", said, re.M)
    assert re.search(r"^ceiling +1\.000 +≥ 1\.000$", said, re.M)
    assert re.search(r"^random \(control\) +34%, 0%, 3 +34%, 0%, 3$", said, re.M)
    assert "- mins on ant (7 of 8 seeds, mean 0.796): seed 7: failed" in said


def test_the_table_as_markdown(table: Table) -> None:
    said = render(table, "markdown")
    lines = [line for line in said.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4, 6}
    assert re.search(r"^\| grad \| \*\*0\.900 \[", said, re.M)
    assert "best\\_logged" in said


def test_markdown_and_latex_show_strange_words_as_they_are() -> None:
    strange = [
        made("ant", "a_b", 0, [0.5] * 4),
        unscored("ant", "b", 0, "50% | <b> _x_ \\ {y} #1 ^~"),
    ]
    table = tabulate(strange)
    assert r"50% \| &lt;b> \_x\_ \\ &#123;y&#125; #1 ^&#126;" in render(table, "markdown")
    latex = render(table, "latex")
    assert r"a\_b & 0.500 \\" in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\bottomrule") == 2
    assert all(line.startswith("%") for line in latex.splitlines() if "50%" in line)


def test_the_table_as_csv(table: Table) -> None:
    rows = list(csv.DictReader(io.StringIO(render(table, "csv"))))
    assert list(rows[0]) == COLUMNS
    assert len(rows) == 10
    by_cell = {(r["task"], r["method"]): r for r in rows}
    grad = by_cell["tfbind8", "grad"]
    assert float(grad["mean"]) == pytest.approx(0.9)
    assert float(grad["low"]) < 0.9 < float(grad["high"])
    assert (grad["ranked"], grad["best"], grad["seeds"]) == ("yes", "yes", "8")
    mins = by_cell["ant", "mins"]
    assert (mins["ranked"], mins["seeds"], mins["low"]) == ("no", "7", "")
    assert mins["reasons"].startswith("seed 7: failed")


def test_the_table_as_json(table: Table) -> None:
    said = json.loads(render(table, "json"))
    assert [task["name"] for task in said["tasks"]] == ["tfbind8", "ant"]
    first = said["rows"][0]
    assert first["entrant"] == {"method": "grad", "preset": "standard"}
    assert set(first["cells"][0]["mean"]) == {"value", "low", "high"}
    assert first["improvement"]["best_logged"]["value"] == 1.0
    assert said["cautions"] == list(table.cautions)


def test_who_is_a_control_and_who_an_opponent() -> None:
    assert set(CONTROLS) | set(OPPONENTS) <= set(METHODS)


# ------------------------------------------------------------------------------------------- mbo table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    for method, seed in (("random", 0), ("random", 1), ("best_logged", 0)):
        plan = Plan(task="tfbind8", method=method, seed=seed, budget=16)
        done = propose(plan)
        assert done.designs is not None
        done = score(plan, done.record, done.designs)
        write_run(place, done.record, done.designs)
    return place


def mbo(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, list(map(str, arguments)))
    return done.exit_code, done.stdout, done.stderr


def test_mbo_table(folder: Path) -> None:
    code, out, _ = mbo("table", folder)
    assert code == 0
    assert "best_logged on tfbind8 (1 of 2 seeds, mean 0.439): seed 1: was not run" in out
    code, out, _ = mbo("table", folder, "--seeds", 0, "--at", 8, "--task", "tfbind8")
    assert code == 0
    assert out.startswith("Best of 8 of 16 designs, as a score, on average over all choices: mean")
    assert re.search(r"^best_logged \(control\) +0\.439$", out, re.M)
    forms = [mbo("table", folder, "--format", form)[1] for form in FORMATS]
    assert len(set(forms)) == len(FORMATS)
    assert mbo("table", folder, "--json") == (0, forms[-1], "")
    assert "50th percentile" in mbo("table", folder, "--metric", "median")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "5"], "there is no run with seed 5"),
        (["--task", "ant"], "no run is on task 'ant'; there are tfbind8"),
        (["--at", "17"], "there is no best of 17: runs on tfbind8 have 16 designs"),
    ],
)
def test_mbo_table_says_what_is_not_there(folder: Path, arguments: list[str], said: str) -> None:
    code, out, err = mbo("table", folder, *arguments)
    assert (code, out) == (1, "")
    assert said in err


def test_the_command_offers_every_form() -> None:
    (option,) = [p for p in main.commands["table"].params if p.name == "form"]
    assert list(option.type.choices) == list(FORMATS)  # type: ignore[attr-defined]


def test_where_a_task_stands(runs: list[Run]) -> None:
    """Controls, then the best method, with the table's own figures; nothing without a ranked run."""
    found = standings([*runs, unscored("nas", "grad", 0)], ["ant", "nas", "hopper"], None)
    assert list(found) == ["ant"]
    ant = found["ant"]
    assert [line.method for line in ant.lines] == [*CONTROLS, "grad"]
    assert [line.control for line in ant.lines] == [True, True, False]
    assert (ant.methods, ant.budget, ant.ceiling_known) == (2, 4, False)  # mins lacks a seed
    assert ant.best_visible == 0.5
    assert ant.ceiling == 1.0  # of the full data; no design is better
    cells = {r.entrant.method: r.cells[0] for r in tabulate(runs, tasks=["ant"]).rows}
    for line in ant.lines:
        mean = cells[line.method].mean
        assert line.best == pytest.approx((mean.value, mean.low, mean.high), abs=1e-4)
        assert line.seeds == 8
    assert [line.above for line in ant.lines] == [pytest.approx(cells[line.method].above, abs=1e-3)
                                                  for line in ant.lines]  # fmt: skip


@pytest.mark.parametrize("last", range(-6, 7))
def test_figures_are_shown_as_in_the_table(last: int) -> None:
    """Also beside the middle between two, where rounding twice goes wrong."""
    runs = [made("ant", "grad", seed, [1.0355 + last / 1e5]) for seed in range(2)]
    ((cell,),) = [row.cells for row in tabulate(runs).rows]
    (line,) = standings(runs, ["ant"], None)["ant"].lines
    assert [f"{figure:.3f}" for figure in line.best] == [
        f"{figure:.3f}" for figure in (cell.mean.value, cell.mean.low, cell.mean.high)
    ]


def test_the_largest_score_known_may_be_a_design() -> None:
    found = standings([made("ant", "grad", 0, [1.3, 0.2])], ["ant"], None)["ant"]
    assert (found.ceiling, found.lines[0].best) == (1.3, (1.3,))


def test_gradient_ascent_is_shown_beside_the_best() -> None:
    runs = [made("ant", name, 0, [best]) for name, best in (("grad", 0.6), ("coms", 0.7))]
    found = standings([*runs, made("ant", "random", 0, [0.9])], ["ant"], None)["ant"]
    assert [line.method for line in found.lines] == ["random", "grad", "coms"]
