"""NAS: how its data came about, and what is known of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from conftest import script_module

import mbo_hub
from mbo_hub import InvalidDataset, OracleUnavailable
from mbo_hub.archive.export import export
from mbo_hub.making import build
from mbo_hub.oracles.digits import RECIPE, SPACE, Outcome, accuracy, parameters
from mbo_hub.tasks import TASKS, nas


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """scripts/measure_nas.py, with few designs whose trainings take no time."""
    pytest.importorskip("torch", reason="the script notes its version")
    module = script_module("measure_nas", monkeypatch)
    few = {"RANDOM": 21, "GENERATIONS": 3, "CHILDREN": 6, "ROWS": 39, "NOISE_ROWS": 8}
    for name, number in few.items():
        monkeypatch.setattr(module, name, number)
    monkeypatch.setattr(module, "KEPT", Path("nothing-kept"))
    return module


class Stopped(Exception):
    """Stands for Ctrl-C."""


def training(limit: int, *, backwards: bool) -> Any:
    """Stands for training: quick, in some order, stopped after a number of designs."""
    left = limit

    def train_all(
        designs: list[list[int]], *, processes: int, seeds: Any = RECIPE.seeds
    ) -> Iterator[tuple[int, Outcome]]:
        nonlocal left
        order = list(range(len(designs)))
        for row in order[::-1] if backwards else order:
            if not left:
                raise Stopped
            left -= 1
            yield row, Outcome(tuple(designs[row].count(3) * 5 + seed % 3 for seed in seeds), 0.25)

    return train_all


def measure(
    script: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch, limit: int, backwards: bool
) -> dict[int, dict[str, Any]]:
    """Run the search until it is done or stopped; give what is in its file then."""
    monkeypatch.setattr(script, "train_all", training(limit, backwards=backwards))
    folder.mkdir(exist_ok=True)
    path = folder / "measurements.jsonl"
    with suppress(Stopped):
        script.search(script.Lines(path, script.settings(0, "measurements")), 0, 2)
    return {line["row"]: line for line in read(path)}


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()[1:]]


def test_interruptions_and_order_change_nothing(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = measure(script, tmp_path / "whole", monkeypatch, 99, False)
    assert sorted(whole) == list(range(39))
    assert len({line["x"] for line in whole.values()}) == 39
    parts: dict[int, dict[str, Any]] = {}
    for stop, backwards in ((5, True), (20, False), (9, True), (99, True)):
        parts = measure(script, tmp_path / "parts", monkeypatch, stop, backwards)
    assert parts == whole
    value = [sum(line["right"]) for _, line in sorted(whole.items())]
    assert np.mean(value[-6:]) > np.mean(value[:21])  # what is bred is better than what is drawn


def test_a_torn_line_is_measured_again(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(script, tmp_path, monkeypatch, 7, False)
    path = tmp_path / "measurements.jsonl"
    kept = read(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert len(script.Lines(path, script.settings(0, "measurements")).found) == 6
    measure(script, tmp_path, monkeypatch, 1, False)
    assert read(path) == kept


def test_what_was_measured_otherwise_is_not_gone_on_with(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(script, tmp_path, monkeypatch, 3, False)
    path = tmp_path / "measurements.jsonl"
    with pytest.raises(script.Conflict, match="was made otherwise"):
        script.Lines(path, script.settings(1, "measurements"))
    path.write_text(path.read_text().replace('"x": "', '"x": "4', 1))
    with pytest.raises(script.Conflict, match="row 0 is another design"):
        measure(script, tmp_path, monkeypatch, 3, False)


def test_noise_compares_groups_of_seeds(
    script: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(script, "train_all", training(99, backwards=True))
    files = [
        script.Lines(tmp_path / f"{kind}.jsonl", script.settings(0, kind))
        for kind in ("m", "noise")
    ]
    script.noise(*files, 0, 2)
    assert [len(file.found) for file in files] == [8, 8]
    assert "Spearman of two groups of 3: 1.000 (1.000 to 1.000, 10 ways" in capsys.readouterr().out


def test_raw_lines_become_rows_in_the_order_of_the_search() -> None:
    head = {"made": "measurements", "recipe": RECIPE.sha256}
    texts = SPACE.decode(SPACE.sample(3, rng=0))
    rows = zip((1111, 0, 1051), texts, ([9, 9, 9], [360, 360, 360], [0, 1, 2]), strict=True)
    lines = [{"row": r, "x": x, "right": right, "seconds": 1.25} for r, x, right in rows]
    raw = "\n".join(map(json.dumps, [head, *lines])).encode()
    frame = nas.build(raw)
    assert frame["generation"].to_list() == [0, 1, 2]
    assert SPACE.decode(frame["x"].to_numpy()) == [texts[1], texts[2], texts[0]]
    assert frame["y"].to_list() == pytest.approx([100.0, 100 / 360, 2.5])
    assert frame["right_2"].to_list() == [360, 2, 9]
    assert frame["milliseconds"].to_list() == [1250] * 3
    with pytest.raises(ValueError, match="measured with recipe 00"):
        nas.build(raw.replace(RECIPE.sha256.encode(), b"00"))


def test_the_data_are_1771_architectures_drawn_and_bred() -> None:
    task = mbo_hub.load("nas")
    frame = build.read_frame(TASKS["nas"])
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy()
    assert x.shape == (1771, 64)
    assert (x.dtype, x.min(), x.max()) == (np.int8, 0, 4)
    assert len(np.unique(x, axis=0)) == 1771
    assert np.bincount(frame["generation"]).tolist() == [1051] + 12 * [60]
    right = frame.select("right_0", "right_1", "right_2").to_numpy()
    assert np.array_equal(y, accuracy(right).astype(np.float32))
    assert np.array_equal(frame["parameters"].to_numpy(), parameters(x))
    drawn = frame["generation"].to_numpy() == 0
    assert y[~drawn].mean() > y[drawn].mean()
    assert y[drawn].max() < y.max()
    assert 880 <= len(task.y) <= 890  # half of them, and ties


def test_golden_and_stored_architectures_come_out_again() -> None:
    """To the digit with the torch that measured them, and within the tolerance with others.

    They are trained here, and nowhere else in the suite: test_every_task.py remembers their values.
    """
    torch = pytest.importorskip("torch", reason="the exact oracle of nas needs torch")
    task = mbo_hub.load("nas")
    entry = task.manifest.oracles["exact"]
    assert entry.kind == "training"
    rows = np.array([0, len(task.y) - 1])
    apart = np.abs(task.oracles["exact"](task.x[rows]) - task.y[rows])
    same = torch.__version__.partition("+")[0] == entry.settings["made_with"]
    assert apart.max() <= (0.0 if same else entry.tolerance)
    assert task.oracles["exact"].agreement == "exact" or not same


def without_torch(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `mbo` in a process that has no torch."""
    code = "import sys; sys.modules['torch'] = None; from mbo_hub.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )


def test_without_torch_the_command_line_names_both_ways_on(tmp_path: Path) -> None:
    np.save(tmp_path / "designs.npy", SPACE.sample(3, rng=0))
    exact = without_torch("score", "nas", str(tmp_path / "designs.npy"))
    assert exact.returncode == 1
    for part in ("needs torch", "pip install 'mbo-hub[nas]'", "--oracle surrogate"):
        assert part in exact.stderr
    assert "Traceback" not in exact.stderr
    surrogate = without_torch(
        "score", "nas", str(tmp_path / "designs.npy"), "--oracle", "surrogate"
    )
    assert surrogate.returncode == 0, surrogate.stderr
    assert "surrogate" in surrogate.stdout
    for arguments in (("info", "nas"), ("list",)):
        assert without_torch(*arguments).returncode == 0


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the exact oracle of nas needs torch")
    export(["nas"], tmp_path)
    path = tmp_path / "nas" / "task.json"
    document = json.loads(path.read_text())
    document["oracles"]["exact"]["settings"]["recipe_sha256"] = "0" * 64
    path.write_text(json.dumps(document))
    with pytest.raises(OracleUnavailable, match="another recipe of training"):
        mbo_hub.load(tmp_path / "nas").oracles["exact"]
    document["oracles"]["exact"]["settings"].pop("recipe_sha256")
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidDataset, match="recipe_sha256"):
        mbo_hub.load(tmp_path / "nas").oracles["exact"]
