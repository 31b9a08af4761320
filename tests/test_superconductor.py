from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import polars as pl
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub import HubUnavailable, InvalidDesign, Task
from mbo_hub.archive import folders
from mbo_hub.dataset import manifest
from mbo_hub.making import build
from mbo_hub.oracles import golden
from mbo_hub.oracles.kinds import Deposit, open_oracle
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.tasks import TASKS
from mbo_hub.tasks.superconductor import ELEMENTS, SPACE, compositions

SPEC = TASKS["superconductor"]
MODEL = (ROOT / "oracles_onnx" / "superconductor" / "model.onnx").read_bytes()
GOLDEN = golden.read(
    (ROOT / "oracles_onnx" / "superconductor" / "golden.json").read_bytes(), "golden.json"
)


@pytest.fixture(scope="module")
def oracle() -> OnnxOracle:
    """Needs no data."""
    return OnnxOracle(SPACE, MODEL, "model.onnx", exact=False)


def test_the_figures_that_the_field_uses(superconductor: Task) -> None:
    task = superconductor
    x, y = task.hidden
    full = np.concatenate([task.y, y])
    assert (task.x.shape, x.shape) == ((17014, 86), (4249, 86))
    assert (full.max(), full.min()) == (np.float32(185), np.float32(0.00021))
    assert task.y.max() == 74
    assert task.score(task.y.max()).item() == pytest.approx(0.39999932, abs=5e-9)
    assert y.min() > task.y.max()
    assert len(np.unique(np.concatenate([task.x, x]), axis=0)) == 15309


def test_conflicting_measurements_are_as_many_as_the_card_says(superconductor: Task) -> None:
    frame = build.read_frame(SPEC)
    number = compositions(frame["x"].to_numpy())
    of_each = pl.DataFrame({"number": number, "y": frame["y"]}).group_by("number").n_unique()
    assert len(of_each) == 15309
    assert of_each.filter(pl.col("y") > 1).height == 2353
    assert any("15,309" in sentence and "2,353" in sentence for sentence in SPEC.known)


def test_a_formula_says_what_the_amounts_are(superconductor: Task) -> None:
    frame = build.read_frame(SPEC)
    assert frame.columns == ["formula", "x", "y", "y_oracle"]
    assert len(set(ELEMENTS)) == len(ELEMENTS) == 86
    (row,) = frame.filter(pl.col("formula") == "Ba0.2La1.8Cu1O4")["x"].head(1).to_list()
    amounts = {name: amount for name, amount in zip(ELEMENTS, row, strict=True) if amount}
    assert amounts == pytest.approx({"Ba": 0.2, "La": 1.8, "Cu": 1, "O": 4})
    assert superconductor.space.decode([row])[0]["Cu"] == 1
    assert superconductor.space.encode([dict.fromkeys(ELEMENTS, 0) | amounts]).tolist() == [row]


def test_formulas_of_the_data_are_read_as_their_amounts(superconductor: Task) -> None:
    """All but one, which ends in a dot."""
    frame = build.read_frame(SPEC)
    plain = frame.filter(pl.col("formula") != "Ga1Sr2Ca3Cu4O11.")
    assert len(frame) - len(plain) == 1
    x = plain["x"].to_numpy()
    assert np.allclose(superconductor.space.encode(plain["formula"]), x, rtol=1e-6, atol=0)
    with pytest.raises(InvalidDesign, match=r"has '\.' at position 15"):
        superconductor.space.encode(["Ga1Sr2Ca3Cu4O11."])
    file = build.data_folder(SPEC) / "data" / "train.parquet"
    assert np.array_equal(mbo_hub.read_designs(file, superconductor.manifest), superconductor.x)


def test_labels_of_the_oracle(superconductor: Task) -> None:
    labelled = mbo_hub.load("superconductor", labels="oracle")
    frame = pl.read_parquet(build.data_folder(SPEC) / "data" / "train.parquet")
    assert np.array_equal(labelled.y, frame["y_oracle"].to_numpy())
    assert np.array_equal(superconductor.y, frame["y"].to_numpy())
    assert np.array_equal(labelled.x, superconductor.x)
    assert labelled.manifest.statistics.best_visible == 74  # D(best) stays the measured one
    code = "import mbo_hub; mbo_hub.load('superconductor', labels='forest')"  # types unchecked
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("ValueError: labels are 'measured' or 'oracle', got 'forest'\n")


