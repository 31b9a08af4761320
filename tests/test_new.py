"""`mbo new`: from a table to a task that loads, scores, validates, is exported and published."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from conftest import ROOT
from hub_server import WRITE_TOKEN, HubServer
from huggingface_hub import close_session, constants
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from scipy.stats import spearmanr

import mbo_hub
from mbo_hub import (
    Box,
    ExportConflict,
    IntegrityError,
    InvalidDataset,
    InvalidDesign,
    InvalidFile,
    MboHubError,
    OracleUnavailable,
    Sequence,
    UnknownRevision,
    UnknownTask,
    cli,
    extras,
    validate,
)
from mbo_hub.archive import folders
from mbo_hub.archive.export import export
from mbo_hub.oracles import golden
from mbo_hub.publishing import pictures
from mbo_hub.publishing.columns import new_task_from, space_of
from mbo_hub.publishing.mirror import export_git
from mbo_hub.publishing.new import new_task, unfinished
from mbo_hub.publishing.publish import publish

DNA = Sequence(length=6, alphabet=tuple("ACGT"))
ROWS = 1_000
# What a reader does who has nothing but the Hub.
LOAD = """
import sys
from pathlib import Path
import numpy as np, mbo_hub
task, place = mbo_hub.load(sys.argv[1], "v1.0.0"), Path(sys.argv[2])
receipt, designs = place / "receipt.json", np.load(place / "designs.npy")
print(len(task.x), np.array_equal(task.oracle(task.x), task.y), task.verify(receipt, designs).ok)
"""
OWNER = "stranger"


def weights(length: int, letters: int) -> np.ndarray:
    return np.random.default_rng(5).integers(-3, 8, (length, letters)).astype(np.float32)


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """They take most of the time; only what asks for a Hub or for them draws them."""
    if not {"hub", "pictured"} & set(request.fixturenames):
        without_matplotlib(monkeypatch)


def without_matplotlib(patch: pytest.MonkeyPatch) -> None:
    find = extras.find_spec
    patch.setattr(extras, "find_spec", lambda name: None if name == "matplotlib" else find(name))


@pytest.fixture
def pictured() -> None:
    """Draws pictures."""


def write_graph(
    path: Path,
    space: Sequence | Box,
    *,
    gain: np.ndarray | None = None,
    names: tuple[str, str] = ("x", "y"),
    dtype: int | None = None,
    batch: int | None = None,
    relative: bool = False,
) -> Path:
    """An ONNX file that adds a weight for each token, or a multiple of each value.

    A relative one takes off what the best design of the batch gets.
    """
    x, y = names
    is_tokens = isinstance(space, Sequence)
    kind = dtype or (TensorProto.INT64 if is_tokens else TensorProto.FLOAT)
    if isinstance(space, Sequence):
        letters = len(space.alphabet)
        table = weights(space.length, letters) if gain is None else gain
        offsets = np.arange(space.length, dtype=np.int64) * letters
        nodes = [
            helper.make_node("Cast", [x], ["whole"], to=TensorProto.INT64),
            helper.make_node("Add", ["whole", "offsets"], ["flat"]),
            helper.make_node("Gather", ["table", "flat"], ["parts"]),
            helper.make_node("ReduceSum", ["parts", "axis"], [y], keepdims=0),
        ]
        constants_ = {"offsets": offsets, "table": table.ravel(), "axis": np.array([1], np.int64)}
    else:
        factors = np.ones((space.size, 1), np.float32) if gain is None else gain
        nodes = [helper.make_node("MatMul", [x, "factors"], [y])]
        constants_ = {"factors": factors}
    if relative:
        nodes[-1].output[0] = "sums"
        nodes += [
            helper.make_node("ReduceMax", ["sums"], ["best"], keepdims=0),
            helper.make_node("Sub", ["sums", "best"], [y]),
        ]
    graph = helper.make_graph(
        nodes, "mine",
        [helper.make_tensor_value_info(x, kind, [batch, space.dim])],
        [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants_.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path


def write_csv(path: Path, header: list[str], rows: Any) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def mbo(*arguments: object, code: int = 0) -> Any:
    done = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    assert code or not isinstance(done.exception, Exception)
    return done


def fill_in(folder: Path) -> None:
    """Do what the author has to do."""
    card = folder / "README.md"
    card.write_text(re.sub(r"TODO: .*", "Written by hand.", card.read_text()))


def hidden_files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(".")}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 sequences and their values, in a CSV; an ONNX file that knows them beside it."""
    place = tmp_path_factory.mktemp("stranger")
    x = DNA.sample(ROWS, rng=0)
    write_graph(place / "model.onnx", DNA)
    y = weights(6, 4)[np.arange(6), x].sum(axis=1)
    return write_csv(place / "measured.csv", ["sequence", "y"], zip(DNA.decode(x), y, strict=True))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub that this very process talks to."""
    with HubServer(tmp_path / "hub") as server:
        for name, value in server.env(tmp_path / "home", WRITE_TOKEN).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        close_session()  # one of another test may go by way of a proxy
        yield server


def test_two_commands_from_a_table_to_a_task(table: Path, tmp_path: Path, hub: HubServer) -> None:
    mine = tmp_path / "my-task"
    said = mbo(
        "new", mine, "--from", table, "--space", "dna", "--oracle", table.parent / "model.onnx"
    )
    assert said.stdout.splitlines()[0] == str(mine)
    assert "designs: column sequence" in said.stdout
    assert "length: 6, that of every design" in said.stdout
    assert "oracle: exact, 0 off y at most over all rows" in said.stdout

    left = mbo("validate", mine, code=1).stdout.splitlines()
    assert left
    assert all(re.match(r"README.md: line \d+ is still to be written: TODO: ", t) for t in left)
    with pytest.raises(InvalidDataset, match="TODO"):
        publish([mine], OWNER, dry_run=True)
    fill_in(mine)
    assert mbo("validate", mine).stdout == f"{mine}: valid\n"

    task = mbo_hub.load(mine)
    with table.open() as file:
        rows = list(csv.DictReader(file))
    y = np.array([row["y"] for row in rows], np.float32)
    x = task.space.encode([row["sequence"] for row in rows])
    assert len(task.x) == np.count_nonzero(y <= np.median(y))
    assert task.manifest.statistics.rows == ROWS
    assert np.array_equal(task.oracle(x), y)
    report = task.evaluate(task.space.sample(128, rng=1))
    assert report.exact
    assert report.invalid == 0

    mbo("export", tmp_path / "out", mine)
    assert validate(tmp_path / "out" / "my-task") == []
    place = tmp_path / "mirror" / "datasets" / OWNER / "my-task"
    assert mbo("export", tmp_path / "mirror", mine, "--git", "--org", OWNER).stdout == (
        f"{place} v1.0.0\n"
    )
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", place, clone], check=True, capture_output=True)
    assert validate(clone) == []

    assert "tagged v1.0.0" in mbo("publish", mine, "--org", OWNER).stdout
    report.save(tmp_path / "receipt.json")
    np.save(tmp_path / "designs.npy", task.space.sample(128, rng=1))
    done = subprocess.run(
        [sys.executable, "-c", LOAD, f"{OWNER}/my-task", tmp_path], capture_output=True, text=True,
        env=hub.env(tmp_path / "reader", token=None), check=False,
    )  # fmt: skip
    assert done.stdout == f"{len(task.x)} True True\n", done.stderr


# ------------------------------------------------------------------------------------------- arrays


@st.composite
def problems(draw: Callable[..., Any]) -> tuple[Sequence | Box, np.ndarray, np.ndarray]:
    """A space, designs in it, and values that vary."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 40))
    if draw(st.booleans()):
        letters = draw(
            st.lists(st.sampled_from("ABCDEabcde?é雪"), min_size=2, max_size=8, unique=True)
        )
        padding = (
            draw(st.sampled_from([None, letters[0], letters[-1]])) if len(letters) > 2 else None
        )
        space: Sequence | Box = Sequence(
            length=draw(st.integers(1, 9)), alphabet=tuple(letters), padding=padding
        )
    else:
        size = draw(st.integers(1, 5))
        low = draw(st.sampled_from([None, -1.5, 0.0]))
        space = Box(size=size, low=low, high=draw(st.sampled_from([None, 0.1, 7.0])))
    y = rng.normal(size=n) if draw(st.booleans()) else rng.integers(0, 3, n).astype(float)
    y[0] = y.min() - 1
    return space, space.sample(n, rng), y * 10.0 ** draw(st.integers(-20, 20))


