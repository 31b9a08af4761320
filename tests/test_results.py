"""Runs as a dataset: kept, read back, verified, joined by pull requests; forgeries are found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import ROOT
from hub_server import READ_TOKEN, HubServer
from made_runs import PUBLISHED, published_runs

import mbo_hub
from mbo_hub.cli import main
from mbo_hub.errors import InvalidFile, PublishConflict, UnknownTask
from mbo_hub.oracles.protocol import Answer
from mbo_hub.results import collection, joining, schema
from mbo_hub.results.collection import decode, encode, read_runs, write_collection
from mbo_hub.results.eligibility import ARCHIVE
from mbo_hub.results.lookup import looked_up
from mbo_hub.results.record import Plan, Record, Run, Submitted, write_run
from mbo_hub.results.verify import sample, verify_runs
from mbo_hub.results.work import propose, score
from mbo_hub.scoring.evaluate import designs_sha256


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, ...]:
    """Six runs that were made here: two controls, two tasks."""
    folder = tmp_path_factory.mktemp("runs")
    for task, method, seed in (
        ("tfbind8", "random", 0),
        ("tfbind8", "random", 1),
        ("tfbind8", "best_logged", 0),
        ("chembl", "random", 0),
        ("hopper", "best_logged", 0),
    ):
        plan = Plan(task=task, method=method, seed=seed)
        done = propose(plan)
        if task != "hopper":  # its robot would walk for a while
            assert done.designs is not None
            done = score(plan, done.record, done.designs)
        write_run(folder, done.record, done.designs)
    plan = Plan(task="tfbind8", method="random", seed=2)
    record = propose(plan).record
    failed = msgspec.structs.replace(
        record, status="failed", failure="diverged", designs=0, designs_sha256=None, notes=()
    )
    write_run(folder, failed, None)
    return read_runs(folder)


@pytest.fixture
def scored(runs: tuple[Run, ...]) -> list[Run]:
    return [run for run in runs if run.record.status != "proposed"]


def changed(run: Run, **fields: Any) -> Run:
    """A run whose record says something else."""
    return Run(msgspec.structs.replace(run.record, **fields), "forged", lambda: submitted(run))


def submitted(run: Run) -> Submitted | None:
    return None if run.designs is None else Submitted(run.designs, run.predicted)


def as_mine(run: Run, **fields: Any) -> Run:
    """The same, as a stranger's method."""
    return changed(run, **{"method": "mine", "title": "Mine", "code": "a:Mine", **fields})


def with_designs(run: Run, designs: np.ndarray) -> Run:
    return Run(run.record, "forged", lambda: Submitted(designs, None))


# ------------------------------------------------------------------------------------ kept and read


def test_a_collection_gives_back_what_was_put_in(runs: tuple[Run, ...], tmp_path: Path) -> None:
    files = write_collection(runs, tmp_path)
    assert files == [
        "data/chembl/random.parquet",
        "data/hopper/best_logged.parquet",
        "data/tfbind8/best_logged.parquet",
        "data/tfbind8/random.parquet",
    ]
    back = read_runs(tmp_path)
    assert [run.record for run in back] == [run.record for run in runs]
    for run, again in zip(runs, back, strict=True):
        if run.designs is None:
            assert again.designs is None
            continue
        assert again.designs is not None
        assert again.designs.dtype == run.designs.dtype
        np.testing.assert_array_equal(again.designs, run.designs)
        np.testing.assert_array_equal(again.score, run.score)


def test_writing_twice_gives_the_same_bytes(scored: list[Run]) -> None:
    assert encode(scored[:1]) == encode(scored[:1])


def test_designs_that_are_not_kept_are_still_named(scored: list[Run], tmp_path: Path) -> None:
    bare = [Run(run.record, run.where) for run in scored]
    write_collection(bare, tmp_path)
    back = read_runs(tmp_path)
    assert all(run.designs is None for run in back)
    assert [r.record.designs_sha256 for r in back] == [r.record.designs_sha256 for r in scored]
    assert {one.verdict for one in verify_runs(back).checked} == {"unseen", "failed"}