def test_the_published_forest_remembers_every_row(superconductor: Task) -> None:
    """Trees of full depth, without bootstrap: a leaf has one composition, so that whatever the seed
    its value is the mean of what was measured; but for a few that a tree did not part.
    """
    task = superconductor
    (x, y) = (np.concatenate(pair) for pair in zip((task.x, task.y), task.hidden, strict=True))
    number = compositions(x)
    mean = np.bincount(number, y.astype(np.float64)) / np.bincount(number)
    scored = task.oracle(x)
    parted = np.abs(scored - mean[number]) <= 1e-5 * np.ptp(y)
    assert np.count_nonzero(~parted) == 50
    assert np.abs(scored - mean[number]).max() < 1
    assert task.oracle.spread(x)[parted].max() <= 1e-3
    above = scored[: len(task.y)][scored[: len(task.y)] > task.y.max()]
    assert any(f"{len(above)} visible rows" in s and f"{above.max():g} K" in s for s in SPEC.known)
    entry = task.manifest.oracles["forest"]
    seen = np.abs(mean[number] - y).mean()
    assert seen < 0.4 * entry.held_out.mean_absolute_error  # the leak that the card tells of


# --------------------------------------------------------------------------------- illegal designs


def broken(row: int, change: Callable[[np.ndarray], object]) -> np.ndarray:
    designs = np.array(GOLDEN.x[:4], np.float64)
    change(designs[row])
    return designs


def put(element: str, amount: float) -> Callable[[np.ndarray], object]:
    return lambda design: design.__setitem__(ELEMENTS.index(element), amount)


ILLEGAL = [
    (broken(2, put("Cu", -0.5)), "design 2 has -0.5 for Cu; it is at least 0"),
    (broken(1, put("H", np.nan)), "design 1 has nan for H; values are finite float32 numbers"),
    (broken(0, put("Rn", np.inf)), "design 0 has inf for Rn; values are finite float32 numbers"),
    (broken(3, put("O", 1e39)), "design 3 has 1e+39 for O; values are finite float32 numbers"),
    (
        broken(3, lambda design: design.fill(0)),
        "design 3 has nothing but zeros; at least one value differs from 0",
    ),
    (
        broken(3, lambda design: design.fill(1e-60)),
        "design 3 has nothing but zeros; at least one value differs from 0",
    ),
]


@pytest.mark.parametrize(
    ("designs", "message"), ILLEGAL, ids=lambda v: v[:20] if isinstance(v, str) else ""
)
def test_illegal_designs_are_refused_by_row(
    oracle: OnnxOracle, designs: np.ndarray, message: str
) -> None:
    for refuse in (SPACE.validate, oracle, oracle.spread):
        with pytest.raises(InvalidDesign) as caught:
            refuse(designs)
        assert str(caught.value) == message
    # The file alone, in other languages, gives NaN for this row and for no other.
    with np.errstate(over="ignore"):
        x = designs.astype(np.float32)
    y, spread = ort.InferenceSession(MODEL).run(["y", "spread"], {"x": x})
    row = int(message.split()[1])
    for values in (y, spread):
        assert np.flatnonzero(np.isnan(values)).tolist() == [row]
    assert SPACE.legal(designs).tolist() == [i != row for i in range(4)]


@pytest.mark.parametrize("shape", [(3, 85), (3, 87), (86,), (1, 1, 86)])
def test_another_width_is_refused(oracle: OnnxOracle, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidDesign, match=r"designs have shape \(n, 86\) here, got \("):
        oracle(np.ones(shape))


def test_several_illegal_designs_are_counted(oracle: OnnxOracle) -> None:
    with pytest.raises(
        InvalidDesign, match=r"^design 0 has -1.0 for H; .* \(4 more invalid designs"
    ):
        oracle(-np.ones((5, 86)))