def rows_of(x: np.ndarray, y: np.ndarray) -> list[tuple[bytes, float]]:
    return sorted((row.tobytes(), value) for row, value in zip(x, y.tolist(), strict=True))


@settings(max_examples=25)
@given(problems(), st.sampled_from([(0.0, 50.0), (0.0, 100.0), (10.0, 60.5), (0.0, 1.0)]))
def test_whatever_is_in_a_space_becomes_a_valid_task(
    tmp_path_factory: pytest.TempPathFactory,
    problem: tuple[Sequence | Box, np.ndarray, np.ndarray],
    visible: tuple[float, float],
) -> None:
    space, x, y = problem
    folder = tmp_path_factory.mktemp("new") / "task"
    designs = space.decode(x) if isinstance(space, Sequence) else x
    try:
        done = new_task(folder, designs, y, space, visible=visible)
    except InvalidDesign as error:
        assert "no row lies between" in str(error)  # noqa: PT017
        assert not folder.exists()
        return
    assert "no picture y.png" in done.notes[-1]
    card = (folder / "README.md").read_text()
    assert validate(folder) == unfinished(card) != []
    task = mbo_hub.load(folder)
    assert task.space == space
    hidden_x, hidden_y = task.hidden
    assert rows_of(np.concatenate([task.x, hidden_x]), np.concatenate([task.y, hidden_y])) == (
        rows_of(x, y.astype(np.float32))
    )


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"y": [1, 2, np.nan]}, InvalidDesign, "design 2 has y = nan; y is a finite float32 number"),
        ({"y": [np.inf, 2, np.inf]}, InvalidDesign, r"design 0 has y = inf.*\(1 more"),
        ({"y": [1e300, 2, 3]}, InvalidDesign, "design 0 has y = 1e"),
        ({"y": [2, 2, 2]}, InvalidDesign, r"every y is 2.0: scores are .* so y must vary"),
        ({"y": [1, 1 + 1e-12, 1]}, InvalidDesign, "every y is 1.0"),
        ({"y": [1, 2]}, InvalidDesign, "3 designs have 2 values of y"),
        ({"y": [[1], [2], [3]]}, InvalidDesign, r"y has shape \(3, 1\)"),
        ({"y": ["a", "b", "c"]}, InvalidDesign, "y holds something that is not a number"),
        ({"designs": ["ACGTAC", "ACGNAC", "ACGTAC"]}, InvalidDesign, "design 1 has letter 'N' at position 3"),
        ({"designs": ["ACGTAC", "ACG", "ACGTAC"]}, InvalidDesign, "design 1 .* has 3 letters"),
        ({"designs": [], "y": []}, InvalidDesign, "designs have shape|there are no designs"),
        ({"space": Box(size=6)}, InvalidDesign, "designs in a box are numbers, not text"),
        ({"visible": (60.0, 40.0)}, InvalidDesign, "the visible percentiles run from 60 to 40"),
        ({"visible": (0.0, 101.0)}, InvalidDesign, "the visible percentiles run from 0 to 101"),
        ({"name": "My Task"}, InvalidDataset, "'My Task' cannot be a task's name"),
        ({"version": "1"}, InvalidDataset, "version"),
        ({"text": "y"}, InvalidDesign, "the column of texts cannot be called 'y'"),
        ({"oracle": "nowhere.onnx"}, InvalidFile, "nowhere.onnx: cannot be read"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_task_is_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, Any], error: type[MboHubError], said: str
) -> None:
    given = {"designs": ["ACGTAC", "ACGTAA", "GCGTAC"], "y": [1, 2, 3], "space": DNA, **change}
    with pytest.raises(error, match=said):
        new_task(tmp_path / "new", **given)
    assert list(tmp_path.iterdir()) == []