def test_the_real_client_loads_it(runs: tuple[Run, ...], tmp_path: Path) -> None:
    write_collection(runs, tmp_path / "results")
    card = "---\nconfigs:\n- config_name: tfbind8\n  data_files: data/tfbind8/*.parquet\n---\n"
    (tmp_path / "results" / "README.md").write_text(card)
    code = (
        "import datasets, sys; d = datasets.load_dataset(sys.argv[1], 'tfbind8')['train'];"
        "print(d.num_rows, len(d[0]['designs']), len(d[0]['designs'][0]), sorted(d['status'])[0])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "results")],
        env={"PATH": "", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.split() == ["4", "128", "8", "failed"]


def test_files_of_a_task_have_one_type_even_where_all_runs_failed(runs: tuple[Run, ...]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    failed = [run for run in runs if run.record.status == "failed"]
    others = [run for run in runs if run.record.task == "tfbind8" and run not in failed]
    one, another = (pq.read_schema(pa.BufferReader(encode(r))) for r in (failed, others))
    assert one.field("designs").type == another.field("designs").type
    assert one.field("predicted").type == another.field("predicted").type


def test_a_folder_without_runs_says_how_to_make_some(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="no runs in it; make some with  mbo run"):
        read_runs(tmp_path)
    with pytest.raises(InvalidFile, match="no such folder"):
        read_runs(tmp_path / "nowhere")


def test_a_column_that_says_other_than_the_record_is_found(scored: list[Run]) -> None:
    """Whatever column it is: a table reads the columns, a check the record."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(encode([scored[0]])))
    for name, kind in collection.COLUMNS.items():
        value = table[name].to_pylist()[0]
        other: Any
        if name == "y":
            other = [0.5] * len(value)
        elif name == "record":
            continue
        elif pa.types.is_string(kind):
            other = "forged"
        elif pa.types.is_boolean(kind):
            other = not value
        else:
            other = 7 if value is None else value + 1
        at = table.schema.get_field_index(name)
        forged = table.set_column(at, table.schema.field(name), pa.array([other], kind))
        sink = pa.BufferOutputStream()
        pq.write_table(forged, sink)
        with pytest.raises(InvalidFile, match=f"row 0: column {name} says"):
            decode(sink.getvalue().to_pybytes(), "x.parquet")


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"not parquet at all", b"PAR1" * 50])
def test_a_file_that_is_no_parquet_is_named(raw: bytes) -> None:
    with pytest.raises(InvalidFile, match=r"x\.parquet"):
        decode(raw, "x.parquet")


def test_another_parquet_file_is_refused() -> None:
    raw = (ROOT / "dataset_cards/tfbind8/data/train.parquet").read_bytes()
    with pytest.raises(InvalidFile, match="not a file of results"):
        decode(raw, "x.parquet")


def _with(table: Any, name: str, values: list[Any]) -> Any:
    """Give a column of a table other values."""
    import pyarrow as pa

    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("designs", [3]),
        ("designs", [[1, 2]]),
        ("designs", ["ACGT"]),
        ("designs", [[["A"]]]),
        ("designs", [[[[1]]]]),
        ("designs", [{"x": 1}]),
        ("designs", [True]),
        ("designs", [None]),
        ("predicted", ["much"]),
        ("predicted", [["much"]]),
        ("predicted", [1.5]),
        ("predicted", [[[1.5]]]),
        ("y", [["high"]]),
        ("seed", ["0"]),
        ("record", [b"{}"]),
        ("title", [1]),
    ],
)
def test_a_column_of_another_type_is_named(
    name: str, values: list[Any], scored: list[Run], tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(encode(_of(scored, "best_logged"))))
    file = tmp_path / "data" / "tfbind8" / "best_logged.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(_with(table, name, values), file)
    with pytest.raises(InvalidFile, match=f"best_logged.parquet: column {name} is "):
        read_runs(tmp_path)
    (problem,) = schema.problems(file.read_bytes(), "x")
    assert problem.startswith(f"x: column {name} is ")
    for verb in (["table", str(tmp_path)], ["verify", str(tmp_path)],
                 ["plot", str(tmp_path), "--out", str(tmp_path / "p")]):  # fmt: skip
        ran = CliRunner().invoke(main, verb)
        assert (ran.exit_code, "Traceback" in ran.output) == (1, False)
        assert f"column {name} is " in ran.output


def test_further_columns_are_never_decoded(scored: list[Run]) -> None:
    """Six kilobytes of them may be 300 million values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(encode(_of(scored, "best_logged"))))
    zeros = pa.ListArray.from_arrays([0, 2**26], pa.array(np.zeros(2**26, np.int8)))
    sink = pa.BufferOutputStream()
    pq.write_table(table.append_column("zz", zeros), sink, compression="zstd")
    raw = sink.getvalue().to_pybytes()
    before = pa.default_memory_pool().max_memory()
    assert [run.record for run in decode(raw, "x")] == [_of(scored, "best_logged")[0].record]
    assert schema.problems(raw, "x") == []
    assert pa.default_memory_pool().max_memory() == before
    assert joining._unasked(raw, decode(raw, "x"), "x") == [
        "x: has a further column 'zz'; remove it"
    ]


@pytest.mark.parametrize("name", ["designs", "predicted", "record", "y"])
def test_a_small_file_of_very_much_is_refused(name: str, scored: list[Run]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(encode(_of(scored, "best_logged"))))
    many = pa.array(np.zeros(2**26, np.int8))
    columns = {
        "designs": pa.ListArray.from_arrays([0, 2**23], pa.ListArray.from_arrays(
            np.arange(0, 2**26 + 1, 8, np.int32), many)),
        "predicted": pa.ListArray.from_arrays([0, 2**26], many),
        "y": pa.ListArray.from_arrays([0, 2**26], pa.array(np.zeros(2**26))),
        "record": pa.array(["x" * 2**27]),
    }  # fmt: skip
    if name == "record":
        table = pa.concat_tables([table] * 5)
        columns["record"] = pa.array(["x" * 2**26] * 5)
    at = table.schema.get_field_index(name)
    sink = pa.BufferOutputStream()
    pq.write_table(table.set_column(at, name, columns[name]), sink, compression="zstd")
    with pytest.raises(InvalidFile, match="in memory"):
        collection.table_of(sink.getvalue().to_pybytes(), "x", 2**25)


def test_a_file_of_too_many_rows_is_refused(scored: list[Run]) -> None:
    one = _of(scored, "best_logged")[0]
    raw = encode([Run(one.record, "x")] * (collection.MOST_ROWS + 1))
    with pytest.raises(InvalidFile, match="has 4,097 rows"):
        decode(raw, "x")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"seed": 2**63}, "`int` <= 9223372036854775807 - at `$.seed`"),
        ({"peak_mb": 2**63}, "`$.peak_mb`"),
        ({"projected": 2**100}, "`$.projected`"),
        ({"budget": 2**70}, "`$.budget`"),
        ({"seed": -1}, "`$.seed`"),
        ({"cpu_seconds": -1.0}, "`$.cpu_seconds`"),
        ({"dataset_sha256": "x"}, "`$.dataset_sha256`"),
        ({"task": "tfbind8\n"}, "`$.task`"),
        ({"task_version": "1.0.0\n"}, "`$.task_version`"),
        ({"y_range": (0.0, 0.0)}, "no score can be computed"),
        ({"y_range": (1.0, 0.0)}, "no score can be computed"),
        ({"y_range": (0.0, 5e-324)}, "no score can be computed"),
        ({"y_range": (-1e308, 1e308)}, "no score can be computed"),
        ({"y_range": (0.0, 2.0)}, "its receipt says"),
    ],
    ids=str,
)  # fmt: skip
def test_a_record_out_of_range_is_refused_when_it_is_read(
    fields: dict[str, Any], why: str, scored: list[Run]
) -> None:
    import json

    document = json.loads(_of(scored, "best_logged")[0].record.encode()) | fields
    with pytest.raises(InvalidFile) as refused:
        Record.decode(json.dumps(document).encode(), "here")
    assert why in str(refused.value)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty record": lambda folder: (folder / "record.json").write_bytes(b""),
    "cut record": lambda folder: (folder / "record.json").write_bytes(b'{"format": 1,'),
    "copied folder": lambda folder: shutil.copytree(folder, folder.with_name("seed-0 (1)")),
    "renamed folder": lambda folder: folder.rename(folder.with_name("seed-7")),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_runs_are_all_named_with_the_way_out(
    damage: str, scored: list[Run], tmp_path: Path
) -> None:
    for run in (r for r in scored if r.record.status == "scored"):
        designs = (Path(run.where) / "designs.parquet").read_bytes()
        write_run(tmp_path, run.record, designs)
    for method in ("random", "best_logged"):
        DAMAGE[damage](tmp_path / "tfbind8" / method / "standard" / "seed-0")
    with pytest.raises(InvalidFile) as refused:
        read_runs(tmp_path)
    assert str(refused.value).count("Delete the folder ") == 2
    for name in re.findall(r"Delete the folder (.*) if nobody", str(refused.value)):
        shutil.rmtree(name)
    assert read_runs(tmp_path)


