"""The installed package, away from the checkout: data, oracles and command are in the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

from mbo_hub.tasks import TASKS


@pytest.mark.slow(
    "5 core-seconds: builds a wheel and runs it; the others run the files that it is made of"
)
def test_a_wheel_works_outside_the_checkout(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert {
        "mbo_hub/dataset_cards/tfbind8/data/train.parquet",
        "mbo_hub/oracles_onnx/tfbind8/model.onnx",
        "mbo_hub/dataset/task.schema.json",
        "mbo_hub/archive/pins.json",
        "mbo_hub/py.typed",
        "mbo_hub/dataset_cards/superconductor/task.json",
        "mbo_hub/oracles_onnx/superconductor/model.onnx",
    } <= set(names)
    assert {f"mbo_hub/dataset_cards/{task}/task.json" for task in TASKS} <= set(names)
    assert not [n for n in names if "dataset_cards/results" in n], "40 MB that nobody needs"
    others = [f"/{task}/" for task, spec in TASKS.items() if not spec.embedded]  # they are built
    data = [n for n in names if n.endswith((".parquet", ".csv"))]
    assert not [n for n in data if any(other in n for other in others)]
    code = (
        "import mbo_hub, pathlib; from mbo_hub.archive import cache, export\n"
        "assert 'site' in mbo_hub.__file__, mbo_hub.__file__\n"
        "task = mbo_hub.load('tfbind8')\n"
        "for name in task.oracles: task.evaluate(task.x[:9], oracle=name)\n"
        "copy = cache.copies(check=True)[0]\n"
        "assert 'site' in str(copy.path), copy\n"
        "assert copy.state == 'intact', copy\n"
        "export.export(['tfbind8'], pathlib.Path('mbo'))\n"
        "assert mbo_hub.validate('mbo/tfbind8') == []\n"
    )
    # The wheel's files come first on the path, before the checkout that is installed for editing.
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