def test_what_is_odd_about_the_data_is_said(tmp_path: Path) -> None:
    designs = ["AAAAAA", "AAAAAA", "AAAAAC", "AAAAAC", "AAAAAG", "AAAAAT"]
    done = new_task(tmp_path / "a", designs, [1, 9, 2, 2, 3, 4], DNA)
    told = "\n".join(done.notes)
    assert (
        "2 designs occur more than once (4 rows, all kept), 1 of them with different y, "
        "1 of them both visible and hidden"
    ) in told
    assert "does not vary among the visible rows: position 0, position 1, position 2" in told
    assert mbo_hub.load(tmp_path / "a").manifest.statistics.rows == 6
    done = new_task(tmp_path / "b", designs, [1, 9, 9, 9, 9, 9], DNA)
    assert any("every row is visible" in note for note in done.notes)
    done = new_task(tmp_path / "c", designs, [1, 1, 1, 1, 9, 9], DNA)
    assert any("there is nothing to learn" in note for note in done.notes)


@pytest.mark.parametrize("kind", ["full", "file", "link"])
def test_a_folder_that_holds_something_stays_as_it_is(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "mine"
    if kind == "full":
        target.mkdir()
        (target / "notes.txt").write_text("mine")
    elif kind == "file":
        target.write_text("mine")
    else:
        (tmp_path / "other").mkdir()
        target.symlink_to(tmp_path / "other")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ExportConflict, match="mine"):
        new_task(target, ["ACGTAC", "ACGTAA"], [1, 2], DNA)
    assert sorted(tmp_path.rglob("*")) == before
    shutil.rmtree(target) if kind == "full" else target.unlink()
    target.mkdir()  # an empty one is fine
    assert new_task(target, ["ACGTAC", "ACGTAA"], [1, 2], DNA).path == target


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, raw: bytes) -> int:
        if self.name == "task.json":
            raise OSError(28, "No space left on device", str(self))
        return write(self, raw)

    write = Path.write_bytes
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        new_task(tmp_path / "mine", ["ACGTAC", "ACGTAA"], [1, 2], DNA)
    assert list(tmp_path.iterdir()) == []


def test_the_card_shows_the_picture_that_is_there(tmp_path: Path, pictured: None) -> None:
    given = (["ACGTAC", "ACGTAA", "AAAAAA"], [1, 2, 3], DNA)
    mine = new_task(tmp_path / "mine", *given).path
    assert (mine / "y.png").read_bytes().startswith(b"\x89PNG")
    assert "(y.png)" in (mine / "README.md").read_text()
    with pytest.MonkeyPatch.context() as patch:
        without_matplotlib(patch)
        done = new_task(tmp_path / "plain", *given)
    assert done.notes[-1] == (
        "no picture y.png: a picture needs matplotlib; install it with  pip install 'mbo-hub[plot]'"
    )
    assert not (done.path / "y.png").exists()
    assert "y.png" not in (done.path / "README.md").read_text()


def test_no_visible_bar_stands_right_of_the_cut() -> None:
    for seed in range(50):
        rng = np.random.default_rng(seed)
        y = rng.normal(size=rng.integers(2, 200)).astype(np.float32)
        cut = np.sort(y)[rng.integers(0, len(y))]
        edges = np.array(pictures._edges(float(y.min()), float(cut), float(y.max())))
        assert (np.diff(edges) > 0).all()
        counts, _ = np.histogram(y, edges)
        assert counts.sum() == len(y)
        shown, _ = np.histogram(y[y <= cut], edges)
        assert ((shown == 0) | (shown == counts)).all()


# -------------------------------------------------------------------------------------------- tables

PEPTIDES = [("MK", 1.0), ("MKV", 2.0), ("M", 3.5), ("VVK", 0.5)]