def test_designs_that_are_gone_are_named_with_the_way_out(
    scored: list[Run], tmp_path: Path
) -> None:
    folder = write_run(tmp_path, _of(scored, "random")[0].record, None)
    (run,) = read_runs(tmp_path)
    with pytest.raises(InvalidFile, match=f"Delete the folder {folder} if nobody needs it"):
        _ = run.designs


def test_folders_of_a_file_server_are_no_runs(scored: list[Run], tmp_path: Path) -> None:
    run = _of(scored, "random")[0]
    folder = write_run(tmp_path, run.record, None)
    for name in ("@eaDir", ".sync"):
        other = tmp_path / "tfbind8" / "random" / name / "seed-0"
        other.mkdir(parents=True)
        shutil.copy(folder / "record.json", other)
    assert [r.record for r in read_runs(tmp_path)] == [run.record]


# ---------------------------------------------------------------------------------------- forgeries


def test_honest_runs_hold(scored: list[Run]) -> None:
    verdict = verify_runs(scored)
    assert verdict.ok, str(verdict)
    found = {"holds": 4, "wrong": 0, "failed": 1, "unseen": 0, "unchecked": 0}
    assert verdict.counts() == found


def test_a_run_whose_task_cannot_be_had_is_not_called_wrong(scored: list[Run]) -> None:
    """Nor does it hold: whoever checks has to get the task."""
    honest = _of(scored, "best_logged")[0]
    report = msgspec.structs.replace(honest.record.report, task="superconductor")
    elsewhere = changed(honest, task="superconductor", report=report)
    verdict = verify_runs([elsewhere, honest])
    assert [one.verdict for one in verdict.checked] == ["unchecked", "holds"]
    assert not verdict.ok
    assert "1 could not be checked" in str(verdict)
    assert "not checked: " in str(verdict)
    assert "mbo build superconductor" in str(verdict)


