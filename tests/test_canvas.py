"""Pictures are the same whatever somebody's settings of matplotlib are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from conftest import ROOT
from made_runs import made

import mbo_hub
from mbo_hub import MboHubError, Sequence
from mbo_hub.archive import folders
from mbo_hub.errors import DrawingFailed
from mbo_hub.making.cards import trust_plots
from mbo_hub.publishing import pictures
from mbo_hub.publishing.new import new_task
from mbo_hub.results.plots import draw
from mbo_hub.scoring import canvas

SETTINGS: dict[str, dict[str, Any]] = {
    "LaTeX that is not there": {"text.usetex": True},
    "fonts that are not there": {"font.family": "No Such Font", "mathtext.fontset": "stix"},
    "sizes": {"figure.dpi": 31, "savefig.dpi": 17, "font.size": 40, "lines.linewidth": 30},
    "a dark style": {"axes.facecolor": "black", "savefig.bbox": "tight", "axes.grid": True},
    "another layout": {"figure.autolayout": True, "axes.formatter.use_locale": True},
}


def _histogram(folder: Path) -> dict[str, bytes]:
    task = mbo_hub.load("tfbind8")
    y = np.concatenate([task.y, task.hidden[1]])
    return {"y.png": pictures.histogram(task.manifest, y, task.y)}


def _trust(folder: Path) -> dict[str, bytes]:
    return trust_plots(folders.find_card("superconductor").declaration().manifest)


def _runs(folder: Path) -> dict[str, bytes]:
    runs = [made("tfbind8", name, 0, [0.1, 0.2]) for name in ("random", "grad", "mins")]
    written = draw(runs, folder)
    return {path.name: path.read_bytes() for path in written}


def _report(folder: Path) -> dict[str, bytes]:
    task = mbo_hub.load("tfbind8")
    panels: Any = task.evaluate(task.x[:9]).plot()
    panels[0].figure.savefig(folder / "report.png")  # as a user does, whose settings rule then
    assert (folder / "report.png").stat().st_size > 1000
    return {"in a notebook": panels._repr_png_()}


ROOMS: dict[str, Callable[[Path], dict[str, bytes]]] = {
    "publishing": _histogram,
    "making": _trust,
    "results": _runs,
    "scoring": _report,
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, bytes]]:
    """The pictures of a room, drawn once with matplotlib's own settings."""
    return cache(lambda room: ROOMS[room](tmp_path_factory.mktemp(room)))


@pytest.mark.parametrize("settings", [
    "LaTeX that is not there",
    *(pytest.param(name, marks=pytest.mark.slow("2 core-seconds a room: LaTeX fails the loudest"))
      for name in list(SETTINGS)[1:]),
])  # fmt: skip
@pytest.mark.parametrize("room", ROOMS)
def test_no_setting_changes_a_picture(
    room: str, settings: str, plain: Callable[[str], dict[str, bytes]], tmp_path: Path
) -> None:
    expected = plain(room)
    assert expected
    with mpl.rc_context(SETTINGS[settings]):
        before = dict(mpl.rcParams)
        drawn = ROOMS[room](tmp_path)
        assert dict(mpl.rcParams) == before, "settings of the user's program"
    for name, content in drawn.items():
        assert content == expected[name], name


CHILD = """
import sys
from click.testing import CliRunner
import mbo_hub.cli
done = CliRunner().invoke(
    mbo_hub.cli.main, ["new", "mine", "--from", "t.csv", "--space", "dna"], catch_exceptions=False
)
print(done.output)
task = mbo_hub.load("tfbind8")
task.evaluate(task.x[:9]).plot()[0].figure.savefig("report.png")
assert "matplotlib.pyplot" not in sys.modules
"""


@pytest.mark.parametrize(
    "backend",
    [
        "module://not_installed_here.backend",
        pytest.param("TkAgg", marks=pytest.mark.slow("2 core-seconds: as a module that is absent")),
    ],
)
def test_neither_a_backend_nor_a_file_of_settings_stops_a_picture(
    tmp_path: Path, backend: str
) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nno.such.setting: 5\n")
    (tmp_path / "t.csv").write_text("sequence,y\nACGT,1\nACGA,2\nAAAA,3\n")
    env = {**os.environ, "MPLBACKEND": backend, "PYTHONPATH": str(ROOT)}
    env.pop("DISPLAY", None)
    done = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=tmp_path, env=env, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no picture" not in done.stdout
    for picture in (tmp_path / "mine" / "y.png", tmp_path / "report.png"):
        assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("error", [
    RuntimeError("latex\nwas not able to process"), ValueError("Unknown symbol"),
    OSError(28, "No space left on device"), ModuleNotFoundError("No module named 'six'"),
])  # fmt: skip
def test_a_task_is_written_without_the_picture_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*arguments: object) -> bytes:
        raise error

    monkeypatch.setattr(canvas, "png", fail)
    dna = Sequence(length=2, alphabet=tuple("ACGT"))
    done = new_task(tmp_path / "mine", ["AC", "CA", "GG"], [1, 2, 3], dna)
    assert done.notes[-1].startswith("no picture y.png: matplotlib cannot draw here: ")
    assert type(error).__name__ in done.notes[-1]
    assert "\n" not in done.notes[-1]
    assert not (done.path / "y.png").exists()
    assert "y.png" not in (done.path / "README.md").read_text("utf-8")


def test_only_what_matplotlib_raises_is_blamed_on_it() -> None:
    with pytest.raises(DrawingFailed, match=r"cannot draw here: ValueError: no\. .*MPLBACKEND"), canvas.defaults():  # fmt: skip
        raise ValueError("no")
    for passing in (KeyError("ours"), MboHubError("ours")):
        with pytest.raises(type(passing), match="ours"), canvas.defaults():
            raise passing