@pytest.mark.parametrize(
    ("header", "rows", "options", "space"),
    [
        (["sequence", "y"], [("ACGT", 1), ("GGTA", 2)], "--space dna", Sequence(length=4, alphabet=tuple("ACGT"))),
        (["", "s", "fit"], [(0, "ACGU", 1), (1, "GGUA", 2)], "--space rna:4 --y fit", Sequence(length=4, alphabet=tuple("ACGU"))),
        (["seq", "y"], PEPTIDES, "--space sequence --padding _", Sequence(length=3, alphabet=tuple("KMV_"), padding="_")),
        (["seq", "y"], PEPTIDES, "--space protein:5 --padding -", Sequence(length=5, alphabet=(*"ACDEFGHIKLMNPQRSTVWY", "-"), padding="-")),
        (["seq", "y"], PEPTIDES, "--space sequence --alphabet _KMV --padding _", Sequence(length=3, alphabet=tuple("_KMV"), padding="_")),
        (["seq", "y"], [("MK_", 1), ("M__", 2), ("MKV", 3)], "--space sequence --padding _", Sequence(length=3, alphabet=tuple("KMV_"), padding="_")),
        (["smiles", "y"], [("ClCC", 1), ("CBr", 2)], "--space sequence --alphabet C,Cl,Br --padding _", Sequence(length=3, alphabet=("C", "Cl", "Br", "_"), padding="_")),
        (["a", "note", "y"], [("ACGT", "x!", 1), ("GGTA", "y?", 2)], "--space dna --text a", Sequence(length=4, alphabet=tuple("ACGT"))),
        (["p0", "p1", "y"], [(0, 1, 1), (3, 2, 2)], "--space dna --x p0..p1", Sequence(length=2, alphabet=tuple("ACGT"))),
        (["x", "y"], [("[0, 1]", 1), ("[3, 2]", 2)], "--space dna --x x", Sequence(length=2, alphabet=tuple("ACGT"))),
        (["a", "b", "y"], [(0.1, 5, 1), (0.3, 4, 2)], "--space box", Box(size=2, names=("a", "b"), low=(0.1, 4.0), high=(0.3, 5.0))),
        (["id", "a", "b", "y"], [(0, 0.5, 5, 1), (1, 0.3, 4, 2)], "--space box --x b,a --low 0 --high none", Box(size=2, names=("b", "a"), low=0.0)),
        (["a", "b", "y"], [(-1, 2, 1), (1, -4, 2)], "--space box --low -1,none --high 2.5", Box(size=2, names=("a", "b"), low=(-1.0, None), high=2.5)),
    ],
)  # fmt: skip
def test_what_a_table_says_is_deduced(
    tmp_path: Path,
    header: list[str],
    rows: list[tuple[Any, ...]],
    options: str,
    space: Sequence | Box,
) -> None:
    file = write_csv(tmp_path / "t.csv", header, rows)
    mbo("new", tmp_path / "mine", "--from", file, *options.split(), "--visible", "100")
    assert all("still to be written" in problem for problem in validate(tmp_path / "mine"))
    task = mbo_hub.load(tmp_path / "mine")
    assert task.space == space
    assert task.y.tolist() == [float(row[-1]) for row in rows]
    if isinstance(space, Sequence) and task.manifest.text != "sequence":
        at = header.index(str(task.manifest.text))
        assert task.space.decode(task.x) == [str(row[at]).rstrip("_") for row in rows]


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("sequence,y\nACGT,1\nACNT,2\n", "--space dna", "line 3: the design has letter 'N'"),
        ("sequence,y\nACGT,1\n\nACGA,\n", "--space dna", "line 4: column 'y' is empty"),
        ("sequence,y\nacgt,1\ncgta,2\n", "--space dna", r"line 2: the design has letter 'a' at position 0.*write 'A'"),
        ("sequence,y\nACGT,1\nacgtacgt,2\n", "--space dna", "line 3: the design has letter 'a' at position 0"),
        ("sequence,y\nMKV*,1\nMKV*,2\n", "--space protein", r"line 2: the design has letter '\*' at position 3"),
        ("sequence,y\nMKV,1\nMKV*,2\n", "--space protein:3", r"line 3: the design has letter '\*' at position 3"),
        ("sequence,y\nMK*,1\nMKV*,2\n", "--space protein --padding -", r"line 2: the design has letter '\*' at position 2"),
        ("sequence,y\nC[N],1\nClBr,2\n", "--space sequence --alphabet C,Cl,Br", r"line 2: the design has letter '\[' at position 1"),
        ("a,b,y\n3.5,4,1\n,4,2\n", "--space box", "line 3: column 'a' is empty; leave out rows"),
        ("a,b,y\n,4,1\n3.5,,2\n", "--space box", "line 2: column 'a' is empty"),
        ("a,b,y\n,4,1\n,5,2\n", "--space box", "'a' does not look like one"),
        ("x,y\n[1 2],1\n[],2\n", "--space box --x x", "line 3: column 'x' is empty"),
        ("x,y\n[1 2],1\n[1 two],2\n", "--space box --x x", "line 3: column 'x' has 'two' at position 1, not a number"),
        ("sequence,y\nACGT,1\nACGA,nan\n", "--space dna", "line 3: the design has y = nan"),
        ("sequence,y\nACGT,1\nACGA,1_85\n", "--space dna", "line 3: column 'y' has '1_85', which is not a number"),
        ("sequence,y\nACGT,1\nACGA,１\n", "--space dna", "which is not a number"),
        ("sequence,y\nACGT,1\nACGA,1\n", "--space dna", "every y is 1.0"),
        ("sequence,y\nACGT,1\nACG,2\n", "--space dna", "designs have 3 to 4 tokens.*--padding _"),
        ("sequence,y\nACGT,1\n,2\n", "--space dna", "line 3: column 'sequence' is empty"),
        ("sequence,y\nACGT,1\nacgt,2\n", "--space sequence", "letters occur in both cases, 'A' and 'a'"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna:5", "line 2: the design .* has 4 letters"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna:x", "behind the colon stands the length"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dan", "no space is called 'dan'; there are dna"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna --alphabet AC", "dna has the alphabet ACGT"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna --low 0", "a sequence has no bounds"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space box", "'sequence' does not look like one"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space box --x sequence", "'ACGT', not numbers"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna --y z", "no column 'z'; it has 'sequence', 'y'"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna --text y", "cannot be part of a design"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna --text a --x b", "not both"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna --visible x", "write a percentile"),
        ("sequence,y\nACGT,1\nACGA,2\n", "--space dna --name A!", "cannot be a task's name"),
        ("sequence,fit\nACGT,1\nACGA,2\n", "--space dna", "no column 'y'; say with --y"),
        ("a,b,y\nACGT,CC,1\nACGA,CC,2\n", "--space dna", "which columns are the designs.*--text COLUMN"),
        ("id,a,y\n0,4,1\n1,5,2\n", "--space box", "'id' does not look like one.*--x first..last"),
        (",a,y\n7,4,1\n9,5,2\n", "--space box", "'' does not look like one"),
        ("a,b,y\n3,4,1\n5,x,2\n", "--space box --x a..b", "line 3: column 'b' has 'x'"),
        ("a,b,y\n3,4,1\n5,inf,2\n", "--space box", "line 3: the design has inf for b"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space box --low 4", "line 2: the design has 3.0 for a"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space box --low 1,2,3", "--low has 3 numbers; designs have 2"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space box --low few", "--low has 'few'"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space box --low 9 --high 1", "a lower bound lies above"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space box --padding _", "a box has no --padding"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space box --x b..a", "column 'a' stands before 'b'"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space box --x a,a", "column 'a' is named twice"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space dna --x a,b", "line 2: the design has token 4 at position 1"),
        ("a,b,y\n3,4,1\n5,4,2\n", "--space sequence --x a,b", "say with --alphabet"),
        ("a,a,y\n3,4,1\n5,4,2\n", "--space box", "2 columns are called 'a'"),
        ("a,b,y\n3,4,1\n5,4\n", "--space box", "line 3: 2 cells; the first line names 3"),
        ("a;b,c;y\n3;4;1\n", "--space box", "which is not clear"),
        ("a;b;y\n3;4,5;1\n5;6;2\n", "--space box --x a..b", "line 2: column 'b' has '4,5'"),
        ("a,y\n", "--space box", "no rows below the names"),
        ("", "--space box", "no rows below the names"),
        ("x,y\n[1 2],1\n[1 2 3],2\n", "--space box --x x", "line 3: has 3 values; the first row has 2"),
    ],
)  # fmt: skip
def test_what_a_table_leaves_open_is_asked_for(
    tmp_path: Path, content: str, options: str, said: str
) -> None:
    file = tmp_path / "t.csv"
    file.write_text(content, "utf-8")
    done = mbo("new", tmp_path / "mine", "--from", file, *options.split(), code=1)
    assert re.search(said, done.stderr), done.stderr
    assert len(done.stderr.splitlines()) <= 2
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