def _better(run: Run) -> Run:
    report = run.record.report
    assert report is not None
    better = msgspec.structs.replace(report, y=(0.999, *report.y[1:]))
    return changed(run, report=better)


def _better_best(run: Run) -> Run:
    report = run.record.report
    assert report is not None
    best = msgspec.structs.replace(report.normalized, best=0.999)
    return changed(run, report=msgspec.structs.replace(report, normalized=best))


def _other_design(run: Run) -> Run:
    assert run.designs is not None
    designs = run.designs.copy()
    designs[3, 0] = (designs[3, 0] + 1) % 4
    return with_designs(run, designs)


def _other_hash(run: Run) -> Run:
    report = run.record.report
    assert report is not None
    report = msgspec.structs.replace(report, designs_sha256="0" * 64)
    return changed(run, designs_sha256="0" * 64, report=report)


def _one_more(run: Run) -> Run:
    assert run.designs is not None
    return with_designs(run, np.concatenate([run.designs, run.designs[:1]]))


def _illegal(run: Run) -> Run:
    assert run.designs is not None
    designs = run.designs.copy()
    designs[0, 0] = 4
    space = mbo_hub.load("tfbind8").space
    sha = designs_sha256(designs, space)
    assert run.record.report is not None
    report = msgspec.structs.replace(run.record.report, designs_sha256=sha)
    record = msgspec.structs.replace(run.record, designs_sha256=sha, report=report)
    return Run(record, "forged", lambda: Submitted(designs, None))


def _large_budget(run: Run) -> Run:
    report = run.record.report
    assert report is not None
    return changed(run, budget=129, report=msgspec.structs.replace(report, budget=129))


