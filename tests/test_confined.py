"""A stranger's oracle in a process of its own: the same values, and limits that hold."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest
import stranger
from click.testing import CliRunner
from conftest import ROOT, prompt
from foreign_graphs import endless, graph_of, small_model
from onnx import TensorProto, helper

from mbo_hub import Box, OracleUnavailable, validate
from mbo_hub.cli import main
from mbo_hub.dataset import manifest
from mbo_hub.oracles.confined import ConfinedOracle
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.oracles.protocol import Limits

SPACE = Box(size=3, low=0.0, high=1.0)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")


def confined(raw: bytes, limits: Limits = Limits()) -> ConfinedOracle:  # noqa: B008
    opener = partial(OnnxOracle, SPACE, raw, "m.onnx", exact=True, threads=1)
    return ConfinedOracle(opener, SPACE, "m.onnx", exact=True, limits=limits)


def much(gigabytes: float, *, at_once: bool) -> bytes:
    """A graph that asks for memory, when it is loaded or when it runs."""
    shape = np.array([1, gigabytes * 1e9 / 4 / 3], np.int64)
    size = (
        [helper.make_node("Identity", ["shape"], ["size"])]
        if at_once
        else [
            helper.make_node("Shape", ["x"], ["n"]),
            helper.make_node("Mul", ["n", "shape"], ["size"]),
        ]
    )
    nodes = [
        *size,
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceSum", ["huge", "one"], ["add"], keepdims=0),
        helper.make_node("ReduceSum", ["x", "one"], ["own"], keepdims=0),
        helper.make_node("Add", ["own", "add"], ["y"]),
    ]
    return graph_of(nodes, {"shape": shape, "one": np.array([1])})


@pytest.mark.parametrize("name", ["tfbind10", "chembl"])  # a network; a forest with a spread
def test_it_gives_the_same_values(name: str) -> None:
    declared = manifest.read((ROOT / "dataset_cards" / name / "task.json").read_bytes(), name)
    raw = (ROOT / "oracles_onnx" / name / "model.onnx").read_bytes()
    open_here = partial(OnnxOracle, declared.space, raw, "model.onnx", exact=True)
    here = open_here()
    there = ConfinedOracle(open_here, declared.space, "model.onnx", exact=True, limits=Limits())
    assert there.fingerprint == here.fingerprint
    for n in (0, 1, 60):
        designs = declared.space.sample(n, rng=n)
        one, other = here.answer(designs), there.answer(designs)
        assert one.y.tobytes() == other.y.tobytes()
        assert (one.spread is None) == (other.spread is None) == (name != "chembl")
        if one.spread is not None:
            assert one.spread.tobytes() == other.spread.tobytes()


def test_an_endless_graph_is_ended_and_the_limit_named() -> None:
    oracle = confined(endless(), Limits(seconds=1.5))
    assert oracle(np.zeros((2, 3))).tolist() == [0, 0]
    said = r"^m\.onnx: .*longer than allowed; .* 1\.5 s and"
    with prompt(), pytest.raises(OracleUnavailable, match=said):
        oracle(np.ones((1, 3)))
    assert oracle._process.poll() is not None
    with pytest.raises(OracleUnavailable, match="longer than allowed"):  # and it stays so
        oracle(np.zeros((1, 3)))


@posix
@pytest.mark.parametrize(
    "at_once",
    [
        pytest.param(
            True,
            id="loading",
            marks=pytest.mark.slow("two more processes; a graph that runs is refused it, too"),
        ),
        pytest.param(False, id="running"),
    ],
)
def test_a_graph_that_wants_too_much_memory_is_refused_it(at_once: bool) -> None:
    def sums(gigabytes: float) -> list[float]:
        oracle = confined(much(gigabytes, at_once=at_once), Limits(gigabytes=1.5))
        return oracle(np.ones((1, 3))).tolist()

    assert sums(0.1) == [3]
    with pytest.raises(OracleUnavailable, match=r"m\.onnx.* may take 60 s and 1\.5 GB of memory"):
        sums(6)


@pytest.mark.parametrize(
    ("opener", "how"),
    [
        (partial(os._exit, 3), r"died \(exit code 3\)"),
        pytest.param(os.abort, r"died \(SIGABRT\)", marks=posix),
        (partial(int, "no"), r"died \(exit code 1\)"),
    ],
)
def test_a_process_that_dies_is_an_error(opener: partial, how: str) -> None:
    with pytest.raises(OracleUnavailable, match=f"^m.onnx: .*{how}; it may take 60 s"):
        ConfinedOracle(opener, SPACE, "m.onnx", exact=True, limits=Limits())


def test_errors_of_the_oracle_are_said_as_they_are() -> None:
    with pytest.raises(
        OracleUnavailable, match=r"^m\.onnx: not an ONNX file: .*; export it again$"
    ):
        confined(b"nonsense")


def test_the_process_ends_with_the_oracle() -> None:
    oracle = confined(small_model().SerializeToString())
    process = oracle._process
    assert process.poll() is None
    del oracle
    gc.collect()
    assert process.poll() is not None


def put(folder: Path, raw: bytes) -> None:
    """Publish another graph as the oracle of a stranger's folder."""
    (folder / "oracle.onnx").write_bytes(raw)
    document = json.loads((folder / "task.json").read_text())
    document["oracles"]["theirs"]["sha256"] = stranger.sha256(folder / "oracle.onnx")
    (folder / "task.json").write_text(json.dumps(document))