@given(
    st.binary(max_size=60)
    | st.text('ACGTy,;\t"\n\r0123456789.-_nainf', max_size=60).map(str.encode)
)
def test_no_table_brings_anything_but_our_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    place = tmp_path_factory.mktemp("fuzz")
    for head in (b"", b"sequence,y\n", b"PAR1"):
        (place / "t.csv").write_bytes(head + content)
        for words in ("sequence", "box"):
            try:
                done = new_task_from(place / "t.csv", place / words, words)
            except MboHubError:
                assert not (place / words).exists()
            else:
                assert mbo_hub.load(done.path).manifest.statistics.rows > 1
                shutil.rmtree(done.path)


@pytest.mark.parametrize("kind", ["text", "lists", "fixed", "columns"])
def test_parquet_is_read_with_its_own_types(tmp_path: Path, kind: str) -> None:
    x, y = DNA.sample(30, rng=2), np.arange(30) / 7
    columns: dict[str, Any] = {
        "text": {"seq": DNA.decode(x)},
        "lists": {"x": x.tolist()},
        "fixed": {"x": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), 6)},
        "columns": {f"p{i}": x[:, i] for i in range(6)},
    }[kind]
    pq.write_table(pa.table(columns | {"y": y}), tmp_path / "t.parquet")
    done = new_task_from(
        tmp_path / "t.parquet", tmp_path / "t", "dna", visible=(0.0, 100.0),
        x="p0..p5" if kind == "columns" else None,
    )  # fmt: skip
    task = mbo_hub.load(done.path)
    assert np.array_equal(task.x, x)
    assert np.array_equal(task.y, y.astype(np.float32))


def test_an_empty_cell_of_parquet_is_named(tmp_path: Path) -> None:
    write = partial(pq.write_table, where=tmp_path / "t.parquet")
    write(pa.table({"s": ["AC", "CA", None], "y": [1.0, 2.0, 3.0]}))
    with pytest.raises(InvalidFile, match="row 2: column 's' is empty"):
        new_task_from(tmp_path / "t.parquet", tmp_path / "t", "dna", text="s")
    write(pa.table({"s": ["AC", "CA", "CC"], "y": [1.0, None, 3.0]}))
    with pytest.raises(InvalidFile, match="row 1: column 'y' is empty"):
        new_task_from(tmp_path / "t.parquet", tmp_path / "t", "dna", text="s")