FORGERIES: dict[str, tuple[Callable[[Run], Run], str]] = {
    "score changed": (_better, "score of 1 designs, first design 0"),
    "best changed": (_better_best, "normalized.best: the receipt says 0.999"),
    "design changed": (_other_design, "its designs have sha256"),
    "sha256 changed": (_other_hash, "its designs have sha256"),
    "one design more": (_one_more, "it says 128 designs, there are 129"),
    "illegal design": (_illegal, "design 0 has token 4"),
    "129 designs": (_large_budget, "budget of 129 designs is more than"),
    "other range": (lambda run: changed(run, y_range=(0.0, 0.5)), "it rescales by"),
    "other dataset": (lambda run: changed(run, task_version="9.9.9"), "9.9.9"),
    "moved": (
        lambda run: changed(run, report=msgspec.structs.replace(run.record.report, projected=1)),
        "were moved before",
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_found(name: str, scored: list[Run]) -> None:
    forge, why = FORGERIES[name]
    honest = next(r for r in scored if r.record.method == "random" and r.record.task == "tfbind8")
    verdict = verify_runs([forge(honest)])
    assert not verdict.ok
    assert why in str(verdict)


def test_designs_of_another_method_are_found(scored: list[Run]) -> None:
    honest = next(r for r in scored if r.record.method == "random" and r.record.task == "tfbind8")
    verdict = verify_runs([*scored, changed(honest, method="mine")])
    assert "its designs are those of random (standard) on tfbind8" in str(verdict)
    assert verify_runs(scored).ok


def test_a_run_that_is_there_twice_is_found(scored: list[Run]) -> None:
    assert "it is there twice" in str(verify_runs([*scored, scored[0]]))


def test_a_sample_takes_from_every_task(scored: list[Run]) -> None:
    names = sample(scored, 2)
    assert len(names) == 2
    assert {name.split(" on ")[1].split(",")[0] for name in names} == {"tfbind8", "chembl"}
    assert sample(scored, 2) == names
    assert len(sample(scored, 99)) == 4


def test_mbo_verify_says_what_holds(scored: list[Run], tmp_path: Path) -> None:
    write_collection(scored, tmp_path)
    ran = CliRunner().invoke(main, ["verify", str(tmp_path), "--only", "tfbind8"])
    assert ran.exit_code == 0, ran.output
    assert "4 runs: 3 hold, 0 are wrong, 1 say that they failed" in ran.output
    honest = next(r for r in scored if r.record.method == "best_logged")
    write_collection([_other_design(honest)], tmp_path)
    ran = CliRunner().invoke(main, ["verify", str(tmp_path), "--only", "tfbind8"])
    assert ran.exit_code == 1
    assert "best_logged (standard) on tfbind8, seed 0: its designs have sha256" in ran.output


# -------------------------------------------------------------------------------------- joined


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub that this very process talks to, with an empty collection."""
    with HubServer(tmp_path / "hub") as server:
        server.create("dataset", "mbo/results")
        server.adopt(monkeypatch, tmp_path / "home")
        yield server


def test_runs_join_by_a_pull_request(scored: list[Run], tmp_path: Path, hub: HubServer) -> None:
    ours = [r for r in scored if r.record.method == "best_logged"]
    theirs = _of(scored, "random")[:2]
    files = write_collection(ours, tmp_path / "collection")
    contents = {f: (tmp_path / "collection" / f).read_bytes() for f in files}
    hub.put("dataset", "mbo/results", {"README.md": b"# Results", **contents})
    for run in theirs:
        designs = (
            None if run.designs is None else (Path(run.where) / "designs.parquet").read_bytes()
        )
        write_run(tmp_path / "mine", as_mine(run).record, designs)

    env = hub.env(tmp_path / "home", READ_TOKEN)  # who may only read may ask
    mbo = [sys.executable, "-m", "mbo_hub"]
    ask = [*mbo, "publish", "mine", "--to", "mbo/results", "--pull-request"]
    ran = subprocess.run(ask, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[0] == f"{hub.url}/datasets/mbo/results/discussions/1"
    assert "data/tfbind8/mine.parquet" in ran.stdout
    assert set(hub.files("dataset", "mbo/results")) >= {"README.md", *files}
    assert "data/tfbind8/mine.parquet" not in hub.files("dataset", "mbo/results")

    env = hub.env(tmp_path / "home")
    look = [*mbo, "verify", "mbo/results", "--pull-request", "1", "--comment"]
    ran = subprocess.run(look, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = "**2 new or changed runs were scored again; this pull request may be merged.**"
    assert said in ran.stdout
    assert "| tfbind8 | mine v1 | standard | 0 |" in ran.stdout
    commit = hub._load("dataset", "mbo/results")["pull_requests"][0]["sha"]
    assert f"Checked was commit {commit}, and no other one." in ran.stdout
    assert 'add "mine": "tester" to owners.json' in ran.stdout
    said = hub._load("dataset", "mbo/results")["pull_requests"][0]["comments"]
    assert said[-1][1] == ran.stdout


def _asked(
    scored: list[Run],
    tmp_path: Path,
    hub: HubServer,
    forged: dict[str, bytes],
    gone: str = "",
    owners: bytes = b"{}",
) -> joining.Asked:
    """Check a pull request that a stranger made by hand."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    files = write_collection(scored, tmp_path / "collection")
    contents = {f: (tmp_path / "collection" / f).read_bytes() for f in files}
    hub.put("dataset", "mbo/results", {"owners.json": owners, "README.md": b"#", **contents})
    operations = [CommitOperationAdd(path, raw) for path, raw in forged.items()]
    HfApi().create_commit(
        "mbo/results",
        [*operations, CommitOperationDelete(gone)] if gone else operations,
        repo_type="dataset",
        commit_message="Mine",
        create_pr=True,
    )
    return joining.check_pull_request("mbo/results", 1)


def _of(scored: list[Run], method: str, task: str = "tfbind8") -> list[Run]:
    return [r for r in scored if (r.record.method, r.record.task) == (method, task)]


def test_a_pull_request_that_changes_a_published_run_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    random = _of(scored, "random")
    forged = encode([_better(random[0]), *random[1:]])
    files = {"data/tfbind8/random.parquet": forged}
    asked = _asked(scored, tmp_path, hub, files, owners=b'{"random": "tester"}')
    assert not asked.ok
    assert asked.problems == (
        "it changes random (standard) on tfbind8, seed 0, which was published",
    )
    assert not asked.verdict.checked, "nothing is scored where a rule is broken"


def test_the_owner_of_a_name_may_raise_its_version(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    mine = [as_mine(run) for run in _of(scored, "random")[:2]]
    newer = changed(mine[0], method_version="2")
    files = {"data/tfbind8/mine.parquet": encode([newer, mine[1]])}
    asked = _asked(mine, tmp_path, hub, files, owners=b'{"mine": ["another", "Tester"]}')
    assert asked.ok, str(asked)
    assert [one.record.method_version for one in asked.verdict.checked] == ["2"]


def test_scores_that_the_oracle_does_not_give_are_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    """Also within the tolerance of the task, as the oracle is exact here."""
    mine = as_mine(_of(scored, "random")[0])
    report = mine.record.report
    near = msgspec.structs.replace(report, y=(report.y[0] + 1e-7, *report.y[1:]))
    files = {"data/tfbind8/mine.parquet": encode([changed(mine, report=near)])}
    asked = _asked(_of(scored, "best_logged"), tmp_path, hub, files)
    assert not asked.ok
    assert "score of 1 designs, first design 0" in str(asked)


def test_a_request_that_changes_while_it_is_checked_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever keeps the collection merges what is there by then, not what was checked."""
    files = {"data/tfbind8/mine.parquet": encode([as_mine(_of(scored, "random")[0])])}
    honest = _asked(_of(scored, "best_logged"), tmp_path, hub, files)
    assert honest.ok, str(honest)
    seen: list[str] = []

    def moved(repo: str, kind: str, revision: str = "main") -> str:
        seen.append(revision)
        return commit_of(repo, kind, revision) if seen.count(revision) < 2 else "f" * 40

    commit_of = joining.hub.commit_of
    monkeypatch.setattr(joining.hub, "commit_of", moved)
    asked = joining.check_pull_request("mbo/results", 1)
    assert asked.commit == honest.commit
    assert asked.problems == ("it changed while it was checked; check it again",)
    assert "may not be merged" in str(asked)


def test_a_pull_request_that_changes_a_design_only_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    random = _of(scored, "random")
    forged = encode([_other_design(random[0]), *random[1:]])
    asked = _asked(scored, tmp_path, hub, {"data/tfbind8/random.parquet": forged})
    said = "it changes random (standard) on tfbind8, seed 0, which was published"
    assert said in asked.problems


def test_a_name_belongs_to_the_code_that_has_it(scored: list[Run], hub: HubServer) -> None:
    """Else a newer version of somebody's own would take the place of what was published."""
    first = [as_mine(r) for r in _of(scored, "random")[:1]]
    hub.put("dataset", "mbo/results", {"owners.json": b'{"mine": "tester"}'})
    joining.join(first, "mbo/results", pull_request=False)
    scored_again: list[object] = []
    for run, owner in (
        (changed(first[0], code="b:Mine", method_version="2"), "a:Mine"),
        (changed(first[0], code="b:Mine", seed=7), "a:Mine"),
        (changed(first[0], method="grad", code="b:Mine"), "mbo_hub"),  # has no runs there yet
        (changed(_of(scored, "random", "chembl")[0], method="mine", code="b:Mine"), "a:Mine"),
    ):
        said = f"is that of a method of {owner}, and this is b:Mine; give it a name of its own"
        with pytest.raises(PublishConflict, match=said):
            joining.join([run], "mbo/results", pull_request=True, tell=scored_again.append)
    assert not scored_again, "what cannot join is refused before hours of scoring"
    two = [
        changed(r, method="new", code=c) for r, c in zip(_of(scored, "random"), "bc", strict=False)
    ]
    with pytest.raises(PublishConflict, match="'new' is that of a method of b, and this is c"):
        joining.join(two, "mbo/results", pull_request=True)
    newer = changed(first[0], method_version="2")
    assert joining.join([newer], "mbo/results", pull_request=True, dry_run=True).rows == 1


def test_a_pull_request_that_takes_a_name_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    random = _of(scored, "random")
    forged = encode([changed(r, code="b:Mine", method_version="2") for r in random])
    asked = _asked(scored, tmp_path, hub, {"data/tfbind8/random.parquet": forged})
    said = "the name 'random' is that of whoever keeps the collection, and tester asks"
    assert said in [p.partition(";")[0] for p in asked.problems]
    assert not asked.ok


def test_a_pull_request_that_takes_a_name_of_another_task_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    first = [as_mine(r) for r in _of(scored, "random")[:1]]
    mine = [as_mine(_of(scored, "random", "chembl")[0])]
    files = {"data/chembl/mine.parquet": encode(mine)}
    asked = _asked(first, tmp_path, hub, files, owners=b'{"mine": "somebody"}')
    said = "the name 'mine' is that of somebody, and tester asks"
    assert [p.partition(";")[0] for p in asked.problems] == [said]


def test_a_pull_request_that_removes_runs_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    fewer = encode(_of(scored, "random")[:1])
    asked = _asked(
        scored,
        tmp_path,
        hub,
        {"data/tfbind8/random.parquet": fewer},
        "data/tfbind8/best_logged.parquet",
    )
    assert "it removes random (standard) on tfbind8, seed 1" in asked.problems
    assert "it removes data/tfbind8/best_logged.parquet" in asked.problems


def test_a_pull_request_that_changes_anything_else_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    asked = _asked(scored, tmp_path, hub, {"README.md": b"# Mine", "data/tfbind8/x.py": b"1"})
    assert [p.partition(";")[0] for p in asked.problems] == [
        "it changes README.md",
        "it changes data/tfbind8/x.py",
    ]


def test_a_pull_request_with_the_designs_of_another_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    mine = encode([as_mine(_of(scored, "random")[0])])
    asked = _asked(scored, tmp_path, hub, {"data/tfbind8/mine.parquet": mine})
    assert not asked.ok
    said = "128 of its designs (100%) are those of random (standard) on tfbind8, seed 0"
    assert [p.partition(": ")[2] for p in asked.problems] == [said]


def test_a_pull_request_of_garbage_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    asked = _asked(scored, tmp_path, hub, {"data/tfbind8/mine.parquet": b"PAR1 no"})
    assert not asked.ok
    assert "mbo/results/data/tfbind8/mine.parquet" in asked.problems[0]


def test_a_run_in_the_wrong_file_is_refused(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    mine = encode(_of(scored, "random", "chembl"))
    asked = _asked(scored, tmp_path, hub, {"data/tfbind8/mine.parquet": mine})
    assert "belongs in data/chembl/random.parquet" in asked.problems[0]


def test_joining_twice_sends_nothing_and_other_designs_are_a_conflict(
    scored: list[Run], tmp_path: Path, hub: HubServer
) -> None:
    hub.put("dataset", "mbo/results", {"owners.json": b'{"random": "tester"}'})
    first = joining.join(scored, "mbo/results", pull_request=False)
    assert first.rows == len(scored)
    assert {run.record.place for run in joining.find_runs("mbo/results")} == {
        run.record.place for run in scored
    }
    again = joining.join(scored, "mbo/results", pull_request=True)
    assert again == joining.Joined((), 0, None)
    one = _of(scored, "random")[0]
    swapped = _of(scored, "random")[1]
    other = Run(msgspec.structs.replace(swapped.record, seed=0), "mine", lambda: submitted(swapped))
    with pytest.raises(PublishConflict, match="has other designs of random"):
        joining.join([other], "mbo/results", pull_request=True)
    newer = msgspec.structs.replace(swapped.record, seed=0, method_version="2")
    asked = joining.join(
        [Run(newer, "mine", lambda: submitted(swapped))], "mbo/results", pull_request=True
    )
    assert asked.rows == 1
    assert one.record.method_version == "1"


@pytest.mark.parametrize("name", ["results", "a/b/c", "", "/x", "a b/c", "https://x/y"])
def test_a_name_that_is_no_repository_is_refused_at_once(name: str, scored: list[Run]) -> None:
    """Nobody is asked: there is no Hub here."""
    with pytest.raises(UnknownTask, match="name it owner/name"):
        joining.join(scored, name, pull_request=True)
    with pytest.raises(UnknownTask, match="name it owner/name"):
        joining.check_pull_request(name, 1)
    with pytest.raises(UnknownTask, match="name it owner/name"):
        joining.published(name)


def test_runs_that_do_not_hold_are_not_sent(scored: list[Run], hub: HubServer) -> None:
    forged = as_mine(_other_design(_of(scored, "random")[0]))
    with pytest.raises(InvalidFile, match=r"cannot join(.|\n)*its designs have sha256"):
        joining.join([forged], "mbo/results", pull_request=True)
    assert "pull_requests" not in hub._load("dataset", "mbo/results")


# -------------------------------------------------------------------------------------- the schema


def test_the_schema_takes_what_is_written(runs: tuple[Run, ...]) -> None:
    for file in {collection.file_of(run.record) for run in runs}:
        mine = [r for r in runs if collection.file_of(r.record) == file]
        wanted = any(r.record.status == "proposed" for r in mine)
        assert bool(schema.problems(encode(mine), file)) == wanted, file


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("status", "proposed", "isin"),
        ("seed", -1, "greater_than_or_equal_to(0)"),
        ("budget", 129, "in_range(1, 128)"),
        ("invalid", 1.5, "in_range(0, 1)"),
        ("designs_sha256", "x", "str_matches"),
        ("designs_sha256", None, "a scored run has designs"),
        ("failure", "why", "a failed run says why"),
        ("y", [0.1], "a score for each design"),
        ("median", 9.0, "the median is at most the best"),
        ("method", "../x", "str_matches"),
        ("seed", None, "not_nullable"),
    ],
)
def test_the_schema_refuses(column: str, value: Any, why: str, scored: list[Run]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(encode(_of(scored, "best_logged"))))
    at = table.schema.get_field_index(column)
    kind = table.schema.field(column).type
    table = table.set_column(at, column, pa.array([value], kind))
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    found = schema.problems(sink.getvalue().to_pybytes(), "x.parquet")
    assert any(why in problem for problem in found), found


def test_the_schema_refuses_a_run_that_is_there_twice(scored: list[Run]) -> None:
    one = _of(scored, "best_logged")[0]
    assert any("seed" in p or "unique" in p for p in schema.problems(encode([one, one]), "x"))


# -------------------------------------------------------------------------- what need not be computed


def test_a_slow_exact_oracle_is_not_asked_for_what_the_dataset_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = mbo_hub.load("nas")
    asked = []

    def train(self: Any, legal: np.ndarray) -> Answer:
        asked.append(legal)
        return Answer(np.full(len(legal), 50, np.float32))

    monkeypatch.setattr(type(task.oracle), "answer", train)
    monkeypatch.setattr(type(task.oracle), "agreement", "exact")  # which trains golden networks
    new = task.space.sample(2, rng=12345)
    hidden_x, hidden_y = task.hidden
    designs = np.concatenate([task.x[:3], new, hidden_x[:1]])
    y = looked_up(task).evaluate(designs).y
    np.testing.assert_array_equal(np.concatenate(asked), new)
    assert y == (*task.y[:3].tolist(), 50.0, 50.0, float(hidden_y[0]))
    asked.clear()
    looked_up(task).evaluate(task.x[:3])
    assert not asked


@pytest.mark.parametrize("name", ["tfbind8", "chembl", "ant"])
def test_other_oracles_are_always_asked(name: str) -> None:
    task = mbo_hub.load(name)
    assert looked_up(task) is task


# ------------------------------------------------------------------------------- what is published


@pytest.fixture(scope="module")
def published() -> tuple[Run, ...]:
    return published_runs()


def test_the_published_results_hold_what_they_say(published: tuple[Run, ...]) -> None:
    """A sample of each task's runs, scored again; nas takes minutes a run."""
    found = published
    wanted = sample([r for r in found if r.record.task in ("tfbind8", "tfbind10", "chembl")], 9)
    verdict = verify_runs(found, only=lambda record: str(record) in wanted)
    assert len(verdict.checked) == 9
    assert verdict.ok, str(verdict)
    assert {one.record.task for one in verdict.checked} == {"tfbind8", "tfbind10", "chembl"}


def test_the_published_results_copy_no_data_that_are_not_ours(published: tuple[Run, ...]) -> None:
    for run in published:
        if run.record.task == "superconductor" and run.designs is not None:
            assert run.record.report is not None
            assert run.record.report.visible == 0


def test_the_published_results_fit_a_repository() -> None:
    sizes = [path.stat().st_size for path in PUBLISHED.rglob("*") if path.is_file()]
    assert sum(sizes) < 40e6
    assert (PUBLISHED / "README.md").read_text().startswith("---\nlicense:")


def test_the_real_client_loads_each_config_of_the_published_results(
    published: tuple[Run, ...], tmp_path: Path
) -> None:
    code = (
        "import datasets, sys\n"
        "for name in datasets.get_dataset_config_names(sys.argv[1]):\n"
        "    rows = datasets.load_dataset(sys.argv[1], name, streaming=True)['train']\n"
        "    print(name, next(iter(rows))['task'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, str(PUBLISHED)],
        env={"PATH": "", "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    tasks = sorted({run.record.task for run in published})
    assert sorted(ran.stdout.splitlines()) == [f"{task} {task}" for task in tasks]


@pytest.mark.parametrize(
    ("place", "fixed"),
    [("mbo/results", True), ("collection", True), ("runs", False), ("a/runs", False)],
)
def test_terms_are_fixed_where_strangers_join(
    place: str, fixed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("collection/data", "runs/tfbind8", "a/runs/tfbind8"):
        Path(folder).mkdir(parents=True)
    assert joining.terms_of(place) == (ARCHIVE if fixed else None)