def endless_words() -> bytes:
    """An endless loop in a graph that takes words of three letters."""
    model = onnx.load_from_string(endless())
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    model.graph.input[0].name = "x"
    for node in model.graph.node:
        node.input[:] = ["numbers" if name == "x" else name for name in node.input]
    model.graph.node.insert(0, helper.make_node("Cast", ["x"], ["numbers"], to=TensorProto.FLOAT))
    return model.SerializeToString()


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    stranger.write(folder)
    put(folder, endless_words())
    return folder


@pytest.mark.slow("it waits for limits; `mbo validate --seconds` says the same of this folder")
def test_a_folder_with_an_endless_graph_is_validated(theirs: Path) -> None:
    found = validate(theirs, limits=Limits(seconds=1.2))
    assert len(found) == 1
    assert "oracle theirs: " in found[0]
    assert "1.2 s and 4 GB" in found[0]
    put(theirs, much(6, at_once=False))  # of another input: nothing is run
    assert "expected one input x, tensor(int64)" in validate(theirs)[0]


def test_the_limits_are_options_of_the_command(theirs: Path) -> None:
    run = CliRunner().invoke(main, ["validate", str(theirs), "--seconds", "1", "--gigabytes", "3"])
    assert run.exit_code == 1
    assert "it may take 1 s and 3 GB of memory; `mbo validate --seconds" in run.output
    told = CliRunner().invoke(main, ["validate", "--help"]).output
    assert f"default {Limits().seconds:g}" in told
    assert f"default {Limits().gigabytes:g}" in told


def alive(marker: str) -> list[int]:
    """Processes that try graphs for a folder: found by a variable of their environment."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (
                (place / "cmdline").read_bytes(),
                (place / "environ").read_bytes(),
            )
        except OSError:
            continue
        if b"confined" in command and marker.encode() in environment:
            found.append(int(place.name))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(
            signal.SIGINT,
            marks=pytest.mark.slow(
                "it keeps a core busy for seconds; a kill, which is harder, runs"
            ),
        ),
        signal.SIGKILL,
    ],
)
def test_nothing_is_left_of_a_check_that_is_ended(theirs: Path, ending: signal.Signals) -> None:
    """Long before the limit of time."""
    marker = f"MBO_TEST={theirs}"
    code = "import sys; from mbo_hub.cli import main; main(['validate', *sys.argv[1:]])"
    check = subprocess.Popen(
        [sys.executable, "-c", code, str(theirs), "--seconds", "600"],
        env={**os.environ, "MBO_TEST": str(theirs)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        until = time.monotonic() + 90
        while not alive(marker):
            assert time.monotonic() < until
            time.sleep(0.05)
        time.sleep(0.7)  # till it is in the graph
        check.send_signal(ending)
        check.wait(90)  # a second, but for what a busy machine takes to end Python
        if ending == signal.SIGINT:
            assert not alive(marker)
        until = time.monotonic() + 90
        while alive(marker):
            assert time.monotonic() < until
            time.sleep(0.1)
    finally:
        check.kill()
        check.communicate()
