"""Every .onnx file gives the same values in three runtimes, none of which knows mbo_hub.

They are onnxruntime, the reference evaluator of onnx, and onnxruntime-web (WebAssembly) under Node.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import onnx.reference
import onnxruntime as ort
import pinned_answers
import pytest
from conftest import ROOT
from pinned_answers import Tensors

from mbo_hub.archive.export import export

# How far a value may be from the one in golden.json, as a part of it; the page says so too. What
# task.json declares as the oracle's `tolerance` comes on top.
RELATIVE = 1e-6
# How far the controllers' actions, float64 from -1 to 1, may be apart: golden.json has none of them.
ACTION = 1e-12

NODE = ROOT / "tests" / "node"
LOCK = json.loads((NODE / "package-lock.json").read_text("utf-8"))["packages"]
WEB = f"onnxruntime-web {LOCK['node_modules/onnxruntime-web']['version']}"
REFERENCE = f"reference evaluator of onnx {onnx.__version__}"
ASKED = ("tfbind10/model.onnx", "ant/policy.onnx")  # small ones, so that runtimes are really asked
PAGE = (ROOT / "docs" / "score-from-any-language.md").read_text("utf-8")

FILES = {
    path.relative_to(ROOT / "oracles_onnx").as_posix(): path
    for path in sorted((ROOT / "oracles_onnx").rglob("*.onnx"))
}
each_file = pytest.mark.parametrize("file", FILES)


def node_is_missing() -> str:
    """Why Node cannot run here what package-lock.json asks for; empty where it can."""
    if shutil.which("node") is None:
        return "node is not installed"
    installed = NODE / "node_modules" / ".package-lock.json"  # npm writes it last
    wanted, found = (
        {name: entry["version"] for name, entry in json.loads(path.read_text())["packages"].items()
         if name} if path.is_file() else {}
        for path in (NODE / "package-lock.json", installed)
    )  # fmt: skip
    if found != wanted:
        return "onnxruntime-web is not installed; scripts/test does that where npm finds it"
    return ""


needs_node = pytest.mark.skipif(bool(node_is_missing()), reason=node_is_missing())


@cache
def read(path: Path) -> tuple[onnx.ModelProto, dict]:
    golden = path.parent / "golden.json"
    assert golden.is_file(), f"{golden} is missing: scripts/train_oracles.py writes it"
    return onnx.load(path), json.loads(golden.read_text("utf-8"))


@cache
def inputs(path: Path) -> Tensors:
    """The golden designs; for a controller, observations drawn from a normal distribution."""
    model, golden = read(path)
    (tensor,) = model.graph.input
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.type.tensor_type.elem_type)
    width = tensor.type.tensor_type.shape.dim[1].dim_value
    if tensor.name == "observation":
        rows = np.random.default_rng(0).normal(scale=2, size=(200, width))
    else:
        rows = np.array(golden["x"])
    assert rows.shape[1] == width
    return {tensor.name: np.ascontiguousarray(rows, dtype)}


@cache
def in_onnxruntime(path: Path) -> Tensors:
    """With one thread: several add up a forest's trees in another order."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(path, options)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs(path)), strict=True))


def in_reference(path: Path) -> Tensors:
    evaluator = onnx.reference.ReferenceEvaluator(read(path)[0])
    return dict(zip(evaluator.output_names, evaluator.run(None, inputs(path)), strict=True))


def in_node(path: Path) -> Tensors:
    request = json.dumps(pinned_answers.encode(inputs(path)))
    out = run(["node", str(NODE / "score.mjs"), str(path)], ROOT, request)
    try:
        return pinned_answers.decode(json.loads(out)["outputs"])
    except (ValueError, KeyError, TypeError) as error:
        pytest.fail(f"score.mjs answered {out[:300]!r} for {path}: {error!r}")


def answer(runtime: str, ask: Callable[[Path], Tensors], path: Path) -> Tensors:
    """What a runtime says of a file: kept, or asked now."""
    model = path.read_bytes()
    found = pinned_answers.kept(runtime, model, inputs(path))
    if found is None:
        if ask is in_node and node_is_missing():
            pytest.skip(f"no answer is kept for this file, and {node_is_missing()}")
        found = ask(path)
        if pinned_answers.MODE == "write":
            pinned_answers.keep({pinned_answers.key(runtime, model, inputs(path)): found})
    return found


def run(command: list[str], cwd: Path, stdin: str = "") -> str:
    done = subprocess.run(
        command, cwd=cwd, input=stdin, capture_output=True, text=True, check=False, timeout=500
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stderr[-2000:]}"
    return done.stdout


def check(path: Path, found: Tensors) -> None:
    """Compare y with golden.json, and whatever else a file gives with onnxruntime."""
    golden = read(path)[1]
    expected = dict(in_onnxruntime(path))
    assert set(found) == set(expected)
    if path.name in golden["y"]:
        expected["y"] = np.array(golden["y"][path.name], np.float32)
    else:
        assert set(inputs(path)) == {"observation"}, f"golden.json has no values of {path.name}"
    compare(path, found, expected)


