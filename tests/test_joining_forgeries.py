"""Try to cheat the rules by which runs join a collection: a table of forgeries, each refused.

`judge` is a function of what is published, what is asked, who asks and who owns which name, so that
a forgery costs milliseconds. That scores are computed again is tested with real oracles in
test_results.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
from made_runs import made

from mbo_hub.methods import METHODS
from mbo_hub.results.collection import file_of
from mbo_hub.results.eligibility import ARCHIVE
from mbo_hub.results.joining import Asked
from mbo_hub.results.judging import Judgement, Request, judge, owners_of, skeleton
from mbo_hub.results.record import Run, Submitted
from mbo_hub.results.table import tabulate
from mbo_hub.results.verify import Checked, Verdict

SEEDS = (0, 1, 2)
OWNERS = {"theirs": ("alice", "bob"), "promised": ("alice",)}
OTHER_FILES = {".gitattributes": "1", "README.md": "2", "owners.json": "3", "seeds.png": "4"}


def designs_of(task: str, key: str) -> np.ndarray:
    rng = np.random.default_rng([ord(c) for c in f"{task}/{key}"])
    if task == "ant":
        return rng.normal(size=(128, 6)).astype(np.float32)
    return rng.integers(0, 4, (128, 8)).astype(np.int8)


def run(task: str, method: str, seed: int = 0, designs: Any = "own", **fields: Any) -> Run:
    """A run with designs of its own, or those given, or none."""
    x = designs_of(task, f"{method}{seed}") if isinstance(designs, str) else designs
    record = made(task, method, seed, [0.5] * 128, **fields).record
    return Run(record, "made", lambda: None if x is None else Submitted(x, None))


def stranger(seed: int = 0, method: str = "mine", task: str = "tfbind8", **fields: Any) -> Run:
    common = {"code": "evil.pkg:Mine", "title": f"{method} of a stranger"}
    return run(task, method, seed, **(common | fields))


THEIRS = [stranger(s, "theirs", title="Theirs", code="a:Theirs") for s in SEEDS]
PUBLISHED = [
    *(run(task, method, s, title=METHODS[method].title)
      for task in ("tfbind8", "ant") for method in ("random", "best_logged", "grad", "bo_qei")
      for s in SEEDS),
    *THEIRS,
]  # fmt: skip
ORIGINAL = next(r for r in PUBLISHED if r.record.method == "bo_qei" and r.record.task == "tfbind8")
REAL = next(r for r in PUBLISHED if r.record.method == "bo_qei" and r.record.task == "ant")
BEFORE = OTHER_FILES | {file_of(r.record): "published" for r in PUBLISHED}


def asks(
    *rows: Run,
    author: str = "eve",
    gone: Sequence[str] = (),
    files: Mapping[str, str] | None = None,
    adds: bool = False,
) -> Request:
    """A request that these rows make the content of their files.

    Args:
        rows: of all files that would change.
        author: who asks.
        gone: files that are removed.
        files: others that change.
        adds: the rows that are there stay beside them.
    """
    changed = {file_of(r.record) for r in rows}
    kept = [r for r in PUBLISHED if adds and file_of(r.record) in changed]
    after = BEFORE | dict.fromkeys(changed, "asked") | (files or {})
    after = {name: content for name, content in after.items() if name not in gone}
    return Request(author, BEFORE, after, PUBLISHED, [*kept, *rows], OWNERS)


def without(record: Run, **fields: Any) -> Run:
    """A run whose record is another."""
    return Run(msgspec.structs.replace(record.record, **fields), "forged", record._load)


def replaced(one: Run, by: Run, author: str = "eve") -> Request:
    """A file in which one row is another one."""
    same = [r for r in PUBLISHED if file_of(r.record) == file_of(one.record) and r is not one]
    return asks(*same, by, author=author)


def copied(
    change: Callable[[np.ndarray], np.ndarray], of: Run = ORIGINAL, **fields: Any
) -> Request:
    assert of.designs is not None
    x = change(of.designs.copy())
    return asks(stranger(task=of.record.task, designs=x, **fields))


def other_signs(x: np.ndarray, rows: int) -> np.ndarray:
    x[:rows] = designs_of("tfbind8", "another")[:rows]
    return x


def noisy(size: float) -> Callable[[np.ndarray], np.ndarray]:
    noise = np.random.default_rng(0).normal(size=(128, 6))
    return lambda x: (x + size * noise).astype(np.float32)


ANOTHERS = "is that of whoever keeps the collection, and eve asks"
READS = "reads like"
COPY = "of its designs (1"
FORGERIES: dict[str, tuple[Request, str]] = {
    # scores that nobody can compute
    "unseen designs": (asks(stranger(designs=None)), "its designs are not there"),
    "eight unseen": (asks(*(stranger(s, designs=None) for s in range(8))), "its designs are not"),
    "one of two unseen": (asks(stranger(), stranger(1, designs=None)), "seed 1: its designs"),
    "a failed run": (asks(without(stranger(), status="failed", failure="x", report=None)),
                     "it is failed, which nobody can score again"),
    "a waiting run": (asks(without(stranger(), status="proposed", report=None)), "it is proposed"),
    # names of others
    "a method of the package": (asks(run("tfbind8", "grad", 7), adds=True), ANOTHERS),
    "one that has no runs yet": (asks(stranger(method="coms", code="mbo_hub")), ANOTHERS),
    "a control of 60 more runs": (
        asks(*(run("tfbind8", "random", s, designs=designs_of("tfbind8", "x")[:1])
               for s in range(8, 68)), adds=True), ANOTHERS),
    "a control with a budget of 1": (
        asks(without(run("tfbind8", "random", 5), budget=1), adds=True), "its budget is 1, not 128"),
    "another stranger's": (asks(stranger(5, "theirs"), adds=True), "is that of alice and bob"),
    "on another task": (asks(stranger(0, "theirs", "ant")), "is that of alice and bob, and eve"),
    "one that is promised": (asks(stranger(method="promised")), "is that of alice, and eve asks"),
    "a name like the owner's": (asks(stranger(5, "theirs"), adds=True, author="alice2"),
                                "and alice2 asks"),
    "no name": (asks(stranger(5, "theirs"), adds=True, author=""), "is that of alice and bob"),
    # names like those of others
    **{f"the name {name}": (asks(stranger(method=name)), READS) for name in (
        "GRAD", "Grad", "grad_", "g_rad", "gr4d", "qrad", "bo_qe1", "Bo_qei", "b0_qei", "bo-qei",
        "bo.qei", "boqei", "bo_qei+", "the1rs", "THEIRS", "cmaes", "CMA-ES", "rand0m",
        "randorn", "best-logged", "c0ms", "corns", "index", "1ndex", "Index", "prornised")},
    "two new names that differ by case": (asks(stranger(), stranger(method="Mine", task="ant")),
                                          READS),
    "two new names of look-alikes": (asks(stranger(method="abl"), stranger(method="ab1")), READS),
    # titles and code of others
    "the title of a method": (asks(stranger(title=METHODS["grad"].title)), "like that of grad"),
    "with a capital": (asks(stranger(title=METHODS["grad"].title.upper())), "like that of grad"),
    "with Cyrillic letters": (asks(stranger(title=METHODS["grad"].title.replace("a", "а"))),
                              "like that of grad"),
    **{f"in capitals with {sign}": (asks(stranger(title="CМA-ES".replace("М", sign))), "of cma_es")
       for sign in "МмΜ"},
    **{f"with the look-alike {sign}": (
        asks(stranger(title=METHODS["grad"].title.replace(letter, sign))), "like that of grad")
       for letter, sign in ("GԌ", "aɑ", "dժ", "eє", "nո", "tт", "sꜱ", "rг", "cϲ")},
    "another stranger's title": (asks(stranger(title="Theirs.")), "like that of theirs"),
    "the package's code": (asks(stranger(code="mbo_hub")), "which has no such method"),
    "a module of the package": (asks(stranger(code="mbo_hub.methods:Grad")), "no such method"),
    "the package's code in capitals": (asks(stranger(code="MBO_HUB")), "no such method"),
    # rows that are there
    "a row replaced": (replaced(ORIGINAL, run("tfbind8", "bo_qei", 0, designs_of("ant", "x"))),
                       "it changes bo_qei"),
    "a row of another version": (
        replaced(ORIGINAL, run("tfbind8", "bo_qei", 0, method_version="9", code="mbo_hub")), ANOTHERS),
    "a row that failed now": (
        replaced(ORIGINAL, without(ORIGINAL, status="failed", failure="x", report=None)),
        "it changes bo_qei"),
    "scores changed": (
        replaced(ORIGINAL, without(ORIGINAL, report=msgspec.structs.replace(
            ORIGINAL.record.report, y=(30.0,) * 128))), "it changes bo_qei"),
    "designs taken away": (replaced(ORIGINAL, Run(ORIGINAL.record, "forged")), "it changes bo_qei"),
    "designs in another order": (
        replaced(ORIGINAL, Run(ORIGINAL.record, "f", lambda: Submitted(ORIGINAL.designs[::-1], None))),
        "it changes bo_qei"),
    "predictions added": (
        replaced(ORIGINAL, Run(ORIGINAL.record, "f", lambda: Submitted(
            ORIGINAL.designs, np.zeros(128, np.float32)))), "it changes bo_qei"),
    "seconds of CPU changed": (replaced(ORIGINAL, without(ORIGINAL, cpu_seconds=1e9)), "it changes"),
    "a title changed": (replaced(ORIGINAL, without(ORIGINAL, title="Slow")), "it changes bo_qei"),
    "tuned on the oracle, it says": (replaced(ORIGINAL, without(ORIGINAL, tuned_on_oracle=True)),
                                     "it changes bo_qei"),
    "a row removed": (asks(*(r for r in PUBLISHED if r is not ORIGINAL
                             and file_of(r.record) == file_of(ORIGINAL.record))),
                      "it removes bo_qei (standard) on tfbind8, seed 0"),
    "a file removed": (asks(stranger(), gone=[file_of(ORIGINAL.record)]), "it removes data/tfbind8/b"),
    "all but theirs removed": (asks(stranger(), gone=[f for f in BEFORE if "/" in f]), "it removes"),
    "the owner's row, same version": (
        replaced(THEIRS[0], stranger(0, "theirs", designs=designs_of("ant", "y")[:, :6]), "alice"),
        "it changes theirs"),
    "the owner's row removed": (asks(*THEIRS[1:], author="alice"), "it removes theirs"),
    # files
    **{f"the file {name!r}": (asks(stranger(), files={name: "asked"}), "it changes") for name in (
        ".gitattributes", "README.md", "owners.json", "seeds.png", "new.md", ".github/x.yml",
        "data/tfbind8/mine.py", "data/tfbind8/../mine.parquet", "data/TFBIND8/mine.parquet",
        "Data/tfbind8/mine.parquet", "data/tfbind8/a/mine.parquet", "data/mine.parquet",
        "data/tfbind8/gr\u0430d.parquet", "data/tfbind8/mine.parquet\n", "data/tfbind8/.parquet",
        "data/tfbind8/mine .parquet", "data//mine.parquet", "data/tfbind8/mine.PARQUET")},
    ".gitattributes removed": (asks(stranger(), gone=[".gitattributes"]), "it removes .gitattributes"),
    "a row in another file": (
        Request("eve", BEFORE, BEFORE | {"data/tfbind8/mine.parquet": "x"}, PUBLISHED,
                [stranger(task="ant")], OWNERS), "belongs in data/ant/mine.parquet"),
    "a row twice": (asks(stranger(), stranger()), "mine/standard/seed-0 2 times"),
    "a record of two megabytes": (
        asks(stranger(deviations=("x" * 2000,) * 1000)), "more than 1,048,576 bytes"),
    # the comparison
    "seed 8": (asks(stranger(8)), "its seed is none of 0, 1, 2"),
    "seed of 64 bits": (asks(stranger(2**63 - 1)), "its seed is none of"),
    "seeds 6, 7 and 100": (asks(*(stranger(s) for s in (6, 7, 100))), "seed 100: its seed"),
    "budget 127": (asks(without(stranger(), budget=127)), "its budget is 127, not 128"),
    "budget 129": (asks(without(stranger(), budget=129)), "its budget is 129, not 128"),
    **{f"preset {name}": (asks(stranger(preset=name)), "its preset is none of") for name in (
        "Standard", "standard-", "st4ndard", "best", "paper2")},
    # designs of others
    "all 128": (copied(lambda x: x), COPY),
    "reversed": (copied(lambda x: x[::-1]), COPY),
    "shuffled": (copied(lambda x: np.random.default_rng(0).permutation(x)), COPY),
    "two swapped": (copied(lambda x: x[[1, 0, *range(2, 128)]]), COPY),
    "less one": (copied(lambda x: x[1:]), COPY),
    "half of them": (copied(lambda x: x[:64]), COPY),
    "half of them, twice": (copied(lambda x: np.concatenate([x[:64], x[:64]])), COPY),
    "one of them other": (copied(lambda x: other_signs(x, 1)), "of its designs (99%)"),
    "twenty of them other": (copied(lambda x: other_signs(x, 20)), "of its designs (8"),
    "of another seed": (copied(lambda x: x, seed=5), COPY),
    "as another preset": (copied(lambda x: x, preset="paper"), COPY),
    "as wider integers": (copied(lambda x: x.astype(np.int64)), COPY),
    "as real numbers": (copied(lambda x: x.astype(np.float32)), COPY),
    "with noise": (copied(noisy(1e-6), REAL), COPY),
    "reversed with noise": (copied(lambda x: noisy(1e-5)(x)[::-1], REAL), COPY),
    "in double precision": (copied(lambda x: x.astype(np.float64), REAL), COPY),
    "by two new methods": (
        asks(stranger(designs=designs_of("tfbind8", "z")),
             stranger(method="other", designs=designs_of("tfbind8", "z")[::-1])), COPY),
    "of the other stranger": (copied(lambda x: x, THEIRS[1]), "are those of theirs"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_before_anything_is_scored(name: str) -> None:
    request, why = FORGERIES[name]
    problems = judge(request).problems
    assert any(why in problem for problem in problems), problems


def test_there_are_many_and_no_two_are_the_same() -> None:
    told = [(judge(request).problems, name) for name, (request, _) in FORGERIES.items()]
    assert len(told) > 100
    assert all(problems for problems, _ in told)


HONEST: dict[str, Request] = {
    "a new method": asks(*(stranger(s) for s in range(8))),
    "on two tasks": asks(stranger(), stranger(task="ant")),
    "in both presets": asks(stranger(), stranger(preset="paper")),
    "alike for every seed": asks(*(stranger(s, designs=designs_of("ant", "q")[:, :6].astype(np.int8))
                                   for s in (0, 1))),
    "more seeds of one's own": asks(stranger(5, "theirs", title="Theirs"), adds=True, author="bob"),
    "an owner in capitals": asks(stranger(5, "theirs", title="Theirs"), adds=True, author="Alice"),
    "a newer version of one's own": replaced(
        THEIRS[0], stranger(0, "theirs", title="Theirs", method_version="2"), "alice"),
    "a promised name": asks(stranger(method="promised"), author="alice"),
    "few designs in common": copied(lambda x: other_signs(x, 60)),
    "one design, many times, that another has": copied(lambda x: np.repeat(x[:1], 128, axis=0)),
    "near designs": copied(noisy(0.05), REAL),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_request_is_not_refused(name: str) -> None:
    request = HONEST[name]
    judged = judge(request)
    assert judged.problems == ()
    assert judged.fresh
    assert {run.record.place for run in judged.fresh}.isdisjoint(
        {run.record.place for run in PUBLISHED if run not in judged.fresh}
        - {run.record.place for run in THEIRS}
    )


def test_a_share_in_common_is_told() -> None:
    judged: Judgement = judge(HONEST["few designs in common"])
    (note,) = judged.notes
    assert note.endswith(
        "68 of its designs (53%) are those of bo_qei (standard) on tfbind8, seed 0"
    )
    assert judged.new_names == ("mine",)


@pytest.mark.parametrize(
    "checked",
    [
        (),
        (Checked(stranger().record, seen=False),),
        (Checked(stranger().record, unchecked="its task is not here"),),
        (Checked(stranger().record, ("a score differs",)),),
        (Checked(without(stranger(), status="failed").record),),
        (Checked(stranger().record), Checked(stranger(1).record, seen=False)),
    ],
    ids=["nothing", "unseen", "unchecked", "wrong", "failed", "one of two"],
)
def test_only_what_was_scored_again_and_holds_may_be_merged(checked: tuple[Checked, ...]) -> None:
    asked = Asked(1, "0" * 40, (), Verdict(checked))
    assert not asked.ok
    assert "may not be merged" in asked.markdown()
    assert Asked(1, "0" * 40, (), Verdict((Checked(stranger().record),))).ok


def test_names_of_the_package_do_not_read_alike() -> None:
    assert len({skeleton(name) for name in METHODS}) == len(METHODS)
    assert len({skeleton(method.title) for method in METHODS.values()}) == len(METHODS)


@pytest.mark.parametrize("document", [[], {"a": 1}, {"a": [1]}, {"a": {"b": "c"}}, None, "a"])
def test_owners_are_users_by_name(document: object) -> None:
    assert owners_of(document) is None
    assert owners_of({"a": "eve", "b": ["x", "y"]}) == {"a": ("eve",), "b": ("x", "y")}


# ---------------------------------------------------------------------------------- the comparison


def crowd(*, methods: int, seeds: Sequence[int], **fields: Any) -> list[Run]:
    """Runs of many strangers who agree with each other."""
    return [stranger(s, f"sybil{m}", **fields) for m in range(methods) for s in seeds]


@pytest.mark.parametrize(
    "runs",
    [
        crowd(methods=16, seeds=(6, 7)),
        crowd(methods=16, seeds=range(60), task_version="9.9.9"),
        crowd(methods=16, seeds=SEEDS, dataset_sha256="0" * 64),
        [without(r, budget=1) for r in crowd(methods=30, seeds=SEEDS)],
        [without(stranger(s, "random"), budget=1) for s in range(60)],
        [stranger(s, "a", title="The Best", task_version="2.0.0") for s in SEEDS],
    ],
    ids=["seeds", "version", "data", "budget", "a control", "the first name"],
)
def test_a_crowd_does_not_move_the_comparison(runs: list[Run]) -> None:
    own = [r for r in PUBLISHED if r.record.task == "tfbind8" and r not in THEIRS]
    alone = tabulate(own, terms=ARCHIVE)
    crowded = tabulate([*runs, *own], terms=ARCHIVE)
    assert crowded.tasks == alone.tasks
    ours = {row.entrant for row in alone.rows} - {
        entrant for entrant in (row.entrant for row in alone.rows) if entrant.method == "random"
    }
    assert ours <= {row.entrant for row in crowded.rows}
