"""The playground in a real browser: its scores, its refusals, and what a person does with it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from conftest import ROOT
from test_runtimes import RELATIVE, needs_node

import mbo_hub
from mbo_hub.errors import InvalidDesign, InvalidFile
from mbo_hub.making.walked import walked
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks import TASKS

ORACLES = {
    name: json.loads((ROOT / "dataset_cards" / name / "task.json").read_text("utf-8"))["oracles"]
    for name in TASKS
}
FILES = [
    (name, entry["file"])
    for name, entries in ORACLES.items()
    for entry in entries.values()
    if entry["kind"] == "onnx"
]
SCORED = "document.getElementById('pg-score').dataset.y"


def golden(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "oracles_onnx" / name / "golden.json").read_text("utf-8"))


def text_of(name: str, row: list[float]) -> str:
    """A golden design as a person pastes it."""
    space = TASKS[name].space
    if isinstance(space, Sequence):
        return space.decode(np.array([row], space.dtype))[0]
    return ", ".join(f"{np.float32(value)!s}" for value in row)


@pytest.fixture
def play(tab: Any) -> Callable[..., Any]:
    """Open a task of the playground, and wait for its first score."""

    def open_(name: str, more: str = "") -> Any:
        tab.goto(f"playground/index.html?task={name}{more}")
        tab.wait_for_function(SCORED, timeout=60_000)
        return tab

    yield open_
    tab.heard.nothing_wrong()


def enter(tab: Any, text: str) -> float:
    """Paste a design; give its raw value."""
    tab.evaluate("document.getElementById('pg-score').dataset.y = ''")
    tab.fill("#pg-text", "")
    tab.fill("#pg-text", text)
    tab.wait_for_function(SCORED, timeout=60_000)
    return float(tab.get_attribute("#pg-score", "data-y"))


@pytest.mark.parametrize("name", TASKS)
def test_golden_designs_have_their_values(name: str, play: Callable[..., Any]) -> None:
    tab = play(name)
    told = golden(name)
    shown = ORACLES[name][tab.input_value("#pg-oracle")]
    values = told["y"][shown["file"]]
    for row, expected in list(zip(told["x"], values, strict=True))[:10]:
        found = enter(tab, text_of(name, row))
        allowed = shown.get("tolerance", 0.0) + RELATIVE * abs(expected)
        assert abs(found - expected) <= allowed, row[:9]


def test_a_surrogate_is_another_choice(play: Callable[..., Any]) -> None:
    tab = play("tfbind8", "&oracle=surrogate&x=GCTAATTA")
    task = mbo_hub.load("tfbind8")
    (expected,) = task.oracles["surrogate"](task.space.encode(["GCTAATTA"]))
    assert float(tab.get_attribute("#pg-score", "data-y")) == pytest.approx(expected, rel=1e-6)
    assert "0.79" in tab.inner_text("#pg-trust")


ILLEGAL = {
    "tfbind8": ["ACGTACGX", "acgtacgt", "ACGT", "ACGTACGTA", "", "AC GTACG", "ACGTÄCGT", "ACG\tACGT"],
    "nas": ["0" * 63, "5" + "0" * 63, "0" * 65],
    "chembl": ["CCQ", "C" * 47, "C_C", "", "C" * 400, "CC€", "Cx'\""],
    "superconductor": ["YBa2Cu3O7-x", "YBa2Cu3Oo7", "Xx2", "Y(Ba2", "YBa)2", "(2Y)", "", "Y Ba", "Og2",
                       "Y0", "YBa2Cu3O₇", "1, 2, 3"],
    "ant": ["1, 2", "abc", "nan" + ", 0" * 59, "0.5" + ", 0" * 59, "1e-7" + ", 9" * 59],
    "hopper": ["1 2 3", "inf " + "0 " * 5125, "1e39 " + "0 " * 5125],
}  # fmt: skip


def refused(name: str, text: str) -> str:
    """What Python says of it: as numbers where it is a list of them, else as text."""
    space = TASKS[name].space
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    alone = 1 if isinstance(space, Box) and space.takes_formulas else 0  # "7" is a bad formula
    asked = [numbers] if isinstance(space, Box) and len(numbers) > alone else [text]
    with pytest.raises(InvalidDesign) as caught:
        space.encode(asked) if asked == [text] else space.validate(asked)
    return str(caught.value)


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_designs_are_refused_in_the_words_of_python(
    name: str, play: Callable[..., Any]
) -> None:
    tab = play(name)
    for text in ILLEGAL[name]:
        tab.evaluate("document.getElementById('pg-problem').textContent = ''")
        tab.fill("#pg-text", "C" if name == "chembl" else "x")
        tab.fill("#pg-text", text)
        if "\t" in text:  # a field of one line has no place for it, and neither has Python
            continue
        assert tab.inner_text("#pg-problem") == refused(name, text), text
        assert tab.get_attribute("#pg-text", "aria-invalid") == "true"
        assert tab.get_attribute("#pg-score", "data-y") == "", "a stale score is shown"


@needs_node
def test_many_illegal_sequences_are_refused_in_the_words_of_python(tmp_path: Path) -> None:
    """The same module of the page under Node, with more of them than a browser has time for."""
    rng = np.random.default_rng(5)
    asked = []
    for name in ("tfbind8", "nas", "chembl", "superconductor"):
        space = TASKS[name].space
        letters = [*"ACGTacgtnNX#()=[]@+-.,0123456789%/\\ 'é€_\u2028", "Cl", "Br", "Ba", "Cu"]
        for _ in range(400):
            text = "".join(rng.choice(letters, rng.integers(0, 60)))
            try:
                space.encode([text])
                said = None
            except InvalidDesign as error:
                said = str(error)
            asked.append([name, text, said])
    assert sum(said is not None for _, _, said in asked) > 1000
    spaces = {
        name: {
            "space": json.loads((ROOT / "dataset_cards" / name / "task.json").read_text())["space"],
            "scale": {"mean": [], "std": []},
        }
        for name in {name for name, _, _ in asked}
    }
    (tmp_path / "asked.json").write_text(json.dumps([spaces, asked]), "utf-8")
    program = """
        import { readFileSync } from "node:fs";
        const { spaceOf } = await import(process.argv[2]);
        const [spaces, asked] = JSON.parse(readFileSync(process.argv[3], "utf8"));
        const made = Object.fromEntries(Object.entries(spaces).map(([n, t]) => [n, spaceOf(t)]));
        for (const [name, text, said] of asked) {
          let found = null;
          try { made[name].read(text); } catch (error) { found = error.message; }
          if (found !== said) console.log(JSON.stringify({ name, text, said, found }));
        }"""
    (tmp_path / "ask.mjs").write_text(program, "utf-8")
    module = (ROOT / "docs" / "web" / "playground" / "space.js").as_uri()
    command = ["node", "ask.mjs", module, "asked.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "", done.stdout[:3000]


@pytest.mark.parametrize("name", ["tfbind8", "chembl", "superconductor", "dkitty"])
def test_climbing_improves(name: str, play: Callable[..., Any]) -> None:
    tab = play(name)
    tab.click("[data-do=random]")
    tab.wait_for_timeout(300)
    tab.wait_for_function(SCORED)
    before = float(tab.get_attribute("#pg-score", "data-y"))
    tab.click("#pg-climb")
    tab.wait_for_function(f"Number({SCORED}) > {before}", timeout=60_000)
    tab.click("#pg-climb")  # stops it
    tab.wait_for_function("document.getElementById('pg-climb').textContent === 'Climb'")
    assert "designs scored" in tab.inner_text("#pg-climbed")
    assert tab.locator("#pg-curve svg").count() == 1


def test_an_address_is_a_design(play: Callable[..., Any]) -> None:
    tab = play("tfbind8", "&x=GCTAATTA")
    assert tab.input_value("#pg-text") == "GCTAATTA"
    enter(tab, "GGGGGGGG")
    address = tab.url
    again = play("ant")
    again.goto(address)
    again.wait_for_function(SCORED)
    assert again.input_value("#pg-text") == "GGGGGGGG"


def test_the_keyboard_is_enough(play: Callable[..., Any]) -> None:
    """Choose a task, write a design, take a change of the heat map."""
    tab = play("tfbind8")
    tab.focus("#pg-task")
    tab.keyboard.press("ArrowDown")
    tab.wait_for_function("document.getElementById('pg-summary').textContent.includes('Pho4')")
    tab.wait_for_function(SCORED)
    tab.focus("#pg-text")
    tab.keyboard.press("ControlOrMeta+a")
    tab.keyboard.type("AACCGGTTAC")
    tab.wait_for_selector("#pg-heat button[aria-label^='T at position 9']")
    tab.focus("#pg-heat button[aria-label^='T at position 9']")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.getElementById('pg-text').value === 'AACCGGTTAT'")


def test_sliders_elements_and_networks_change_the_design(play: Callable[..., Any]) -> None:
    tab = play("ant")
    before = tab.input_value("#pg-text")
    tab.focus("#pg-x0")
    tab.keyboard.press("End")
    assert tab.input_value("#pg-text") != before
    assert tab.input_value("#pg-text").startswith("0.1,")
    tab = play("superconductor", "&x=YBa2Cu3O7")
    tab.fill("#pg-elements input, .pg-elements input >> nth=0", "6.5")
    assert tab.input_value("#pg-text").startswith("O6.5")
    tab = play("nas", "&x=" + "0" * 64)
    tab.select_option("#pg-layer-1", "3")
    assert tab.input_value("#pg-text") == "03" + "0" * 62


def test_nearest_visible_design_and_rank(play: Callable[..., Any]) -> None:
    task = mbo_hub.load("tfbind8")
    tab = play("tfbind8", "&x=GCTAATTA")
    design = task.space.encode(["GCTAATTA"])
    (apart,) = task.space.nearest(design, task.x, np.ones(8))
    tab.wait_for_function("document.getElementById('pg-nearest').textContent")
    said = tab.inner_text("#pg-nearest")
    assert f"{apart:.0f} away (Hamming distance)" in said or (apart == 0 and "one of the" in said)
    every = np.concatenate([task.y, task.hidden[1]])
    share = 100 * (every < task.oracle(design)[0]).mean()
    told = float(tab.inner_text("#pg-rank").split(" ")[1])
    assert told == pytest.approx(share, abs=0.2)


def test_no_webassembly_before_the_first_paint(tab: Any) -> None:
    """The page is there while the oracle is still on its way."""
    tab.route("**/*.wasm", lambda route: None)  # it never arrives
    tab.goto("playground/index.html?task=tfbind8", wait_until="domcontentloaded")
    tab.wait_for_selector("#pg-text")
    assert tab.is_visible("#pg-loading")
    assert tab.inner_text("#pg-score") == "…"


# ---------------------------------------------------------------------------------- walked forests


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_walked_forest_gives_the_same(name: str, file: str) -> None:
    raw = (ROOT / "oracles_onnx" / name / file).read_bytes()
    made = walked(raw)
    assert (made == raw) == (b"TreeEnsemble" not in raw)
    space = TASKS[name].space
    designs = np.concatenate([np.array(golden(name)["x"], space.dtype), space.sample(40, rng=3)])
    x = designs.astype(np.int64 if isinstance(space, Sequence) else np.float32)
    sessions = [ort.InferenceSession(content) for content in (raw, made)]
    names = [output.name for output in sessions[0].get_outputs()]
    assert names == [output.name for output in sessions[1].get_outputs()]
    for one, other in zip(*(session.run(names, {"x": x}) for session in sessions), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-6 * np.abs(one).max())


def test_what_is_no_forest_of_this_archive_is_not_walked() -> None:
    import onnx

    model = onnx.load(ROOT / "oracles_onnx" / "nas" / "model.onnx")
    (forest,) = (node for node in model.graph.node if node.op_type == "TreeEnsemble")
    (kind,) = (a for a in forest.attribute if a.name == "aggregate_function")
    kind.i = 3
    with pytest.raises(InvalidFile, match="no sum of trees"):
        walked(model.SerializeToString())