def _lists(cells: list[Any]) -> pa.Array:
    return pa.array(cells, pa.list_(pa.float64()))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"x": _lists([[1, 2], None, [2, 3]])}, "row 1: column 'x' is empty; leave out rows"),
        ({"x": _lists([None, [1, 2], [2, 3]])}, "row 0: column 'x' is empty"),
        ({"x": _lists([[1, 2], [1, None], [2, 3]])}, "row 1: column 'x' has no value at position 1"),
        ({"x": _lists([[1, 2], [1], [2, 3]])}, "row 1: has 1 values; the first row has 2"),
        ({"x": _lists([[], [1], [2]])}, "row 0: column 'x' is empty"),
        ({"a": [1.5, None, 2.5], "b": [1.0, 2.0, 4.0]}, "row 1: column 'a' is empty"),
        ({"a": [None, None, 2], "b": [1.0, 2.0, 4.0]}, "row 0: column 'a' is empty"),
        ({"a": [Decimal("1.5"), None, Decimal("2.5")], "b": [7, 2, 4]}, "row 1: column 'a' is empty"),
        ({"a": [b"x", b"y", b"z"], "b": [1.0, 2.0, 4.0]}, "'a' does not look like one"),
    ],
)  # fmt: skip
def test_what_is_odd_in_parquet_is_named_by_row_and_column(
    tmp_path: Path, columns: dict[str, Any], said: str
) -> None:
    pq.write_table(pa.table(columns | {"y": [1.0, 2.0, 3.0]}), tmp_path / "t.parquet")
    with pytest.raises(InvalidFile, match=said):
        new_task_from(tmp_path / "t.parquet", tmp_path / "t", "box")


def test_decimals_are_numbers(tmp_path: Path) -> None:
    columns = {
        "a": [Decimal("1.50"), Decimal("2.25"), Decimal("-3.00")],
        "b": [Decimal(1), Decimal(5), Decimal(7)],
    }
    y = [Decimal("0.1"), Decimal("0.2"), Decimal("0.3")]
    pq.write_table(pa.table(columns | {"y": y}), tmp_path / "t.parquet")
    done = new_task_from(tmp_path / "t.parquet", tmp_path / "t", "box", visible=(0.0, 100.0))
    task = mbo_hub.load(done.path)
    assert task.x.tolist() == [[1.5, 1], [2.25, 5], [-3, 7]]
    assert task.y.tolist() == np.float32([0.1, 0.2, 0.3]).tolist()
    designs = mbo_hub.read_designs(tmp_path / "t.parquet", task.manifest)
    np.testing.assert_array_equal(designs, task.x)
    pq.write_table(pa.table({"x": [list(row) for row in zip(*columns.values(), strict=True)], "y": y}),
                   tmp_path / "l.parquet")  # fmt: skip
    done = new_task_from(tmp_path / "l.parquet", tmp_path / "l", "box", visible=(0.0, 100.0))
    np.testing.assert_array_equal(mbo_hub.load(done.path).x, task.x)