def test_projection(superconductor: Task) -> None:
    designs = broken(2, put("Cu", -0.5))
    fixed = SPACE.project(designs)
    assert fixed[2, ELEMENTS.index("Cu")] == 0
    with pytest.raises(InvalidDesign, match="design 0 has nothing but zeros"):
        SPACE.project(-np.ones((1, 86)))  # nothing is nearest to it: 0 itself is no design
    report = superconductor.evaluate(np.vstack([designs, -np.ones((1, 86))]), project=True)
    assert (report.projected, report.invalid) == (1, pytest.approx(1 / 5))


def test_formulas_are_no_designs(superconductor: Task) -> None:
    with pytest.raises(InvalidDesign, match="designs are numbers"):
        superconductor.oracle(np.array([["MgB2"] * 86]))


# ------------------------------------------------------------------------------------ without data


def test_values_do_not_depend_on_the_batch(oracle: OnnxOracle) -> None:
    """Of many rows, in parts of all sizes and with any number of threads; spread likewise."""
    designs = np.concatenate([np.array(GOLDEN.x, np.float32), SPACE.sample(10_000, rng=3)])
    y, spread = oracle(designs), oracle.spread(designs)
    single = OnnxOracle(SPACE, MODEL, "model.onnx", exact=False, threads=1)
    assert np.array_equal(single(designs), y)
    some = np.r_[0:60, 4090:4100, 10_040:10_050]
    assert np.array_equal([oracle(designs[i : i + 1])[0] for i in some], y[some])
    assert np.array_equal([oracle.spread(designs[i : i + 1])[0] for i in some], spread[some])
    for size in (2, 127, 4097):
        assert np.array_equal(oracle(designs[100 : 100 + size]), y[100 : 100 + size])
    assert np.allclose(oracle(GOLDEN.x), GOLDEN.y["model.onnx"], rtol=1e-6)


def test_the_file_says_what_it_is(oracle: OnnxOracle) -> None:
    said = oracle.metadata
    assert said["mbo.input"] == "x: float32 (n, 86), raw units"
    assert said["mbo.trained_on"].startswith("all 21,263 rows; the held-out figures are those of ")
    entry = manifest.read(
        (ROOT / "dataset_cards" / "superconductor" / "task.json").read_bytes(), "task.json"
    ).oracles["forest"]
    assert entry.held_out.spearman >= 0.96
    assert entry.held_out.spearman_random_rows >= 0.96
    assert "all rows of a composition together" in entry.held_out.rule


def test_without_data_loading_names_both_ways(tmp_path: Path) -> None:
    with pytest.raises(HubUnavailable) as caught:
        mbo_hub.load("superconductor")
    message = str(caught.value)
    assert message.startswith("mbo/superconductor (dataset, revision v1.0.0): task.json: ")
    assert "the Hub at http://127.0.0.1:9 cannot be reached" in message
    assert message.endswith(
        ". Or, without the Hub: build the data from their public source, once, with  "
        "mbo build superconductor"
    )
    assert len(message.splitlines()) == 1
    with pytest.raises(HubUnavailable) as other:  # which version 2 could not mend
        mbo_hub.load("superconductor", "v2.0.0")
    assert "mbo build" not in str(other.value)


def test_a_hub_that_does_not_have_it_names_the_way_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hub_server import HubServer

    with HubServer(tmp_path / "hub") as hub:
        code = "import mbo_hub; mbo_hub.load('superconductor')"
        env = hub.env(tmp_path / "home", token=None)
        done = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
        )
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mbo_hub.errors.UnknownTask: mbo/superconductor (dataset, revision v1")
    assert last.endswith("with  mbo build superconductor")


def test_the_oracle_is_here_before_the_data(oracle: OnnxOracle) -> None:
    folder = folders.embedded("superconductor")
    declared = manifest.read(folder.read("task.json", None), str(folder))
    opened = open_oracle(Deposit(folder, declared, declared.oracles["forest"], pytest.fail))
    assert opened.fingerprint == oracle.fingerprint