def compare(path: Path, found: Tensors, expected: Tensors) -> None:
    """Allow what one machine's products of matrices differ by from another's."""
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        assert found[name].shape == values.shape
        assert np.isfinite(values).all()
        allowed = np.full(values.shape, ACTION)
        if "y" in expected:  # a spread over trees is as precise as the values that it comes from
            allowed = tolerance(path) + RELATIVE * np.maximum(np.abs(values), np.abs(expected["y"]))
        apart = np.abs(found[name].astype(np.float64) - values)
        worst = np.unravel_index((apart - allowed).argmax(), apart.shape)
        assert (apart <= allowed).all(), (
            f"{name} of {path.parent.name}/{path.name} is {found[name][worst]}, expected "
            f"{values[worst]} ± {allowed[worst]:g}, for the input's row {worst[0]}"
        )


def tolerance(path: Path) -> float:
    """What task.json allows this file."""
    task = json.loads((ROOT / "dataset_cards" / path.parent.name / "task.json").read_text("utf-8"))
    entries = [e for e in task["oracles"].values() if e.get("file") == path.name]
    return max((entry.get("tolerance", 0.0) for entry in entries), default=0.0)


def test_the_files_are_found() -> None:
    assert len(FILES) >= 7
    assert {"ant/policy.onnx", "tfbind8/model.onnx"} <= set(FILES)


@each_file
def test_onnxruntime_gives_the_golden_values(file: str) -> None:
    check(FILES[file], in_onnxruntime(FILES[file]))


@each_file
def test_the_reference_evaluator_gives_the_golden_values(file: str) -> None:
    check(FILES[file], answer(REFERENCE, in_reference, FILES[file]))


@each_file
def test_onnxruntime_web_gives_the_golden_values(file: str) -> None:
    check(FILES[file], answer(WEB, in_node, FILES[file]))


@pytest.mark.parametrize("file", ASKED)
def test_some_files_are_scored_by_the_runtimes_each_time(file: str) -> None:
    """What is kept is what they say, with the versions that it was kept with."""
    path = FILES[file]
    for runtime, ask in ((REFERENCE, in_reference), (WEB, in_node)):
        if ask is in_node and node_is_missing():
            pytest.skip(node_is_missing())
        found, said = ask(path), answer(runtime, ask, path)
        check(path, found)
        compare(path, found, said)


def test_every_file_has_an_answer_that_is_kept() -> None:
    """`MBO_RUNTIMES=write scripts/test tests/test_runtimes.py` keeps those of new files."""
    for file, path in FILES.items():
        if not pinned_answers.MODE:
            assert pinned_answers.kept(WEB, path.read_bytes(), inputs(path)) is not None, file


@needs_node
def test_node_gives_nan_for_a_design_that_is_none(tmp_path: Path) -> None:
    """As every task's contract asks of onnxruntime; JSON has no NaN, so this is about score.mjs too."""
    path = FILES["tfbind8/model.onnx"]
    designs = inputs(path)["x"][:3].copy()
    designs[1, 0] = -1
    data = base64.b64encode(designs).decode()
    request = {"x": {"type": "int64", "dims": designs.shape, "data": data}}
    out = run(["node", str(NODE / "score.mjs"), str(path)], tmp_path, json.dumps(request))
    y = np.frombuffer(base64.b64decode(json.loads(out)["outputs"]["y"]["data"]), "<f4")
    assert np.isnan(y).tolist() == [False, True, False]


def test_the_page_states_the_tolerance() -> None:
    assert f"{RELATIVE:.0e}".replace("e-0", "e-") in PAGE


def example(language: str) -> str:
    (code,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return code


@pytest.fixture
def beside_the_oracles(tmp_path: Path) -> Path:
    """A working directory as the examples expect it, after `mbo export`; outside a checkout."""
    export(["tfbind8"], tmp_path / "mbo")
    return tmp_path


def test_example_in_python(beside_the_oracles: Path) -> None:
    check_example(run([sys.executable, "-c", example("python")], beside_the_oracles))


def test_example_on_the_command_line(beside_the_oracles: Path) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # as with .venv active
    check_example(run(["env", f"PATH={path}", "bash", "-ec", example("bash")], beside_the_oracles))


@needs_node
def test_example_in_javascript(beside_the_oracles: Path) -> None:
    (beside_the_oracles / "node_modules").symlink_to(NODE / "node_modules")
    (beside_the_oracles / "example.mjs").write_text(example("javascript"), "utf-8")
    check_example(run(["node", "example.mjs"], beside_the_oracles))


def check_example(out: str) -> None:
    """All three score GCTAATTA, which onnxruntime does here."""
    session = ort.InferenceSession(FILES["tfbind8/model.onnx"])
    tokens = np.array([["ACGT".index(letter) for letter in "GCTAATTA"]], np.int64)
    (wanted,) = session.run(["y"], {"x": tokens})[0]
    (found,) = re.findall(r"\d+\.\d+", out)
    assert float(found) == pytest.approx(wanted, rel=RELATIVE)