@pytest.mark.parametrize("kind", ["shuffled", "named", "two levels", "without metadata"])
def test_the_index_of_pandas_is_no_value_of_a_design(tmp_path: Path, kind: str) -> None:
    pandas = pytest.importorskip("pandas", reason="writes the index")
    file = tmp_path / "t.parquet"
    x = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    frame = pandas.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": x.sum(axis=1)})
    if kind == "named":
        frame.index = pandas.Index(np.arange(20)[::-1] * 3, name="sample")
    elif kind == "two levels":
        frame.index = pandas.MultiIndex.from_arrays([np.arange(20) // 5, np.arange(20) % 5])
    else:
        frame = frame.sample(frac=1, random_state=1)
    frame.to_parquet(file)
    if kind == "without metadata":
        pq.write_table(pq.read_table(file).replace_schema_metadata(None), file)
    done = new_task_from(file, tmp_path / "t", "box", visible=(0.0, 100.0))
    assert mbo_hub.load(done.path).space.columns == ("a", "b")
    left = {"named": ["sample"], "two levels": ["__index_level_0__", "__index_level_1__"]}
    for name in left.get(kind, ["__index_level_0__"]):
        assert f"left out: column {name}, the index of pandas" in done.notes
    named = new_task_from(file, tmp_path / "n", "box", x="b,a", visible=(0.0, 100.0))
    assert mbo_hub.load(named.path).space.columns == ("b", "a")
    if kind == "named":  # it may be asked for
        asked = new_task_from(file, tmp_path / "s", "box", x="a,sample", visible=(0.0, 100.0))
        assert mbo_hub.load(asked.path).space.columns == ("a", "sample")


@pytest.mark.parametrize("words", [b"", b"{", b"[]", b'{"index_columns": 5}', b"\xff",
                                   b'{"index_columns": [{"kind": "range"}, null]}'])  # fmt: skip
def test_what_others_wrote_as_metadata_of_pandas_does_no_harm(tmp_path: Path, words: bytes) -> None:
    table = pa.table({"a": [1.5, 2.5, 0.5], "y": [1.0, 2.0, 3.0]})
    pq.write_table(table.replace_schema_metadata({b"pandas": words}), tmp_path / "t.parquet")
    done = new_task_from(tmp_path / "t.parquet", tmp_path / "t", "box", visible=(0.0, 100.0))
    assert not any("left out" in note for note in done.notes)


def test_a_space_is_read_from_words_alone() -> None:
    space, notes = space_of("protein:3", ["MKV", "VVV"])
    assert space == Sequence(length=3, alphabet=tuple("ACDEFGHIKLMNPQRSTVWY"))
    assert notes == []


# ------------------------------------------------------------------------------------------- oracles


def oracle_entry(folder: Path) -> dict[str, Any]:
    (entry,) = json.loads((folder / "task.json").read_text())["oracles"].values()
    return entry


@pytest.mark.parametrize("trained_on", [None, "visible", "all"])
@pytest.mark.parametrize("space", [DNA, Box(size=3, low=-1.0, high=1.0)], ids=["dna", "box"])
def test_what_can_be_measured_of_an_oracle_is(
    tmp_path: Path, space: Sequence | Box, trained_on: Any
) -> None:
    x = space.sample(400, rng=0)
    model = write_graph(tmp_path / "m.onnx", space)
    truth = mbo_hub.oracles.onnx.OnnxOracle(space, model.read_bytes(), "m", exact=False)(x)
    y = truth + np.random.default_rng(0).normal(size=400) * truth.std() / 3
    done = new_task(
        tmp_path / "t", space.decode(x) if space is DNA else x, y, space, oracle=model,
        trained_on=trained_on,
    )  # fmt: skip
    assert all("still to be written" in problem for problem in validate(done.path))
    task, entry = mbo_hub.load(done.path), oracle_entry(done.path)
    assert not entry.get("exact", False)
    hidden_x, hidden_y = task.hidden
    if trained_on == "all":
        assert "held_out" not in entry
        assert entry["support"]["designs"] == len(np.unique(x, axis=0))
        assert task.evaluate(space.sample(64, rng=3)).outside is not None
    else:
        rho = spearmanr(hidden_y, task.oracle(hidden_x)).statistic
        assert entry["held_out"]["spearman"] == pytest.approx(rho, abs=1e-4)
        assert entry["held_out"]["rows"] == len(hidden_y)
        assert "support" not in entry
    said = (done.path / "README.md").read_text()
    assert ("which rows it was trained on" in said) == (trained_on is None)
    pairs = golden.read((done.path / "golden.json").read_bytes(), "")
    assert task.oracle(np.array(pairs.x)).tolist() == np.float32(pairs.y["oracle.onnx"]).tolist()


def test_exact_is_what_gives_every_y_or_is_said_to(tmp_path: Path) -> None:
    box = Box(size=2, low=0.0, high=1.0)
    x = box.sample(50, rng=0)
    model = write_graph(tmp_path / "m.onnx", box)
    y = x.sum(axis=1, dtype=np.float32)
    nearly = y + np.where(np.arange(50) == 7, np.float32(1e-6), 0)
    new_task(tmp_path / "a", x, y, box, oracle=model)
    new_task(tmp_path / "b", x, nearly, box, oracle=model)
    new_task(tmp_path / "c", x, y, box, oracle=model, exact=False)
    assert [oracle_entry(tmp_path / name).get("exact", False) for name in "abc"] == [
        True,
        True,
        False,
    ]
    assert 1e-6 <= oracle_entry(tmp_path / "b")["tolerance"] < 2e-6
    assert all("still to be" in p for name in "abc" for p in validate(tmp_path / name))
    off = y + np.where(np.arange(50) == 7, np.float32(0.1), 0)
    with pytest.raises(InvalidFile, match=r"said to be exact, but is 0\.1\d* off y for design 7"):
        new_task(tmp_path / "d", x, off, box, oracle=model, exact=True)
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"names": ("designs", "y")}, "expected one input x"),
        ({"names": ("x", "z")}, "outputs are called"),
        ({"dtype": TensorProto.INT32}, r"expected one input x, tensor\(int64\)"),
        ({"batch": 8}, "its batch is fixed at 8"),
        ({"relative": True}, "one value alone and another in a batch"),
        ({"gain": np.full((6, 4), np.nan, np.float32)}, "gives no finite value for design 0"),
        (None, "onnxruntime cannot load it|not an ONNX"),
    ],
)
def test_an_oracle_of_another_shape_is_refused(
    tmp_path: Path, change: dict[str, Any] | None, said: str
) -> None:
    model = tmp_path / "m.onnx"
    if change is None:
        model.write_bytes(b"<!DOCTYPE html>")
    else:
        write_graph(model, DNA, **change)
    with pytest.raises((OracleUnavailable, InvalidFile), match=said):
        new_task(tmp_path / "t", ["ACGTAC", "ACGTAA", "AAAAAA"], [1, 2, 3], DNA, oracle=model)
    assert not (tmp_path / "t").exists()


# ---------------------------------------------------------------------------- folders and other names


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    return new_task(tmp_path / "mine", ["ACGTAC", "ACGTAA", "AAAAAA"], [1, 2, 3], DNA).path


