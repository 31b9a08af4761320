"""What the documents promise is run: README, cards, docstrings."""

from __future__ import annotations

import doctest
import importlib
import math
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT
from hub_server import HubServer

import mbo_hub
from mbo_hub import cli
from mbo_hub.archive.export import export
from mbo_hub.archive.hub import local_files
from mbo_hub.tasks import TASKS

README = (ROOT / "README.md").read_text("utf-8")
MODULES = [m.name for m in pkgutil.walk_packages(mbo_hub.__path__, "mbo_hub.")]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def environment(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}


def run(code: str, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def beside_the_folders(tmp_path: Path) -> Path:
    """A working directory with ./mbo, as `mbo export` leaves it, and the repository's folders."""
    export([name for name in TASKS if TASKS[name].embedded], tmp_path / "mbo")
    (tmp_path / "oracles_onnx").symlink_to(ROOT / "oracles_onnx")
    return tmp_path


def test_readme_python_runs_from_top_to_bottom(beside_the_folders: Path) -> None:
    code = blocks(README, "python")
    assert len(code) >= 4
    out = run("\n".join(code), beside_the_folders, environment(beside_the_folders))
    assert out.count("TF Bind 8 v1.0.0: 128 of 128 designs scored") == 2
    assert (beside_the_folders / "receipt.json").is_file()


def test_readme_commands_run_in_order_and_name_every_verb(tmp_path: Path) -> None:
    (code,) = [b for b in blocks(README, "bash") if "mbo list" in b]
    with HubServer(tmp_path / "hub") as hub:  # `mbo publish` asks what is there already
        env = hub.env(tmp_path / "home") | {"PATH": environment(tmp_path)["PATH"]}
        done = subprocess.run(
            ["bash", "-ec", code],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "The receipt holds." in done.stdout
    named = re.findall(r"^mbo ([a-z]+)", "\n".join(blocks(README, "bash")), re.MULTILINE)
    assert set(named) == set(cli.main.commands)


def test_readme_builds_what_the_package_does_not_carry(
    tmp_path: Path, build_cache: Callable[[str], Path]
) -> None:
    """The download itself is tested in test_assembly.py, with a server on this machine."""
    (code,) = [b for b in blocks(README, "bash") if "mbo build" in b]
    for name in [name for name in TASKS if not TASKS[name].embedded]:
        assert f"mbo build {name}" in code
        cache = build_cache(name)
        env = environment(tmp_path) | {"MBO_HUB_CACHE": str(cache)}
        line = next(line for line in code.splitlines() if line.startswith(f"mbo build {name}"))
        done = subprocess.run(["bash", "-ec", line], cwd=tmp_path, env=env, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert Path(done.stdout.strip()).is_relative_to(cache)


def test_readme_starts_with_two_commands_that_exist() -> None:
    first = blocks(README, "bash")[0]
    for script in re.findall(r"^(scripts/\w+)", first, re.MULTILINE):
        assert os.access(ROOT / script, os.X_OK), script
    assert README.index("scripts/demo") < README.index("scripts/test") < 200


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_code_on_cards_runs(
    name: str, tmp_path: Path, available: Callable[[str], Path]
) -> None:
    """As a reader of the card would run it, with nothing at hand but the Hub."""
    version = TASKS[name].version
    card = (ROOT / "dataset_cards" / name / "README.md").read_text("utf-8")
    with HubServer(tmp_path / "hub") as hub:
        for kind, repo, folder in (
            ("dataset", f"mbo/{name}", available(name)),
            ("model", f"mbo/{name}-oracle", ROOT / "oracles_onnx" / name),
        ):
            hub.put(kind, repo, {f: p.read_bytes() for f, p in local_files(folder).items()})
            hub.tag(kind, repo, f"v{version}")
        env = hub.env(tmp_path / "home", token=None) | {"MBO_HUB_CACHE": str(tmp_path / "empty")}
        out = run("\n".join(blocks(card, "python")), tmp_path, env)
    assert TASKS[name].title in out


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_code_on_oracle_cards_runs(name: str, tmp_path: Path) -> None:
    card = (ROOT / "oracles_onnx" / name / "README.md").read_text("utf-8")
    code = "\n".join([*blocks(card, "python"), "print(y)"])
    out = run(code, ROOT / "oracles_onnx" / name, environment(tmp_path))
    (value,) = re.findall(r"^\[(.*)\]$", out, re.MULTILINE)
    assert math.isfinite(float(value)), "an example should be a legal design"


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_hold(module: str) -> None:
    if module.endswith("cli"):
        pytest.skip("its examples are commands, run in test_cli.py")
    if ".mujoco" in module:
        pytest.importorskip("mujoco")
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(importlib.import_module(module), optionflags=flags).failed == 0


def test_contributing_fits_a_screen_and_names_the_modules_in_order() -> None:
    from test_layout import ORDER

    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert len(text.splitlines()) <= 60
    named = [n.strip("/") for row in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
             for n in re.findall(r"`([a-z_]+/?)`", row)]  # fmt: skip
    assert named == list(ORDER)
    steps = re.findall(r"^\d\. ", text, re.MULTILINE)
    assert len(steps) <= 5


def test_notice_names_every_task() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for spec in TASKS.values():
        assert spec.title in notice
        assert f"dataset_cards/{spec.name}" in notice
