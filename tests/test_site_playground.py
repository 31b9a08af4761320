"""The playground in a real browser: its scores, its refusals, and what a person does with it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import browser
import numpy as np
import onnxruntime as ort
import pytest
from conftest import ROOT
from test_runtimes import RELATIVE

import mbo_hub
from mbo_hub.dataset import manifest
from mbo_hub.errors import InvalidDesign, InvalidFile
from mbo_hub.making.walked import walked
from mbo_hub.reading import read_designs
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks import TASKS

ORACLES = {
    name: json.loads((ROOT / "dataset_cards" / name / "task.json").read_text("utf-8"))["oracles"]
    for name in TASKS
}
# A task of each way to write and change a design; of the letters', the longer one.
EDITORS = {"tfbind10", "nas", "chembl", "superconductor", "dkitty", "hopper"}
FILES = [
    (name, entry["file"])
    for name, entries in ORACLES.items()
    for entry in entries.values()
    if entry["kind"] == "onnx"
]
SCORED = "document.getElementById('pg-score').dataset.y"
# Math.random, the same each time (mulberry32): from some designs no change is better.
CHANCE = """() => {
  let state = 1;
  Math.random = () => {
    let t = (state = (state + 0x6d2b79f5) | 0);
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}"""


def golden(name: str) -> dict[str, Any]:
    return json.loads((ROOT / "oracles_onnx" / name / "golden.json").read_text("utf-8"))


def text_of(name: str, row: list[float]) -> str:
    """A golden design as a person pastes it."""
    space = TASKS[name].space
    if isinstance(space, Sequence):
        return space.decode(np.array([row], space.dtype))[0]
    return ", ".join(f"{np.float32(value)!s}" for value in row)


@pytest.fixture(scope="module")
def kept(chromium: Any, site: str) -> Iterator[Any]:
    """A page on which chance is the same each time; a new one costs more than most tests do."""
    with browser.opened(chromium, site) as page:
        page.add_init_script(f"({CHANCE})()")
        yield page


@pytest.fixture
def play(kept: Any) -> Iterator[Callable[..., Any]]:
    """Open a task of the playground, wide and light, and wait for its first score."""
    kept.set_viewport_size({"width": 1280, "height": 900})
    kept.emulate_media(color_scheme="light", reduced_motion="no-preference")

    def open_(name: str, more: str = "") -> Any:
        kept.goto(f"playground/index.html?task={name}{more}")
        kept.wait_for_function(SCORED)
        return kept

    yield open_
    assert not kept.heard.wrong()


def enter(tab: Any, text: str) -> float:
    """Paste a design; give its raw value."""
    tab.evaluate("document.getElementById('pg-score').dataset.y = ''")
    tab.fill("#pg-text", "")
    tab.fill("#pg-text", text)
    tab.wait_for_function(SCORED)
    return float(tab.get_attribute("#pg-score", "data-y"))


ILLEGAL = {
    "tfbind8": ["ACGTACGX", "acgtacgt", "ACGT", "ACGTACGTA", "", "AC GTACG", "ACGTÄCGT", "ACG\tACGT"],
    "nas": ["0" * 63, "5" + "0" * 63, "0" * 65],
    "chembl": ["CCQ", "C" * 47, "C_C", "", "C" * 400, "CC€", "Cx'\""],
    "superconductor": ["YBa2Cu3O7-x", "YBa2Cu3Oo7", "Xx2", "Y(Ba2", "YBa)2", "(2Y)", "", "Y Ba", "Og2",
                       "Y0", "YBa2Cu3O₇", "1, 2, 3"],
    "tfbind10": ["ACGTACGT", "ACGTACGTAU"],
    "dkitty": ["0.5" + ", 0" * 55, "1;2", "0,2;0,3", "1,,2", "1, 2,"],
    "ant": ["1, 2", "abc", "nan" + ", 0" * 59, "0.5" + ", 0" * 59, "1e-7" + ", 9" * 59],
    "hopper": ["1 2 3", "inf " + "0 " * 5125, "1e39 " + "0 " * 5125],
}  # fmt: skip


def judged(name: str, text: str) -> str | None:
    """What Python says of it, None where it is legal: read as numbers where it lists them."""
    space = TASKS[name].space
    try:
        numbers = [float(part) for part in re.split(r"\s*,\s*|\s+", text.strip())]
    except ValueError:
        numbers = []
    alone = 1 if isinstance(space, Box) and space.takes_formulas else 0  # "7" is a bad formula
    asked = [numbers] if isinstance(space, Box) and len(numbers) > alone else [text]
    try:
        space.encode(asked) if asked == [text] else space.validate(asked)
    except InvalidDesign as error:
        return str(error)
    return None


def refused(name: str, text: str) -> str:
    said = judged(name, text)
    assert said is not None, text
    return said


LIKE_ANOTHER = pytest.mark.slow("ten seconds each; tfbind8 has letters, too, and ant sliders")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=LIKE_ANOTHER if n in ("tfbind10", "dkitty") else ()) for n in TASKS],
)
def test_a_task_is_played(name: str, play: Callable[..., Any], tmp_path: Path) -> None:
    """On one page, since it takes longer to load than all that is done on it."""
    tab = play(name)
    if name in EDITORS - {"tfbind10", "hopper"}:  # seen elsewhere, and too long for an address
        an_address_keeps_the_score(tab, name)
    golden_designs_have_their_values(tab, name)
    illegal_designs_are_refused_in_the_words_of_python(tab, name)
    what_is_downloaded_is_what_python_reads(tab, name, tmp_path)
    fields_change_the_design(tab, name)
    if name in EDITORS:
        climbing_improves(tab, name)
        it_is_accessible_and_fits_a_phone(tab, name)


def an_address_keeps_the_score(tab: Any, name: str) -> None:
    """Of another design than the first, in every way of writing one."""
    tab.wait_for_function("location.search.includes('x=')")
    first = tab.url
    enter(tab, text_of(name, golden(name)["x"][3]))
    tab.wait_for_function("first => location.href !== first", arg=first)
    before = tab.get_attribute("#pg-score", "data-y")
    tab.reload()
    tab.wait_for_function(SCORED)
    assert tab.get_attribute("#pg-score", "data-y") == before


def golden_designs_have_their_values(tab: Any, name: str) -> None:
    told = golden(name)
    shown = ORACLES[name][tab.input_value("#pg-oracle")]
    values = told["y"][shown["file"]]
    for row, expected in list(zip(told["x"], values, strict=True))[:10]:
        found = enter(tab, text_of(name, row))
        allowed = shown.get("tolerance", 0.0) + RELATIVE * abs(expected)
        assert abs(found - expected) <= allowed, row[:9]


def illegal_designs_are_refused_in_the_words_of_python(tab: Any, name: str) -> None:
    for text in ILLEGAL[name]:
        tab.evaluate("document.getElementById('pg-problem').textContent = ''")
        tab.fill("#pg-text", "C" if name == "chembl" else "x")
        tab.fill("#pg-text", text)
        if "\t" in text:  # a field of one line has no place for it, and neither has Python
            continue
        assert tab.inner_text("#pg-problem") == refused(name, text), text
        assert tab.get_attribute("#pg-text", "aria-invalid") == "true"
        assert tab.get_attribute("#pg-score", "data-y") == "", "a stale score is shown"


def what_is_downloaded_is_what_python_reads(tab: Any, name: str, folder: Path) -> None:
    row = golden(name)["x"][2]
    enter(tab, text_of(name, row))
    with tab.expect_download() as caught:
        tab.click("[data-do=download]")
    path = folder / caught.value.suggested_filename
    caught.value.save_as(path)
    told = ROOT / "dataset_cards" / name / "task.json"
    (found,) = read_designs(path, manifest.read(told.read_bytes(), name))
    np.testing.assert_array_equal(found, np.array(row, TASKS[name].space.dtype))


def fields_change_the_design(tab: Any, name: str) -> None:
    """A slider, the amount of an element, a layer of a network."""
    if name == "ant":
        before = tab.input_value("#pg-text")
        tab.focus("#pg-x0")
        tab.keyboard.press("End")
        assert tab.input_value("#pg-text") != before
        assert tab.input_value("#pg-text").startswith("0.1,")
    elif name == "superconductor":
        enter(tab, "YBa2Cu3O7")
        tab.fill("#pg-elements input, .pg-elements input >> nth=0", "6.5")
        assert tab.input_value("#pg-text").startswith("O6.5")
    elif name == "nas":
        enter(tab, "0" * 64)
        tab.focus("#pg-layer-1")  # what is written in stays as it was written
        tab.select_option("#pg-layer-1", "3")
        assert tab.input_value("#pg-text") == "03" + "0" * 62


def climbing_improves(tab: Any, name: str) -> None:
    enter(tab, text_of(name, golden(name)["x"][0]))
    tab.evaluate("document.getElementById('pg-score').dataset.y = ''")  # that of the start
    tab.click("[data-do=random]")
    tab.wait_for_function(SCORED)
    before = float(tab.get_attribute("#pg-score", "data-y"))
    tab.click("#pg-climb")
    tab.wait_for_function(f"{SCORED} && Number({SCORED}) > {before}", polling=100)
    tab.click("#pg-climb")  # stops it
    tab.wait_for_function("document.getElementById('pg-climb').textContent === 'Climb'")
    assert "designs scored" in tab.inner_text("#pg-climbed")
    assert tab.locator("#pg-curve svg").count() == 1


def it_is_accessible_and_fits_a_phone(tab: Any, name: str) -> None:
    """With a score, and refused: no serious finding of axe, no scrolling sideways."""
    # Without motion: axe finds no contrast in what is half faded in.
    tab.emulate_media(color_scheme="dark", reduced_motion="reduce")
    tab.set_viewport_size({"width": 390, "height": 844})
    enter(tab, text_of(name, golden(name)["x"][0]))
    for text in (None, "?"):
        if text:
            tab.fill("#pg-text", text)
        assert not browser.too_wide(tab, 390)
        assert not browser.inaccessible(tab)


def test_a_surrogate_is_another_choice(play: Callable[..., Any]) -> None:
    tab = play("tfbind8", "&oracle=surrogate&x=GCTAATTA")
    task = mbo_hub.load("tfbind8")
    (expected,) = task.oracles["surrogate"](task.space.encode(["GCTAATTA"]))
    assert float(tab.get_attribute("#pg-score", "data-y")) == pytest.approx(expected, rel=1e-6)
    assert "0.79" in tab.inner_text("#pg-trust")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_many_illegal_sequences_are_refused_in_the_words_of_python(tmp_path: Path) -> None:
    """The same module of the page under Node, with more of them than a browser has time for."""
    rng = np.random.default_rng(5)
    letters = [*"ACGTacgtnNX#()=[]@+-.,0123456789%/\\ 'é€_\u2028", "Cl", "Br", "Ba", "Cu"]
    numbers = [
        "0.1",
        "-1",
        "200",
        "1e-7",
        "-0",
        "3.5",
        ".5",
        "5.",
        "nan",
        "-inf",
        "1e39",
        "-1E5",
        "x",
    ]
    texts = [
        (name, "".join(rng.choice(letters, rng.integers(0, 60))))
        for name in ("tfbind8", "nas", "chembl", "superconductor")
        for _ in range(400)
    ]
    texts += [("superconductor", "H" * 1001), ("superconductor", "H1(" * 5000)]
    for name, most in (("ant", 61), ("dkitty", 57), ("superconductor", 87)):
        for _ in range(100):
            row = rng.choice(numbers[:-1], most - rng.choice(3, p=[0.1, 0.8, 0.1]))
            row[rng.random(len(row)) < 0.9] = "0.2"  # few are wrong, so that any may be the first
            texts.append((name, ", ".join(row)))
    asked = [[name, text, judged(name, text)] for name, text in texts]
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
    program += """
        for (const name of Object.keys(made))
          for (const much of ["C", "0.1,", "((", " ", "\u2028"]) {
            let found = null;
            try { made[name].read(much.repeat(1e7)); } catch (error) { found = error.message; }
            if (!found?.includes("more than 200,000 letters")) console.log(name, much, found);
          }"""
    (tmp_path / "ask.mjs").write_text(program, "utf-8")
    module = (ROOT / "docs" / "web" / "playground" / "space.js").as_uri()
    command = ["node", "ask.mjs", module, "asked.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "", done.stdout[:3000]


@pytest.mark.parametrize(("name", "width", "height"), [("tfbind8", 390, 1900), ("ant", 1280, 900)])
def test_nothing_jumps_while_a_task_comes(name: str, width: int, height: int, tab: Any) -> None:
    """What web vitals call a good page shifts by 0.1 at most; so narrow it was 0.41, wide 0.19."""
    tab.set_viewport_size({"width": width, "height": height})
    tab.add_init_script(browser.WATCH_SHIFTS)
    tab.goto(f"playground/index.html?task={name}")
    tab.wait_for_function(SCORED)
    tab.wait_for_function("document.getElementById('pg-nearest').textContent")
    if name != "ant":
        tab.wait_for_selector("#pg-heat td")
    assert not browser.jumped(tab)
    assert not tab.heard.wrong()


def test_an_address_is_a_design(play: Callable[..., Any]) -> None:
    tab = play("tfbind8", "&x=GCTAATTA")
    assert tab.input_value("#pg-text") == "GCTAATTA"
    enter(tab, "GGGGGGGG")
    tab.wait_for_url("**x=GGGGGGGG")
    address = tab.url
    tab.goto("faq.html")
    tab.goto(address)
    tab.wait_for_function(SCORED)
    assert tab.input_value("#pg-text") == "GGGGGGGG"


def test_a_wrong_address_says_so(play: Callable[..., Any]) -> None:
    tab = play("tfbind8", "&x=ACGTACGX")
    said = tab.inner_text("#pg-said")
    assert said == f"The address held no legal design: {refused('tfbind8', 'ACGTACGX')}"
    tab.goto("playground/index.html?task=nonsense")
    tab.wait_for_function(SCORED)
    assert tab.input_value("#pg-task") == "tfbind8"


def test_undo_goes_back_over_what_a_field_did_in_a_row(play: Callable[..., Any]) -> None:
    tab = play("ant")
    first = tab.input_value("#pg-text")
    tab.focus("#pg-x3")
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    assert tab.input_value("#pg-text") != first
    tab.click("[data-do=undo]")
    assert tab.input_value("#pg-text") == first
    tab.click("[data-do=undo]")
    assert "nothing to undo" in tab.inner_text("#pg-said")


def test_another_task_may_be_chosen_at_any_moment(play: Callable[..., Any]) -> None:
    """While the robot's oracle loads, while one climbs, and after a refusal."""
    tab = play("dkitty")
    tab.click("#pg-climb")
    for name, text in (("hopper", "1 2"), ("ant", "x"), ("tfbind10", "?"), ("tfbind8", "ACGT")):
        tab.select_option("#pg-task", name)
        tab.evaluate(
            "text => { const field = document.getElementById('pg-text');"
            "field.value = text; field.dispatchEvent(new Event('input')); }", text
        )  # fmt: skip
    tab.wait_for_function("document.querySelectorAll('.pg-tiles button').length === 8")
    tab.fill("#pg-text", "ACGT")
    tab.wait_for_selector("#pg-loading", state="hidden")
    assert "has 4 letters" in tab.inner_text("#pg-problem")
    assert tab.get_attribute("#pg-score", "data-y") == "", "it is of no design in sight"
    assert tab.inner_text("#pg-climb") == "Climb"
    assert tab.inner_text("#pg-climbed") == ""
    assert enter(tab, "GCTAATTA") == pytest.approx(
        mbo_hub.load("tfbind8").oracle(mbo_hub.load("tfbind8").space.encode(["GCTAATTA"]))[0],
        rel=1e-6,
    )


def test_a_file_that_does_not_come_is_told(tab: Any) -> None:
    tab.route("**/oracles/*.onnx", lambda route: route.fulfill(status=503))
    tab.goto("playground/index.html?task=tfbind8")
    tab.wait_for_function("document.getElementById('pg-problem').textContent")
    assert "503" in tab.inner_text("#pg-problem")
    assert tab.get_attribute("#pg-score", "data-y") == ""
    assert tab.is_hidden("#pg-loading")


def test_letters_by_keys_on_the_screen_and_on_the_keyboard(play: Callable[..., Any]) -> None:
    tab = play("tfbind8", "&x=AAAAAAAA")
    tab.click(".pg-tiles button >> nth=2")
    tab.click("[aria-label='Replace the chosen letter by'] >> text=G")
    assert tab.input_value("#pg-text") == "AAGAAAAA"
    tab.focus(".pg-tiles button[aria-pressed=true]")
    tab.keyboard.type("ct")
    assert tab.input_value("#pg-text") == "AAGCTAAA"
    assert tab.get_attribute(".pg-tiles :focus", "aria-label") == "position 5: A"


def test_what_is_told_of_a_design(play: Callable[..., Any]) -> None:
    task = mbo_hub.load("tfbind8")
    tab = play("tfbind8", "&x=GCTAATTA")
    nearest_visible_design_and_rank(tab, task)
    the_heat_map_tells_every_single_change(tab, task)


def nearest_visible_design_and_rank(tab: Any, task: mbo_hub.Task) -> None:
    design = task.space.encode(["GCTAATTA"])
    (apart,) = task.space.nearest(design, task.x, np.ones(8))
    tab.wait_for_function("document.getElementById('pg-nearest').textContent")
    said = tab.inner_text("#pg-nearest")
    assert f"{apart:.0f} away (Hamming distance)" in said or (apart == 0 and "one of the" in said)
    every = np.concatenate([task.y, task.hidden[1]])
    share = 100 * (every < task.oracle(design)[0]).mean()
    told = float(tab.inner_text("#pg-rank").split(" ")[1])
    assert told == pytest.approx(share, abs=0.2)


def the_heat_map_tells_every_single_change(tab: Any, task: mbo_hub.Task) -> None:
    """It is one stop of Tab, arrow keys walk it, and its numbers are the oracle's."""
    tab.wait_for_selector("#pg-heat:not([inert]) button")
    said = tab.eval_on_selector_all("#pg-heat button", "all => all.map((one) => one.ariaLabel)")
    assert len(said) == 32
    for label in said:
        letter, position, score = label[0], int(label.split()[3][:-1]), label.split()[4]
        text = "GCTAATTA"[:position] + letter + "GCTAATTA"[position + 1 :]
        (expected,) = task.oracle(task.space.encode([text]))
        assert float(score.rstrip(",")) == pytest.approx(expected, abs=6e-4), label
    assert tab.locator("#pg-heat [tabindex='0']").count() == 1
    tab.focus("#pg-heat [tabindex='0']")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.activeElement.ariaLabel").startswith("C at position 1")
    tab.fill("#pg-text", "GCTAATT")
    assert tab.evaluate("document.getElementById('pg-heat').inert"), "it is of another design"


def test_what_differs_from_the_nearest_visible_design(play: Callable[..., Any]) -> None:
    task = mbo_hub.load("dkitty")
    design = (task.x[5] + task.x[6]) / 2
    tab = play("dkitty", "&x=" + ",".join(map(str, design)))
    tab.wait_for_function("document.getElementById('pg-nearest').textContent")
    scale = task.offline.normalization.x.std
    apart = task.space.distance(design[None], task.x, scale)[0]
    said = tab.inner_text("#pg-nearest")
    assert f"{apart.min():.2f} away (distance in units of the visible std)" in said
    other = task.x[apart.argmin()]
    most = np.argmax(np.abs(design - other) / scale)
    assert f"{task.space.columns[most].replace('_', ' ')}: " in said
    assert f"scores {task.score(task.y)[apart.argmin()]:.3f} in the data" in said


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
    tab.wait_for_selector("#pg-heat:not([inert]) button[aria-label^='T at position 9']")
    tab.focus("#pg-heat button[aria-label^='T at position 9']")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.getElementById('pg-text').value === 'AACCGGTTAT'")


def test_the_page_says_that_a_task_is_on_its_way(tab: Any) -> None:
    tab.route("**/playground/data/*.json", lambda route: None)  # it never arrives
    tab.goto("playground/index.html?task=tfbind8", wait_until="domcontentloaded")
    assert tab.is_visible("text=Loading the task")
    tab.unroute("**/playground/data/*.json")
    tab.reload()
    tab.wait_for_selector("#pg-text")
    assert tab.is_hidden("text=Loading the task")


def test_no_webassembly_before_the_first_paint(tab: Any) -> None:
    """The page is there while the oracle is still on its way."""
    tab.route("**/*.wasm", lambda route: None)  # it never arrives
    tab.goto("playground/index.html?task=tfbind8", wait_until="domcontentloaded")
    tab.wait_for_selector("#pg-text")
    assert tab.is_visible("#pg-loading")
    assert tab.inner_text("#pg-score") == "…"
    # The bar counts the runtime, which is most of what there is to wait for.
    tab.wait_for_function("document.getElementById('pg-progress').value > 0")
    assert 0 < tab.evaluate("document.getElementById('pg-progress').value") < 0.5


# ---------------------------------------------------------------------------------- walked forests


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_walked_forest_gives_the_same(name: str, file: str) -> None:
    raw = (ROOT / "oracles_onnx" / name / file).read_bytes()
    made = walked(raw)
    assert (made == raw) == (b"TreeEnsemble" not in raw)
    space = TASKS[name].space
    designs = [np.array(golden(name)["x"], space.dtype), space.sample(40, rng=3)]
    if isinstance(space, Sequence):
        x = np.concatenate(designs).astype(np.int64)
    else:
        x = np.concatenate([*designs, on_the_edge(raw, designs[1])])
    sessions = [ort.InferenceSession(content) for content in (raw, made)]
    names = [output.name for output in sessions[0].get_outputs()]
    assert names == [output.name for output in sessions[1].get_outputs()]
    for one, other in zip(*(session.run(names, {"x": x}) for session in sessions), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-6 * np.nanmax(np.abs(one)))


def on_the_edge(raw: bytes, designs: np.ndarray) -> np.ndarray:
    """Designs with values at a split, one step beside it, huge, or none: where a walk may err."""
    import onnx

    nodes = onnx.load_from_string(raw).graph.node
    (forest,) = (node for node in nodes if node.op_type == "TreeEnsemble")
    told = {a.name: onnx.helper.get_attribute_value(a) for a in forest.attribute}
    splits = onnx.numpy_helper.to_array(told["nodes_splits"])
    features = np.array(told["nodes_featureids"])
    rng = np.random.default_rng(7)
    width = designs.shape[1]
    made = []
    for side in (-np.inf, None, np.inf):
        rows = designs.copy()
        for row in rows:
            for at in rng.choice(len(splits), 200):
                beside = splits[at] if side is None else np.nextafter(splits[at], np.float32(side))
                row[features[at] % width] = beside
        made.append(rows)
    strange = [
        np.full(width, value, np.float32) for value in (0, -0.0, 3e38, -3e38, np.inf, np.nan)
    ]
    return np.concatenate([*made, strange])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("aggregate_function", 3, "no sum of trees"),
        ("post_transform", 1, "transforms sums"),
        ("n_targets", 7, "several targets"),
    ],
)
def test_what_is_no_forest_of_this_archive_is_not_walked(name: str, value: int, words: str) -> None:
    import onnx

    model = onnx.load(ROOT / "oracles_onnx" / "nas" / "model.onnx")
    (forest,) = (node for node in model.graph.node if node.op_type == "TreeEnsemble")
    (attribute,) = (a for a in forest.attribute if a.name == name)
    attribute.i = value
    with pytest.raises(InvalidFile, match=words):
        walked(model.SerializeToString())