def test_a_folder_that_breaks_its_word_is_not_exported(mine: Path, tmp_path: Path) -> None:
    train = mine / "data" / "train.parquet"
    train.write_bytes(train.read_bytes()[:-1] + b"!")
    for write in (export, export_git):
        with pytest.raises(IntegrityError, match=r"train\.parquet"):
            write([mine], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_hidden_files_are_not_exported(mine: Path, tmp_path: Path) -> None:
    (mine / ".secret").write_text("mine")
    export([mine], tmp_path / "out")
    assert not export([mine], tmp_path / "out")[0].is_new
    assert hidden_files(tmp_path / "out" / "mine") <= {".gitattributes"}


@pytest.mark.parametrize("write", [export, export_git])
def test_nothing_is_exported_into_a_dataset_folder(
    mine: Path, tmp_path: Path, write: Callable[..., Any]
) -> None:
    with pytest.raises(
        ExportConflict, match="is a dataset folder itself; the folder to write comes first"
    ):
        write([tmp_path / "new"], mine)
    with pytest.raises(ExportConflict, match=r"lies in .*, which is to be exported"):
        write([mine], mine / "out")
    assert not (mine / "out").exists()


@pytest.mark.parametrize("name", ["tfbind8", "superconductor"])
def test_a_stranger_is_not_taken_for_the_archive(mine: Path, tmp_path: Path, name: str) -> None:
    declared = json.loads((mine / "task.json").read_text())
    (mine / "task.json").write_text(json.dumps(declared | {"name": name}))
    for write in (export, export_git):
        with pytest.raises(ExportConflict, match=f"calls itself '{name}'"):
            write([mine], tmp_path / "out")
    export_git([mine], tmp_path / "out", OWNER)
    assert (tmp_path / "out" / "datasets" / OWNER / name / "HEAD").is_file()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mbo/tfbind8@v1.0.0", "write 'mbo/tfbind8', and the version apart: revision='v1.0.0'"),
        ("tfbind8@1.0.0", "write 'tfbind8', and the version apart"),
        ("https://huggingface.co/datasets/mbo/tfbind8", "write 'mbo/tfbind8'$"),
        ("https://huggingface.co/datasets/a/b/tree/main", "write 'a/b'$"),
        (
            "https://huggingface.co/datasets/a/b/resolve/v2.0.0/task.json",
            "write 'a/b', and .*v2.0.0",
        ),
        ("hf://datasets/a/b@v1.2.3", "write 'a/b', and the version apart: revision='v1.2.3'"),
        ("./mine/task.json", r"name its folder: \./mine"),
        ("mine/task.json", r"name its folder: \./mine"),
        ("nope", r"no task named 'nope'  \(`mbo list`"),
        ("hoper", "did you mean 'hopper'"),
        ("d-kitty", "did you mean 'dkitty'"),
        ("AntMorphology-Exact-v0", "a name of Design-Bench; here that task is 'ant'"),
        ("DKittyMorphology-Exact-v0", "'dkitty'"),
        ("HopperController-Exact-v0", "'hopper'"),
        ("TFBind8-Exact-v0", "'tfbind8'"),
        ("TFBind10-Exact-v0", "'tfbind10'"),
        ("CIFARNAS-Exact-v0", "'nas'"),
        ("Superconductor-RandomForest-v0", "'superconductor'"),
        ("ChEMBL_MCHC_CHEMBL3885882_MorganFingerprint-RandomForest-v0", "'chembl'"),
        ("ChEMBL-ResNet-v0", "'chembl'"),
        ("UTR-ResNet-v0", "the archive has no such task"),
        ("GFP-Transformer-v0", "the archive has no such task"),
        ("", "is not the name of a task"),
    ],
)
def test_a_name_from_elsewhere_is_told_what_it_is_here(name: str, said: str) -> None:
    with pytest.raises(UnknownTask, match=said):
        mbo_hub.load(name)


def test_an_empty_revision_is_no_revision() -> None:
    for name in ("tfbind8", "mbo/tfbind8", "someone/x"):
        with pytest.raises(UnknownRevision, match="the revision is empty; write v1"):
            mbo_hub.load(name, "")


def test_swapped_arguments_are_noticed(
    mine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for arguments in (["tfbind8", "./mbo"], ["mbo/tfbind8"], ["./mine", "./mbo"]):
        assert "the folder to write comes first" in mbo("export", *arguments, code=1).stderr
    assert "a folder holds its data" in mbo("build", "./mine", code=1).stderr
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("org", ["a b", "", "../x", "a/b", "é", ".x"])
def test_what_cannot_own_a_repository(mine: Path, tmp_path: Path, org: str) -> None:
    said = "cannot own repositories"
    assert said in mbo("publish", mine, "--org", org, "--dry-run", code=1).stderr
    assert said in mbo("export", tmp_path / "out", mine, "--git", "--org", org, code=1).stderr
    assert not (tmp_path / "out").exists()


def test_a_missing_library_is_no_fault_of_the_dataset(monkeypatch: pytest.MonkeyPatch) -> None:
    find = extras.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else find(name))
    with pytest.raises(OracleUnavailable, match=r"needs torch; install it with  pip install"):
        publish(["nas"], "mbo", dry_run=True)
    assert folders.embedded("nas").path.is_dir()


# ------------------------------------------------------------------------------------------ the page


@pytest.mark.slow(
    "nine processes, 7 core-seconds; `test_two_commands_from_a_table_to_a_task` goes this way in one"
)
def test_the_page_goes_from_a_table_to_a_scored_task(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "publish-your-own-task.md").read_text("utf-8")
    blocks = re.findall(r"```(python|bash)\n(.*?)```", page, re.DOTALL)
    assert [language for language, _ in blocks] == ["python", "python", "bash", "python"]
    code = "\n".join(code for language, code in blocks if language == "python")
    (commands,) = (code for language, code in blocks if language == "bash")
    with HubServer(tmp_path / "hub") as hub:  # `mbo publish` asks what is there already
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = hub.env(tmp_path / "home") | {"PATH": path, "PYTHONPATH": str(ROOT)}

        def run(*command: str) -> str:
            done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True,
                                  check=False)  # fmt: skip
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "cooking <Task cooking v1.0.0: 100 visible designs × 3>" in run(
            sys.executable, "-c", code
        )
        said = run("bash", "-ec", commands)
    assert re.search(r"oracle: not exact.* on the 500 hidden rows Spearman 0\.\d", said)
    for line in (
        "my-task: valid",
        "2 of 2 designs scored",
        "mbo/my-task",
        "mirror/datasets/my-org/my-task v1.0.0",
        "would be tagged v1.0.0",
    ):
        assert line in said
    assert mbo_hub.Report.read(tmp_path / "receipt.json").task == "my-task"
